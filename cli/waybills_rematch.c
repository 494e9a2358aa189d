/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice waybills rematch`: what waits for a waybill or an order runs. */
#include "base/mem.h"
#include "carrier/carrier.h"
#include "commands.h"
#include "express.h"
#include "pg/conn.h"
#include "waybills.h"

#define NUMBERS_MAX 10000

/* numbers NULL: all. Those that are named go in one transaction, all of them page by page. */
static enum rc look(const struct cli *cli, PGconn *conn, enum waiting_deed deed, const char *numbers,
                    struct waiting *out, struct err *err)
{
    struct progress progress = {.cli = cli, .what = deed == WAITING_COUNT ? "looking" : "rematching"};

    if (numbers == NULL) {
        enum rc rc = waiting_all(conn, deed, &progress, out, err);
        progress_end(&progress);
        return rc;
    }
    TRY(pg_exec(conn, "BEGIN", NULL, err));
    TRY(waiting_named(conn, deed, numbers, out, err));
    return pg_exec(conn, "COMMIT", NULL, err);
}

static int rematch(const struct cli *cli, const char *numbers)
{
    PGconn *conn CLEANUP(pg_closep) = NULL;
    struct waiting w = {.parked = 0};
    struct err err;

    if (express_db(cli, "sluice waybills rematch", &conn, &err) != RC_OK ||
        look(cli, conn, WAITING_COUNT, numbers, &w, &err) != RC_OK) {
        return cli_fail("waybills rematch", &err);
    }
    if (w.unknown > 0) {
        cli_note(cli, "%lld parked number%s stay%s so: there is no waybill yet (sluice waybills link)",
                 (long long)w.unknown, w.unknown == 1 ? "" : "s", w.unknown == 1 ? "s" : "");
    }
    if (cli->dry_run || w.parked + w.queue == 0) {
        (void)waiting_print(cli, cli->dry_run ? "would run" : "nothing waits", &w);
        return !cli->dry_run && numbers != NULL ? EXIT_REJECTED : EXIT_DONE;
    }
    int code = cli_confirm(cli, "Run what waits: %lld parked numbers and %lld rows of notify_queue?",
                           (long long)w.parked, (long long)w.queue);
    if (code != EXIT_DONE) {
        return code;
    }
    int64_t unknown = w.unknown;
    if (look(cli, conn, WAITING_RUN, numbers, &w, &err) != RC_OK) {
        return cli_fail("waybills rematch", &err);
    }
    w.unknown = unknown;
    return waiting_print(cli, "rematched", &w);
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
