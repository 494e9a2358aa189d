/* SPDX-License-Identifier: Apache-2.0 */
/* Statements behind GET, and how their rows become answers. */
#include "gateway/show.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "gateway/flows.h"
#include "gateway/gateway_internal.h"
#include "gateway/json_sql.h"
#include "gateway/store_devices.h"
#include "pg/conn.h"

/*
 * Decided, or accepted only. A transfer of another caller is not there. What is accepted and makes a transfer always
 * leaves a row in account_transfers when it is decided; a confirmation does not, so it does not count.
 */
static const char TRANSFER_SQL[] =
    "SELECT " TRANSFER_JSON " FROM account_transfers t WHERE t.transfer_id = $1 AND t.caller = $2 "
    "UNION ALL (SELECT json_build_object('transfer_id', $1::text, 'state', 'pending', 'accepted_at', " TIME_TEXT(
        "o.created_at") ") FROM (SELECT created_at FROM account_command_outbox WHERE payload ->> 'transfer_id' = $1 "
                        "AND "
                        "caller = $2 AND command IN ('transfer', 'try', 'cancel') UNION ALL SELECT created_at FROM "
                        "account_command_outbox "
                        "WHERE command = 'linked' AND payload -> 'transfers' @> "
                        "jsonb_build_array(jsonb_build_object('transfer_id', $1::text)) AND "
                        "caller = $2 ORDER BY 1 LIMIT 1) o "
                        "WHERE NOT EXISTS (SELECT FROM account_transfers t WHERE t.transfer_id = $1))";

static const char ACCOUNT_SQL[] =
    "SELECT " ACCOUNT_JSON " FROM accounts a WHERE a.account_id = $1 "
    "UNION ALL (SELECT json_build_object('account_id', $1::text, 'state', 'pending', 'accepted_at', " TIME_TEXT(
        "min(o.created_at)") ") FROM account_command_outbox o WHERE o.partition_key = $1 AND o.command = 'open' "
                             "AND NOT EXISTS (SELECT FROM account_decisions d WHERE d.event_id = o.id::text) "
                             "AND NOT EXISTS (SELECT FROM account_slots a WHERE a.account_id = $1) HAVING count(*) > "
                             "0)";

static const char PAYMENT_SQL[] =
    "SELECT (to_jsonb(" PAYMENT_JSON ") || jsonb_build_object('refunds', (SELECT coalesce(jsonb_agg("
    "jsonb_build_object('refund_id', r.refund_id, 'amount', r.amount, 'currency', r.currency, 'origin', r.origin, "
    "'created_at', " TIME_TEXT(
        "r.created_at") ") ORDER BY r.created_at, r.refund_id), '[]') FROM payment_refunds r WHERE "
                        "r.payment_id = p.payment_id), 'transitions', (SELECT "
                        "coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object("
                        "'version', x.version, 'from', x.from_state, 'to', x.to_state, 'event_type', x.event_type, "
                        "'note', x.note, 'at', " TIME_TEXT(
                            "x.at") ")) ORDER BY x.version), '[]') FROM payment_state_transitions x WHERE x.payment_id "
                                    "= p.payment_id)))"
                                    "::text FROM payment_transactions p WHERE p.payment_id = $1 AND p.caller = $2";

static enum rc show_one(struct session *s, struct job *job, const char *sql, int n, const char *what, struct err *err)
{
    const char *params[] = {job->subject, job->caller};
    PGresult *res CLEANUP(pg_clearp) = NULL;
    struct problem problem = {0};
    struct buf body;

    TRY(session_query(s, sql, n, params, &res, err));
    if (PQntuples(res) == 0) {
        problem_set(&problem, 404, what, NULL, "there is none of this id");
        call_problem(job->call, &problem);
        return RC_OK;
    }
    buf_init(&body, CALL_ANSWER_BYTES_MAX);
    (void)buf_puts(&body, pg_text(res, 0, 0));
    (void)buf_putc(&body, '\n');
    call_answer(job->call, 200, GATEWAY_JSON, &body);
    return RC_OK;
}

enum rc show_answer(struct session *s, struct job *job, struct err *err)
{
    TRY(session_open(s, err));
    if (job->kind == JOB_SHOW_TRANSFER) {
        return show_one(s, job, TRANSFER_SQL, 2, "transfer_not_found", err);
    }
    if (job->kind == JOB_SHOW_ACCOUNT) {
        return show_one(s, job, ACCOUNT_SQL, 1, "account_not_found", err);
    }
    if (job->kind == JOB_SHOW_PAYMENT) {
        return show_one(s, job, PAYMENT_SQL, 2, "payment_not_found", err);
    }
    if (job->kind == JOB_SHOW_DEVICES) {
        return devices_show(s, job, err);
    }
    return flows_show(s, job, err);
}
