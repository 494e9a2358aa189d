/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/channel.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/names.h"
#include "channel/account.h"

static const char *const NAMES[CHANNELS_N] = {
    [CHANNEL_WECHAT] = "wechat",     [CHANNEL_ALIPAY] = "alipay",   [CHANNEL_APPSTORE] = "appstore",
    [CHANNEL_APPLEPAY] = "applepay", [CHANNEL_EXPRESS] = "express",
};

const char *channel_name(enum channel channel)
{
    return NAMES[channel];
}

size_t channel_body_max(enum channel channel)
{
    return channel == CHANNEL_EXPRESS ? CHANNEL_EXPRESS_BYTES_MAX : CHANNEL_BODY_BYTES_MAX;
}

int channel_find(const char *name)
{
    return names_find(NAMES, CHANNELS_N, name);
}

const char *payment_effect_event(enum payment_effect effect)
{
    static const char *const EVENTS[] = {
        [EFFECT_NONE] = NULL,
        [EFFECT_SUCCEEDED] = "payment.succeeded",
        [EFFECT_REFUNDED] = "payment.refunded",
        [EFFECT_CLOSED] = "payment.closed",
        [EFFECT_REVOKED] = "payment.revoked",
    };
    return EVENTS[effect];
}

/* ---------------------------------------------------------------------------------------------------- headers */

enum channel_reason capture_header_optional(const struct capture *c, const char *name, const char **out_value)
{
    *out_value = NULL;
    for (size_t i = 0; i < c->n_headers; i++) {
        if (strcasecmp(c->headers[i].name, name) != 0) {
            continue;
        }
        if (*out_value != NULL) {
            return REASON_HEADER_DUP;
        }
        *out_value = c->headers[i].value;
    }
    return *out_value != NULL && (*out_value)[0] == '\0' ? REASON_HEADER_MALFORMED : REASON_OK;
}

enum channel_reason capture_header(const struct capture *c, const char *name, const char **out_value)
{
    enum channel_reason reason = capture_header_optional(c, name, out_value);
    return reason == REASON_OK && *out_value == NULL ? REASON_HEADER_MISSING : reason;
}

/* ---------------------------------------------------------------------------------------------------- verdict */

enum channel_reason verdict_refuse(struct verdict *v, enum channel_reason reason, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(v->detail, sizeof v->detail, fmt, ap);
    va_end(ap);
    v->reason = reason;
    return reason;
}

void verdict_genuine(struct verdict *v, enum channel channel, const struct sha256_part *parts, size_t n_parts,
                     const void *signature, size_t signature_n)
{
    const char *name = channel_name(channel);
    struct sha256_part all[VERDICT_PARTS_MAX + 2] = {{name, strlen(name) + 1}};
    size_t n = 1;
    assert(n_parts <= VERDICT_PARTS_MAX);
    for (size_t i = 0; i < n_parts; i++) {
        all[n++] = parts[i];
    }
    all[n++] = (struct sha256_part){signature, signature_n};
    sha256_of_parts(all, n, v->fingerprint);
    v->genuine = true;
}

enum channel_reason verdict_window(struct verdict *v, const char *name, int64_t sent_s, int64_t now_s, int64_t window_s)
{
    int64_t age_s = now_s - sent_s;
    if (age_s > window_s) {
        return verdict_refuse(v, REASON_TS_STALE, "%s: %" PRId64 " s old, allowed are %" PRId64, name, age_s, window_s);
    }
    if (-age_s > window_s) {
        return verdict_refuse(v, REASON_TS_FUTURE, "%s: %" PRId64 " s ahead, allowed are %" PRId64, name, -age_s,
                              window_s);
    }
    return REASON_OK;
}

/* Length and content of each part, so that no two lists look the same. */
static void hash_content(struct channel_event *e)
{
    const char *const texts[] = {e->type, e->state, e->payment_id, e->channel_txn_id, e->refund_id, e->currency};
    CLEANUP(buf_done) struct buf all;
    buf_init(&all, CHANNEL_BODY_BYTES_MAX);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        if (texts[i] == NULL) {
            (void)buf_puts(&all, "-;");
        } else {
            (void)buf_printf(&all, "%zu:%s;", strlen(texts[i]), texts[i]);
        }
    }
    if (e->has_amount) {
        (void)buf_printf(&all, "%lld", (long long)e->amount);
    }
    sha256_of(buf_str(&all), all.len, e->content);
}

bool channel_listed(const struct account *account, const char *address)
{
    uint8_t bytes[NET_BYTES];
    return !account->has_list ||
           (address != NULL && net_bytes_of_text(address, bytes) && net_list_has(&account->list, bytes));
}

enum channel_reason channel_verify(const struct account *account, const struct capture *c, int64_t now_s,
                                   struct arena *arena, struct verdict *out)
{
    *out = (struct verdict){.reason = REASON_OK, .listed = channel_listed(account, c->address)};
    if (!out->listed && account->enforce) {
        return verdict_refuse(out, REASON_IP_REFUSED, "the address is not on the account's list");
    }
    if (c->body_n > channel_body_max(account->channel)) {
        return verdict_refuse(out, REASON_TOO_LARGE, "the body has more than %zu bytes",
                              channel_body_max(account->channel));
    }
    out->reason = CHANNEL_OPS[account->channel].verify(account, c, now_s, arena, out);
    if (out->reason == REASON_OK && out->express == NULL) {
        hash_content(&out->event);
    }
    return out->reason;
}

/* ---------------------------------------------------------------------------------------------------- shown */

static void add_member(struct buf *out, const char *name, const char *value)
{
    if (value != NULL) {
        (void)buf_printf(out, ", \"%s\": ", name);
        (void)buf_json_string(out, value, strlen(value));
    }
}

void channel_event_json(const struct channel_event *e, struct buf *out)
{
    (void)buf_puts(out, "{\"merchant\": ");
    (void)buf_json_string(out, e->merchant == NULL ? "" : e->merchant, e->merchant == NULL ? 0 : strlen(e->merchant));
    add_member(out, "notification_id", e->notification_id);
    add_member(out, "business_key", e->business_key);
    add_member(out, "type", e->type);
    add_member(out, "state", e->state);
    add_member(out, "payment_id", e->payment_id);
    add_member(out, "channel_txn_id", e->channel_txn_id);
    add_member(out, "refund_id", e->refund_id);
    add_member(out, "effect", payment_effect_event(e->effect));
    if (e->has_amount) {
        (void)buf_printf(out, ", \"%s\": %lld", e->amount_is_total ? "refunded_total" : "amount", (long long)e->amount);
    }
    add_member(out, "currency", e->currency);
    if (e->at_us != 0) {
        char at[CLOCK_RFC3339_MAX];
        clock_rfc3339(e->at_us, at);
        add_member(out, "at", at);
    }
    if (e->safe != NULL) {
        (void)buf_printf(out, ", \"safe\": %s", e->safe);
    }
    (void)buf_putc(out, '}');
}
