/* SPDX-License-Identifier: Apache-2.0 */
/* Rows to be delivered: into the outbox, counted, and out again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bench_callback.h"
#include "status.h"

#define CHUNK_ROWS 1000
#define CHUNK_TIMEOUT_MS 30000
#define PARAMS 6
#define ASK_TIMEOUT_MS 15000
#define OURS "platform = '" BENCH_PLATFORM "' AND event_type = '" BENCH_EVENT "'"

/* Row i goes to endpoint i % n; a key belongs to one endpoint, and there are BENCH_KEYS of them at least. The payload
 * is hexadecimal noise, so that lz4 finds no more in it than in real data. */
static const char FILL[] =
    "INSERT INTO " BENCH_TABLE " (id, platform, event_type, partition_key, callback_target, payload)"
    " SELECT ($3 || '-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, '" BENCH_PLATFORM "', '" BENCH_EVENT "',"
    "  'key-' || i % $5::int, 'http://127.0.0.1:' || ($6::int[])[1 + i % cardinality($6::int[])] || '/',"
    "  jsonb_build_object('pad', left((SELECT string_agg(md5(i || '.' || k || '.' || $3), '')"
    "    FROM generate_series(1, ($4::int + 31) / 32) k), $4::int - 11))"
    " FROM generate_series($1::bigint, $2::bigint) i";

/* "{7001,7002}" */
static char *ports_text(const struct callback_bench *b, int endpoints)
{
    struct buf text;

    buf_init(&text, (size_t)PARTNER_ENDPOINTS_MAX * 8);
    for (int i = 0; i < endpoints; i++) {
        (void)buf_printf(&text, "%c%d", i == 0 ? '{' : ',', partner_port(b->partner, i));
    }
    (void)buf_puts(&text, "}");
    return buf_take(&text);
}

enum rc bench_callback_fill(struct callback_bench *b, const struct bench_stamps *s, int endpoints, struct err *err)
{
    CLEANUP(freep) char *ports = ports_text(b, endpoints);
    char text[PARAMS - 1][24];
    const char *params[PARAMS] = {text[0], text[1], text[2], text[3], text[4], ports};
    int keys = (BENCH_KEYS + endpoints - 1) / endpoints * endpoints;

    (void)snprintf(text[2], sizeof text[2], "%08" PRIx32, s->run);
    (void)snprintf(text[3], sizeof text[3], "%" PRId64, b->base.payload);
    (void)snprintf(text[4], sizeof text[4], "%d", keys);
    for (int64_t done = 0; done < s->n; done += CHUNK_ROWS) {
        int64_t last = (done + CHUNK_ROWS < s->n ? done + CHUNK_ROWS : s->n) - 1;
        (void)snprintf(text[0], sizeof text[0], "%" PRId64, done);
        (void)snprintf(text[1], sizeof text[1], "%" PRId64, last);
        TRY(bench_check(clock_mono_ms() + CHUNK_TIMEOUT_MS, "fill", err));
        TRY(pg_query(b->base.conn, FILL, PARAMS, params, NULL, err));
        bench_progress(&b->base, "filling the outbox", last + 1, s->n);
    }
    return RC_OK;
}

enum rc bench_callback_delivered(const struct callback_bench *b, int64_t *out_n, struct err *err)
{
    CLEANUP(pg_clearp) PGresult *res = NULL;

    TRY(pg_exec(b->base.conn, "SELECT count(*) FROM " BENCH_TABLE " WHERE " OURS " AND status = 'delivered'", &res,
                err));
    *out_n = pg_int(res, 0, 0, 0);
    return RC_OK;
}

enum rc bench_callback_clean(const struct callback_bench *b, struct err *err)
{
    TRY(pg_exec(b->base.conn,
                "DELETE FROM cs_platform_event_delivery_attempts a USING " BENCH_TABLE " o WHERE a.event_id = o.id"
                " AND " OURS,
                NULL, err));
    return pg_exec(b->base.conn, "DELETE FROM " BENCH_TABLE " WHERE " OURS, NULL, err);
}

/* Events that wait would be delivered to whoever they are for; another role would take ours. */
static enum rc refuse_reader(const struct status_reader *r, struct err *err)
{
    if (strcmp(r->role, "account") == 0) {
        return RC_OK; /* it has no part in callbacks */
    }
    if (r->members > 0) {
        FAIL(err, RC_REJECT, "a %s runs on this stack; stop it first, the bench starts its own", r->role);
    }
    if (r->lag.records > 0) {
        FAIL(err, RC_REJECT,
             "%" PRId64 "%s records wait in %s, and the bench's %s would work on them: use a stack of its own "
             "(./dev bench callback)",
             r->lag.records, r->lag.more ? " or more" : "", r->full_topic, r->role);
    }
    return RC_OK;
}

static enum rc ask_once(struct status *st, const struct config *cfg, struct err *err)
{
    enum rc rc = status_init(st, cfg, 0, err);

    if (rc == RC_OK) {
        status_ask_database(st);
        status_ask_kafka(st);
    }
    if (rc == RC_OK && (!st->db_known || !st->kafka_known)) {
        *err = st->db_known ? st->kafka_err : st->db_err;
        rc = err->rc;
    }
    for (size_t i = 0; i < STATUS_READERS && rc == RC_OK; i++) {
        rc = refuse_reader(&st->readers[i], err);
    }
    status_done(st);
    return rc;
}

/* A new broker makes its topic of offsets when it is first asked for one, and a role that has ended stays a member for
 * its session's time. */
enum rc bench_callback_refuse(struct callback_bench *b, struct err *err)
{
    CLEANUP(freep) struct status *st = xcalloc(1, sizeof *st);
    int64_t deadline = clock_mono_ms() + ASK_TIMEOUT_MS;

    for (;;) {
        enum rc rc = ask_once(st, b->base.cli->cfg, err);
        if ((rc != RC_RETRY && rc != RC_REJECT) || clock_mono_ms() > deadline || bench_interrupted()) {
            return rc;
        }
        bench_progress(&b->base, "looking at the stack", ASK_TIMEOUT_MS - (deadline - clock_mono_ms()), ASK_TIMEOUT_MS);
        clock_sleep_ms(500);
    }
}
