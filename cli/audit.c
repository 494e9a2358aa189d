/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's name. */
#include "audit.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dlq/letter.h"

void audit_operator(const struct cli *cli, char out[AUDIT_NAME_MAX])
{
    const char *given = cli_flag(cli, "operator");
    struct passwd entry;
    struct passwd *found = NULL;
    char memory[4096];
    char host[128] = "";
    char name[AUDIT_NAME_MAX];

    if (given != NULL) {
        letter_text(given, strlen(given), out, AUDIT_NAME_MAX);
        return;
    }
    (void)gethostname(host, sizeof(host) - 1);
    if (getpwuid_r(geteuid(), &entry, memory, sizeof(memory), &found) == 0 && found != NULL) {
        (void)snprintf(name, sizeof(name), "%.64s@%s", found->pw_name, host);
    } else {
        (void)snprintf(name, sizeof(name), "%u@%s", (unsigned)geteuid(), host);
    }
    letter_text(name, strlen(name), out, AUDIT_NAME_MAX);
}
