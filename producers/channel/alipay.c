/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Alipay's asynchronous notifications: RSA2 over the decoded parameters in the order of their names, before any charset
 * is looked at. Empty values count, as in the platform's own libraries for Java and node.
 *
 * In certificate mode alipay_cert_sn says which certificate; nothing of the message is believed for it. The platform's
 * libraries sign over it like over any other parameter, others leave it out, and no page says which is right: a text
 * with it is tried first, then one without. That opens nothing: it only names one of the account's own keys.
 *
 * What is signed is joined without escapes, so that one signature fits several ways to cut the text: "&total_amount=1"
 * in the title that a buyer has chosen could be made a parameter, and refund_fee be hidden in the one before it. So a
 * value in which a parameter that counts could begin is refused, however genuine it is.
 */
#include <string.h>

#include "channel/alipay_event.h"
#include "channel/channels.h"
#include "crypto/base64.h"

#define CERT_SN "alipay_cert_sn"
#define RSA2 "RSA2"

struct signed_form {
    const struct form *form;
    unsigned char signature[RSA_SIGNATURE_BYTES_MAX];
    size_t signature_n;
};

/* ---------------------------------------------------------------------------------------------------- signature */

static enum channel_reason check_sign_type(const struct form *form, struct verdict *v)
{
    const char *type = form_get(form, "sign_type");
    if (type == NULL || strcmp(type, RSA2) == 0) {
        return REASON_OK;
    }
    if (strcmp(type, "RSA") == 0 || strcmp(type, "MD5") == 0) {
        return verdict_refuse(v, REASON_POLICY_WEAK_ALG, "sign_type: %s is too weak, expected " RSA2, type);
    }
    return verdict_refuse(v, REASON_ALG_UNSUPPORTED, "sign_type: expected " RSA2);
}

static bool covered(const char *name, enum alipay_rule rule, bool with_sn)
{
    return strcmp(name, "sign") != 0 && (rule == ALIPAY_RULE_V2 || strcmp(name, "sign_type") != 0) &&
           (with_sn || strcmp(name, CERT_SN) != 0);
}

static void add_param(struct buf *text, const char *name, const char *value)
{
    (void)buf_printf(text, "%s%s=", text->len == 0 ? "" : "&", name);
    (void)buf_puts(text, value);
}

/* With rule V2 a sign_type that is not on the wire is signed all the same, at its place. */
static void signed_text(const struct form *form, enum alipay_rule rule, bool with_sn, struct buf *out)
{
    bool add_type = rule == ALIPAY_RULE_V2 && form_get(form, "sign_type") == NULL;
    buf_clear(out);
    for (size_t i = 0; i < form->n; i++) {
        const struct form_param *p = &form->params[i];
        if (add_type && strcmp(p->name, "sign_type") > 0) {
            add_param(out, "sign_type", RSA2);
            add_type = false;
        }
        if (covered(p->name, rule, with_sn)) {
            add_param(out, p->name, p->value);
        }
    }
    if (add_type) {
        add_param(out, "sign_type", RSA2);
    }
}

static bool fits(const struct rsa_key *key, const struct signed_form *s, const struct buf *text, struct verdict *v)
{
    const struct sha256_part part = {buf_str(text), text->len};
    if (!rsa_verify(key, &part, 1, s->signature, s->signature_n)) {
        return false;
    }
    verdict_genuine(v, CHANNEL_ALIPAY, &part, 1, s->signature, s->signature_n);
    return true;
}

/* ---------------------------------------------------------------------------------------------------------- keys */

/* The keys that may have signed, at most one more than there are certificates. */
struct candidates {
    const struct rsa_key *keys[ALIPAY_CERTS_MAX + 1];
    size_t n;
};

static enum channel_reason find_cert(const struct alipay_account *own, const char *sn, int64_t now_s,
                                     struct candidates *out, struct verdict *v)
{
    for (size_t i = 0; i < own->n_certs; i++) {
        const struct alipay_cert *cert = &own->certs[i];
        if (strcmp(cert->sn, sn) == 0) {
            v->key_known = true;
            if (cert->not_after_s != 0 && now_s > cert->not_after_s) {
                return verdict_refuse(v, REASON_CERT_EXPIRED, "the certificate %.80s has expired", cert->sn);
            }
            out->keys[out->n++] = cert->key;
            return REASON_OK;
        }
    }
    return verdict_refuse(v, REASON_SERIAL_UNKNOWN, CERT_SN ": no certificate of this SN");
}

/* Without an SN, any of the account's keys that are good today. */
static enum channel_reason find_keys(const struct alipay_account *own, const struct form *form, int64_t now_s,
                                     struct candidates *out, struct verdict *v)
{
    const char *sn = form_get(form, CERT_SN);
    const char *app_id = form_get(form, "app_id");
    if (sn != NULL && own->n_certs > 0) {
        return find_cert(own, sn, now_s, out, v);
    }
    v->key_known = app_id != NULL && strcmp(app_id, own->app_id) == 0;
    if (own->public_key != NULL) {
        out->keys[out->n++] = own->public_key;
    }
    for (size_t i = 0; i < own->n_certs; i++) {
        const struct alipay_cert *cert = &own->certs[i];
        if (cert->not_after_s == 0 || now_s <= cert->not_after_s) {
            out->keys[out->n++] = cert->key;
        }
    }
    return out->n > 0 ? REASON_OK : verdict_refuse(v, REASON_CERT_EXPIRED, "every certificate has expired");
}

/* Those that say what a call means. */
static const char *const COUNTED[] = {
    "app_id",    "charset",      "gmt_close",   "gmt_payment",  "gmt_refund",     "msg_method",
    "notify_id", "notify_time",  "notify_type", "out_biz_no",   "out_trade_no",   "refund_fee",
    "seller_id", "total_amount", "trade_no",    "trade_status", "trans_currency", "utc_timestamp",
};

/* The parameter of COUNTED that could begin within the value; NULL: none. */
static const char *hidden_in(const char *value)
{
    for (const char *at = strchr(value, '&'); at != NULL; at = strchr(at + 1, '&')) {
        size_t n = strcspn(at + 1, "=&");
        for (size_t i = 0; i < ARRAY_SIZE(COUNTED) && at[1 + n] == '='; i++) {
            if (strlen(COUNTED[i]) == n && memcmp(COUNTED[i], at + 1, n) == 0) {
                return COUNTED[i];
            }
        }
    }
    return NULL;
}

/* biz_content is a document of messages that are about no trade; where it is the last that could be cut, the rest of
 * the call would stand in another value. */
static enum channel_reason check_cut(const struct form *form, struct verdict *v)
{
    for (size_t i = 0; i < form->n; i++) {
        const struct form_param *p = &form->params[i];
        const char *hidden = strcmp(p->name, "biz_content") == 0 ? NULL : hidden_in(p->value);
        if (hidden != NULL) {
            return verdict_refuse(v, REASON_BODY_MALFORMED, "%s: has &%s= in it, which could be another parameter",
                                  p->name, hidden);
        }
    }
    return REASON_OK;
}

static enum channel_reason check_signature(const struct alipay_account *own, const struct signed_form *s, int64_t now_s,
                                           struct verdict *v)
{
    struct candidates c = {.n = 0};
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 2 * CHANNEL_BODY_BYTES_MAX);
    if (find_keys(own, s->form, now_s, &c, v) != REASON_OK) {
        return v->reason;
    }
    for (size_t i = 0; i < c.n; i++) {
        if (rsa_bits(c.keys[i]) < RSA_BITS_MIN) {
            return verdict_refuse(v, REASON_POLICY_WEAK_ALG, "the account's key has less than %d bits", RSA_BITS_MIN);
        }
    }
    bool has_sn = form_get(s->form, CERT_SN) != NULL;
    for (int with_sn = 1; with_sn >= (has_sn ? 0 : 1); with_sn--) {
        signed_text(s->form, own->rule, with_sn == 1, &text);
        for (size_t i = 0; i < c.n; i++) {
            if (fits(c.keys[i], s, &text, v)) {
                return REASON_OK;
            }
        }
    }
    return verdict_refuse(v, REASON_SIG_INVALID, "the signature does not fit the parameters under rule %s",
                          own->rule == ALIPAY_RULE_V1 ? "V1" : "V2");
}

/* ---------------------------------------------------------------------------------------------------------- time */

static enum channel_reason check_time(const struct form *form, int64_t now_s, int64_t window_s, struct verdict *v)
{
    int64_t sent_us = 0;
    if (!alipay_sent_us(form, &sent_us)) {
        return verdict_refuse(v, REASON_BODY_MALFORMED, "notify_time: expected a time such as 2024-05-20 14:23:18");
    }
    return verdict_window(v, "notify_time", sent_us / 1000000, now_s, window_s);
}

enum channel_reason alipay_verify(const struct account *account, const struct capture *c, int64_t now_s,
                                  struct arena *arena, struct verdict *v)
{
    const struct alipay_account *own = account->own;
    struct form form;
    struct signed_form s = {.form = &form};
    if (form_parse(c->body, c->body_n, arena, &form, v) != REASON_OK || check_sign_type(&form, v) != REASON_OK) {
        return v->reason;
    }
    const char *sign = form_get(&form, "sign");
    if (sign == NULL || !base64_decode(sign, strlen(sign), s.signature, sizeof s.signature, &s.signature_n)) {
        return verdict_refuse(v, REASON_SIG_INVALID, "sign: %s", sign == NULL ? "missing" : "not base64, or too long");
    }
    if (check_signature(own, &s, now_s, v) != REASON_OK || check_cut(&form, v) != REASON_OK ||
        check_time(&form, now_s, own->window_s, v) != REASON_OK) {
        return v->reason;
    }
    return alipay_read_form(own, &form, arena, v);
}
