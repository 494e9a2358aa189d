/* SPDX-License-Identifier: Apache-2.0 */
/* Rows for the bench: into the outbox in chunks, as one writer would, and out again at the end. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "bench.h"

#define CHUNK_ROWS 10000
#define CHUNK_TIMEOUT_MS 120000

/* The payload is hexadecimal noise, so that lz4 finds no more in it than in real data; its text has the size asked for.
 */
static const char FILL[] = "INSERT INTO " BENCH_TABLE " (platform, event_type, partition_key, callback_target, payload)"
                           " SELECT '" BENCH_PLATFORM "', '" BENCH_EVENT "', 'key-' || i % $4::int, '" BENCH_TARGET "',"
                           "  jsonb_build_object('pad', left((SELECT string_agg(md5(i || '.' || k || '.' || $5), '')"
                           "    FROM generate_series(1, ($3::int + 31) / 32) k), $3::int - 11))"
                           " FROM generate_series($1::bigint, $2::bigint) i";

enum rc bench_refuse(const struct bench *b, struct err *err)
{
    static const char LOOK[] = "SELECT EXISTS (SELECT 1 FROM " BENCH_TABLE "), EXISTS (SELECT 1 FROM pg_stat_activity"
                               " WHERE datname = current_database() AND application_name LIKE 'sluice relay%')";
    CLEANUP(pg_clearp) PGresult *res = NULL;
    TRY(pg_exec(b->conn, LOOK, &res, err));
    if (pg_text(res, 0, 1)[0] == 't') {
        FAIL(err, RC_REJECT, "a relay runs on this database; stop it first, the bench starts its own");
    }
    if (pg_text(res, 0, 0)[0] == 't' && !b->cli->yes) {
        FAIL(err, RC_REJECT,
             "table " BENCH_TABLE " is not empty; the bench inserts %" PRId64
             " rows and publishes them: use a database of its own (./dev bench), or --yes",
             b->rows + b->rate * (b->seconds + 1));
    }
    return RC_OK;
}

static enum rc fill_chunk(const struct bench *b, int64_t first, int64_t last, uint64_t run, struct err *err)
{
    char numbers[5][24];
    const int64_t values[] = {first, last, b->payload, BENCH_KEYS};
    const char *params[ARRAY_SIZE(numbers)];

    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        (void)snprintf(numbers[i], sizeof numbers[i], "%" PRId64, values[i]);
    }
    (void)snprintf(numbers[4], sizeof numbers[4], "%" PRIx64, run);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        params[i] = numbers[i];
    }
    return pg_query(b->conn, FILL, ARRAY_SIZE(numbers), params, NULL, err);
}

enum rc bench_fill(struct bench *b, int64_t *out_last_seq, struct err *err)
{
    CLEANUP(pg_clearp) PGresult *res = NULL;
    uint64_t run = clock_random();

    for (int64_t done = 0; done < b->rows;) {
        int64_t last = done + CHUNK_ROWS < b->rows ? done + CHUNK_ROWS : b->rows;
        TRY(bench_check(clock_mono_ms() + CHUNK_TIMEOUT_MS, "fill", err));
        TRY(fill_chunk(b, done + 1, last, run, err));
        done = last;
        bench_progress(b, "filling the outbox", done, b->rows);
    }
    TRY(pg_exec(b->conn, "SELECT max(queue_seq) FROM " BENCH_TABLE, &res, err));
    *out_last_seq = pg_int(res, 0, 0, 0);
    return RC_OK;
}

enum rc bench_clean(const struct bench *b, struct err *err)
{
    return pg_exec(b->conn,
                   "DELETE FROM " BENCH_TABLE " WHERE platform = '" BENCH_PLATFORM "' AND event_type = '" BENCH_EVENT
                   "' AND callback_target = '" BENCH_TARGET "'",
                   NULL, err);
}
