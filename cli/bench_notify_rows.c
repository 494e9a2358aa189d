/* SPDX-License-Identifier: Apache-2.0 */
/* Devices, notifications and deliveries that are there before; parcels; what came of them; and all of it out again. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "bench_notify.h"

#define CHUNK_ROWS 50000
#define CHUNK_TIMEOUT_MS 300000
#define PARAMS_MAX 8
#define USER_STEP 7919 /* primes: neighbours in time are no neighbours in the tables */
#define MERCHANT_STEP 104729

enum rc bench_notify_refuse(struct notify_bench *b, struct err *err)
{
    static const char LOOK[] =
        "SELECT EXISTS (SELECT 1 FROM push_devices) OR EXISTS (SELECT 1 FROM express_notifications)"
        " OR EXISTS (SELECT 1 FROM push_deliveries) OR EXISTS (SELECT 1 FROM notify_queue)"
        " OR EXISTS (SELECT 1 FROM express_callbacks) OR EXISTS (SELECT 1 FROM platform_express_waybills)"
        " OR EXISTS (SELECT 1 FROM ml_orders), EXISTS (SELECT 1 FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name ~ '^sluice (relay|gateway|notify|push|sink)'),"
        " current_setting('fsync'), current_setting('synchronous_commit'), current_setting('shared_buffers')";
    CLEANUP(pg_clearp) PGresult *res = NULL;

    TRY(pg_exec(b->base.conn, LOOK, &res, err));
    if (pg_text(res, 0, 1)[0] == 't') {
        FAIL(err, RC_REJECT,
             "relay, gateway, notify, push or sink run on this database; stop them first, the bench starts its own");
    }
    if (pg_text(res, 0, 0)[0] == 't') {
        FAIL(err, RC_REJECT,
             "there are orders, waybills, devices or notifications in this database; the bench needs one of its own "
             "(./dev bench)");
    }
    (void)snprintf(b->server, sizeof b->server, "fsync %s, synchronous_commit %s, shared_buffers %s",
                   pg_text(res, 0, 2), pg_text(res, 0, 3), pg_text(res, 0, 4));
    return RC_OK;
}

void bench_notify_tracking(uint32_t run, int64_t i, char out[BENCH_TRACKING_MAX])
{
    (void)snprintf(out, BENCH_TRACKING_MAX, "B%08" PRIx32 "-%" PRId64, run, i);
}

/* "B0123abcd-" */
static void prefix(const struct notify_bench *b, char out[BENCH_TRACKING_MAX])
{
    (void)snprintf(out, BENCH_TRACKING_MAX, "B%08" PRIx32 "-", b->run);
}

/* Half as many users as devices, a quarter as many merchants: one device each, and a second one for every second user.
 */
static int64_t users(const struct notify_bench *b)
{
    return b->base.rows / 2;
}

/* From $1 to $2; $3: users; $4: of this run. Device n + k of n users is the second one of user 2 k. */
#define NUMBERED " FROM generate_series($1::bigint, $2::bigint) g, (SELECT $3::bigint, $4::text) u(n, ours)"
static const char DEVICES[] =
    "INSERT INTO push_devices (appid, cid, user_id, merchant_id, platform, locale)"
    " SELECT '" BENCH_APPID "', CASE WHEN g < n THEN 'bench-u-' || g || '-0'"
    "   WHEN g < n * 3 / 2 THEN 'bench-u-' || 2 * (g - n) || '-1' ELSE 'bench-m-' || g - n * 3 / 2 || '-2' END,"
    "  CASE WHEN g < n THEN 'bench-u-' || g WHEN g < n * 3 / 2 THEN 'bench-u-' || 2 * (g - n) END,"
    "  CASE WHEN g >= n * 3 / 2 THEN 'bench-m-' || g - n * 3 / 2 END, 'android', 'zh-CN'" NUMBERED;
static const char NOTIFICATIONS[] =
    "INSERT INTO express_notifications (message_id, aud, recipient_id, title, body, event_text_safe, send_status,"
    "  tracking_no, status, locale)"
    " SELECT md5(ours || g), 'user', 'bench-u-' || g % n, '快递已签收', '您的快递 ' || ours || 'old-' || g || ' "
    "已签收',"
    "  '已签收', 'success', ours || 'old-' || g, 'delivered', 'zh-CN'" NUMBERED;
static const char DELIVERIES[] =
    "INSERT INTO push_deliveries (id, message_id, aud, recipient_id, partition_key, appid, cid, platform, title, body,"
    "  payload, status, attempt_count, delivered_at)"
    " SELECT gen_random_uuid(), md5(ours || g), 'user', 'bench-u-' || g % n, 'user:bench-u-' || g % n,"
    "  '" BENCH_APPID "', 'bench-u-' || g % n || '-0', 'android', '快递已签收',"
    "  '您的快递 ' || ours || 'old-' || g || ' 已签收', jsonb_build_object('tracking_no', ours || 'old-' || g), "
    "'delivered',"
    "  1, now()" NUMBERED;

/* $3, $4: users and merchants; $5, $6: steps; $7: of this run. */
static const char ORDERS[] =
    "INSERT INTO ml_orders (id, user_id, merchant_id)"
    " SELECT $7 || i, 'bench-u-' || i * $5::bigint % $3::bigint, 'bench-m-' || i * $6::bigint % $4::bigint"
    " FROM generate_series($1::bigint, $2::bigint) i";
static const char WAYBILLS[] = "INSERT INTO platform_express_waybills (tracking_no, carrier, order_id)"
                               " SELECT $3 || i, 'shunfeng', $3 || i FROM generate_series($1::bigint, $2::bigint) i";
static const char QUEUE[] =
    "INSERT INTO notify_queue (tracking_no, carrier, status, context, node_at)"
    " SELECT $3 || i, 'shunfeng', 'collected', '【上海市】快件已由顺丰速运揽收，联系电话 13800138000', now()"
    " FROM generate_series($1::bigint, $2::bigint) i";

/* In chunks; $1 and $2 are their ends, the others stay. */
static enum rc insert(struct notify_bench *b, const char *what, const char *sql, int64_t first, int64_t n,
                      const char *const *more, size_t n_more, struct err *err)
{
    char numbers[2][BENCH_NUMBER_MAX];
    const char *params[PARAMS_MAX] = {numbers[0], numbers[1]};

    for (size_t i = 0; i < n_more; i++) {
        params[2 + i] = more[i];
    }
    for (int64_t done = 0; done < n;) {
        int64_t end = done + CHUNK_ROWS < n ? done + CHUNK_ROWS : n;
        (void)snprintf(numbers[0], sizeof numbers[0], "%" PRId64, first + done);
        (void)snprintf(numbers[1], sizeof numbers[1], "%" PRId64, first + end - 1);
        TRY(bench_check(clock_mono_ms() + CHUNK_TIMEOUT_MS, what, err));
        TRY(pg_query(b->base.conn, sql, (int)(2 + n_more), params, NULL, err));
        done = end;
        bench_progress(&b->base, what, done, n);
    }
    return RC_OK;
}

enum rc bench_notify_fill(struct notify_bench *b, struct err *err)
{
    char ours[BENCH_TRACKING_MAX];
    char n_users[BENCH_NUMBER_MAX];
    const char *more[] = {n_users, ours};
    int64_t began_us = clock_mono_us();

    prefix(b, ours);
    (void)snprintf(n_users, sizeof n_users, "%" PRId64, users(b));
    TRY(insert(b, "devices", DEVICES, 0, b->base.rows, more, ARRAY_SIZE(more), err));
    TRY(insert(b, "notifications", NOTIFICATIONS, 0, b->base.rows, more, ARRAY_SIZE(more), err));
    TRY(insert(b, "deliveries", DELIVERIES, 0, b->base.rows, more, ARRAY_SIZE(more), err));
    bench_progress(&b->base, "looking over the tables", 1, 1);
    static const char *const TABLES[] = {"push_devices", "express_notifications", "push_deliveries"};
    for (size_t i = 0; i < ARRAY_SIZE(TABLES); i++) {
        CLEANUP(freep) char *vacuum = xasprintf("VACUUM (ANALYZE) %s", TABLES[i]);
        TRY(pg_exec(b->base.conn, vacuum, NULL, err));
    }
    b->fill_s = (double)(clock_mono_us() - began_us) / 1e6;
    return RC_OK;
}

enum rc bench_notify_parcels(struct notify_bench *b, int64_t n, int64_t *out_first, struct err *err)
{
    char ours[BENCH_TRACKING_MAX];
    char text[4][BENCH_NUMBER_MAX];
    const char *of_orders[] = {text[0], text[1], text[2], text[3], ours};
    const char *of_waybills[] = {ours};

    prefix(b, ours);
    (void)snprintf(text[0], sizeof text[0], "%" PRId64, users(b));
    (void)snprintf(text[1], sizeof text[1], "%" PRId64, users(b) / 2);
    (void)snprintf(text[2], sizeof text[2], "%d", USER_STEP);
    (void)snprintf(text[3], sizeof text[3], "%d", MERCHANT_STEP);
    TRY(insert(b, "orders", ORDERS, b->parcels, n, of_orders, ARRAY_SIZE(of_orders), err));
    TRY(insert(b, "waybills", WAYBILLS, b->parcels, n, of_waybills, ARRAY_SIZE(of_waybills), err));
    *out_first = b->parcels;
    b->parcels += n;
    return pg_exec(b->base.conn, "ANALYZE ml_orders; ANALYZE platform_express_waybills", NULL, err);
}

enum rc bench_notify_queue(struct notify_bench *b, int64_t first, int64_t n, struct err *err)
{
    char ours[BENCH_TRACKING_MAX];
    const char *more[] = {ours};

    prefix(b, ours);
    TRY(insert(b, "filling notify_queue", QUEUE, first, n, more, ARRAY_SIZE(more), err));
    return pg_exec(b->base.conn, "ANALYZE notify_queue", NULL, err);
}

int64_t bench_notify_devices(const struct notify_bench *b, int64_t first, int64_t n)
{
    int64_t sum = 0;

    for (int64_t i = first; i < first + n; i++) {
        int64_t user = i * USER_STEP % users(b);
        sum += user % 2 == 0 ? BENCH_SLOTS : BENCH_SLOTS - 1;
    }
    return sum;
}

/* What is there from before has neither event nor place in the queue. */
enum rc bench_notify_count(struct notify_bench *b, struct notify_rows *out, struct err *err)
{
    static const char COUNT[] =
        "SELECT (SELECT count(*) FROM notify_queue WHERE starts_with(tracking_no, $1) AND process_status = 'queued'),"
        " (SELECT count(*) FROM express_notifications WHERE event_id IS NOT NULL AND starts_with(tracking_no, $1)),"
        " (SELECT count(*) FROM push_deliveries WHERE appid = '" BENCH_APPID "' AND queue_seq IS NOT NULL)";
    CLEANUP(pg_clearp) PGresult *res = NULL;
    char ours[BENCH_TRACKING_MAX];
    const char *params[] = {ours};

    prefix(b, ours);
    TRY(pg_query(b->base.conn, COUNT, ARRAY_SIZE(params), params, &res, err));
    *out = (struct notify_rows){
        .queued = pg_int(res, 0, 0, 0), .notifications = pg_int(res, 0, 1, 0), .deliveries = pg_int(res, 0, 2, 0)};
    return RC_OK;
}

static enum rc delete_ours(struct notify_bench *b, const char *const *list, size_t n, struct err *err)
{
    char ours[BENCH_TRACKING_MAX];
    const char *params[] = {ours};

    prefix(b, ours);
    for (size_t i = 0; i < n; i++) {
        TRY(pg_query(b->base.conn, list[i], ARRAY_SIZE(params), params, NULL, err));
        bench_progress(&b->base, "clearing up", (int64_t)i + 1, (int64_t)n);
    }
    return RC_OK;
}

enum rc bench_notify_forget(struct notify_bench *b, struct err *err)
{
    static const char *const DELETES[] = {
        "DELETE FROM notify_queue WHERE starts_with(tracking_no, $1)",
        "DELETE FROM express_notifications WHERE event_id IS NOT NULL AND starts_with(tracking_no, $1)",
        "DELETE FROM push_deliveries WHERE appid = '" BENCH_APPID
        "' AND queue_seq IS NOT NULL AND $1::text IS NOT NULL",
        "DELETE FROM express_nodes WHERE starts_with(tracking_no, $1)",
        "DELETE FROM express_callbacks WHERE starts_with(tracking_nos[1], $1)"};
    static const char *const TABLES[] = {"notify_queue", "express_notifications", "push_deliveries"};

    TRY(delete_ours(b, DELETES, ARRAY_SIZE(DELETES), err));
    for (size_t i = 0; i < ARRAY_SIZE(TABLES); i++) {
        CLEANUP(freep) char *vacuum = xasprintf("VACUUM (ANALYZE) %s", TABLES[i]);
        TRY(pg_exec(b->base.conn, vacuum, NULL, err));
    }
    return RC_OK;
}

enum rc bench_notify_clean(struct notify_bench *b, struct err *err)
{
    static const char *const DELETES[] = {
        "DELETE FROM push_deliveries WHERE appid = '" BENCH_APPID "' AND $1::text IS NOT NULL",
        "DELETE FROM express_notifications WHERE starts_with(tracking_no, $1)",
        "DELETE FROM push_devices WHERE appid = '" BENCH_APPID "' AND $1::text IS NOT NULL",
        "DELETE FROM notify_queue WHERE starts_with(tracking_no, $1)",
        "DELETE FROM express_nodes WHERE starts_with(tracking_no, $1)",
        "DELETE FROM express_callbacks WHERE starts_with(tracking_nos[1], $1)",
        "DELETE FROM platform_express_waybills WHERE starts_with(tracking_no, $1)",
        "DELETE FROM ml_orders WHERE starts_with(id::text, $1)"};

    return delete_ours(b, DELETES, ARRAY_SIZE(DELETES), err);
}
