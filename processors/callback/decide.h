/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of an event after an attempt, or instead of one. No state, no clock, no network. */
#ifndef SLUICE_CALLBACK_DECIDE_H
#define SLUICE_CALLBACK_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "callback/platform.h"
#include "http/verdict.h"

enum outcome {
    OUTCOME_DELIVERED,
    OUTCOME_RETRY,  /* due again after delay_ms; one attempt of the round is used up */
    OUTCOME_PARKED, /* due again after delay_ms; nothing is used up */
    OUTCOME_DEAD_LETTER
};
const char *outcome_name(enum outcome outcome); /* the symbol in callback_outcome.avsc; static */

struct decision {
    enum outcome outcome;
    bool was_request; /* it gets an attempt row */
    int64_t delay_ms; /* -1 for delivered and dead letters */
};

/*
 * round_attempts: used up before this one. retry_after_ms: -1 = none. random: any number.
 */
struct decision decide(const struct platform *platform, int64_t round_attempts, const struct http_meaning *meaning,
                       int64_t retry_after_ms, uint64_t random);

/* No attempt is made now because the endpoint, or we, have too much to do: 1 s, doubled each time in a row, at most
 * RETRY_PARK_MS_MAX. */
struct decision decide_parked(unsigned streak, uint64_t random);

#endif
