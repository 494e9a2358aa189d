/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice waybills link` and `rematch`: what waits for a waybill or an order runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "carrier/carrier.h"
#include "commands.h"
#include "express.h"
#include "pg/conn.h"

#define ORDER_ID_MAX 128
#define CARRIER_MAX 64
#define NUMBERS_MAX 10000

/* What waits for these numbers ($1, text[]; NULL = all), and is worth trying: there is a waybill with an order. */
#define HAS_WAYBILL(row) "EXISTS (SELECT FROM platform_express_waybills w WHERE w.tracking_no = " row ".tracking_no"
#define WAITS_PARKED "($1::text[] IS NULL OR p.tracking_no = ANY ($1::text[])) AND " HAS_WAYBILL("p") ")"
#define WAITS_QUEUE                                                                                                  \
    "($1::text[] IS NULL OR q.tracking_no = ANY ($1::text[])) AND q.process_status = 'skipped' AND "                 \
    "(q.last_error LIKE 'order not found for waybill%' OR q.last_error LIKE 'waybill not found%') AND " HAS_WAYBILL( \
        "q") " AND w.order_id IS NOT NULL)"

static const char COUNT[] = "SELECT (SELECT count(*) FROM express_parked p WHERE " WAITS_PARKED "), "
                            "(SELECT count(*) FROM notify_queue q WHERE " WAITS_QUEUE "), "
                            "(SELECT count(*) FROM express_parked p WHERE ($1::text[] IS NULL OR p.tracking_no = ANY "
                            "($1::text[])))";
/* The gateway looks for what is due each second. */
static const char DUE[] = "UPDATE express_parked p SET due_at = now() WHERE " WAITS_PARKED;
/* The runbook's statement: the row runs again. */
static const char AGAIN[] =
    "UPDATE notify_queue q SET processed_at = NULL, process_status = NULL, last_error = NULL WHERE " WAITS_QUEUE;

struct waiting {
    int64_t parked, queue;
    int64_t unknown; /* parked, and no waybill of that number */
};

static int print_waiting(const struct cli *cli, const char *done, const struct waiting *w)
{
    if (cli->json) {
        printf("{\"parked\":%lld,\"requeued\":%lld,\"unknown\":%lld,\"done\":%s}\n", (long long)w->parked,
               (long long)w->queue, (long long)w->unknown, cli->dry_run ? "false" : "true");
        return EXIT_DONE;
    }
    printf("%s: %lld parked number%s due now, %lld row%s of notify_queue back on the road\n", done,
           (long long)w->parked, w->parked == 1 ? "" : "s", (long long)w->queue, w->queue == 1 ? "" : "s");
    return EXIT_DONE;
}

static enum rc count(PGconn *conn, const char *numbers, struct waiting *out, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    TRY(pg_query(conn, COUNT, 1, &numbers, &res, err));
    out->parked = pg_int(res, 0, 0, 0);
    out->queue = pg_int(res, 0, 1, 0);
    out->unknown = pg_int(res, 0, 2, 0) - out->parked;
    return RC_OK;
}

static enum rc run(PGconn *conn, const char *numbers, struct waiting *out, struct err *err)
{
    PGresult *due CLEANUP(pg_clearp) = NULL;
    PGresult *again CLEANUP(pg_clearp) = NULL;

    TRY(pg_query(conn, DUE, 1, &numbers, &due, err));
    TRY(pg_query(conn, AGAIN, 1, &numbers, &again, err));
    out->parked = strtoll(PQcmdTuples(due), NULL, 10);
    out->queue = strtoll(PQcmdTuples(again), NULL, 10);
    return RC_OK;
}

/* ---- link ---- */

struct link {
    const struct cli *cli;
    const char *number, *order, *carrier;
    char *numbers; /* as an array */
    bool exists;
    char *had_order, *had_carrier; /* NULL: none */
};

static void link_done(struct link *l)
{
    free(l->numbers);
    free(l->had_order);
    free(l->had_carrier);
}

static char *field(const PGresult *res, int col)
{
    return PQgetisnull(res, 0, col) ? NULL : xstrdup(pg_text(res, 0, col));
}

/* Locks the row: nobody links it elsewhere between the question and the answer. */
static enum rc look(PGconn *conn, struct link *l, bool lock, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    char *sql CLEANUP(freep) = xasprintf("SELECT order_id::text, carrier FROM platform_express_waybills WHERE "
                                         "tracking_no = $1%s",
                                         lock ? " FOR UPDATE" : "");

    TRY(pg_query(conn, sql, 1, &l->number, &res, err));
    l->exists = PQntuples(res) > 0;
    freep(&l->had_order);
    freep(&l->had_carrier);
    l->had_order = l->exists ? field(res, 0) : NULL;
    l->had_carrier = l->exists ? field(res, 1) : NULL;
    return RC_OK;
}

static enum rc write_waybill(PGconn *conn, const struct link *l, struct err *err)
{
    char type[EXPRESS_TYPE_MAX];
    const char *const params[] = {l->number, l->order, l->carrier};

    TRY(express_type(conn, "platform_express_waybills", "order_id", type, err));
    char *sql CLEANUP(freep) =
        l->exists ? xasprintf("UPDATE platform_express_waybills SET order_id = $2::text::%s, carrier = "
                              "coalesce($3, carrier), updated_at = now() WHERE tracking_no = $1",
                              type)
                  : xasprintf("INSERT INTO platform_express_waybills (tracking_no, order_id, carrier) VALUES ($1, "
                              "$2::text::%s, $3)",
                              type);
    return pg_query(conn, sql, 3, params, NULL, err);
}

static enum rc link_in_transaction(PGconn *conn, struct link *l, struct waiting *w, struct err *err)
{
    char *seen CLEANUP(freep) = l->had_order != NULL ? xstrdup(l->had_order) : NULL;

    TRY(pg_exec(conn, "BEGIN", NULL, err));
    TRY(look(conn, l, true, err));
    if ((seen == NULL) != (l->had_order == NULL) || (seen != NULL && strcmp(seen, l->had_order) != 0)) {
        FAIL(err, RC_REJECT, "%s was linked to another order just now", l->number);
    }
    TRY(write_waybill(conn, l, err));
    TRY(run(conn, l->numbers, w, err));
    return pg_exec(conn, "COMMIT", NULL, err);
}

/* EXIT_DONE: the order is there, or nobody may see it. */
static int check_order(PGconn *conn, const struct link *l)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    struct err err;
    enum rc rc = express_order(conn, l->order, &res, &err);

    if (rc == RC_OK) {
        if (PQgetisnull(res, 0, 0) && PQgetisnull(res, 0, 1)) {
            cli_note(l->cli, "order %.64s has neither a user nor a merchant: nobody will be told", l->order);
        }
        return EXIT_DONE;
    }
    if (rc == RC_REJECT && strcmp(err.code, "42501") == 0) {
        cli_note(l->cli, "%s: whether the order exists is not known", err.text);
        return EXIT_DONE;
    }
    int code = cli_fail("waybills link", &err);
    return rc == RC_REJECT ? EXIT_NOT_FOUND : code;
}

static int link_ask(const struct link *l)
{
    if (l->had_order != NULL && strcmp(l->had_order, l->order) != 0) {
        return cli_confirm(l->cli, "Take waybill %s away from order %.64s?", l->number, l->had_order);
    }
    return EXIT_DONE;
}

static int link_waybill(struct link *l)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    struct waiting w = {.parked = 0};
    struct err err;

    if (express_db(l->cli, "sluice waybills link", &conn, &err) != RC_OK || look(conn, l, false, &err) != RC_OK) {
        return cli_fail("waybills link", &err);
    }
    int code = check_order(conn, l);
    if (code != EXIT_DONE) {
        return code;
    }
    if (l->cli->dry_run) {
        cli_note(l->cli, "would %s waybill %s, order %.64s instead of %.64s", l->exists ? "change" : "make", l->number,
                 l->order, l->had_order != NULL ? l->had_order : "none");
        return EXIT_DONE;
    }
    code = link_ask(l);
    if (code != EXIT_DONE) {
        return code;
    }
    if (link_in_transaction(conn, l, &w, &err) != RC_OK) {
        return cli_fail("waybills link", &err);
    }
    return print_waiting(l->cli, "linked", &w);
}

int cmd_waybills_link(const struct cli *cli)
{
    struct link l = {.cli = cli, .number = cli->argv[0], .order = cli->argv[1], .carrier = cli_flag(cli, "carrier")};

    if (!carrier_tracking_ok(l.number)) {
        return cli_usage(cli, "\"%.80s\" is no tracking number: 1 to 64 of A-Z a-z 0-9 . _ -", l.number);
    }
    if (l.order[0] == '\0' || strlen(l.order) > ORDER_ID_MAX) {
        return cli_usage(cli, "the id of an order has 1 to %d bytes", ORDER_ID_MAX);
    }
    if (l.carrier != NULL && (l.carrier[0] == '\0' || strlen(l.carrier) > CARRIER_MAX)) {
        return cli_usage(cli, "--carrier: expected 1 to %d bytes", CARRIER_MAX);
    }
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    l.numbers = xasprintf("{%s}", l.number); /* nothing in it needs quotes */
    int code = link_waybill(&l);
    link_done(&l);
    return code;
}

/* ---- rematch ---- */

static int rematch(const struct cli *cli, const char *numbers)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    struct waiting w = {.parked = 0};
    struct err err;

    if (express_db(cli, "sluice waybills rematch", &conn, &err) != RC_OK || count(conn, numbers, &w, &err) != RC_OK) {
        return cli_fail("waybills rematch", &err);
    }
    if (w.unknown > 0) {
        cli_note(cli, "%lld parked number%s stay%s so: there is no waybill yet (sluice waybills link)",
                 (long long)w.unknown, w.unknown == 1 ? "" : "s", w.unknown == 1 ? "s" : "");
    }
    if (cli->dry_run || w.parked + w.queue == 0) {
        (void)print_waiting(cli, cli->dry_run ? "would run" : "nothing waits", &w);
        return !cli->dry_run && numbers != NULL ? EXIT_REJECTED : EXIT_DONE;
    }
    int code = cli_confirm(cli, "Run what waits: %lld parked numbers and %lld rows of notify_queue?",
                           (long long)w.parked, (long long)w.queue);
    if (code != EXIT_DONE) {
        return code;
    }
    if (pg_exec(conn, "BEGIN", NULL, &err) != RC_OK || run(conn, numbers, &w, &err) != RC_OK ||
        pg_exec(conn, "COMMIT", NULL, &err) != RC_OK) {
        return cli_fail("waybills rematch", &err);
    }
    return print_waiting(cli, "rematched", &w);
}

int cmd_waybills_rematch(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf numbers;

    buf_init(&numbers, (size_t)1 << 20);
    if (cli->argc > NUMBERS_MAX) {
        return cli_usage(cli, "at most %d numbers", NUMBERS_MAX);
    }
    for (int i = 0; i < cli->argc; i++) {
        if (!carrier_tracking_ok(cli->argv[i])) {
            return cli_usage(cli, "\"%.80s\" is no tracking number: 1 to 64 of A-Z a-z 0-9 . _ -", cli->argv[i]);
        }
        buf_printf(&numbers, "%s%s", i == 0 ? "{" : ",", cli->argv[i]);
    }
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    buf_puts(&numbers, cli->argc > 0 ? "}" : "");
    return rematch(cli, cli->argc > 0 ? buf_str(&numbers) : NULL);
}
