/* SPDX-License-Identifier: Apache-2.0 */
/* The parameters of a genuine call, and what they say about an order. */
#include "channel/alipay_event.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/currency.h"
#include "base/option.h"
#include "channel/charset.h"
#include "channel/event_text.h"

#define TIME_BYTES 19 /* 2024-05-20 14:23:18 */
#define TIME_MAX 32
#define SAFE_MAX 4096
#define CURRENCY "CNY"
#define UTC_MS_MAX 253402300799999LL

/* ---------------------------------------------------------------------------------------------------------- time */

/* "2024-05-20 14:23:18", perhaps with a fraction: the clock of Beijing, which has no summer time. */
static bool beijing_us(const char *text, int64_t *out_us)
{
    char rfc3339[TIME_MAX + 8];
    size_t n = strlen(text);
    if (n < TIME_BYTES || n > TIME_MAX || text[10] != ' ' ||
        strspn(text + TIME_BYTES, ".0123456789") != n - TIME_BYTES) {
        return false;
    }
    (void)snprintf(rfc3339, sizeof rfc3339, "%.10sT%s+08:00", text, text + 11);
    return clock_rfc3339_parse(rfc3339, out_us);
}

bool alipay_sent_us(const struct form *form, int64_t *out_us)
{
    const char *at = form_get(form, "notify_time");
    const char *ms = form_get(form, "utc_timestamp");
    int64_t n = 0;
    if (at != NULL) {
        return beijing_us(at, out_us);
    }
    if (ms == NULL || !option_parse_int(ms, 0, UTC_MS_MAX, &n)) {
        return false;
    }
    *out_us = n * 1000;
    return true;
}

/* ------------------------------------------------------------------------------------------------------- charset */

static bool all_utf8(const struct form *form)
{
    for (size_t i = 0; i < form->n; i++) {
        if (!charset_utf8_ok(form->params[i].value, form->params[i].value_n)) {
            return false;
        }
    }
    return true;
}

static enum channel_reason transcode(struct form *form, enum charset charset, struct arena *arena, struct verdict *v)
{
    CLEANUP(charset_closep) struct charset_reader *reader = charset_open(charset);
    if (reader == NULL) {
        return verdict_refuse(v, REASON_UNAVAILABLE, "this machine cannot read the charset of the form");
    }
    for (size_t i = 0; i < form->n; i++) {
        struct form_param *p = &form->params[i];
        p->value = charset_utf8(reader, p->value, p->value_n, arena);
        if (p->value == NULL) {
            return verdict_refuse(v, REASON_BODY_MALFORMED, "%s: not of the form's charset", p->name);
        }
        p->value_n = strlen(p->value);
    }
    return REASON_OK;
}

/* Without a charset it is the platform's default, GBK; but whoever leaves it out and writes UTF-8 is understood. */
static enum channel_reason to_utf8(struct form *form, struct arena *arena, struct verdict *v)
{
    const char *name = form_get(form, "charset");
    enum charset charset = name == NULL ? CHARSET_GBK : charset_find(name);
    bool utf8 = all_utf8(form);
    if (charset == CHARSET_UNKNOWN) {
        return verdict_refuse(v, REASON_BODY_MALFORMED, "charset: expected utf-8, GBK, GB2312 or GB18030");
    }
    if (charset == CHARSET_UTF8 && !utf8) {
        return verdict_refuse(v, REASON_BODY_MALFORMED, "charset: says utf-8, and a value is not");
    }
    return charset == CHARSET_UTF8 || (name == NULL && utf8) ? REASON_OK : transcode(form, charset, arena, v);
}

/* --------------------------------------------------------------------------------------------------------- event */

/* A parameter that is an id, or NULL; what is no id refuses the call. */
static const char *id(const struct form *form, const char *name, bool needed, struct verdict *v)
{
    const char *value = form_get(form, name);
    if (value != NULL && value[0] == '\0') {
        value = NULL;
    }
    if ((needed && value == NULL) || (value != NULL && !event_id_ok(value))) {
        (void)verdict_refuse(v, REASON_BODY_MALFORMED, "%s: expected " EVENT_ID_WHAT, name);
        return NULL;
    }
    return value;
}

/* False and refused: it is needed and not there, or malformed. */
static bool amount(const struct form *form, const char *name, const char *currency, bool needed, struct verdict *v,
                   int64_t *out, bool *out_there)
{
    const char *text = form_get(form, name);
    *out_there = text != NULL && text[0] != '\0';
    if (*out_there ? event_amount(text, currency_digits(currency), out) : !needed) {
        return true;
    }
    (void)verdict_refuse(v, REASON_BODY_MALFORMED, "%s: expected an amount such as 88.88", name);
    return false;
}

static int64_t time_of(const struct form *form, const char *name, int64_t otherwise)
{
    const char *text = form_get(form, name);
    int64_t us = 0;
    return text != NULL && beijing_us(text, &us) ? us : otherwise;
}

/* The refund's number, else its time; a blank would be no id. NULL: neither is there. */
static const char *refund_of(const struct form *form, struct arena *arena, struct verdict *v)
{
    const char *number = id(form, "out_biz_no", false, v);
    const char *at = form_get(form, "gmt_refund");
    if (number != NULL || at == NULL || at[0] == '\0') {
        return number;
    }
    char *text = arena_strndup(arena, at, strlen(at));
    for (char *c = text; *c != '\0'; c++) {
        *c = *c == ' ' ? 'T' : *c;
    }
    if (!event_id_ok(text)) {
        (void)verdict_refuse(v, REASON_BODY_MALFORMED, "gmt_refund: expected a time such as 2024-05-20 14:23:18");
    }
    return text;
}

/* refund_fee is all that was given back of this trade until now. */
static enum channel_reason read_trade(const struct form *form, const char *refund, struct verdict *v)
{
    struct channel_event *e = &v->event;
    const char *currency = form_get(form, "trans_currency");
    bool success = strcmp(e->state, "TRADE_SUCCESS") == 0 || strcmp(e->state, "TRADE_FINISHED") == 0;
    bool closed = strcmp(e->state, "TRADE_CLOSED") == 0;
    int64_t refunded = 0;
    bool has_refund = false;
    if (currency != NULL && !event_currency_ok(currency)) {
        return verdict_refuse(v, REASON_BODY_MALFORMED, "trans_currency: expected " EVENT_CURRENCY_WHAT);
    }
    e->currency = currency == NULL ? CURRENCY : currency;
    e->payment_id = id(form, "out_trade_no", success || closed, v);
    e->channel_txn_id = id(form, "trade_no", true, v);
    if (v->reason != REASON_OK || !amount(form, "total_amount", e->currency, success, v, &e->amount, &e->has_amount) ||
        !amount(form, "refund_fee", e->currency, false, v, &refunded, &has_refund)) {
        return v->reason;
    }
    if (has_refund && refunded > 0 && (success || closed)) {
        e->refund_id = refund;
        if (refund == NULL) {
            return verdict_refuse(v, REASON_BODY_MALFORMED, "a refund without out_biz_no and gmt_refund");
        }
        e->effect = EFFECT_REFUNDED;
        e->amount = refunded;
        e->has_amount = e->amount_is_total = true;
        e->at_us = time_of(form, "gmt_refund", e->at_us);
    } else if (success && e->amount > 0) {
        e->effect = EFFECT_SUCCEEDED;
        e->at_us = time_of(form, "gmt_payment", e->at_us);
    } else if (closed) {
        e->effect = EFFECT_CLOSED;
        e->at_us = time_of(form, "gmt_close", e->at_us);
    }
    return REASON_OK;
}

static enum channel_reason check_identity(const struct alipay_account *own, const struct form *form, struct verdict *v)
{
    const char *app_id = id(form, "app_id", true, v);
    const char *seller_id = id(form, "seller_id", false, v);
    if (v->reason != REASON_OK) {
        return v->reason;
    }
    if (strcmp(app_id, own->app_id) != 0) {
        return verdict_refuse(v, REASON_FIELD_MISMATCH, "app_id: another app's");
    }
    if (seller_id != NULL && own->seller_id[0] != '\0' && strcmp(seller_id, own->seller_id) != 0) {
        return verdict_refuse(v, REASON_FIELD_MISMATCH, "seller_id: another seller's");
    }
    return REASON_OK;
}

/* The order's title: shows whether the charset was understood. */
static const char *safe_of(const struct form *form, struct arena *arena)
{
    const char *subject = form_get(form, "subject");
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, SAFE_MAX);
    if (subject == NULL) {
        return NULL;
    }
    (void)buf_puts(&out, "{\"subject\": ");
    (void)buf_json_string(&out, subject, strlen(subject));
    (void)buf_putc(&out, '}');
    return out.overflow ? NULL : arena_strndup(arena, buf_str(&out), out.len);
}

enum channel_reason alipay_read_form(const struct alipay_account *own, struct form *form, struct arena *arena,
                                     struct verdict *v)
{
    struct channel_event *e = &v->event;
    if (to_utf8(form, arena, v) != REASON_OK || check_identity(own, form, v) != REASON_OK) {
        return v->reason;
    }
    (void)alipay_sent_us(form, &e->at_us);
    e->merchant = own->app_id;
    e->notification_id = id(form, "notify_id", true, v);
    e->state = id(form, "trade_status", false, v);
    const char *type = id(form, "notify_type", false, v);
    const char *method = id(form, "msg_method", false, v);
    const char *refund = refund_of(form, arena, v);
    e->type = type != NULL ? type : method != NULL ? method : "notify";
    if (v->reason != REASON_OK || (e->state != NULL && read_trade(form, refund, v) != REASON_OK)) {
        return v->reason;
    }
    e->business_key = e->state == NULL ? event_key(arena, e->notification_id, e->type, NULL)
                                       : event_key(arena, e->channel_txn_id, e->state, refund);
    e->safe = safe_of(form, arena);
    return v->reason;
}
