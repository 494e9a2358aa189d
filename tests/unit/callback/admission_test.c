/* SPDX-License-Identifier: Apache-2.0 */
/* Places in flight: limits, turns, waiting, parking. Time is a number here. */
#include "callback/admission.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/mem.h"

#define TICKETS 512

static struct platforms PLATFORMS;
static const struct admission_limits LIMITS = {.wait_ms = 1000, .park_ms_max = 60000};
static struct admission *A;
static struct ticket T[TICKETS];
static int64_t PARK_MS;

static void setup(void)
{
    PLATFORMS.n = 2;
    PLATFORMS.rows[0].batch_size = 20;
    PLATFORMS.rows[1].batch_size = 1;
    A = admission_create(&PLATFORMS, &LIMITS);
    memset(T, 0, sizeof(T));
}

static void teardown(void)
{
    for (size_t i = 0; i < TICKETS; i++) {
        admission_drop(A, &T[i]);
    }
    admission_free(A);
}

TestSuite(admission, .init = setup, .fini = teardown);

static enum admit enter(size_t ticket, size_t platform, const char *endpoint, int64_t now)
{
    return admission_enter(A, &PLATFORMS.rows[platform], endpoint, &T[ticket], now, 0, &PARK_MS);
}

/* Enters until one does not go; how many went. */
static size_t fill(size_t from, const char *endpoint, int64_t now)
{
    size_t n = 0;
    while (enter(from + n, 0, endpoint, now) == ADMIT_GO) {
        n++;
    }
    return n;
}

Test(admission, an_endpoint_gets_three_quarters_of_its_platform)
{
    cr_assert_eq(fill(0, "a", 0), 15);
    cr_assert_eq(fill(100, "b", 0), 5, "the platform has 20");
    cr_assert_eq(enter(200, 1, "a", 0), ADMIT_GO, "another platform has places of its own");
    cr_assert_eq(enter(201, 1, "a", 0), ADMIT_WAIT, "of BATCH_SIZE 1 one");
}

Test(admission, who_waits_goes_when_a_place_is_free_and_endpoints_take_turns)
{
    cr_assert_eq(fill(0, "a", 0), 15); /* 15 waits */
    cr_assert_eq(fill(100, "b", 0), 5);
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(enter(20 + i, 0, "a", 1), ADMIT_WAIT);
        cr_assert_eq(enter(120 + i, 0, "b", 1), ADMIT_WAIT);
    }
    cr_assert_null(admission_next(A, 2));
    admission_leave(A, &T[100], CALL_GOOD, 5, 0);
    cr_assert_eq(admission_next(A, 5), &T[105], "a has no place of its own left");
    cr_assert_null(admission_next(A, 5));
    for (size_t i = 0; i < 4; i++) {
        admission_leave(A, &T[i], CALL_GOOD, 5, 0);
    }
    const struct ticket *went[4];
    for (size_t i = 0; i < 4; i++) {
        went[i] = admission_next(A, 5);
        cr_assert_not_null(went[i]);
    }
    cr_assert((went[0] >= &T[100]) != (went[1] >= &T[100]), "turns");
    cr_assert((went[1] >= &T[100]) != (went[2] >= &T[100]), "turns");
    cr_assert_null(admission_next(A, 5));
}

Test(admission, what_does_not_get_its_turn_in_time_is_parked)
{
    size_t going = fill(0, "a", 0);
    int64_t park_ms = 0;

    cr_assert_eq(admission_waiting(A), 1);
    cr_assert_null(admission_overdue(A, 1000, 0, &park_ms));
    cr_assert_eq(admission_overdue(A, 1001, 0, &park_ms), &T[going]);
    cr_assert_geq(park_ms, 1000);
    cr_assert_null(T[going].lane);
    cr_assert_eq(admission_waiting(A), 0);
}

Test(admission, while_an_endpoint_hangs_nothing_waits_for_it)
{
    size_t going = fill(0, "a", 0);

    cr_assert_eq(enter(100, 0, "a", 900), ADMIT_WAIT, "might still answer within the wait");
    cr_assert_eq(enter(101, 0, "a", 20000), ADMIT_PARK);
    cr_assert_leq(PARK_MS, 60000);
    for (size_t i = 0; i < going; i++) {
        admission_leave(A, &T[i], CALL_NO_ANSWER, 3000, 0);
    }
    admission_drop(A, &T[going]);
    admission_drop(A, &T[100]);
    cr_assert_eq(enter(200, 0, "a", 40000), ADMIT_PARK, "left alone for a while");
    cr_assert_eq(PARK_MS, 23000);
    cr_assert_eq(fill(201, "a", 63000), 1, "one call at a time is enough to see that it is back");
}

Test(admission, the_delay_grows_while_it_stays_busy_and_shrinks_when_it_answers)
{
    int64_t now = 0;
    int64_t last = 0;

    cr_assert_eq(enter(0, 1, "a", now), ADMIT_GO);
    now = 3000;
    for (int i = 0; i < 7; i++) {
        cr_assert_eq(enter(1, 1, "a", now), ADMIT_PARK);
        cr_assert_gt(PARK_MS, last);
        last = PARK_MS < 60000 ? PARK_MS : last;
        now += PARK_MS;
    }
    cr_assert_eq(PARK_MS, 60000);
    for (int i = 0; i < 40; i++) { /* forgets the long ones */
        admission_leave(A, &T[0], CALL_GOOD, now, 0);
        cr_assert_eq(enter(0, 1, "a", now), ADMIT_GO);
        now += 400;
    }
    now += 3000;
    cr_assert_eq(enter(1, 1, "a", now), ADMIT_PARK);
    cr_assert_leq(PARK_MS, 4000);
}

Test(admission, what_is_parked_comes_back_at_the_rate_the_endpoint_takes)
{
    size_t going = fill(0, "a", 0);
    int64_t first = 0;
    int64_t many = 0;

    admission_drop(A, &T[going]);
    for (size_t i = 0; i < 5; i++) {
        cr_assert_eq(enter(100 + i, 0, "a", 3000), ADMIT_WAIT); /* within a second */
    }
    for (size_t i = 0; i < 100; i++) {
        cr_assert_eq(enter(300, 0, "a", 3000),
                     ADMIT_PARK); /* 15 places, 3 s a call: five a second, and twice that is tried */
        first = i == 0 ? PARK_MS : first;
        many = PARK_MS;
    }
    cr_assert_eq(first, 1000);
    cr_assert(many >= 9500 && many <= 10500, "%lld", (long long)many);
}

Test(admission, an_endpoint_that_asks_for_a_pause_gets_it)
{
    cr_assert_eq(enter(0, 0, "a", 0), ADMIT_GO);
    cr_assert_eq(enter(1, 0, "a", 0), ADMIT_GO);
    admission_leave(A, &T[0], CALL_OVERLOADED, 10, 5010);
    admission_leave(A, &T[1], CALL_GOOD, 15, 0); /* was under way already */
    cr_assert_eq(enter(2, 0, "a", 20), ADMIT_PARK);
    cr_assert(PARK_MS >= 4990, "%lld", (long long)PARK_MS);
    cr_assert_eq(enter(3, 0, "b", 20), ADMIT_GO, "others are not concerned");
    cr_assert_eq(enter(4, 0, "a", 5010), ADMIT_GO);
    admission_leave(A, &T[4], CALL_OVERLOADED, 6000, INT64_MAX);
    cr_assert_eq(enter(5, 0, "a", 6000), ADMIT_PARK);
    cr_assert_eq(PARK_MS, 60000, "never longer than the limit");
}

Test(admission, overload_halves_the_places_and_each_good_answer_gives_one_back)
{
    size_t going = fill(0, "a", 0);
    int64_t park_ms = 0;

    cr_assert_eq(going, 15);
    admission_drop(A, &T[going]);
    admission_leave(A, &T[0], CALL_OVERLOADED, 10, 0);
    for (size_t i = 1; i < going; i++) {
        admission_leave(A, &T[i], CALL_NEUTRAL, 10, 0);
    }
    cr_assert_eq(fill(100, "a", 10), 7);
    admission_drop(A, &T[107]);
    admission_leave(A, &T[100], CALL_GOOD, 20, 0);
    cr_assert_eq(fill(200, "a", 20), 2, "the place of the one that is over, and one more");
    cr_assert_null(admission_overdue(A, 20, 0, &park_ms));
}

Test(admission, what_is_behind_its_key_comes_back_one_at_a_time)
{
    int64_t first = admission_behind_ms(A, &PLATFORMS.rows[0], "a", 0, 0);
    int64_t last = 0;

    for (int i = 0; i < 2000; i++) {
        last = admission_behind_ms(A, &PLATFORMS.rows[0], "a", 0, 0);
    }
    cr_assert_eq(first, 1000);
    cr_assert(last >= 4900 && last <= 5100, "%lld: 2,000 of 5 ms each at twice that speed", (long long)last);
}

Test(admission, endpoints_are_forgotten_when_there_are_too_many)
{
    char name[32];

    for (int i = 0; i < ADMISSION_LANES_MAX + 100; i++) {
        snprintf(name, sizeof(name), "e%d", i);
        cr_assert_eq(enter(0, 0, name, i), ADMIT_GO);
        admission_drop(A, &T[0]);
    }
    cr_assert_leq(admission_endpoints(A), (size_t)ADMISSION_LANES_MAX);
}

/* ---- Several endpoints of one platform, played through: bad ones, and one that answers in 5 ms 100 times a second
 * ---- */

struct event {
    struct ticket t;
    bool healthy;
    int state; /* 0 = over, 1 = waits, 2 = goes */
    int64_t end;
};

struct play {
    int bad;
    int64_t period_ms; /* of each of the bad ones */
    int64_t took_ms;
    enum call_end end;
};

#define PLAY_MS 40000
#define PLAY_EVENTS 120000

static void play_events(const struct play *p, struct event *list, size_t *n, int64_t now)
{
    for (int e = 0; e <= p->bad; e++) {
        char endpoint[16];
        bool healthy = e == p->bad;
        int64_t park_ms = 0;
        if ((now + (int64_t)e * 37) % (healthy ? 10 : p->period_ms) != 0) {
            continue;
        }
        cr_assert_lt(*n, (size_t)PLAY_EVENTS);
        struct event *x = &list[(*n)++];
        (void)snprintf(endpoint, sizeof(endpoint), "e%d", e);
        x->healthy = healthy;
        enum admit how = admission_enter(A, &PLATFORMS.rows[0], endpoint, &x->t, now, (uint64_t)now * 7919U, &park_ms);
        x->state = how == ADMIT_GO ? 2 : how == ADMIT_WAIT ? 1 : 0;
        x->end = now + (healthy ? 5 : p->took_ms);
    }
}

/* How many of the healthy one's events of the second half are delivered, of 2,000. */
static int play(const struct play *p)
{
    struct event *list = xcalloc(PLAY_EVENTS, sizeof(*list));
    size_t n = 0;
    size_t low = 0;
    int delivered = 0;

    for (int64_t now = 0; now < PLAY_MS; now++) {
        int64_t park_ms = 0;
        play_events(p, list, &n, now);
        for (size_t i = low; i < n; i++) {
            struct event *x = &list[i];
            if (x->state == 2 && x->end <= now) {
                admission_leave(A, &x->t, x->healthy ? CALL_GOOD : p->end, now, 0);
                x->state = 0;
                delivered += x->healthy && now >= PLAY_MS / 2 ? 1 : 0;
            }
        }
        for (; low < n && list[low].state == 0; low++) {
        }
        admission_tick(A, now);
        for (struct ticket *t = NULL; (t = admission_next(A, now)) != NULL;) {
            struct event *x = (struct event *)(void *)t;
            x->state = 2;
            x->end = now + (x->healthy ? 5 : p->took_ms);
        }
        for (struct ticket *t = NULL; (t = admission_overdue(A, now, 0, &park_ms)) != NULL;) {
            ((struct event *)(void *)t)->state = 0;
        }
    }
    for (size_t i = 0; i < n; i++) {
        admission_drop(A, &list[i].t);
    }
    free(list);
    return delivered;
}

Test(admission, slow_endpoints_leave_places_to_the_quick_one)
{
    cr_assert_geq(play(&(struct play){2, 50, 2000, CALL_GOOD}), 1990);
}

Test(admission, dead_endpoints_leave_places_to_the_quick_one)
{
    cr_assert_geq(play(&(struct play){20, 1000, 3000, CALL_NO_ANSWER}), 1990);
}

Test(admission, many_dead_endpoints_with_few_events_do_too)
{
    cr_assert_geq(play(&(struct play){30, 5000, 3000, CALL_NO_ANSWER}), 1990);
}
