/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What time does to stored calls: notifications whose order has appeared go to the ledger, old headers and bodies are
 * erased. Any instance does it, each some rows at a time; what another one has in hand is passed over.
 */
#ifndef SLUICE_GATEWAY_CALLBACK_SWEEP_H
#define SLUICE_GATEWAY_CALLBACK_SWEEP_H

#include <stdint.h>

#include "base/uuid.h"
#include "gateway/session.h"

#define SWEEP_WINDOW 1000 /* waiting notifications of one look */

/*
 * How far the walk through those that wait has come; {0} is the beginning. It goes on from there, or thousands that
 * wait for ever would hide those behind them.
 */
struct sweep_walk {
    char *payment_id; /* heap; NULL = the beginning */
    char id[UUID_TEXT_LEN + 1];
};
void sweep_walk_done(struct sweep_walk *walk);

/* One that was settled, or turned out to contradict its order. */
typedef void (*sweep_settled_fn)(void *opaque, const char *id, const char *payment_id, const char *against);

/*
 * One window. *out_looked is how many it had: SWEEP_WINDOW, or less at the end, where the walk begins anew. against of
 * say() is NULL for what went to the ledger.
 */
enum rc callback_sweep_orders(struct session *s, struct sweep_walk *walk, int *out_looked, sweep_settled_fn say,
                              void *opaque, struct err *err) MUST_USE;

enum sweep_inbox { SWEEP_PAYMENTS, SWEEP_EXPRESS }; /* payment_callbacks, express_callbacks */
/* Erases headers and bodies of up to limit calls that are older than days. */
enum rc callback_sweep_erase(struct session *s, enum sweep_inbox inbox, int64_t days, int64_t limit,
                             int64_t *out_erased, struct err *err) MUST_USE;

/* How far PostgreSQL's clock is ahead of ours, and how uncertain that is: half of the time it took to ask. */
enum rc callback_sweep_skew(struct session *s, int64_t (*now_us)(void), int64_t *out_skew_us, int64_t *out_unsure_us,
                            struct err *err) MUST_USE;

#endif
