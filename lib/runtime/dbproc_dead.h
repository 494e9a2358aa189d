/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the database processors' runtime: a record that cannot be handled becomes a row of dead_letter_outbox. */
#ifndef SLUICE_RUNTIME_DBPROC_DEAD_H
#define SLUICE_RUNTIME_DBPROC_DEAD_H

#include <libpq-fe.h>

#include "base/buf.h"
#include "runtime/dbproc.h"

#define DBPROC_DEAD_BYTES_MAX ((size_t)1 << 20)         /* a record of the usual topics; larger ones are cut */
#define DBPROC_DEAD_CUT_BYTES ((size_t)64 << 10)        /* to this */
#define DBPROC_DEAD_HEADERS_BYTES_MAX ((size_t)8 << 20) /* as JSON; they came in a record, which has a ceiling */

struct dbproc_death {
    const char *dlq;   /* without prefix */
    const char *group; /* full name */
    const char *stage; /* the role */
    const char *class;
    const char *text;
};

/* Adds the row to the open transaction. */
enum rc dbproc_dead_insert(PGconn *conn, const struct dbproc_event *ev, const struct dbproc_death *why,
                           struct err *err) MUST_USE;

/*
 * The headers as the table wants them: those the record had, verbatim, then those that say why. Of an earlier death
 * only the first time and the count of redrives are kept. now: RFC 3339. sha256: of a value that is cut, else NULL.
 */
void dbproc_dead_headers(const struct dbproc_event *ev, const struct dbproc_death *why, const char *now,
                         const char *sha256, struct buf *out);

#endif
