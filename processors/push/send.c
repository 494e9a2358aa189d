/* SPDX-License-Identifier: Apache-2.0 */
/* One request to a provider, for one message or several. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "push/push_internal.h"
#include "push/reply.h"

#define POOL_MAX 128
#define CHUNK_BYTES ((size_t)8 << 10)
#define REPLY_BYTES_MAX ((size_t)64 << 10) /* where a kind says nothing */

/* ---------------------------------------------------------------------------------------------------- memory */

static struct send *make(struct outlet *l, struct waiter *const *waiters, size_t n)
{
    struct push *p = l->push;
    struct send *s = p->pool;

    if (s != NULL) {
        p->pool = s->next;
        p->pool_n--;
    } else {
        s = xcalloc(1, sizeof(*s));
        arena_init(&s->arena, CHUNK_BYTES);
    }
    s->outlet = l;
    s->n = n;
    s->http = NULL;
    s->probe = false;
    s->token_version = 0;
    s->prev = NULL;
    s->next = l->sends;
    if (s->next != NULL) {
        s->next->prev = s;
    }
    l->sends = s;
    l->in_flight++;
    for (size_t i = 0; i < n; i++) {
        struct message *m = message_of(waiters[i]);
        s->of[i] = m;
        s->m[i] = waiters[i]->message;
        m->send = s;
        m->index = i;
    }
    return s;
}

/* It is under way no more. */
static void leave(struct send *s)
{
    struct outlet *l = s->outlet;

    *(s->prev != NULL ? &s->prev->next : &l->sends) = s->next;
    if (s->next != NULL) {
        s->next->prev = s->prev;
    }
    l->in_flight--;
}

static void release(struct push *p, struct send *s)
{
    if (p->pool_n >= POOL_MAX) {
        arena_done(&s->arena);
        free(s);
        return;
    }
    arena_reset(&s->arena);
    s->next = p->pool;
    p->pool = s;
    p->pool_n++;
}

void send_pool_free(struct push *p)
{
    while (p->pool != NULL) {
        struct send *s = p->pool;
        p->pool = s->next;
        arena_done(&s->arena);
        free(s);
    }
    p->pool_n = 0;
}

/* The message leaves the request. */
static struct message *take(struct send *s, size_t i)
{
    struct message *m = s->of[i];

    s->of[i] = NULL;
    if (m != NULL) {
        m->send = NULL;
    }
    return m;
}

/* ---------------------------------------------------------------------------------------------------- the answer */

/* Nothing has come back: that is the same for all kinds. True: it was this machine's fault, the provider knows nothing.
 */
static bool without_answer(const struct http_result *r, struct push_result *out)
{
    bool refused = r->meaning.verdict == HTTP_REJECT; /* its address, its certificate: configuration */

    *out = push_result_of(refused ? PUSH_AUTH : PUSH_PROVIDER_DOWN, r->meaning.class, r->message);
    return r->meaning.verdict == HTTP_OUR_FAULT;
}

/* Another token, or another request without the others, may help: it comes first again. True: that was done. */
static bool again(struct send *s, struct message *m, const struct push_result *result)
{
    bool renew = result->renew_token && s->outlet->provider->kind->needs_token && !m->renewed;
    bool alone = result->alone && s->n > 1;

    if (!renew && !alone) {
        return false;
    }
    m->renewed = m->renewed || renew;
    m->waiter.alone = m->waiter.alone || alone;
    queue_put_back(&s->outlet->queue, &m->waiter);
    if (renew) {
        push_token_refused(s->outlet->push->tokens, s->outlet->token, s->token_version);
    }
    return true;
}

/* results: NULL = all are parked, for class. r: NULL = there was no request. */
static void settle_all(struct send *s, const struct push_result *results, const struct http_result *r,
                       const char *class, const char *why)
{
    for (size_t i = s->n; i > 0; i--) { /* from the last: what is put back comes first in the old order */
        struct message *m = take(s, i - 1);
        if (m == NULL) {
            continue;
        }
        if (results == NULL) {
            message_park(m, class, why);
        } else if (r == NULL || !again(s, m, &results[i - 1])) {
            message_settle(m, &results[i - 1], r);
        }
    }
}

static void on_done(void *opaque, const struct http_result *r)
{
    struct send *s = opaque;
    struct outlet *l = s->outlet;
    const struct provider *provider = l->provider;
    struct push_result *results = arena_alloc(&s->arena, s->n * sizeof *results);
    bool our_fault = false;

    s->http = NULL;
    if (r->status == 0) {
        struct push_result all;
        our_fault = without_answer(r, &all);
        push_reply_all(&all, s->n, results);
    } else {
        provider->kind->reply(provider->self, s->m, s->n, r, clock_utc_us(), results);
    }
    leave(s);
    outlet_learn(l, s, results, our_fault ? NULL : r, our_fault);
    settle_all(s, our_fault ? NULL : results, r, r->meaning.class, r->message);
    release(l->push, s);
    outlet_pump(l);
}

/* ---------------------------------------------------------------------------------------------------- the request */

/* It could not be made of several: of each alone. */
static void put_back_alone(struct send *s)
{
    for (size_t i = s->n; i > 0; i--) {
        struct message *m = take(s, i - 1);
        m->waiter.alone = true;
        queue_put_back(&s->outlet->queue, &m->waiter);
    }
}

/* No request has left. */
static void not_sent(struct send *s, bool made, const struct err *err)
{
    struct outlet *l = s->outlet;
    bool alone = s->n == 1;
    /* A URL that is not called is the provider's configuration, a message that cannot be put into a request its own. */
    struct push_result result = push_result_of(made ? PUSH_AUTH : PUSH_PAYLOAD, err->code, err->text);

    leave(s);
    if (err->rc == RC_REJECT && !made && !alone) {
        put_back_alone(s);
    } else if (err->rc == RC_REJECT) {
        struct push_result *results = arena_alloc(&s->arena, s->n * sizeof *results);
        push_reply_all(&result, s->n, results);
        if (made) {
            outlet_learn(l, s, results, NULL, false);
        }
        settle_all(s, results, NULL, NULL, NULL);
    } else if (err->rc == RC_RETRY) {
        settle_all(s, NULL, NULL, err->code[0] != '\0' ? err->code : "engine-busy", err->text);
    } else {
        for (size_t i = 0; i < s->n; i++) {
            struct message *m = take(s, i);
            if (m != NULL) {
                message_fail(m, err);
            }
        }
    }
    if (s->probe) {
        circuit_lost(&l->circuit, clock_mono_ms());
    }
    release(l->push, s);
}

void send_start(struct outlet *l, struct waiter *const *waiters, size_t n)
{
    const struct provider *provider = l->provider;
    const struct provider_kind *kind = provider->kind;
    struct send *s = make(l, waiters, n);
    struct push_request request = {0};
    struct err err = {0};
    const char *token = outlet_token(l, &s->token_version);

    s->probe = l->circuit.state != CIRCUIT_CLOSED;
    circuit_began(&l->circuit);
    enum rc rc = kind->request(provider->self, s->m, n, kind->needs_token ? token : NULL, clock_utc_us(), &s->arena,
                               &request, &err);
    bool made = rc == RC_OK;
    if (made) {
        size_t reply_max = kind->reply_bytes_max > 0 ? kind->reply_bytes_max : REPLY_BYTES_MAX;
        const struct http_call_spec spec = {.url = request.url,
                                            .version = kind->http2 ? HTTP_VERSION_2_ONLY : HTTP_VERSION_2_IF_OFFERED,
                                            .headers = request.headers,
                                            .n_headers = request.n_headers,
                                            .body = request.body,
                                            .body_n = request.body_n,
                                            .timeout_ms = provider->timeout_ms,
                                            .response_bytes_max = reply_max,
                                            .body_kept = reply_max};
        bucket_take(&l->bucket, n, clock_mono_ms());
        rc = http_engine_submit(l->push->engine, &spec, on_done, s, &s->http, &err);
    }
    if (rc != RC_OK) {
        not_sent(s, made, &err);
    }
}

/* ---------------------------------------------------------------------------------------------------- the task's end
 */

static const char *copy_of(struct arena *a, const char *text)
{
    return text == NULL ? NULL : arena_strndup(a, text, strlen(text));
}

void send_forget(struct send *s, size_t index)
{
    const struct push_message *m = s->m[index];
    struct push_message *copy = arena_alloc(&s->arena, sizeof(*copy));
    bool needed = false;

    (void)take(s, index);
    for (size_t i = 0; i < s->n; i++) {
        needed = needed || s->of[i] != NULL;
    }
    if (needed) { /* for the answer's reading; the others must not be sent twice */
        *copy = *m;
        copy->delivery_id = copy_of(&s->arena, m->delivery_id);
        copy->message_id = copy_of(&s->arena, m->message_id);
        copy->appid = copy_of(&s->arena, m->appid);
        copy->cid = copy_of(&s->arena, m->cid);
        copy->platform = copy_of(&s->arena, m->platform);
        copy->title = copy_of(&s->arena, m->title);
        copy->body = copy_of(&s->arena, m->body);
        copy->payload = copy_of(&s->arena, m->payload);
        copy->traceparent = copy_of(&s->arena, m->traceparent);
        s->m[index] = copy;
        return;
    }
    if (s->http != NULL) {
        http_engine_cancel(s->http);
        s->http = NULL;
        leave(s);
        if (s->probe) {
            circuit_lost(&s->outlet->circuit, clock_mono_ms());
        }
        release(s->outlet->push, s);
    }
}
