/* SPDX-License-Identifier: Apache-2.0 */
/* A breaker. */
#include "push/circuit.h"

#include "runtime/retry_schedule.h"

#define OPENINGS_MAX 16

bool circuit_may(const struct circuit *c, int64_t now_ms)
{
    return c->state == CIRCUIT_CLOSED || (c->state == CIRCUIT_OPEN && now_ms >= c->until_ms);
}

bool circuit_parks(const struct circuit *c, int64_t now_ms)
{
    return c->state != CIRCUIT_CLOSED && !circuit_may(c, now_ms);
}

void circuit_began(struct circuit *c)
{
    c->state = c->state == CIRCUIT_OPEN ? CIRCUIT_PROBING : c->state;
}

bool circuit_good(struct circuit *c)
{
    bool was_open = c->state == CIRCUIT_PROBING;

    if (c->state != CIRCUIT_OPEN) { /* an old answer does not end a pause */
        *c = (struct circuit){.state = CIRCUIT_CLOSED};
    }
    return was_open;
}

bool circuit_bad(struct circuit *c, bool at_once, int64_t pause_ms_max, int64_t now_ms, uint64_t random)
{
    if (c->state == CIRCUIT_OPEN) {
        return false;
    }
    c->in_row++;
    if (c->state == CIRCUIT_CLOSED && !at_once && c->in_row < CIRCUIT_IN_ROW) {
        return false;
    }
    int64_t pause_ms = retry_park_ms(c->openings, random);
    c->openings += c->openings < OPENINGS_MAX ? 1 : 0;
    c->state = CIRCUIT_OPEN;
    c->until_ms = now_ms + (pause_ms < pause_ms_max ? pause_ms : pause_ms_max);
    return true;
}

void circuit_lost(struct circuit *c, int64_t now_ms)
{
    if (c->state == CIRCUIT_PROBING) {
        c->state = CIRCUIT_OPEN;
        c->until_ms = now_ms;
    }
}
