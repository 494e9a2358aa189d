/* SPDX-License-Identifier: Apache-2.0 */
/* Questions: what rows say of a transfer, an account, its flows, a payment. */
#ifndef SLUICE_GATEWAY_SHOW_H
#define SLUICE_GATEWAY_SHOW_H

#include "gateway/job.h"
#include "gateway/session.h"

/* Gives the job's call an answer (200 or a problem) but does not finish it. RETRY, FATAL: it has none yet. */
enum rc show_answer(struct session *s, struct job *job, struct err *err) MUST_USE;

#endif
