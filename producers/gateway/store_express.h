/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of carriers in the transaction of a batch: the body once, its new nodes, and what follows from them
 * (settle_express.h).
 */
#ifndef SLUICE_GATEWAY_STORE_EXPRESS_H
#define SLUICE_GATEWAY_STORE_EXPRESS_H

#include "gateway/job.h"
#include "gateway/session.h"

/*
 * Within a transaction, behind everything else of it: rows of the business are locked until its end. Jobs of other
 * kinds are passed over. Fills result and express of the callbacks. As jobs_store().
 */
enum rc express_store(struct session *s, struct job *const *jobs, size_t n, struct err *err) MUST_USE;

#endif
