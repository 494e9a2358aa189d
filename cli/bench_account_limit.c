/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What PostgreSQL does alone with the same rows: sets of transfers, a statement for all, and one transaction a transfer
 * with its rows locked, as ledgers made at home do it. Neither looks for repetitions, checks limits or hashes.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bench_account.h"
#include "pg/array.h"

#define COLUMN_BYTES_MAX ((size_t)64 << 20)
#define SINGLE_SECONDS 5
#define COLUMNS 4

/* Rows that a set names come by their index; sums run in windows. */
static const char PLAN[] = "SET search_path = " BENCH_LEDGER_SCHEMA ", public; SET enable_hashjoin = off;"
                           "SET enable_mergejoin = off; SET enable_seqscan = off; SET jit = off";
static const char LOCK[] = "SELECT count(*) FROM (SELECT 1 FROM account_slots WHERE account_id = ANY ($1::text[])"
                           " AND slot = 0 ORDER BY account_id, slot FOR UPDATE) l";
static const char BOOK[] =
    "WITH t AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])"
    "  WITH ORDINALITY AS t(id, d, c, a, n)),"
    " legs AS MATERIALIZED (SELECT id, d AS account_id, c AS counter, -a AS a, 2 * n AS n FROM t"
    "  UNION ALL SELECT id, c, d, a, 2 * n + 1 FROM t),"
    " f AS (SELECT l.*, s.version + row_number() OVER w AS v, (s.balance + sum(l.a) OVER w)::bigint AS after, s.hash"
    "  FROM legs l JOIN account_slots s ON s.account_id = l.account_id AND s.slot = 0"
    "  WINDOW w AS (PARTITION BY l.account_id ORDER BY l.n)),"
    " i AS (INSERT INTO account_flows (id, account_id, slot, version, kind, amount, balance_after, frozen_delta,"
    "   frozen_after, incoming_delta, incoming_after, currency, counter_account, transfer_id, event_id, effective_at,"
    "   booked_at, hash)"
    "  SELECT id::uuid, account_id, 0, v, 'post', a, after, 0, 0, 0, 0, 'CNY', counter, id, id, now(), now(), hash"
    "  FROM f),"
    " j AS (INSERT INTO account_transfers (transfer_id, state, debit_account, credit_account, debit_slot, credit_slot,"
    "   amount, currency, content_hash, event_id, effective_at, booked_at, updated_at)"
    "  SELECT id, 'posted', d, c, 0, 0, a, 'CNY', '\\x00', id, now(), now(), now() FROM t)"
    " UPDATE account_slots s SET balance = s.balance + g.a, version = s.version + g.n, updated_at = now()"
    " FROM (SELECT account_id, sum(a)::bigint AS a, count(*) AS n FROM legs GROUP BY account_id) g"
    " WHERE s.account_id = g.account_id AND s.slot = 0";

static const char SINGLE[] =
    "CREATE FUNCTION " BENCH_LEDGER_SCHEMA ".transfer(tid text, d text, c text, a bigint) RETURNS void"
    " LANGUAGE plpgsql SET search_path = " BENCH_LEDGER_SCHEMA ", public AS $f$"
    " DECLARE ds account_slots; cs account_slots;"
    " BEGIN"
    "  PERFORM 1 FROM account_slots WHERE account_id IN (d, c) AND slot = 0 ORDER BY account_id FOR UPDATE;"
    "  UPDATE account_slots SET balance = balance - a, version = version + 1 WHERE account_id = d AND slot = 0"
    "   RETURNING * INTO ds;"
    "  UPDATE account_slots SET balance = balance + a, version = version + 1 WHERE account_id = c AND slot = 0"
    "   RETURNING * INTO cs;"
    "  INSERT INTO account_transfers (transfer_id, state, debit_account, credit_account, debit_slot, credit_slot,"
    "    amount, currency, content_hash, event_id, effective_at, booked_at, updated_at)"
    "   VALUES (tid, 'posted', d, c, 0, 0, a, 'CNY', '\\x00', tid, now(), now(), now());"
    "  INSERT INTO account_flows (id, account_id, slot, version, kind, amount, balance_after, frozen_delta,"
    "    frozen_after, incoming_delta, incoming_after, currency, counter_account, transfer_id, event_id, effective_at,"
    "    booked_at, hash)"
    "   VALUES (tid::uuid, d, 0, ds.version, 'post', -a, ds.balance, 0, 0, 0, 0, 'CNY', c, tid, tid, now(), now(), "
    "ds.hash),"
    "    (tid::uuid, c, 0, cs.version, 'post', a, cs.balance, 0, 0, 0, 0, 'CNY', d, tid, tid, now(), now(), cs.hash);"
    " END $f$";

/* ---------------------------------------------------------------------------------------------------- sets */

struct set {
    struct buf column[COLUMNS];
};

static void set_done(struct set *s)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        buf_done(&s->column[i]);
    }
}

static void set_add(struct set *s, const char *id, const struct bench_transfer *t)
{
    array_add(&s->column[0], id, strlen(id));
    array_add(&s->column[1], t->debit, strlen(t->debit));
    array_add(&s->column[2], t->credit, strlen(t->credit));
    array_add_int(&s->column[3], t->amount);
}

static enum rc set_book(PGconn *conn, struct set *s, struct err *err)
{
    const char *params[COLUMNS];
    CLEANUP(buf_done) struct buf ids;

    buf_init(&ids, COLUMN_BYTES_MAX);
    for (size_t i = 0; i < COLUMNS; i++) {
        array_end(&s->column[i]);
        params[i] = buf_str(&s->column[i]);
    }
    /* Both columns of accounts as one array. */
    (void)buf_printf(&ids, "%.*s,%s", (int)s->column[1].len - 1, params[1], params[2] + 1);
    const char *lock_params[] = {buf_str(&ids)};
    TRY(pg_exec(conn, "BEGIN", NULL, err));
    TRY(pg_query(conn, LOCK, 1, lock_params, NULL, err));
    TRY(pg_query(conn, BOOK, COLUMNS, params, NULL, err));
    return pg_exec(conn, "COMMIT", NULL, err);
}

static enum rc sets(struct account_bench *b, PGconn *conn, bool hot, double *out_per_s, struct err *err)
{
    struct bench_stamps ids = {.n = b->base.rows, .run = (uint32_t)clock_random()};
    int64_t began = clock_mono_us();

    for (int64_t done = 0; done < b->base.rows;) {
        struct set s CLEANUP(set_done);
        int64_t end = done + BENCH_SET_SIZE < b->base.rows ? done + BENCH_SET_SIZE : b->base.rows;
        for (size_t i = 0; i < COLUMNS; i++) {
            buf_init(&s.column[i], COLUMN_BYTES_MAX);
            array_begin(&s.column[i]);
        }
        for (; done < end; done++) {
            struct bench_transfer t;
            char id[BENCH_ID_MAX];
            bench_account_draw(b, hot, &t);
            bench_id(&ids, done, id);
            set_add(&s, id, &t);
        }
        TRY(set_book(conn, &s, err));
        TRY(bench_check(INT64_MAX, "", err));
        bench_progress(&b->base, "limit: sets in SQL", done, b->base.rows);
    }
    *out_per_s = (double)b->base.rows * 1e6 / (double)(clock_mono_us() - began + 1);
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- one by one */

struct single {
    struct account_bench b; /* its own copy: it draws */
    PGconn *conn;
    int64_t until_us, n;
    enum rc rc;
    struct err err;
};

static void *book_singles(void *arg)
{
    struct single *s = arg;
    struct bench_stamps ids = {.run = (uint32_t)clock_random()};

    while (s->rc == RC_OK && clock_mono_us() < s->until_us && !bench_interrupted()) {
        struct bench_transfer t;
        char id[BENCH_ID_MAX];
        char amount[BENCH_NUMBER_MAX];
        const char *params[] = {id, t.debit, t.credit, amount};
        bench_account_draw(&s->b, false, &t);
        bench_id(&ids, s->n, id);
        (void)snprintf(amount, sizeof amount, "%" PRId64, t.amount);
        s->rc = pg_query(s->conn, "SELECT " BENCH_LEDGER_SCHEMA ".transfer($1, $2, $3, $4::bigint)", 4, params, NULL,
                         &s->err);
        s->n++;
    }
    return NULL;
}

static enum rc run_singles(struct account_bench *b, struct single *list, size_t n, double *out_per_s, struct err *err)
{
    pthread_t threads[BENCH_SESSIONS];
    int64_t began = clock_mono_us();
    int64_t sum = 0;
    size_t started = 0;

    for (; started < n; started++) {
        list[started].b.random = clock_random() | 1;
        list[started].until_us = began + (int64_t)SINGLE_SECONDS * 1000000;
        if (pthread_create(&threads[started], NULL, book_singles, &list[started]) != 0) {
            break;
        }
    }
    for (size_t i = 0; i < started; i++) {
        (void)pthread_join(threads[i], NULL);
        sum += list[i].n;
    }
    for (size_t i = 0; i < started; i++) {
        if (list[i].rc != RC_OK) {
            *err = list[i].err;
            return err->rc;
        }
    }
    if (started < n) {
        FAIL(err, RC_FATAL, "cannot start a thread");
    }
    *out_per_s = (double)sum * 1e6 / (double)(clock_mono_us() - began + 1);
    bench_progress(&b->base, "limit: one by one", 1, 1);
    return bench_check(INT64_MAX, "", err);
}

static enum rc singles(struct account_bench *b, size_t n, double *out_per_s, struct err *err)
{
    CLEANUP(freep) struct single *list = xcalloc(n, sizeof *list);
    enum rc rc = RC_OK;

    for (size_t i = 0; i < n; i++) {
        list[i] = (struct single){.b = {.accounts = b->accounts}, .rc = RC_OK};
    }
    for (size_t i = 0; i < n && rc == RC_OK; i++) {
        rc = bench_db(&b->base, 0, &list[i].conn, err);
    }
    rc = rc == RC_OK ? run_singles(b, list, n, out_per_s, err) : rc;
    for (size_t i = 0; i < n; i++) {
        pg_close(list[i].conn);
    }
    return rc;
}

enum rc bench_account_limit(struct account_bench *b, struct err *err)
{
    CLEANUP(pg_closep) PGconn *conn = NULL;

    TRY(bench_db(&b->base, 0, &conn, err));
    TRY(pg_exec(conn, PLAN, NULL, err));
    TRY(pg_exec(conn, SINGLE, NULL, err));
    TRY(sets(b, conn, false, &b->set_per_s, err));
    TRY(sets(b, conn, true, &b->set_hot_per_s, err));
    TRY(singles(b, 1, &b->single_per_s, err));
    return singles(b, BENCH_SESSIONS, &b->sessions_per_s, err);
}
