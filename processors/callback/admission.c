/* SPDX-License-Identifier: Apache-2.0 */
/* Places in flight. */
#include "callback/admission.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "callback/decide.h"
#include "callback/lane.h"

#define BUCKETS 1024 /* a power of two */
#define IDLE_MS 60000

struct of_platform {
    size_t going;
    size_t slow; /* of them to slow endpoints */
    struct lane *ready_head, *ready_tail;
};

struct admission {
    const struct platforms *platforms;
    struct admission_limits limits;
    struct of_platform of[PLATFORMS_MAX];
    size_t turn; /* the platform that is asked first */
    struct lane *lanes[BUCKETS];
    size_t n_lanes;
    struct ticket *wait_head, *wait_tail; /* of all lanes, in order of time */
    size_t n_waiting;
};

struct admission *admission_create(const struct platforms *platforms, const struct admission_limits *limits)
{
    struct admission *a = xcalloc(1, sizeof(*a));

    a->platforms = platforms;
    a->limits = *limits;
    return a;
}

struct admission *admission_free(struct admission *a)
{
    for (size_t b = 0; a != NULL && b < BUCKETS; b++) {
        for (struct lane *l = a->lanes[b], *next = NULL; l != NULL; l = next) {
            next = l->next;
            assert(l->going.n == 0 && l->waiting.n == 0);
            lane_free(l);
        }
    }
    free(a);
    return NULL;
}

/* ---------------------------------------------------------------------------------------------------- lists */

static void list_append(struct ticket_list *list, struct ticket *t)
{
    t->prev = list->tail;
    t->next = NULL;
    if (list->tail != NULL) {
        list->tail->next = t;
    } else {
        list->head = t;
    }
    list->tail = t;
    list->n++;
}

static void list_remove(struct ticket_list *list, struct ticket *t)
{
    *(t->prev != NULL ? &t->prev->next : &list->head) = t->next;
    *(t->next != NULL ? &t->next->prev : &list->tail) = t->prev;
    t->prev = t->next = NULL;
    list->n--;
}

static void wait_append(struct admission *a, struct ticket *t)
{
    t->wait_prev = a->wait_tail;
    t->wait_next = NULL;
    *(a->wait_tail != NULL ? &a->wait_tail->wait_next : &a->wait_head) = t;
    a->wait_tail = t;
    a->n_waiting++;
}

static void wait_remove(struct admission *a, struct ticket *t)
{
    *(t->wait_prev != NULL ? &t->wait_prev->wait_next : &a->wait_head) = t->wait_next;
    *(t->wait_next != NULL ? &t->wait_next->wait_prev : &a->wait_tail) = t->wait_prev;
    t->wait_prev = t->wait_next = NULL;
    a->n_waiting--;
}

static void ring_add(struct of_platform *p, struct lane *l)
{
    l->ready_prev = p->ready_tail;
    l->ready_next = NULL;
    *(p->ready_tail != NULL ? &p->ready_tail->ready_next : &p->ready_head) = l;
    p->ready_tail = l;
    l->ready = true;
}

static void ring_remove(struct of_platform *p, struct lane *l)
{
    *(l->ready_prev != NULL ? &l->ready_prev->ready_next : &p->ready_head) = l->ready_next;
    *(l->ready_next != NULL ? &l->ready_next->ready_prev : &p->ready_tail) = l->ready_prev;
    l->ready_prev = l->ready_next = NULL;
    l->ready = false;
}

/* A lane is in its platform's ring of the ready while it has somebody waiting and a place of its own. */
static void lane_update(struct admission *a, struct lane *l)
{
    bool ready = l->waiting.n > 0 && l->going.n < l->limit;

    if (ready && !l->ready) {
        ring_add(&a->of[l->platform], l);
    } else if (!ready && l->ready) {
        ring_remove(&a->of[l->platform], l);
    }
}

/* ---------------------------------------------------------------------------------------------------- lanes */

static size_t bucket_of(size_t platform, const char *endpoint)
{
    uint64_t h = hash_bytes(HASH_START ^ platform, endpoint, strlen(endpoint));

    return (size_t)(h ^ (h >> 32)) & (BUCKETS - 1);
}

/* Forgets those that have nothing under way and were not used since. */
static void forget_idle(struct admission *a, int64_t used_before_ms)
{
    for (size_t b = 0; b < BUCKETS; b++) {
        for (struct lane **at = &a->lanes[b]; *at != NULL;) {
            struct lane *l = *at;
            if (l->going.n == 0 && l->waiting.n == 0 && l->used_ms <= used_before_ms) {
                *at = l->next;
                lane_free(l);
                a->n_lanes--;
            } else {
                at = &l->next;
            }
        }
    }
}

static struct lane *lane_of(struct admission *a, size_t platform, const char *endpoint, int64_t now_ms)
{
    size_t b = bucket_of(platform, endpoint);

    for (struct lane *l = a->lanes[b]; l != NULL; l = l->next) {
        if (l->platform == platform && strcmp(l->endpoint, endpoint) == 0) {
            return l;
        }
    }
    if (a->n_lanes == ADMISSION_LANES_MAX) {
        forget_idle(a, now_ms - IDLE_MS);
    }
    if (a->n_lanes == ADMISSION_LANES_MAX) {
        forget_idle(a, now_ms);
    }
    if (a->n_lanes == ADMISSION_LANES_MAX) {
        return NULL;
    }
    size_t places = (size_t)a->platforms->rows[platform].batch_size * 3 / 4;
    struct lane *l = lane_create(platform, endpoint, places > 0 ? places : 1);
    l->used_ms = now_ms;
    l->next = a->lanes[b];
    a->lanes[b] = l;
    a->n_lanes++;
    return l;
}

/* Its calls count as slow ones or not from now on. */
static void mark(struct admission *a, struct lane *l, int64_t now_ms)
{
    bool slow = lane_is_slow(l, now_ms);
    size_t *count = &a->of[l->platform].slow;

    if (slow && !l->slow) {
        *count += l->going.n;
    } else if (!slow && l->slow) {
        *count -= l->going.n;
    }
    l->slow = slow;
}

void admission_tick(struct admission *a, int64_t now_ms)
{
    for (size_t b = 0; b < BUCKETS; b++) {
        for (struct lane *l = a->lanes[b]; l != NULL; l = l->next) {
            mark(a, l, now_ms);
        }
    }
}

/* Is there a place for one more call of this kind? */
static bool platform_has_room(const struct admission *a, size_t platform, bool slow)
{
    const struct of_platform *p = &a->of[platform];
    size_t places = (size_t)a->platforms->rows[platform].batch_size;

    return p->going < places && (!slow || p->slow == 0 || p->slow < places / 2);
}

/* Of an endpoint for which there is no memory. */
static int64_t park_unknown(const struct admission *a, uint64_t random)
{
    int64_t step = decide_parked(0, random).delay_ms;

    return step < a->limits.park_ms_max ? step : a->limits.park_ms_max;
}

static int64_t park(const struct admission *a, struct lane *l, int64_t now_ms, uint64_t random)
{
    return lane_park_ms(l, l->limit, now_ms, random, a->limits.park_ms_max);
}

/* ---------------------------------------------------------------------------------------------------- tickets */

static void go(struct admission *a, struct lane *l, struct ticket *t, int64_t now_ms)
{
    t->lane = l;
    t->going = true;
    t->since_ms = now_ms;
    list_append(&l->going, t);
    a->of[l->platform].going++;
    a->of[l->platform].slow += l->slow ? 1 : 0;
}

enum admit admission_enter(struct admission *a, const struct platform *platform, const char *endpoint,
                           struct ticket *ticket, int64_t now_ms, uint64_t random, int64_t *out_park_ms)
{
    size_t index = (size_t)(platform - a->platforms->rows);
    struct lane *l = lane_of(a, index, endpoint, now_ms);

    if (l == NULL) {
        *out_park_ms = park_unknown(a, random);
        return ADMIT_PARK;
    }
    l->used_ms = now_ms;
    mark(a, l, now_ms);
    bool room = l->going.n < l->limit && platform_has_room(a, index, l->slow);
    if (room && l->waiting.n == 0 && now_ms >= l->not_before_ms) {
        go(a, l, ticket, now_ms);
        return ADMIT_GO;
    }
    double wait_ms = (double)(l->waiting.n + 1) * lane_service_ms(l, now_ms) / (double)l->limit;
    if (wait_ms > (double)a->limits.wait_ms || now_ms < l->not_before_ms) {
        *out_park_ms = park(a, l, now_ms, random);
        return ADMIT_PARK;
    }
    ticket->lane = l;
    ticket->going = false;
    ticket->since_ms = now_ms;
    list_append(&l->waiting, ticket);
    wait_append(a, ticket);
    lane_update(a, l);
    return ADMIT_WAIT;
}

void admission_drop(struct admission *a, struct ticket *ticket)
{
    struct lane *l = ticket->lane;

    if (l == NULL) {
        return;
    }
    if (ticket->going) {
        list_remove(&l->going, ticket);
        a->of[l->platform].going--;
        a->of[l->platform].slow -= l->slow ? 1 : 0;
    } else {
        list_remove(&l->waiting, ticket);
        wait_remove(a, ticket);
    }
    ticket->lane = NULL;
    lane_update(a, l);
}

void admission_leave(struct admission *a, struct ticket *ticket, enum call_end end, int64_t now_ms,
                     int64_t not_before_ms)
{
    struct lane *l = ticket->lane;
    double took_ms = (double)(now_ms - ticket->since_ms);

    assert(l != NULL && ticket->going);
    admission_drop(a, ticket);
    lane_learn(l, end, took_ms, now_ms, not_before_ms, a->limits.park_ms_max);
    mark(a, l, now_ms);
    l->used_ms = now_ms;
    lane_update(a, l);
}

/* The first of the ring that may be called now, at the ring's end from then on; NULL = none, what waits becomes
 * overdue.
 */
static struct lane *take_turn(struct admission *a, size_t index, int64_t now_ms)
{
    struct of_platform *p = &a->of[index];

    for (struct lane *l = p->ready_head; l != NULL; l = l->ready_next) {
        if (now_ms >= l->not_before_ms && platform_has_room(a, index, l->slow)) {
            ring_remove(p, l);
            ring_add(p, l);
            return l;
        }
    }
    return NULL;
}

static struct ticket *next_of(struct admission *a, size_t index, int64_t now_ms)
{
    struct lane *l = platform_has_room(a, index, false) ? take_turn(a, index, now_ms) : NULL;

    if (l == NULL) {
        return NULL;
    }
    struct ticket *t = l->waiting.head;
    list_remove(&l->waiting, t);
    wait_remove(a, t);
    go(a, l, t, now_ms);
    lane_update(a, l);
    return t;
}

struct ticket *admission_next(struct admission *a, int64_t now_ms)
{
    size_t n = a->platforms->n;

    for (size_t i = 0; a->n_waiting > 0 && i < n; i++) {
        size_t index = (a->turn + i) % n;
        struct ticket *t = next_of(a, index, now_ms);
        if (t != NULL) {
            a->turn = index + 1;
            return t;
        }
    }
    return NULL;
}

struct ticket *admission_overdue(struct admission *a, int64_t now_ms, uint64_t random, int64_t *out_park_ms)
{
    struct ticket *t = a->wait_head;

    if (t == NULL || now_ms - t->since_ms <= a->limits.wait_ms) {
        return NULL;
    }
    struct lane *l = t->lane;
    admission_drop(a, t);
    *out_park_ms = park(a, l, now_ms, random);
    return t;
}

int64_t admission_park_ms(struct admission *a, const struct ticket *ticket, int64_t now_ms, uint64_t random)
{
    return park(a, ticket->lane, now_ms, random);
}

int64_t admission_behind_ms(struct admission *a, const struct platform *platform, const char *endpoint, int64_t now_ms,
                            uint64_t random)
{
    struct lane *l = lane_of(a, (size_t)(platform - a->platforms->rows), endpoint, now_ms);

    return l == NULL ? park_unknown(a, random)
                     : lane_park_ms(l, 1, now_ms, random, a->limits.park_ms_max); /* of a key one at a time */
}

size_t admission_waiting(const struct admission *a)
{
    return a->n_waiting;
}

size_t admission_endpoints(const struct admission *a)
{
    return a->n_lanes;
}
