/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice waybills link`: a waybill gets its order, and what waited for that runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "carrier/carrier.h"
#include "commands.h"
#include "express.h"
#include "pg/conn.h"
#include "waybills.h"

#define ORDER_ID_MAX 128
#define CARRIER_MAX 64

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
    TRY(waiting_named(conn, WAITING_RUN, l->numbers, w, err));
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
    return waiting_print(l->cli, "linked", &w);
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
