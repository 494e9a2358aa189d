/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch and its end, with a made-up processor over a table of its own: effects once, poison alone, neighbours as if
 * it had not been, nothing from whoever was overtaken.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pg/conn.h"
#include "runtime/dbproc_internal.h"
#include "runtime/dbproc_position.h"
#include "runtime/role_ctx.h"
#include "support/stack.h"

#define PARTS 3

static struct stack st;
static PGconn *db;
static struct err err;
static struct dbproc d;
static struct watch watch;
static const struct dbproc_topic topic = {.name = "t", .dlq = "t.dlq"};
static int applies, commits;
static enum rc answer; /* of apply, when it is none of the records' business */

/*
 * The value says what to do with a record: "1/0" and "dup" are refused by the database, "bad" by the processor itself;
 * everything else is inserted.
 */
static enum rc apply(void *self, PGconn *conn, const struct dbproc_event *events, size_t n, struct dbproc_verdicts *v,
                     struct err *e)
{
    (void)self;
    applies++;
    for (size_t i = 0; i < n; i++) {
        char place[64];
        const char *params[] = {place, events[i].value};
        if (strcmp(events[i].value, "bad") == 0) {
            dbproc_reject(v, i, "malformed", "it is bad");
            continue;
        }
        snprintf(place, sizeof(place), "%d-%lld", (int)events[i].partition, (long long)events[i].offset);
        TRY(pg_query(conn, "INSERT INTO effect (place, value, one) VALUES ($1, $2, CASE $2 WHEN '1/0' THEN 1 / 0 END)",
                     2, params, NULL, e));
    }
    if (answer != RC_OK) {
        FAIL(e, answer, "as the test wants it");
    }
    return RC_OK;
}

static void committed(void *self)
{
    (void)self;
    commits++;
}

static const struct dbproc_processor proc = {.role = "test", .apply = apply, .committed = committed};

static int deaths, ticks;

static enum rc dead(void *self, PGconn *conn, const struct dbproc_event *event, struct err *e)
{
    char place[64];
    const char *params[] = {place};

    (void)self;
    deaths++;
    snprintf(place, sizeof(place), "dead-%d-%lld", (int)event->partition, (long long)event->offset);
    TRY(pg_query(conn, "INSERT INTO effect (place, value) VALUES ($1, 'dead')", 1, params, NULL, e));
    if (answer != RC_OK) {
        FAIL(e, answer, "as the test wants it");
    }
    return RC_OK;
}

static enum rc tick(void *self, PGconn *conn, struct err *e)
{
    ticks++;
    if (answer != RC_OK) {
        TRY(pg_exec(conn, "BEGIN; INSERT INTO effect VALUES ('tick', 'tick')", NULL, e));
        FAIL(e, answer, "as the test wants it");
    }
    return pg_exec(conn, self, NULL, e); /* what the test says */
}

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    db = st.conn;
    stack_sql(db, "CREATE TABLE effect (place text PRIMARY KEY, value text NOT NULL, one int);"
                  " CREATE UNIQUE INDEX ON effect (value) WHERE value = 'dup'");
    d = (struct dbproc){.proc = &proc, .conn = db, .watch = &watch, .cfg = st.cfg};
    d.group = xstrdup("g");
    d.sources[0] = (struct dbproc_source){.topic = &topic, .name = xstrdup("p.t")};
    d.n_sources = 1;
    d.sources[0].ok = metric_counter("test_ok", "", NULL);
    d.sources[0].dead = metric_counter("test_dead", "", NULL);
    d.m.batch_rows = metric_histogram("test_rows", "", METRIC_SECONDS, METRIC_SECONDS_N, NULL);
    d.m.batch_seconds = metric_histogram("test_seconds", "", METRIC_SECONDS, METRIC_SECONDS_N, NULL);
    d.m.fenced = metric_counter("test_fenced", "", NULL);
    d.parts = xcalloc(PARTS, sizeof(*d.parts));
    d.n_parts = d.parts_max = PARTS;
    for (int32_t i = 0; i < PARTS; i++) {
        struct dbproc_taken taken;
        cr_assert_eq(dbproc_position_take(db, "g", "p.t", i, 0, "me", &taken, &err), RC_OK, "%s", err.text);
        d.parts[i] =
            (struct dbproc_part){.source = &d.sources[0], .partition = i, .state = PART_OWNED, .epoch = taken.epoch};
    }
    dbproc_batch_init(&d.batch, 100);
    answer = RC_OK;
    applies = commits = 0;
}

static void teardown(void)
{
    dbproc_batch_done(&d.batch);
    free(d.parts);
    free(d.sources[0].name);
    free(d.group);
    stack_close(&st);
}

TestSuite(dbproc_txn, .init = setup, .fini = teardown);

static void add(uint32_t part, int64_t offset, const char *value)
{
    size_t i = d.batch.n++;

    d.batch.part[i] = part;
    d.batch.events[i] = (struct dbproc_event){.topic = "p.t",
                                              .partition = (int32_t)part,
                                              .offset = offset,
                                              .timestamp_ms = 1700000000123,
                                              .key = "k",
                                              .key_len = 1,
                                              .value = value,
                                              .value_len = strlen(value)};
    d.parts[part].read_end = offset + 1;
}

static enum rc run(void)
{
    return dbproc_txn_batch(&d, &err);
}

static int64_t effects(void)
{
    return stack_int(db, "SELECT count(*) FROM effect");
}

static void expect_positions(int64_t a, int64_t b, int64_t c)
{
    char *want CLEANUP(freep) = xasprintf("%lld %lld %lld", (long long)a, (long long)b, (long long)c);
    char *got CLEANUP(freep) =
        stack_text(db, "SELECT string_agg(next_offset::text, ' ' ORDER BY partition) FROM sluice_positions");

    cr_expect_str_eq(got, want);
}

Test(dbproc_txn, a_batch_is_one_transaction_over_all_its_partitions)
{
    add(1, 5, "a");
    add(0, 0, "b");
    add(1, 9, "c");
    cr_assert_eq(run(), RC_OK, "%s", err.text);
    cr_expect_eq(effects(), 3);
    expect_positions(1, 10, 0);
    cr_expect_eq(d.parts[1].next_offset, 10);
    cr_expect(applies == 1 && commits == 1);
    cr_expect_eq(stack_int(db, "SELECT count(DISTINCT xmin::text) FROM effect"), 1);
}

Test(dbproc_txn, what_is_no_record_is_stepped_over_behind_the_last_one_only)
{
    add(0, 0, "a");
    add(0, 1, "1/0");
    add(0, 2, "b");
    d.parts[0].read_end = 7;
    cr_assert_eq(run(), RC_OK, "%s", err.text);
    expect_positions(7, 0, 0);
    d.batch.n = d.batch.done = 0;
    d.parts[2].read_end = 4;
    d.advanced_ms = -100000;
    cr_assert_eq(dbproc_txn_idle(&d, &err), RC_OK, "%s", err.text);
    expect_positions(7, 0, 4);
}

/* Each in its turn: first, in the middle, last, alone, two neighbours, all. */
static const char *const POISON[] = {"xaaaaaaa", "aaaxaaaa", "aaaaaaax", "x", "aaxxaa", "xxxx", "xaxaxaxa", "ax"};

Test(dbproc_txn, poison_is_isolated_wherever_it_is)
{
    for (size_t k = 0; k < ARRAY_SIZE(POISON); k++) {
        int64_t good = 0;
        int64_t bad = 0;
        int64_t from = d.parts[0].next_offset;
        stack_sql(db, "TRUNCATE effect, dead_letter_outbox");
        d.batch.n = d.batch.done = 0;
        for (const char *p = POISON[k]; *p != '\0'; p++) {
            add(0, from + (p - POISON[k]), *p == 'x' ? "1/0" : "a");
            good += *p != 'x';
            bad += *p == 'x';
        }
        cr_assert_eq(run(), RC_OK, "%s: %s", POISON[k], err.text);
        cr_expect_eq(effects(), good, "%s", POISON[k]);
        cr_expect_eq(stack_int(db, "SELECT count(*) FROM dead_letter_outbox"), bad, "%s", POISON[k]);
        cr_expect_eq(d.parts[0].next_offset, from + good + bad);
    }
    expect_positions(d.parts[0].next_offset, 0, 0);
}

Test(dbproc_txn, a_dead_letter_is_the_record_and_the_reason)
{
    add(2, 3, "bad");
    add(2, 4, "1/0");
    cr_assert_eq(run(), RC_OK, "%s", err.text);
    char *got CLEANUP(freep) = stack_text(
        db, "SELECT string_agg(format('%%s %%s %%s %%s %%s %%s', topic, partition IS NULL, convert_from(key, 'UTF8'),"
            " convert_from(value, 'UTF8'), (SELECT string_agg(h ->> 1, ';' ORDER BY h ->> 0) FROM "
            "jsonb_array_elements(headers) h"
            " WHERE h ->> 0 ~ 'class|offset|stage'), extract(epoch FROM ts)), E'\\n' ORDER BY queue_seq) FROM "
            "dead_letter_outbox");
    cr_expect_str_eq(got, "t.dlq t k bad malformed;3;test 1700000000.123000\n"
                          "t.dlq t k 1/0 refused;4;test 1700000000.123000");
    cr_expect_eq(stack_int(db, "SELECT count(queue_txid) FROM dead_letter_outbox"), 2, "on the road");
    expect_positions(0, 0, 5);
}

Test(dbproc_txn, a_record_that_the_processor_names_costs_no_second_try)
{
    add(0, 0, "a");
    add(0, 1, "bad");
    add(0, 2, "c");
    cr_assert_eq(run(), RC_OK, "%s", err.text);
    cr_expect_eq(applies, 1);
    cr_expect_eq(effects(), 2);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM dead_letter_outbox"), 1);
}

Test(dbproc_txn, a_conflict_within_the_batch_kills_the_second_one)
{
    add(0, 0, "dup");
    add(0, 1, "x");
    add(0, 2, "dup");
    cr_assert_eq(run(), RC_OK, "%s", err.text);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM effect WHERE place IN ('0-0', '0-1')"), 2);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM dead_letter_outbox"), 1);
}

Test(dbproc_txn, a_fenced_partition_is_dropped_and_the_others_go_on)
{
    stack_sql(db, "UPDATE sluice_positions SET epoch = epoch + 1 WHERE partition = 1");
    add(0, 0, "a");
    add(1, 0, "b");
    add(2, 0, "c");
    add(1, 1, "d");
    double fenced = metric_value(d.m.fenced);
    cr_assert_eq(run(), RC_OK, "%s", err.text);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM effect WHERE place LIKE '1-%%'"), 0);
    cr_expect_eq(effects(), 2);
    expect_positions(1, 0, 1);
    cr_expect_eq(d.parts[1].state, PART_WANTED, "the group still lists us: it is taken again");
    cr_expect(d.parts[0].state == PART_OWNED && d.parts[2].state == PART_OWNED);
    cr_expect_eq(metric_value(d.m.fenced), fenced + 1);
    cr_expect(d.assign_due);
}

Test(dbproc_txn, idle_steps_are_fenced_too)
{
    stack_sql(db, "UPDATE sluice_positions SET epoch = epoch + 1");
    d.parts[1].read_end = 9;
    d.advanced_ms = -100000;
    cr_assert_eq(dbproc_txn_idle(&d, &err), RC_OK);
    expect_positions(0, 0, 0);
    cr_expect_eq(d.parts[1].state, PART_WANTED);
    cr_expect_eq(d.parts[0].state, PART_OWNED);
}

static const enum rc TROUBLE[] = {RC_RETRY, RC_FENCED, RC_FATAL};

Test(dbproc_txn, trouble_leaves_nothing_behind)
{
    for (size_t i = 0; i < ARRAY_SIZE(TROUBLE); i++) {
        d.batch.n = d.batch.done = 0;
        add(0, 0, "a");
        add(1, 0, "bad");
        answer = TROUBLE[i];
        cr_expect_eq(run(), TROUBLE[i] == RC_FENCED ? RC_OK : TROUBLE[i]);
        cr_expect_eq(effects(), 0);
        cr_expect_eq(stack_int(db, "SELECT count(*) FROM dead_letter_outbox"), 0);
        expect_positions(0, 0, 0);
        cr_expect_eq(commits, 0);
        cr_expect_eq(PQtransactionStatus(db), PQTRANS_IDLE);
        cr_expect_eq(d.batch.n, TROUBLE[i] == RC_FENCED ? 0 : 2, "the same records are there for the next try");
        d.parts[0].state = d.parts[1].state = PART_OWNED;
    }
}

Test(dbproc_txn, after_trouble_the_same_batch_works)
{
    add(0, 0, "a");
    add(0, 1, "1/0");
    answer = RC_RETRY;
    cr_expect_eq(run(), RC_RETRY, "%s", err.text); /* the refused one is found first, its neighbour meets the trouble */
    cr_expect_eq(effects(), 0);
    answer = RC_OK;
    cr_assert_eq(run(), RC_OK, "%s", err.text);
    cr_expect_eq(effects(), 1);
    expect_positions(2, 0, 0);
}

/* A deadlock: 40P01 for one of the two, whichever PostgreSQL picks; with deadlock_timeout short it is us. */
Test(dbproc_txn, a_deadlock_is_a_reason_to_repeat)
{
    PGconn *other CLEANUP(pg_closep) = stack_session(&st, false);
    PGconn *admin CLEANUP(pg_closep) = stack_session(&st, true);

    stack_sql(db, "INSERT INTO effect VALUES ('row', 'row')");
    stack_sql(admin, "ALTER DATABASE %s SET deadlock_timeout = '10ms'", st.database);
    stack_sql(db, "BEGIN; UPDATE effect SET value = 'mine'");
    stack_sql(other, "BEGIN; UPDATE sluice_positions SET owner = 'x' WHERE partition = 0");
    cr_assert_eq(PQsendQuery(other, "UPDATE effect SET value = 'theirs'"), 1);
    (void)PQflush(other);
    while (stack_int(admin, "SELECT count(*) FROM pg_locks WHERE NOT granted") == 0) {
    }
    struct dbproc_step s = {.topic = "p.t", .partition = 0, .epoch = 1, .from = 0, .to = 1};
    /* Within our open transaction BEGIN is only a warning: the position row is the second lock. */
    enum rc rc = dbproc_position_begin(db, "g", &s, 1, &err);
    cr_expect(rc == RC_RETRY || rc == RC_OK, "%s %s", rc_name(rc), err.text);
    if (rc == RC_RETRY) {
        cr_expect_str_eq(err.code, "40P01");
        cr_expect_eq(PQtransactionStatus(db), PQTRANS_IDLE);
    }
    dbproc_position_rollback(db);
}

Test(dbproc_txn, a_session_that_is_gone_is_retried_and_known_as_gone)
{
    PGconn *admin CLEANUP(pg_closep) = stack_session(&st, true);

    add(0, 0, "a");
    stack_sql(admin, "SELECT pg_terminate_backend(%d, 5000)", PQbackendPID(db));
    cr_expect_eq(run(), RC_RETRY, "%s", err.text);
    cr_expect_eq(PQstatus(db), CONNECTION_BAD);
    cr_expect_eq(d.batch.n, 1);
}

Test(dbproc_txn, a_record_too_large_for_any_topic_is_cut_with_its_digest)
{
    size_t n = DBPROC_TOPICS_MAX * ((size_t)1 << 20);
    char *big CLEANUP(freep) = xcalloc(n + 1, 1);

    memset(big, 'x', n);
    add(0, 0, big);
    stack_sql(db, "ALTER TABLE effect ADD CHECK (length(value) < 100)");
    cr_assert_eq(run(), RC_OK, "%s", err.text);
    cr_expect_eq(stack_int(db, "SELECT length(value) FROM dead_letter_outbox"), 65536);
    char *sha CLEANUP(freep) = stack_text(db, "SELECT h ->> 1 FROM dead_letter_outbox, jsonb_array_elements(headers) h "
                                              "WHERE h ->> 0 = '__dlq.truncated.sha256'");
    char *want CLEANUP(freep) = stack_text(db, "SELECT encode(sha256(convert_to(repeat('x', %zu), 'UTF8')), 'hex')", n);
    cr_expect_str_eq(sha, want);
}

Test(dbproc_txn, of_a_record_that_dies_alone_the_processor_is_told_in_its_transaction)
{
    const struct dbproc_processor with = {.role = "test", .apply = apply, .committed = committed, .dead = dead};

    d.proc = &with;
    deaths = 0;
    add(0, 0, "a");
    add(0, 1, "bad");
    add(0, 2, "1/0");
    add(0, 3, "c");
    cr_assert_eq(run(), RC_OK, "%s", err.text);
    cr_expect_eq(deaths, 1, "the one that the processor named itself is its own business");
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM effect WHERE place = 'dead-0-2'"), 1);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM dead_letter_outbox"), 2);
    cr_expect_eq(commits, 3, "a and bad; 1/0; c");
    expect_positions(4, 0, 0);
}

Test(dbproc_txn, a_death_that_cannot_be_told_leaves_nothing_behind)
{
    const struct dbproc_processor with = {.role = "test", .apply = apply, .committed = committed, .dead = dead};

    d.proc = &with;
    for (size_t i = 0; i < ARRAY_SIZE(TROUBLE) + 1; i++) {
        enum rc why = i < ARRAY_SIZE(TROUBLE) ? TROUBLE[i] : RC_REJECT;
        d.batch.n = d.batch.done = 0;
        add(0, 0, "1/0");
        answer = why;
        cr_expect_eq(run(), why == RC_FENCED ? RC_OK : why == RC_REJECT ? RC_FATAL : why, "%s", rc_name(why));
        cr_expect_eq(effects(), 0);
        cr_expect_eq(stack_int(db, "SELECT count(*) FROM dead_letter_outbox"), 0);
        expect_positions(0, 0, 0);
        d.parts[0].state = PART_OWNED;
    }
    cr_expect_eq(commits, 0);
}

/* One tick that is due. */
static enum rc tick_once(char *sql)
{
    const struct dbproc_processor with = {.role = "test", .self = sql, .apply = apply, .tick = tick};

    d.proc = &with;
    d.ticked_ms = -100000;
    enum rc rc = dbproc_txn_tick(&d, &err);
    d.proc = &proc;
    return rc;
}

Test(dbproc_txn, timed_work_is_called_about_once_a_second_and_its_trouble_holds_up_nothing)
{
    char insert[] = "INSERT INTO effect VALUES ('tick', 'tick')";
    char open[] = "BEGIN";

    ticks = 0;
    cr_expect_eq(tick_once(insert), RC_OK, "%s", err.text);
    cr_expect_eq(ticks, 1);
    cr_expect_eq(stack_int(db, "DELETE FROM effect RETURNING 1"), 1, "it was committed");
    const struct dbproc_processor with = {.role = "test", .self = insert, .apply = apply, .tick = tick};
    d.proc = &with;
    cr_expect_eq(dbproc_txn_tick(&d, &err), RC_OK);
    cr_expect_eq(ticks, 1, "a second has not passed");
    answer = RC_RETRY;
    cr_expect_eq(tick_once(insert), RC_OK);
    answer = RC_REJECT;
    cr_expect_eq(tick_once(insert), RC_OK);
    cr_expect_eq(effects(), 0, "rolled back");
    cr_expect_eq(PQtransactionStatus(db), PQTRANS_IDLE);
    answer = RC_FATAL;
    cr_expect_eq(tick_once(insert), RC_FATAL);
    answer = RC_OK;
    cr_expect_eq(tick_once(open), RC_FATAL, "a transaction that is left open would be the next batch's");
    stack_sql(db, "ROLLBACK");
}

Test(dbproc_txn, timed_work_without_a_session_is_repaired_first)
{
    PGconn *admin CLEANUP(pg_closep) = stack_session(&st, true);
    char nothing[] = "SELECT 1";

    stack_sql(admin, "SELECT pg_terminate_backend(%d, 5000)", PQbackendPID(db));
    cr_expect_eq(tick_once(nothing), RC_RETRY, "%s", err.text);
}
