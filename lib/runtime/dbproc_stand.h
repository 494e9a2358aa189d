/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a database processor stands, and putting it elsewhere by hand: position rows beside the log and the group's
 * copy. Moving raises the epoch, as taking does: an instance that still has the partition is fenced, finds that out
 * with its next batch and takes the partition again where it was put.
 *
 * Thread: any; each call opens its own clients and blocks for at most some seconds.
 */
#ifndef SLUICE_RUNTIME_DBPROC_STAND_H
#define SLUICE_RUNTIME_DBPROC_STAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/option.h"

/* One partition. */
struct dbproc_stand {
    char *topic; /* full name; heap */
    int32_t partition;
    bool found;          /* there is a row */
    int64_t next_offset; /* these three: of the row */
    int64_t epoch;
    char owner[128];
    int64_t log_start, log_end; /* -1 = Kafka has no such partition */
    int64_t group_offset;       /* Kafka's copy; -1 = none */
    char state[160];            /* "" = the processor would go on */

    bool move; /* in: for dbproc_stands_move() */
    int64_t to;
};

struct dbproc_stands {
    struct dbproc_stand *list; /* by topic and partition */
    size_t n;
    int64_t members; /* instances in the group now */
};

/*
 * All rows of the group (full name), and all partitions of topics (full names), which the group reads. REJECT: more
 * than 10,000 rows. Release with dbproc_stands_done, also after a failure.
 */
enum rc dbproc_stands_read(const struct config *cfg, const char *group, const char *const *topics, size_t n_topics,
                           struct dbproc_stands *out, struct err *err) MUST_USE;
void dbproc_stands_done(struct dbproc_stands *s);

/*
 * Moves those with .move, all or none, and tells the group. FENCED: a row is not as it was read, or is held: an
 * instance is at work; with force rows are moved as they are.
 */
enum rc dbproc_stands_move(const struct config *cfg, const char *group, const struct dbproc_stands *s, bool force,
                           struct err *err) MUST_USE;

#endif
