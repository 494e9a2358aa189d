/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each channel is answered, carriers by their form. WeChat Pay looks at the status alone (a 200 with FAIL in it is
 * an acknowledgement), Alipay at the seven bytes "success", Apple at the status; whatever else they get makes them send
 * again.
 */
#include <string.h>

#include "channel/express.h"

#define TEXT "text/plain"
#define JSON "application/json"

/* The same for all channels: what kind of refusal it is. App Store Server is said not to repeat what got 400, so 400 is
 * kept for what will never be right. */
static const unsigned REFUSED_STATUS[REASONS_N] = {
    [REASON_SIG_INVALID] = 401,     [REASON_SIG_PROBE] = 401,      [REASON_SERIAL_UNKNOWN] = 401,
    [REASON_CERT_EXPIRED] = 401,    [REASON_CHAIN_INVALID] = 401,  [REASON_CHAIN_OID] = 401,
    [REASON_CHAIN_LENGTH] = 401,    [REASON_CHAIN_EXPIRED] = 401,  [REASON_ALG_UNSUPPORTED] = 401,
    [REASON_POLICY_WEAK_ALG] = 401, [REASON_TS_STALE] = 401,       [REASON_TS_FUTURE] = 401,
    [REASON_HEADER_MISSING] = 400,  [REASON_HEADER_DUP] = 400,     [REASON_HEADER_MALFORMED] = 400,
    [REASON_PARAM_DUP] = 400,       [REASON_BODY_MALFORMED] = 400, [REASON_TOO_LARGE] = 413,
    [REASON_DECRYPT_FAILED] = 422,  [REASON_FIELD_MISMATCH] = 422, [REASON_BUNDLE_MISMATCH] = 422,
    [REASON_ENV_MISMATCH] = 422,    [REASON_IP_REFUSED] = 403,     [REASON_UNAVAILABLE] = 503,
    [REASON_CONFLICT] = 409,
};

static const struct channel_answer ACCEPTED[CHANNELS_N] = {
    [CHANNEL_WECHAT] = {200, JSON, "{\"code\":\"SUCCESS\",\"message\":\"\"}"},
    [CHANNEL_ALIPAY] = {200, TEXT, "success"},
    [CHANNEL_APPSTORE] = {200, JSON, "{}"},
    [CHANNEL_APPLEPAY] = {200, JSON, "{}"},
};

static const struct channel_answer REFUSED[CHANNELS_N] = {
    [CHANNEL_WECHAT] = {0, JSON, "{\"code\":\"FAIL\",\"message\":\"refused\"}"},
    [CHANNEL_ALIPAY] = {0, TEXT, "fail"},
    [CHANNEL_APPSTORE] = {0, JSON, "{}"},
    [CHANNEL_APPLEPAY] = {0, JSON, NULL},
};

/* Apple Pay tokens are handed in by the merchant's own service, which may know why. */
static const char *token_refused(const struct verdict *v, struct arena *arena)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1024);
    (void)buf_printf(&out, "{\"verified\":false,\"reason\":\"%s\",\"detail\":", reason_name(v->reason));
    (void)buf_json_string(&out, v->detail, strlen(v->detail));
    (void)buf_putc(&out, '}');
    return arena_strndup(arena, buf_str(&out), out.len);
}

/* ------------------------------------------------------------------------------------------------------ carriers */

/* Of our own form: which member, and what was expected. */
static const char *own_refused(const struct verdict *v, const char *message, struct arena *arena)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 2048);
    (void)buf_puts(&out, "{\"ok\":false,\"message\":");
    (void)buf_json_string(&out, message, strlen(message));
    (void)buf_printf(&out, ",\"reason\":\"%s\"}", reason_name(v->reason));
    return arena_strndup(arena, buf_str(&out), out.len);
}

/* The route without an account is asked by services, which may know why. */
static bool answer_own(const struct verdict *v, struct arena *arena, struct channel_answer *out)
{
    if (v->reason == REASON_UNKNOWN_WAYBILL) {
        *out = (struct channel_answer){404, JSON, "{\"ok\":false,\"message\":\"waybill not found\"}"};
        return true;
    }
    if (v->reason == REASON_UNAVAILABLE) {
        *out = (struct channel_answer){502, JSON, NULL};
        out->body = own_refused(v, v->detail[0] == '\0' ? "the database is away" : v->detail, arena);
        return true;
    }
    return false;
}

static void answer_express(const struct account *account, const struct verdict *v, struct arena *arena,
                           struct channel_answer *out)
{
    static const struct carrier_echo NONE = {.xml = false};
    const struct express_account *own = account->own;
    const struct carrier_echo *echo = v->echo == NULL ? &NONE : v->echo;
    bool stored = reason_acknowledged(v->reason);
    if (account == channel_express_own() && answer_own(v, arena, out)) {
        return;
    }
    out->status = stored ? 200 : REFUSED_STATUS[v->reason];
    out->body = carrier_answer(own->form, stored, echo, arena, &out->content_type);
    if (!stored && own->form == CARRIER_JSON) {
        out->body = own_refused(v, v->detail, arena);
    }
}

void channel_answer(const struct account *account, const struct verdict *v, struct arena *arena,
                    struct channel_answer *out)
{
    enum channel channel = account->channel;
    if (channel == CHANNEL_EXPRESS) {
        answer_express(account, v, arena, out);
        return;
    }
    /* A token used for another order is the caller's business; a channel would only send again. */
    bool refused = channel == CHANNEL_APPLEPAY && v->reason == REASON_CONFLICT;
    if (reason_acknowledged(v->reason) && !refused) {
        *out = ACCEPTED[channel];
        if (channel == CHANNEL_APPLEPAY && v->event.safe != NULL) {
            out->body = v->event.safe;
        }
        return;
    }
    *out = REFUSED[channel];
    out->status = REFUSED_STATUS[v->reason];
    if (out->body == NULL) {
        out->body = token_refused(v, arena);
    }
}
