/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"

#define WORDS_MAX 48

static char dir[64];

int cli_run(const char *format, ...)
{
    char words[1024];
    char *argv[WORDS_MAX];
    char *envp[] = {NULL};
    int argc = 0;
    char *rest = words;
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(words, sizeof words, format, ap);
    va_end(ap);
    cr_assert(n >= 0 && (size_t)n < sizeof words);
    for (char *word = strsep(&rest, " "); word != NULL; word = strsep(&rest, " ")) {
        cr_assert_lt(argc, WORDS_MAX - 1);
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    return cli_main(&ROOT_COMMAND, argc, argv, envp);
}

void cli_enter(void)
{
    (void)snprintf(dir, sizeof dir, "/tmp/sluice-cli-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    cr_assert_eq(chdir(dir), 0);
}

static void empty(const char *name)
{
    DIR *d = opendir(name);
    for (struct dirent *e = NULL; d != NULL && (e = readdir(d)) != NULL;) {
        CLEANUP(freep) char *path = xasprintf("%s/%s", name, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && unlink(path) != 0) {
            empty(path);
        }
    }
    if (d != NULL) {
        (void)closedir(d);
    }
    (void)rmdir(name);
}

void cli_leave(void)
{
    empty(dir);
}

const char *cli_printed(void)
{
    static char output[65536];
    (void)fclose(stdout);
    FILE *f = cr_get_redirected_stdout();
    size_t n = fread(output, 1, sizeof output - 1, f);
    output[n] = '\0';
    return output;
}
