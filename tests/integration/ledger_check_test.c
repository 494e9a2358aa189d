/* SPDX-License-Identifier: Apache-2.0 */
/* Each invariant is seen to catch: a clean ledger, one row changed by hand, and the checker names invariant and row. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ledger_check/check.h"
#include "pg/conn.h"
#include "support/ledger_sql.h"
#include "support/stack.h"

static struct stack st;
static struct check_report report;

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    ledger_sql_load(st.conn);
    stack_sql(st.conn, "SELECT l_example()");
    /* What only a constraint forbids today may be wrong in a table that was restored without it. */
    stack_sql(st.conn, "DO $$ DECLARE c record; BEGIN FOR c IN SELECT conrelid::regclass AS t, conname AS n"
                       " FROM pg_constraint WHERE contype = 'c' AND conrelid::regclass::text ~ '^(account|payment)_'"
                       " LOOP EXECUTE format('ALTER TABLE %%s DROP CONSTRAINT %%I', c.t, c.n); END LOOP; END $$");
}

static void teardown(void)
{
    check_report_done(&report);
    stack_close(&st);
}

TestSuite(ledger_check, .init = setup, .fini = teardown);

static void check(unsigned only)
{
    const struct check_options opt = {.url = st.url, .only = only};
    struct err err;

    enum rc rc = RC_RETRY;

    for (int i = 0; i < 3 && rc == RC_RETRY; i++) { /* a server that is too busy to answer */
        check_report_done(&report);
        rc = check_run(&opt, &report, &err);
    }
    cr_assert_eq(rc, RC_OK, "%s %s", err.code, err.text);
}

static char *all_findings(void)
{
    struct buf out;

    buf_init(&out, (size_t)1 << 20);
    for (int i = 0; i < CHECKS; i++) {
        for (size_t k = 0; k < report.results[i].n; k++) {
            const struct check_finding *f = &report.results[i].findings[k];
            buf_printf(&out, "%s %s: %s: expected %s, found %s\n", CHECK_ABOUT[i].name, f->where, f->what, f->expected,
                       f->found);
        }
    }
    return buf_take(&out);
}

Test(ledger_check, a_clean_ledger_is_clean)
{
    check(0);
    char *found CLEANUP(freep) = all_findings();
    cr_assert_eq(check_offenders(&report), 0, "%s", found);
    cr_assert_eq(report.accounts, 8);
    cr_assert_eq(report.slots, stack_int(st.conn, "SELECT count(*) FROM account_slots"));
    cr_assert_eq(report.flows, stack_int(st.conn, "SELECT count(*) FROM account_flows"));
    cr_assert_eq(report.transfers, stack_int(st.conn, "SELECT count(*) FROM account_transfers"));
    cr_assert_eq(report.payments, 2);
    cr_assert_eq(report.transitions, 6);
}

Test(ledger_check, an_empty_ledger_is_clean)
{
    stack_sql(st.conn, "TRUNCATE account_slots, account_flows, account_transfers, account_decisions, account_journal,"
                       " payment_transactions, payment_state_transitions, payment_refunds");
    check(0);
    cr_assert_eq(check_offenders(&report), 0);
}

#define ALICE_1 "account_id = 'alice' AND slot = 0 AND version = 1"
#define ALICE_3 "account_id = 'alice' AND slot = 0 AND version = 3"

/* One hand in the tables; the invariant that must see it, and what the offender is called. */
static const struct {
    enum check_id id;
    const char *where;
    const char *sql;
} TAMPERINGS[] = {
    {CHECK_I1, "transfer fund-alice", "UPDATE account_flows SET amount = amount + 1 WHERE " ALICE_1},
    {CHECK_I1, "transfer fund-alice", "DELETE FROM account_flows WHERE " ALICE_1},
    {CHECK_I1, "currency CNY", "UPDATE account_slots SET balance = balance + 1 WHERE account_id = 'bob'"},
    {CHECK_I1, "currency JPY", "UPDATE account_flows SET amount = 6 WHERE account_id = 'fees'"},
    {CHECK_I1, "currency JPY", "UPDATE account_slots SET currency = 'JPY' WHERE account_id = 'bob'"},
    {CHECK_I1, "transfer merge:",
     "UPDATE account_flows SET amount = amount - 7 WHERE kind = 'merge' AND account_id = 'shop' AND slot = 0"},

    {CHECK_I2, "account bob slot 0", "UPDATE account_slots SET balance = balance + 1 WHERE account_id = 'bob'"},
    {CHECK_I2, "account bob slot 0", "UPDATE account_slots SET frozen = frozen + 1 WHERE account_id = 'bob'"},
    {CHECK_I2, "account bob slot 0", "UPDATE account_slots SET incoming = incoming + 1 WHERE account_id = 'bob'"},
    {CHECK_I2, "account bob slot 0", "UPDATE account_slots SET version = version + 1 WHERE account_id = 'bob'"},
    {CHECK_I2, "account alice slot 0 version 4", "DELETE FROM account_flows WHERE " ALICE_3},
    {CHECK_I2, "account alice slot 0 version 3",
     "UPDATE account_flows SET balance_after = balance_after + 1 WHERE " ALICE_3},
    {CHECK_I2, "account alice slot 0 version 3",
     "UPDATE account_flows SET frozen_after = frozen_after + 1 WHERE " ALICE_3},
    {CHECK_I2, "account alice slot 0 version 3", "UPDATE account_flows SET incoming_after = 5 WHERE " ALICE_3},
    {CHECK_I2, "account alice slot 0 version 3", "UPDATE account_flows SET currency = 'JPY' WHERE " ALICE_3},
    {CHECK_I2, "account shop slot 4", "DELETE FROM account_slots WHERE account_id = 'shop' AND slot = 4"},
    {CHECK_I2, "account shop slot 4", "DELETE FROM account_slots WHERE account_id = 'shop' AND slot = 0"},
    {CHECK_I2, "account empty slot 0",
     "INSERT INTO account_flows SELECT gen_random_uuid(), 'empty', slot, version, kind, amount, balance_after,"
     " frozen_delta, frozen_after, incoming_delta, incoming_after, currency, counter_account, transfer_id, event_id,"
     " reference, effective_at, booked_at, hash FROM account_flows WHERE " ALICE_1},

    {CHECK_I3, "account alice slot 0 version 2",
     "UPDATE account_flows SET balance_after = 600 WHERE account_id = 'alice' AND version = 2"},
    {CHECK_I3, "account alice slot 0 version 1", "UPDATE account_flows SET balance_after = 100001 WHERE " ALICE_1},
    {CHECK_I3, "account bob slot 0 version ",
     "UPDATE account_decisions SET decision = replace(decision,"
     " '\"status\": \"open\"', '\"status\": \"frozen\"') WHERE account_id ="
     " 'bob' AND command = 'open'"},
    {CHECK_I3, "account alice slot 0", "UPDATE account_slots SET frozen = frozen - 1 WHERE account_id = 'alice'"},
    {CHECK_I3, "account alice slot 0",
     "UPDATE account_transfers SET amount = amount + 1 WHERE transfer_id = 'open-hold'"},
    {CHECK_I3, "account shop slot 0", "UPDATE account_transfers SET credit_slot = 4 WHERE transfer_id = 'open-hold'"},
    {CHECK_I3, "account alice slot 0", "UPDATE account_slots SET max_balance = 5000000 WHERE account_id = 'alice'"},
    {CHECK_I3, "account alice slot 0", "UPDATE account_slots SET status = 'frozen' WHERE account_id = 'alice'"},
    {CHECK_I3, "account alice slot 0", "DELETE FROM account_decisions WHERE account_id = 'alice' AND command = 'open'"},
    {CHECK_I3, "account bob slot 0",
     "DELETE FROM account_decisions WHERE account_id = 'bob' AND decision LIKE '%\"settings_version\": 2%'"},
    {CHECK_I3, "account alice",
     "UPDATE account_decisions SET decision = 'broken' WHERE account_id = 'alice' AND"
     " command = 'open'"},
    {CHECK_I3, "account nobody",
     "SELECT l_decide('e-x', 'nobody', NULL, 'set', 'applied', NULL, '{\"status\": \"open\", \"settings_version\": 2,"
     " \"flows\": 0}')"},
    {CHECK_I3, "account zz",
     "SELECT l_decide('e-x', 'zz', NULL, 'set', 'applied', NULL, '{\"status\": \"open\", \"settings_version\": 2,"
     " \"flows\": 0}')"},
    {CHECK_I3, "account shop slot 4",
     "UPDATE account_slots SET no_negative = false WHERE account_id = 'shop' AND slot = 4"},
    {CHECK_I3, "account shop slot 4", "UPDATE account_slots SET balance = 1 WHERE account_id = 'shop' AND slot = 4"},

    {CHECK_I4, "transfer open-hold",
     "UPDATE account_transfers SET state = 'confirmed', confirmed_amount = 700 WHERE transfer_id = 'open-hold'"},
    {CHECK_I4, "transfer cancelled", "UPDATE account_transfers SET state = 'held' WHERE transfer_id = 'cancelled'"},
    {CHECK_I4, "transfer cancelled", "UPDATE account_transfers SET state = 'expired' WHERE transfer_id = 'cancelled'"},
    {CHECK_I4, "transfer cancelled",
     "SELECT l_resolve('cancelled', 'confirm', 1);"
     "UPDATE account_transfers SET state = 'cancelled' WHERE transfer_id = 'cancelled'"},
    {CHECK_I4, "transfer confirmed-whole", "SELECT l_resolve('confirmed-whole', 'confirm', 900)"},
    {CHECK_I4, "transfer confirmed-part",
     "UPDATE account_transfers SET confirmed_amount = 700 WHERE transfer_id = 'confirmed-part'"},
    {CHECK_I4, "transfer confirmed-part",
     "UPDATE account_transfers SET confirmed_amount = NULL WHERE transfer_id = 'confirmed-part'"},
    {CHECK_I4, "transfer fund-alice", "UPDATE account_transfers SET amount = 1 WHERE transfer_id = 'fund-alice'"},
    {CHECK_I4, "transfer fund-alice", "DELETE FROM account_transfers WHERE transfer_id = 'fund-alice'"},
    {CHECK_I4, "transfer fund-alice",
     "UPDATE account_transfers SET credit_account = 'bob' WHERE transfer_id = 'fund-alice'"},
    {CHECK_I4, "transfer fund-alice", "UPDATE account_transfers SET debit_slot = 4 WHERE transfer_id = 'fund-alice'"},
    {CHECK_I4, "transfer fund-alice",
     "UPDATE account_transfers SET event_id = 'other' WHERE transfer_id = 'fund-alice'"},
    {CHECK_I4, "transfer fund-alice", "UPDATE account_transfers SET currency = 'JPY' WHERE transfer_id = 'fund-alice'"},
    {CHECK_I4,
     "transfer merge:", "UPDATE account_flows SET frozen_delta = frozen_delta + 1 WHERE kind = 'merge' AND slot = 0"},

    {CHECK_I5, "group sluice-account topic account.commands partition 0 day",
     "UPDATE account_journal SET records = records + 1"},
    {CHECK_I5, "group sluice-account topic account.commands partition 0 day",
     "UPDATE account_journal SET records = records + 1, duplicates = duplicates + 1 WHERE topic = 'account.commands'"},
    {CHECK_I5, "group sluice-account topic account.commands partition 0 day",
     "INSERT INTO account_journal SELECT \"group\", topic, partition, day + 1, hi - 1, hi + 3, 1, 0, 1, 0, 0 FROM"
     " account_journal WHERE topic = 'account.commands';"
     "UPDATE sluice_positions SET next_offset = next_offset + 100"},
    {CHECK_I5, "group sluice-account topic payment.events partition 0",
     "UPDATE sluice_positions SET next_offset = next_offset - 1 WHERE topic = 'payment.events'"},
    {CHECK_I5, "group sluice-account topic payment.events partition 0",
     "DELETE FROM sluice_positions WHERE topic = 'payment.events'"},
    {CHECK_I5, "group sluice-account topic account.commands partition 0 day",
     "UPDATE account_journal SET dead = dead + 1, duplicates = duplicates - 1 WHERE topic = 'account.commands'"},
    {CHECK_I5, "group sluice-account topic account.commands partition 0 day",
     "INSERT INTO dead_letter_outbox (topic, headers) VALUES ('account.dlq', '[[\"__dlq.errors.group\","
     " \"sluice-account\"], [\"__dlq.errors.topic\", \"account.commands\"], [\"__dlq.errors.partition\", \"0\"],"
     " [\"__dlq.errors.offset\", \"1\"]]')"},
    {CHECK_I5, "topic account.commands",
     "UPDATE account_journal SET applied = applied - 1, duplicates = duplicates + 1 WHERE topic = 'account.commands'"},
    {CHECK_I5, "topic account.commands", "DELETE FROM account_decisions WHERE command = 'cancel'"},
    {CHECK_I5, "topic account.commands",
     "SELECT l_decide('e-x', 'alice', NULL, 'set', 'rejected', 'account_closed', '{}')"},
    {CHECK_I5, "topic payment.events",
     "UPDATE account_journal SET applied = applied - 1, duplicates = duplicates + 1 WHERE topic = 'payment.events'"},

    {CHECK_I6, "account alice slot 0 version 3", "UPDATE account_flows SET queue_seq = NULL WHERE " ALICE_3},
    {CHECK_I6, "account alice slot 0 version 3", "UPDATE account_flows SET queue_txid = NULL WHERE " ALICE_3},
    {CHECK_I6, "account alice slot 0 version 3", "UPDATE account_flows SET id = gen_random_uuid() WHERE " ALICE_3},
    {CHECK_I6, "account alice slot 0 version 1, account alice slot 0 version 3",
     "UPDATE account_flows SET queue_seq = (SELECT queue_seq FROM account_flows WHERE " ALICE_1 ") WHERE " ALICE_3},
    {CHECK_I6, "account suspense:demo:CNY slot 1 version 1, decision ",
     "UPDATE account_decisions SET queue_seq = (SELECT max(queue_seq) FROM account_flows) WHERE command = 'cancel'"},
    {CHECK_I6, "decision ", "UPDATE account_decisions SET queue_txid = NULL WHERE command = 'cancel'"},
    {CHECK_I6, "decision ", "UPDATE account_decisions SET id = gen_random_uuid() WHERE command = 'cancel'"},

    {CHECK_I7, "payment order-2 version 3",
     "DELETE FROM payment_state_transitions WHERE payment_id = 'order-2' AND version = 2"},
    {CHECK_I7, "payment order-2 version 4",
     "INSERT INTO payment_state_transitions SELECT payment_id, version + 1, from_state, to_state, event_id, event_type"
     " FROM payment_state_transitions WHERE payment_id = 'order-2' AND version = 3"},
    {CHECK_I7, "payment order-1 version 2",
     "UPDATE payment_state_transitions SET to_state = 'EXPIRED' WHERE payment_id = 'order-1' AND version = 2"},
    {CHECK_I7, "payment order-1 version 3",
     "UPDATE payment_state_transitions SET from_state = 'PENDING' WHERE payment_id = 'order-1' AND version = 3"},
    {CHECK_I7, "payment order-1 version 1",
     "UPDATE payment_state_transitions SET event_type = 'nonsense' WHERE payment_id = 'order-1' AND version = 1"},
    {CHECK_I7, "payment order-1", "UPDATE payment_transactions SET state = 'REFUNDED' WHERE payment_id = 'order-1'"},
    {CHECK_I7, "payment order-1", "UPDATE payment_transactions SET version = 9 WHERE payment_id = 'order-1'"},
    {CHECK_I7, "payment order-1", "DELETE FROM payment_transactions WHERE payment_id = 'order-1'"},
    {CHECK_I7, "payment order-1", "UPDATE payment_transactions SET refunded_amount = 999 WHERE payment_id = 'order-1'"},
    {CHECK_I7, "payment order-1", "UPDATE payment_transactions SET amount = 999 WHERE payment_id = 'order-1'"},
    {CHECK_I7, "payment order-1", "UPDATE payment_refunds SET amount = 1001"},
    {CHECK_I7, "payment ghost refund r9",
     "INSERT INTO payment_refunds VALUES ('ghost', 'r9', 1, 'CNY', 'order', 'e9', now())"},

    {CHECK_I8, "transfer fund-alice",
     "UPDATE account_transfers SET state = 'rejected', code = 'insufficient_funds' WHERE transfer_id = 'fund-alice'"},
    {CHECK_I8, "transfer expired",
     "UPDATE account_transfers SET state = 'cancelled_empty' WHERE transfer_id = 'expired'"},
    {CHECK_I8, "transfer too-much", "DELETE FROM account_decisions WHERE transfer_id = 'too-much'"},
    {CHECK_I8, "transfer never-tried", "DELETE FROM account_decisions WHERE transfer_id = 'never-tried'"},
    {CHECK_I8, "transfer too-much", "UPDATE account_transfers SET code = NULL WHERE transfer_id = 'too-much'"},
    {CHECK_I8, "transfer fund-alice",
     "SELECT l_decide((SELECT event_id FROM account_transfers WHERE transfer_id = 'fund-alice'), 'alice', 'fund-alice',"
     " 'transfer', 'rejected', 'insufficient_funds', '{}')"},
    {CHECK_I8, "decision ", "UPDATE account_decisions SET code = NULL WHERE transfer_id = 'too-much'"},
    {CHECK_I8, "decision ", "UPDATE account_decisions SET code = 'x' WHERE command = 'open' AND account_id = 'alice'"},

    {CHECK_I9, "account alice slot 0 version 3", "UPDATE account_flows SET hash = sha256('x') WHERE " ALICE_3},
    {CHECK_I9, "account alice slot 0 version 4", "UPDATE account_flows SET hash = sha256('x') WHERE " ALICE_3},
    {CHECK_I9, "account alice slot 0 version 3", "UPDATE account_flows SET hash = '\\x00' WHERE " ALICE_3},
    {CHECK_I9, "account alice slot 0 version 3", "UPDATE account_flows SET amount = amount + 1 WHERE " ALICE_3},
    {CHECK_I9, "account alice slot 0 version 3", "UPDATE account_flows SET transfer_id = 'jpy-1' WHERE " ALICE_3},
    {CHECK_I9, "account alice slot 0 version 3", "UPDATE account_flows SET event_id = 'other' WHERE " ALICE_3},
    {CHECK_I9, "account alice slot 0 version 3",
     "UPDATE account_flows SET effective_at = effective_at + interval '1 microsecond' WHERE " ALICE_3},
    {CHECK_I9, "account alice slot 0 version 4", "DELETE FROM account_flows WHERE " ALICE_3},
    {CHECK_I9, "account bob slot 0", "UPDATE account_slots SET hash = sha256('x') WHERE account_id = 'bob'"},
    {CHECK_I9, "account alice slot 0 version 1",
     "UPDATE account_flows f SET hash = o.hash FROM account_flows o WHERE f.account_id = 'alice' AND f.version IN (1, "
     "2)"
     " AND o.account_id = 'alice' AND o.version = 3 - f.version"},

    {CHECK_I12, "account suspense:demo:CNY",
     "UPDATE payment_transactions SET suspense_amount = 0 WHERE payment_id = 'order-2'"},
    {CHECK_I12, "account suspense:demo:CNY",
     "UPDATE account_flows SET amount = 400 WHERE account_id = 'suspense:demo:CNY'"},
    {CHECK_I12, "currency CNY", "UPDATE payment_transactions SET suspense_amount = 5 WHERE payment_id = 'order-1'"},
};

static bool names(enum check_id id, const char *where)
{
    for (size_t k = 0; k < report.results[id].n; k++) {
        if (strstr(report.results[id].findings[k].where, where) == report.results[id].findings[k].where) {
            return true;
        }
    }
    return false;
}

Test(ledger_check, every_hand_in_the_tables_is_seen_and_named)
{
    stack_sql(st.conn, "SELECT l_save()");
    for (size_t i = 0; i < ARRAY_SIZE(TAMPERINGS); i++) {
        stack_sql(st.conn, "%s", TAMPERINGS[i].sql);
        check(0);
        char *found CLEANUP(freep) = all_findings();
        cr_expect(names(TAMPERINGS[i].id, TAMPERINGS[i].where), "%zu: %s\nnot named: %s %s; but\n%s", i,
                  TAMPERINGS[i].sql, CHECK_ABOUT[TAMPERINGS[i].id].name, TAMPERINGS[i].where, found);
        stack_sql(st.conn, "SELECT l_restore()");
    }
    check(0);
    char *found CLEANUP(freep) = all_findings();
    cr_assert_eq(check_offenders(&report), 0, "%s", found);
}

Test(ledger_check, only_ten_offenders_are_kept_and_all_are_counted)
{
    stack_sql(st.conn, "UPDATE account_flows SET hash = sha256('x')");
    check(1U << CHECK_I9);
    cr_assert_eq(report.results[CHECK_I9].n, CHECK_FINDINGS_MAX);
    cr_assert_gt(report.results[CHECK_I9].offenders, CHECK_FINDINGS_MAX);
    cr_assert_not(report.results[CHECK_I2].judged);
    stack_sql(st.conn, "UPDATE account_decisions SET queue_seq = NULL");
    check(1U << CHECK_I6);
    int64_t rows = stack_int(st.conn, "SELECT count(*) FROM account_decisions");
    cr_assert_gt(report.results[CHECK_I6].offenders, rows);
}

Test(ledger_check, what_commits_meanwhile_is_not_seen)
{
    PGconn *other = stack_session(&st, false);

    stack_sql(other, "BEGIN; SELECT l_post('late', 'alice', 'empty', 5)");
    check(0);
    cr_assert_eq(check_offenders(&report), 0);
    stack_sql(other, "COMMIT");
    check(0);
    cr_assert_eq(check_offenders(&report), 0);
    pg_close(other);
}
