/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes jobs durable: one transaction for many. Every row has an id that was chosen before, and is inserted only where
 * it is missing. Hence the same call again is how an unknown outcome is found out: an INSERT of an id waits for a
 * transaction of an older session that may still be committing it, and then does nothing.
 */
#ifndef SLUICE_GATEWAY_STORE_H
#define SLUICE_GATEWAY_STORE_H

#include "gateway/job.h"
#include "gateway/session.h"

/*
 * OK: all of them are committed, results of payments are filled in.
 * Otherwise *out_unknown says whether they may be committed nevertheless; if not, nothing is stored. RETRY: away or
 * busy. REJECT: one of the jobs is refused by the database.
 */
enum rc jobs_store(struct session *s, struct job *const *jobs, size_t n, bool *out_unknown, struct err *err) MUST_USE;

#endif
