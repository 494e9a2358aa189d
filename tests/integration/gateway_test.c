/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's statements on a real database: what is stored, once; and what is made of the ledger's rows. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "gateway/results.h"
#include "gateway/store.h"
#include "support/stack.h"

static struct stack st;
static struct session session;
static struct session_options options;
static struct arena arena;
static struct err err;
static bool unknown;

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    options = (struct session_options){.url = st.url, .schema = "public", .statement_timeout_ms = 5000};
    session = (struct session){.opt = &options};
    arena_init(&arena, 4096);
    cr_assert_eq(session_open(&session, &err), RC_OK, "%s", err.text);
}

static void teardown(void)
{
    session_close(&session);
    arena_done(&arena);
    stack_close(&st);
}

TestSuite(gateway_store, .init = setup, .fini = teardown, .timeout = 100);
TestSuite(gateway_results, .init = setup, .fini = teardown, .timeout = 100);

static struct job *make(enum job_kind kind, const char *caller, const char *subject, const char *payload)
{
    struct job *j = arena_alloc(&arena, sizeof *j);
    *j = (struct job){
        .arena = &arena, .kind = kind, .caller = caller, .subject = subject, .key = subject, .payload = payload};
    uuid_make(j->id);
    return j;
}

static void store(struct job **jobs, size_t n)
{
    cr_assert_eq(jobs_store(&session, jobs, n, &unknown, &err), RC_OK, "%s", err.text);
}

/* ---------------------------------------------------------------------------------------------------- storing */

Test(gateway_store, commands_are_stored_once_in_their_order)
{
    struct job *jobs[50];
    char ids[50][16];
    for (size_t i = 0; i < 50; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "t%zu", i);
        jobs[i] = make(i % 2 == 0 ? JOB_TRY : JOB_CANCEL, "shop", ids[i], "{\"transfer_id\": \"x\"}");
    }
    jobs[7]->traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    store(jobs, 50);
    store(jobs, 50); /* as after a COMMIT whose answer was lost */
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM account_command_outbox"), 50);
    cr_assert_eq(
        stack_int(st.conn,
                  "SELECT count(*) FROM account_command_outbox WHERE caller = 'shop' AND queue_seq IS NOT NULL "
                  "AND queue_txid IS NOT NULL AND partition_key ~ '^t' AND topic = 'account.commands'"),
        50);
    char *order = stack_text(st.conn, "SELECT string_agg(partition_key, ' ' ORDER BY queue_seq) FROM (SELECT * FROM "
                                      "account_command_outbox ORDER BY queue_seq LIMIT 4) x");
    cr_assert_str_eq(order, "t0 t1 t2 t3");
    free(order);
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM account_command_outbox WHERE traceparent IS NOT NULL"), 1);
    cr_assert_eq(stack_int(st.conn, "SELECT count(DISTINCT queue_txid) FROM account_command_outbox"), 1,
                 "one transaction");
}

Test(gateway_store, one_that_is_refused_leaves_nothing_of_its_batch)
{
    struct job *jobs[] = {make(JOB_TRY, "shop", "a", "{}"), make(JOB_TRY, "shop", "b", "{\"a\": \"\\u0000\"}")};
    cr_assert_eq(jobs_store(&session, jobs, 2, &unknown, &err), RC_REJECT);
    cr_assert_not(unknown);
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM account_command_outbox"), 0);
    store(jobs, 1); /* the session is as good as before */
}

#define ORDER                                                                                                     \
    "{\"account_id\": \"m1\", \"channel\": \"wechat\", \"amount\": 100, \"currency\": \"CNY\", \"exponent\": 2, " \
    "\"timeout_s\": "                                                                                             \
    "600}"
#define OTHER_ORDER \
    "{\"account_id\": \"m1\", \"channel\": \"wechat\", \"amount\": 101, \"currency\": \"CNY\", \"exponent\": 2}"

Test(gateway_store, an_order_is_there_once_with_one_event)
{
    struct job *first[] = {make(JOB_PAYMENT, "shop", "p2", ORDER), make(JOB_TRY, "shop", "t", "{}"),
                           make(JOB_PAYMENT, "shop", "p1", ORDER), make(JOB_PAYMENT, "shop", "p1", ORDER),
                           make(JOB_PAYMENT, "shop", "p1", OTHER_ORDER)};
    store(first, 5);
    cr_assert_eq(first[0]->result, PAYMENT_CREATED);
    cr_assert_eq(first[2]->result, PAYMENT_CREATED);
    cr_assert_eq(first[3]->result, PAYMENT_REPEATED, "twice in one batch");
    cr_assert_eq(first[4]->result, PAYMENT_OTHER_CONTENT);
    store(first, 5); /* looked for again: the same answers */
    cr_assert_eq(first[0]->result, PAYMENT_CREATED);
    cr_assert_eq(first[3]->result, PAYMENT_REPEATED);
    struct job *again[] = {make(JOB_PAYMENT, "shop", "p1", ORDER), make(JOB_PAYMENT, "billing", "p1", ORDER),
                           make(JOB_PAYMENT, "shop", "p2", OTHER_ORDER)};
    store(again, 3);
    cr_assert_eq(again[0]->result, PAYMENT_REPEATED);
    cr_assert_eq(again[1]->result, PAYMENT_OTHER_CALLER);
    cr_assert_eq(again[2]->result, PAYMENT_OTHER_CONTENT);
    cr_assert_not_null(strstr(again[0]->shown, "\"payment_id\":\"p1\",\"state\":\"INIT\""), "%s", again[0]->shown);
    cr_assert_eq(stack_int(st.conn,
                           "SELECT count(*) FROM payment_transactions WHERE expires_at BETWEEN now() + interval "
                           "'9 minutes' AND now() + interval '10 minutes' AND amount = 100 AND caller = 'shop'"),
                 2);
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM payment_outbox WHERE event_type = 'payment.created' AND "
                                    "partition_key = payload ->> 'payment_id' AND queue_seq IS NOT NULL"),
                 2);
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM account_command_outbox"), 1);
}

/* Two that store the same orders crosswise must not block each other for ever. */
Test(gateway_store, a_row_that_somebody_is_storing_is_waited_for)
{
    struct job *job = make(JOB_TRY, "shop", "t1", "{}");
    PGconn *other = stack_session(&st, false);
    stack_sql(other, "BEGIN");
    stack_sql(
        other,
        "INSERT INTO account_command_outbox (id, partition_key, command, payload) VALUES ('%s', 't1', 'try', '{}')",
        job->id);
    options.statement_timeout_ms = 300;
    session_close(&session);
    cr_assert_eq(session_open(&session, &err), RC_OK);
    cr_assert_eq(jobs_store(&session, &job, 1, &unknown, &err), RC_RETRY, "an old session may be committing it still");
    cr_assert_not(unknown);
    stack_sql(other, "COMMIT");
    store(&job, 1);
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM account_command_outbox"), 1);
    PQfinish(other);
}

Test(gateway_store, what_was_sent_before_the_session_died_is_not_unknown)
{
    struct job *job = make(JOB_TRY, "shop", "t1", "{}");
    PGconn *admin = stack_session(&st, true);
    stack_sql(admin, "SELECT pg_terminate_backend(%d)", PQbackendPID(session.conn));
    cr_assert_eq(jobs_store(&session, &job, 1, &unknown, &err), RC_RETRY);
    cr_assert_not(unknown, "COMMIT was not sent");
    cr_assert_null(session.conn);
    cr_assert_eq(session_open(&session, &err), RC_OK);
    store(&job, 1);
    PQfinish(admin);
}

Test(gateway_store, a_standby_or_a_database_without_tables_is_not_written_to)
{
    struct session bare = {.opt = &options};
    options.schema = "nothing_here";
    cr_assert_eq(session_open(&bare, &err), RC_FATAL);
    cr_assert_not_null(strstr(err.text, "sluice migrate"));
    cr_assert_null(bare.conn);
    options.schema = "public";
}

Test(gateway_store, what_is_said_to_be_durable_is)
{
    stack_sql(st.conn, "ALTER ROLE CURRENT_USER SET synchronous_commit = off");
    stack_sql(st.conn, "ALTER ROLE CURRENT_USER SET default_transaction_isolation = 'repeatable read'");
    struct session other = {.opt = &options};
    cr_assert_eq(session_open(&other, &err), RC_OK, "%s", err.text);
    char *mode = stack_text(other.conn, "SHOW synchronous_commit");
    cr_assert_str_eq(mode, "on");
    free(mode);
    struct job *job = make(JOB_PAYMENT, "shop", "p1", ORDER);
    cr_assert_eq(jobs_store(&other, &job, 1, &unknown, &err), RC_OK, "%s", err.text);
    session_close(&other);
    stack_sql(st.conn, "ALTER ROLE CURRENT_USER RESET synchronous_commit");
    stack_sql(st.conn, "ALTER ROLE CURRENT_USER RESET default_transaction_isolation");
}

/* ---------------------------------------------------------------------------------------------------- results */

struct seen {
    int n;
    bool rejected;
    char code[64];
    char json[2000];
};

static void on_result(void *opaque, const struct result *r)
{
    struct seen *seen = opaque;
    seen->n++;
    seen->rejected = r->rejected;
    (void)snprintf(seen->code, sizeof seen->code, "%s", r->code);
    (void)snprintf(seen->json, sizeof seen->json, "%s", r->json);
}

static struct seen ask(struct job *job)
{
    struct seen seen = {0};
    cr_assert_eq(results_read(&session, &job, 1, on_result, &seen, &err), RC_OK, "%s", err.text);
    return seen;
}

static void undecided(struct job *job, const char *why)
{
    struct seen seen = ask(job);
    cr_assert_eq(seen.n, 0, "%s: %s %s", why, seen.code, seen.json);
}

static void applied(struct job *job, const char *part, const char *why)
{
    struct seen seen = ask(job);
    cr_assert_eq(seen.n, 1, "%s", why);
    cr_assert_not(seen.rejected, "%s: %s", why, seen.code);
    cr_assert_not_null(strstr(seen.json, part), "%s: %s", why, seen.json);
}

static void rejected(struct job *job, const char *code, const char *why)
{
    struct seen seen = ask(job);
    cr_assert_eq(seen.n, 1, "%s", why);
    cr_assert(seen.rejected, "%s", why);
    cr_assert_str_eq(seen.code, code, "%s", why);
}

/* What the account role writes, by hand. */
static void transfer_row(const char *id, const char *state, const char *event, const char *caller, const char *code)
{
    stack_sql(st.conn,
              "INSERT INTO account_transfers (transfer_id, state, code, debit_account, credit_account, amount, "
              "confirmed_amount, currency, caller, content_hash, event_id, effective_at, booked_at, updated_at) VALUES "
              "('%s', '%s', nullif('%s', ''), 'a', 'b', 100, CASE WHEN '%s' = 'confirmed' THEN 60 END, 'CNY', '%s', "
              "'', '%s', "
              "now(), now(), now()) ON CONFLICT (transfer_id) DO UPDATE SET state = EXCLUDED.state, event_id = "
              "EXCLUDED.event_id, confirmed_amount = EXCLUDED.confirmed_amount",
              id, state, code, state, caller, event);
}

static void hold_flow(const char *id, const char *event)
{
    stack_sql(
        st.conn,
        "INSERT INTO account_flows (id, account_id, slot, version, kind, amount, balance_after, frozen_delta, "
        "frozen_after, incoming_delta, incoming_after, currency, counter_account, transfer_id, event_id, effective_at, "
        "booked_at, hash) SELECT gen_random_uuid(), 'a', 0, 1 + count(*), 'hold', 0, 0, 100, 100, 0, 0, 'CNY', 'b', "
        "'%s', '%s', now(), now(), '' FROM account_flows",
        id, event);
}

static void decision_row(const char *event, int ordinal, const char *command, const char *outcome, const char *code)
{
    stack_sql(st.conn,
              "INSERT INTO account_decisions (id, event_id, ordinal, account_id, command, outcome, code, decision, "
              "decided_at) "
              "VALUES (gen_random_uuid(), '%s', %d, 'a', '%s', '%s', nullif('%s', ''), '{}', now())",
              event, ordinal, command, outcome, code);
}

#define TRY_100                                                                                               \
    "{\"transfer_id\": \"t1\", \"debit\": \"a\", \"credit\": \"b\", \"amount\": 100, \"currency\": \"CNY\", " \
    "\"timeout_s\": 60}"
#define TRY_OTHER                                                                                             \
    "{\"transfer_id\": \"t1\", \"debit\": \"a\", \"credit\": \"b\", \"amount\": 100, \"currency\": \"CNY\", " \
    "\"timeout_s\": 61}"

Test(gateway_results, a_try_its_repetition_and_its_conflict)
{
    struct job *try = make(JOB_TRY, "shop", "t1", TRY_100);
    struct job *again = make(JOB_TRY, "shop", "t1", TRY_100);
    struct job *other = make(JOB_TRY, "shop", "t1", TRY_OTHER);
    struct job *post = make(JOB_TRANSFER, "shop", "t1", TRY_100);
    struct job *foreign = make(JOB_TRY, "billing", "t1", TRY_100);
    struct job *all[] = {try, again, other, post, foreign};
    store(all, 5);
    undecided(try, "accepted only");
    transfer_row("t1", "held", try->id, "shop", "");
    hold_flow("t1", try->id);
    applied(try, "\"state\":\"held\"", "decided by its own event");
    applied(again, "\"state\":\"held\"", "the same content");
    undecided(other, "another timeout: the ledger will reject it");
    undecided(post, "another command");
    undecided(foreign, "another caller");
    decision_row(other->id, 0, "try", "rejected", "exists_with_different_content");
    decision_row(foreign->id, 0, "try", "rejected", "exists_for_another_caller");
    rejected(other, "exists_with_different_content", "once it has");
    rejected(foreign, "exists_for_another_caller", "once it has");

    /* Somebody confirms before those who wait have looked. */
    transfer_row("t1", "confirmed", "some-event-of-somebody", "shop", "");
    applied(try, "\"state\":\"confirmed\"", "overtaken, but it was applied");
    applied(again, "\"confirmed_amount\":60", "a repetition after the confirmation");
    undecided(post, "still another command");
    stack_sql(st.conn, "DELETE FROM account_command_outbox WHERE id = '%s'", try->id);
    undecided(again, "the first one's row is gone: nobody can tell any more");
}

/* Asked, and asked again. */
static void store_twice(struct job *jobs[2], enum job_kind kind, const char *payload)
{
    jobs[0] = make(kind, "shop", "t1", payload);
    jobs[1] = make(kind, "shop", "t1", payload);
    store(jobs, 2);
}

Test(gateway_results, a_rejection_is_remembered)
{
    struct job *jobs[2];
    store_twice(jobs, JOB_TRY, TRY_100);
    transfer_row("t1", "rejected", jobs[0]->id, "shop", "insufficient_funds");
    decision_row(jobs[0]->id, 0, "try", "rejected", "insufficient_funds");
    rejected(jobs[0], "insufficient_funds", "its own");
    rejected(jobs[1], "insufficient_funds", "the same content gets the same answer");
}

#define CONFIRM_ALL "{\"transfer_id\": \"t1\", \"debit\": \"a\"}"
#define CONFIRM_60 "{\"transfer_id\": \"t1\", \"debit\": \"a\", \"amount\": 60}"
#define CONFIRM_C "{\"transfer_id\": \"t1\", \"debit\": \"c\", \"amount\": 60}"

Test(gateway_results, confirmations_and_cancellations_in_every_state)
{
    static const char *const states[] = {"held",   "confirmed", "cancelled",      "expired",
                                         "posted", "rejected",  "cancelled_empty"};
    struct job *own = make(JOB_CONFIRM, "shop", "t1", CONFIRM_60);
    struct job *same = make(JOB_CONFIRM, "shop", "t1", CONFIRM_60);
    struct job *whole = make(JOB_CONFIRM, "shop", "t1", CONFIRM_ALL);
    struct job *wrong = make(JOB_CONFIRM, "shop", "t1", CONFIRM_C);
    struct job *foreign = make(JOB_CONFIRM, "billing", "t1", CONFIRM_60);
    struct job *cancel = make(JOB_CANCEL, "shop", "t1", CONFIRM_ALL);
    struct job *cancel_wrong = make(JOB_CANCEL, "shop", "t1", CONFIRM_C);
    struct job *all[] = {own, same, whole, wrong, foreign, cancel, cancel_wrong};
    store(all, 7);
    undecided(own, "no transfer yet");
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        bool cancelled = strncmp(states[i], "cancelled", 9) == 0;
        transfer_row("t1", states[i], "another-event", "shop", "");
        if (strcmp(states[i], "confirmed") == 0) {
            applied(same, "\"confirmed_amount\":60", "the same amount");
        } else {
            undecided(same, states[i]);
        }
        undecided(whole, states[i]); /* 100 is not 60 */
        undecided(wrong, states[i]);
        undecided(foreign, states[i]);
        undecided(cancel_wrong, states[i]);
        if (cancelled) {
            applied(cancel, "\"state\":\"cancelled", states[i]);
        } else {
            undecided(cancel, states[i]);
        }
    }
    transfer_row("t1", "confirmed", own->id, "shop", "");
    applied(own, "\"state\":\"confirmed\"", "its own event");
    decision_row(whole->id, 0, "confirm", "rejected", "hold_confirmed_with_different_amount");
    rejected(whole, "hold_confirmed_with_different_amount", "as the ledger says");
    decision_row(cancel->id, 0, "cancel", "applied", "");
    applied(cancel, "\"transfer_id\":\"t1\"", "an empty cancellation has a decision");
}

#define SET                                                                                                         \
    "{\"transfers\": [{\"transfer_id\": \"t1\", \"debit\": \"a\", \"credit\": \"b\", \"amount\": 1, \"currency\": " \
    "\"CNY\"}, "                                                                                                    \
    "{\"transfer_id\": \"t2\", \"debit\": \"b\", \"credit\": \"c\", \"amount\": 1, \"currency\": \"CNY\"}]}"

Test(gateway_results, a_set_is_answered_as_a_whole)
{
    struct job *set = make(JOB_LINKED, "shop", "t1", SET);
    struct job *again = make(JOB_LINKED, "shop", "t1", SET);
    struct job *alone = make(JOB_TRANSFER, "shop", "t1", TRY_100);
    struct job *all[] = {set, again, alone};
    store(all, 3);
    undecided(set, "accepted only");
    transfer_row("t1", "posted", set->id, "shop", "");
    transfer_row("t2", "posted", set->id, "shop", "");
    applied(set, "\"transfer_id\":\"t2\"", "all members are shown");
    applied(again, "{\"transfers\" : [", "the same set");
    undecided(alone, "one of them alone is other content");
}

Test(gateway_results, a_refused_set_says_which_reason_counted)
{
    struct job *jobs[2];
    store_twice(jobs, JOB_LINKED, SET);
    transfer_row("t1", "rejected", jobs[0]->id, "shop", "linked_failed");
    transfer_row("t2", "rejected", jobs[0]->id, "shop", "insufficient_funds");
    decision_row(jobs[0]->id, 0, "linked", "rejected", "linked_failed");
    decision_row(jobs[0]->id, 1, "linked", "rejected", "insufficient_funds");
    rejected(jobs[0], "insufficient_funds", "not linked_failed");
    rejected(jobs[1], "insufficient_funds", "the same for the repetition");
}

static void account_row(const char *more)
{
    stack_sql(st.conn,
              "INSERT INTO account_slots (account_id, slot, currency, exponent, kind, no_negative, max_balance) VALUES "
              "('a', 0, 'CNY', 2, 'user', true, 1000) ON CONFLICT (account_id, slot) DO UPDATE SET %s",
              more);
}

Test(gateway_results, opening_again_and_setting)
{
    struct job *open =
        make(JOB_OPEN, "shop", "a",
             "{\"account_id\": \"a\", \"currency\": \"CNY\", \"no_negative\": true, \"max_balance\": 1000}");
    struct job *plain = make(JOB_OPEN, "shop", "a", "{\"account_id\": \"a\", \"currency\": \"CNY\"}");
    struct job *set = make(JOB_SET, "shop", "a", "{\"account_id\": \"a\", \"no_negative\": true}");
    struct job *all[] = {open, plain, set};
    static const char *const changes[] = {"max_balance = 999",  "max_balance = NULL", "no_negative = false",
                                          "credit_only = true", "debit_only = true",  "kind = 'merchant'",
                                          "exponent = 3",       "currency = 'USD'",   "status = 'frozen'"};
    store(all, 3);
    undecided(open, "accepted only");
    account_row("version = 0");
    applied(open, "\"max_balance\":1000", "it is as it is asked for");
    undecided(plain, "it is not");
    undecided(set, "settings always have a decision");
    decision_row(set->id, 0, "set", "applied", "");
    applied(set, "\"account_id\":\"a\"", "decided");
    decision_row(plain->id, 0, "open", "rejected", "account_exists_with_different_content");
    rejected(plain, "account_exists_with_different_content", "decided");
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        account_row("version = 0");
        account_row(changes[i]);
        undecided(open, changes[i]);
        stack_sql(st.conn, "DELETE FROM account_slots");
    }
}

Test(gateway_results, one_query_answers_many)
{
    enum { N = 300 };
    struct job *jobs[N];
    char ids[N][16];
    struct seen seen = {0};
    for (size_t i = 0; i < N; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "m%zu", i);
        jobs[i] = make(JOB_TRY, "shop", ids[i], TRY_100);
    }
    store(jobs, N);
    for (size_t i = 0; i < N; i += 3) {
        transfer_row(ids[i], "held", jobs[i]->id, "shop", "");
    }
    cr_assert_eq(results_read(&session, jobs, N, on_result, &seen, &err), RC_OK, "%s", err.text);
    cr_assert_eq(seen.n, N / 3);
}
