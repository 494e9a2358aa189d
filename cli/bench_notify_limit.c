/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limits of notify, one session and no Kafka, in transactions of as many events as the role has.
 *
 *     sets in SQL   one statement for each set looks up orders and devices, writes notifications and deliveries and
 * settles the rows of notify_queue: no text is rendered or masked, nothing is decided, no lock is taken before from
 * memory   the role's own function with its statements, fed with records that are in memory
 *
 * Neither moves a position.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench_notify.h"
#include "notify/notify.h"
#include "pg/array.h"
#include "schemas/avro_set.h"

#define SET_SIZE 500 /* events of a transaction, as the role's */
#define IDS_BYTES_MAX ((size_t)1 << 20)
#define VALUE_BYTES_MAX ((size_t)64 << 10)
#define ARENA_CHUNK ((size_t)1 << 20)

/* Rows that a set names come by their index. */
static const char PLAN[] =
    "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off; SET jit = off";
/* ---------------------------------------------------------------------------------------------------- sets in SQL */

static const char SETS[] =
    "WITH e AS MATERIALIZED (SELECT q.id, q.tracking_no, q.status, q.node_at, w.order_id"
    "  FROM unnest($1::uuid[]) u(id) JOIN notify_queue q ON q.id = u.id AND q.process_status IS NULL"
    "  JOIN platform_express_waybills w ON w.tracking_no = q.tracking_no),"
    " r AS MATERIALIZED (SELECT e.id, e.tracking_no, e.status, x.aud, x.recipient,"
    "  left(replace(e.id::text, '-', ''), 12) || '7000' || left(md5(e.id || x.aud || x.recipient), 16) AS message_id "
    "FROM e JOIN ml_orders o ON o.id = e.order_id,"
    "  LATERAL (VALUES ('user', o.user_id), ('merchant', o.merchant_id)) x(aud, recipient)),"
    " n AS (INSERT INTO express_notifications (id, message_id, aud, recipient_id, title, body, event_text_safe, "
    "send_status,"
    "   event_id, tracking_no, status, locale)"
    "  SELECT sluice_uuid7(), message_id, aud, recipient, '快递已揽收', '您的快递 ' || tracking_no || ' 已揽收', "
    "'已揽收', 'pending', "
    "id,"
    "   tracking_no, status, 'zh-CN' FROM r ON CONFLICT (message_id) DO NOTHING"
    "  RETURNING message_id, aud, recipient_id, title, body, event_id, tracking_no),"
    " u AS (SELECT n.*, d.appid, d.cid, d.platform FROM n JOIN push_devices d ON d.user_id = n.recipient_id"
    "   AND d.is_active WHERE n.aud = 'user'"
    "  UNION ALL SELECT n.*, d.appid, d.cid, d.platform FROM n JOIN push_devices d ON d.merchant_id = n.recipient_id"
    "   AND d.is_active WHERE n.aud = 'merchant'),"
    " p AS (INSERT INTO push_deliveries (id, message_id, aud, recipient_id, partition_key, appid, cid, platform, title,"
    "   body, payload, expires_at)"
    "  SELECT sluice_uuid7(), message_id, aud, recipient_id, aud || ':' || recipient_id, appid, cid, platform, "
    "title,"
    "   body, jsonb_build_object('event_id', event_id, 'tracking_no', tracking_no), now() + interval '1 day' FROM u"
    "  ON CONFLICT DO NOTHING),"
    " w AS (UPDATE platform_express_waybills w SET notified_status = e.status, notified_at = e.node_at FROM e"
    "  WHERE w.tracking_no = e.tracking_no)"
    " UPDATE notify_queue q SET process_status = 'queued', processed_at = now() FROM e WHERE q.id = e.id";

static enum rc one_set(PGconn *conn, const PGresult *ids, int from, int to, struct err *err)
{
    CLEANUP(buf_done) struct buf text;

    buf_init(&text, IDS_BYTES_MAX);
    array_begin(&text);
    for (int i = from; i < to; i++) {
        const char *id = pg_text(ids, i, 0);
        array_add(&text, id, strlen(id));
    }
    array_end(&text);
    const char *params[] = {buf_str(&text)};
    return pg_query(conn, SETS, ARRAY_SIZE(params), params, NULL, err);
}

static enum rc check(struct notify_bench *b, int64_t first, int64_t n, struct err *err)
{
    struct notify_rows rows = {0};
    int64_t devices = bench_notify_devices(b, first, n);

    TRY(bench_notify_count(b, &rows, err));
    if (rows.queued != n || rows.notifications != 2 * n || rows.deliveries != devices) {
        FAIL(err, RC_FATAL,
             "limit: %" PRId64 " events have become %" PRId64 " notifications and %" PRId64
             " deliveries instead of %" PRId64 " and %" PRId64,
             rows.queued, rows.notifications, rows.deliveries, 2 * n, devices);
    }
    return RC_OK;
}

static enum rc in_sql(struct notify_bench *b, PGconn *conn, struct err *err)
{
    CLEANUP(pg_clearp) PGresult *ids = NULL;

    TRY(pg_exec(conn, PLAN, NULL, err));
    TRY(pg_exec(conn, "SELECT id FROM notify_queue WHERE process_status IS NULL ORDER BY queue_seq", &ids, err));
    int n = PQntuples(ids);
    int64_t began = clock_mono_us();
    for (int done = 0; done < n;) {
        int end = done + SET_SIZE < n ? done + SET_SIZE : n;
        TRY(one_set(conn, ids, done, end, err));
        TRY(bench_check(INT64_MAX, "", err));
        done = end;
        bench_progress(&b->base, "limit: sets in SQL", done, n);
    }
    b->sets_per_s = (double)n * 1e6 / (double)(clock_mono_us() - began + 1);
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- from memory */

/* What is fed: the records that the relay would make of the rows. */
struct fed {
    struct dbproc_processor proc;
    struct avro_set *set;
    struct avro_encoder *enc;
    struct arena arena;
    struct dbproc_event *events;
    int n;
};

static void fed_done(struct fed *f)
{
    if (f->proc.self != NULL) {
        notify_processor_done(&f->proc);
    }
    free(f->events);
    arena_done(&f->arena);
    avro_encoder_free(f->enc);
    avro_set_free(f->set);
}

static enum rc add_row(struct fed *f, const PGresult *rows, int row, struct err *err)
{
    struct dbproc_event *ev = &f->events[row];

    avro_encoder_reset(f->enc);
    for (int k = 0; k < PQnfields(rows); k++) {
        int field = avro_encoder_field_index(f->enc, PQfname(rows, k));
        TRY(avro_encoder_set_text(f->enc, (size_t)field, PQgetvalue(rows, row, k), (size_t)PQgetlength(rows, row, k),
                                  err));
    }
    *ev = (struct dbproc_event){.topic = "express.events", .timestamp_ms = -1};
    return avro_encoder_wire(f->enc, &f->arena, VALUE_BYTES_MAX, &ev->value, &ev->value_len, err);
}

static enum rc prepare(struct notify_bench *b, struct fed *f, const PGresult *rows, struct err *err)
{
    f->n = PQntuples(rows);
    f->events = xcalloc((size_t)f->n + 1, sizeof *f->events);
    TRY(schemas_avro_set(&f->set, err));
    TRY(avro_encoder_create(f->set, "express_event", &f->enc, err));
    TRY(notify_processor_init(&f->proc, b->base.cli->cfg, err));
    for (int i = 0; i < f->n; i++) {
        TRY(add_row(f, rows, i, err));
    }
    return RC_OK;
}

/* As the runtime calls it, but without position and dead letters. */
static enum rc feed(struct notify_bench *b, PGconn *conn, struct fed *f, struct err *err)
{
    int64_t began = clock_mono_us();

    for (int done = 0; done < f->n;) {
        int end = done + SET_SIZE < f->n ? done + SET_SIZE : f->n;
        TRY(pg_exec(conn, "BEGIN", NULL, err));
        TRY(f->proc.apply(f->proc.self, conn, f->events + done, (size_t)(end - done), NULL, err));
        TRY(pg_exec(conn, "COMMIT", NULL, err));
        f->proc.committed(f->proc.self);
        TRY(bench_check(INT64_MAX, "", err));
        done = end;
        bench_progress(&b->base, "limit: from memory", done, f->n);
    }
    b->memory_per_s = (double)f->n * 1e6 / (double)(clock_mono_us() - began + 1);
    return RC_OK;
}

static enum rc from_memory(struct notify_bench *b, PGconn *conn, struct err *err)
{
    static const char ROWS[] = "SELECT id AS event_id, tracking_no, carrier, status, context,"
                               "  (extract(epoch FROM node_at) * 1000000)::bigint AS node_at, queue_seq,"
                               "  (extract(epoch FROM created_at) * 1000000)::bigint AS created_at"
                               " FROM notify_queue WHERE process_status IS NULL ORDER BY queue_seq";
    CLEANUP(pg_clearp) PGresult *rows = NULL;
    struct fed f = {.n = 0};

    arena_init(&f.arena, ARENA_CHUNK);
    enum rc rc = pg_exec(b->base.conn, ROWS, &rows, err);
    rc = rc == RC_OK ? prepare(b, &f, rows, err) : rc;
    rc = rc == RC_OK ? f.proc.session(f.proc.self, conn, err) : rc;
    rc = rc == RC_OK ? feed(b, conn, &f, err) : rc;
    fed_done(&f);
    return rc;
}

/* ---------------------------------------------------------------------------------------------------- both */

static enum rc pass(struct notify_bench *b, enum rc (*run)(struct notify_bench *, PGconn *, struct err *),
                    struct err *err)
{
    CLEANUP(pg_closep) PGconn *conn = NULL;
    int64_t first = 0;

    TRY(bench_notify_parcels(b, b->events, &first, err));
    TRY(bench_notify_queue(b, first, b->events, err));
    TRY(bench_db(&b->base, 0, &conn, err));
    TRY(run(b, conn, err));
    TRY(check(b, first, b->events, err));
    return bench_notify_forget(b, err);
}

enum rc bench_notify_limit(struct notify_bench *b, struct err *err)
{
    TRY(pass(b, in_sql, err));
    return pass(b, from_memory, err);
}
