/* SPDX-License-Identifier: Apache-2.0 */
/* A batch of commands in the tables: every record ends as one of four, and nothing but its own rows tells of it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pg/conn.h"
#include "support/account_rig.h"

#define US_PER_S INT64_C(1000000)

static struct stack st;
static PGconn *db;
static struct rig r;

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    db = st.conn;
    rig_open(&r, &st, 0, 2, NULL);
}

static void teardown(void)
{
    rig_close(&r);
    stack_close(&st);
}

TestSuite(account_batch, .init = setup, .fini = teardown);

#define SLOTS                                                                                                          \
    "SELECT string_agg(concat_ws(':', account_id, slot, balance, frozen, incoming, version), ' ' ORDER BY account_id," \
    " slot) FROM account_slots"
#define TRANSFERS                                                                                    \
    "SELECT string_agg(concat_ws(':', transfer_id, state, code, version), ' ' ORDER BY transfer_id)" \
    " FROM account_transfers"
#define FLOWS                                                                                                          \
    "SELECT string_agg(concat_ws(':', account_id, version, kind, amount, balance_after, frozen_after, incoming_after," \
    " counter_account, transfer_id), ' ' ORDER BY account_id, slot, version) FROM account_flows"
#define JOURNAL                                                                                              \
    "SELECT string_agg(concat_ws(':', partition, lo, hi, records, applied, duplicates, rejected, dead), ' '" \
    " ORDER BY partition) FROM account_journal WHERE \"group\" = '" RIG_GROUP "' AND topic = '" RIG_TOPIC "'"
/* All that a batch decides but the times of booking; the hashes chain everything that moved. */
#define DIGEST                                                                                                   \
    "SELECT md5(string_agg(x, ' ' ORDER BY x)) FROM ("                                                           \
    " SELECT concat_ws(':', 's', account_id, slot, currency, status, no_negative, max_balance, balance, frozen," \
    "  incoming, version, hash, settings_version) AS x FROM account_slots"                                       \
    " UNION ALL SELECT concat_ws(':', 't', transfer_id, state, version, code, debit_slot, credit_slot, amount,"  \
    "  confirmed_amount, content_hash, event_id, effective_at) FROM account_transfers"                           \
    " UNION ALL SELECT concat_ws(':', 'f', account_id, slot, version, hash) FROM account_flows"                  \
    " UNION ALL SELECT concat_ws(':', 'd', id, outcome, code) FROM account_decisions) d"

static void open_accounts(uint32_t part)
{
    rig_add(&r, part, "o-bank", "open", "{\"account_id\":\"bank\",\"currency\":\"CNY\",\"kind\":\"system\"}", 0);
    rig_add(&r, part, "o-a", "open", "{\"account_id\":\"a\",\"currency\":\"CNY\",\"no_negative\":true}", 0);
    rig_add(&r, part, "o-b", "open", "{\"account_id\":\"b\",\"currency\":\"CNY\",\"no_negative\":true}", 0);
}

Test(account_batch, applied_duplicate_rejected_and_dead_side_by_side)
{
    open_accounts(0);
    rig_transfer(&r, 0, "t1", "bank", "a", 1000);
    rig_transfer(&r, 0, "t1", "bank", "a", 1000);
    rig_transfer(&r, 0, "t2", "a", "b", 5000);
    rig_add_value(&r, 0, "{\"no\":\"command\"}");
    rig_transfer(&r, 1, "t3", "a", "b", 300);
    rig_must(&r, 0);
    stack_expect(db, "slots", SLOTS, "a:0:700:0:0:2 b:0:300:0:0:1 bank:0:-1000:0:0:1");
    stack_expect(db, "transfers", TRANSFERS, "t1:posted:1 t2:rejected:insufficient_funds:1 t3:posted:1");
    stack_expect(db, "flows", FLOWS,
                 "a:1:post:1000:1000:0:0:bank:t1 a:2:post:-300:700:0:0:b:t3 b:1:post:300:300:0:0:a:t3 "
                 "bank:1:post:-1000:-1000:0:0:a:t1");
    stack_expect(db, "journal", JOURNAL, "0:0:7:7:4:1:1:1 1:0:1:1:1:0:0:0");
    stack_expect(db, "dead letters",
                 "SELECT string_agg(topic || (SELECT h ->> 1 FROM jsonb_array_elements(headers) h WHERE"
                 " h ->> 0 = '__dlq.errors.class'), ' ') FROM dead_letter_outbox",
                 "account.dlqmalformed");
    stack_expect(db, "decisions",
                 "SELECT string_agg(concat_ws(':', event_id, account_id, transfer_id, command, outcome, code),"
                 " ' ' ORDER BY queue_seq) FROM account_decisions",
                 "o-bank:bank:open:applied o-a:a:open:applied o-b:b:open:applied "
                 "e-t2:a:t2:transfer:rejected:insufficient_funds");
    stack_expect(
        db, "on the road, in the order of each account",
        "SELECT bool_and(queue_txid IS NOT NULL)::text || (SELECT bool_and(ok) FROM (SELECT queue_seq >"
        " lag(queue_seq, 1, 0::bigint) OVER (PARTITION BY account_id ORDER BY version) AS ok FROM account_flows) x)"
        " FROM account_flows",
        "truetrue");
    stack_expect(db, "positions", "SELECT string_agg(next_offset::text, ' ' ORDER BY partition) FROM sluice_positions",
                 "7 1");
}

/* From the JSON of the decisions the table can be written anew. */
Test(account_batch, the_decision_has_every_column_of_the_transfer)
{
    int64_t now = stack_int(db, "SELECT (extract(epoch FROM now()) * 1000000)::bigint");

    open_accounts(0);
    rig_transfer(&r, 0, "t1", "bank", "a", 1000);
    rig_add(
        &r, 0, "x1", "try",
        "{\"transfer_id\":\"h1\",\"debit\":\"a\",\"credit\":\"b\",\"amount\":50,\"currency\":\"CNY\",\"timeout_s\":60,"
        "\"reference\":\"a \\\"b\\\" \\n\"}",
        now);
    rig_add(&r, 0, "x2", "confirm", "{\"transfer_id\":\"h1\",\"debit\":\"a\",\"amount\":20}", now);
    rig_add(&r, 0, "x3", "cancel", "{\"transfer_id\":\"h2\",\"debit\":\"a\"}", now);
    rig_transfer(&r, 0, "t2", "a", "b", 5000);
    rig_add(
        &r, 0, "x4", "linked",
        "{\"transfers\":[{\"transfer_id\":\"l1\",\"debit\":\"a\",\"credit\":\"b\",\"amount\":1,\"currency\":\"CNY\"},"
        "{\"transfer_id\":\"l2\",\"debit\":\"b\",\"credit\":\"a\",\"amount\":2,\"currency\":\"CNY\"}]}",
        now);
    rig_must(&r, 0);
    stack_expect(
        db, "transfers", TRANSFERS,
        "h1:confirmed:2 h2:cancelled_empty:1 l1:posted:1 l2:posted:1 t1:posted:1 t2:rejected:insufficient_funds:1");
    char *missing CLEANUP(freep) = stack_text(
        db,
        "WITH d AS (SELECT decision::jsonb AS j FROM account_flows WHERE decision IS NOT NULL"
        "  UNION ALL SELECT decision::jsonb FROM account_decisions WHERE transfer_id IS NOT NULL),"
        " last AS (SELECT DISTINCT ON (j ->> 'transfer_id') j FROM d ORDER BY j ->> 'transfer_id',"
        "  (j ->> 'version')::int DESC),"
        " made AS (SELECT j ->> 'transfer_id' AS transfer_id, j ->> 'state' AS state, (j ->> 'version')::int AS "
        "version,"
        "  j ->> 'code' AS code, j ->> 'debit' AS debit_account, j ->> 'credit' AS credit_account,"
        "  (j ->> 'debit_slot')::int AS debit_slot, (j ->> 'credit_slot')::int AS credit_slot,"
        "  (j ->> 'amount')::bigint AS amount, (j ->> 'confirmed_amount')::bigint AS confirmed_amount,"
        "  j ->> 'currency' AS currency, j ->> 'reference' AS reference, j ->> 'caller' AS caller,"
        "  j ->> 'set_id' AS set_id, decode(j ->> 'content_hash', 'hex') AS content_hash, j ->> 'event_id' AS event_id,"
        "  (j ->> 'effective_at')::timestamptz AS effective_at, (j ->> 'expires_at')::timestamptz AS expires_at,"
        "  NULL::timestamptz AS expiry_asked_at, (j ->> 'booked_at')::timestamptz AS booked_at,"
        "  (j ->> 'updated_at')::timestamptz AS updated_at FROM last)"
        " SELECT string_agg(transfer_id, ' ') FROM (SELECT * FROM account_transfers EXCEPT SELECT * FROM made) x");
    cr_expect_null(missing, "%s", missing);
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM account_transfers"), 6);
}

/* One batch, batches of one, and batches of three end in the same rows. */
Test(account_batch, the_size_of_the_batch_does_not_show)
{
    static const size_t sizes[] = {1000, 1, 3};
    static const char *const one_slot[] = {"account.slots=0", NULL}; /* which slot depends on what was seen before */
    char *digest[ARRAY_SIZE(sizes)] = {NULL};
    int64_t at = stack_int(db, "SELECT (extract(epoch FROM now()) * 1000000)::bigint") - 1000 * US_PER_S;

    for (size_t k = 0; k < ARRAY_SIZE(sizes); k++) {
        stack_sql(db, "TRUNCATE account_slots, account_transfers, account_flows, account_decisions, account_journal");
        rig_close(&r);
        rig_open(&r, &st, 0, 2, one_slot);
        for (int i = -3; i < 60; i++) {
            char id[16];
            char event[16];
            char payload[200];
            (void)snprintf(id, sizeof(id), "t%d", i % 40);
            (void)snprintf(event, sizeof(event), "e%d", i);
            const char *const command[] = {"transfer", "try", "confirm", "cancel"};
            const char *how = i < 5 ? "transfer" : command[(i * 7 / 3) % 4];
            if (i < 0) {
                how = "open";
                (void)snprintf(payload, sizeof(payload), "{\"account_id\":\"%s\",\"currency\":\"CNY\"%s}",
                               i == -3   ? "bank"
                               : i == -2 ? "a"
                                         : "b",
                               i == -3 ? "" : ",\"no_negative\":true");
            } else if (how[0] == 't') {
                (void)snprintf(payload, sizeof(payload),
                               "{\"transfer_id\":\"%s\",\"debit\":\"%s\",\"credit\":\"%s\",\"amount\":%d,"
                               "\"currency\":\"CNY\"}",
                               id,
                               i < 5   ? "bank"
                               : i % 2 ? "a"
                                       : "b",
                               i % 2 ? "b" : "a", 10 + i * 13 % 90);
            } else {
                (void)snprintf(payload, sizeof(payload), "{\"transfer_id\":\"%s\",\"debit\":\"%s\"}", id,
                               i % 2 ? "a" : "b");
            }
            rig_add(&r, 0, event, how, payload, at + i);
            if (r.d.batch.n == sizes[k]) {
                rig_must(&r, 0);
            }
        }
        if (r.d.batch.n > 0) {
            rig_must(&r, 0);
        }
        digest[k] = stack_text(db, DIGEST);
        cr_expect_str_eq(digest[k], digest[0], "batches of %zu", sizes[k]);
        cr_expect_eq(stack_int(db, "SELECT count(DISTINCT state) FROM account_transfers") >= 4, 1, "a mixed lot");
        cr_expect_eq(stack_int(db, "SELECT sum(records) FROM account_journal"), 63);
    }
    for (size_t k = 0; k < ARRAY_SIZE(sizes); k++) {
        free(digest[k]);
    }
}

Test(account_batch, a_record_that_the_tables_refuse_leaves_its_neighbours_as_if_it_had_not_been)
{
    open_accounts(0);
    rig_transfer(&r, 0, "t0", "bank", "a", 100000);
    rig_must(&r, 0);
    stack_sql(db, "ALTER TABLE account_transfers ADD CONSTRAINT no_poison CHECK (transfer_id !~ 'poison')");
    for (int i = 0; i < 20; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "t%d", i + 1);
        rig_transfer(&r, 0, id, "a", "b", 7 + i);
        if (i % 7 == 3) {
            (void)snprintf(id, sizeof(id), "poison%d", i);
            rig_transfer(&r, 0, id, "a", "b", 1);
        }
    }
    rig_must(&r, 0);
    stack_expect(db, "slots", SLOTS, "a:0:99670:0:0:21 b:0:330:0:0:20 bank:0:-100000:0:0:1");
    stack_expect(db, "dead",
                 "SELECT count(*) || ' ' || min(h ->> 1) FROM dead_letter_outbox, jsonb_array_elements(headers) h"
                 " WHERE h ->> 0 = '__dlq.errors.class'",
                 "3 refused");
    stack_expect(db, "journal", JOURNAL, "0:0:27:27:24:0:0:3");
    stack_expect(db, "positions", "SELECT next_offset::text FROM sluice_positions WHERE partition = 0", "27");
    stack_expect(db, "not a flow of theirs", "SELECT count(*)::text FROM account_flows WHERE transfer_id ~ 'poison'",
                 "0");
}

Test(account_batch, an_event_that_is_read_again_is_a_duplicate_whatever_it_asked)
{
    for (int i = 0; i < 2; i++) {
        open_accounts(0);
        rig_transfer(&r, 0, "t1", "bank", "a", 1000);
        rig_transfer(&r, 0, "t2", "a", "b", 5000);
        rig_add(&r, 0, "x1", "confirm", "{\"transfer_id\":\"nobody\",\"debit\":\"a\"}", 1700000000000000);
        rig_add(&r, 0, "x2", "cancel", "{\"transfer_id\":\"late\",\"debit\":\"a\"}", 1700000000000000);
        rig_add(&r, 0, "x3", "set", "{\"account_id\":\"b\",\"status\":\"frozen\"}", 1700000000000000);
        rig_must(&r, 0);
    }
    stack_expect(db, "journal", JOURNAL, "0:0:16:16:6:8:2:0");
    stack_expect(db, "slots", SLOTS, "a:0:1000:0:0:1 b:0:0:0:0:0 bank:0:-1000:0:0:1");
    stack_expect(db, "decisions", "SELECT count(*)::text FROM account_decisions", "7");
    stack_expect(db, "settings", "SELECT settings_version::text FROM account_slots WHERE account_id = 'b'", "2");
}

Test(account_batch, an_event_id_of_another_command_is_a_dead_letter_and_not_lost)
{
    open_accounts(0);
    rig_add(&r, 0, "same", "cancel", "{\"transfer_id\":\"t1\",\"debit\":\"a\"}", 1700000000000000);
    rig_add(&r, 0, "same", "cancel", "{\"transfer_id\":\"t2\",\"debit\":\"a\"}", 1700000000000000);
    rig_must(&r, 0);
    rig_add(&r, 0, "same", "cancel", "{\"transfer_id\":\"t3\",\"debit\":\"a\"}", 1700000000000000);
    rig_add(&r, 0, "same", "cancel", "{\"transfer_id\":\"t1\",\"debit\":\"a\"}", 1700000000000000);
    rig_must(&r, 0);
    stack_expect(db, "transfers", TRANSFERS, "t1:cancelled_empty:1");
    stack_expect(db, "journal", JOURNAL, "0:0:7:7:4:1:0:2");
    stack_expect(db, "dead",
                 "SELECT count(*) || ' ' || min(h ->> 1) FROM dead_letter_outbox, jsonb_array_elements(headers) h"
                 " WHERE h ->> 0 = '__dlq.errors.class'",
                 "2 event_id_reused");
}

static void copy_tables(const char *from, const char *to)
{
    static const char *const tables[] = {"account_slots",     "account_transfers", "account_flows",
                                         "account_decisions", "account_journal",   "sluice_positions"};

    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        stack_sql(db, "CREATE TABLE IF NOT EXISTS %s.%s (LIKE public.%s)", to, tables[i], tables[i]);
        stack_sql(db, "TRUNCATE %s.%s; INSERT INTO %s.%s SELECT * FROM %s.%s", to, tables[i], to, tables[i], from,
                  tables[i]);
    }
}

#define HALF 30

/* The records are the same bytes at the same offsets; the tables are those of yesterday. */
Test(account_batch, a_database_of_yesterday_catches_up_to_the_same_digest)
{
    char *values[HALF];
    int64_t offsets[HALF];

    open_accounts(0);
    rig_transfer(&r, 0, "t1", "bank", "a", 5000);
    rig_must(&r, 0);
    stack_sql(db, "CREATE SCHEMA yesterday");
    copy_tables("public", "yesterday");
    for (int i = 0; i < HALF; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "s%d", i);
        rig_transfer(&r, (uint32_t)i % 2, id, "a", "b", 10 + i % 3 * 400);
        values[i] = xstrdup(r.d.batch.events[i].value);
        offsets[i] = r.d.batch.events[i].offset;
    }
    rig_must(&r, 0);
    char *digest CLEANUP(freep) = stack_text(db, DIGEST);
    char *journal CLEANUP(freep) = stack_text(db, JOURNAL);
    cr_expect_gt(stack_int(db, "SELECT count(*) FROM account_transfers WHERE state = 'rejected'"), 3,
                 "refusals have to come out the same too");

    copy_tables("yesterday", "public");
    rig_close(&r);
    rig_open(&r, &st, 0, 2, NULL);
    for (int i = 0; i < HALF; i++) {
        rig_add_value(&r, (uint32_t)i % 2, values[i]);
        cr_expect_eq(r.d.batch.events[r.d.batch.n - 1].offset, offsets[i], "read from the row's position on");
        free(values[i]);
        if (i % 4 == 3) {
            rig_must(&r, 0);
        }
    }
    rig_must(&r, 0);
    stack_expect(db, "digest", DIGEST, digest);
    stack_expect(db, "journal", JOURNAL, journal);
}
