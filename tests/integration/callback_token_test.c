/* SPDX-License-Identifier: Apache-2.0 */
/* A token that comes again after its window: the same answer for its order, and for no other. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/channel/applepay_fixture.h"
#include "support/callback_rig.h"

static void setup(void)
{
    callback_rig_open();
    applepay_setup();
    callback_order("A-1", "unionpay", 1200, "CNY");
    callback_order("A-2", "unionpay", 1200, "CNY");
}

static void teardown(void)
{
    applepay_teardown();
    callback_rig_close();
}

TestSuite(callback_token, .init = setup, .fini = teardown, .timeout = 100);

static const char *caller = "";

/* Handed in for this order, so long after it was signed. */
static struct job *handed_in(const char *token, const char *order, int64_t after_s)
{
    size_t room = strlen(token) + 200;
    char *body = arena_alloc(&rig.arena, room);
    int n = snprintf(body, room, "{\"payment_id\":\"%s\",\"token\":%s}", order, token);
    struct job *job = callback_paid("t", order);
    struct callback *c = job->callback;
    job->caller = caller;
    c->channel = CHANNEL_APPLEPAY;
    c->account = &account;
    c->capture = (struct capture){.body = body, .body_n = (size_t)n};
    c->received_us = (NOW + after_s) * 1000000;
    (void)channel_verify(c->account, &c->capture, NOW + after_s, &rig.arena, &c->verdict);
    if (c->verdict.reason == REASON_OK) {
        c->payload = callback_payload(job);
        callback_keep(&rig.g, job);
    }
    (void)callback_store_one(job);
    return job;
}

static void came_to(const struct job *job, enum channel_reason want)
{
    enum channel_reason got = job->callback->result;
    cr_assert_eq(got, want, "%s, expected %s", reason_name(got), reason_name(want));
}

Test(callback_token, late_repetitions_get_the_answer_of_then)
{
    char *token = token_text(&PAYMENT);
    came_to(handed_in(token, "A-1", 400), REASON_TS_STALE);
    struct job *first = handed_in(token, "A-1", 10);
    came_to(first, REASON_OK);
    struct job *late = handed_in(token, "A-1", 400);
    came_to(late, REASON_REPLAY);
    cr_assert_str_eq(late->callback->verdict.event.safe, first->callback->verdict.event.safe);
    came_to(handed_in(token, "A-2", 400), REASON_TS_STALE);
    came_to(handed_in(token, "A-1", 20), REASON_REPLAY);
    came_to(handed_in(token, "A-2", 20), REASON_CONFLICT);
    came_to(handed_in(token, "A-1", 500), REASON_REPLAY);
    came_to(handed_in(token, "A-2", 500), REASON_TS_STALE);
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM payment_callbacks"), 2);
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM payment_outbox"), 0);
    free(token);
}

/* What a token says of a card is shown to whose order it is for, and to nobody who has found the bytes. */
Test(callback_token, late_repetitions_are_shown_to_their_caller_only)
{
    char *token = token_text(&PAYMENT);
    stack_sql(st.conn, "UPDATE payment_transactions SET caller = 'shop'");
    caller = "shop";
    came_to(handed_in(token, "A-1", 10), REASON_OK);
    caller = "other";
    came_to(handed_in(token, "A-1", 20), REASON_FIELD_MISMATCH);
    came_to(handed_in(token, "A-1", 400), REASON_TS_STALE);
    caller = "shop";
    came_to(handed_in(token, "A-1", 400), REASON_REPLAY);
    free(token);
}
