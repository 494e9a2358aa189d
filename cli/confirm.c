/* SPDX-License-Identifier: Apache-2.0 */
/* Asks before something is changed. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "command.h"

#define ANSWER_MAX 4096 /* what a terminal gives at most: nothing is left for the shell */

static volatile sig_atomic_t broken_off;

static void on_signal(int signal)
{
    (void)signal;
    broken_off = 1;
}

/* Signals come only while there is nothing to read: one between the question and the waiting is not missed. */
static bool is_yes(const sigset_t *while_waiting)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    char answer[ANSWER_MAX] = "";

    while (ppoll(&in, 1, NULL, while_waiting) < 0) {
        if (errno != EINTR || broken_off) {
            return false;
        }
    }
    return read(STDIN_FILENO, answer, sizeof(answer) - 1) > 0 && (answer[0] == 'y' || answer[0] == 'Y');
}

static bool ask(const char *question)
{
    const struct sigaction stop = {.sa_handler = on_signal};
    struct sigaction old_int;
    struct sigaction old_term;
    sigset_t stops;
    sigset_t before;

    broken_off = 0;
    (void)sigemptyset(&stops);
    (void)sigaddset(&stops, SIGINT);
    (void)sigaddset(&stops, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &stops, &before);
    (void)sigaction(SIGINT, &stop, &old_int);
    (void)sigaction(SIGTERM, &stop, &old_term);
    (void)fprintf(stderr, "%s [y/N] ", question);
    bool yes = is_yes(&before);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    (void)sigaction(SIGINT, &old_int, NULL);
    (void)sigaction(SIGTERM, &old_term, NULL);
    return yes && !broken_off;
}

int cli_confirm(const struct cli *cli, const char *fmt, ...)
{
    va_list ap;

    if (cli->yes) {
        return EXIT_DONE;
    }
    if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1) {
        cli_note(cli, "nothing was changed; say --yes to do it");
        return EXIT_USAGE;
    }
    va_start(ap, fmt);
    CLEANUP(freep) char *question = xvasprintf(fmt, ap);
    va_end(ap);
    if (ask(question)) {
        return EXIT_DONE;
    }
    if (broken_off) {
        (void)fputc('\n', stderr);
    }
    cli_note(cli, "nothing was changed");
    return broken_off ? EXIT_INTERRUPTED : EXIT_USAGE;
}
