/* SPDX-License-Identifier: Apache-2.0 */
/* From a verdict to an outcome. */
#include "push/decide.h"

struct push_decision push_decide(const struct push_policy *policy, const struct push_case *c, uint64_t random)
{
    const struct push_verdict_row *row = &PUSH_VERDICTS_TABLE[c->verdict];
    struct push_decision d = {
        .outcome = row->outcome, .device = row->device, .was_request = row->was_request && c->asked, .delay_ms = -1};

    if (d.outcome == PUSH_RETRY && c->circuit_open) {
        d.outcome = PUSH_PARKED;
        d.was_request = false;
    } else if (d.outcome == PUSH_RETRY && c->round_attempts >= policy->max_retries) {
        d.outcome = PUSH_DEAD_LETTER; /* this was attempt number round_attempts + 1 */
    } else if (d.outcome == PUSH_RETRY) {
        d.delay_ms = retry_schedule_ms(&policy->schedule, c->round_attempts, c->retry_after_ms, random);
    }
    if (d.outcome == PUSH_PARKED) {
        d.delay_ms = c->park_ms;
    }
    return d;
}
