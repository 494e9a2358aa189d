/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict table closes, and what follows from it: outcomes, circuit, rate, batches. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"
#include "push/bucket.h"
#include "push/circuit.h"
#include "push/decide.h"
#include "push/queue.h"

static const struct push_policy POLICY = {.schedule = {.steps_ms = {10000, 30000}, .n = 2}, .max_retries = 3};

/* ---------------------------------------------------------------------------------------------------- verdicts */

Test(verdict, every_verdict_has_a_row_and_a_name_of_its_own)
{
    for (int v = 0; v < PUSH_VERDICTS; v++) {
        const struct push_verdict_row *row = &PUSH_VERDICTS_TABLE[v];
        cr_assert(row->name != NULL, "verdict %d has no row", v);
        for (int w = 0; w < v; w++) {
            cr_assert_str_neq(row->name, PUSH_VERDICTS_TABLE[w].name);
        }
        cr_assert(!row->opens_at_once || row->opens);
        /* What opens a circuit is the provider's fault: it never ends a message by itself. */
        cr_assert(!row->opens || row->outcome == PUSH_RETRY || row->outcome == PUSH_PARKED, "%s", row->name);
        cr_assert(row->outcome != PUSH_PARKED || !row->was_request, "%s is parked and burns budget", row->name);
        cr_assert(row->device != PUSH_DEVICE_OK || row->outcome == PUSH_DELIVERED, "%s", row->name);
    }
}

Test(verdict, outcomes_and_devices_are_those_of_the_schema)
{
    static const char *const outcomes[] = {"delivered", "failed", "retry", "parked", "dead_letter"};
    static const char *const devices[] = {"keep", "ok", "strike", "gone"};

    for (int i = 0; i < PUSH_OUTCOMES; i++) {
        cr_assert_str_eq(push_outcome_name((enum push_outcome)i), outcomes[i]);
    }
    for (int i = 0; i < PUSH_DEVICES; i++) {
        cr_assert_str_eq(push_device_name((enum push_device)i), devices[i]);
    }
}

static struct push_decision decided(enum push_verdict verdict, bool open, int64_t used)
{
    const struct push_case c = {.verdict = verdict,
                                .asked = true,
                                .circuit_open = open,
                                .round_attempts = used,
                                .retry_after_ms = -1,
                                .park_ms = 7000};
    return push_decide(&POLICY, &c, 0);
}

Test(decide, a_provider_that_is_down_costs_attempts_until_its_circuit_is_open)
{
    struct push_decision d = decided(PUSH_PROVIDER_DOWN, false, 0);
    cr_assert(d.outcome == PUSH_RETRY && d.was_request && d.delay_ms == 10000);
    d = decided(PUSH_PROVIDER_DOWN, false, 2);
    cr_assert(d.outcome == PUSH_RETRY && d.delay_ms == 30000);
    d = decided(PUSH_PROVIDER_DOWN, false, 3);
    cr_assert(d.outcome == PUSH_DEAD_LETTER && d.was_request && d.delay_ms == -1);
    for (int64_t used = 0; used < 100; used++) {
        d = decided(PUSH_PROVIDER_DOWN, true, used);
        cr_assert(d.outcome == PUSH_PARKED && !d.was_request && d.delay_ms == 7000);
    }
}

Test(decide, a_refused_credential_and_a_full_provider_never_cost_anything)
{
    static const enum push_verdict free_of_charge[] = {PUSH_AUTH, PUSH_THROTTLED};

    for (size_t i = 0; i < ARRAY_SIZE(free_of_charge); i++) {
        struct push_decision d = decided(free_of_charge[i], false, 1000);
        cr_assert(d.outcome == PUSH_PARKED && !d.was_request && d.delay_ms == 7000);
    }
}

Test(decide, what_was_not_asked_is_no_attempt)
{
    struct push_case c = {.verdict = PUSH_PAYLOAD, .asked = false, .retry_after_ms = -1};
    struct push_decision d = push_decide(&POLICY, &c, 0);
    cr_assert(d.outcome == PUSH_DEAD_LETTER && !d.was_request);
    c.asked = true;
    cr_assert(push_decide(&POLICY, &c, 0).was_request);
    cr_assert_eq(decided(PUSH_INVALID_TARGET, false, 0).device, PUSH_DEVICE_GONE);
    cr_assert_eq(decided(PUSH_SUSPECT, false, 0).device, PUSH_DEVICE_STRIKE);
}

/* ---------------------------------------------------------------------------------------------------- circuit */

Test(circuit, opens_at_once_or_after_some_in_a_row_and_comes_back_by_one_request)
{
    struct circuit c = {0};
    for (int i = 0; i < CIRCUIT_IN_ROW - 1; i++) {
        cr_assert(!circuit_bad(&c, false, 60000, 1000, 0));
        cr_assert(circuit_may(&c, 1000));
    }
    (void)circuit_good(&c);
    for (int i = 0; i < CIRCUIT_IN_ROW - 1; i++) { /* counted from the start again */
        cr_assert(!circuit_bad(&c, false, 60000, 1000, 0));
    }
    cr_assert(circuit_bad(&c, false, 60000, 1000, 0));
    cr_assert(!circuit_bad(&c, false, 60000, 1001, 0), "what was under way when it opened changes nothing");
    cr_assert(!circuit_good(&c) && circuit_parks(&c, 1999));
    cr_assert(circuit_may(&c, 2000) && !circuit_parks(&c, 2000));
    circuit_began(&c);
    cr_assert(!circuit_may(&c, 2000) && circuit_parks(&c, 2000), "one request only");
    cr_assert(circuit_good(&c) && circuit_may(&c, 2000));
    cr_assert(circuit_bad(&c, true, 60000, 3000, 0) && circuit_parks(&c, 3000));
}

Test(circuit, the_pause_doubles_up_to_its_ceiling_and_a_lost_probe_is_made_again)
{
    struct circuit c = {0};
    int64_t before = 0;
    for (int i = 0; i < 12; i++) {
        cr_assert(circuit_bad(&c, true, 20000, 0, 0));
        cr_assert(c.until_ms >= before && c.until_ms <= 20000);
        before = c.until_ms;
        circuit_began(&c);
    }
    cr_assert_eq(before, 20000);
    circuit_lost(&c, 500);
    cr_assert(circuit_may(&c, 500));
}

/* ---------------------------------------------------------------------------------------------------- bucket */

Test(bucket, lets_through_what_is_configured_and_no_more)
{
    struct bucket b;
    bucket_init(&b, 100, 0);
    size_t sent = 0;
    for (int64_t now = 0; now < 10000; now += 3) {
        size_t room = bucket_room(&b, now);
        cr_assert_leq(room, bucket_size(&b));
        bucket_take(&b, room, now);
        sent += room;
    }
    cr_assert(sent >= 980 && sent <= 1020, "%zu", sent);
    cr_assert_eq(bucket_room(&b, 10000), bucket_room(&b, 10000));
}

Test(bucket, without_a_limit_there_is_room_until_the_provider_complains)
{
    struct bucket b;
    bucket_init(&b, 0, 0);
    cr_assert_eq(bucket_room(&b, 0), SIZE_MAX);
    for (int64_t now = 0; now < 3000; now += 10) {
        bucket_take(&b, 10, now); /* 1000 a second */
    }
    bucket_throttled(&b, 5000, 3000);
    cr_assert(b.limit > 300 && b.limit < 700, "%f", b.limit);
    double limit = b.limit;
    bucket_throttled(&b, -1, 3001);
    cr_assert_eq(b.limit, limit, "those that were under way together count once");
    cr_assert_eq(bucket_room(&b, 7999), 0, "not before its time");
    cr_assert_gt(bucket_room(&b, 8000), 0);
    for (int64_t now = 8000; now < 200000; now += 500) {
        (void)bucket_room(&b, now);
    }
    cr_assert_eq(bucket_room(&b, 200000), SIZE_MAX, "after a while it is as before");
}

Test(bucket, shrinks_by_each_complaint_and_never_grows_over_what_is_configured)
{
    struct bucket b;
    bucket_init(&b, 100, 0);
    for (int64_t now = 0; now < 5000; now += 2000) {
        bucket_take(&b, 100, now);
        bucket_throttled(&b, 0, now);
    }
    cr_assert(b.limit < 30 && b.limit >= 1, "%f", b.limit);
    for (int64_t now = 5000; now < 100000; now += 250) {
        cr_assert_leq(bucket_room(&b, now), 20);
    }
    cr_assert(b.limit > 99 && b.limit <= 100, "%f", b.limit);
}

/* ---------------------------------------------------------------------------------------------------- batches */

static bool same_app(const void *self, const struct push_message *a, const struct push_message *b)
{
    (void)self;
    return strcmp(a->appid, b->appid) == 0;
}

Test(queue, takes_those_that_may_travel_together_and_keeps_the_order_of_the_others)
{
    static const char *const apps[] = {"a", "b", "a", "a", "b", "a"};
    const struct provider_kind kind = {.together = same_app};
    struct push_message messages[6] = {0};
    struct waiter waiters[6] = {0};
    struct waiter *out[PUSH_BATCH_MAX];
    struct queue q = {0};

    for (size_t i = 0; i < 6; i++) {
        messages[i].appid = apps[i];
        waiters[i] = (struct waiter){.message = &messages[i], .since_ms = 100 + (int64_t)i};
        queue_append(&q, &waiters[i]);
    }
    waiters[3].alone = true;
    cr_assert(!queue_is_ripe(&q, 7, 104, 5) && queue_is_ripe(&q, 7, 105, 5) && queue_is_ripe(&q, 6, 100, 5));
    cr_assert_eq(queue_take(&q, &kind, NULL, 2, out), 2);
    cr_assert(out[0] == &waiters[0] && out[1] == &waiters[2]);
    cr_assert_eq(queue_take(&q, &kind, NULL, 9, out), 2);
    cr_assert(out[0] == &waiters[1] && out[1] == &waiters[4]);
    cr_assert_eq(queue_take(&q, &kind, NULL, 9, out), 1, "it wants to be alone");
    cr_assert(out[0] == &waiters[3]);
    queue_put_back(&q, &waiters[1]);
    cr_assert(q.head == &waiters[1] && q.tail == &waiters[5] && q.n == 2);
    queue_remove(&q, &waiters[1]);
    cr_assert_eq(queue_take(&q, &kind, NULL, 9, out), 1);
    cr_assert(q.n == 0 && q.head == NULL && q.tail == NULL);
    cr_assert_eq(queue_take(&q, &kind, NULL, 9, out), 0);
}
