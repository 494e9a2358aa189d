/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of one endpoint of one platform: how fast it is, how many calls it bears, when it wants the next one.
 * Inside of admission.c; arithmetic only.
 */
#ifndef SLUICE_CALLBACK_LANE_H
#define SLUICE_CALLBACK_LANE_H

#include "callback/admission.h"

struct ticket_list {
    struct ticket *head, *tail;
    size_t n;
};

struct lane {
    struct lane *next; /* in its bucket */
    struct lane *ready_prev, *ready_next;
    bool ready;
    bool slow; /* as it was looked at last; its calls are counted by that */
    size_t platform;
    char *endpoint;
    struct ticket_list going, waiting; /* both in order of time */
    size_t limit, cap;                 /* calls at once */
    double service_ms;                 /* of a call, smoothed */
    unsigned no_answer;                /* calls in a row without one */
    unsigned streak;                   /* how often in a row something was parked; counted once per delay */
    int64_t streak_until_ms;
    double free_ms; /* when it will have got through what is parked */
    int64_t not_before_ms;
    int64_t used_ms;
};

/* cap: calls at once at most. */
struct lane *lane_create(size_t platform, const char *endpoint, size_t cap) MUST_USE;
void lane_free(struct lane *l); /* it has no tickets */

/*
 * Milliseconds a call takes there. What has not ended yet counts with its age once that is long: before, the delay may
 * as well be our own.
 */
double lane_service_ms(const struct lane *l, int64_t now_ms);
/* Its calls hold their places for long. */
bool lane_is_slow(const struct lane *l, int64_t now_ms);

/* A call of took_ms is over, and what it says of the endpoint. not_before_ms as in admission_leave(). */
void lane_learn(struct lane *l, enum call_end end, double took_ms, int64_t now_ms, int64_t not_before_ms,
                int64_t park_ms_max);

/* For how long something is parked; at_once: how many of what is parked the endpoint takes at once. */
int64_t lane_park_ms(struct lane *l, size_t at_once, int64_t now_ms, uint64_t random, int64_t park_ms_max);

#endif
