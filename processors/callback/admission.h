/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may be called now: places in flight per platform (BATCH_SIZE) and, within them, per endpoint.
 *
 * An endpoint gets at most three quarters of its platform's places, and fewer when it does not answer: its limit is
 * halved by each call that shows it overloaded and grows by one with each good one. Endpoints whose calls take long
 * share half of the platform's places, whatever their number, so that the quick ones always find some. One that did not
 * answer five times in a row is left alone for a while, and then asked by one call.
 * What finds no place waits here for a moment if the endpoint, as fast as it was of late, gets through its queue within
 * that; otherwise it is to be parked at once, for a time that grows while the endpoint stays busy and spreads what is
 * parked over the time in which the endpoint can take it.
 *
 * State and arithmetic only: no clock, no network, no memory beyond ADMISSION_LANES_MAX endpoints.
 * Thread: one.
 */
#ifndef SLUICE_CALLBACK_ADMISSION_H
#define SLUICE_CALLBACK_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "callback/platform.h"

#define ADMISSION_LANES_MAX 4096

struct lane;

/* One event's place; the caller's memory, zeroed before enter. */
struct ticket {
    struct lane *lane; /* NULL = has none */
    bool going;
    int64_t since_ms;           /* of waiting or of going */
    struct ticket *prev, *next; /* in its lane */
    struct ticket *wait_prev, *wait_next;
};

struct admission_limits {
    int64_t wait_ms;     /* longest wait for a place */
    int64_t park_ms_max; /* longest delay of what is parked */
};

enum admit { ADMIT_GO, ADMIT_WAIT, ADMIT_PARK };

/* What a finished call says of its endpoint. */
enum call_end {
    CALL_GOOD,       /* it answered and is well */
    CALL_NEUTRAL,    /* says nothing: never sent, refused, an error of this one event */
    CALL_OVERLOADED, /* it answers that it has too much to do */
    CALL_NO_ANSWER   /* none in time, no connection */
};

struct admission;

/* platforms must outlive it and keep its size. */
struct admission *admission_create(const struct platforms *platforms, const struct admission_limits *limits) MUST_USE;
struct admission *admission_free(struct admission *a); /* no ticket may be left; accepts NULL, returns NULL */

/*
 * now_ms is monotonic. GO: the ticket has its place. WAIT: admission_next() or admission_overdue() will name it.
 * PARK: the ticket has nothing; *out_park_ms says for how long.
 */
enum admit admission_enter(struct admission *a, const struct platform *platform, const char *endpoint,
                           struct ticket *ticket, int64_t now_ms, uint64_t random, int64_t *out_park_ms);

/* A call is over: what it took, and what it says. not_before_ms > 0: the endpoint wants no call earlier, whatever those
 * under way are answered. */
void admission_leave(struct admission *a, struct ticket *ticket, enum call_end end, int64_t now_ms,
                     int64_t not_before_ms);
/* Going or waiting, the event is dropped: nothing is learned from that. */
void admission_drop(struct admission *a, struct ticket *ticket);

/* A ticket that waited and goes now; NULL = none may. Endpoints take turns. */
struct ticket *admission_next(struct admission *a, int64_t now_ms);
/* A ticket that has waited too long and is to be parked; it has left. NULL = none. */
struct ticket *admission_overdue(struct admission *a, int64_t now_ms, uint64_t random, int64_t *out_park_ms);

/* For a call that failed because of us: how long its endpoint's event is parked. The ticket is going. */
int64_t admission_park_ms(struct admission *a, const struct ticket *ticket, int64_t now_ms, uint64_t random);
/* For an event that must wait for an earlier one of its key: how long it is parked. */
int64_t admission_behind_ms(struct admission *a, const struct platform *platform, const char *endpoint, int64_t now_ms,
                            uint64_t random);
/* To be said some times a second: endpoints that have become slow are noticed by the others. */
void admission_tick(struct admission *a, int64_t now_ms);

size_t admission_waiting(const struct admission *a);
size_t admission_endpoints(const struct admission *a); /* known */

#endif
