/* SPDX-License-Identifier: Apache-2.0 */
/* Starts, restarts and ends one child process per role; a single thread that waits in one place. */
#include "runtime/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/core_options.h"
#include "runtime/exit_code.h"

#define PAUSE_BASE_MS 500
#define PAUSE_MAX_MS 30000
#define STEADY_MS 60000 /* who lived that long starts again at once */

struct child {
    const struct role *role;
    pid_t pid; /* 0 = not running */
    bool done;
    int failures;
    int64_t started_ms;
    int64_t due_ms; /* start again then */
};

struct supervisor {
    const struct config *cfg;
    struct child children[SUPERVISOR_ROLES_MAX];
    size_t n;
    sigset_t signals;
    bool stopping;
    int exit_code;
};

/* In the child: never returns. exit() and not _exit(), so that leak checks and stdio do their work. */
static _Noreturn void child_main(const struct supervisor *s, const struct role *role, pid_t parent)
{
    (void)setpgid(0, 0); /* a terminal's Ctrl-C reaches the supervisor alone, and the children once */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    if (getppid() != parent) {
        exit(EXIT_TRY_AGAIN); /* the supervisor died before the line above */
    }
    sigset_t chld;
    (void)sigemptyset(&chld);
    (void)sigaddset(&chld, SIGCHLD);
    (void)sigprocmask(SIG_UNBLOCK, &chld, NULL);
    exit(role_main(role, s->cfg));
}

static void child_start(struct supervisor *s, struct child *c)
{
    pid_t parent = getpid();
    c->started_ms = clock_mono_ms();
    pid_t pid = fork();
    if (pid == 0) {
        child_main(s, c->role, parent);
    }
    if (pid < 0) {
        log_error("supervisor", "cannot fork", KV_S("role", c->role->name), KV_S("error", strerror(errno)));
        c->due_ms = clock_mono_ms() + clock_backoff_ms(c->failures++, PAUSE_BASE_MS, PAUSE_MAX_MS);
        return;
    }
    c->pid = pid;
    log_info("supervisor", "started", KV_S("role", c->role->name), KV_I("pid", pid));
}

static void signal_all(const struct supervisor *s, int signo)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->children[i].pid > 0) {
            (void)kill(s->children[i].pid, signo);
        }
    }
}

static void stop_all(struct supervisor *s)
{
    s->stopping = true;
    signal_all(s, SIGTERM);
}

/* A child has ended: for good, or to be started again. */
static void child_ended(struct supervisor *s, struct child *c, int status)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    c->pid = 0;
    if (code == EXIT_DONE || s->stopping) {
        c->done = true;
        s->exit_code = s->exit_code != 0 ? s->exit_code : code;
        log_info("supervisor", "ended", KV_S("role", c->role->name), KV_I("code", code));
        return;
    }
    if (code == EXIT_USAGE || code == EXIT_CONFIG) {
        c->done = true;
        s->exit_code = code;
        log_error("supervisor", "ended for good, stopping the others", KV_S("role", c->role->name), KV_I("code", code));
        stop_all(s);
        return;
    }
    int64_t now_ms = clock_mono_ms();
    c->failures = now_ms - c->started_ms >= STEADY_MS ? 0 : c->failures;
    int64_t pause_ms = clock_backoff_ms(c->failures++, PAUSE_BASE_MS, PAUSE_MAX_MS);
    c->due_ms = now_ms + pause_ms;
    log_warn("supervisor", "ended, will be started again", KV_S("role", c->role->name), KV_I("code", code),
             KV_I("pause_ms", pause_ms));
}

/* As PID 1 of a container it also inherits orphans: those are only waited for. */
static void reap(struct supervisor *s)
{
    int status = 0;
    for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
        for (size_t i = 0; i < s->n; i++) {
            if (s->children[i].pid == pid) {
                child_ended(s, &s->children[i], status);
            }
        }
    }
}

/* Starts what is due; returns how long to wait for the next, -1 = nothing is running or due any more. */
static int64_t start_due(struct supervisor *s)
{
    int64_t wait_ms = -1;
    for (size_t i = 0; i < s->n; i++) {
        struct child *c = &s->children[i];
        bool idle = c->pid == 0 && !c->done;
        if (idle && s->stopping) {
            c->done = true;
            continue;
        }
        if (idle && clock_mono_ms() >= c->due_ms) {
            child_start(s, c);
        }
        if (c->pid > 0 || !c->done) {
            int64_t due_ms = c->pid > 0 ? PAUSE_MAX_MS : c->due_ms - clock_mono_ms();
            int64_t left_ms = due_ms < 1 ? 1 : due_ms;
            wait_ms = wait_ms < 0 || left_ms < wait_ms ? left_ms : wait_ms;
        }
    }
    return wait_ms;
}

/* True when the user does not want to wait. */
static bool wait_signal(struct supervisor *s, int64_t wait_ms)
{
    struct timespec ts = {.tv_sec = (time_t)(wait_ms / 1000), .tv_nsec = (long)(wait_ms % 1000) * 1000000L};
    int signo = sigtimedwait(&s->signals, NULL, &ts);
    if (signo != SIGTERM && signo != SIGINT) {
        return false;
    }
    if (s->stopping) {
        return true;
    }
    log_info("supervisor", "stopping");
    stop_all(s);
    return false;
}

static int kill_all(struct supervisor *s)
{
    signal_all(s, SIGKILL);
    for (size_t i = 0; i < s->n; i++) {
        if (s->children[i].pid > 0) {
            (void)waitpid(s->children[i].pid, NULL, 0);
        }
    }
    return EXIT_INTERRUPTED;
}

int supervise(const struct role *const *roles, size_t n, const struct config *cfg)
{
    if (n == 1) {
        return role_main(roles[0], cfg);
    }
    struct supervisor s = {.cfg = cfg, .n = n < SUPERVISOR_ROLES_MAX ? n : SUPERVISOR_ROLES_MAX};
    for (size_t i = 0; i < s.n; i++) {
        s.children[i].role = roles[i];
    }
    core_log_setup(cfg, "supervisor", NULL);
    (void)sigemptyset(&s.signals);
    (void)sigaddset(&s.signals, SIGTERM);
    (void)sigaddset(&s.signals, SIGINT);
    (void)sigaddset(&s.signals, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &s.signals, NULL);
    for (int64_t wait_ms = start_due(&s); wait_ms >= 0; wait_ms = start_due(&s)) {
        if (wait_signal(&s, wait_ms)) {
            return kill_all(&s);
        }
        reap(&s);
    }
    return s.exit_code;
}
