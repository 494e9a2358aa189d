/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ledger as six SHA-256 sums, and where two ledgers differ.
 *
 * In none of them: when something was booked or published. The first three do not depend on the order in which
 * instances met at an account either:
 *
 *     accounts   settings, balance, frozen, incoming of each
 *     transfers  each with its state, code and content
 *     decisions  what was decided without a flow
 *     slots      balance, frozen, incoming, number of flows and the chain's hash of each slot that has flows
 *     flows      each with its place, content and hash
 *     places     which slots each transfer was booked in
 *
 * Rows are streamed in the order of their keys; memory is that of a row. Thread: one at a time.
 */
#ifndef SLUICE_LEDGER_CHECK_DIGEST_H
#define SLUICE_LEDGER_CHECK_DIGEST_H

#include <libpq-fe.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum digest_part {
    DIGEST_ACCOUNTS,
    DIGEST_TRANSFERS,
    DIGEST_DECISIONS,
    DIGEST_SLOTS,
    DIGEST_FLOWS,
    DIGEST_PLACES,
    DIGESTS
};
extern const char *const DIGEST_NAMES[DIGESTS];

#define DIGEST_TEXT_MAX 65
struct digests {
    int64_t rows[DIGESTS];
    char sha256[DIGESTS][DIGEST_TEXT_MAX]; /* hexadecimal */
};

#define DIGEST_ORDERLESS DIGEST_SLOTS /* so many, from the first, do not depend on the order */
/*
 * The first parts of them, within the caller's transaction, which has to be one snapshot. interrupted may be NULL;
 * FATAL when it is set.
 */
enum rc digest_ledger(PGconn *conn, int parts, const volatile sig_atomic_t *interrupted, struct digests *out,
                      struct err *err) MUST_USE;

/* One row that is not the same: "account alice", and what column a and b have; "" where there is no such row. */
typedef void (*digest_differs_fn)(void *opaque, enum digest_part part, const char *where, const char *what,
                                  const char *a, const char *b);
/* Both ledgers, row beside row. differs is called for each row that differs. */
enum rc digest_compare(PGconn *a, PGconn *b, const volatile sig_atomic_t *interrupted, struct digests *out_a,
                       struct digests *out_b, digest_differs_fn differs, void *opaque, struct err *err) MUST_USE;

#endif
