/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice devices test`: a real message to one device, and what its provider says. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "commands.h"
#include "devices.h"
#include "express.h"
#include "pg/conn.h"

#define WAIT_DEFAULT_S 30
#define WAIT_MAX_S 600
#define LOOK_MS 100

/* Also to one that is inactive: that is what a test is for. Its message id is nobody's notification. */
static const char SEND[] =
    "INSERT INTO push_deliveries (id, message_id, aud, recipient_id, partition_key, appid, cid, platform, title, body, "
    "payload, expires_at) SELECT $4::uuid, left(md5('test' || $4), 16), w.aud, w.recipient, w.aud || ':' || "
    "w.recipient, " PUSH_DEVICE_APPID(
        "d") ", d.cid, d.platform, 'test', 'sluice: test of this device, ' || to_char(now(), "
             "'YYYY-MM-DD HH24:MI:SS') || ' UTC', '{\"test\": true}', now() + interval '10 minutes' FROM push_devices "
             "d, "
             "LATERAL (SELECT CASE WHEN d.user_id IS NULL AND d.merchant_id IS NOT NULL THEN 'merchant' ELSE 'user' "
             "END AS aud, "
             "coalesce(d.user_id::text, d.merchant_id::text, 'nobody') AS recipient) w WHERE " DEVICE_WHICH("d");

static const char STANDING[] =
    "SELECT status, verdict, provider, provider_code, response_status, attempt_count, last_error, EXISTS (SELECT FROM "
    "sluice_relay_positions p WHERE p.table_name = 'push_deliveries' AND (pg_visible_in_snapshot(x.queue_txid, "
    "p.snapshot_before) OR (pg_visible_in_snapshot(x.queue_txid, p.snapshot_upto) AND x.queue_seq <= p.last_seq))) "
    "FROM "
    "push_deliveries x WHERE id = $1::uuid";

static int say(const struct cli *cli, const char *id, const PGresult *res)
{
    static const char *const NAMES[] = {"status", "verdict", "provider", "code", "answer", "attempts", "error"};
    CLEANUP(buf_done) struct buf out;
    bool delivered = strcmp(pg_text(res, 0, 0), "delivered") == 0;

    buf_init(&out, (size_t)64 << 10);
    if (cli->json) {
        buf_printf(&out, "{\"id\":\"%s\"", id);
        for (int i = 0; i < (int)ARRAY_SIZE(NAMES); i++) {
            buf_printf(&out, ",\"%s\":", NAMES[i]);
            if (PQgetisnull(res, 0, i)) {
                buf_puts(&out, "null");
            } else {
                buf_json_string(&out, pg_text(res, 0, i), strlen(pg_text(res, 0, i)));
            }
        }
        buf_puts(&out, "}\n");
    } else {
        account_print_row(res, NAMES, ARRAY_SIZE(NAMES), &out);
    }
    int code = cli_print(&out);
    return code == EXIT_DONE && !delivered ? EXIT_FAILED : code;
}

/* Where it has stopped, when nothing was heard of it in time. */
static void hint(const struct cli *cli, const PGresult *res, int64_t wait_s)
{
    const char *where = "published, and no role push has handled it: does one run? sluice health push, sluice status";

    if (pg_text(res, 0, 7)[0] != 't') {
        where = "not published: does a relay run? sluice health relay, sluice status";
    } else if (strcmp(pg_text(res, 0, 0), "retrying") == 0) {
        where = "it is tried again later, see the error";
    }
    cli_note(cli, "no result after %" PRId64 " s: %s", wait_s, where);
}

static int wait_for_it(const struct cli *cli, PGconn *conn, const char *id, int64_t wait_s)
{
    const volatile sig_atomic_t *stop = account_catch_signals();
    int64_t end_ms = clock_mono_ms() + wait_s * 1000;
    struct err err;

    for (;;) {
        PGresult *res CLEANUP(pg_clearp) = NULL;
        if (pg_query(conn, STANDING, 1, &id, &res, &err) != RC_OK) {
            return cli_fail("devices test", &err);
        }
        if (PQntuples(res) == 0) {
            (void)fprintf(stderr, "sluice: devices test: somebody has deleted the row %s\n", id);
            return EXIT_FAILED;
        }
        const char *status = pg_text(res, 0, 0);
        bool over = strcmp(status, "pending") != 0 && strcmp(status, "retrying") != 0;
        if (over) {
            return say(cli, id, res);
        }
        if (*stop) {
            return EXIT_INTERRUPTED;
        }
        if (clock_mono_ms() >= end_ms) {
            hint(cli, res, wait_s);
            (void)say(cli, id, res);
            return EXIT_FAILED;
        }
        clock_sleep_ms(LOOK_MS);
    }
}

static int test(const struct cli *cli, const struct device *d, int64_t wait_s)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    char id[UUID_TEXT_LEN + 1];
    struct err err;

    uuid_make(id);
    if (express_db(cli, "sluice devices test", &conn, &err) != RC_OK) {
        return cli_fail("devices test", &err);
    }
    if (cli->dry_run) {
        if (device_query(conn, "SELECT 1 FROM push_devices d WHERE " DEVICE_WHICH("d"), d, NULL, &res, &err) != RC_OK) {
            return cli_fail("devices test", &err);
        }
        if (PQntuples(res) > 0) {
            cli_note(cli, "would send a message to %.128s", d->text);
        }
        return PQntuples(res) > 0 ? EXIT_DONE : device_missing("test", d);
    }
    if (device_query(conn, SEND, d, id, &res, &err) != RC_OK) {
        return cli_fail("devices test", &err);
    }
    return strcmp(PQcmdTuples(res), "0") == 0 ? device_missing("test", d) : wait_for_it(cli, conn, id, wait_s);
}

int cmd_devices_test(const struct cli *cli)
{
    int64_t wait_s = WAIT_DEFAULT_S;
    struct device d;
    struct err err;

    if (device_parse(cli->argv[0], &d, &err) != RC_OK ||
        cli_flag_int(cli, "wait", 1, WAIT_MAX_S, &wait_s, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    int code = cli_require(cli, "database.url");
    return code == EXIT_DONE ? test(cli, &d, wait_s) : code;
}
