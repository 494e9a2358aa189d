/* SPDX-License-Identifier: Apache-2.0 */
/* Orders that the calls are about, what was stored of the calls, and all of it out again. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "bench_gateway.h"

#define CHUNK_ROWS 10000
#define CHUNK_TIMEOUT_MS 60000
#define TEXT_MAX 48

enum rc bench_gateway_refuse(struct gateway_bench *b, struct err *err)
{
    static const char LOOK[] =
        "SELECT EXISTS (SELECT 1 FROM payment_callbacks), EXISTS (SELECT 1 FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name ~ '^sluice (relay|account|gateway)'),"
        " current_setting('fsync'), current_setting('synchronous_commit')";
    CLEANUP(pg_clearp) PGresult *res = NULL;

    TRY(pg_exec(b->base.conn, LOOK, &res, err));
    if (pg_text(res, 0, 1)[0] == 't') {
        FAIL(err, RC_REJECT,
             "relay, account or gateway run on this database; stop them first, the bench starts its own gateway");
    }
    if (pg_text(res, 0, 0)[0] == 't') {
        FAIL(err, RC_REJECT,
             "there are calls of channels in this database; the bench needs one of its own (./dev bench)");
    }
    (void)snprintf(b->fsync, sizeof b->fsync, "%s", pg_text(res, 0, 2));
    (void)snprintf(b->synchronous_commit, sizeof b->synchronous_commit, "%s", pg_text(res, 0, 3));
    return RC_OK;
}

static const char ORDERS[] =
    "INSERT INTO payment_transactions (payment_id, account_id, channel, amount, currency, caller)"
    " SELECT $3 || i, 'bench:merchant', 'wechat', $4::bigint, 'CNY', 'bench'"
    " FROM generate_series($1::bigint, $2::bigint) i";

/* "bench-0123abcd-" */
static void prefix(const struct gateway_bench *b, char out[TEXT_MAX])
{
    (void)snprintf(out, TEXT_MAX, "bench-%08" PRIx32 "-", b->run);
}

enum rc bench_gateway_orders(struct gateway_bench *b, int64_t first, int64_t n, struct err *err)
{
    char text[4][TEXT_MAX];
    const char *params[] = {text[0], text[1], text[2], text[3]};

    prefix(b, text[2]);
    (void)snprintf(text[3], sizeof text[3], "%d", BENCH_GATEWAY_AMOUNT);
    for (int64_t done = 0; done < n; done += CHUNK_ROWS) {
        int64_t end = done + CHUNK_ROWS < n ? done + CHUNK_ROWS : n;
        (void)snprintf(text[0], sizeof text[0], "%" PRId64, first + done);
        (void)snprintf(text[1], sizeof text[1], "%" PRId64, first + end - 1);
        TRY(bench_check(clock_mono_ms() + CHUNK_TIMEOUT_MS, "orders", err));
        TRY(pg_query(b->base.conn, ORDERS, ARRAY_SIZE(params), params, NULL, err));
        bench_progress(&b->base, "orders", end, n);
    }
    return pg_exec(b->base.conn, "ANALYZE payment_transactions", NULL, err);
}

enum rc bench_gateway_stored(struct gateway_bench *b, int64_t *out_calls, int64_t *out_events, struct err *err)
{
    static const char COUNT[] = "SELECT (SELECT count(*) FROM payment_callbacks WHERE verdict = 'ok'"
                                "   AND event_id IS NOT NULL AND starts_with(payment_id, $1)),"
                                " (SELECT count(*) FROM payment_outbox WHERE starts_with(partition_key, $1)"
                                "   AND event_type = 'payment.succeeded')";
    CLEANUP(pg_clearp) PGresult *res = NULL;
    char text[TEXT_MAX];
    const char *params[] = {text};

    prefix(b, text);
    TRY(pg_query(b->base.conn, COUNT, ARRAY_SIZE(params), params, &res, err));
    *out_calls = pg_int(res, 0, 0, 0);
    *out_events = pg_int(res, 0, 1, 0);
    return RC_OK;
}

enum rc bench_gateway_clean(struct gateway_bench *b, struct err *err)
{
    static const char *const DELETES[] = {"DELETE FROM payment_callbacks WHERE starts_with(payment_id, $1)",
                                          "DELETE FROM payment_outbox WHERE starts_with(partition_key, $1)",
                                          "DELETE FROM payment_transactions WHERE starts_with(payment_id, $1)"};
    char text[TEXT_MAX];
    const char *params[] = {text};

    prefix(b, text);
    for (size_t i = 0; i < ARRAY_SIZE(DELETES); i++) {
        TRY(pg_query(b->base.conn, DELETES[i], ARRAY_SIZE(params), params, NULL, err));
    }
    return RC_OK;
}
