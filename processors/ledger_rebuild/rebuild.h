/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger again, from the topic account.flows alone: a proof that the log tells the whole story, and a way back when
 * the database is lost.
 *
 * Every partition is read from its start to the end that it had at the beginning (read_committed). Flows and decisions
 * are replayed, nothing is decided anew: between partitions the order of the commands is not known any more, and need
 * not be. What was published twice is recognised by its place (account, slot, version; event, ordinal); of two the
 * later counts, and two with different content are a difference.
 *
 * What comes back: account_slots, account_transfers (but the sweeper's notes), account_flows, account_decisions.
 * What does not: payments, positions and the journal, which are not in this topic.
 *
 * The live database is compared in one snapshot. Its ledger must stand still meanwhile: that is looked after, and
 * said (moved), because a log that is read while it grows has no common moment with a database. Thread: one.
 */
#ifndef SLUICE_LEDGER_REBUILD_REBUILD_H
#define SLUICE_LEDGER_REBUILD_REBUILD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/option.h"
#include "ledger_check/digest.h"

#define REBUILD_FINDINGS_MAX 10

struct rebuild_finding {
    char *where, *what, *a, *b; /* a: live, or expected; b: rebuilt, or found */
};

/* What is wrong: with the log, or between the two ledgers. */
struct rebuild_findings {
    int64_t n;
    struct rebuild_finding first[REBUILD_FINDINGS_MAX];
};

struct rebuild_report {
    int partitions;
    int64_t offsets;             /* in the log, markers of transactions among them */
    int64_t flows, decisions;    /* records */
    int64_t again;               /* of them published before */
    struct rebuild_findings log; /* what is missing or contradictory in it */
    bool compared;
    bool moved; /* the live ledger went on meanwhile: no comparison was made */
    struct rebuild_findings differences;
    struct digests live, rebuilt;
};

struct rebuild_options {
    const struct config *cfg; /* Kafka, topic.prefix, database.url and database.schema of the live one */
    const char *into;         /* URL of a migrated database without accounts */
    bool dry_run;             /* look at log and databases, write nothing */
    bool alone;               /* there is no live database to compare with */
    const volatile sig_atomic_t *interrupted;
    void (*progress)(void *opaque, const char *what, double part);
    void *opaque;
};

/*
 * REJECT: the target is not empty, not migrated, or the live one; the topic is not there. FENCED: the live ledger
 * moves, or has not published everything (text). Differences are no error. What was written before an error is rolled
 * back.
 */
enum rc rebuild_run(const struct rebuild_options *opt, struct rebuild_report *out, struct err *err) MUST_USE;
void rebuild_report_done(struct rebuild_report *r);

#endif
