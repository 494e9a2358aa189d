/* SPDX-License-Identifier: Apache-2.0 */
/* What became of a call: its answer, its count, its line in the log. */
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "carrier/carrier.h"
#include "gateway/express.h"
#include "gateway/gateway_internal.h"

#define ANSWER_BYTES_MAX ((size_t)64 << 10)

/* ---------------------------------------------------------------------------------------------------- metrics */

void callback_count(enum channel channel, enum channel_reason reason)
{
    static _Atomic(struct metric *) series[CHANNELS_N][REASONS_N]; /* asking the registry takes its lock */
    struct metric *m = atomic_load(&series[channel][reason]);
    if (m == NULL) {
        m = metric_counter("callback_total", "Calls of channels by what became of them.",
                           "channel=\"%s\",reason=\"%s\"", channel_name(channel), reason_name(reason));
        atomic_store(&series[channel][reason], m);
    }
    metric_inc(m);
}

enum step { STEP_VERIFY, STEP_STORE, STEP_TOTAL, STEPS };

static void observe(enum channel channel, enum step step, int64_t us)
{
    static const char *const NAMES[STEPS] = {"verify", "store", "total"};
    static const double BOUNDS[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                    0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};
    static _Atomic(struct metric *) series[CHANNELS_N][STEPS];
    struct metric *m = atomic_load(&series[channel][step]);
    if (m == NULL) {
        m = metric_histogram("sluice_gateway_callback_seconds", "Time of calls of channels by step.", BOUNDS,
                             sizeof BOUNDS / sizeof BOUNDS[0], "channel=\"%s\",step=\"%s\"", channel_name(channel),
                             NAMES[step]);
        atomic_store(&series[channel][step], m);
    }
    metric_observe(m, (double)us / 1e6);
}

static void observe_steps(const struct callback *c)
{
    int64_t now_us = clock_mono_us();
    if (c->verified_us != 0) {
        observe(c->channel, STEP_VERIFY, c->verified_us - c->began_us);
    }
    if (c->verified_us != 0 && reason_acknowledged(c->verdict.reason)) {
        observe(c->channel, STEP_STORE, now_us - c->verified_us);
    }
    observe(c->channel, STEP_TOTAL, now_us - c->began_us);
}

/* ---------------------------------------------------------------------------------------------------- log */

static const char *or_dash(const char *text)
{
    return text == NULL ? "-" : text;
}

/* Neither bodies nor values of headers: who, whose, why. */
static void tell(const struct job *job)
{
    const struct callback *c = job->callback;
    const struct verdict *v = &c->verdict;
    const char *channel = channel_name(c->channel);
    if (v->reason == REASON_CONFLICT) {
        log_error("gateway", "a genuine notification contradicts what is stored; it is in quarantine",
                  KV_S("channel", channel), KV_S("account", c->account->name), KV_S("id", job->id),
                  KV_S("payment", or_dash(v->event.payment_id)), KV_S("why", v->detail));
    } else if (v->reason == REASON_UNKNOWN_ORDER) {
        log_warn("gateway", "a genuine notification waits for its order", KV_S("channel", channel),
                 KV_S("account", c->account->name), KV_S("id", job->id), KV_S("payment", or_dash(v->event.payment_id)));
    } else if (v->reason == REASON_UNKNOWN_WAYBILL) {
        log_info("gateway", "a parcel has no waybill yet; its number waits for one", KV_S("account", c->account->name),
                 KV_S("id", job->id), KV_S("tracking_no", v->express->reports[0].tracking_no),
                 KV_I("parcels", (int64_t)v->express->n_reports));
    } else if (!reason_acknowledged(v->reason) && v->genuine && v->reason != REASON_UNAVAILABLE) {
        /* A text of its own: repeated texts are suppressed, and anybody may call with nonsense. */
        log_error("gateway", "a genuine call of a channel is refused", KV_S("channel", channel),
                  KV_S("account", c->account->name), KV_S("reason", reason_name(v->reason)), KV_S("why", v->detail),
                  KV_S("address", or_dash(c->capture.address)));
    } else if (!reason_acknowledged(v->reason)) {
        log_warn("gateway", "a call of a channel is refused", KV_S("channel", channel),
                 KV_S("account", c->account->name), KV_S("reason", reason_name(v->reason)), KV_S("why", v->detail),
                 KV_S("address", or_dash(c->capture.address)));
    }
    if (v->genuine && !v->listed) {
        metric_inc(metric_counter("sluice_gateway_callbacks_unlisted_total",
                                  "Genuine calls from addresses that are not on the account's list.",
                                  "channel=\"%s\",account=\"%s\"", channel, c->account->name));
        log_warn("gateway", "a genuine call comes from an address that is not on the account's list",
                 KV_S("channel", channel), KV_S("account", c->account->name),
                 KV_S("address", or_dash(c->capture.address)));
    }
}

/* ---------------------------------------------------------------------------------------------------- answers */

void callback_answer(struct job *job)
{
    const struct callback *c = job->callback;
    struct channel_answer answer;
    struct buf body;
    channel_answer(c->account, &c->verdict, job->arena, &answer);
    buf_init(&body, ANSWER_BYTES_MAX);
    (void)buf_puts(&body, answer.body); /* nothing behind it: Alipay counts bytes */
    if (c->verdict.reason == REASON_UNAVAILABLE) {
        call_set_header(job->call, "Retry-After", "%d", GATEWAY_AWAY_RETRY_AFTER_S);
    }
    call_answer(job->call, answer.status, answer.content_type, &body);
    callback_count(c->channel, c->verdict.reason);
    if (c->channel == CHANNEL_EXPRESS) {
        express_end(job->callback);
    }
    observe_steps(c);
    tell(job);
}

void callback_refused(struct job *job)
{
    callback_answer(job);
    call_finish(job->call);
}

void callback_unavailable(struct job *job, const char *detail)
{
    (void)verdict_refuse(&job->callback->verdict, REASON_UNAVAILABLE, "%s", detail);
    callback_refused(job);
}

void callback_stored(struct job *job)
{
    struct callback *c = job->callback;
    (void)verdict_refuse(&c->verdict, c->result, "%s", c->detail == NULL ? "" : c->detail);
    callback_refused(job);
}
