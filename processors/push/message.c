/* SPDX-License-Identifier: Apache-2.0 */
/* One message: read, looked at, given to its provider, settled. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "push/push_internal.h"
#include "push/reply.h"

struct message *message_of(struct waiter *w)
{
    return (struct message *)(void *)((char *)w - offsetof(struct message, waiter));
}

/* ---------------------------------------------------------------------------------------------------- the end */

/* Where the provider gives no reason. */
static const char *text_of(const struct push_result *result)
{
    static const char *const texts[PUSH_VERDICTS] = {
        [PUSH_IGNORED] = "the provider has dropped it: the device has been away for too long",
        [PUSH_INVALID_TARGET] = "the device's address is no longer valid",
        [PUSH_SUSPECT] = "the provider doubts the device's address",
        [PUSH_THROTTLED] = "the provider gets too much",
        [PUSH_AUTH] = "the provider refuses our credential",
        [PUSH_PAYLOAD] = "the provider can never send this message",
        [PUSH_PROVIDER_DOWN] = "the provider is down",
    };

    if (result->message[0] != '\0') {
        return result->message;
    }
    return texts[result->verdict] != NULL ? texts[result->verdict] : "";
}

static void log_outcome(const struct message *m, const struct push_decision *d, const struct push_facts *f)
{
    static const char *const what[PUSH_OUTCOMES] = {"delivered", "not delivered", "again later", "parked",
                                                    "dead letter"};

    log_write(d->outcome == PUSH_DEAD_LETTER ? LOG_WARN : LOG_INFO, PUSH_AREA, what[d->outcome],
              KV_S("id", m->event.message.delivery_id), KV_S("provider", f->provider),
              KV_I("queue_seq", m->event.queue_seq), KV_I("status", f->common.status), KV_S("class", f->common.class),
              KV_I("delay_ms", d->delay_ms), KV_S("why", f->common.message), KV_END);
}

/* Emits the outcome and ends the task, which is gone then, and the message with it. */
static void finish(struct message *m, const struct push_decision *decision, const struct push_result *result,
                   struct push_facts *facts)
{
    struct push *p = m->push;
    struct delivery_task *task = m->task;
    struct delivery_why why = {.class = facts->common.class, .message = facts->common.message};
    struct err err = {0};

    facts->provider = m->outlet == NULL ? NULL : m->outlet->provider->name;
    facts->common.happened_at_us = clock_utc_us();
    why.delivery_count = (int)m->event.round_attempts + (decision->was_request ? 1 : 0);
    push_count_outcome(p->metrics, m->outlet == NULL ? NULL : m->outlet->provider, decision->outcome);
    if (decision->outcome != PUSH_DELIVERED && decision->outcome != PUSH_PARKED) {
        log_outcome(m, decision, facts);
    }
    if (push_outcome_emit(p->outcomes, task, m->record, &m->event, decision, result, facts, &err) != RC_OK) {
        why.message = err.text;
        delivery_finish(task, RC_FATAL, &why);
        return;
    }
    delivery_finish(task, decision->outcome == PUSH_DEAD_LETTER ? RC_REJECT : RC_OK, &why);
}

void message_settle(struct message *m, const struct push_result *result, const struct http_result *r)
{
    struct push *p = m->push;
    const struct push_verdict_row *row = &PUSH_VERDICTS_TABLE[result->verdict];
    const struct push_case c = {.verdict = result->verdict,
                                .asked = r != NULL,
                                .circuit_open = m->outlet != NULL && m->outlet->circuit.state != CIRCUIT_CLOSED,
                                .round_attempts = m->event.round_attempts,
                                .retry_after_ms = result->retry_after_ms,
                                .park_ms = row->outcome == PUSH_PARKED || row->opens ? outlet_park_ms(m->outlet) : -1};
    struct push_decision decision = push_decide(&p->policy, &c, push_random(p));
    bool good = decision.outcome == PUSH_DELIVERED;
    struct push_facts facts = {.common = {.status = r == NULL ? 0 : r->status,
                                          .duration_ms = r == NULL || !decision.was_request ? -1 : r->duration_ms,
                                          .class = good ? NULL : row->name,
                                          .message = good ? NULL : text_of(result)}};

    push_count_verdict(p->metrics, m->outlet == NULL ? NULL : m->outlet->provider, result->verdict);
    finish(m, &decision, result, &facts);
}

void message_park(struct message *m, const char *class, const char *why)
{
    struct push_decision decision = {.outcome = PUSH_PARKED, .delay_ms = outlet_park_ms(m->outlet)};
    struct push_facts facts = {.common = {.duration_ms = -1, .class = class, .message = why}};

    finish(m, &decision, NULL, &facts);
}

void message_fail(struct message *m, const struct err *err)
{
    struct delivery_why why = {.class = "internal", .message = err->text};

    delivery_finish(m->task, RC_FATAL, &why);
}

/* ---------------------------------------------------------------------------------------------------- the beginning */

static void settle_no_provider(struct message *m)
{
    const struct push_message *msg = &m->event.message;
    char text[PUSH_MESSAGE_MAX];

    (void)snprintf(text, sizeof text,
                   "no provider for app %.80s, platform %.40s: see push.providers.file, CLOUD_FUNC_URL", msg->appid,
                   msg->platform == NULL ? "unknown" : msg->platform);
    struct push_result result = push_result_of(PUSH_NO_PROVIDER, NULL, text);
    message_settle(m, &result, NULL);
}

static void enter(struct message *m)
{
    struct push *p = m->push;
    struct push_message *msg = &m->event.message;
    struct push_result result;

    if (!push_event_ok(&m->event, clock_utc_us(), &result)) {
        message_settle(m, &result, NULL);
        return;
    }
    const struct provider *provider = providers_choose(&p->providers, msg->appid, msg->platform);
    if (provider == NULL) {
        settle_no_provider(m);
        return;
    }
    msg->traceparent = delivery_trace(m->record, m->event.traceparent);
    m->waiter = (struct waiter){.message = msg, .since_ms = clock_mono_ms()};
    m->outlet = &p->outlets[provider - p->providers.rows];
    if (m->record->behind) {
        message_park(m, "key-busy", "earlier messages of its recipient take too long");
        return;
    }
    if (provider->kind->request == NULL) {
        result = push_result_of(PUSH_SENT, provider->kind->name, NULL);
        message_settle(m, &result, NULL);
        return;
    }
    outlet_enter(m->outlet, m);
}

/* Its row hears of it where it can be told which one that is. Else there is no outcome to write: the row stays as it
 * is, and shows up as stuck. */
static void settle_unread(struct message *m, const struct err *err)
{
    const struct push_decision dead = {.outcome = PUSH_DEAD_LETTER, .delay_ms = -1};
    struct push_facts facts = {.common = {.duration_ms = -1, .class = "malformed", .message = err->text}};
    struct delivery_why why = {.class = "malformed", .message = err->text};

    if (err->rc == RC_REJECT && m->event.has_row) {
        finish(m, &dead, NULL, &facts);
        return;
    }
    delivery_finish(m->task, err->rc == RC_REJECT ? RC_REJECT : RC_FATAL, &why);
}

void message_start(void *ctx, const struct delivery_event *record, struct delivery_task *task)
{
    struct push *p = ctx;
    struct message *m = arena_alloc(delivery_arena(task), sizeof(*m));
    struct err err = {0};

    *m = (struct message){.push = p, .task = task, .record = record};
    delivery_set_data(task, m);
    if (push_event_read(p->reader, record->value, record->value_len, delivery_arena(task), &m->event, &err) != RC_OK) {
        settle_unread(m, &err);
        return;
    }
    enter(m);
}

void message_cancel(void *ctx, struct delivery_task *task)
{
    struct message *m = delivery_data(task);

    (void)ctx;
    if (m->waiter.queued) {
        queue_remove(&m->outlet->queue, &m->waiter);
    }
    if (m->send != NULL) {
        send_forget(m->send, m->index);
    }
}
