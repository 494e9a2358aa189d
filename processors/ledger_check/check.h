/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is the ledger right? Judges a live database in one snapshot, while the roles go on.
 *
 * The rules are written a second time here, on purpose: nothing of processors/ledger or processors/account is used, so
 * that a mistake there is found and not repeated. Whole tables are streamed in the order of their keys and merged;
 * what is remembered is one account or one transfer at a time, so memory does not grow with the ledger. Sorting
 * happens on the server, which spills to its disk.
 *
 *     CHECK_I1  every transfer and every currency sum up to zero
 *     CHECK_I2  versions without a gap; the amounts after each flow follow from those before; the slot's row is the end
 *     CHECK_I3  limits at every flow; frozen and incoming are the sums of the open holds
 *     CHECK_I4  a transfer has exactly the flows of its state; a hold is resolved once
 *     CHECK_I5  every record was counted once, and the counts are those of the rows
 *     CHECK_I6  every flow and decision stands in the outbox once, under the id that follows from it
 *     CHECK_I7  payments walked legally through their states; refunds add up
 *     CHECK_I8  what was refused has moved nothing, and the refusal is on record
 *     CHECK_I9  the hash chain of each slot
 *     CHECK_I12 suspense holds what payments say that it holds
 *
 * docs/ledger.md says what each offender means. Thread: one at a time; blocks for as long as the tables are long.
 */
#ifndef SLUICE_LEDGER_CHECK_CHECK_H
#define SLUICE_LEDGER_CHECK_CHECK_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum check_id {
    CHECK_I1,
    CHECK_I2,
    CHECK_I3,
    CHECK_I4,
    CHECK_I5,
    CHECK_I6,
    CHECK_I7,
    CHECK_I8,
    CHECK_I9,
    CHECK_I12,
    CHECKS
};
#define CHECK_ALL ((1U << CHECKS) - 1)

struct check_about {
    const char *name;  /* "I1" */
    const char *title; /* one line */
};
extern const struct check_about CHECK_ABOUT[CHECKS];
/* By name, in either case. False: there is none. */
bool check_parse(const char *name, enum check_id *out_id);

#define CHECK_FINDINGS_MAX 10
struct check_finding {
    char *where;    /* "account alice slot 0 version 7" */
    char *what;     /* a sentence without a full stop */
    char *expected; /* may be "" */
    char *found;
};

struct check_result {
    bool judged; /* false: not asked for */
    int64_t offenders;
    size_t n; /* of findings: the first ones */
    struct check_finding findings[CHECK_FINDINGS_MAX];
};

/* A posting account of a payment channel, for people: nothing is judged by it. */
#define CHECK_CLEARINGS_MAX 100
struct check_clearing {
    char *account_id;
    char *currency;
    int64_t balance;
    char *expected; /* minus what payments of the channel have confirmed and not refunded, or "" where none are known */
};

struct check_report {
    struct check_result results[CHECKS];
    int64_t accounts, slots, flows, transfers, decisions, payments, transitions; /* rows that were looked at */
    size_t n_clearings;
    struct check_clearing clearings[CHECK_CLEARINGS_MAX];
    char *snapshot; /* PostgreSQL's, as text */
    int64_t took_us;
};

struct check_options {
    const char *url;
    const char *schema;
    unsigned only;                               /* bits of enum check_id; 0 = all */
    const volatile sig_atomic_t *interrupted;    /* may be NULL */
    void (*progress)(void *opaque, double part); /* 0 to 1, now and then; may be NULL */
    void *opaque;
};

/* RETRY: the server is away. FATAL: the tables are not there, interrupted. Offenders are no error. */
enum rc check_run(const struct check_options *opt, struct check_report *out, struct err *err) MUST_USE;
/* Frees what the report points to; harmless on one that is all zero. */
void check_report_done(struct check_report *r);
int64_t check_offenders(const struct check_report *r);

#endif
