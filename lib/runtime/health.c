/* SPDX-License-Identifier: Apache-2.0 */
/* Readiness and liveness: what the role says of its parts, and the operator endpoints that show it. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "runtime/notify.h"
#include "runtime/process.h"
#include "runtime/role_ctx.h"

/* The part of that name, made when it is new. Under the lock. */
static struct part *part_get(struct role_ctx *ctx, const char *name, bool *out_new)
{
    *out_new = false;
    for (size_t i = 0; i < ctx->n_parts; i++) {
        if (strncmp(ctx->parts[i].name, name, ROLE_NAME_MAX - 1) == 0) {
            return &ctx->parts[i];
        }
    }
    if (ctx->n_parts == ROLE_PARTS_MAX) {
        return NULL;
    }
    *out_new = true;
    struct part *p = &ctx->parts[ctx->n_parts++];
    (void)snprintf(p->name, sizeof p->name, "%s", name);
    return p;
}

/* All parts ready? Under the lock. */
static bool all_ready(const struct role_ctx *ctx)
{
    for (size_t i = 0; i < ctx->n_parts; i++) {
        if (!ctx->parts[i].ready) {
            return false;
        }
    }
    return ctx->n_parts > 0 && !atomic_load(&ctx->stopping);
}

/* Not ready yet is news, not ready any more is a warning. */
static void say_part(const char *name, bool ready, bool is_new, const char *detail)
{
    char label[64];
    metric_set(metric_gauge("sluice_ready_part", "1 while this part of the role is ready.", "part=\"%s\"",
                            metric_label(name, label, sizeof label)),
               ready ? 1 : 0);
    log_write(ready || is_new ? LOG_INFO : LOG_WARN, "runtime", ready ? "ready" : "not ready", KV_S("part", name),
              KV_S("detail", detail), KV_END);
}

void role_ready(struct role_ctx *ctx, const char *part, bool ready, const char *detail)
{
    const char *text = detail == NULL ? "" : detail;
    bool is_new = false;
    bool changed = false;
    bool first_ready = false;
    (void)pthread_mutex_lock(&ctx->lock);
    struct part *p = part_get(ctx, part, &is_new);
    if (p != NULL) {
        changed = is_new || p->ready != ready;
        p->ready = ready;
        (void)snprintf(p->detail, sizeof p->detail, "%s", text);
    }
    ctx->ready = all_ready(ctx);
    first_ready = ctx->ready && !ctx->said_ready;
    ctx->said_ready = ctx->said_ready || ctx->ready;
    (void)pthread_mutex_unlock(&ctx->lock);
    if (p == NULL) {
        log_error("runtime", "too many parts of readiness", KV_S("part", part));
    }
    if (changed) {
        say_part(part, ready, is_new, text);
    }
    if (first_ready) {
        (void)notify_send("READY=1");
    }
}

bool health_is_live(const struct role_ctx *ctx)
{
    for (size_t i = 0; i < ARRAY_SIZE(ctx->watches); i++) {
        const struct watch *w = &ctx->watches[i];
        if (atomic_load(&w->used) && atomic_load(&w->idle_ms) > w->limit_ms) {
            return false;
        }
    }
    return true;
}

static void add_text(struct buf *out, const char *name, const char *value)
{
    (void)buf_printf(out, "\"%s\": ", name);
    (void)buf_json_string(out, value, strlen(value));
}

static void livez(void *opaque, struct http_answer *answer)
{
    struct role_ctx *ctx = opaque;
    bool live = health_is_live(ctx);
    answer->status = live ? 200 : 503;
    struct buf *out = &answer->body;
    (void)buf_printf(out, "{\"live\": %s, \"loops\": [", live ? "true" : "false");
    const char *comma = "";
    (void)pthread_mutex_lock(&ctx->lock); /* names are written when a watch is taken */
    for (size_t i = 0; i < ARRAY_SIZE(ctx->watches); i++) {
        const struct watch *w = &ctx->watches[i];
        if (!atomic_load(&w->used)) {
            continue;
        }
        (void)buf_printf(out, "%s\n  {", comma);
        add_text(out, "name", w->name);
        (void)buf_printf(out, ", \"idle_ms\": %lld, \"limit_ms\": %lld}", (long long)atomic_load(&w->idle_ms),
                         (long long)w->limit_ms);
        comma = ",";
    }
    (void)pthread_mutex_unlock(&ctx->lock);
    (void)buf_puts(out, "]}\n");
}

static void readyz(void *opaque, struct http_answer *answer)
{
    struct role_ctx *ctx = opaque;
    struct buf *out = &answer->body;
    bool stopping = atomic_load(&ctx->stopping);
    (void)pthread_mutex_lock(&ctx->lock);
    bool ready = all_ready(ctx);
    answer->status = ready ? 200 : 503;
    (void)buf_printf(out, "{\"ready\": %s, \"stopping\": %s, ", ready ? "true" : "false", stopping ? "true" : "false");
    add_text(out, "role", ctx->role->name);
    (void)buf_puts(out, ", ");
    add_text(out, "instance", ctx->instance);
    (void)buf_puts(out, ", \"parts\": [");
    for (size_t i = 0; i < ctx->n_parts; i++) {
        const struct part *p = &ctx->parts[i];
        (void)buf_printf(out, "%s\n  {", i == 0 ? "" : ",");
        add_text(out, "name", p->name);
        (void)buf_printf(out, ", \"ready\": %s, ", p->ready ? "true" : "false");
        add_text(out, "detail", p->detail);
        (void)buf_putc(out, '}');
    }
    (void)pthread_mutex_unlock(&ctx->lock);
    (void)buf_puts(out, "]}\n");
}

static void metrics(void *opaque, struct http_answer *answer)
{
    struct role_ctx *ctx = opaque;
    process_metrics(ctx->role->name, ctx->started_utc_ms);
    (void)pthread_mutex_lock(&ctx->lock);
    bool ready = all_ready(ctx);
    (void)pthread_mutex_unlock(&ctx->lock);
    metric_set(metric_gauge("sluice_ready", "1 while every part of the role is ready.", NULL), ready ? 1 : 0);
    answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_render(&answer->body);
}

const struct http_route HEALTH_ROUTES[] = {{"/livez", livez}, {"/readyz", readyz}, {"/metrics", metrics}};
const size_t HEALTH_ROUTES_N = ARRAY_SIZE(HEALTH_ROUTES);
