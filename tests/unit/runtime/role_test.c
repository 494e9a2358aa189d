/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a role: each case runs one in a child process and looks at it from outside. */
#include "runtime/role.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/client.h"
#include "runtime/core_options.h"
#include "runtime/record.h"
#include "runtime/supervisor.h"

#define WAIT_MS 10000

static char dir[64];
static struct config *cfg;
static struct err err;

static void setup(void)
{
    static const struct option_table *const tables[] = {&CORE_OPTIONS};
    (void)snprintf(dir, sizeof dir, "/tmp/sluice_role_test.XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    cfg = config_create(tables, 1);
    cr_assert_eq(config_set_flag(cfg, "runtime.dir", dir, &err), RC_OK);
    cr_assert_eq(config_set_flag(cfg, "log.level", "error", &err), RC_OK);
}

static void teardown(void)
{
    cfg = config_free(cfg);
    (void)rmdir(dir);
}

TestSuite(role, .init = setup, .fini = teardown, .timeout = 60);

static pid_t start(const struct role *role)
{
    pid_t pid = fork();
    if (pid == 0) {
        exit(role_main(role, cfg));
    }
    return pid;
}

static int end_of(pid_t pid)
{
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Waits for the only record there is; false after WAIT_MS. */
static bool recorded(struct record *out)
{
    size_t n = 0;
    for (int64_t end_ms = clock_mono_ms() + WAIT_MS; clock_mono_ms() < end_ms; clock_sleep_ms(10)) {
        if (record_list(dir, NULL, out, 1, &n, &err) == RC_OK && n == 1) {
            return true;
        }
    }
    return false;
}

static int ask(const struct record *rec, const char *path, struct buf *body)
{
    int status = 0;
    buf_clear(body);
    cr_assert_eq(http_get(rec->http, path, NULL, WAIT_MS, &status, body, &err), RC_OK, "%s", err.text);
    return status;
}

/* Asks until the answer is status; false after WAIT_MS. */
static bool becomes(const struct record *rec, const char *path, int status, struct buf *body)
{
    for (int64_t end_ms = clock_mono_ms() + WAIT_MS; clock_mono_ms() < end_ms; clock_sleep_ms(20)) {
        if (ask(rec, path, body) == status) {
            return true;
        }
    }
    return false;
}

static enum rc run_until_stopped(struct role_ctx *ctx, struct err *e)
{
    (void)e;
    role_ready(ctx, "postgres", true, "15.1");
    role_ready(ctx, "kafka", true, "3 \"brokers\"");
    while (!role_wait_ms(ctx, 60000)) {
    }
    return RC_OK;
}
static const struct role STEADY = {.name = "steady", .help = "H.", .http_port = 0, .run = run_until_stopped};

Test(role, first_sigterm_ends_it_cleanly)
{
    struct record rec;
    pid_t pid = start(&STEADY);
    cr_assert(recorded(&rec));
    cr_assert_eq(rec.pid, pid);
    (void)kill(pid, SIGTERM);
    cr_assert_eq(end_of(pid), 0);
    cr_assert_eq(rmdir(dir), 0, "the record is gone");
}

Test(role, endpoints_show_parts_metrics_and_liveness)
{
    struct record rec;
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, (size_t)1 << 20);
    pid_t pid = start(&STEADY);
    cr_assert(recorded(&rec));
    cr_assert(becomes(&rec, "/readyz", 200, &body));
    cr_assert_not_null(
        strstr(buf_str(&body), "{\"name\": \"kafka\", \"ready\": true, \"detail\": \"3 \\\"brokers\\\"\"}"));
    cr_assert_eq(ask(&rec, "/livez", &body), 200);
    cr_assert_eq(ask(&rec, "/metrics", &body), 200);
    static const char *const wanted[] = {
        "\nsluice_build_info{version=\"" SLUICE_VERSION "\",role=\"steady\"} 1\n",
        "\nsluice_ready 1\n",
        "sluice_ready_part{part=\"kafka\"} 1\n",
        "\nprocess_resident_memory_bytes ",
        "\nprocess_cpu_seconds_total ",
        "\nprocess_start_time_seconds ",
        "\nprocess_open_fds ",
    };
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        cr_assert_not_null(strstr(buf_str(&body), wanted[i]), "%s", wanted[i]);
    }
    (void)kill(pid, SIGINT);
    cr_assert_eq(end_of(pid), 0);
}

static enum rc run_deaf(struct role_ctx *ctx, struct err *e)
{
    (void)e;
    role_ready(ctx, "self", true, NULL);
    static volatile bool deaf = true;
    while (deaf) {
        clock_sleep_ms(1000);
    }
    return RC_OK;
}
static const struct role DEAF = {.name = "deaf", .help = "H.", .run = run_deaf};

Test(role, stops_being_ready_at_once_and_a_second_signal_does_not_wait)
{
    struct record rec;
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, 65536);
    pid_t pid = start(&DEAF);
    cr_assert(recorded(&rec));
    cr_assert(becomes(&rec, "/readyz", 200, &body));
    (void)kill(pid, SIGTERM);
    cr_assert(becomes(&rec, "/readyz", 503, &body));
    cr_assert_not_null(strstr(buf_str(&body), "\"stopping\": true"));
    (void)kill(pid, SIGTERM);
    cr_assert_eq(end_of(pid), 130);
    size_t n = 0;
    cr_assert_eq(record_list(dir, NULL, &rec, 1, &n, &err), RC_OK);
    cr_assert_eq(n, 0, "its record is stale");
}

static enum rc run_unready(struct role_ctx *ctx, struct err *e)
{
    (void)e;
    if (strcmp(config_str(role_config(ctx), "instance"), "parts") == 0) {
        role_ready(ctx, "a", true, "fine");
        role_ready(ctx, "b", false, "waiting");
    }
    (void)role_wait_ms(ctx, 60000);
    return RC_OK;
}
static const struct role UNREADY = {.name = "unready", .help = "H.", .run = run_unready};

Test(role, without_any_part_it_is_not_ready)
{
    struct record rec;
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, 65536);
    pid_t pid = start(&UNREADY);
    cr_assert(recorded(&rec));
    cr_assert_eq(ask(&rec, "/readyz", &body), 503);
    (void)kill(pid, SIGTERM);
    cr_assert_eq(end_of(pid), 0);
}

Test(role, one_part_that_is_not_ready_is_enough)
{
    struct record rec;
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, 65536);
    cr_assert_eq(config_set_flag(cfg, "instance", "parts", &err), RC_OK);
    pid_t pid = start(&UNREADY);
    cr_assert(recorded(&rec));
    cr_assert_str_eq(rec.instance, "parts");
    clock_sleep_ms(100);
    cr_assert_eq(ask(&rec, "/readyz", &body), 503);
    cr_assert_not_null(strstr(buf_str(&body), "{\"name\": \"b\", \"ready\": false, \"detail\": \"waiting\"}"));
    (void)kill(pid, SIGTERM);
    cr_assert_eq(end_of(pid), 0);
}

/* The reaction is what the instance option names. */
static enum rc run_failing(struct role_ctx *ctx, struct err *e)
{
    static const enum rc all[] = {RC_OK, RC_RETRY, RC_REJECT, RC_FENCED, RC_FATAL};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        if (strcmp(config_str(role_config(ctx), "instance"), rc_name(all[i])) == 0 && all[i] != RC_OK) {
            FAIL(e, all[i], "because");
        }
    }
    if (strcmp(config_str(role_config(ctx), "instance"), "config") == 0) {
        (void)err_set(e, RC_FATAL, __FILE__, __LINE__, "because");
        return err_code(e, ERR_CONFIG);
    }
    return RC_OK;
}
static const struct role FAILING = {.name = "failing", .help = "H.", .run = run_failing};

Test(role, every_reaction_has_its_exit_code)
{
    static const struct {
        const char *reaction;
        int code;
    } rows[] = {{"ok", 0}, {"retry", 75}, {"fenced", 75}, {"reject", 1}, {"fatal", 1}, {"config", 78}};
    cr_assert_eq(config_set_flag(cfg, "log.level", "error", &err), RC_OK);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        cr_assert_eq(config_set_flag(cfg, "instance", rows[i].reaction, &err), RC_OK);
        cr_assert_eq(end_of(start(&FAILING)), rows[i].code, "%s", rows[i].reaction);
    }
}

static void *fail_later(void *opaque)
{
    struct err first = {0};
    struct err second = {0};
    (void)err_set(&first, RC_RETRY, __FILE__, __LINE__, "first");
    (void)err_set(&second, RC_FATAL, __FILE__, __LINE__, "second");
    role_stop(opaque, &first);
    role_stop(opaque, &second);
    return NULL;
}

static enum rc run_threaded(struct role_ctx *ctx, struct err *e)
{
    pthread_t thread;
    struct pollfd p = {.fd = role_stop_fd(ctx), .events = POLLIN};
    (void)pthread_create(&thread, NULL, fail_later, ctx);
    bool woken = poll(&p, 1, WAIT_MS) == 1 && poll(&p, 1, 0) == 1 && role_stopping(ctx);
    (void)pthread_join(thread, NULL);
    if (!woken) {
        FAIL(e, RC_FATAL, "the stop descriptor is not readable for ever");
    }
    return RC_OK;
}
static const struct role THREADED = {.name = "threaded", .help = "H.", .run = run_threaded};

Test(role, a_thread_can_ask_for_the_end_and_the_first_reason_counts)
{
    cr_assert_eq(end_of(start(&THREADED)), 75);
}

static enum rc run_stuck(struct role_ctx *ctx, struct err *e)
{
    (void)e;
    struct watch *gone = role_watch(ctx, "gone", 1);
    role_unwatch(ctx, gone);
    (void)role_watch(ctx, "stuck", 700);
    (void)role_wait_ms(ctx, 60000);
    return RC_OK;
}
static const struct role STUCK = {.name = "stuck", .help = "H.", .run = run_stuck};

Test(role, a_stuck_loop_is_not_live_and_then_aborted)
{
    struct record rec;
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, 65536);
    pid_t pid = start(&STUCK);
    cr_assert(recorded(&rec));
    cr_assert_eq(ask(&rec, "/livez", &body), 200);
    cr_assert(becomes(&rec, "/livez", 503, &body));
    cr_assert_not_null(strstr(buf_str(&body), "\"name\": \"stuck\""));
    cr_assert_null(strstr(buf_str(&body), "\"gone\""));
    cr_assert_eq(end_of(pid), 128 + SIGABRT);
}

Test(role, a_process_that_was_stopped_and_goes_on_is_not_killed)
{
    struct record rec;
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, 65536);
    pid_t pid = start(&STUCK);
    cr_assert(recorded(&rec));
    (void)kill(pid, SIGSTOP);
    clock_sleep_ms(2500); /* more than twice the limit */
    (void)kill(pid, SIGCONT);
    cr_assert_eq(ask(&rec, "/livez", &body), 200);
    (void)kill(pid, SIGTERM);
    cr_assert_eq(end_of(pid), 0);
}

static enum rc run_dump_check(struct role_ctx *ctx, struct err *e)
{
    struct rlimit limit = {.rlim_cur = 1};
    (void)ctx;
    (void)getrlimit(RLIMIT_CORE, &limit);
    if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 || limit.rlim_max != 0) {
        FAIL(e, RC_FATAL, "memory could reach a core file");
    }
    return RC_OK;
}
static const struct role NO_DUMP = {.name = "nodump", .help = "H.", .run = run_dump_check};

Test(role, its_memory_never_reaches_a_core_file)
{
    cr_assert_eq(end_of(start(&NO_DUMP)), 0);
}

/* Fails until its file exists, then runs; shows that it is started again. */
static enum rc run_flaky(struct role_ctx *ctx, struct err *e)
{
    CLEANUP(freep) char *mark = xasprintf("%s/mark", config_str(role_config(ctx), "runtime.dir"));
    FILE *f = fopen(mark, "r");
    if (f == NULL) {
        f = fopen(mark, "w");
        (void)fclose(f);
        FAIL(e, RC_RETRY, "the first time");
    }
    (void)fclose(f);
    (void)unlink(mark);
    return RC_OK;
}
static const struct role FLAKY = {.name = "flaky", .help = "H.", .run = run_flaky};

static pid_t start_all(const struct role *a, const struct role *b)
{
    pid_t pid = fork();
    if (pid == 0) {
        const struct role *const roles[] = {a, b};
        exit(supervise(roles, 2, cfg));
    }
    return pid;
}

Test(role, supervisor_starts_what_failed_again_and_ends_with_the_last)
{
    cr_assert_eq(end_of(start_all(&FLAKY, &FAILING)), 0);
    CLEANUP(freep) char *mark = xasprintf("%s/mark", dir);
    cr_assert_eq(access(mark, F_OK), -1, "it ran twice");
}

Test(role, supervisor_passes_sigterm_on)
{
    struct record rec;
    pid_t pid = start_all(&STEADY, &STEADY);
    cr_assert(recorded(&rec));
    (void)kill(pid, SIGTERM);
    cr_assert_eq(end_of(pid), 0);
    cr_assert_eq(kill(rec.pid, 0), -1);
}

/* As PID 1 of a container it is the parent of processes that it did not start. */
Test(role, supervisor_buries_children_of_others)
{
    struct record rec;
    int fds[2];
    pid_t orphan = 0;
    cr_assert_eq(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        orphan = fork();
        if (orphan == 0) {
            (void)pause();
            _exit(0);
        }
        (void)!write(fds[1], &orphan, sizeof orphan);
        const struct role *const roles[] = {&STEADY, &STEADY};
        exit(supervise(roles, 2, cfg));
    }
    cr_assert_eq(read(fds[0], &orphan, sizeof orphan), (ssize_t)sizeof orphan);
    cr_assert(recorded(&rec)); /* so the supervisor waits for signals by now */
    (void)kill(orphan, SIGKILL);
    for (int i = 0; i < 1000 && kill(orphan, 0) == 0; i++) {
        (void)usleep(10000);
    }
    bool buried = kill(orphan, 0) != 0;
    (void)kill(pid, SIGTERM); /* before the verdict: a test that fails must not leave processes */
    cr_assert_eq(end_of(pid), 0, "it is not taken for a role");
    cr_assert(buried, "it stays a zombie");
}

Test(role, supervisor_ends_all_when_the_configuration_is_wrong)
{
    cr_assert_eq(config_set_flag(cfg, "instance", "config", &err), RC_OK);
    cr_assert_eq(end_of(start_all(&STEADY, &FAILING)), 78);
}

Test(role, supervisor_kills_its_children_at_the_second_signal)
{
    struct record rec;
    pid_t pid = start_all(&DEAF, &FAILING);
    cr_assert(recorded(&rec));
    (void)kill(pid, SIGTERM);
    clock_sleep_ms(300);
    cr_assert_eq(kill(pid, 0), 0, "the first one waits for the children");
    (void)kill(pid, SIGTERM);
    cr_assert_eq(end_of(pid), 130);
    cr_assert_eq(kill(rec.pid, 0), -1);
    record_remove(dir, "deaf", rec.pid);
}

Test(role, children_die_with_the_supervisor)
{
    struct record rec;
    pid_t pid = start_all(&STEADY, &FAILING);
    cr_assert(recorded(&rec));
    (void)kill(pid, SIGKILL);
    cr_assert_eq(end_of(pid), 128 + SIGKILL);
    size_t n = 1;
    for (int64_t end_ms = clock_mono_ms() + WAIT_MS; clock_mono_ms() < end_ms && n > 0; clock_sleep_ms(20)) {
        cr_assert_eq(record_list(dir, NULL, &rec, 1, &n, &err), RC_OK);
    }
    cr_assert_eq(n, 0);
}
