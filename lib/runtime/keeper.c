/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper thread: takes signals, watches the role's loops, tells systemd that we live. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/exit_code.h"
#include "runtime/notify.h"
#include "runtime/role_ctx.h"

static void on_signal(struct role_ctx *ctx)
{
    struct signalfd_siginfo info;
    if (read(ctx->signal_fd, &info, sizeof info) != (ssize_t)sizeof info) {
        return;
    }
    if (atomic_load(&ctx->stopping)) {
        _exit(EXIT_INTERRUPTED); /* somebody does not want to wait: everything durable is durable already */
    }
    log_info("runtime", "stopping", KV_S("signal", info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM"));
    role_begin_stop(ctx);
}

/* True when w has been stuck for twice its limit. */
static bool check_watch(struct watch *w, int64_t turn_ms)
{
    uint64_t ticks = atomic_load(&w->ticks);
    if (ticks != w->seen_ticks) {
        w->seen_ticks = ticks;
        w->said = false;
        atomic_store(&w->idle_ms, 0);
        return false;
    }
    int64_t idle_ms = atomic_load(&w->idle_ms) + turn_ms;
    atomic_store(&w->idle_ms, idle_ms);
    if (idle_ms > w->limit_ms && !w->said) {
        w->said = true;
        log_warn("watchdog", "a loop is stuck", KV_S("loop", w->name), KV_I("idle_ms", idle_ms),
                 KV_I("limit_ms", w->limit_ms));
    }
    return idle_ms > 2 * w->limit_ms;
}

bool keeper_check(struct role_ctx *ctx, int64_t turn_ms)
{
    bool dead = false;
    for (size_t i = 0; i < ARRAY_SIZE(ctx->watches); i++) {
        struct watch *w = &ctx->watches[i];
        if (atomic_load(&w->used) && check_watch(w, turn_ms)) {
            dead = true;
            log_error("watchdog", "a loop is stuck for good, aborting", KV_S("loop", w->name));
        }
    }
    return dead;
}

static void *keeper_run(void *opaque)
{
    struct role_ctx *ctx = opaque;
    int64_t watchdog_ms = notify_watchdog_ms();
    int64_t said_ms = clock_mono_ms();
    struct pollfd fds[] = {{.fd = ctx->quit_fd, .events = POLLIN}, {.fd = ctx->signal_fd, .events = POLLIN}};
    for (;;) {
        int n = poll(fds, ARRAY_SIZE(fds), KEEPER_TURN_MS);
        if (n > 0 && fds[0].revents != 0) {
            return NULL;
        }
        if (n > 0 && fds[1].revents != 0) {
            on_signal(ctx);
        }
        if (n == 0 && keeper_check(ctx, KEEPER_TURN_MS)) {
            abort();
        }
        if (watchdog_ms > 0 && clock_mono_ms() - said_ms >= watchdog_ms / 3 && health_is_live(ctx)) {
            (void)notify_send("WATCHDOG=1");
            said_ms = clock_mono_ms();
        }
    }
}

enum rc keeper_start(struct role_ctx *ctx, struct err *err)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    ctx->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    ctx->quit_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (ctx->signal_fd < 0 || ctx->quit_fd < 0) {
        FAIL(err, RC_FATAL, "signalfd, eventfd: %s", strerror(errno));
    }
    int why = pthread_create(&ctx->keeper, NULL, keeper_run, ctx);
    if (why != 0) {
        FAIL(err, RC_FATAL, "pthread_create: %s", strerror(why));
    }
    (void)pthread_setname_np(ctx->keeper, "keeper");
    return RC_OK;
}

void keeper_stop(struct role_ctx *ctx)
{
    (void)eventfd_write(ctx->quit_fd, 1);
    (void)pthread_join(ctx->keeper, NULL);
}
