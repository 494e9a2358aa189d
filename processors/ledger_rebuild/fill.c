/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger's tables from the records of its log, by sets. */
#include <string.h>

#include "base/mem.h"
#include "internal.h"
#include "pg/conn.h"

/* Two records with one place and different content: where, and both. The first ten, and how many there are. */
static const char FORKED_FLOWS[] =
    "SELECT 'account ' || account_id || ' slot ' || slot || ' version ' || version, min(id::text), max(id::text),"
    " count(*) OVER () FROM rebuild_flows GROUP BY account_id, slot, version HAVING count(DISTINCT id) > 1"
    " ORDER BY min(at) LIMIT 10";
static const char FORKED_DECISIONS[] =
    "SELECT 'event ' || event_id || ' ordinal ' || ordinal, min(concat_ws(' ', command, outcome, code)),"
    " max(concat_ws(' ', command, outcome, code)), count(*) OVER () FROM rebuild_decisions"
    " GROUP BY event_id, ordinal HAVING count(DISTINCT (account_id, transfer_id, command, outcome, code)) > 1"
    " ORDER BY min(at) LIMIT 10";

/* A slot whose flows do not begin with the first, or have a gap: the log has lost some. */
static const char MISSING[] =
    "SELECT 'account ' || account_id || ' slot ' || slot || ' version ' || version, (before + 1)::text, version::text,"
    " count(*) OVER () FROM (SELECT account_id, slot, version, coalesce(lag(version) OVER (PARTITION BY account_id, "
    "slot"
    "  ORDER BY version), 0) AS before FROM account_flows) f WHERE version <> before + 1"
    " ORDER BY account_id, slot, version LIMIT 10";

static const char FLOWS[] =
    "INSERT INTO account_flows (id, account_id, slot, version, kind, amount, balance_after, frozen_delta, frozen_after,"
    " incoming_delta, incoming_after, currency, counter_account, transfer_id, event_id, reference, effective_at,"
    " booked_at, hash, decision, queue_seq) SELECT DISTINCT ON (account_id, slot, version) id, account_id, slot,"
    " version, kind, amount, balance_after, frozen_delta, frozen_after, incoming_delta, incoming_after, currency,"
    " counter_account, transfer_id, event_id, reference, effective_at, booked_at, hash, decision, queue_seq"
    " FROM rebuild_flows ORDER BY account_id, slot, version, at DESC";
static const char DECISIONS[] =
    "INSERT INTO account_decisions (id, event_id, ordinal, account_id, transfer_id, command, outcome, code, decision,"
    " decided_at, queue_seq) SELECT DISTINCT ON (event_id, ordinal) id, event_id, ordinal, account_id, transfer_id,"
    " command, outcome, code, decision, decided_at, queue_seq FROM rebuild_decisions ORDER BY event_id, ordinal, at "
    "DESC";

/* A transfer is what its last decision says. */
static const char TRANSFERS[] =
    "INSERT INTO account_transfers (transfer_id, state, version, code, debit_account, credit_account, debit_slot,"
    " credit_slot, amount, confirmed_amount, currency, reference, caller, set_id, content_hash, event_id, effective_at,"
    " expires_at, booked_at, updated_at) SELECT DISTINCT ON (j ->> 'transfer_id') j ->> 'transfer_id', j ->> 'state',"
    " (j ->> 'version')::int, j ->> 'code', j ->> 'debit', j ->> 'credit', (j ->> 'debit_slot')::int,"
    " (j ->> 'credit_slot')::int, (j ->> 'amount')::bigint, (j ->> 'confirmed_amount')::bigint, j ->> 'currency',"
    " j ->> 'reference', coalesce(j ->> 'caller', ''), j ->> 'set_id', decode(j ->> 'content_hash', 'hex'),"
    " j ->> 'event_id', (j ->> 'effective_at')::timestamptz, (j ->> 'expires_at')::timestamptz,"
    " (j ->> 'booked_at')::timestamptz, (j ->> 'updated_at')::timestamptz"
    " FROM (SELECT decision::jsonb AS j, at FROM rebuild_flows WHERE decision IS NOT NULL"
    "  UNION ALL SELECT decision::jsonb, at FROM rebuild_decisions WHERE transfer_id IS NOT NULL) x"
    " WHERE j ? 'state' ORDER BY j ->> 'transfer_id', (j ->> 'version')::int DESC, at DESC";

/* An account that became limited took its open holds along to slot 0; that has no decision of its own. */
static const char MOVED_HOLDS[] =
    "UPDATE account_transfers t SET debit_slot = CASE WHEN d.moved THEN 0 ELSE h.debit_slot END,"
    " credit_slot = CASE WHEN c.moved THEN 0 ELSE h.credit_slot END FROM account_transfers h,"
    " LATERAL (SELECT EXISTS (SELECT FROM account_flows f, account_flows m WHERE f.transfer_id = h.transfer_id"
    "  AND f.kind = 'hold' AND f.account_id = h.debit_account AND f.slot = h.debit_slot AND f.slot > 0"
    "  AND m.account_id = f.account_id AND m.slot = f.slot AND m.version > f.version AND m.kind = 'merge') AS moved) d,"
    " LATERAL (SELECT EXISTS (SELECT FROM account_flows f, account_flows m WHERE f.transfer_id = h.transfer_id"
    "  AND f.kind = 'hold' AND f.account_id = h.credit_account AND f.slot = h.credit_slot AND f.slot > 0"
    "  AND m.account_id = f.account_id AND m.slot = f.slot AND m.version > f.version AND m.kind = 'merge') AS moved) c"
    " WHERE h.transfer_id = t.transfer_id AND h.state = 'held' AND t.state = 'held' AND (d.moved OR c.moved)";

static const char SLOTS[] =
    "WITH settings AS (SELECT DISTINCT ON (account_id) account_id, decision::jsonb AS j, decided_at"
    "  FROM rebuild_decisions WHERE command IN ('open', 'set') AND outcome = 'applied'"
    "  ORDER BY account_id, (decision::jsonb ->> 'settings_version')::bigint DESC, at DESC),"
    " begun AS (SELECT account_id, min(decided_at) AS at FROM rebuild_decisions WHERE command = 'open'"
    "  AND outcome = 'applied' GROUP BY 1),"
    " ends AS (SELECT DISTINCT ON (account_id, slot) * FROM account_flows ORDER BY account_id, slot, version DESC),"
    " places AS (SELECT account_id, slot FROM ends UNION SELECT account_id, 0 FROM settings)"
    " INSERT INTO account_slots (account_id, slot, currency, exponent, kind, status, no_negative, credit_only,"
    "  debit_only, max_balance, settings_version, balance, frozen, incoming, version, hash, created_at, updated_at)"
    " SELECT p.account_id, p.slot, j ->> 'currency', (j ->> 'exponent')::smallint, j ->> 'kind', j ->> 'status',"
    "  (j ->> 'no_negative')::boolean, (j ->> 'credit_only')::boolean, (j ->> 'debit_only')::boolean,"
    "  (j ->> 'max_balance')::bigint, (j ->> 'settings_version')::bigint, coalesce(e.balance_after, 0),"
    "  coalesce(e.frozen_after, 0), coalesce(e.incoming_after, 0), coalesce(e.version, 0),"
    "  coalesce(e.hash, decode(repeat('00', 32), 'hex')), coalesce(b.at, s.decided_at),"
    "  greatest(e.booked_at, s.decided_at) FROM places p JOIN settings s USING (account_id)"
    " LEFT JOIN begun b USING (account_id) LEFT JOIN ends e USING (account_id, slot)";
static const char UNOPENED[] =
    "SELECT 'account ' || account_id, 'a decision that opens it', 'none', count(*) OVER () FROM (SELECT DISTINCT"
    " account_id FROM account_flows) f WHERE NOT EXISTS (SELECT FROM account_slots s WHERE s.account_id = f.account_id)"
    " ORDER BY 1 LIMIT 10";

/* Whoever goes on with this database must not draw numbers that were published. */
static const char SEQUENCE[] =
    "SELECT setval('sluice_queue_seq', greatest((SELECT last_value FROM sluice_queue_seq), (SELECT"
    " coalesce(max(queue_seq), 1) FROM account_flows), (SELECT coalesce(max(queue_seq), 1) FROM account_decisions)))";

static enum rc look(PGconn *conn, const char *sql, const char *what, struct rebuild_report *r, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(pg_exec(conn, sql, &res, err));
    for (int i = 0; i < PQntuples(res); i++) {
        found(&r->log, pg_text(res, i, 0), what, pg_text(res, i, 1), pg_text(res, i, 2));
    }
    if (PQntuples(res) > 0) {
        r->log.n += pg_int(res, 0, 3, 0) - PQntuples(res);
    }
    return RC_OK;
}

static enum rc insert(PGconn *conn, const char *sql, int64_t *out_n, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    int64_t n = 0;

    TRY(pg_exec(conn, sql, &res, err));
    *out_n = option_parse_int(PQcmdTuples(res), 0, INT64_MAX, &n) ? n : 0;
    return RC_OK;
}

enum rc fill_tables(PGconn *target, struct rebuild_report *r, struct err *err)
{
    int64_t flows = 0;
    int64_t decisions = 0;
    int64_t n = 0;

    TRY(pg_exec(target, "ANALYZE rebuild_flows; ANALYZE rebuild_decisions", NULL, err));
    TRY(look(target, FORKED_FLOWS, "the log has two different flows for this place", r, err));
    TRY(look(target, FORKED_DECISIONS, "the log has two different decisions for this event", r, err));
    TRY(insert(target, FLOWS, &flows, err));
    TRY(insert(target, DECISIONS, &decisions, err));
    r->again = r->flows + r->decisions - flows - decisions;
    TRY(pg_exec(target, "ANALYZE account_flows", NULL, err));
    TRY(look(target, MISSING, "flows are missing before it", r, err));
    TRY(insert(target, TRANSFERS, &n, err));
    TRY(pg_exec(target, "ANALYZE account_transfers", NULL, err));
    TRY(insert(target, MOVED_HOLDS, &n, err));
    TRY(insert(target, SLOTS, &n, err));
    TRY(look(target, UNOPENED, "there are flows of an account that nobody opened", r, err));
    return pg_exec(target, SEQUENCE, NULL, err);
}
