/* SPDX-License-Identifier: Apache-2.0 */
/* The question before a change, on a terminal of the test's own. */
#include <criterion/criterion.h>
#include <pty.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/command.h"

#define SAID_MAX 512

static char said[SAID_MAX];

static void listen_until(int terminal, const char *text)
{
    size_t n = strlen(said);

    while (text == NULL || strstr(said, text) == NULL) {
        ssize_t got = read(terminal, said + n, SAID_MAX - 1 - n);
        if (got <= 0) { /* EIO: nobody has the other side any more */
            break;
        }
        n += (size_t)got;
        said[n] = '\0';
    }
}

/* What cli_confirm returns to somebody who types this. */
static int answered(const char *typed)
{
    const struct cli cli = {.path = "test"};
    int terminal = -1;
    int status = -1;

    memset(said, 0, sizeof(said));
    pid_t child = forkpty(&terminal, NULL, NULL, NULL);
    cr_assert(child >= 0);
    if (child == 0) {
        _exit(cli_confirm(&cli, "Do %d things?", 3));
    }
    listen_until(terminal, "Do 3 things? [y/N] ");
    cr_assert_eq(write(terminal, typed, strlen(typed)), (ssize_t)strlen(typed));
    listen_until(terminal, NULL);
    cr_assert_eq(waitpid(child, &status, 0), child);
    (void)close(terminal);
    cr_assert(WIFEXITED(status), "killed by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

Test(confirm, yes_is_yes_and_everything_else_is_no)
{
    static const struct {
        const char *typed;
        int code;
    } rows[] = {{"y\n", EXIT_DONE}, {"Yes\n", EXIT_DONE}, {"n\n", EXIT_USAGE},
                {"\n", EXIT_USAGE}, {" y\n", EXIT_USAGE}, {"\x04", EXIT_USAGE /* end of file */}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect_eq(answered(rows[i].typed), rows[i].code, "\"%s\": %s", rows[i].typed, said);
        cr_expect_eq(strstr(said, "nothing was changed") != NULL, rows[i].code != EXIT_DONE, "%s", said);
    }
}

Test(confirm, control_c_is_an_interruption_and_no_answer)
{
    cr_expect_eq(answered("\x03"), EXIT_INTERRUPTED, "%s", said);
    cr_expect_not_null(strstr(said, "nothing was changed"), "%s", said);
}

Test(confirm, without_a_terminal_nobody_is_asked)
{
    struct cli cli = {.path = "test", .quiet = true};

    cr_assert_not_null(freopen("/dev/null", "r", stdin));
    cr_expect_eq(cli_confirm(&cli, "Do it?"), EXIT_USAGE);
    cli.yes = true;
    cr_expect_eq(cli_confirm(&cli, "Do it?"), EXIT_DONE);
}
