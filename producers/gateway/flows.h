/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows of an account, page by page, as JSON or CSV (RFC 4180).
 *
 * The order is that of the table's key: slot, then version. (An account with a limit has one slot only.) A page looks
 * at a bounded number of rows, so one that asks for times may hold fewer than `limit`, even none, and still have a
 * next.
 */
#ifndef SLUICE_GATEWAY_FLOWS_H
#define SLUICE_GATEWAY_FLOWS_H

#include "gateway/job.h"
#include "gateway/session.h"

#define FLOWS_LOOKED_AT_MAX "20000" /* rows for one page */

/* As show_answer(). */
enum rc flows_show(struct session *s, struct job *job, struct err *err) MUST_USE;
/* "SLOT|VERSION" of a cursor; false: it is none of ours. */
bool flows_key_ok(const char *key);

#endif
