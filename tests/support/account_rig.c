/* SPDX-License-Identifier: Apache-2.0 */
/* The account role's processor, batch by batch. */
#include "support/account_rig.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "account/account.h"
#include "base/clock.h"
#include "base/mem.h"
#include "pg/conn.h"
#include "runtime/core_options.h"
#include "runtime/dbproc_position.h"

/* In the order of the rig's sources. */
static const struct dbproc_topic topics[] = {{.name = "account.commands", .dlq = "account.dlq"},
                                             {.name = "payment.events", .dlq = "account.dlq"}};
static const char *const names[] = {RIG_TOPIC, RIG_PAYMENTS};

static void set_options(struct rig *r, const char *const *options)
{
    const struct option_table *tables[] = {&CORE_OPTIONS, &account_options};

    r->cfg = config_create(tables, ARRAY_SIZE(tables));
    cr_assert_eq(config_set_flag(r->cfg, "topic.prefix", RIG_PREFIX, &r->err), RC_OK, "%s", r->err.text);
    for (size_t i = 0; options != NULL && options[i] != NULL; i++) {
        const char *value = strchr(options[i], '=');
        char *name CLEANUP(freep) = xstrndup(options[i], (size_t)(value - options[i]));
        cr_assert_eq(config_set_flag(r->cfg, name, value + 1, &r->err), RC_OK, "%s", r->err.text);
    }
}

static void make_metrics(struct dbproc *d)
{
    for (size_t i = 0; i < d->n_sources; i++) {
        d->sources[i].ok = metric_counter("test_ok", "", NULL);
        d->sources[i].dead = metric_counter("test_dead", "", NULL);
    }
    d->m.batch_rows = metric_histogram("test_rows", "", METRIC_SECONDS, METRIC_SECONDS_N, NULL);
    d->m.batch_seconds = metric_histogram("test_seconds", "", METRIC_SECONDS, METRIC_SECONDS_N, NULL);
    d->m.fenced = metric_counter("test_fenced", "", NULL);
}

static void own(struct rig *r, const struct dbproc_source *source, int32_t partition)
{
    struct dbproc_taken taken;

    cr_assert_eq(dbproc_position_take(r->conn, RIG_GROUP, source->name, partition, 0, "me", &taken, &r->err), RC_OK,
                 "%s", r->err.text);
    r->d.parts = xrealloc(r->d.parts, ++r->d.parts_max * sizeof(*r->d.parts));
    r->d.parts[r->d.n_parts++] = (struct dbproc_part){.source = source,
                                                      .partition = partition,
                                                      .state = PART_OWNED,
                                                      .epoch = taken.epoch,
                                                      .next_offset = taken.next_offset};
}

uint32_t rig_own_payments(struct rig *r, int32_t partition)
{
    own(r, &r->d.sources[1], partition);
    return (uint32_t)r->d.n_parts - 1;
}

void rig_open(struct rig *r, const struct stack *st, int32_t first, int32_t n, const char *const *options)
{
    struct pg_options opt = {.app = "sluice account", .statement_timeout_ms = 60000};

    *r = (struct rig){.conn = NULL};
    set_options(r, options);
    cr_assert_eq(pg_open(st->url, &opt, &r->conn, &r->err), RC_OK, "%s", r->err.text);
    cr_assert_eq(account_processor_init(&r->proc, r->cfg, &r->err), RC_OK, "%s", r->err.text);
    cr_assert_eq(r->proc.session(r->proc.self, r->conn, &r->err), RC_OK, "%s", r->err.text);
    r->d = (struct dbproc){.proc = &r->proc, .conn = r->conn, .watch = &r->watch, .cfg = r->cfg};
    r->d.group = xstrdup(RIG_GROUP);
    for (size_t i = 0; i < ARRAY_SIZE(topics); i++) {
        r->d.sources[r->d.n_sources++] = (struct dbproc_source){.topic = &topics[i], .name = xstrdup(names[i])};
    }
    make_metrics(&r->d);
    for (int32_t i = 0; i < n; i++) {
        own(r, &r->d.sources[0], first + i);
    }
    dbproc_batch_init(&r->d.batch, 10000);
}

void rig_close(struct rig *r)
{
    dbproc_batch_done(&r->d.batch);
    free(r->d.parts);
    for (size_t i = 0; i < r->d.n_sources; i++) {
        free(r->d.sources[i].name);
    }
    free(r->d.group);
    account_processor_done(&r->proc);
    pg_close(r->conn);
    config_free(r->cfg);
}

/* Behind the records of the batch. */
static int64_t end_of(const struct rig *r, uint32_t part)
{
    const struct dbproc_batch *b = &r->d.batch;
    int64_t offset = r->d.parts[part].next_offset;

    for (size_t i = b->done; i < b->n; i++) {
        offset += b->part[i] == part ? 1 : 0;
    }
    return offset;
}

void rig_add_value(struct rig *r, uint32_t part, const char *value)
{
    struct dbproc_batch *b = &r->d.batch;
    int64_t offset = end_of(r, part);

    b->part[b->n] = part;
    b->events[b->n++] = (struct dbproc_event){.topic = r->d.parts[part].source->name,
                                              .partition = r->d.parts[part].partition,
                                              .offset = offset,
                                              .timestamp_ms = 1700000000123,
                                              .key = "k",
                                              .key_len = 1,
                                              .value = arena_strndup(&b->arena, value, strlen(value)),
                                              .value_len = strlen(value)};
}

void rig_add(struct rig *r, uint32_t part, const char *event_id, const char *command, const char *payload,
             int64_t issued_us)
{
    struct buf out;

    buf_init(&out, (size_t)1 << 20);
    buf_printf(&out,
               "{\"event_id\":\"%s\",\"command\":\"%s\",\"partition_key\":\"k\",\"caller\":\"\",\"payload\":", event_id,
               command);
    buf_json_string(&out, payload, strlen(payload));
    buf_printf(&out, ",\"queue_seq\":1,\"created_at\":%" PRId64 "}", issued_us > 0 ? issued_us : clock_utc_us());
    rig_add_value(r, part, buf_str(&out));
    buf_done(&out);
}

void rig_transfer(struct rig *r, uint32_t part, const char *id, const char *debit, const char *credit, int64_t amount)
{
    char *event CLEANUP(freep) = xasprintf("e-%s", id);
    char *payload CLEANUP(freep) = xasprintf(
        "{\"transfer_id\":\"%s\",\"debit\":\"%s\",\"credit\":\"%s\",\"amount\":%" PRId64 ",\"currency\":\"CNY\"}", id,
        debit, credit, amount);

    rig_add(r, part, event, "transfer", payload, 0);
}

enum rc rig_run(struct rig *r)
{
    enum rc rc = dbproc_txn_batch(&r->d, &r->err);

    if (rc == RC_OK) {
        dbproc_batch_clear(&r->d.batch);
    }
    return rc;
}

void rig_must(struct rig *r, int times)
{
    enum rc rc = rig_run(r);

    for (int i = 0; i < times && rc == RC_RETRY; i++) {
        rc = rig_run(r);
    }
    cr_assert_eq(rc, RC_OK, "%s: %s", rc_name(rc), r->err.text);
}

enum rc rig_apply(struct rig *r)
{
    struct dbproc_batch *b = &r->d.batch;
    struct dbproc_verdicts v = {.arena = &b->arena, .list = b->verdicts, .n = b->n};

    memset(b->verdicts, 0, b->n * sizeof(*b->verdicts));
    stack_sql(r->conn, "BEGIN");
    for (uint32_t part = 0; part < r->d.n_parts; part++) {
        const struct dbproc_part *p = &r->d.parts[part];
        stack_sql(r->conn,
                  "UPDATE sluice_positions SET next_offset = %" PRId64 " WHERE topic = '%s' AND partition = %d",
                  end_of(r, part), p->source->name, (int)p->partition);
    }
    return r->proc.apply(r->proc.self, r->conn, b->events, b->n, &v, &r->err);
}

void rig_commit(struct rig *r)
{
    stack_sql(r->conn, "COMMIT");
    r->proc.committed(r->proc.self);
    for (uint32_t part = 0; part < r->d.n_parts; part++) {
        r->d.parts[part].next_offset = end_of(r, part);
    }
    dbproc_batch_clear(&r->d.batch);
}
