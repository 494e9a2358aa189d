/* SPDX-License-Identifier: Apache-2.0 */
/* POST /callbacks/... and /payments/applepay/...: what came is captured as it is, and handed to a verifier. */
#include "gateway/callback.h"

#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/ask.h"
#include "gateway/express.h"
#include "http/header_text.h"

_Static_assert(JOB_LANES == 2 + CHANNELS_N, "everybody else, a lane for each channel, phones");

static const char *const MEDIA[CHANNELS_N] = {
    [CHANNEL_WECHAT] = "application/json",
    [CHANNEL_ALIPAY] = "application/x-www-form-urlencoded",
    [CHANNEL_APPSTORE] = "application/json",
    [CHANNEL_APPLEPAY] = "application/json",
    [CHANNEL_EXPRESS] = NULL, /* its form is its account's */
};

/* Who says nothing is believed. */
static bool media_ok(const struct capture *c, const char *wanted)
{
    for (size_t i = 0; wanted != NULL && i < c->n_headers; i++) {
        if (strcasecmp(c->headers[i].name, "Content-Type") == 0 && !header_media_is(c->headers[i].value, wanted)) {
            return false;
        }
    }
    return true;
}

/* What can be said without the channel; REASON_OK: nothing against it. */
static void look_at(struct http_call *call, struct callback *c)
{
    const struct buf *body = call_body(call);
    const char *address = call_address(call);
    bool good = call_headers(call, &c->capture.headers, &c->capture.n_headers);
    c->capture.body = buf_str(body);
    c->capture.body_n = body->len;
    c->capture.address = address[0] == '\0' ? NULL : address;
    c->verdict.listed = channel_listed(c->account, c->capture.address);
    if (!c->verdict.listed && c->account->enforce) {
        (void)verdict_refuse(&c->verdict, REASON_IP_REFUSED, "the address is not on the account's list");
    } else if (!good) {
        (void)verdict_refuse(&c->verdict, REASON_HEADER_MALFORMED, "a header has bytes that none may have");
    } else if (!media_ok(&c->capture, MEDIA[c->channel])) {
        (void)verdict_refuse(&c->verdict, REASON_BODY_MALFORMED, "Content-Type: expected %s", MEDIA[c->channel]);
    }
}

enum call_next callback_no_account(struct http_call *call, enum channel channel)
{
    struct problem problem = {0};
    log_warn("gateway", "a call names an account that is not in the accounts file",
             KV_S("channel", channel_name(channel)), KV_S("account", call_id(call, "account")),
             KV_S("address", call_address(call)));
    problem_set(&problem, 404, "account_unknown", NULL, "there is no such account of this channel");
    return ask_refuse(call, &problem);
}

enum call_next callback_take(struct gateway *g, struct http_call *call, enum job_kind kind,
                             const struct account *account)
{
    struct job *job = ask_job(call, kind);
    struct callback *c = arena_alloc(call_arena(call), sizeof *c);
    *c = (struct callback){
        .channel = account->channel, .account = account, .received_us = g->now_us(), .began_us = clock_mono_us()};
    job->callback = c;
    job->lane = 1 + account->channel;
    job->wait_s = -1;
    look_at(call, c);
    if (kind == JOB_EXPRESS) {
        express_begin(g, c);
    }
    if (c->verdict.reason == REASON_OK) {
        if (job_queue_put(&g->verifies, job)) {
            return CALL_PARKED; /* and is the verifier's: not even its verdict may be looked at here */
        }
        (void)verdict_refuse(&c->verdict, REASON_UNAVAILABLE, "too much is waiting to be verified");
    }
    callback_answer(job);
    return CALL_ANSWERED;
}

enum call_next ask_callback(struct http_call *call, void *opaque)
{
    struct gateway *g = opaque;
    enum channel channel = (enum channel)channel_find(call_target(call)->segments[1]); /* the pattern's own */
    const struct account *account =
        g->accounts == NULL ? NULL : accounts_find(g->accounts, channel, call_id(call, "account"));
    return account == NULL ? callback_no_account(call, channel) : callback_take(g, call, JOB_CALLBACK, account);
}
