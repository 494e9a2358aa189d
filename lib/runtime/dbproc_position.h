/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of sluice_positions: taking one, and moving some of them as the first statements of a transaction. */
#ifndef SLUICE_RUNTIME_DBPROC_POSITION_H
#define SLUICE_RUNTIME_DBPROC_POSITION_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Raises the epoch, which fences whoever had it, and tells where to go on. Waits for an open transaction of the
 * predecessor (as long as lock_timeout says: RETRY). A row that is not there is made at log_start. */
struct dbproc_taken {
    int64_t epoch;
    int64_t next_offset;
    bool first; /* the row was made now */
};
enum rc dbproc_position_take(PGconn *conn, const char *group, const char *topic, int32_t partition, int64_t log_start,
                             const char *owner, struct dbproc_taken *out, struct err *err) MUST_USE;

/* One row that a transaction moves. */
struct dbproc_step {
    const char *topic;
    int32_t partition;
    int64_t epoch;
    int64_t from, to; /* to = from is allowed: the row is only held */
    bool fenced;      /* out: the row is no longer as expected */
};

/*
 * BEGIN, then each row in the order given (which must be by topic and partition, everywhere the same). FENCED: at least
 * one row was not as expected, see steps[i].fenced. After any failure the transaction is rolled back, if the session
 * still lives.
 */
enum rc dbproc_position_begin(PGconn *conn, const char *group, struct dbproc_step *steps, size_t n,
                              struct err *err) MUST_USE;

/* COMMIT. RETRY with a session that is gone: it is not known whether it happened; taking the rows again tells. */
enum rc dbproc_position_commit(PGconn *conn, struct err *err) MUST_USE;

/* Does a row fit the log? Text of the named state, "" = it does. */
void dbproc_position_judge(int64_t next_offset, int64_t log_start, int64_t log_end, char *out, size_t out_size);

/* ROLLBACK, if there is something to roll back and somebody to tell. */
void dbproc_position_rollback(PGconn *conn);

#endif
