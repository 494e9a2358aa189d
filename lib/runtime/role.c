/* SPDX-License-Identifier: Apache-2.0 */
/* Start and end of a role: in which order things come up, who asks for the end, what the process reports. */
#include "runtime/role.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/core_options.h"
#include "runtime/exit_code.h"
#include "runtime/notify.h"
#include "runtime/process.h"
#include "runtime/record.h"
#include "runtime/role_ctx.h"

#define PORT_TRIES 20
#define HOST_MAX 64

const struct config *role_config(const struct role_ctx *ctx)
{
    return ctx->cfg;
}

const char *role_instance(const struct role_ctx *ctx)
{
    return ctx->instance;
}

bool role_stopping(const struct role_ctx *ctx)
{
    return atomic_load(&ctx->stopping);
}

int role_stop_fd(const struct role_ctx *ctx)
{
    return ctx->stop_fd;
}

bool role_wait_ms(const struct role_ctx *ctx, int64_t ms)
{
    int64_t deadline_ms = clock_mono_ms() + ms;
    struct pollfd p = {.fd = ctx->stop_fd, .events = POLLIN};
    while (!role_stopping(ctx)) {
        int64_t left_ms = deadline_ms - clock_mono_ms();
        if (left_ms <= 0) {
            return false;
        }
        (void)poll(&p, 1, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);
    }
    return true;
}

void role_begin_stop(struct role_ctx *ctx)
{
    if (!atomic_exchange(&ctx->stopping, true)) {
        (void)eventfd_write(ctx->stop_fd, 1);
        (void)notify_send("STOPPING=1");
    }
}

void role_stop(struct role_ctx *ctx, const struct err *why)
{
    (void)pthread_mutex_lock(&ctx->lock);
    if (why != NULL && !ctx->has_why) {
        ctx->why = *why;
        ctx->has_why = true;
    }
    (void)pthread_mutex_unlock(&ctx->lock);
    role_begin_stop(ctx);
}

struct watch *role_watch(struct role_ctx *ctx, const char *name, int64_t limit_ms)
{
    (void)pthread_mutex_lock(&ctx->lock);
    for (size_t i = 0; i < ARRAY_SIZE(ctx->watches); i++) {
        struct watch *w = &ctx->watches[i];
        if (!atomic_load(&w->used)) {
            (void)snprintf(w->name, sizeof w->name, "%s", name);
            w->limit_ms = limit_ms;
            atomic_store(&w->idle_ms, 0);
            (void)atomic_fetch_add(&w->ticks, 1);
            atomic_store(&w->used, true);
            (void)pthread_mutex_unlock(&ctx->lock);
            return w;
        }
    }
    (void)pthread_mutex_unlock(&ctx->lock);
    log_error("watchdog", "too many loops", KV_S("loop", name));
    abort();
}

void role_tick(struct watch *w)
{
    (void)atomic_fetch_add_explicit(&w->ticks, 1, memory_order_relaxed);
}

void role_unwatch(struct role_ctx *ctx, struct watch *w)
{
    (void)pthread_mutex_lock(&ctx->lock);
    atomic_store(&w->used, false);
    (void)pthread_mutex_unlock(&ctx->lock);
}

static char *instance_name(const struct config *cfg) MUST_USE;
static char *instance_name(const struct config *cfg)
{
    const char *given = config_str(cfg, "instance");
    if (given[0] != '\0') {
        return xstrdup(given);
    }
    char host[HOST_MAX] = "localhost";
    (void)gethostname(host, sizeof host - 1);
    return xasprintf("%s:%d:%llu", host, (int)getpid(), (unsigned long long)process_start(getpid()));
}

static struct role_ctx *ctx_create(const struct role *role, const struct config *cfg)
{
    struct role_ctx *ctx = xcalloc(1, sizeof *ctx);
    ctx->role = role;
    ctx->cfg = cfg;
    ctx->instance = instance_name(cfg);
    ctx->started_utc_ms = clock_utc_ms();
    ctx->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ctx->signal_fd = -1;
    ctx->quit_fd = -1;
    ctx->record_dir = record_dir(cfg);
    (void)pthread_mutex_init(&ctx->lock, NULL);
    return ctx;
}

static void ctx_free(struct role_ctx *ctx)
{
    const int fds[] = {ctx->stop_fd, ctx->signal_fd, ctx->quit_fd};
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    (void)pthread_mutex_destroy(&ctx->lock);
    free(ctx->record_dir);
    free(ctx->instance);
    free(ctx);
}

static enum rc open_endpoints(struct role_ctx *ctx, struct err *err)
{
    const struct http_server_options opt = {
        .address = config_str(ctx->cfg, "http"),
        .first_port = ctx->role->http_port,
        .port_tries = PORT_TRIES,
        .token = config_str(ctx->cfg, "http.token"),
        .routes = HEALTH_ROUTES,
        .n_routes = HEALTH_ROUTES_N,
        .opaque = ctx,
    };
    return http_server_start(&opt, &ctx->http, err);
}

static enum rc write_record(const struct role_ctx *ctx, struct err *err)
{
    struct record rec = {.pid = getpid(), .start = process_start(getpid())};
    (void)snprintf(rec.role, sizeof rec.role, "%s", ctx->role->name);
    (void)snprintf(rec.http, sizeof rec.http, "%s", http_server_address(ctx->http));
    (void)snprintf(rec.instance, sizeof rec.instance, "%s", ctx->instance);
    return record_write(ctx->record_dir, &rec, err);
}

/* What the role says, or the first reason a thread of it gave. */
static enum rc run_role(struct role_ctx *ctx, struct err *err)
{
    enum rc rc = ctx->role->run(ctx, err);
    role_begin_stop(ctx);
    (void)pthread_mutex_lock(&ctx->lock);
    if (ctx->has_why) {
        *err = ctx->why;
        rc = ctx->why.rc;
    }
    (void)pthread_mutex_unlock(&ctx->lock);
    return rc;
}

/* Endpoints first, so that a role that cannot start yet can be asked why. */
static enum rc live(struct role_ctx *ctx, struct err *err)
{
    TRY(keeper_start(ctx, err));
    enum rc rc = open_endpoints(ctx, err);
    if (rc == RC_OK) {
        rc = write_record(ctx, err);
    }
    if (rc == RC_OK) {
        log_info("runtime", "started", KV_S("role", ctx->role->name), KV_S("version", SLUICE_VERSION),
                 KV_S("http", http_server_address(ctx->http)), KV_S("instance", ctx->instance));
        rc = run_role(ctx, err);
    }
    record_remove(ctx->record_dir, ctx->role->name, getpid());
    ctx->http = http_server_stop(ctx->http);
    keeper_stop(ctx);
    return rc;
}

static enum exit_code exit_code_of_role(enum rc rc, const struct err *err)
{
    if (rc == RC_OK) {
        return EXIT_DONE;
    }
    if (err_is_config(err)) {
        return EXIT_CONFIG;
    }
    return rc == RC_RETRY || rc == RC_FENCED ? EXIT_TRY_AGAIN : EXIT_FAILED;
}

int role_main(const struct role *role, const struct config *cfg)
{
    process_share_memory();
    process_protect();
    process_adopt_orphans();
    process_block_signals();
    core_log_setup(cfg, role->name, config_str(cfg, "instance"));
    struct role_ctx *ctx = ctx_create(role, cfg);
    struct err err = {0};
    enum rc rc = live(ctx, &err);
    if (rc == RC_OK) {
        log_info("runtime", "stopped");
    } else {
        log_error("runtime", "the role has failed", KV_ERR(&err));
    }
    ctx_free(ctx);
    return (int)exit_code_of_role(rc, &err);
}
