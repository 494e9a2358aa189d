/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice selftest express`: a parcel, its people and their phones; the carrier's call; and removing all that. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "express.h"
#include "pg/conn.h"
#include "selftest.h"

#define ANSWER_BYTES_MAX ((size_t)16 << 10)
#define REQUEST_TIMEOUT_MS 10000

/* POST url+path with this JSON. False: was said. */
static bool post(struct selftest *t, const char *stage, const char *base, const char *path, const char *json,
                 struct fetch_answer *out)
{
    static const struct header_line HEADERS[] = {{.name = "Content-Type", .value = "application/json"}};
    char *url CLEANUP(freep) = xasprintf("%s%s", base, path);
    const struct fetch_request request = {.method = "POST",
                                          .url = url,
                                          .headers = HEADERS,
                                          .n_headers = ARRAY_SIZE(HEADERS),
                                          .body = json,
                                          .body_n = strlen(json),
                                          .timeout_ms = REQUEST_TIMEOUT_MS,
                                          .answer_bytes_max = ANSWER_BYTES_MAX};
    struct err err;

    if (fetch(t->fetcher, &request, out, &err) != RC_OK) {
        return selftest_fail(t, stage,
                             "does a gateway run there? sluice health gateway; sluice doctor names who holds the port",
                             "%s: %s", url, err.text);
    }
    return true;
}

static bool register_device(struct selftest *t, const char *cid, const char *identity, const char *id)
{
    CLEANUP(fetch_answer_done) struct fetch_answer answer = {.status = 0};
    char *json CLEANUP(freep) = xasprintf(
        "{\"cid\":\"%s\",\"%s\":\"%s\",\"platform\":\"android\",\"appid\":\"" SELFTEST_APPID "\"}", cid, identity, id);

    if (!post(t, "device", t->device_url, "/api/v1/push/register", json, &answer)) {
        return false;
    }
    if (answer.status != 200) {
        return selftest_fail(t, "device",
                             answer.status == 401 ? "a token is needed from here: device.tokens.file, device.open.nets"
                                                  : "the gateway's log says more",
                             "registering a phone was answered %u: %.200s", answer.status, buf_str(&answer.body));
    }
    return true;
}

/* Ids are UUIDs: they fit columns of text and of uuid. */
static enum rc insert_rows(struct selftest *t, struct err *err)
{
    static const char *const COLUMNS[][2] = {{"ml_orders", "id"},
                                             {"ml_orders", "user_id"},
                                             {"ml_orders", "merchant_id"},
                                             {"platform_express_waybills", "order_id"}};
    char types[ARRAY_SIZE(COLUMNS)][EXPRESS_TYPE_MAX];
    const char *const order[] = {t->order_id, t->user_id, t->merchant_id};
    const char *const waybill[] = {t->number, t->order_id};

    for (size_t i = 0; i < ARRAY_SIZE(COLUMNS); i++) {
        TRY(express_type(t->conn, COLUMNS[i][0], COLUMNS[i][1], types[i], err));
    }
    char *orders CLEANUP(freep) =
        xasprintf("INSERT INTO ml_orders (id, user_id, merchant_id) VALUES ($1::text::%s, $2::text::%s, $3::text::%s)",
                  types[0], types[1], types[2]);
    char *waybills CLEANUP(freep) = xasprintf("INSERT INTO platform_express_waybills (tracking_no, order_id, carrier) "
                                              "VALUES ($1, $2::text::%s, 'selftest')",
                                              types[3]);
    TRY(pg_exec(t->conn, "BEGIN", NULL, err));
    TRY(pg_query(t->conn, orders, 3, order, NULL, err));
    TRY(pg_query(t->conn, waybills, 2, waybill, NULL, err));
    return pg_exec(t->conn, "COMMIT", NULL, err);
}

bool selftest_make(struct selftest *t)
{
    struct err err;

    (void)snprintf(t->number, sizeof(t->number), "SELFTEST-%016" PRIX64, clock_random());
    uuid_make(t->order_id);
    uuid_make(t->user_id);
    uuid_make(t->merchant_id);
    uuid_make(t->cids[0]);
    uuid_make(t->cids[1]);
    if (insert_rows(t, &err) != RC_OK) {
        struct err ignored;
        rc_ignore(pg_exec(t->conn, "ROLLBACK", NULL, &ignored));
        return selftest_fail(t, "order and waybill",
                             "your tables may want more than that: --tracking-no NO uses a waybill that is there",
                             "they cannot be made: %s", err.text);
    }
    t->made = true;
    selftest_ok(t, "order and waybill", "%s", t->number);
    if (!register_device(t, t->cids[0], "user_id", t->user_id) ||
        !register_device(t, t->cids[1], "merchant_id", t->merchant_id)) {
        return false;
    }
    selftest_ok(t, "devices", "%s: one of a user, one of a merchant", t->device_url);
    return true;
}

/* ---- the carrier's call ---- */

bool selftest_send(struct selftest *t)
{
    CLEANUP(fetch_answer_done) struct fetch_answer answer = {.status = 0};
    char at[CLOCK_RFC3339_MAX];

    clock_rfc3339(clock_utc_us(), at);
    (void)snprintf(t->context, sizeof(t->context), "sluice selftest %016" PRIx64, clock_random());
    char *json CLEANUP(freep) =
        xasprintf("{\"tracking_no\":\"%s\",\"carrier\":\"selftest\",\"status\":\"in_transit\",\"context\":\"%s\","
                  "\"time\":\"%s\"}",
                  t->number, t->context, at);
    if (!post(t, "webhook", t->webhook_url, "/webhook/express/status", json, &answer)) {
        return false;
    }
    if (answer.status == 404) {
        return selftest_fail(t, "webhook", "no waybill has this number: sluice waybills link NO ORDER",
                             "answered 404: %.200s", buf_str(&answer.body));
    }
    if (answer.status != 200) {
        return selftest_fail(t, "webhook",
                             answer.status == 502 ? "the gateway cannot reach PostgreSQL: sluice health gateway"
                                                  : "the gateway's log says more",
                             "answered %u: %.200s", answer.status, buf_str(&answer.body));
    }
    selftest_ok(t, "webhook", "%s answered 200", t->webhook_url);
    return true;
}

/* ---- removing ---- */

#define FORGET_DELIVERIES                                                                                              \
    "DELETE FROM push_deliveries d USING express_notifications e WHERE e.message_id = d.message_id AND e.tracking_no " \
    "= $1"
static const char *const REMOVALS[] = {
    FORGET_DELIVERIES,
    "DELETE FROM express_notifications WHERE tracking_no = $1",
    "DELETE FROM notify_queue WHERE tracking_no = $1",
    "DELETE FROM express_nodes WHERE tracking_no = $1",
    "DELETE FROM express_parked WHERE tracking_no = $1",
    "DELETE FROM express_callbacks WHERE tracking_nos = ARRAY[$1] AND received_at > now() - interval '1 hour'",
    "DELETE FROM platform_express_waybills WHERE tracking_no = $1",
};

static enum rc remove_rows(struct selftest *t, struct err *err)
{
    const char *const number[] = {t->number};
    const char *const cids[] = {t->cids[0], t->cids[1]};
    const char *const order[] = {t->order_id};

    TRY(pg_exec(t->conn, "BEGIN", NULL, err));
    for (size_t i = 0; i < ARRAY_SIZE(REMOVALS); i++) {
        TRY(pg_query(t->conn, REMOVALS[i], 1, number, NULL, err));
    }
    TRY(pg_query(t->conn, "DELETE FROM push_devices WHERE appid = '" SELFTEST_APPID "' AND cid IN ($1, $2)", 2, cids,
                 NULL, err));
    char type[EXPRESS_TYPE_MAX];
    TRY(express_type(t->conn, "ml_orders", "id", type, err));
    char *sql CLEANUP(freep) = xasprintf("DELETE FROM ml_orders WHERE id = $1::text::%s", type);
    TRY(pg_query(t->conn, sql, 1, order, NULL, err));
    return pg_exec(t->conn, "COMMIT", NULL, err);
}

void selftest_clean(struct selftest *t)
{
    struct err err;
    struct err ignored;

    if (t->made && remove_rows(t, &err) != RC_OK) {
        rc_ignore(pg_exec(t->conn, "ROLLBACK", NULL, &ignored));
        cli_note(t->cli, "selftest: rows of %s could not be removed: %s", t->number, err.text);
    }
}
