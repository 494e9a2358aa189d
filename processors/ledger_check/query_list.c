/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queries. Sorting and hashing spill to the server's disk. Joins over whole tables are on keys; what they return
 * is small unless very much is wrong.
 */
#include "base/mem.h"
#include "queries.h"

/* Holds of one side against what the slots say. */
#define HOLDS(account, slot, column)                                                                              \
    "SELECT 'account ' || coalesce(s.account_id, h.account_id) || ' slot ' || coalesce(s.slot, h.slot),"          \
    " 'the slot''s " column " is not the sum of its open holds', coalesce(h.amount, 0)::text, s." column "::text" \
    " FROM account_slots s FULL JOIN (SELECT " account " AS account_id, " slot " AS slot, sum(amount) AS amount"  \
    "  FROM account_transfers WHERE state = 'held' GROUP BY 1, 2) h ON h.account_id = s.account_id"               \
    "  AND h.slot = s.slot WHERE coalesce(s." column ", 0) IS DISTINCT FROM coalesce(h.amount, 0)"                \
    " ORDER BY 1"

#define JOURNAL_WHERE "'group ' || j.\"group\" || ' topic ' || j.topic || ' partition ' || j.partition"
#define HEADER(name) \
    "(SELECT h ->> 1 FROM jsonb_array_elements(d.headers) h WHERE h ->> 0 = '__dlq.errors." name "' LIMIT 1)"

/* What the flows of payment events came to on an account, without what people and other services have booked on it. */
#define BY_PAYMENTS                                                                                               \
    "(SELECT coalesce(sum(f.amount), 0) FROM account_flows f WHERE f.account_id = a.account_id AND f.event_id IN" \
    " (SELECT event_id FROM payment_state_transitions))"

#define PAYMENT_EVENTS "(SELECT event_id FROM payment_state_transitions UNION SELECT event_id FROM payment_reviews)"

const struct check_query CHECK_QUERIES[] = {
    {CHECK_I3, HOLDS("debit_account", "debit_slot", "frozen")},
    {CHECK_I3, HOLDS("credit_account", "credit_slot", "incoming")},

    {CHECK_I5,
     "SELECT " JOURNAL_WHERE " || ' day ' || j.day, 'the counts do not add up to the records', j.records::text,"
     " (j.applied + j.duplicates + j.rejected + j.dead)::text FROM account_journal j"
     " WHERE j.records <> j.applied + j.duplicates + j.rejected + j.dead"
     " OR least(j.applied, j.duplicates, j.rejected, j.dead) < 0 ORDER BY 1"},
    {CHECK_I5, "SELECT " JOURNAL_WHERE " || ' day ' || j.day, 'more records were counted than there are offsets',"
               " greatest(j.hi - j.lo, 0)::text, j.records::text FROM account_journal j WHERE j.records > j.hi - j.lo"
               " ORDER BY 1"},
    {CHECK_I5,
     "SELECT " JOURNAL_WHERE " || ' day ' || j.day, 'the day begins before the one before has ended', before::text,"
     " j.lo::text FROM (SELECT *, max(hi) OVER (PARTITION BY \"group\", topic, partition ORDER BY day"
     "  ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM account_journal) j WHERE j.lo < before"
     " ORDER BY 1"},
    {CHECK_I5,
     "SELECT " JOURNAL_WHERE ", CASE WHEN p.next_offset IS NULL THEN 'records were counted without a position'"
     " ELSE 'the position is before the last record that was counted' END, max(j.hi)::text, p.next_offset::text"
     " FROM account_journal j LEFT JOIN sluice_positions p ON p.\"group\" = j.\"group\" AND p.topic = j.topic"
     "  AND p.partition = j.partition GROUP BY j.\"group\", j.topic, j.partition, p.next_offset"
     " HAVING p.next_offset IS NULL OR max(j.hi) > p.next_offset ORDER BY 1"},
    /* Published dead letters are deleted after a day at the earliest. */
    {CHECK_I5,
     "SELECT " JOURNAL_WHERE " || ' day ' || j.day, 'the dead letters are not as many as were counted', j.dead::text,"
     " coalesce(d.n, 0)::text FROM account_journal j LEFT JOIN (SELECT " HEADER("group") " AS \"group\", " HEADER(
         "topic") " AS topic, " HEADER("partition") " AS partition, (d.created_at AT TIME ZONE 'UTC')::date AS day,"
                                                    " count(*) AS n FROM dead_letter_outbox d"
                                                    " WHERE jsonb_typeof(d.headers) = 'array' GROUP BY 1, 2, 3, 4) d"
                                                    " ON d.\"group\" = j.\"group\" AND d.topic = j.topic"
                                                    " AND d.partition = j.partition::text AND d.day = j.day"
                                                    " WHERE coalesce(d.n, 0) > j.dead OR (coalesce(d.n, 0) < j.dead"
                                                    "  AND j.day >= (now() AT TIME ZONE 'UTC')::date) ORDER BY 1"},
    /* Whoever sends something twice has made a repetition; what is counted as applied or rejected has left a row. */
    {CHECK_I5,
     "SELECT 'topic account.commands', 'the events that were decided are not as many as were counted as applied or"
     " rejected', counted::text, decided::text FROM (SELECT coalesce(sum(applied + rejected), 0) AS counted FROM"
     "  account_journal WHERE topic LIKE '%account.commands') j, (SELECT count(*) AS decided FROM ((SELECT event_id"
     "  FROM account_flows UNION SELECT event_id FROM account_decisions) EXCEPT " PAYMENT_EVENTS
     ") e) d WHERE counted <> decided"},
    {CHECK_I5, "SELECT 'topic payment.events', 'more events were decided than were counted as applied or rejected', "
               "counted::text,"
               " decided::text FROM (SELECT coalesce(sum(applied + rejected), 0) AS counted FROM account_journal"
               "  WHERE topic LIKE '%payment.events') j, (SELECT count(*) AS decided FROM (" PAYMENT_EVENTS
               ") e) d WHERE counted <> decided"},

    {CHECK_I6,
     "SELECT (SELECT string_agg(place, ', ') FROM (SELECT 'account ' || f.account_id || ' slot ' || f.slot ||"
     "  ' version ' || f.version AS place FROM account_flows f WHERE f.queue_seq = q.queue_seq UNION ALL"
     "  SELECT 'decision ' || d.id FROM account_decisions d WHERE d.queue_seq = q.queue_seq LIMIT 5) x),"
     " 'several rows have one queue_seq', '1', count(*)::text FROM (SELECT queue_seq FROM account_flows UNION ALL"
     "  SELECT queue_seq FROM account_decisions) q WHERE queue_seq IS NOT NULL GROUP BY q.queue_seq"
     " HAVING count(*) > 1"},
    {CHECK_I6,
     "SELECT 'decision ' || id || ' event ' || event_id, 'the decision is not in the outbox',"
     " 'queue_seq and queue_txid', 'NULL' FROM account_decisions WHERE queue_seq IS NULL OR queue_txid IS NULL"},
    {CHECK_I6,
     "SELECT 'decision ' || id || ' event ' || event_id, 'the id is not the one that follows from event and ordinal',"
     " encode(want, 'hex')::uuid::text, id::text FROM (SELECT id, event_id, set_byte(set_byte(h, 6,"
     "  (get_byte(h, 6) & 15) | 128), 8, (get_byte(h, 8) & 63) | 128) AS want FROM (SELECT id, event_id,"
     "   substring(sha256(convert_to(E'decision\\n' || event_id || E'\\n' || ordinal, 'UTF8')) FROM 1 FOR 16) AS h"
     "  FROM account_decisions) d) d WHERE encode(want, 'hex')::uuid <> id"},

    {CHECK_I7,
     "SELECT 'payment ' || p.payment_id, CASE WHEN p.refunded_amount > p.amount THEN 'more was refunded than paid'"
     " ELSE 'refunded_amount is not the sum of its refunds' END, least(coalesce(r.amount, 0), p.amount)::text,"
     " p.refunded_amount::text FROM payment_transactions p LEFT JOIN (SELECT payment_id, sum(amount) AS amount"
     "  FROM payment_refunds WHERE origin = 'order' GROUP BY 1) r USING (payment_id)"
     " WHERE p.refunded_amount <> coalesce(r.amount, 0) OR p.refunded_amount > p.amount ORDER BY 1"},
    {CHECK_I7,
     "SELECT 'payment ' || r.payment_id || ' refund ' || r.refund_id, 'there is a refund of a payment that is not"
     " there', 'a row of payment_transactions', 'none' FROM payment_refunds r LEFT JOIN payment_transactions p"
     " USING (payment_id) WHERE p.payment_id IS NULL ORDER BY 1"},

    /* `set` that makes an account limited has flows of kind merge; an event may be refused one thing and do another. */
    {CHECK_I8,
     "SELECT 'transfer ' || d.transfer_id || ' event ' || d.event_id, 'its ' || d.command || ' was ' || d.outcome ||"
     " ' without moving anything, and there is a flow of this event', 'no flow', 'account ' || f.account_id ||"
     " ' slot ' || f.slot || ' version ' || f.version FROM account_decisions d JOIN account_flows f"
     " ON f.transfer_id = d.transfer_id AND f.event_id = d.event_id ORDER BY 1"},
    {CHECK_I8, "SELECT 'transfer ' || t.transfer_id, 'it is ' || t.state || ' and there is no decision of its event',"
               " 'a row of account_decisions of event ' || t.event_id, 'none' FROM account_transfers t LEFT JOIN"
               " account_decisions d ON d.event_id = t.event_id AND d.transfer_id = t.transfer_id"
               " WHERE t.state IN ('rejected', 'cancelled_empty') AND d.id IS NULL ORDER BY 1"},
    {CHECK_I8,
     "SELECT 'decision ' || id || ' event ' || event_id, 'outcome and code contradict each other',"
     " CASE outcome WHEN 'rejected' THEN 'a code' ELSE 'no code' END, coalesce(code, 'NULL') FROM account_decisions"
     " WHERE (outcome = 'rejected') <> (code IS NOT NULL) ORDER BY 1"},

    {CHECK_I12,
     "SELECT 'account ' || a.account_id, 'payments have put something else there than they say',"
     " coalesce(p.amount, 0)::text, a.amount::text FROM (SELECT a.account_id, a.currency, " BY_PAYMENTS
     "  AS amount FROM account_slots a WHERE a.slot = 0 AND a.account_id LIKE 'suspense:%:%') a"
     " LEFT JOIN (SELECT 'suspense:' || channel || ':' || currency AS account_id, sum(suspense_amount - "
     "carried_amount)  AS amount FROM payment_transactions p GROUP BY 1) p ON p.account_id = a.account_id COLLATE \"C\""
     " WHERE a.amount <> coalesce(p.amount, 0) ORDER BY 1"},
    {CHECK_I12,
     "SELECT 'currency ' || coalesce(a.currency, p.currency), 'payments have put something else into suspense than"
     " they say', coalesce(p.amount, 0)::text, coalesce(a.amount, 0)::text FROM (SELECT a.currency, sum(" BY_PAYMENTS
     ")  AS amount FROM account_slots a WHERE a.slot = 0 AND a.kind = 'suspense' GROUP BY 1) a FULL JOIN"
     " (SELECT currency, sum(suspense_amount - carried_amount) AS amount FROM payment_transactions p GROUP BY 1) p"
     " ON p.currency = a.currency WHERE coalesce(a.amount, 0) <> coalesce(p.amount, 0) ORDER BY 1"},
};
const size_t CHECK_QUERIES_N = ARRAY_SIZE(CHECK_QUERIES);

const char CHECK_CLEARING_SQL[] =
    "SELECT a.account_id, a.currency, a.balance, p.amount FROM accounts a LEFT JOIN"
    " (SELECT 'clearing:' || channel || ':' || currency AS account_id, -sum(suspense_amount + CASE WHEN credited"
    "   AND state IN ('CONFIRMED', 'REFUNDED') THEN amount - refunded_amount ELSE 0 END) AS amount"
    "  FROM payment_transactions p GROUP BY 1) p ON p.account_id = a.account_id COLLATE \"C\""
    " WHERE a.kind = 'clearing' ORDER BY a.account_id LIMIT 100";
