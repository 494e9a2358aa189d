/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A delivery processor for tests, as a program: sleeps for each record and emits one record that says which one it was.
 *
 * callback.events -> callback.outcomes, dead letters to callback.dlq. The value tells what to do: "reject...",
 * "retry..." (twice, then fine), "hang..." (never finished), everything else is fine. Each start is a line on stdout:
 * "start PARTITION OFFSET START_NO" and each end one: "end PARTITION OFFSET".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "runtime/core_options.h"
#include "runtime/delivery.h"
#include "runtime/exit_code.h"

static const struct option ROWS[] = {
    {.name = "probe.sleep.ms", .type = OPTION_INT, .value = "20", .min = 0, .max = 60000, .help = "Longest sleep."},
};
static const struct option_table probe_options = {
    .component = "probe", .help = "For tests.", .rows = ROWS, .n_rows = ARRAY_SIZE(ROWS)};

struct probe {
    struct delivery *d;
    uint64_t sleep_ms;
};

struct call {
    uv_timer_t timer;
    struct probe *probe;
    const struct delivery_event *event;
    struct delivery_task *task; /* NULL = cancelled */
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static bool begins(const struct delivery_event *e, const char *word)
{
    return e->value_len >= strlen(word) && memcmp(e->value, word, strlen(word)) == 0;
}

static void finish(struct delivery_task *task, const struct delivery_event *e)
{
    struct delivery_why why = {.class = "test", .message = "it was asked for"};
    char text[64];
    struct producer_header header = {.name = "ce_id", .value = e->id, .value_len = strlen(e->id)};
    int n = snprintf(text, sizeof(text), "%d %" PRId64, (int)e->partition, e->offset);

    printf("end %s\n", text);
    struct delivery_record rec = {.topic = "callback.outcomes",
                                  .key = e->key,
                                  .key_len = e->key_len,
                                  .value = text,
                                  .value_len = (size_t)n,
                                  .headers = &header,
                                  .n_headers = 1};
    delivery_emit(task, &rec);
    if (begins(e, "retry") && e->start_no < 3) {
        delivery_finish(task, RC_RETRY, &why);
    } else {
        delivery_finish(task, begins(e, "reject") ? RC_REJECT : RC_OK, &why);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct call *c = timer->data;
    struct delivery_task *task = c->task;
    const struct delivery_event *e = c->event;

    uv_close((uv_handle_t *)timer, on_closed);
    finish(task, e);
}

static void probe_start(void *ctx, const struct delivery_event *event, struct delivery_task *task)
{
    struct probe *p = ctx;

    printf("start %d %" PRId64 " %d\n", (int)event->partition, event->offset, event->start_no);
    if (p->sleep_ms == 0 && !begins(event, "hang")) {
        finish(task, event);
        return;
    }
    struct call *c = xcalloc(1, sizeof(*c));
    *c = (struct call){.probe = p, .event = event, .task = task};
    uv_timer_init(delivery_loop(p->d), &c->timer);
    c->timer.data = c;
    delivery_set_data(task, c);
    uv_timer_start(&c->timer, on_timer, begins(event, "hang") ? 3600000 : clock_random() % (p->sleep_ms + 1), 0);
}

static void probe_cancel(void *ctx, struct delivery_task *task)
{
    struct call *c = delivery_data(task);

    (void)ctx;
    uv_close((uv_handle_t *)&c->timer, on_closed);
}

static enum rc probe_open(struct delivery *d, void **out_ctx, struct err *err)
{
    struct probe *p = xcalloc(1, sizeof(*p));

    (void)err;
    p->d = d;
    p->sleep_ms = (uint64_t)config_int(role_config(delivery_role(d)), "probe.sleep.ms");
    *out_ctx = p;
    return RC_OK;
}

static void probe_close(void *ctx)
{
    free(ctx);
}

static enum rc probe_run(struct role_ctx *role, struct err *err)
{
    static const char *const outputs[] = {"callback.outcomes", NULL};
    static const struct delivery_processor proc = {.name = "probe",
                                                   .input = "callback.events",
                                                   .outputs = outputs,
                                                   .dlq = "callback.dlq",
                                                   .open = probe_open,
                                                   .start = probe_start,
                                                   .cancel = probe_cancel,
                                                   .close = probe_close};

    return delivery_run(role, &proc, err);
}

int main(void)
{
    static const struct option_table *const tables[] = {&CORE_OPTIONS, &delivery_options, &probe_options};
    static const struct role role = {
        .name = "probe", .help = "for tests", .http_port = 7190, .options = &probe_options, .run = probe_run};
    struct config *cfg CLEANUP(config_freep) = config_create(tables, ARRAY_SIZE(tables));
    struct err err = {0};

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (config_load_env(cfg, environ, &err) != RC_OK) {
        fprintf(stderr, "%s\n", err.text);
        return EXIT_CONFIG;
    }
    return role_main(&role, cfg);
}
