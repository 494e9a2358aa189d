/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of commands: one query for any number of them.
 *
 * A command is decided when one of these holds; whatever does not hold yet is asked again later.
 *
 *     account_decisions has a row of its event          every rejection; cancellations of what was never tried;
 *                                                       accounts that were opened or set
 *     account_transfers has its event                   what it made: posted, held, confirmed, cancelled
 *     the transfer was decided by an earlier command    the same answer as then. The ledger writes nothing for a
 *     with the same content                             repetition, so it is told from the rows: see results.c
 */
#ifndef SLUICE_GATEWAY_RESULTS_H
#define SLUICE_GATEWAY_RESULTS_H

#include "gateway/job.h"
#include "gateway/session.h"

struct result {
    size_t job; /* its place in the list */
    bool rejected;
    const char *code; /* of a rejection */
    const char *json; /* otherwise: the transfer, {"transfers": [...]}, or the account */
};

/* Called once for each that is decided; strings live until it returns. */
typedef void (*result_fn)(void *opaque, const struct result *result);

enum rc results_read(struct session *s, struct job *const *jobs, size_t n, result_fn fn, void *opaque,
                     struct err *err) MUST_USE;

#endif
