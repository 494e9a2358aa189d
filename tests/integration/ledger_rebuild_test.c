/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger from its log: from a whole one the same to the last hash, from a damaged one the damage by name. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kafka/producer.h"
#include "ledger_check/digest.h"
#include "ledger_rebuild/rebuild.h"
#include "pg/conn.h"
#include "support/ledger_sql.h"
#include "support/stack.h"

/* Rows as records in JSON, in the order in which they were queued. */
#define MICROS(column) "(extract(epoch FROM " column ") * 1000000)::bigint"
static const char RECORDS[] =
    "SELECT json_build_object('flow_id', id, 'account_id', account_id, 'slot', slot, 'version', version, 'kind', kind,"
    " 'amount', amount, 'balance_after', balance_after, 'frozen_delta', frozen_delta, 'frozen_after', frozen_after,"
    " 'incoming_delta', incoming_delta, 'incoming_after', incoming_after, 'currency', currency, 'counter_account',"
    " counter_account, 'transfer_id', transfer_id, 'event_id', event_id, 'reference', reference, "
    "'effective_at', " MICROS("effective_at") ", 'booked_at', " MICROS(
        "booked_at") ", 'hash', hash::text, 'decision', decision, 'queue_seq',"
                     " queue_seq), queue_seq AS seq FROM account_flows UNION ALL SELECT "
                     "json_build_object('decision_id', id, 'event_id',"
                     " event_id, 'ordinal', ordinal, 'account_id', account_id, 'transfer_id', transfer_id, 'command', "
                     "command, 'outcome',"
                     " outcome, 'code', code, 'decision', decision, 'decided_at', " MICROS(
                         "decided_at") ", 'queue_seq', queue_seq),"
                                       " queue_seq FROM account_decisions ORDER BY seq";

#define TABLES "account_slots, account_flows, account_transfers, account_decisions"

static struct stack st;
static struct err err;
static struct rebuild_report report;
static PGresult *records;
static struct digests before;
static char *topic;

static void read_digests(struct digests *out)
{
    stack_sql(st.conn, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    cr_assert_eq(digest_ledger(st.conn, DIGESTS, NULL, out, &err), RC_OK, "%s", err.text);
    stack_sql(st.conn, "COMMIT");
}

/* The example's ledger is there, its records are in memory. */
static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    ledger_sql_load(st.conn);
    stack_sql(st.conn, "SELECT l_example()");
    cr_assert_eq(pg_exec(st.conn, RECORDS, &records, &err), RC_OK, "%s", err.text);
    read_digests(&before);
    stack_sql(st.conn, "TRUNCATE " TABLES);
}

static void teardown(void)
{
    rebuild_report_done(&report);
    PQclear(records);
    free(topic);
    topic = NULL;
    stack_close(&st);
}

TestSuite(ledger_rebuild, .init = setup, .fini = teardown);

/* What changes the log: NULL leaves the record out. */
typedef const char *(*change_fn)(int i, const char *record);

static void publish(change_fn change, int times)
{
    struct producer *p = stack_producer(&st, "rebuild", NULL, NULL);

    topic = stack_topic(&st, "account.flows", 1, NULL);
    for (int k = 0; k < times; k++) {
        cr_assert_eq(producer_begin(p, &err), RC_OK, "%s", err.text);
        for (int i = 0; i < PQntuples(records); i++) {
            const char *record = pg_text(records, i, 0);
            record = change != NULL ? change(i, record) : record;
            if (record != NULL) {
                cr_assert_eq(stack_send(p, topic, 0, "k", record, i, &err), RC_OK, "%s", err.text);
            }
        }
        cr_assert_eq(producer_commit(p, &err), RC_OK, "%s", err.text);
    }
    producer_destroy(p);
}

static enum rc rebuild(void)
{
    const struct rebuild_options opt = {.cfg = st.cfg, .into = st.url, .alone = true};

    enum rc rc = RC_RETRY;

    for (int i = 0; i < 3 && rc == RC_RETRY; i++) { /* a server that is too busy to answer; nothing was written then */
        rebuild_report_done(&report);
        rc = rebuild_run(&opt, &report, &err);
    }
    return rc;
}

static void expect_equal(void)
{
    struct digests after;

    read_digests(&after);
    for (int i = 0; i < DIGESTS; i++) {
        cr_expect_eq(after.rows[i], before.rows[i], "%s", DIGEST_NAMES[i]);
        cr_expect_str_eq(after.sha256[i], before.sha256[i], "%s", DIGEST_NAMES[i]);
        cr_expect_str_eq(report.rebuilt.sha256[i], before.sha256[i], "%s", DIGEST_NAMES[i]);
    }
}

static void expect_found(const char *where, const char *what)
{
    for (int64_t i = 0; i < report.log.n && i < REBUILD_FINDINGS_MAX; i++) {
        if (strcmp(report.log.first[i].where, where) == 0 && strstr(report.log.first[i].what, what) != NULL) {
            return;
        }
    }
    cr_expect_fail("not found: %s: %s; first: %s: %s", where, what,
                   report.log.n > 0 ? report.log.first[0].where : "nothing",
                   report.log.n > 0 ? report.log.first[0].what : "");
}

Test(ledger_rebuild, a_whole_log_gives_the_same_ledger)
{
    publish(NULL, 1);
    cr_assert_eq(rebuild(), RC_OK, "%s", err.text);
    cr_expect_eq(report.log.n, 0);
    cr_expect_eq(report.again, 0);
    cr_expect_eq(report.flows + report.decisions, PQntuples(records));
    cr_expect_eq(stack_int(st.conn, "SELECT count(*) FROM account_flows WHERE queue_seq IS NULL"), 0);
    /* A hold that was made in a slot and moved to slot 0 when its account was limited. */
    cr_expect_eq(stack_int(st.conn, "SELECT debit_slot FROM account_transfers WHERE transfer_id = 'hold-in-slot'"), 0);
    expect_equal();
    cr_expect_eq(rebuild(), RC_REJECT);
    cr_expect(strstr(err.text, "has a ledger already"), "%s", err.text);
}

Test(ledger_rebuild, records_that_come_twice_are_recognised)
{
    publish(NULL, 2);
    cr_assert_eq(rebuild(), RC_OK, "%s", err.text);
    cr_expect_eq(report.log.n, 0);
    cr_expect_eq(report.again, PQntuples(records));
    expect_equal();
}

Test(ledger_rebuild, numbers_that_were_published_are_not_drawn_again)
{
    publish(NULL, 1);
    stack_sql(st.conn, "SELECT setval('sluice_queue_seq', 1)");
    cr_assert_eq(rebuild(), RC_OK, "%s", err.text);
    cr_expect_gt(stack_int(st.conn, "SELECT nextval('sluice_queue_seq')"),
                 stack_int(st.conn, "SELECT max(queue_seq) FROM account_flows"));
}

Test(ledger_rebuild, a_log_without_its_beginning_is_not_whole)
{
    publish(NULL, 1);
    stack_delete_records(&st, topic, 0, 5);
    cr_assert_eq(rebuild(), RC_OK, "%s", err.text);
    expect_found("partition 0", "does not begin at its beginning");
}

static const char *without_one(int i, const char *record)
{
    (void)i;
    bool it = strstr(record, "\"account_id\" : \"alice\"") && strstr(record, "\"version\" : 3,");
    return it ? NULL : record;
}

Test(ledger_rebuild, a_flow_that_is_missing_is_named)
{
    publish(without_one, 1);
    cr_assert_eq(rebuild(), RC_OK, "%s", err.text);
    expect_found("account alice slot 0 version 4", "flows are missing before it");
    cr_expect_str_neq(report.rebuilt.sha256[DIGEST_FLOWS], before.sha256[DIGEST_FLOWS]);
}

static const char *without_opening(int i, const char *record)
{
    (void)i;
    bool it = strstr(record, "\"account_id\" : \"fees\"") && strstr(record, "decision_id");
    return it ? NULL : record;
}

Test(ledger_rebuild, an_account_that_nobody_opened_is_named)
{
    publish(without_opening, 1);
    cr_assert_eq(rebuild(), RC_OK, "%s", err.text);
    expect_found("account fees", "nobody opened");
}

static char *changed;
static const char *with_a_fork(int i, const char *record)
{
    static const char id[] = "{\"flow_id\" : \"";

    if (i < PQntuples(records) - 1) {
        return record;
    }
    for (int k = 0; k < PQntuples(records); k++) { /* instead of the last one, another third flow of alice */
        const char *other = pg_text(records, k, 0);
        if (without_one(k, other) == NULL) {
            changed = xstrdup(other);
            changed[strlen(id)] = changed[strlen(id)] == '0' ? '1' : '0';
            return changed;
        }
    }
    return NULL;
}

Test(ledger_rebuild, two_flows_for_one_place_are_named)
{
    publish(with_a_fork, 1);
    free(changed);
    cr_assert_eq(rebuild(), RC_OK, "%s", err.text);
    expect_found("account alice slot 0 version 3", "two different flows");
}

static const char *with_noise(int i, const char *record)
{
    return i == 4 ? "{\"flow_id\": 7}" : (i == 6 ? "noise" : record);
}

Test(ledger_rebuild, records_that_cannot_be_read_are_named_and_the_others_count)
{
    publish(with_noise, 1);
    cr_assert_eq(rebuild(), RC_OK, "%s", err.text);
    expect_found("partition 0 offset 4", "cannot be read");
    expect_found("partition 0 offset 6", "cannot be read");
    cr_expect_eq(report.flows + report.decisions, PQntuples(records) - 2);
}

Test(ledger_rebuild, without_a_topic_or_tables_nothing_is_done)
{
    cr_expect_eq(rebuild(), RC_REJECT);
    cr_expect(strstr(err.text, "there is no topic"), "%s", err.text);
    cr_expect_eq(stack_int(st.conn, "SELECT count(*) FROM account_slots"), 0);
    stack_sql(st.conn, "DROP TABLE account_slots CASCADE");
    cr_expect_eq(rebuild(), RC_REJECT);
    cr_expect(strstr(err.text, "sluice migrate"), "%s", err.text);
}
