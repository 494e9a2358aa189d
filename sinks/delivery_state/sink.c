/* SPDX-License-Identifier: Apache-2.0 */
/* The sink role: outcome records become attempts, states and dead-letter rows. */
#include "delivery_state/sink.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/metric.h"
#include "delivery_state/apply.h"
#include "delivery_state/outcome.h"
#include "pg/conn.h"
#include "schemas/avro_set.h"

static const struct option OPTIONS[] = {DBPROC_OPTIONS("sink")};

const struct option_table sink_options = {
    .component = "sink",
    .help = "Writes what became of each delivery into the outbox, its attempts and its dead letters.",
    .rows = OPTIONS,
    .n_rows = ARRAY_SIZE(OPTIONS)};

const struct dbproc_topic SINK_TOPICS[] = {{.name = "callback.outcomes", .dlq = "callback.dlq"}};
const size_t SINK_TOPICS_N = ARRAY_SIZE(SINK_TOPICS);

struct sink {
    struct avro_set *set;
    struct outcome_reader *reader;
    struct outcome_batch batch;
    struct apply_counts applied; /* by the last apply; counted when it is committed */
    int64_t kinds[OUTCOME_KINDS];
    struct metric *outcomes[OUTCOME_KINDS];
    struct metric *late, *gone;
};

/* A batch names its rows: a scan of the whole outbox is never the right plan, whatever the statistics say. */
static enum rc sink_session(void *self, PGconn *conn, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    (void)self;
    TRY(pg_exec(conn, "SELECT to_regclass('cs_platform_event_outbox') IS NULL", &res, err));
    if (pg_text(res, 0, 0)[0] == 't') {
        FAIL(err, RC_FATAL, "table cs_platform_event_outbox does not exist; run `sluice migrate`");
    }
    return pg_exec(conn, "SET enable_seqscan = off; SET jit = off", NULL, err);
}

static enum rc sink_apply(void *self, PGconn *conn, const struct dbproc_event *events, size_t n,
                          struct dbproc_verdicts *v, struct err *err)
{
    struct sink *s = self;

    outcome_batch_clear(&s->batch);
    for (size_t k = 0; k < OUTCOME_KINDS; k++) {
        s->kinds[k] = 0;
    }
    for (size_t i = 0; i < n; i++) {
        struct outcome o;
        struct err why;
        enum rc rc = outcome_read(s->reader, events[i].value, events[i].value_len, &o, &why);
        if (rc == RC_REJECT) {
            dbproc_reject(v, i, "malformed", why.text);
            continue;
        }
        if (rc != RC_OK) {
            *err = why;
            return rc;
        }
        outcome_batch_add(&s->batch, &o);
        s->kinds[o.kind]++;
    }
    return apply_outcomes(conn, &s->batch, &s->applied, err);
}

static void sink_committed(void *self)
{
    struct sink *s = self;

    for (size_t k = 0; k < OUTCOME_KINDS; k++) {
        metric_add(s->outcomes[k], (double)s->kinds[k]);
    }
    metric_add(s->late, (double)s->applied.late);
    metric_add(s->gone, (double)s->applied.gone);
}

static void make_metrics(struct sink *s)
{
    for (size_t k = 0; k < OUTCOME_KINDS; k++) {
        s->outcomes[k] =
            metric_counter("sluice_sink_outcomes_total", "Outcomes recorded.", "outcome=\"%s\"", OUTCOME_NAMES[k]);
    }
    s->late = metric_counter("sluice_sink_late_outcomes_total",
                             "Outcomes of an older queueing or of a row at its end: recorded as attempts only.", NULL);
    s->gone = metric_counter("sluice_sink_gone_outcomes_total", "Outcomes whose row does not exist any more.", NULL);
}

enum rc sink_processor_init(struct dbproc_processor *proc, struct err *err)
{
    struct avro_set *set = NULL;
    struct outcome_reader *reader = NULL;

    TRY(schemas_avro_set(&set, err));
    if (outcome_reader_create(set, &reader, err) != RC_OK) {
        avro_set_free(set);
        return err->rc;
    }
    struct sink *s = xcalloc(1, sizeof(*s));
    s->set = set;
    s->reader = reader;
    outcome_batch_init(&s->batch);
    make_metrics(s);
    *proc = (struct dbproc_processor){
        .role = "sink", .self = s, .session = sink_session, .apply = sink_apply, .committed = sink_committed};
    return RC_OK;
}

void sink_processor_done(struct dbproc_processor *proc)
{
    struct sink *s = proc->self;

    outcome_batch_done(&s->batch);
    outcome_reader_free(s->reader);
    avro_set_free(s->set);
    free(s);
    proc->self = NULL;
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
                               .help = "writes what became of each delivery into the outbox and its attempts",
                               .http_port = 7140,
                               .options = &sink_options,
                               .run = sink_run};
