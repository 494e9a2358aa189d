/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What carriers have said of parcels becomes rows of notify_queue, once the waybill is known.
 *
 *     undecided node --waybill known--> queued (a row of notify_queue stands for it) | history (nobody is told)
 *                    --unknown--------> its number waits in express_parked: it is looked for at due_at
 *                                       | nobody has spoken of it for keep_days --> it rests: due_at is infinity
 *
 * Nobody is told the whole way at once: of a parcel that was never heard of before, of a report that says everything
 * anew, and of a number that was parked, only the newest node is queued. Otherwise every new node is, at most nodes_max
 * of them.
 *
 * A number that rests is not looked for, counted or listed any more. Its row stays, for it is what the trigger of a
 * late waybill makes due without anybody's waiting for it, and its nodes stay undecided: as history they would make it
 * a parcel that was heard of before, of which each new node is told. So whatever comes late, a call or the waybill,
 * finds what it would have found on the first day; whether the newest node is too old to be told is notify's to say.
 *
 * Locks are taken in one order, by tracking number, and whoever has written a parked number, or holds one alone, waits
 * for no waybill: the application that inserts waybills waits for parked numbers itself, through their trigger.
 *
 * Thread: the session's.
 */
#ifndef SLUICE_GATEWAY_SETTLE_EXPRESS_H
#define SLUICE_GATEWAY_SETTLE_EXPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/session.h"

#define EXPRESS_WINDOW 500 /* parked numbers of one look */

/* What an operator decides of it. */
struct express_rules {
    int64_t nodes_max; /* new nodes of one parcel that are told at once */
    int64_t keep_days; /* how long a number without a waybill is looked for after its last call; 0 = for ever */
};

/* A tracking number that calls have named; nothing belongs to it. */
struct express_number {
    const char *tracking_no;
    const char *account; /* in whose call; "" = the route without one */
    const char *carrier; /* NULL = it did not say */
    int64_t calls;       /* of this batch */
    bool parks;          /* where there is no waybill its number waits: something was said of it */
    bool known;          /* out: there is a waybill */
};
/* By tracking number, for qsort() and bsearch(). */
int express_number_compare(const void *a, const void *b);

struct express_totals {
    int64_t queued, history; /* nodes */
};

/*
 * Within a transaction that has inserted the nodes: decides those of known numbers, parks the others. numbers: each
 * once, by strcmp(); at most a batch's. RETRY and REJECT as session_query().
 */
enum rc express_settle(struct session *s, struct express_number *numbers, size_t n, int64_t nodes_max,
                       struct express_totals *out, struct err *err) MUST_USE;

/* What one look has found. */
struct express_looked {
    int numbers; /* that were due; EXPRESS_WINDOW: there may be more */
    int rest;    /* of them, those that are not looked for any more */
};

/*
 * One number that was looked at again. known: its waybill is there, and it waits no longer; queued and history: what
 * became of its nodes. Strings live until it returns.
 */
typedef void (*express_settled_fn)(void *opaque, const char *tracking_no, bool known, int64_t queued, int64_t history);

/*
 * A transaction of its own: up to EXPRESS_WINDOW parked numbers that are due, those that others have in hand left out.
 * One whose waybill is there never rests, however old it is. say is called after COMMIT. RETRY when it is not known
 * whether that succeeded: the same again is harmless.
 */
enum rc express_sweep(struct session *s, const struct express_rules *rules, struct express_looked *out,
                      express_settled_fn say, void *opaque, struct err *err) MUST_USE;

/*
 * The same for numbers that somebody names (each at most once, at most EXPRESS_WINDOW), whether they are parked or due
 * or not: what is undecided of them is decided if there is a waybill. One whose waybill somebody else has locked is
 * told as not known, and is due at once.
 */
enum rc express_rematch(struct session *s, const char *const *tracking_nos, size_t n, const struct express_rules *rules,
                        express_settled_fn say, void *opaque, struct err *err) MUST_USE;

/* How many numbers wait, at most max; those that rest are none of them. */
enum rc express_parked(struct session *s, int64_t max, int64_t *out_n, struct err *err) MUST_USE;

#endif
