/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What waits for a waybill or an order that is there by now: parked numbers, and rows of notify_queue that were skipped
 * because one of both was not found. Counted, or put on the road; by the same rules.
 *
 * Thread: main.
 */
#ifndef SLUICE_CLI_WAYBILLS_H
#define SLUICE_CLI_WAYBILLS_H

#include <libpq-fe.h>

#include "progress.h"

#define WAITING_PAGE 1000 /* rows of one statement, where nobody names numbers */

struct waiting {
    int64_t parked, queue; /* whose waybill is there, for rows of notify_queue with an order */
    int64_t unknown;       /* parked, looked for, and no waybill of that number */
};

enum waiting_deed { WAITING_COUNT, WAITING_RUN };

/*
 * Of these numbers, an array as PostgreSQL writes it. With WAITING_RUN in the caller's transaction, if there is one;
 * unknown is filled with WAITING_COUNT only. As pg_query().
 */
enum rc waiting_named(PGconn *conn, enum waiting_deed deed, const char *numbers, struct waiting *out,
                      struct err *err) MUST_USE;
/*
 * Of all numbers: both tables are walked by an index, WAITING_PAGE rows at a time, each page a transaction of its own.
 * What is queued while that goes on is not looked at, so it ends. After a failure the pages before it are done; the
 * same again is harmless.
 */
enum rc waiting_all(PGconn *conn, enum waiting_deed deed, struct progress *progress, struct waiting *out,
                    struct err *err) MUST_USE;

/* "DONE: 1 parked number due now, ...", or JSON. EXIT_DONE. */
int waiting_print(const struct cli *cli, const char *done, const struct waiting *w);

#endif
