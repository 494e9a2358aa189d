/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of push_devices. Where the table was there before us its identities may be uuids or numbers: values are cast to
 * what the columns are, never the columns, whose indexes would be lost; what is no such value is refused by name.
 */
#ifndef SLUICE_GATEWAY_STORE_DEVICES_H
#define SLUICE_GATEWAY_STORE_DEVICES_H

#include "gateway/job.h"
#include "gateway/session.h"

/* Within a transaction; jobs of other kinds are passed over. Fills shown, or the device's refused. As jobs_store(). */
enum rc devices_store(struct session *s, struct job *const *jobs, size_t n, struct err *err) MUST_USE;

/* Answers a question; as show_answer(). */
enum rc devices_show(struct session *s, struct job *job, struct err *err) MUST_USE;

#endif
