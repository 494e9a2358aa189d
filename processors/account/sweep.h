/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks for the expiry of what has not been settled in time, in one statement: a record each in an outbox, and
 * expiry_asked_at, so that it is asked for once more only after a while. Rows that somebody has locked are passed over.
 * Outside of a transaction.
 */
#ifndef SLUICE_ACCOUNT_SWEEP_H
#define SLUICE_ACCOUNT_SWEEP_H

#include <libpq-fe.h>
#include <stdint.h>

#include "base/err.h"

struct sweep_options {
    int64_t rows_max; /* asked for in one go; 0 = none */
    int64_t again_s;  /* asked once more after so long */
};

/* Holds: commands `expire` in account_command_outbox. */
enum rc sweep_holds(PGconn *conn, const struct sweep_options *sweep, int64_t *out_asked, struct err *err) MUST_USE;
/* Orders that are not paid: events payment.expired in payment_outbox. */
enum rc sweep_orders(PGconn *conn, const struct sweep_options *sweep, int64_t *out_asked, struct err *err) MUST_USE;

#endif
