/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The callback processor. An event is decoded, gets a place at its endpoint, is signed and sent once; what came of it
 * becomes an outcome record, and a dead letter when that is the end. Nothing waits in here for longer than a moment:
 * delays are PostgreSQL's.
 */
#include "callback/callback.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "callback/callback_internal.h"
#include "runtime/process.h"
#include "schemas/avro_set.h"

#define TICK_MS 50
#define RETRY_AFTER_CAP_MS ((int64_t)24 * 3600 * 1000)

static const struct option OPTIONS[] = {
    {.name = "callback.allow.http",
     .type = OPTION_BOOL,
     .value = "false",
     .help = "Whether targets may be plain http."},
    {.name = "callback.allow.nets",
     .type = OPTION_STRING,
     .value = "",
     .help =
         "Networks that may be called although they are not public: a list of CIDR, e.g. 10.1.0.0/16,127.0.0.1/32."},
    {.name = "callback.ca.file",
     .type = OPTION_STRING,
     .value = "",
     .help = "File with the certificate authorities that partners' certificates are checked against; empty: the "
             "system's."},
    {.name = "callback.connect.timeout.ms",
     .type = OPTION_INT,
     .value = "1000",
     .min = 10,
     .max = 60000,
     .help = "Milliseconds to resolve a name and to connect; within the platform's timeout."},
    {.name = "callback.park.max.ms",
     .type = OPTION_INT,
     .value = "60000",
     .min = 1000,
     .max = 3600000,
     .help = "Longest time in milliseconds for which an event is parked because its endpoint has too much to do."},
    {.name = "callback.response.bytes.max",
     .type = OPTION_INT,
     .value = "65536",
     .min = 0,
     .max = 1048576,
     .help = "Bytes read of an answer's body; the connection of a longer one is closed."},
    {.name = "callback.wait.ms",
     .type = OPTION_INT,
     .value = "3000",
     .min = 10,
     .max = 10000,
     .help = "Longest time in milliseconds for which an event waits for a place at its endpoint before it is parked."},
};

const struct option_table callback_options = {.component = "callback",
                                              .help = "Sends events to partner platforms. Per platform: "
                                                      "AI_CS_PLATFORM_<PLATFORM>_CALLBACK_*, see docs/operations.md.",
                                              .rows = OPTIONS,
                                              .n_rows = ARRAY_SIZE(OPTIONS)};

/* SplitMix64, seeded by the kernel. */
uint64_t callback_random(struct callback *cb)
{
    uint64_t z = cb->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void on_tick(uv_timer_t *timer)
{
    struct callback *cb = timer->data;

    admission_tick(cb->admission, clock_mono_ms());
    call_pump(cb);
    callback_gauges(cb->metrics, http_engine_in_flight(cb->engine), admission_waiting(cb->admission),
                    admission_endpoints(cb->admission));
}

static void callback_free(struct callback *cb)
{
    cb->admission = admission_free(cb->admission);
    cb->metrics = callback_metrics_free(cb->metrics);
    cb->writer = outcome_record_free(cb->writer);
    cb->reader = event_reader_free(cb->reader);
    avro_set_free(cb->set);
    platforms_done(&cb->platforms);
    free(cb);
}

static void handle_closed(struct callback *cb)
{
    if (--cb->handles == 0) {
        callback_free(cb);
    }
}

static void on_tick_closed(uv_handle_t *handle)
{
    handle_closed(handle->data);
}

static void on_engine_closed(void *opaque)
{
    handle_closed(opaque);
}

static void callback_close(void *ctx)
{
    struct callback *cb = ctx;

    uv_close((uv_handle_t *)&cb->tick, on_tick_closed);
    http_engine_close(cb->engine, on_engine_closed, cb);
}

static enum rc open_engine(struct callback *cb, const struct config *cfg, struct err *err)
{
    struct http_engine_options opt = {.loop = delivery_loop(cb->d),
                                      .allow_http = cb->allow_http,
                                      .in_flight_max = (size_t)config_int(cfg, "delivery.inflight.max"),
                                      .connect_timeout_ms = config_int(cfg, "callback.connect.timeout.ms"),
                                      .retry_after_cap_ms = RETRY_AFTER_CAP_MS,
                                      .ca_file = config_str(cfg, "callback.ca.file")};

    opt.ca_file = opt.ca_file[0] == '\0' ? NULL : opt.ca_file;
    if (opt.ca_file != NULL && access(opt.ca_file, R_OK) != 0) {
        (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "option callback.ca.file: %s: %s", opt.ca_file,
                      strerror(errno));
        return err_code(err, ERR_CONFIG);
    }
    (void)unsetenv("SSLKEYLOGFILE"); /* with it libcurl would write down the keys of each connection */
    if (net_list_parse(config_str(cfg, "callback.allow.nets"), &opt.nets, err) != RC_OK) {
        return err_prefix(err, "option callback.allow.nets");
    }
    process_raise_descriptors(); /* each request holds one */
    return http_engine_create(&opt, &cb->engine, err);
}

static enum rc make_parts(struct callback *cb, const struct config *cfg, struct err *err)
{
    const struct admission_limits limits = {.wait_ms = config_int(cfg, "callback.wait.ms"),
                                            .park_ms_max = config_int(cfg, "callback.park.max.ms")};

    TRY(platforms_load(&cb->platforms, environ, err));
    TRY(schemas_avro_set(&cb->set, err));
    TRY(event_reader_create(cb->set, &cb->reader, err));
    TRY(callback_outcomes_create(cb->set, strcmp(config_str(cfg, "value.format"), "json") == 0, &cb->writer, err));
    cb->admission = admission_create(&cb->platforms, &limits);
    cb->metrics = callback_metrics_create(&cb->platforms);
    return open_engine(cb, cfg, err);
}

/* So that the first look at the log answers why an event of some platform was not sent. */
static void log_platforms(const struct platforms *platforms)
{
    for (size_t i = 0; i < platforms->n; i++) {
        const struct platform *p = &platforms->rows[i];
        log_write(LOG_INFO, CALLBACK_AREA,
                  p->keys != NULL ? "platform" : "platform without a secret: its events become dead letters",
                  KV_S("platform", p->name), KV_I("timeout_ms", p->timeout_ms), KV_I("max_retries", p->max_retries),
                  KV_I("batch_size", p->batch_size), KV_I("first_retry_ms", p->schedule.steps_ms[0]), KV_END);
    }
}

static enum rc callback_open(struct delivery *d, void **out_ctx, struct err *err)
{
    const struct config *cfg = role_config(delivery_role(d));
    struct callback *cb = xcalloc(1, sizeof(*cb));

    cb->d = d;
    cb->random = clock_random();
    cb->allow_http = config_bool(cfg, "callback.allow.http");
    cb->response_bytes_max = (size_t)config_int(cfg, "callback.response.bytes.max");
    if (make_parts(cb, cfg, err) != RC_OK) {
        callback_free(cb);
        return err->rc;
    }
    cb->handles = 2;
    (void)uv_timer_init(delivery_loop(d), &cb->tick);
    cb->tick.data = cb;
    (void)uv_timer_start(&cb->tick, on_tick, TICK_MS, TICK_MS);
    log_platforms(&cb->platforms);
    *out_ctx = cb;
    return RC_OK;
}

static enum rc callback_run(struct role_ctx *role, struct err *err)
{
    static const char *const outputs[] = {"callback.outcomes", NULL};
    static const struct delivery_processor proc = {.name = "callback",
                                                   .input = "callback.events",
                                                   .outputs = outputs,
                                                   .dlq = "callback.dlq",
                                                   .parks_behind = true,
                                                   .open = callback_open,
                                                   .start = call_start,
                                                   .cancel = call_cancel,
                                                   .close = callback_close};

    return delivery_run(role, &proc, err);
}

const struct role callback_role = {.name = "callback",
                                   .help = "sends events to partner platforms as signed callbacks",
                                   .http_port = 7120,
                                   .options = &callback_options,
                                   .run = callback_run};
