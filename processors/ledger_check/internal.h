/* SPDX-License-Identifier: Apache-2.0 */
/* What the passes of the check share. */
#ifndef SLUICE_LEDGER_CHECK_INTERNAL_H
#define SLUICE_LEDGER_CHECK_INTERNAL_H

#include <libpq-fe.h>

#include "ledger_check/check.h"

#define HASH_BYTES 32
#define SESSIONS 3 /* streams that are merged: flows, slots, settings */

struct checker {
    const struct check_options *opt;
    struct check_report *report;
    unsigned only;
    PGconn *conns[SESSIONS]; /* all of them see the same snapshot */
    double rows_done, rows_total;
    int64_t last_progress_ms;
};

static inline bool check_wants(const struct checker *c, enum check_id id)
{
    return (c->only & 1U << id) != 0;
}

/* Counts an offender and keeps the first ones. Texts are copied; NULL is "". */
void offend(struct checker *c, enum check_id id, const char *where, const char *what, const char *expected,
            const char *found);
void offend_int(struct checker *c, enum check_id id, const char *where, const char *what, int64_t expected,
                int64_t found);
/* One more row was read. FATAL when the run was interrupted. */
enum rc check_step(struct checker *c, struct err *err) MUST_USE;

/* Sums over whole tables may need more than 64 bits. */
__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 unsigned_wide;
#define WIDE_TEXT_MAX 48
const char *wide_text(wide v, char out[WIDE_TEXT_MAX]);

/* The passes. Each reads whole tables and leaves the sessions as they were. */
enum rc check_slots(struct checker *c, struct err *err) MUST_USE;     /* slots.c: I1 I2 I3 I6 I9 */
enum rc check_transfers(struct checker *c, struct err *err) MUST_USE; /* transfers.c: I1 I4 I8 */
enum rc check_payments(struct checker *c, struct err *err) MUST_USE;  /* payments.c: I7 */
enum rc check_queries(struct checker *c, struct err *err) MUST_USE;   /* queries.c: what the server counts */

#endif
