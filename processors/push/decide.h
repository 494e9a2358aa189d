/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a message after its verdict. No state, no clock, no network. */
#ifndef SLUICE_PUSH_DECIDE_H
#define SLUICE_PUSH_DECIDE_H

#include <stdint.h>

#include "push/verdict.h"
#include "runtime/retry_schedule.h"

struct push_policy {
    struct retry_schedule schedule;
    int64_t max_retries;
};

struct push_decision {
    enum push_outcome outcome;
    enum push_device device;
    bool was_request;
    int64_t delay_ms; /* RETRY: of the schedule; PARKED: what the caller gave; else -1 */
};

struct push_case {
    enum push_verdict verdict;
    bool asked;             /* a request was made */
    bool circuit_open;      /* the provider's: what is its fault costs nobody's budget */
    int64_t round_attempts; /* used up before this one */
    int64_t retry_after_ms; /* -1 = none */
    int64_t park_ms;        /* delay where it is parked */
};

/* random: any number. */
struct push_decision push_decide(const struct push_policy *policy, const struct push_case *c, uint64_t random);

#endif
