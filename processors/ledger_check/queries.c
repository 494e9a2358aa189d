/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the queries: the first offenders are kept, all of them are counted. */
#include "queries.h"

#include "base/mem.h"
#include "internal.h"
#include "pg/conn.h"

static enum rc ask(struct checker *c, const struct check_query *q, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    CLEANUP(freep)
    char *sql = xasprintf("SELECT *, count(*) OVER () FROM (%s) q LIMIT %d", q->sql, CHECK_FINDINGS_MAX);

    TRY(pg_exec(c->conns[0], sql, &res, err));
    for (int i = 0; i < PQntuples(res); i++) {
        offend(c, q->id, pg_text(res, i, 0), pg_text(res, i, 1), pg_text(res, i, 2), pg_text(res, i, 3));
    }
    if (PQntuples(res) > 0) {
        c->report->results[q->id].offenders += pg_int(res, 0, 4, 0) - PQntuples(res);
    }
    return RC_OK;
}

static enum rc clearings(struct checker *c, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(pg_exec(c->conns[0], CHECK_CLEARING_SQL, &res, err));
    for (int i = 0; i < PQntuples(res) && i < CHECK_CLEARINGS_MAX; i++) {
        c->report->clearings[c->report->n_clearings++] =
            (struct check_clearing){.account_id = xstrdup(pg_text(res, i, 0)),
                                    .currency = xstrdup(pg_text(res, i, 1)),
                                    .balance = pg_int(res, i, 2, 0),
                                    .expected = xstrdup(pg_text(res, i, 3))};
    }
    return RC_OK;
}

enum rc check_queries(struct checker *c, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    for (size_t i = 0; i < CHECK_QUERIES_N; i++) {
        if (c->opt->interrupted != NULL && *c->opt->interrupted) {
            FAIL(err, RC_FATAL, "interrupted");
        }
        if (check_wants(c, CHECK_QUERIES[i].id)) {
            TRY(ask(c, &CHECK_QUERIES[i], err));
        }
    }
    TRY(pg_exec(c->conns[0], "SELECT count(*) FROM account_decisions", &res, err));
    c->report->decisions = pg_int(res, 0, 0, 0);
    return check_wants(c, CHECK_I12) ? clearings(c, err) : RC_OK;
}
