/* SPDX-License-Identifier: Apache-2.0 */
/* Statements over what waits for a waybill or an order. */
#include "waybills.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "pg/conn.h"

#define NUMBER_MAX 24
#define STRING_OF(x) #x
#define STRING(x) STRING_OF(x)

/* Numbers come from the parameter and are looked up one by one: the tables sort by different collations, and an index
 * is found only by its own. */
#define NUMBERS "(SELECT DISTINCT unnest($1::text[]) AS number) u"
#define HAS_WAYBILL "EXISTS (SELECT FROM platform_express_waybills w WHERE w.tracking_no = u.number"

/* LIMIT, or all waybills were hashed for each page. */
static const char PARKED_COUNT[] =
    "SELECT count(w.known), count(*) FILTER (WHERE w.known IS NULL AND p.due_at < 'infinity') FROM " NUMBERS
    " JOIN express_parked p ON p.tracking_no = u.number LEFT JOIN LATERAL (SELECT true AS known FROM "
    "platform_express_waybills w WHERE w.tracking_no = u.number LIMIT 1) w ON true";
/* The gateway looks for what is due each second. */
static const char PARKED_DUE[] =
    "UPDATE express_parked p SET due_at = now() FROM " NUMBERS " WHERE p.tracking_no = u.number AND " HAS_WAYBILL ")";

/* The rows are worth trying: there is a waybill with an order. $2, $3: of these queueings; NULL = of any, or none. */
#define SKIPPED                                                                                                \
    "q.process_status = 'skipped' AND (q.last_error LIKE 'order not found for waybill%' OR q.last_error LIKE " \
    "'waybill not found%')"
#define QUEUE_OF                                                                                                \
    "q.tracking_no = u.number AND " SKIPPED " AND ($2::bigint IS NULL OR (q.queue_seq > $2 AND q.queue_seq <= " \
    "$3::bigint)) AND " HAS_WAYBILL " AND w.order_id IS NOT NULL)"
static const char QUEUE_COUNT[] = "SELECT count(*) FROM " NUMBERS " JOIN notify_queue q ON " QUEUE_OF;
/* The runbook's statement: the row runs again. */
static const char QUEUE_AGAIN[] =
    "UPDATE notify_queue q SET processed_at = NULL, process_status = NULL, last_error = NULL FROM " NUMBERS
    " WHERE " QUEUE_OF;

/* Pages: how many rows, the last one's key, the numbers in question. */
static const char PARKED_PAGE[] =
    "SELECT count(*), max(p.tracking_no), array_agg(p.tracking_no) FROM (SELECT tracking_no FROM express_parked WHERE "
    "tracking_no > $1 ORDER BY tracking_no LIMIT " STRING(WAITING_PAGE) ") p";
static const char QUEUE_PAGE[] =
    "SELECT count(*), max(q.queue_seq), array_agg(q.tracking_no) FILTER (WHERE " SKIPPED ") FROM (SELECT queue_seq, "
    "tracking_no, process_status, last_error FROM notify_queue WHERE queue_seq > $1::bigint AND queue_seq <= "
    "$2::bigint ORDER BY queue_seq LIMIT " STRING(WAITING_PAGE) ") q";
static const char QUEUE_END[] = "SELECT coalesce(max(queue_seq), 0) FROM notify_queue WHERE queue_seq IS NOT NULL";

int waiting_print(const struct cli *cli, const char *done, const struct waiting *w)
{
    if (cli->json) {
        printf("{\"parked\":%" PRId64 ",\"requeued\":%" PRId64 ",\"unknown\":%" PRId64 ",\"done\":%s}\n", w->parked,
               w->queue, w->unknown, cli->dry_run ? "false" : "true");
        return EXIT_DONE;
    }
    printf("%s: %" PRId64 " parked number%s due now, %" PRId64 " row%s of notify_queue back on the road\n", done,
           w->parked, w->parked == 1 ? "" : "s", w->queue, w->queue == 1 ? "" : "s");
    return EXIT_DONE;
}

static enum rc parked(PGconn *conn, enum waiting_deed deed, const char *numbers, struct waiting *out, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    if (deed == WAITING_COUNT) {
        TRY(pg_query(conn, PARKED_COUNT, 1, &numbers, &res, err));
        out->parked += pg_int(res, 0, 0, 0);
        out->unknown += pg_int(res, 0, 1, 0);
        return RC_OK;
    }
    TRY(pg_query(conn, PARKED_DUE, 1, &numbers, &res, err));
    out->parked += strtoll(PQcmdTuples(res), NULL, 10);
    return RC_OK;
}

/* after and upto: queueings; both NULL = all rows of these numbers. */
static enum rc queue(PGconn *conn, enum waiting_deed deed, const char *numbers, const char *after, const char *upto,
                     struct waiting *out, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *const params[] = {numbers, after, upto};

    TRY(pg_query(conn, deed == WAITING_COUNT ? QUEUE_COUNT : QUEUE_AGAIN, 3, params, &res, err));
    out->queue += deed == WAITING_COUNT ? pg_int(res, 0, 0, 0) : strtoll(PQcmdTuples(res), NULL, 10);
    return RC_OK;
}

enum rc waiting_named(PGconn *conn, enum waiting_deed deed, const char *numbers, struct waiting *out, struct err *err)
{
    *out = (struct waiting){.parked = 0};
    TRY(parked(conn, deed, numbers, out, err));
    return queue(conn, deed, numbers, NULL, NULL, out, err);
}

static enum rc walk_parked(PGconn *conn, enum waiting_deed deed, struct waiting *out, struct err *err)
{
    CLEANUP(freep) char *after = xstrdup("");

    for (int64_t rows = WAITING_PAGE; rows == WAITING_PAGE;) {
        PGresult *page CLEANUP(pg_clearp) = NULL;
        const char *const params[] = {after};
        TRY(pg_query(conn, PARKED_PAGE, 1, params, &page, err));
        rows = pg_int(page, 0, 0, 0);
        if (rows > 0) {
            TRY(parked(conn, deed, pg_text(page, 0, 2), out, err));
            free(after);
            after = xstrdup(pg_text(page, 0, 1));
        }
    }
    return RC_OK;
}

static enum rc walk_queue(PGconn *conn, enum waiting_deed deed, struct progress *progress, struct waiting *out,
                          struct err *err)
{
    PGresult *end CLEANUP(pg_clearp) = NULL;
    int64_t after = 0;

    TRY(pg_exec(conn, QUEUE_END, &end, err));
    const char *upto = pg_text(end, 0, 0);
    for (int64_t rows = WAITING_PAGE; rows == WAITING_PAGE;) {
        PGresult *page CLEANUP(pg_clearp) = NULL;
        char text[NUMBER_MAX];
        const char *const params[] = {text, upto};
        (void)snprintf(text, sizeof(text), "%" PRId64, after);
        TRY(pg_query(conn, QUEUE_PAGE, 2, params, &page, err));
        rows = pg_int(page, 0, 0, 0);
        if (rows > 0 && !PQgetisnull(page, 0, 2)) {
            TRY(queue(conn, deed, pg_text(page, 0, 2), text, pg_text(page, 0, 1), out, err));
        }
        after = pg_int(page, 0, 1, after);
        progress_show(progress, (double)after / ((double)pg_int(end, 0, 0, 0) + 1));
    }
    return RC_OK;
}

enum rc waiting_all(PGconn *conn, enum waiting_deed deed, struct progress *progress, struct waiting *out,
                    struct err *err)
{
    /* Else a page's joins would read all of the large tables, for each page again. */
    static const char BY_INDEX[] = "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off";

    *out = (struct waiting){.parked = 0};
    TRY(pg_exec(conn, BY_INDEX, NULL, err));
    TRY(walk_parked(conn, deed, out, err));
    return walk_queue(conn, deed, progress, out, err);
}
