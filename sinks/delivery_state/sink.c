/* SPDX-License-Identifier: Apache-2.0 */
/* The sink role: outcome records become attempts, states and dead-letter rows; one reader and one apply for each kind.
 */
#include "delivery_state/sink.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/metric.h"
#include "delivery_state/apply.h"
#include "delivery_state/outcome.h"
#include "delivery_state/push_apply.h"
#include "delivery_state/push_outcome.h"
#include "pg/conn.h"
#include "schemas/avro_set.h"

static const struct option OPTIONS[] = {DBPROC_OPTIONS("sink")};

const struct option_table sink_options = {
    .component = "sink",
    .help = "Writes what became of each callback and each notification into their rows.",
    .rows = OPTIONS,
    .n_rows = ARRAY_SIZE(OPTIONS)};

#define PUSH_TOPIC "notification.outcomes"
const struct dbproc_topic SINK_TOPICS[] = {{.name = "callback.outcomes", .dlq = "callback.dlq"},
                                           {.name = PUSH_TOPIC, .dlq = "notification.dlq"}};
const size_t SINK_TOPICS_N = ARRAY_SIZE(SINK_TOPICS);

/* What the last apply did; counted when it is committed. */
struct sink {
    struct avro_set *set;

    struct outcome_reader *reader;
    struct outcome_batch batch;
    struct apply_counts applied;
    int64_t kinds[OUTCOME_KINDS];
    struct metric *outcomes[OUTCOME_KINDS];
    struct metric *late, *gone;

    struct pushed_reader *push_reader;
    struct pushed_batch push_batch;
    struct pushed_counts push_applied;
    int64_t push_kinds[PUSHED_KINDS];
    struct metric *push_outcomes[PUSHED_KINDS];
    struct metric *push_late, *push_gone, *deactivated;
};

/* A batch names its rows: a scan of a whole table is never the right plan, whatever the statistics say. */
static enum rc sink_session(void *self, PGconn *conn, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    (void)self;
    TRY(pg_exec(conn,
                "SELECT t FROM unnest(ARRAY['cs_platform_event_outbox', 'push_deliveries', 'push_devices',"
                " 'express_notifications']) t WHERE to_regclass(t) IS NULL",
                &res, err));
    if (PQntuples(res) > 0) {
        FAIL(err, RC_FATAL, "table %s does not exist; run `sluice migrate`", pg_text(res, 0, 0));
    }
    return pg_exec(conn, "SET enable_seqscan = off; SET jit = off", NULL, err);
}

/* Its full name: there may be a prefix before it. */
static bool is_push(const struct dbproc_event *e)
{
    size_t n = strlen(e->topic);
    size_t m = strlen(PUSH_TOPIC);

    return n >= m && strcmp(e->topic + n - m, PUSH_TOPIC) == 0;
}

static enum rc add_callback(struct sink *s, const struct dbproc_event *e, struct err *err)
{
    struct outcome o;

    TRY(outcome_read(s->reader, e->value, e->value_len, &o, err));
    outcome_batch_add(&s->batch, &o);
    s->kinds[o.kind]++;
    return RC_OK;
}

static enum rc add_push(struct sink *s, const struct dbproc_event *e, struct err *err)
{
    struct pushed o;

    TRY(pushed_read(s->push_reader, e->value, e->value_len, &o, err));
    pushed_batch_add(&s->push_batch, &o);
    s->push_kinds[o.kind]++;
    return RC_OK;
}

static void clear(struct sink *s)
{
    outcome_batch_clear(&s->batch);
    pushed_batch_clear(&s->push_batch);
    memset(s->kinds, 0, sizeof(s->kinds));
    memset(s->push_kinds, 0, sizeof(s->push_kinds));
}

static enum rc sink_apply(void *self, PGconn *conn, const struct dbproc_event *events, size_t n,
                          struct dbproc_verdicts *v, struct err *err)
{
    struct sink *s = self;

    clear(s);
    for (size_t i = 0; i < n; i++) {
        struct err why;
        enum rc rc = is_push(&events[i]) ? add_push(s, &events[i], &why) : add_callback(s, &events[i], &why);
        if (rc == RC_REJECT) {
            dbproc_reject(v, i, "malformed", why.text);
            continue;
        }
        if (rc != RC_OK) {
            *err = why;
            return rc;
        }
    }
    TRY(apply_outcomes(conn, &s->batch, &s->applied, err));
    return pushed_apply(conn, &s->push_batch, &s->push_applied, err);
}

static void sink_committed(void *self)
{
    struct sink *s = self;

    for (size_t k = 0; k < OUTCOME_KINDS; k++) {
        metric_add(s->outcomes[k], (double)s->kinds[k]);
    }
    metric_add(s->late, (double)s->applied.late);
    metric_add(s->gone, (double)s->applied.gone);
    for (size_t k = 0; k < PUSHED_KINDS; k++) {
        metric_add(s->push_outcomes[k], (double)s->push_kinds[k]);
    }
    metric_add(s->push_late, (double)s->push_applied.late);
    metric_add(s->push_gone, (double)s->push_applied.gone);
    metric_add(s->deactivated, (double)s->push_applied.deactivated);
}

#define OF_CALLBACKS "source=\"callback\""
#define OF_PUSHES "source=\"push\""

static void make_metrics(struct sink *s)
{
    static const char outcomes[] = "sluice_sink_outcomes_total";
    static const char late[] = "sluice_sink_late_outcomes_total";
    static const char gone[] = "sluice_sink_gone_outcomes_total";
    static const char late_help[] = "Outcomes of an older queueing or of a row at its end: recorded as attempts only.";
    static const char gone_help[] = "Outcomes whose row does not exist any more.";

    for (size_t k = 0; k < OUTCOME_KINDS; k++) {
        s->outcomes[k] =
            metric_counter(outcomes, "Outcomes recorded.", OF_CALLBACKS ",outcome=\"%s\"", OUTCOME_NAMES[k]);
    }
    for (size_t k = 0; k < PUSHED_KINDS; k++) {
        s->push_outcomes[k] =
            metric_counter(outcomes, "Outcomes recorded.", OF_PUSHES ",outcome=\"%s\"", PUSHED_NAMES[k]);
    }
    s->late = metric_counter(late, late_help, OF_CALLBACKS);
    s->push_late = metric_counter(late, late_help, OF_PUSHES);
    s->gone = metric_counter(gone, gone_help, OF_CALLBACKS);
    s->push_gone = metric_counter(gone, gone_help, OF_PUSHES);
    s->deactivated = metric_counter("sluice_sink_devices_deactivated_total",
                                    "Devices that are gone, or were doubtful too often.", NULL);
}

static struct sink *sink_free(struct sink *s)
{
    outcome_batch_done(&s->batch);
    pushed_batch_done(&s->push_batch);
    outcome_reader_free(s->reader);
    pushed_reader_free(s->push_reader);
    avro_set_free(s->set);
    free(s);
    return NULL;
}

static enum rc open_readers(struct sink *s, struct err *err)
{
    TRY(schemas_avro_set(&s->set, err));
    TRY(outcome_reader_create(s->set, &s->reader, err));
    return pushed_reader_create(s->set, &s->push_reader, err);
}

enum rc sink_processor_init(struct dbproc_processor *proc, struct err *err)
{
    struct sink *s = xcalloc(1, sizeof(*s));

    outcome_batch_init(&s->batch);
    pushed_batch_init(&s->push_batch);
    if (open_readers(s, err) != RC_OK) {
        sink_free(s);
        return err->rc;
    }
    make_metrics(s);
    *proc = (struct dbproc_processor){
        .role = "sink", .self = s, .session = sink_session, .apply = sink_apply, .committed = sink_committed};
    return RC_OK;
}

void sink_processor_done(struct dbproc_processor *proc)
{
    proc->self = sink_free(proc->self);
}

static enum rc sink_run(struct role_ctx *ctx, struct err *err)
{
    struct dbproc_processor proc;

    TRY(sink_processor_init(&proc, err));
    enum rc rc = dbproc_run(ctx, SINK_TOPICS, SINK_TOPICS_N, &proc, err);
    sink_processor_done(&proc);
    return rc;
}

const struct role sink_role = {.name = "sink",
                               .help = "writes what became of each callback and each notification into their rows",
                               .http_port = 7140,
                               .options = &sink_options,
                               .run = sink_run};
