/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/alipay_sign.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "crypto/base64.h"

#define TEXT_BYTES_MAX ((size_t)256 << 10)
#define BEIJING_S ((int64_t)8 * 3600)
#define TIME_TEXT_MAX 32
#define AMOUNT_TEXT_MAX 32
#define RSA2 "RSA2"

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct alipay_param *)a)->name, ((const struct alipay_param *)b)->name);
}

/* What is signed: sorted by name, joined, without any escapes. */
static enum rc sign_text(const struct alipay_param *params, size_t n, const char *signed_type, struct buf *out,
                         struct err *err)
{
    struct alipay_param sorted[ALIPAY_SIGN_PARAMS_MAX + 1];
    if (n > ALIPAY_SIGN_PARAMS_MAX) {
        FAIL(err, RC_FATAL, "more than %d parameters", ALIPAY_SIGN_PARAMS_MAX);
    }
    for (size_t i = 0; i < n; i++) {
        sorted[i] = params[i];
    }
    if (signed_type != NULL) {
        sorted[n++] = (struct alipay_param){"sign_type", signed_type};
    }
    qsort(sorted, n, sizeof sorted[0], by_name);
    for (size_t i = 0; i < n; i++) {
        (void)buf_printf(out, "%s%s=%s", i == 0 ? "" : "&", sorted[i].name, sorted[i].value);
    }
    return RC_OK;
}

static void add_escaped(struct buf *out, const char *name, const char *value)
{
    (void)buf_printf(out, "%s%s=", out->len == 0 ? "" : "&", name);
    for (const char *c = value; *c != '\0'; c++) {
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.", *c) != NULL) {
            (void)buf_putc(out, *c);
        } else if (*c == ' ') {
            (void)buf_putc(out, '+');
        } else {
            (void)buf_printf(out, "%%%02X", (unsigned)(unsigned char)*c);
        }
    }
}

enum rc alipay_sign_params(const struct rsa_key *key, bool v2, const struct alipay_param *params, size_t n,
                           const char *sign_type, struct buf *out, struct err *err)
{
    CLEANUP(buf_done) struct buf text;
    unsigned char signature[RSA_SIGNATURE_BYTES_MAX];
    char base64[BASE64_LENGTH(RSA_SIGNATURE_BYTES_MAX) + 1];
    size_t signature_n = 0;
    const char *signed_type = !v2 ? NULL : (sign_type == NULL ? RSA2 : sign_type);
    buf_init(&text, TEXT_BYTES_MAX);
    TRY(sign_text(params, n, signed_type, &text, err));
    const struct sha256_part part = {buf_str(&text), text.len};
    TRY(rsa_sign(key, &part, 1, signature, &signature_n, err));
    base64_encode(signature, signature_n, base64);
    for (size_t i = 0; i < n; i++) {
        add_escaped(out, params[i].name, params[i].value);
    }
    if (sign_type != NULL) {
        add_escaped(out, "sign_type", sign_type);
    }
    add_escaped(out, "sign", base64);
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- a notification
 */

/* The clock of Beijing. */
static void time_text(int64_t at_s, char out[TIME_TEXT_MAX])
{
    struct tm tm = {0};
    time_t beijing = (time_t)(at_s + BEIJING_S);
    (void)gmtime_r(&beijing, &tm);
    (void)strftime(out, TIME_TEXT_MAX, "%Y-%m-%d %H:%M:%S", &tm);
}

/* Yuan, with two places. */
static void amount_text(int64_t minor, char out[AMOUNT_TEXT_MAX])
{
    (void)snprintf(out, AMOUNT_TEXT_MAX, "%" PRId64 ".%02d", minor / 100, (int)(minor % 100));
}

enum rc alipay_sign(const struct rsa_key *key, bool v2, const struct alipay_notice *notice, struct buf *out,
                    struct err *err)
{
    char at[TIME_TEXT_MAX];
    char amount[AMOUNT_TEXT_MAX];
    char refunded[AMOUNT_TEXT_MAX];
    bool refund = notice->refund_id != NULL;
    time_text(notice->at_s, at);
    amount_text(notice->amount, amount);
    amount_text(notice->refunded, refunded);
    const struct alipay_param all[] = {
        {"notify_time", at},
        {"notify_type", "trade_status_sync"},
        {"notify_id", notice->notify_id},
        {"charset", "utf-8"},
        {"version", "1.0"},
        {"app_id", notice->app_id},
        {"seller_id", notice->seller_id},
        {"out_trade_no", notice->payment_id},
        {"trade_no", notice->txn_id},
        {"trade_status", notice->status},
        {"total_amount", amount},
        {"gmt_payment", at},
        {"out_biz_no", notice->refund_id},
        {"refund_fee", refund ? refunded : NULL},
        {"gmt_refund", refund ? at : NULL},
        {"alipay_cert_sn", notice->cert_sn},
    };
    struct alipay_param given[ARRAY_SIZE(all)];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        if (all[i].value != NULL) {
            given[n++] = all[i];
        }
    }
    return alipay_sign_params(key, v2, given, n, RSA2, out, err);
}
