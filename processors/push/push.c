/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The push processor. A message is read, given to its app's provider, sent with others in one request or alone, and
 * settled by what the provider says. Nothing waits in here for longer than a moment: delays are PostgreSQL's.
 */
#include "push/push.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "push/push_internal.h"
#include "runtime/process.h"
#include "schemas/avro_set.h"

/* Some 6,000 messages read ahead, and as many worked on as keep 1,000 calls busy: an instance has 64 MiB. */
#define PREFETCH_KIB 4096
#define HELD_BYTES ((int64_t)2 << 20)
#define TICK_MS 50
#define RETRY_AFTER_CAP_MS ((int64_t)3600 * 1000)

static const struct option OPTIONS[] = {
    {.name = "push.allow.http",
     .type = OPTION_BOOL,
     .value = "false",
     .help = "Whether providers may be called by plain http."},
    {.name = "push.allow.nets",
     .type = OPTION_STRING,
     .value = "",
     .help = "Networks in which providers may be called although they are not public: a list of CIDR."},
    {.name = "push.batch.wait.ms",
     .type = OPTION_INT,
     .value = "5",
     .min = 0,
     .max = 1000,
     .help = "Longest time in milliseconds for which a message waits for others to share its request."},
    {.name = "push.ca.file",
     .type = OPTION_STRING,
     .value = "",
     .help = "File with the certificate authorities that providers' certificates are checked against; empty: the "
             "system's."},
    {.name = "push.cloud.secret",
     .type = OPTION_STRING,
     .value = "",
     .secret = true,
     .env = "CLOUD_FUNC_SECRET",
     .help = "Secret with which requests to push.cloud.url are signed; empty: they are not signed."},
    {.name = "push.cloud.url",
     .type = OPTION_STRING,
     .value = "",
     .max = TARGET_URL_BYTES_MAX,
     .env = "CLOUD_FUNC_URL",
     .help = "URL of the cloud function that sends for every app where there is no push.providers.file."},
    {.name = "push.connect.timeout.ms",
     .type = OPTION_INT,
     .value = "3000",
     .min = 10,
     .max = 60000,
     .help = "Milliseconds to resolve a name and to connect; within push.timeout.ms."},
    {.name = "push.max.retries",
     .type = OPTION_INT,
     .value = "5",
     .min = 0,
     .max = 100,
     .help = "Attempts after the first one, before a message becomes a dead letter; what is parked uses up none."},
    {.name = "push.park.max.ms",
     .type = OPTION_INT,
     .value = "60000",
     .min = 1000,
     .max = 3600000,
     .help = "Longest time in milliseconds for which a message is parked, and between two tries of a provider whose "
             "circuit is open."},
    {.name = "push.providers.file",
     .type = OPTION_STRING,
     .value = "",
     .help = "JSON file with the push providers and the apps they are for, see docs/express.md; empty: push.cloud.url "
             "for every app."},
    {.name = "push.rate.max",
     .type = OPTION_INT,
     .value = "0",
     .min = 0,
     .max = 1000000,
     .help = "Messages a second to one provider from one instance, where the providers file says nothing; 0: no "
             "limit."},
    {.name = "push.retry.schedule.sec",
     .type = OPTION_STRING,
     .value = "10,30,60,300,900",
     .help = "Seconds before each retry; beyond the end the last one repeats."},
    {.name = "push.streams.max",
     .type = OPTION_INT,
     .value = "100",
     .min = 1,
     .max = 1000,
     .help = "Requests at once to one provider from one instance, where the providers file says nothing."},
    {.name = "push.timeout.ms",
     .type = OPTION_INT,
     .value = "10000",
     .min = 100,
     .max = 60000,
     .help = "Milliseconds for a request to a provider, where the providers file says nothing."},
    {.name = "push.wait.ms",
     .type = OPTION_INT,
     .value = "3000",
     .min = 10,
     .max = 10000,
     .help = "Longest time in milliseconds for which a message waits for its turn before it is parked."},
};

const struct option_table push_options = {.component = "push",
                                          .help = "Sends messages to devices through push providers.",
                                          .rows = OPTIONS,
                                          .n_rows = ARRAY_SIZE(OPTIONS)};

/* SplitMix64, seeded by the kernel. */
uint64_t push_random(struct push *p)
{
    uint64_t z = p->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* ---------------------------------------------------------------------------------------------------- what is shown */

static void show(struct outlet *l)
{
    const struct push_gauges gauges = {
        .in_flight = l->in_flight, .waiting = l->queue.n, .rate = l->bucket.limit, .circuit = (int)l->circuit.state};

    push_show(l->push->metrics, l->provider, &gauges);
}

static void describe(struct outlet *l, struct buf *out)
{
    char problem[ERR_TEXT_MAX] = "";
    uint64_t version = 0;
    bool refused = false;

    if (l->circuit.state != CIRCUIT_CLOSED) {
        (void)buf_printf(out, "%s%s: circuit open: %.120s", out->len > 0 ? "; " : "", l->provider->name, l->trouble);
    } else if (outlet_token(l, &version) == NULL) {
        push_token_problem(l->push->tokens, l->token, problem, sizeof problem, &refused);
        (void)buf_printf(out, "%s%s: no token%s%.120s", out->len > 0 ? "; " : "", l->provider->name,
                         problem[0] != '\0' ? ": " : "", problem);
    }
}

/* The role is ready whatever becomes of its providers: what cannot be sent is parked. */
static void show_ready(struct push *p)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, sizeof p->said - 1);
    for (size_t i = 0; i < p->providers.n; i++) {
        describe(&p->outlets[i], &text);
    }
    if (text.len == 0) {
        (void)buf_printf(&text, "%zu and the selftest's", p->providers.n - 1);
    }
    if (strcmp(p->said, buf_str(&text)) != 0) {
        (void)snprintf(p->said, sizeof p->said, "%s", buf_str(&text));
        role_ready(delivery_role(p->d), "providers", true, p->said);
    }
}

/* ---------------------------------------------------------------------------------------------------- the loop */

static void pump_all(struct push *p)
{
    for (size_t i = 0; i < p->providers.n; i++) {
        outlet_pump(&p->outlets[i]);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct push *p = timer->data;

    for (size_t i = 0; i < p->providers.n; i++) {
        outlet_tick(&p->outlets[i]);
        show(&p->outlets[i]);
    }
    show_ready(p);
}

static void on_wake(uv_timer_t *timer)
{
    pump_all(timer->data);
}

static void on_token(void *opaque)
{
    pump_all(opaque);
}

void push_wake_at(struct push *p, int64_t at_ms)
{
    int64_t in_ms = at_ms - clock_mono_ms();
    uint64_t wait_ms = in_ms < 1 ? 1 : (uint64_t)in_ms;

    if (wait_ms >= TICK_MS) {
        return; /* the tick is earlier */
    }
    if (!uv_is_active((uv_handle_t *)&p->wake) || uv_timer_get_due_in(&p->wake) > wait_ms) {
        uv_update_time(delivery_loop(p->d));
        (void)uv_timer_start(&p->wake, on_wake, wait_ms, 0);
    }
}

/* ---------------------------------------------------------------------------------------------------- life */

static void push_free(struct push *p)
{
    send_pool_free(p);
    p->metrics = push_metrics_free(p->metrics);
    p->outcomes = outcome_record_free(p->outcomes);
    p->reader = push_reader_free(p->reader);
    avro_set_free(p->set);
    providers_done(&p->providers);
    free(p);
}

static void handle_closed(void *opaque)
{
    struct push *p = opaque;

    if (--p->handles == 0) {
        push_free(p);
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle_closed(handle->data);
}

static void push_close(void *ctx)
{
    struct push *p = ctx;

    uv_close((uv_handle_t *)&p->tick, on_timer_closed);
    uv_close((uv_handle_t *)&p->wake, on_timer_closed);
    http_engine_close(p->engine, handle_closed, p);
    push_tokens_close(p->tokens, handle_closed, p);
}

static enum rc open_engine(struct push *p, const struct config *cfg, struct err *err)
{
    struct http_engine_options opt = {.loop = delivery_loop(p->d),
                                      .allow_http = config_bool(cfg, "push.allow.http"),
                                      .connect_timeout_ms = config_int(cfg, "push.connect.timeout.ms"),
                                      .retry_after_cap_ms = RETRY_AFTER_CAP_MS,
                                      .ca_file = config_str(cfg, "push.ca.file")};

    for (size_t i = 0; i < p->providers.n; i++) {
        opt.in_flight_max += (size_t)p->providers.rows[i].streams;
    }
    opt.ca_file = opt.ca_file[0] == '\0' ? NULL : opt.ca_file;
    if (opt.ca_file != NULL && access(opt.ca_file, R_OK) != 0) {
        (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "option push.ca.file: %s: %s", opt.ca_file, strerror(errno));
        return err_code(err, ERR_CONFIG);
    }
    (void)unsetenv("SSLKEYLOGFILE"); /* with it libcurl would write down the keys of each connection */
    if (net_list_parse(config_str(cfg, "push.allow.nets"), &opt.nets, err) != RC_OK) {
        return err_prefix(err, "option push.allow.nets");
    }
    process_raise_descriptors(); /* each request may hold one */
    return http_engine_create(&opt, &p->engine, err);
}

static enum rc read_policy(struct push *p, const struct config *cfg, struct err *err)
{
    p->policy.max_retries = config_int(cfg, "push.max.retries");
    p->batch_wait_ms = config_int(cfg, "push.batch.wait.ms");
    p->wait_ms = config_int(cfg, "push.wait.ms");
    p->park_ms_max = config_int(cfg, "push.park.max.ms");
    if (!retry_schedule_parse(config_str(cfg, "push.retry.schedule.sec"), &p->policy.schedule)) {
        (void)err_set(err, RC_FATAL, __FILE__, __LINE__,
                      "option push.retry.schedule.sec: expected 1 to %d numbers of seconds from 1 to %d, e.g. 10,30,60",
                      RETRY_STEPS_MAX, RETRY_STEP_SECONDS_MAX);
        return err_code(err, ERR_CONFIG);
    }
    return RC_OK;
}

static enum rc load_providers(struct push *p, const struct config *cfg, struct err *err)
{
    const struct providers_options opt = {.file = config_str(cfg, "push.providers.file"),
                                          .cloud_url = config_str(cfg, "push.cloud.url"),
                                          .cloud_secret = config_str(cfg, "push.cloud.secret"),
                                          .rate = config_int(cfg, "push.rate.max"),
                                          .streams = config_int(cfg, "push.streams.max"),
                                          .timeout_ms = config_int(cfg, "push.timeout.ms")};

    if (opt.file[0] == '\0' && opt.cloud_url[0] != '\0' && opt.cloud_secret[0] == '\0') {
        log_warn(PUSH_AREA, "CLOUD_FUNC_URL without CLOUD_FUNC_SECRET: requests are not signed, and whoever knows the "
                            "URL can send messages");
    }
    return providers_load(&opt, &p->providers, err);
}

static enum rc make_parts(struct push *p, const struct config *cfg, struct err *err)
{
    TRY(read_policy(p, cfg, err));
    TRY(load_providers(p, cfg, err));
    TRY(schemas_avro_set(&p->set, err));
    TRY(push_reader_create(p->set, &p->reader, err));
    TRY(push_outcomes_create(p->set, strcmp(config_str(cfg, "value.format"), "json") == 0, &p->outcomes, err));
    p->metrics = push_metrics_create(&p->providers);
    return open_engine(p, cfg, err);
}

static void make_outlets(struct push *p, const struct config *cfg)
{
    const struct push_tokens_options opt = {.loop = delivery_loop(p->d),
                                            .database_url = config_str(cfg, "database.url"),
                                            .schema = config_str(cfg, "database.schema"),
                                            .changed = on_token,
                                            .opaque = p};

    p->tokens = push_tokens_create(&opt);
    for (size_t i = 0; i < p->providers.n; i++) {
        const struct provider *provider = &p->providers.rows[i];
        struct outlet *l = &p->outlets[i];
        *l = (struct outlet){.push = p, .provider = provider};
        bucket_init(&l->bucket, provider->rate, clock_mono_ms());
        if (provider->kind->needs_token) {
            l->token = push_tokens_add(p->tokens, provider->name, provider->kind, provider->self);
        }
    }
}

/* So that the first look at the log answers why a message was not sent. */
static void log_providers(const struct push *p)
{
    for (size_t i = 0; i < p->providers.n; i++) {
        const struct provider *row = &p->providers.rows[i];
        log_write(LOG_INFO, PUSH_AREA, "provider", KV_S("provider", row->name), KV_S("kind", row->kind->name),
                  KV_I("rate", row->rate), KV_I("streams", row->streams), KV_I("batch", row->batch),
                  KV_I("timeout_ms", row->timeout_ms), KV_END);
    }
    if (p->providers.n == 1) {
        log_warn(PUSH_AREA, "no provider: every message becomes a dead letter; see push.providers.file and "
                            "CLOUD_FUNC_URL");
    }
}

static enum rc push_open(struct delivery *d, void **out_ctx, struct err *err)
{
    const struct config *cfg = role_config(delivery_role(d));
    struct push *p = xcalloc(1, sizeof(*p));

    p->d = d;
    p->random = clock_random();
    if (make_parts(p, cfg, err) != RC_OK) {
        push_free(p);
        return err->rc;
    }
    make_outlets(p, cfg);
    p->handles = 4; /* two timers, engine, tokens */
    (void)uv_timer_init(delivery_loop(d), &p->tick);
    (void)uv_timer_init(delivery_loop(d), &p->wake);
    p->tick.data = p;
    p->wake.data = p;
    *out_ctx = p;
    if (push_tokens_start(p->tokens, err) != RC_OK) {
        push_close(p);
        (void)uv_run(delivery_loop(d), UV_RUN_NOWAIT);
        return err->rc;
    }
    (void)uv_timer_start(&p->tick, on_tick, TICK_MS, TICK_MS);
    log_providers(p);
    show_ready(p);
    return RC_OK;
}

static enum rc push_run(struct role_ctx *role, struct err *err)
{
    static const char *const outputs[] = {"notification.outcomes", NULL};
    static const struct delivery_processor proc = {.name = "push",
                                                   .input = "notification.pushes",
                                                   .outputs = outputs,
                                                   .dlq = "notification.dlq",
                                                   .prefetch_kib = PREFETCH_KIB,
                                                   .held_bytes = HELD_BYTES,
                                                   .parks_behind = true,
                                                   .open = push_open,
                                                   .start = message_start,
                                                   .cancel = message_cancel,
                                                   .close = push_close};

    return delivery_run(role, &proc, err);
}

const struct role push_role = {.name = "push",
                               .help = "sends messages to devices through push providers",
                               .http_port = 7160,
                               .options = &push_options,
                               .run = push_run};
