/* SPDX-License-Identifier: Apache-2.0 */
/* A role as a child process: started, asked for its metrics, ended by its pid. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench.h"
#include "http/client.h"

#define METRICS_BYTES_MAX ((size_t)4 << 20)
#define METRICS_TIMEOUT_MS 3000
#define OWNER_TIMEOUT_MS 60000
#define STOP_TIMEOUT_MS 20000
#define POLL_MS 5

enum rc bench_free_address(char out[BENCH_ADDRESS_MAX], struct err *err)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok =
        fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && getsockname(fd, (struct sockaddr *)&a, &n) == 0;
    int why = errno;

    if (fd >= 0) {
        (void)close(fd);
    }
    if (!ok) {
        FAIL(err, RC_FATAL, "no free port on 127.0.0.1: %s", strerror(why));
    }
    (void)snprintf(out, BENCH_ADDRESS_MAX, "127.0.0.1:%d", (int)ntohs(a.sin_port));
    return RC_OK;
}

/* Only calls that are safe between fork and exec; our stdout is for the figures. */
static _Noreturn void become_role(const struct bench_child *c, pid_t parent, char **env)
{
    const char *const argv[] = {"sluice", "run", c->role, "--http", c->http, c->log, NULL};
    sigset_t none;

    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) {
        _exit(EXIT_FAILED);
    }
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(null, STDOUT_FILENO);
    }
    (void)execve("/proc/self/exe", (char *const *)(uintptr_t)argv, env);
    _exit(EXIT_FAILED);
}

static void reaped(struct bench_child *c)
{
    c->pid = 0;
}

enum rc bench_child_alive(struct bench_child *c, struct err *err)
{
    int status = 0;
    if (c->pid == 0) {
        FAIL(err, RC_RETRY, "the %s has ended", c->role);
    }
    if (waitpid(c->pid, &status, WNOHANG) != c->pid) {
        return RC_OK;
    }
    reaped(c);
    if (WIFSIGNALED(status)) {
        FAIL(err, RC_RETRY, "the %s was ended by signal %d", c->role, WTERMSIG(status));
    }
    FAIL(err, RC_RETRY, "the %s ended with exit code %d; see its messages above", c->role, WEXITSTATUS(status));
}

/* The value behind `\nSERIES `; 0 when it is not there. */
static double find_series(const char *text, const char *series)
{
    CLEANUP(freep) char *wanted = xasprintf("\n%s ", series);
    const char *at = strstr(text, wanted);
    return at == NULL ? 0 : strtod(at + strlen(wanted), NULL);
}

static double of_source(const struct bench_child *c, const char *text, const char *name)
{
    CLEANUP(freep) char *series = xasprintf("%s{source=\"%s\"}", name, c->source);
    return find_series(text, series);
}

static enum rc get(struct bench_child *c, const char *path, struct buf *body, struct err *err)
{
    int status = 0;

    TRY(bench_child_alive(c, err));
    TRY(http_get(c->http, path, NULL, METRICS_TIMEOUT_MS, &status, body, err));
    if (status != 200) {
        FAIL(err, RC_RETRY, "%s of the %s answered %d", path, c->role, status);
    }
    return RC_OK;
}

enum rc bench_child_metrics(struct bench_child *c, struct bench_metrics *out, struct err *err)
{
    CLEANUP(buf_done) struct buf body;

    buf_init(&body, METRICS_BYTES_MAX);
    TRY(get(c, "/metrics", &body, err));
    *out = (struct bench_metrics){.owner = of_source(c, buf_str(&body), "sluice_relay_owner"),
                                  .published = of_source(c, buf_str(&body), "sluice_relay_records_published_total"),
                                  .last_seq = of_source(c, buf_str(&body), "sluice_relay_last_queue_seq"),
                                  .dead = of_source(c, buf_str(&body), "sluice_relay_dead_letters_total")};
    return RC_OK;
}

enum rc bench_child_metric(struct bench_child *c, const char *series, double *out, struct err *err)
{
    CLEANUP(buf_done) struct buf body;

    buf_init(&body, METRICS_BYTES_MAX);
    TRY(get(c, "/metrics", &body, err));
    *out = find_series(buf_str(&body), series);
    return RC_OK;
}

/* Nobody answers until it has started. */
static enum rc wait_for_owner(struct bench_child *c, struct err *err)
{
    int64_t deadline = clock_mono_ms() + OWNER_TIMEOUT_MS;
    for (;;) {
        struct bench_metrics m = {.owner = 0};
        struct err not_yet = {0};
        TRY(bench_child_alive(c, err));
        if (bench_child_metrics(c, &m, &not_yet) == RC_OK && (m.owner > 0 || m.published > 0)) {
            return RC_OK;
        }
        TRY(bench_check(deadline, "take-over of the source by the relay (does another relay run?)", err));
        clock_sleep_ms(POLL_MS);
    }
}

static enum rc wait_until_ready(struct bench_child *c, struct err *err)
{
    int64_t deadline = clock_mono_ms() + OWNER_TIMEOUT_MS;
    CLEANUP(freep) char *what = xasprintf("start of the %s", c->role);

    for (;;) {
        CLEANUP(buf_done) struct buf body;
        struct err not_yet = {0};
        buf_init(&body, METRICS_BYTES_MAX);
        TRY(bench_child_alive(c, err));
        if (get(c, "/readyz", &body, &not_yet) == RC_OK) {
            return RC_OK;
        }
        TRY(bench_check(deadline, what, err));
        clock_sleep_ms(POLL_MS);
    }
}

static enum rc start(const struct bench *b, const char *role, const struct bench_setting *more, size_t n,
                     struct bench_child *c, struct err *err)
{
    c->role = role;
    TRY(bench_free_address(c->http, err));
    char **env = bench_env(b->cli->cfg, environ, more, n);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        become_role(c, parent, env);
    }
    int why = errno;
    bench_env_free(env);
    if (pid < 0) {
        FAIL(err, RC_FATAL, "fork: %s", strerror(why));
    }
    c->pid = pid;
    return RC_OK;
}

enum rc bench_child_start(const struct bench *b, const char *source, struct bench_child *c, struct err *err)
{
    c->log = "--log.level=warn";
    c->source = source;
    TRY(start(b, "relay", NULL, 0, c, err));
    return wait_for_owner(c, err);
}

enum rc bench_role_start(const struct bench *b, const char *role, const struct bench_setting *more, size_t n,
                         struct bench_child *c, struct err *err)
{
    c->log = "--log.level=error"; /* each end of theirs is a warning: partitions are given back */
    TRY(start(b, role, more, n, c, err));
    return wait_until_ready(c, err);
}

void bench_child_stop(struct bench_child *c, int64_t *peak_kib)
{
    if (c->pid == 0) {
        return;
    }
    int64_t peak = bench_peak_kib(c->pid);
    *peak_kib = peak > *peak_kib ? peak : *peak_kib;
    int64_t deadline = clock_mono_ms() + STOP_TIMEOUT_MS;
    (void)kill(c->pid, SIGTERM);
    while (waitpid(c->pid, NULL, WNOHANG) == 0) {
        if (clock_mono_ms() > deadline) {
            (void)kill(c->pid, SIGKILL);
            (void)waitpid(c->pid, NULL, 0);
            break;
        }
        clock_sleep_ms(POLL_MS);
    }
    reaped(c);
}
