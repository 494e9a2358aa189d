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

static const struct dbproc_topic topic = {.name = "account.commands", .dlq = "account.dlq"};

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
    d->sources[0].ok = metric_counter("test_ok", "", NULL);
    d->sources[0].dead = metric_counter("test_dead", "", NULL);
    d->m.batch_rows = metric_histogram("test_rows", "", METRIC_SECONDS, METRIC_SECONDS_N, NULL);
    d->m.batch_seconds = metric_histogram("test_seconds", "", METRIC_SECONDS, METRIC_SECONDS_N, NULL);
    d->m.fenced = metric_counter("test_fenced", "", NULL);
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
    r->d.sources[0] = (struct dbproc_source){.topic = &topic, .name = xstrdup(RIG_TOPIC)};
    r->d.n_sources = 1;
    make_metrics(&r->d);
    r->d.parts = xcalloc((size_t)n, sizeof(*r->d.parts));
    r->d.n_parts = r->d.parts_max = (size_t)n;
    for (int32_t i = 0; i < n; i++) {
        struct dbproc_taken taken;
        cr_assert_eq(dbproc_position_take(r->conn, RIG_GROUP, RIG_TOPIC, first + i, 0, "me", &taken, &r->err), RC_OK,
                     "%s", r->err.text);
        r->d.parts[i] = (struct dbproc_part){.source = &r->d.sources[0],
                                             .partition = first + i,
                                             .state = PART_OWNED,
                                             .epoch = taken.epoch,
                                             .next_offset = taken.next_offset};
    }
    dbproc_batch_init(&r->d.batch, 10000);
}

void rig_close(struct rig *r)
{
    dbproc_batch_done(&r->d.batch);
    free(r->d.parts);
    free(r->d.sources[0].name);
    free(r->d.group);
    account_processor_done(&r->proc);
    pg_close(r->conn);
    config_free(r->cfg);
}

void rig_add_value(struct rig *r, uint32_t part, const char *value)
{
    struct dbproc_batch *b = &r->d.batch;
    int64_t offset = r->d.parts[part].next_offset;

    for (size_t i = b->done; i < b->n; i++) {
        offset += b->part[i] == part ? 1 : 0;
    }
    b->part[b->n] = part;
    b->events[b->n++] = (struct dbproc_event){.topic = RIG_TOPIC,
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
    return r->proc.apply(r->proc.self, r->conn, b->events, b->n, &v, &r->err);
}

void rig_forget(struct rig *r)
{
    dbproc_batch_clear(&r->d.batch);
}
