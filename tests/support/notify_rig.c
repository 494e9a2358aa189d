/* SPDX-License-Identifier: Apache-2.0 */
/* The notify role's processor, batch by batch. */
#include "support/notify_rig.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "notify/notify.h"
#include "pg/conn.h"
#include "runtime/core_options.h"
#include "runtime/dbproc_position.h"

#define GROUP "p.sluice-notify"

static void set_options(struct notify_rig *r, const char *const *options)
{
    const struct option_table *tables[] = {&CORE_OPTIONS, &notify_options};

    r->cfg = config_create(tables, ARRAY_SIZE(tables));
    cr_assert_eq(config_set_flag(r->cfg, "topic.prefix", "p.", &r->err), RC_OK, "%s", r->err.text);
    for (size_t i = 0; options != NULL && options[i] != NULL; i++) {
        const char *value = strchr(options[i], '=');
        char *name CLEANUP(freep) = xstrndup(options[i], (size_t)(value - options[i]));
        cr_assert_eq(config_set_flag(r->cfg, name, value + 1, &r->err), RC_OK, "%s", r->err.text);
    }
}

static void own(struct notify_rig *r)
{
    struct dbproc_taken taken;

    cr_assert_eq(dbproc_position_take(r->conn, GROUP, NOTIFY_RIG_TOPIC, 0, 0, "me", &taken, &r->err), RC_OK, "%s",
                 r->err.text);
    r->d.parts = xcalloc(1, sizeof(*r->d.parts));
    r->d.n_parts = r->d.parts_max = 1;
    r->d.parts[0] = (struct dbproc_part){
        .source = &r->d.sources[0], .state = PART_OWNED, .epoch = taken.epoch, .next_offset = taken.next_offset};
}

enum rc notify_rig_open(struct notify_rig *r, const char *url, const char *const *options)
{
    struct pg_options opt = {.app = "sluice notify", .statement_timeout_ms = 60000};

    *r = (struct notify_rig){.conn = NULL};
    set_options(r, options);
    cr_assert_eq(pg_open(url, &opt, &r->conn, &r->err), RC_OK, "%s", r->err.text);
    cr_assert_eq(notify_processor_init(&r->proc, r->cfg, &r->err), RC_OK, "%s", r->err.text);
    r->d = (struct dbproc){.proc = &r->proc, .conn = r->conn, .watch = &r->watch, .cfg = r->cfg};
    r->d.group = xstrdup(GROUP);
    r->d.sources[r->d.n_sources++] = (struct dbproc_source){.topic = NOTIFY_TOPICS, .name = xstrdup(NOTIFY_RIG_TOPIC)};
    r->d.sources[0].ok = metric_counter("test_ok", "", NULL);
    r->d.sources[0].dead = metric_counter("test_dead", "", NULL);
    r->d.m.batch_rows = metric_histogram("test_rows", "", METRIC_SECONDS, METRIC_SECONDS_N, NULL);
    r->d.m.batch_seconds = metric_histogram("test_seconds", "", METRIC_SECONDS, METRIC_SECONDS_N, NULL);
    r->d.m.fenced = metric_counter("test_fenced", "", NULL);
    dbproc_batch_init(&r->d.batch, 10000);
    own(r);
    return r->proc.session(r->proc.self, r->conn, &r->err);
}

void notify_rig_close(struct notify_rig *r)
{
    dbproc_batch_done(&r->d.batch);
    free(r->d.parts);
    free(r->d.sources[0].name);
    free(r->d.group);
    notify_processor_done(&r->proc);
    pg_close(r->conn);
    config_free(r->cfg);
}

void notify_rig_value(struct notify_rig *r, const char *value)
{
    struct dbproc_batch *b = &r->d.batch;
    int64_t offset = r->d.parts[0].next_offset + (int64_t)(b->n - b->done);

    b->part[b->n] = 0;
    b->events[b->n++] = (struct dbproc_event){.topic = NOTIFY_RIG_TOPIC,
                                              .offset = offset,
                                              .timestamp_ms = 1700000000123,
                                              .key = "k",
                                              .key_len = 1,
                                              .value = arena_strndup(&b->arena, value, strlen(value)),
                                              .value_len = strlen(value)};
}

#define RECORD                                                                                                       \
    "json_build_object('event_id', id, 'tracking_no', tracking_no, 'carrier', carrier, 'status', status, 'context'," \
    " context, 'node_at', (extract(epoch FROM node_at) * 1000000)::bigint, 'queue_seq', queue_seq, 'created_at',"    \
    " (extract(epoch FROM created_at) * 1000000)::bigint, 'traceparent', traceparent)"

static void add_rows(struct notify_rig *r, PGconn *db, const char *where)
{
    char *sql CLEANUP(freep) = xasprintf("SELECT " RECORD " FROM notify_queue WHERE %s ORDER BY queue_seq", where);
    PGresult *res CLEANUP(pg_clearp) = NULL;

    cr_assert_eq(pg_exec(db, sql, &res, &r->err), RC_OK, "%s", r->err.text);
    for (int i = 0; i < PQntuples(res); i++) {
        notify_rig_value(r, pg_text(res, i, 0));
    }
}

void notify_rig_row(struct notify_rig *r, PGconn *db, const char *id)
{
    char *where CLEANUP(freep) = xasprintf("id = '%s'", id);

    add_rows(r, db, where);
}

void notify_rig_rows(struct notify_rig *r, PGconn *db)
{
    add_rows(r, db, "process_status IS NULL AND processed_at IS NULL");
}

enum rc notify_rig_run(struct notify_rig *r)
{
    enum rc rc = dbproc_txn_batch(&r->d, &r->err);

    if (rc == RC_OK) {
        dbproc_batch_clear(&r->d.batch);
    }
    return rc;
}

void notify_rig_must(struct notify_rig *r)
{
    enum rc rc = notify_rig_run(r);

    cr_assert_eq(rc, RC_OK, "%s: %s", rc_name(rc), r->err.text);
}
