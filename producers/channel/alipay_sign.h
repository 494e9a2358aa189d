/* SPDX-License-Identifier: Apache-2.0 */
/* Alipay's notifications as it sends them, with keys of one's own. Thread: any. */
#ifndef SLUICE_CHANNEL_ALIPAY_SIGN_H
#define SLUICE_CHANNEL_ALIPAY_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "crypto/rsa.h"

#define ALIPAY_SIGN_PARAMS_MAX 64

/* As it is before it is percent-encoded; bytes of any charset. */
struct alipay_param {
    const char *name, *value;
};

/* What a trade notification says. What is NULL is left out. */
struct alipay_notice {
    const char *notify_id;
    const char *app_id, *seller_id;
    const char *payment_id; /* out_trade_no */
    const char *txn_id;     /* trade_no */
    const char *status;     /* "TRADE_SUCCESS" */
    const char *refund_id;  /* out_biz_no; with it, this is about a refund */
    const char *cert_sn;    /* alipay_cert_sn, for accounts with certificates */
    int64_t amount;         /* of the order, minor units */
    int64_t refunded;       /* in all until now, of a refund */
    int64_t at_s;           /* when it is sent, and when it happened; seconds since 1970 */
};

/*
 * Appends the form: the parameters in this order, then sign_type (NULL = it is not sent) and sign. v2: sign_type is
 * signed, too, as if it were RSA2 where it is not sent. RC_FATAL: libcrypto refuses, or too many parameters.
 */
enum rc alipay_sign_params(const struct rsa_key *key, bool v2, const struct alipay_param *params, size_t n,
                           const char *sign_type, struct buf *out, struct err *err) MUST_USE;
/* Appends the form of a notification, signed by rule V1 or V2. */
enum rc alipay_sign(const struct rsa_key *key, bool v2, const struct alipay_notice *notice, struct buf *out,
                    struct err *err) MUST_USE;

#endif
