/* SPDX-License-Identifier: Apache-2.0 */
/* One event: decoded, given a place, sent, settled. */
#include <stddef.h>

#include "base/clock.h"
#include "base/log.h"
#include "callback/callback_internal.h"
#include "callback/decide.h"
#include "callback/request.h"
#include "http/target.h"

static struct call *call_of(struct ticket *ticket)
{
    return (struct call *)(void *)((char *)ticket - offsetof(struct call, ticket));
}

/* ---------------------------------------------------------------------------------------------------- the end */

static void log_outcome(const struct call *c, const struct decision *d, const struct outcome_facts *f)
{
    static const char *const what[] = {"delivered", "not delivered", "not sent because of us", "dead letter"};
    bool bad = d->outcome == OUTCOME_DEAD_LETTER || d->outcome == OUTCOME_PARKED;

    log_write(bad ? LOG_WARN : LOG_INFO, CALLBACK_AREA, what[d->outcome], KV_S("id", c->event.event_id),
              KV_S("platform", c->event.platform), KV_I("queue_seq", c->event.queue_seq),
              KV_S("outcome", outcome_name(d->outcome)), KV_I("status", f->status), KV_S("class", f->class),
              KV_I("delay_ms", d->delay_ms), KV_S("why", f->message), KV_END);
}

/* Emits the outcome and ends the task, which is gone then, and the call with it. */
static void settle(struct call *c, const struct decision *decision, struct outcome_facts *facts)
{
    struct delivery_task *task = c->task;
    struct delivery_why why = {.class = facts->class, .message = facts->message};
    struct err err;

    facts->happened_at_us = clock_utc_us();
    why.delivery_count = (int)c->event.round_attempts + (decision->was_request ? 1 : 0);
    callback_count_outcome(c->cb->metrics, c->platform, decision->outcome);
    if (decision->outcome == OUTCOME_RETRY || decision->outcome == OUTCOME_DEAD_LETTER) {
        log_outcome(c, decision, facts);
    }
    if (callback_outcome_emit(c->cb->writer, task, &c->event, decision, facts, &err) != RC_OK) {
        why.message = err.text;
        delivery_finish(task, RC_FATAL, &why);
        return;
    }
    delivery_finish(task, decision->outcome == OUTCOME_DEAD_LETTER ? RC_REJECT : RC_OK, &why);
}

static void settle_dead(struct call *c, const char *class, const char *message)
{
    struct outcome_facts facts = {.duration_ms = -1, .class = class, .message = message};
    const struct decision dead = {.outcome = OUTCOME_DEAD_LETTER, .delay_ms = -1};

    settle(c, &dead, &facts);
}

static void settle_parked(struct call *c, int64_t park_ms, const char *class, const char *message)
{
    struct outcome_facts facts = {.duration_ms = -1, .class = class, .message = message};
    const struct decision parked = {.outcome = OUTCOME_PARKED, .delay_ms = park_ms};

    settle(c, &parked, &facts);
}

static void settle_busy(struct call *c, int64_t park_ms)
{
    settle_parked(c, park_ms, "endpoint-busy", "the endpoint has as many calls as it takes");
}

static void fail(struct call *c, const struct err *err)
{
    struct delivery_why why = {.class = "internal", .message = err->text};

    delivery_finish(c->task, RC_FATAL, &why);
}

/* ---------------------------------------------------------------------------------------------------- sending */

/* An answer, whichever, shows an endpoint that is well, unless it says itself that it is not. */
static enum call_end end_of(const struct http_result *r)
{
    if (r->status > 0) {
        return r->meaning.slow_down ? CALL_OVERLOADED : CALL_GOOD;
    }
    return r->meaning.verdict == HTTP_RETRY ? CALL_NO_ANSWER : CALL_NEUTRAL;
}

static void on_done(void *opaque, const struct http_result *r)
{
    struct call *c = opaque;
    struct callback *cb = c->cb;
    int64_t now = clock_mono_ms();
    bool wait = r->meaning.slow_down && r->retry_after_ms > 0;
    struct decision decision =
        decide(c->platform, c->event.round_attempts, &r->meaning, r->retry_after_ms, callback_random(cb));
    bool good = r->meaning.verdict == HTTP_OK;
    struct outcome_facts facts = {.status = r->status,
                                  .duration_ms = decision.was_request ? r->duration_ms : -1,
                                  .class = good ? NULL : r->meaning.class,
                                  .message = good ? NULL : r->message};

    c->http = NULL;
    if (decision.outcome == OUTCOME_PARKED) {
        decision.delay_ms = admission_park_ms(cb->admission, &c->ticket, now, callback_random(cb));
        log_outcome(c, &decision, &facts);
        callback_count_failure(r->meaning.class);
    }
    if (decision.was_request) {
        callback_count_attempt(cb->metrics, c->platform, r->meaning.class, r->duration_ms);
    }
    admission_leave(cb->admission, &c->ticket, end_of(r), now, wait ? now + r->retry_after_ms : 0);
    settle(c, &decision, &facts);
    call_pump(cb);
}

/* The ticket is going. */
static void send_now(struct call *c)
{
    struct callback *cb = c->cb;
    struct request request;
    struct err err;
    enum rc rc = request_make(c->platform, &c->event, c->record, clock_utc_us() / 1000000, delivery_arena(c->task),
                              &request, &err);
    if (rc == RC_OK) {
        const struct http_call_spec spec = {.url = c->event.callback_target,
                                            .url_is_checked = true,
                                            .headers = request.headers,
                                            .n_headers = request.n_headers,
                                            .body = c->event.payload,
                                            .body_n = c->event.payload_n,
                                            .timeout_ms = c->platform->timeout_ms,
                                            .response_bytes_max = cb->response_bytes_max};
        rc = http_engine_submit(cb->engine, &spec, on_done, c, &c->http, &err);
    } else if (rc == RC_REJECT) {
        rc_ignore(err_code(&err, "unsendable"));
    }
    if (rc == RC_OK) {
        return;
    }
    int64_t park_ms =
        rc == RC_RETRY ? admission_park_ms(cb->admission, &c->ticket, clock_mono_ms(), callback_random(cb)) : 0;
    admission_drop(cb->admission, &c->ticket);
    if (rc == RC_RETRY) {
        settle_parked(c, park_ms, err.code, err.text);
    } else if (rc == RC_REJECT) {
        settle_dead(c, err.code, err.text);
    } else {
        fail(c, &err);
    }
}

void call_pump(struct callback *cb)
{
    int64_t now = clock_mono_ms();
    struct ticket *t = NULL;
    int64_t park_ms = 0;

    while (delivery_may_call(cb->d) && (t = admission_next(cb->admission, now)) != NULL) {
        send_now(call_of(t));
    }
    while ((t = admission_overdue(cb->admission, now, callback_random(cb), &park_ms)) != NULL) {
        settle_busy(call_of(t), park_ms);
    }
}

/* ---------------------------------------------------------------------------------------------------- the beginning */

static void enter(struct call *c)
{
    struct callback *cb = c->cb;
    int64_t park_ms = 0;
    struct err err;

    if (target_parse(c->event.callback_target, cb->allow_http, &c->target, &err) != RC_OK) {
        settle_dead(c, err.code, err.text);
        return;
    }
    if (c->record->behind) {
        park_ms =
            admission_behind_ms(cb->admission, c->platform, c->target.endpoint, clock_mono_ms(), callback_random(cb));
        settle_parked(c, park_ms, "key-busy", "earlier events of its key take too long");
        return;
    }
    switch (admission_enter(cb->admission, c->platform, c->target.endpoint, &c->ticket, clock_mono_ms(),
                            callback_random(cb), &park_ms)) {
    case ADMIT_GO:
        send_now(c);
        break;
    case ADMIT_WAIT:
        break;
    case ADMIT_PARK:
        settle_busy(c, park_ms);
        break;
    }
}

void call_start(void *ctx, const struct delivery_event *record, struct delivery_task *task)
{
    struct callback *cb = ctx;
    struct call *c = arena_alloc(delivery_arena(task), sizeof(*c));
    struct err err;

    *c = (struct call){.cb = cb, .task = task, .record = record};
    delivery_set_data(task, c);
    if (event_read(cb->reader, record->value, record->value_len, delivery_arena(task), &c->event, &err) != RC_OK) {
        /* Without the fields there is no outcome to write: the row behind it stays as it is, and shows up as stuck. */
        struct delivery_why why = {.class = "malformed", .message = err.text};
        delivery_finish(task, err.rc == RC_REJECT ? RC_REJECT : RC_FATAL, &why);
        return;
    }
    c->platform = platforms_find(&cb->platforms, c->event.platform);
    if (c->platform == NULL) {
        settle_dead(c, "unknown-platform", "the platform has no secret, see AI_CS_PLATFORM_<PLATFORM>_CALLBACK_SECRET");
        return;
    }
    enter(c);
}

void call_cancel(void *ctx, struct delivery_task *task)
{
    struct callback *cb = ctx;
    struct call *c = delivery_data(task);

    admission_drop(cb->admission, &c->ticket);
    if (c->http != NULL) {
        http_engine_cancel(c->http);
    }
}
