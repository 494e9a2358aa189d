/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May a provider be asked at all? A refused credential opens the circuit at once, a provider that is down after some
 * requests in a row. Then everything for it is parked, and after a pause that grows one request is let through; what
 * that one says closes the circuit or opens it again. Arithmetic only. Thread: one.
 */
#ifndef SLUICE_PUSH_CIRCUIT_H
#define SLUICE_PUSH_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

#define CIRCUIT_IN_ROW 5 /* not more than retries of a message: an outage must not use up anybody's */

enum circuit_state { CIRCUIT_CLOSED, CIRCUIT_OPEN, CIRCUIT_PROBING };

struct circuit {
    enum circuit_state state;
    unsigned in_row;   /* requests without an answer */
    unsigned openings; /* in a row: the pause doubles with each */
    int64_t until_ms;  /* OPEN: monotonic */
};

/* A request may be made now; where that is the probe, circuit_began() must be told. */
bool circuit_may(const struct circuit *c, int64_t now_ms);
/* Everything is to be parked: it is open, or its probe is under way and it may take long. */
bool circuit_parks(const struct circuit *c, int64_t now_ms);
void circuit_began(struct circuit *c);
/* The provider has answered as one that is well. True: the circuit was not closed and is now. */
bool circuit_good(struct circuit *c);
/* at_once: opens whatever happened before. Results of requests that were under way when it opened change nothing.
 * True: it is open now and was not, or its probe has failed. */
bool circuit_bad(struct circuit *c, bool at_once, int64_t pause_ms_max, int64_t now_ms, uint64_t random);
/* The probe was broken off: another one may be made at once. */
void circuit_lost(struct circuit *c, int64_t now_ms);

#endif
