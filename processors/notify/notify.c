/* SPDX-License-Identifier: Apache-2.0 */
/* The role: options, and the batch between the runtime, the rules and the SQL. */
#include "notify/notify.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "notify/store.h"
#include "schemas/avro_set.h"

#define US_PER_S INT64_C(1000000)

static const struct option OPTIONS[] = {
    DBPROC_OPTIONS("notify"),
    {.name = "notify.age.max.s",
     .type = OPTION_INT,
     .value = "259200",
     .min = 60,
     .max = 2592000,
     .help = "Seconds after which nobody is told any more of what happened to a parcel (too old)."},
    {.name = "notify.body.chars.max",
     .type = OPTION_INT,
     .value = "256",
     .min = 10,
     .max = 1000,
     .help = "Characters of a notification's body; what is longer is cut."},
    {.name = "notify.devices.max",
     .type = OPTION_INT,
     .value = "20",
     .min = 1,
     .max = 100,
     .help = "Devices of one recipient that are told, those seen last."},
    {.name = "notify.locale",
     .type = OPTION_STRING,
     .value = "zh-CN",
     .max = TEMPLATE_LOCALE_BYTES - 1,
     .choices = "a-zA-Z0-9_-",
     .help = "Language of recipients whose devices do not say which one; the templates must have it."},
    {.name = "notify.templates.file",
     .type = OPTION_STRING,
     .value = "",
     .max = 4096,
     .help = "Texts of notifications instead of those that are built in (schemas/templates.json)."},
    {.name = "notify.title.chars.max",
     .type = OPTION_INT,
     .value = "50",
     .min = 5,
     .max = 200,
     .help = "Characters of a notification's title; what is longer is cut."},
    {.name = "notify.ttl.s",
     .type = OPTION_INT,
     .value = "259200",
     .min = 60,
     .max = 2592000,
     .help = "Seconds after what happened until which a notification may still be sent."},
};

const struct option_table notify_options = {
    .component = "notify",
    .help = "Tells users and merchants what happened to their parcels, or writes down why not.",
    .rows = OPTIONS,
    .n_rows = ARRAY_SIZE(OPTIONS)};

const struct dbproc_topic NOTIFY_TOPICS[] = {{.name = "express.events", .dlq = "express.dlq"}};
const size_t NOTIFY_TOPICS_N = ARRAY_SIZE(NOTIFY_TOPICS);

struct notify {
    struct avro_set *set;
    struct notify_reader *reader;
    struct templates *templates;
    struct notify_rules rules;
    struct notify_store *store;
    struct notify_batch batch;
    struct notify_written written; /* by the last apply; counted when it is committed */
    struct metric *events[NOTIFY_REASONS], *late;
    struct metric *notifications[NOTIFY_AUDS][NOTIFY_REASONS]; /* those of notifications; none: pending */
    struct metric *deliveries, *left_out;
};

enum rc notify_rules_load(const struct config *cfg, struct templates **out_templates, struct notify_rules *out,
                          struct err *err)
{
    const char *locale = config_str(cfg, "notify.locale");
    struct templates *t = NULL;

    TRY(templates_open(config_str(cfg, "notify.templates.file"), &t, err));
    *out = (struct notify_rules){.templates = t,
                                 .locale = templates_find(t, locale),
                                 .age_max_us = config_int(cfg, "notify.age.max.s") * US_PER_S,
                                 .ttl_us = config_int(cfg, "notify.ttl.s") * US_PER_S,
                                 .devices_max = (size_t)config_int(cfg, "notify.devices.max"),
                                 .title_max = (size_t)config_int(cfg, "notify.title.chars.max"),
                                 .body_max = (size_t)config_int(cfg, "notify.body.chars.max")};
    if (out->locale < 0) {
        templates_free(t);
        rc_ignore(err_set(err, RC_FATAL, __FILE__, __LINE__,
                          "notify.locale is \"%s\", which the templates do not have; expected one of theirs", locale));
        return err_code(err, ERR_CONFIG);
    }
    *out_templates = t;
    return RC_OK;
}

static enum rc notify_session(void *self, PGconn *conn, struct err *err)
{
    struct notify *s = self;

    return notify_store_session(s->store, conn, err);
}

static enum rc notify_apply(void *self, PGconn *conn, const struct dbproc_event *events, size_t n,
                            struct dbproc_verdicts *v, struct err *err)
{
    struct notify *s = self;

    notify_batch_clear(&s->batch);
    s->written = (struct notify_written){.deliveries = 0};
    for (size_t i = 0; i < n; i++) {
        struct notify_event ev;
        struct err why;
        enum rc rc = notify_event_read(s->reader, events[i].value, events[i].value_len, &s->batch.arena, &ev, &why);
        if (rc == RC_REJECT) {
            dbproc_reject(v, i, notify_reason_code(NOTIFY_MALFORMED), why.text);
        } else if (rc != RC_OK) {
            *err = why;
            return rc;
        }
        if (ev.event_id != NULL) { /* else nobody knows whose record it was */
            notify_batch_add(&s->batch, &ev);
        }
    }
    if (s->batch.n == 0) {
        return RC_OK;
    }
    TRY(notify_store_index(s->store, conn, err));
    TRY(notify_store_decide(s->store, conn, &s->batch, &s->rules, err));
    return notify_store_write(s->store, conn, &s->batch, &s->rules, &s->written, err);
}

static void count_message(struct notify *s, const struct notify_item *it, const struct notify_message *m)
{
    const struct notify_recipient *r = &s->batch.recipients[m->recipient];

    if (!m->writes) {
        return;
    }
    metric_inc(s->notifications[r->aud][m->reason]);
    if (m->sends && r->left_out > 0) {
        metric_add(s->left_out, (double)r->left_out);
        log_debug("notify",
                  "a recipient has more devices than notify.devices.max: those not seen for longest are not told",
                  KV_S("tracking_no", it->ev.tracking_no), KV_S("aud", notify_aud_name(r->aud)),
                  KV_S("recipient_id", r->id), KV_I("told", (int64_t)r->n_devices), KV_I("left_out", r->left_out));
    }
}

static void count_item(struct notify *s, const struct notify_item *it)
{
    metric_inc(it->result == NOTIFY_LATE ? s->late : s->events[it->reason]);
    for (size_t k = 0; k < it->n_messages; k++) {
        count_message(s, it, &it->messages[k]);
    }
    /* last_error names ids, times and policies; the carrier's words are never in it. */
    if (it->result == NOTIFY_FAILED) {
        log_warn("notify", "nobody was told", KV_S("event_id", it->ev.event_id),
                 KV_S("tracking_no", it->ev.tracking_no), KV_S("reason", notify_reason_code(it->reason)),
                 KV_S("text", it->last_error));
    } else if (log_enabled(LOG_DEBUG)) {
        log_debug("notify", "event decided", KV_S("event_id", it->ev.event_id), KV_S("tracking_no", it->ev.tracking_no),
                  KV_S("result", notify_result_name(it->result)), KV_S("reason", notify_reason_code(it->reason)),
                  KV_I("messages", (int64_t)it->n_messages));
    }
}

static void notify_committed(void *self)
{
    struct notify *s = self;

    for (size_t i = 0; i < s->batch.n; i++) {
        count_item(s, &s->batch.items[i]);
    }
    metric_add(s->deliveries, (double)s->written.deliveries);
}

static void make_metrics(struct notify *s)
{
#define EVENTS "sluice_notify_events_total", "Events decided, by what became of their rows and why."
    for (int i = 0; i < NOTIFY_REASONS; i++) {
        enum notify_reason reason = (enum notify_reason)i;
        if (i < NOTIFY_NO_DEVICE_ROWS) { /* the others are of notifications */
            s->events[i] = metric_counter(EVENTS, "result=\"%s\",reason=\"%s\"",
                                          notify_result_name(notify_reason_result(reason)), notify_reason_code(reason));
        }
    }
    s->late = metric_counter(EVENTS, "result=\"late\",reason=\"\"");
#undef EVENTS
    for (int aud = 0; aud < NOTIFY_AUDS; aud++) {
        for (int i = 0; i < NOTIFY_REASONS; i++) {
            enum notify_reason reason = (enum notify_reason)i;
            if (i == NOTIFY_NO_REASON || notify_reason_is_of_notification(reason)) {
                s->notifications[aud][i] =
                    metric_counter("sluice_notify_notifications_total",
                                   "Notifications written, by audience, whether they have devices, and why not.",
                                   "aud=\"%s\",status=\"%s\",reason=\"%s\"", notify_aud_name((enum notify_aud)aud),
                                   i == NOTIFY_NO_REASON ? "pending" : "no-targets", notify_reason_code(reason));
            }
        }
    }
    s->deliveries = metric_counter("sluice_notify_deliveries_total",
                                   "Deliveries to devices that were written or put back on the road.", NULL);
    s->left_out = metric_counter("sluice_notify_devices_left_out_total",
                                 "Active devices that were not told because their recipient has too many.", NULL);
}

static void notify_free(struct notify *s)
{
    notify_batch_done(&s->batch);
    notify_store_free(s->store);
    templates_free(s->templates);
    notify_reader_free(s->reader);
    avro_set_free(s->set);
    free(s);
}

enum rc notify_processor_init(struct dbproc_processor *proc, const struct config *cfg, struct err *err)
{
    struct notify *s = xcalloc(1, sizeof(*s));

    notify_batch_init(&s->batch);
    enum rc rc = notify_rules_load(cfg, &s->templates, &s->rules, err);
    if (rc == RC_OK) {
        rc = schemas_avro_set(&s->set, err);
    }
    if (rc == RC_OK) {
        rc = notify_reader_create(s->set, &s->reader, err);
    }
    if (rc != RC_OK) {
        notify_free(s);
        return rc;
    }
    s->store = notify_store_create(s->rules.devices_max, true);
    make_metrics(s);
    *proc = (struct dbproc_processor){
        .role = "notify", .self = s, .session = notify_session, .apply = notify_apply, .committed = notify_committed};
    return RC_OK;
}

void notify_processor_done(struct dbproc_processor *proc)
{
    notify_free(proc->self);
    proc->self = NULL;
}

static enum rc notify_run(struct role_ctx *ctx, struct err *err)
{
    struct dbproc_processor proc;

    TRY(notify_processor_init(&proc, role_config(ctx), err));
    enum rc rc = dbproc_run(ctx, NOTIFY_TOPICS, NOTIFY_TOPICS_N, &proc, err);
    notify_processor_done(&proc);
    return rc;
}

const struct role notify_role = {.name = "notify",
                                 .help = "tells users and merchants what happened to their parcels, or says why not",
                                 .http_port = 7150,
                                 .options = &notify_options,
                                 .run = notify_run};
