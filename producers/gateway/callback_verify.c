/* SPDX-License-Identifier: Apache-2.0 */
/* Verifiers: the verdict on a call, and what is stored of it is made ready. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "crypto/sha256.h"
#include "gateway/ask.h"
#include "gateway/callback.h"
#include "gateway/callback_keys.h"

#define TURN_MS 1000
#define HEADER_TEXT_MAX ((size_t)1 << 20)

/* ---------------------------------------------------------------------------------------------------- the event */

static const char *const AT_NAMES[] = {
    [EFFECT_NONE] = NULL,          [EFFECT_SUCCEEDED] = "paid_at",  [EFFECT_REFUNDED] = "refunded_at",
    [EFFECT_CLOSED] = "closed_at", [EFFECT_REVOKED] = "revoked_at",
};

const char *callback_payload(const struct job *job)
{
    const struct callback *c = job->callback;
    const struct channel_event *e = &c->verdict.event;
    struct payload p;
    if (e->effect == EFFECT_NONE) {
        return NULL;
    }
    payload_begin(&p);
    payload_text(&p, "payment_id", e->payment_id);
    payload_text(&p, "channel", channel_name(c->channel));
    payload_text(&p, "channel_txn_id", e->channel_txn_id);
    if (e->has_amount) {
        payload_int(&p, e->amount_is_total ? "refunded_total" : "amount", e->amount);
    }
    payload_text(&p, "currency", e->currency);
    payload_text(&p, "refund_id", e->refund_id);
    payload_time(&p, AT_NAMES[e->effect], e->at_us == 0 ? c->received_us : e->at_us);
    payload_text(&p, "callback_id", job->id);
    (void)buf_putc(&p.text, '}');
    const char *json = arena_strndup(job->arena, buf_str(&p.text), p.text.len);
    payload_done(&p);
    return json;
}

/* ---------------------------------------------------------------------------------------------------- what is kept */

/* As PostgreSQL reads bytea. */
static const char *bytea_text(struct arena *arena, const void *bytes, size_t n)
{
    char *text = arena_alloc(arena, 2 + 2 * n + 1);
    (void)memcpy(text, "\\x", 2);
    sha256_hex(bytes, n, text + 2);
    return text;
}

/* What carriers send is kept as it came where there is no key. */
static const char *seal(const struct gateway *g, const struct job *job, const char *column, const void *bytes, size_t n)
{
    size_t sealed_n = RAW_SEALED_BYTES(n);
    if (g->raw_keys == NULL) {
        return bytea_text(job->arena, bytes, n);
    }
    CLEANUP(freep) unsigned char *sealed = xcalloc(sealed_n, 1); /* gone before the call waits */
    raw_seal(g->raw_keys, job->id, column, bytes, n, sealed);
    return bytea_text(job->arena, sealed, sealed_n);
}

void callback_keep(const struct gateway *g, struct job *job)
{
    struct callback *c = job->callback;
    struct buf headers;
    buf_init(&headers, HEADER_TEXT_MAX);
    for (size_t i = 0; i < c->capture.n_headers; i++) {
        const struct header_line *h = &c->capture.headers[i];
        /* A caller's token is for the gateway; the channels' own calls have none. */
        bool tokens = c->channel == CHANNEL_APPLEPAY || c->channel == CHANNEL_EXPRESS;
        bool secret = tokens && strcasecmp(h->name, "Authorization") == 0;
        (void)buf_printf(&headers, "%s: %s\r\n", h->name, secret ? "***" : h->value);
    }
    c->key_id = g->raw_keys == NULL ? NULL : raw_keys_current(g->raw_keys);
    c->raw_headers = seal(g, job, "headers", buf_str(&headers), headers.len);
    c->raw_body = seal(g, job, "body", c->capture.body, c->capture.body_n);
    buf_done(&headers);
}

/* ---------------------------------------------------------------------------------------------------- verdicts */

static void hand_on(struct gateway *g, struct job *job)
{
    if (atomic_load(&g->writers_up) <= 0) {
        callback_unavailable(job, "the database is away; nothing was stored");
    } else if (!job_queue_put(&g->writes, job)) {
        callback_unavailable(job, "too much is waiting to be stored; nothing was stored");
    }
}

void callback_verify(struct gateway *g, struct job *job)
{
    struct callback *c = job->callback;
    (void)channel_verify(c->account, &c->capture, c->received_us / 1000000, job->arena, &c->verdict);
    c->verified_us = clock_mono_us();
    if (c->verdict.reason == REASON_OK) {
        uuid_make(c->event_id);
        c->payload = callback_payload(job);
        callback_keep(g, job);
        hand_on(g, job);
    } else if (c->verdict.reason == REASON_TS_STALE && c->verdict.genuine) {
        hand_on(g, job);
    } else {
        if (c->verdict.reason == REASON_SERIAL_UNKNOWN) {
            callback_keys_unknown(g->keys, c->account, &c->capture);
        }
        callback_refused(job);
    }
}

void *verifier_run(void *opaque)
{
    struct worker *w = opaque;
    struct gateway *g = w->g;
    struct watch *watch = role_watch(g->ctx, w->name, gateway_turn_ms(g, 0));
    while (!job_queue_over(&g->verifies)) {
        struct job *job = NULL;
        role_tick(watch);
        if (job_queue_take(&g->verifies, &job, 1, TURN_MS) == 1) {
            callback_verify(g, job);
        }
    }
    role_unwatch(g->ctx, watch);
    return NULL;
}
