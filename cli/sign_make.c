/* SPDX-License-Identifier: Apache-2.0 */
/* One call of each channel, from what is to be said to headers and body. */
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/currency.h"
#include "base/mem.h"
#include "channel/alipay_account.h"
#include "channel/alipay_sign.h"
#include "channel/applepay_sign.h"
#include "channel/appstore_account.h"
#include "channel/appstore_sign.h"
#include "channel/wechat_account.h"
#include "channel/wechat_sign.h"
#include "crypto/openssl_own.h"
#include "crypto/pem.h"
#include "file.h"
#include "sign_channel.h"

#define JSON "Content-Type: application/json\n"

/* ---------------------------------------------------------------------------------------------------- keys */

/* DIRECTORY/name. out is initialised here. */
static enum rc read_file(const struct sign_request *r, const char *name, struct buf *out, struct err *err)
{
    CLEANUP(freep) char *path = xasprintf("%s/%s", r->directory, name);
    buf_init(out, SIGN_FILE_BYTES_MAX);
    return file_read(path, out, err);
}

static enum rc read_rsa(const struct sign_request *r, const char *name, struct rsa_key **out_key, struct err *err)
{
    CLEANUP(buf_done) struct buf text;
    enum rc rc = read_file(r, name, &text, err);
    if (rc == RC_OK) {
        rc = rsa_read_private(buf_str(&text), text.len, out_key, err);
    }
    OPENSSL_cleanse(text.data, text.data == NULL ? 0 : text.cap);
    return rc == RC_OK ? RC_OK : err_prefix(err, "%s", name);
}

static enum rc read_chain(const struct sign_request *r, const char *name, struct ca_chain *out, struct err *err)
{
    CLEANUP(buf_done) struct buf text;
    enum rc rc = read_file(r, name, &text, err);
    if (rc == RC_OK) {
        rc = ca_chain_read(buf_str(&text), text.len, out, err);
    }
    OPENSSL_cleanse(text.data, text.data == NULL ? 0 : text.cap);
    return rc == RC_OK ? RC_OK : err_prefix(err, "%s", name);
}

/* ---------------------------------------------------------------------------------------------------- WeChat Pay */

/* The certificate's name, or that of the public key. */
static enum rc find_serial(const struct sign_request *r, char out[WECHAT_SERIAL_MAX], struct err *err)
{
    CLEANUP(wechat_keys_unrefp) struct wechat_keys *keys = wechat_account_keys(r->account);
    for (size_t i = 0; i < wechat_keys_count(keys); i++) {
        const struct wechat_key *key = wechat_keys_at(keys, i);
        bool wanted = r->key == NULL ? key->certificate_serial[0] != '\0' : strcmp(key->serial, r->key) == 0;
        if (wanted) {
            memcpy(out, key->serial, WECHAT_SERIAL_MAX);
            return RC_OK;
        }
    }
    FAIL(err, RC_REJECT, "the account has no such key: %.80s", r->key == NULL ? "a certificate" : r->key);
}

static void wechat_event_body(const struct sign_request *r, const struct wechat_notice *notice, struct buf *body)
{
    const struct wechat_account *own = r->account->own;
    (void)buf_puts(body, "{\"id\":");
    (void)buf_json_string(body, notice->id, strlen(notice->id));
    (void)buf_puts(body, ",\"event_type\":");
    (void)buf_json_string(body, notice->type, strlen(notice->type));
    (void)buf_puts(body, ",\"resource\":");
    wechat_seal_json(own->apiv3_key, "transaction", NULL, "", r->event, strlen(r->event), body);
    (void)buf_putc(body, '}');
}

static enum rc make_wechat(const struct sign_request *r, struct buf *headers, struct buf *body, struct err *err)
{
    const struct wechat_account *own = r->account->own;
    CLEANUP(rsa_unrefp) struct rsa_key *key = NULL;
    char serial[WECHAT_SERIAL_MAX];
    const struct wechat_notice notice = {
        .id = r->notification,
        .type = r->type != NULL ? r->type : (r->refund == NULL ? "TRANSACTION.SUCCESS" : "REFUND.SUCCESS"),
        .mchid = own->mchid,
        .appid = own->appid,
        .payment_id = r->payment,
        .txn_id = r->txn,
        .refund_id = r->refund,
        .amount = r->amount,
        .total = r->total,
        .currency = r->currency,
        .at_s = r->at_s,
    };
    TRY(find_serial(r, serial, err));
    TRY(read_rsa(r, strncmp(serial, "PUB_KEY_ID", 10) == 0 ? SIGN_WECHAT_PUBLIC_KEY : SIGN_WECHAT_CERTIFICATE_KEY, &key,
                 err));
    if (r->event != NULL) {
        wechat_event_body(r, &notice, body);
    } else {
        wechat_notice_body(&notice, own->apiv3_key, body);
    }
    (void)buf_puts(headers, JSON);
    return wechat_sign_headers(key, serial, r->at_s, NULL, body->data, body->len, headers, err);
}

/* ---------------------------------------------------------------------------------------------------- Alipay */

/* Lines name=value. text is cut up. */
static enum rc event_params(char *text, struct alipay_param *out, size_t *out_n, struct err *err)
{
    char *rest = NULL;
    for (char *line = strtok_r(text, "\r\n", &rest); line != NULL; line = strtok_r(NULL, "\r\n", &rest)) {
        char *value = strchr(line, '=');
        if (value == NULL || *out_n == ALIPAY_SIGN_PARAMS_MAX) {
            FAIL(err, RC_REJECT, "--event: expected at most %d lines NAME=VALUE", ALIPAY_SIGN_PARAMS_MAX);
        }
        *value = '\0';
        out[(*out_n)++] = (struct alipay_param){line, value + 1};
    }
    return RC_OK;
}

static enum rc make_alipay(const struct sign_request *r, struct buf *headers, struct buf *body, struct err *err)
{
    const struct alipay_account *own = r->account->own;
    CLEANUP(rsa_unrefp) struct rsa_key *key = NULL;
    bool v2 = own->rule == ALIPAY_RULE_V2;
    const struct alipay_notice notice = {
        .notify_id = r->notification,
        .app_id = own->app_id,
        .seller_id = own->seller_id[0] == '\0' ? NULL : own->seller_id,
        .payment_id = r->payment,
        .txn_id = r->txn,
        .status = r->type == NULL ? "TRADE_SUCCESS" : r->type,
        .refund_id = r->refund,
        .amount = r->refund == NULL ? r->amount : r->total,
        .refunded = r->amount,
        .at_s = r->at_s,
    };
    if (strcmp(r->currency, "CNY") != 0) {
        FAIL(err, RC_REJECT, "--currency: Alipay's notifications are in CNY");
    }
    TRY(read_rsa(r, SIGN_ALIPAY_KEY, &key, err));
    (void)buf_puts(headers, "Content-Type: application/x-www-form-urlencoded; charset=utf-8\n");
    if (r->event == NULL) {
        return alipay_sign(key, v2, &notice, body, err);
    }
    CLEANUP(freep) char *text = xstrdup(r->event);
    struct alipay_param params[ALIPAY_SIGN_PARAMS_MAX];
    size_t n = 0;
    TRY(event_params(text, params, &n, err));
    return alipay_sign_params(key, v2, params, n, "RSA2", body, err);
}

/* ---------------------------------------------------------------------------------------------------- App Store */

/* Minor units to thousandths. */
static enum rc milli_of(int64_t minor, const char *currency, int64_t *out, struct err *err)
{
    static const int64_t POWERS[] = {1, 10, 100, 1000, 10000};
    int64_t product = 0;
    int64_t power = POWERS[currency_digits(currency)];
    if (__builtin_mul_overflow(minor, (int64_t)1000, &product) || product % power != 0) {
        FAIL(err, RC_REJECT, "--amount: no whole thousandths of %s", currency);
    }
    *out = product / power;
    return RC_OK;
}

static enum rc make_appstore(const struct sign_request *r, struct buf *headers, struct buf *body, struct err *err)
{
    const struct appstore_account *own = r->account->own;
    CLEANUP(ca_chain_done) struct ca_chain chain = {0};
    bool refund = r->refund != NULL;
    struct appstore_notice notice = {
        .uuid = r->notification,
        .type = r->type != NULL ? r->type : (refund ? "REFUND" : "ONE_TIME_CHARGE"),
        .bundle_id = own->bundle_id,
        .environment = appstore_environment(own->production),
        .app_apple_id = own->app_apple_id,
        .signed_ms = r->at_s * 1000,
        .transaction_id = r->txn,
        .original_transaction_id = r->txn,
        .product_id = "product-1",
        .payment_id = r->payment,
        .ownership = "PURCHASED",
        .currency = r->currency,
        .purchase_ms = r->at_s * 1000,
        .revocation_ms = refund ? r->at_s * 1000 : 0,
    };
    TRY(milli_of(r->amount, r->currency, &notice.price_milli, err));
    TRY(read_chain(r, SIGN_APPSTORE, &chain, err));
    (void)buf_puts(headers, JSON);
    if (r->event == NULL) {
        return appstore_sign(&chain, &notice, body, err);
    }
    (void)buf_puts(body, "{\"signedPayload\":\"");
    TRY(appstore_sign_payload(&chain, r->event, body, err));
    (void)buf_puts(body, "\"}");
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- Apple Pay */

static enum rc number_of(const char *currency, char out[4], struct err *err)
{
    char code[4];
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(out, 4, "%03d", i);
        if (currency_of_number(out, code) && strcmp(code, currency) == 0) {
            return RC_OK;
        }
    }
    FAIL(err, RC_REJECT, "--currency: %.8s has no number in ISO 4217", currency);
}

/* The token with the order to compare it with. */
static enum rc make_applepay(const struct sign_request *r, struct buf *headers, struct buf *body, struct err *err)
{
    CLEANUP(ca_chain_done) struct ca_chain chain = {0};
    CLEANUP(x509_freep) X509 *merchant = NULL;
    CLEANUP(buf_done) struct buf text;
    char number[4] = "";
    TRY(read_file(r, SIGN_APPLEPAY_MERCHANT, &text, err));
    TRY(pem_certificate(buf_str(&text), text.len, &merchant, err));
    TRY(read_chain(r, SIGN_APPLEPAY, &chain, err));
    TRY(number_of(r->currency, number, err));
    const struct applepay_payment payment = {.transaction_id = r->txn,
                                             .dpan = "4817499130000001",
                                             .expires = "311231",
                                             .currency = number,
                                             .amount = r->amount,
                                             .plain = r->event};
    (void)buf_puts(headers, JSON);
    (void)buf_puts(body, "{\"token\":");
    TRY(applepay_sign(&chain, merchant, &payment, r->at_s, body, err));
    if (r->payment != NULL) {
        (void)buf_puts(body, ",\"payment_id\":");
        (void)buf_json_string(body, r->payment, strlen(r->payment));
    }
    if (r->event == NULL) {
        (void)buf_printf(body, ",\"amount\":%lld,\"currency\":\"%s\"", (long long)r->amount, r->currency);
    }
    (void)buf_putc(body, '}');
    return RC_OK;
}

enum rc sign_make(const struct sign_request *r, struct buf *headers, struct buf *body, struct err *err)
{
    static enum rc (*const MAKE[CHANNELS_N])(const struct sign_request *, struct buf *, struct buf *, struct err *) = {
        [CHANNEL_WECHAT] = make_wechat,
        [CHANNEL_ALIPAY] = make_alipay,
        [CHANNEL_APPSTORE] = make_appstore,
        [CHANNEL_APPLEPAY] = make_applepay,
    };
    TRY(MAKE[r->account->channel](r, headers, body, err));
    if (headers->overflow || body->overflow) {
        FAIL(err, RC_REJECT, "the call would have more than %zu bytes", body->max);
    }
    return RC_OK;
}
