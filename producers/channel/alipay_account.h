/* SPDX-License-Identifier: Apache-2.0 */
/* An app at Alipay: what account->own is for CHANNEL_ALIPAY. Constant. */
#ifndef SLUICE_CHANNEL_ALIPAY_ACCOUNT_H
#define SLUICE_CHANNEL_ALIPAY_ACCOUNT_H

#include "channel/account.h"
#include "crypto/rsa.h"

#define ALIPAY_ID_MAX 64
#define ALIPAY_SN_MAX 128
#define ALIPAY_SN_BYTES 33 /* of one computed from a certificate: 32 hexadecimal digits and a NUL */
#define ALIPAY_CERTS_MAX 16
#define ALIPAY_URL_MAX 256
#define ALIPAY_WINDOW_S 180
#define ALIPAY_GATEWAY_URL "https://openapi.alipay.com/gateway.do"

/* What the signature covers: all but sign and sign_type (trades), or all but sign. Pinned: sign_type is not covered by
 * V1, so nothing of a message may choose. */
enum alipay_rule { ALIPAY_RULE_V1, ALIPAY_RULE_V2 };

struct alipay_cert {
    char sn[ALIPAY_SN_MAX + 1];        /* as the accounts file says; a name for the key, nothing more */
    char computed_sn[ALIPAY_SN_BYTES]; /* of the file; "" when it is a bare public key */
    struct rsa_key *key;
    int64_t not_after_s; /* 0 = no end */
};

struct alipay_account {
    char app_id[ALIPAY_ID_MAX + 1];
    char seller_id[ALIPAY_ID_MAX + 1]; /* "" = not looked at */
    enum alipay_rule rule;
    int64_t window_s;           /* between notify_time and the clock; the limit itself is accepted */
    struct rsa_key *public_key; /* NULL: certificates only */
    struct alipay_cert certs[ALIPAY_CERTS_MAX];
    size_t n_certs;
    struct rsa_key *app_private_key; /* for requests to the platform; NULL = none */
    char gateway_url[ALIPAY_URL_MAX + 1];
};

/* The platform's name for a certificate: MD5 of issuer and serial number. False: there is no certificate in the PEM. */
bool alipay_sn(const char *pem, size_t n, char out[ALIPAY_SN_BYTES]);

#endif
