/* SPDX-License-Identifier: Apache-2.0 */
/* The transaction of a batch: commands, orders to be paid, calls of channels, phones, calls of carriers, COMMIT. */
#include "gateway/store.h"

#include <string.h>

#include "base/mem.h"
#include "gateway/columns.h"
#include "gateway/json_sql.h"
#include "gateway/store_callbacks.h"
#include "gateway/store_devices.h"
#include "gateway/store_express.h"
#include "pg/conn.h"

/* ---------------------------------------------------------------------------------------------------- commands */

static enum rc write_commands(struct session *s, struct job *const *jobs, size_t n, struct err *err)
{
    /* In this order, which is that of the requests: each row draws its queue_seq when it is inserted. */
    static const char SQL[] =
        "INSERT INTO account_command_outbox (id, partition_key, command, caller, payload, traceparent) "
        "SELECT id, key, command, caller, payload::jsonb, traceparent "
        "FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY "
        "AS c(id, key, command, caller, payload, traceparent, ord) ORDER BY ord "
        "ON CONFLICT (id) DO NOTHING";
    CLEANUP(columns_done) struct columns c;
    const char *params[6];
    size_t commands = 0;

    columns_begin(&c, 6);
    for (size_t i = 0; i < n; i++) {
        const struct job *j = jobs[i];
        if (JOB_COMMANDS[j->kind] == NULL) {
            continue;
        }
        const char *const values[] = {j->id, j->key, JOB_COMMANDS[j->kind], j->caller, j->payload, j->traceparent};
        columns_add(&c, values);
        commands++;
    }
    columns_end(&c, params);
    return commands == 0 ? RC_OK : session_query(s, SQL, 6, params, NULL, err);
}

/* ---------------------------------------------------------------------------------------------------- payments */

/* The same order twice in one batch: the second one finds the first one's row. */
static bool comes_again(struct job *const *jobs, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (jobs[k]->kind == JOB_PAYMENT && strcmp(jobs[k]->subject, jobs[i]->subject) == 0) {
            return true;
        }
    }
    return false;
}

static enum rc insert_payments(struct session *s, struct job *const *jobs, size_t n, struct err *err)
{
    /* By payment_id, so that two writers with the same orders do not wait for each other crosswise. */
    static const char SQL[] =
        "WITH o AS MATERIALIZED (SELECT u.*, r.* FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], "
        "$5::text[]) "
        "AS u(id, payment_id, caller, body, traceparent) CROSS JOIN LATERAL jsonb_to_record(u.body::jsonb) AS "
        "r(account_id text, channel text, channel_account text, amount bigint, currency text, exponent smallint, "
        "expires_at timestamptz, "
        "timeout_s bigint, callback_platform text, callback_target text)), "
        "made AS (INSERT INTO payment_transactions (payment_id, account_id, channel, channel_account, amount, "
        "currency, exponent, "
        "expires_at, callback_platform, callback_target, caller, content_hash) "
        "SELECT payment_id, account_id, channel, channel_account, amount, currency, exponent, "
        "coalesce(expires_at, now() + timeout_s * interval '1 second'), callback_platform, callback_target, caller, "
        "sha256(convert_to(body, 'UTF8')) FROM o ORDER BY payment_id "
        "ON CONFLICT (payment_id) DO NOTHING RETURNING *) "
        "INSERT INTO payment_outbox (id, partition_key, event_type, payload, traceparent) "
        "SELECT o.id, o.payment_id, 'payment.created', jsonb_strip_nulls(jsonb_build_object('payment_id', "
        "made.payment_id, 'account_id', made.account_id, 'channel', made.channel, 'amount', made.amount, 'currency', "
        "made.currency, 'exponent', made.exponent, 'expires_at', made.expires_at)), o.traceparent "
        "FROM o JOIN made USING (payment_id) ORDER BY o.payment_id ON CONFLICT (id) DO NOTHING";
    CLEANUP(columns_done) struct columns c;
    const char *params[5];

    columns_begin(&c, 5);
    for (size_t i = 0; i < n; i++) {
        const struct job *j = jobs[i];
        if (j->kind != JOB_PAYMENT || comes_again(jobs, i)) {
            continue;
        }
        const char *const values[] = {j->id, j->subject, j->caller, j->payload, j->traceparent};
        columns_add(&c, values);
    }
    columns_end(&c, params);
    return session_query(s, SQL, 5, params, NULL, err);
}

static void take_payment(struct job *j, const PGresult *res, int row)
{
    bool ours = pg_text(res, row, 1)[0] == 't';
    bool same_caller = pg_text(res, row, 2)[0] == 't';
    bool same_content = pg_text(res, row, 3)[0] == 't';
    const char *shown = pg_text(res, row, 4);
    j->result = ours           ? PAYMENT_CREATED
                : !same_caller ? PAYMENT_OTHER_CALLER
                : same_content ? PAYMENT_REPEATED
                               : PAYMENT_OTHER_CONTENT;
    j->shown = arena_strndup(j->arena, shown, strlen(shown));
}

/* What stands there now: ours, or what somebody asked for before. */
static enum rc read_payments(struct session *s, struct job *const *jobs, size_t n, struct err *err)
{
    static const char SQL[] =
        "SELECT u.ord, EXISTS (SELECT FROM payment_outbox o WHERE o.id = u.id), p.caller = u.caller, "
        "p.content_hash IS NOT DISTINCT FROM sha256(convert_to(u.body, 'UTF8')), " PAYMENT_JSON
        " FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY "
        "AS u(id, payment_id, caller, body, ord) JOIN payment_transactions p USING (payment_id) ORDER BY u.ord";
    CLEANUP(columns_done) struct columns c;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[4];
    size_t payments = 0;

    columns_begin(&c, 4);
    for (size_t i = 0; i < n; i++) {
        const struct job *j = jobs[i];
        if (j->kind == JOB_PAYMENT) {
            const char *const values[] = {j->id, j->subject, j->caller, j->payload};
            columns_add(&c, values);
            payments++;
        }
    }
    columns_end(&c, params);
    TRY(session_query(s, SQL, 4, params, &res, err));
    if (PQntuples(res) != (int)payments) { /* somebody deletes orders */
        FAIL(err, RC_RETRY, "an order is gone right after it was there");
    }
    int row = 0;
    for (size_t i = 0; i < n; i++) {
        if (jobs[i]->kind == JOB_PAYMENT) {
            take_payment(jobs[i], res, row++);
        }
    }
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- the whole */

static enum rc write_all(struct session *s, struct job *const *jobs, size_t n, struct err *err)
{
    bool payments = false;
    for (size_t i = 0; i < n; i++) {
        payments = payments || jobs[i]->kind == JOB_PAYMENT;
    }
    TRY(session_query(s, "BEGIN ISOLATION LEVEL READ COMMITTED", 0, NULL, NULL, err));
    TRY(write_commands(s, jobs, n, err));
    if (payments) {
        TRY(insert_payments(s, jobs, n, err));
        TRY(read_payments(s, jobs, n, err));
    }
    TRY(callbacks_store(s, jobs, n, err));
    TRY(devices_store(s, jobs, n, err));
    return express_store(s, jobs, n, err); /* the last: it locks rows of others */
}

enum rc jobs_store(struct session *s, struct job *const *jobs, size_t n, bool *out_unknown, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    *out_unknown = false;
    enum rc rc = write_all(s, jobs, n, err);
    if (rc != RC_OK) {
        struct err later;
        if (s->conn != NULL && session_query(s, "ROLLBACK", 0, NULL, NULL, &later) != RC_OK) {
            session_close(s);
        }
        return rc;
    }
    rc = session_query(s, "COMMIT", 0, NULL, &res, err);
    if (rc != RC_OK) {
        *out_unknown = true;
        session_close(s);
        return RC_RETRY;
    }
    if (strcmp(PQcmdStatus(res), "COMMIT") != 0) {
        FAIL(err, RC_RETRY, "the transaction was rolled back");
    }
    return RC_OK;
}
