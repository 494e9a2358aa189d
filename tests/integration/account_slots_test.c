/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts without a limit in slots, their merging, and two instances at once. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account/commands.h"
#include "account/known.h"
#include "base/clock.h"
#include "base/mem.h"
#include "pg/conn.h"
#include "support/account_rig.h"

static struct stack st;
static PGconn *db;
static struct rig one, two; /* partitions 0 and 1; 2 */

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    db = st.conn;
    rig_open(&one, &st, 0, 2, NULL);
    rig_open(&two, &st, 2, 1, NULL);
    rig_add(&one, 0, "o1", "open", "{\"account_id\":\"bank\",\"currency\":\"CNY\",\"kind\":\"clearing\"}", 0);
    rig_add(&one, 0, "o2", "open", "{\"account_id\":\"a\",\"currency\":\"CNY\",\"no_negative\":true}", 0);
    rig_add(&one, 0, "o3", "open", "{\"account_id\":\"b\",\"currency\":\"CNY\",\"no_negative\":true}", 0);
    rig_transfer(&one, 0, "start-a", "bank", "a", 1000000);
    rig_transfer(&one, 0, "start-b", "bank", "b", 1000000);
    rig_must(&one, 0);
}

static void teardown(void)
{
    rig_close(&one);
    rig_close(&two);
    stack_close(&st);
}

TestSuite(account_slots, .init = setup, .fini = teardown);

#define BANK                                                                                                   \
    "SELECT string_agg(concat_ws(':', slot, balance, frozen, incoming), ' ' ORDER BY slot) FROM account_slots" \
    " WHERE account_id = 'bank'"
/* Gapless versions, chained balances, in every slot. */
#define CHAINS                                                                                                        \
    "SELECT (count(*) FILTER (WHERE NOT ok))::text FROM (SELECT version = row_number() OVER w AND balance_after ="    \
    " sum(amount) OVER w AND frozen_after = sum(frozen_delta) OVER w AND incoming_after = sum(incoming_delta) OVER w" \
    " AS ok FROM account_flows WINDOW w AS (PARTITION BY account_id, slot ORDER BY version)) x"

static void book(struct rig *r, const char *prefix, int n, const char *debit, const char *credit, int64_t amount)
{
    for (int i = 0; i < n; i++) {
        char id[32];
        (void)snprintf(id, sizeof(id), "%s%d", prefix, i);
        rig_transfer(r, 0, id, debit, credit, amount);
        rig_must(r, 1);
    }
}

Test(account_slots, an_account_without_a_limit_is_booked_in_the_slot_of_the_partition)
{
    book(&one, "x", KNOWN_AFTER + 2, "a", "bank", 10);
    book(&two, "y", KNOWN_AFTER + 2, "b", "bank", 100);
    /* The opening and the first bookings of both in slot 0, two of each in slots of their own. */
    stack_expect(db, "slots", BANK, "0:-1999670:0:0 1:20:0:0 3:200:0:0");
    stack_expect(db, "one account", "SELECT balance || ' ' || slots FROM accounts WHERE account_id = 'bank'",
                 "-1999450 3");
    stack_expect(db, "limited ones stay in one",
                 "SELECT count(*)::text FROM account_slots WHERE account_id IN ('a', 'b')", "2");
    stack_expect(db, "chains", CHAINS, "0");
    stack_expect(db, "all is zero", "SELECT sum(balance)::text FROM account_slots", "0");
    stack_expect(db, "slots carry the settings",
                 "SELECT count(DISTINCT (currency, kind, status, settings_version))::text FROM account_slots"
                 " WHERE account_id = 'bank'",
                 "1");
}

/* A limit moves everything into slot 0, open holds too; who still knows the account without one is told. */
Test(account_slots, a_limit_merges_the_slots_and_the_holds_follow)
{
    int64_t now = clock_utc_us();

    book(&one, "x", KNOWN_AFTER + 2, "a", "bank", 10);
    book(&two, "y", KNOWN_AFTER + 2, "b", "bank", 100);
    rig_add(&one, 0, "h1", "try",
            "{\"transfer_id\":\"in\",\"debit\":\"a\",\"credit\":\"bank\",\"amount\":7,\"currency\":\"CNY\"}", now);
    rig_add(&one, 0, "h2", "try",
            "{\"transfer_id\":\"out\",\"debit\":\"bank\",\"credit\":\"a\",\"amount\":9,\"currency\":\"CNY\"}", now);
    rig_must(&one, 0);
    stack_expect(db, "holds", "SELECT debit_slot || ' ' || credit_slot FROM account_transfers WHERE transfer_id = 'in'",
                 "0 1");
    stack_expect(db, "slots", BANK, "0:-1999670:0:0 1:20:9:7 3:200:0:0");

    rig_transfer(&two, 0, "fill", "b", "bank", 900000);
    rig_add(&two, 0, "s1", "set", "{\"account_id\":\"bank\",\"max_balance\":5000000}", now);
    rig_must(&two, 1);
    stack_expect(db, "merged", BANK, "0:-1099450:9:7 1:0:0:0 3:0:0:0");
    stack_expect(db, "flows",
                 "SELECT string_agg(slot || ':' || amount, ' ' ORDER BY slot) FROM account_flows WHERE kind = 'merge'",
                 "0:220 1:-20 3:-200");
    stack_expect(db, "holds",
                 "SELECT string_agg(debit_slot || ' ' || credit_slot, ' ') FROM account_transfers"
                 " WHERE state = 'held'",
                 "0 0 0 0");

    rig_transfer(&one, 0, "later", "a", "bank", 5);
    cr_expect_eq(rig_run(&one), RC_RETRY, "it still knows the account without a limit");
    cr_expect_not_null(strstr(one.err.text, "has got a limit"), "%s", one.err.text);
    rig_must(&one, 0);
    rig_add(&one, 0, "c1", "confirm", "{\"transfer_id\":\"in\",\"debit\":\"a\"}", now);
    rig_add(&one, 0, "c2", "cancel", "{\"transfer_id\":\"out\",\"debit\":\"bank\"}", now);
    rig_must(&one, 0);
    stack_expect(db, "resolved", BANK, "0:-1099438:0:0 1:0:0:0 3:0:0:0");
    stack_expect(db, "chains", CHAINS, "0");
    stack_expect(db, "all is zero", "SELECT sum(balance)::text FROM account_slots", "0");
}

struct side {
    struct rig *r;
    const char *prefix;
    const char *debit, *credit;
    int batches, deadlocks, retries;
};

/* Batches of transfers between the same two accounts, first one way, then the other. */
static void *run_side(void *opaque)
{
    struct side *s = opaque;

    for (int i = 0; i < s->batches; i++) {
        for (int k = 0; k < 4; k++) {
            char id[32];
            (void)snprintf(id, sizeof(id), "%s-%d-%d", s->prefix, i, k);
            rig_transfer(s->r, 0, id, k < 2 ? s->debit : s->credit, k < 2 ? s->credit : s->debit, 1);
        }
        enum rc rc = rig_run(s->r);
        while (rc == RC_RETRY) {
            s->retries++;
            s->deadlocks += strcmp(s->r->err.code, "40P01") == 0 ? 1 : 0;
            rc = rig_run(s->r);
        }
        cr_assert_eq(rc, RC_OK, "%s", s->r->err.text);
    }
    return NULL;
}

Test(account_slots, two_that_book_the_same_accounts_in_opposite_order_never_lock_in_a_circle)
{
    struct side a = {.r = &one, .prefix = "one", .debit = "a", .credit = "b", .batches = 150};
    struct side b = {.r = &two, .prefix = "two", .debit = "b", .credit = "a", .batches = 150};
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, run_side, &b), 0);
    (void)run_side(&a);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_expect_eq(a.deadlocks + b.deadlocks, 0);
    cr_expect_eq(a.retries + b.retries, 0, "the locks are waited for, no batch is repeated");
    stack_expect(db, "balances",
                 "SELECT string_agg(balance::text, ' ' ORDER BY account_id) FROM account_slots"
                 " WHERE account_id IN ('a', 'b')",
                 "1000000 1000000");
    stack_expect(db, "transfers", "SELECT count(*)::text FROM account_transfers WHERE state = 'posted'", "1202");
    stack_expect(db, "chains", CHAINS, "0");
}

static void *run_in_thread(void *opaque)
{
    struct rig *r = opaque;
    enum rc *rc = xcalloc(1, sizeof(*rc));

    *rc = rig_run(r);
    return rc;
}

static enum rc joined(pthread_t thread)
{
    void *result = NULL;

    cr_assert_eq(pthread_join(thread, &result), 0);
    enum rc rc = *(enum rc *)result;
    free(result);
    return rc;
}

static void wait_for_a_lock(const struct rig *r)
{
    while (stack_int(db, "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = %d", PQbackendPID(r->conn)) != 1) {
        clock_sleep_ms(2);
    }
}

/* credit: an account that both lock, or one that they book in different slots. */
static void same_id_at_once(const char *id, const char *debit, const char *credit)
{
    pthread_t thread;

    rig_transfer(&one, 0, id, debit, credit, 5);
    cr_assert_eq(rig_apply(&one), RC_OK, "%s", one.err.text);
    rig_transfer(&two, 0, id, debit, credit, 5);
    cr_assert_eq(pthread_create(&thread, NULL, run_in_thread, &two), 0);
    wait_for_a_lock(&two);
    rig_commit(&one);
    cr_expect_eq(joined(thread), RC_RETRY);
    cr_expect_str_eq(two.err.code, "23505", "%s", two.err.text);
    rig_must(&two, 0);
}

Test(account_slots, of_two_that_decide_one_transfer_at_once_the_second_answers_a_duplicate)
{
    same_id_at_once("same", "a", "b");
    stack_expect(db, "once", "SELECT count(*)::text FROM account_flows WHERE transfer_id = 'same'", "2");
    stack_expect(db, "the other one", "SELECT duplicates::text FROM account_journal WHERE partition = 2", "1");
    stack_expect(db, "balances",
                 "SELECT string_agg(balance::text, ' ' ORDER BY account_id) FROM account_slots"
                 " WHERE account_id IN ('a', 'b')",
                 "999995 1000005");
}

Test(account_slots, nor_do_they_decide_it_twice_where_they_do_not_meet_at_an_account)
{
    rig_add(&one, 0, "o4", "open", "{\"account_id\":\"fee\",\"currency\":\"CNY\",\"kind\":\"fee\"}", 0);
    rig_must(&one, 0);
    book(&one, "x", KNOWN_AFTER + 1, "bank", "fee", 1);
    book(&two, "y", KNOWN_AFTER + 1, "bank", "fee", 1);
    same_id_at_once("same", "bank", "fee");
    stack_expect(db, "once",
                 "SELECT string_agg(account_id || slot, ' ' ORDER BY account_id) FROM account_flows"
                 " WHERE transfer_id = 'same'",
                 "bank1 fee1");
    stack_expect(db, "the other one", "SELECT duplicates::text FROM account_journal WHERE partition = 2", "1");
    stack_expect(db, "chains", CHAINS, "0");
}

Test(account_slots, an_account_that_two_open_at_once_is_opened_once)
{
    pthread_t thread;

    rig_add(&one, 0, "n1", "open", "{\"account_id\":\"new\",\"currency\":\"CNY\"}", 0);
    cr_assert_eq(rig_apply(&one), RC_OK, "%s", one.err.text);
    rig_add(&two, 0, "n2", "open", "{\"account_id\":\"new\",\"currency\":\"USD\"}", 0);
    cr_assert_eq(pthread_create(&thread, NULL, run_in_thread, &two), 0);
    wait_for_a_lock(&two);
    rig_commit(&one);
    cr_expect_eq(joined(thread), RC_RETRY);
    rig_must(&two, 0);
    stack_expect(db, "account", "SELECT currency FROM accounts WHERE account_id = 'new'", "CNY");
    stack_expect(db, "decisions",
                 "SELECT string_agg(outcome || coalesce(code, ''), ' ' ORDER BY queue_seq) FROM account_decisions"
                 " WHERE account_id = 'new'",
                 "applied rejectedaccount_exists_with_different_content");
}

/* A slot that somebody makes while a limit waits for slot 0 must be merged too. */
Test(account_slots, a_slot_that_is_made_while_a_limit_waits_is_merged)
{
    pthread_t thread;

    book(&one, "x", KNOWN_AFTER, "a", "bank", 10);
    rig_transfer(&one, 0, "slow", "a", "bank", 10);
    cr_assert_eq(rig_apply(&one), RC_OK, "%s", one.err.text); /* has made slot 1 and holds slot 0 shared */
    rig_add(&two, 0, "s1", "set", "{\"account_id\":\"bank\",\"max_balance\":5000000}", 0);
    cr_assert_eq(pthread_create(&thread, NULL, run_in_thread, &two), 0);
    wait_for_a_lock(&two);
    rig_commit(&one);
    cr_assert_eq(joined(thread), RC_OK, "%s", two.err.text);
    stack_expect(db, "merged", BANK, "0:-1999960:0:0 1:0:0:0");
    stack_expect(db, "settings",
                 "SELECT string_agg(max_balance::text, ' ') FROM account_slots WHERE account_id = 'bank'",
                 "5000000 5000000");
    stack_expect(db, "chains", CHAINS, "0");
}

/* Expired long ago, in the order of their names. */
static void add_expired(const char *id, int64_t now, int64_t ago_s)
{
    char *payload CLEANUP(freep) = xasprintf(
        "{\"transfer_id\":\"%s\",\"debit\":\"a\",\"credit\":\"b\",\"amount\":7,\"currency\":\"CNY\",\"timeout_s\":1}",
        id);

    rig_add(&one, 0, id, "try", payload, now - ago_s * 1000000);
}

/* Commands are behind, so that nothing that was asked for has happened when its time to be asked again has come. */
Test(account_slots, holds_that_were_never_asked_to_expire_do_not_starve_behind_older_ones)
{
    static const char *const order[] = {"h1 h2", "h1 h2 h3 h4", "h1 h2 h3 h4 h5 h3", "h1 h2 h3 h4 h5 h3 h1 h4"};
    static const struct sweep_options sweep = {.rows_max = 2, .again_s = 60};
    int64_t now = clock_utc_us();
    int64_t asked = 0;

    add_expired("h1", now, 50);
    add_expired("h2", now, 40);
    add_expired("h3", now, 30);
    add_expired("h4", now, 20);
    add_expired("h5", now, 10);
    rig_must(&one, 0);
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        cr_assert_eq(sweep_holds(two.conn, &sweep, &asked, &two.err), RC_OK, "%s", two.err.text);
        cr_expect_eq(asked, 2);
        stack_expect(db, "asked",
                     "SELECT string_agg(payload ->> 'transfer_id', ' ' ORDER BY queue_seq) FROM account_command_outbox",
                     order[i]);
        if (i < 2) { /* the pause is over for all; h3 was asked longest ago, h2 last */
            stack_sql(db, "UPDATE account_transfers SET expiry_asked_at = now() - CASE transfer_id WHEN 'h3' THEN"
                          " interval '4 h' WHEN 'h1' THEN interval '3 h' WHEN 'h4' THEN interval '2 h'"
                          " ELSE interval '1 h' END WHERE expiry_asked_at IS NOT NULL");
        }
    }
}

Test(account_slots, holds_that_have_expired_are_asked_for_once_and_then_expire)
{
    int64_t now = clock_utc_us();

    rig_add(
        &one, 0, "h1", "try",
        "{\"transfer_id\":\"h1\",\"debit\":\"a\",\"credit\":\"b\",\"amount\":7,\"currency\":\"CNY\",\"timeout_s\":1}",
        now - 5000000);
    rig_add(
        &one, 0, "h2", "try",
        "{\"transfer_id\":\"h2\",\"debit\":\"a\",\"credit\":\"b\",\"amount\":7,\"currency\":\"CNY\",\"timeout_s\":1}",
        now - 5000000);
    rig_add(&one, 0, "h3", "try",
            "{\"transfer_id\":\"h3\",\"debit\":\"a\",\"credit\":\"b\",\"amount\":7,\"currency\":\"CNY\","
            "\"timeout_s\":100}",
            now);
    rig_must(&one, 0);
    PGconn *other CLEANUP(pg_closep) = stack_session(&st, false);
    stack_sql(other, "BEGIN; SELECT 1 FROM account_transfers WHERE transfer_id = 'h2' FOR UPDATE");
    cr_assert_eq(two.proc.tick(two.proc.self, two.conn, &two.err), RC_OK, "%s", two.err.text);
    stack_expect(db, "asked, where nobody is at work",
                 "SELECT string_agg(partition_key || command || (payload ->> 'transfer_id'),"
                 " ' ') FROM account_command_outbox",
                 "aexpireh1");
    stack_sql(other, "COMMIT");
    cr_assert_eq(two.proc.tick(two.proc.self, two.conn, &two.err), RC_OK);
    cr_assert_eq(one.proc.tick(one.proc.self, one.conn, &one.err), RC_OK);
    stack_expect(db, "once each",
                 "SELECT string_agg(payload ->> 'transfer_id', ' ' ORDER BY queue_seq)"
                 " FROM account_command_outbox WHERE queue_txid IS NOT NULL",
                 "h1 h2");
    stack_sql(db, "UPDATE account_transfers SET expiry_asked_at = now() - interval '61 s' WHERE transfer_id = 'h2'");
    cr_assert_eq(two.proc.tick(two.proc.self, two.conn, &two.err), RC_OK);
    stack_expect(db, "again after a minute", "SELECT count(*)::text FROM account_command_outbox", "3");

    PGresult *res CLEANUP(pg_clearp) =
        PQexec(db, "SELECT id, payload, (extract(epoch FROM created_at) * 1000000)::bigint"
                   " FROM account_command_outbox ORDER BY queue_seq");
    for (int i = 0; i < PQntuples(res); i++) {
        rig_add(&one, 0, PQgetvalue(res, i, 0), "expire", PQgetvalue(res, i, 1), pg_int(res, i, 2, 0));
    }
    rig_must(&one, 0);
    stack_expect(db, "states",
                 "SELECT string_agg(state, ' ' ORDER BY transfer_id) FROM account_transfers"
                 " WHERE transfer_id ~ '^h'",
                 "expired expired held");
    stack_expect(db, "frozen", "SELECT frozen::text FROM account_slots WHERE account_id = 'a'", "7");
    stack_expect(db, "the one asked twice", "SELECT duplicates::text FROM account_journal WHERE partition = 0", "1");
    cr_assert_eq(two.proc.tick(two.proc.self, two.conn, &two.err), RC_OK);
    stack_expect(db, "nothing more", "SELECT count(*)::text FROM account_command_outbox", "3");
}
