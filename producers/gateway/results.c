/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The query behind Prefer: wait, and how repetitions are told from conflicts.
 *
 *   transfer, try, linked   The transfer is there and was made by another event. That event's row of the outbox has its
 *                           content: the flow `post` or `hold` names it, or the transfer while nothing else changed it.
 *                           Same payload = repetition. Another one = conflict, which the ledger rejects with a decision
 *                           row of our event: wait for that.
 *   confirm                 A repetition when the transfer is confirmed with the amount that is asked for.
 *   cancel                  A repetition when it is cancelled.
 *   open                    A repetition when the account is as it is asked for.
 *   set                     Always has a decision row.
 *
 * Where the row of the first event is not there any more, or was never one of this outbox, a repetition cannot be told:
 * the time passes and the answer is 202; GET shows the transfer.
 */
#include "gateway/results.h"

#include <string.h>

#include "base/mem.h"
#include "gateway/json_sql.h"
#include "gateway/opened_sql.h"
#include "pg/array.h"
#include "pg/conn.h"

#define ARRAY_BYTES_MAX ((size_t)16 << 20)

/* m: our command; d: its decision; t: the transfer; o: the command that made the transfer. */
static const char VERDICT_SQL[] =
    "WITH w AS (SELECT * FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS u(id, subject, ord)), "
    "v AS (SELECT w.ord, w.subject, m.command, m.payload, CASE "
    "WHEN d.outcome IS NOT NULL THEN d.outcome "
    "WHEN t.event_id = w.id::text THEN 'applied' "
    "WHEN m.command IN ('transfer', 'try', 'linked') AND t.caller = m.caller AND o.command = m.command "
    "AND o.payload = m.payload AND o.caller = m.caller "
    "THEN CASE WHEN t.state = 'rejected' THEN 'rejected' ELSE 'applied' END "
    "WHEN m.command = 'confirm' AND t.state = 'confirmed' AND t.caller = m.caller AND t.debit_account = m.payload ->> "
    "'debit' AND t.confirmed_amount = coalesce((m.payload ->> 'amount')::bigint, t.amount) THEN 'applied' "
    "WHEN m.command = 'cancel' AND t.state IN ('cancelled', 'cancelled_empty') AND t.caller = m.caller "
    "AND t.debit_account = m.payload ->> 'debit' THEN 'applied' "
    "WHEN m.command = 'open' AND EXISTS (SELECT FROM account_slots a WHERE a.account_id = w.subject AND a.slot = 0 "
    "AND " OPENED_AS_ASKED_SQL ") THEN 'applied' "
    "END AS verdict, coalesce(d.code, f.code, t.code) AS code "
    "FROM w JOIN account_command_outbox m ON m.id = w.id "
    "LEFT JOIN account_transfers t ON t.transfer_id = w.subject AND m.command NOT IN ('open', 'set') "
    /* A set has a decision for each member: the one that failed says why. */
    "LEFT JOIN LATERAL (SELECT outcome, code FROM account_decisions x WHERE x.event_id = w.id::text "
    "ORDER BY x.code IS NOT DISTINCT FROM 'linked_failed', x.ordinal LIMIT 1) d ON true "
    "LEFT JOIN LATERAL (SELECT CASE WHEN t.event_id = w.id::text THEN NULL WHEN t.state IN ('posted', 'held', "
    "'rejected') THEN t.event_id ELSE (SELECT x.event_id FROM account_flows x WHERE x.transfer_id = t.transfer_id "
    "AND x.kind = 'hold' LIMIT 1) END AS event_id) e ON true "
    "LEFT JOIN account_command_outbox o ON o.id = CASE WHEN e.event_id ~ "
    "'^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' THEN e.event_id::uuid END "
    "LEFT JOIN LATERAL (SELECT code FROM account_decisions x WHERE x.event_id = e.event_id AND m.command = 'linked' "
    "ORDER BY x.code IS NOT DISTINCT FROM 'linked_failed', x.ordinal LIMIT 1) f ON true) ";

/* Put behind it: a compiler takes strings of 4,095 characters. */
static const char SHOWN_SQL[] =
    "SELECT ord, verdict, code, CASE WHEN verdict <> 'applied' THEN NULL "
    "WHEN command IN ('open', 'set') THEN (SELECT " ACCOUNT_JSON " FROM accounts a WHERE a.account_id = subject) "
    "WHEN command = 'linked' THEN (SELECT json_build_object('transfers', json_agg(" TRANSFER_JSON
    " ORDER BY l.n)) FROM "
    "jsonb_array_elements(payload -> 'transfers') WITH ORDINALITY AS l(member, n) JOIN account_transfers t ON "
    "t.transfer_id = l.member ->> 'transfer_id') "
    "ELSE (SELECT " TRANSFER_JSON " FROM account_transfers t WHERE t.transfer_id = subject) END "
    "FROM v WHERE verdict IS NOT NULL";

enum rc results_read(struct session *s, struct job *const *jobs, size_t n, result_fn fn, void *opaque, struct err *err)
{
    CLEANUP(buf_done) struct buf ids;
    CLEANUP(buf_done) struct buf subjects;
    PGresult *res CLEANUP(pg_clearp) = NULL;

    buf_init(&ids, ARRAY_BYTES_MAX);
    buf_init(&subjects, ARRAY_BYTES_MAX);
    array_begin(&ids);
    array_begin(&subjects);
    for (size_t i = 0; i < n; i++) {
        array_add(&ids, jobs[i]->id, UUID_TEXT_LEN);
        array_add(&subjects, jobs[i]->subject, strlen(jobs[i]->subject));
    }
    array_end(&ids);
    array_end(&subjects);
    const char *params[] = {buf_str(&ids), buf_str(&subjects)};
    CLEANUP(freep) char *sql = xasprintf("%s%s", VERDICT_SQL, SHOWN_SQL);
    TRY(session_query(s, sql, 2, params, &res, err));
    for (int row = 0; row < PQntuples(res); row++) {
        const struct result result = {.job = (size_t)pg_int(res, row, 0, 1) - 1,
                                      .rejected = strcmp(pg_text(res, row, 1), "rejected") == 0,
                                      .code = pg_text(res, row, 2),
                                      .json = pg_text(res, row, 3)};
        fn(opaque, &result);
    }
    return RC_OK;
}
