/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of channels in the transaction of a batch. A notification is stored once, under its id and under what it is
 * about; with it, in the same transaction, its event or its row of quarantine.
 */
#ifndef SLUICE_GATEWAY_STORE_CALLBACKS_H
#define SLUICE_GATEWAY_STORE_CALLBACKS_H

#include "gateway/job.h"
#include "gateway/session.h"

/* Within a transaction; jobs of other kinds are passed over. Fills result and detail of the callbacks. As jobs_store().
 */
enum rc callbacks_store(struct session *s, struct job *const *jobs, size_t n, struct err *err) MUST_USE;

#endif
