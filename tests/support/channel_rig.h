/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory with an accounts file and what it names, and calls that are signed for its accounts. What goes wrong here
 * aborts.
 */
#ifndef SLUICE_TESTS_CHANNEL_RIG_H
#define SLUICE_TESTS_CHANNEL_RIG_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

#include "channel/account.h"

#define RIG_NOW 1700000000 /* 2023-11-14T22:13:20Z, in Beijing 2023-11-15 06:13:20 */
#define RIG_BEIJING "2023-11-15 06:13:20"
#define RIG_APIV3_KEY "0123456789abcdef0123456789ABCDEF"
#define RIG_SERIAL "0A0B0C0D0E0F101112131415161718191A1B1C1D"      /* certificate of key A */
#define RIG_SERIAL_OLD "5F00000000000000000000000000000000000001"  /* of key A; has expired */
#define RIG_SERIAL_NEXT "5F00000000000000000000000000000000000002" /* of key B; is not valid yet */
#define RIG_PUBLIC_ID "PUB_KEY_ID_0119000000012023111500000000"    /* public key B */
#define RIG_HEADERS_MAX 12

struct rig {
    char directory[64];
    struct accounts *accounts;
    EVP_PKEY *key_a, *key_b;
    struct arena arena;
    struct verdict v;
    struct channel_answer answer;
};

/* Files, without accounts. */
void rig_begin(struct rig *r);
void rig_put(const struct rig *r, const char *name, const char *text, unsigned mode);
/* The path of one of its files; valid until the next call. */
const char *rig_path(const struct rig *r, const char *name);
/* rig_begin(), and wechat.shop, alipay.shop (public key A, rule V1), alipay.v2, alipay.certs. */
void rig_begin_accounts(struct rig *r);
void rig_done(struct rig *r);

/* The verdict and its answer are in the rig then. */
enum channel_reason rig_verify(struct rig *r, enum channel channel, const char *account, const struct capture *c,
                               int64_t now_s);

/* ------------------------------------------------------------------------------------------------- WeChat Pay */

/* What is NULL or 0 is as it should be: a payment for wechat.shop, signed with key A now. "-" leaves out. */
struct wechat_call {
    bool by_b; /* signed with key B */
    const char *serial, *timestamp, *nonce, *type;
    const char *signature;              /* instead of the right one */
    const char *drop, *twice, *without; /* header to leave out, to have twice, to be empty */
    const char *body;                   /* instead of all below; signed */
    size_t body_n;                      /* of body; 0 = as a string */
    const char *event_type;
    const char *plain;                                    /* the resource */
    const char *aad, *gcm_nonce, *algorithm, *ciphertext; /* as they stand there */
    const char *sealed_aad, *sealed_key;                  /* what it was sealed with, where that differs */
    const char *behind;                                   /* put behind the body after signing */
};

struct call {
    struct header_line headers[RIG_HEADERS_MAX];
    size_t n_headers;
    char *body; /* heap */
    size_t body_n;
    char *texts[4]; /* heap, what headers point into */
    struct capture capture;
};

#define RIG_PAYMENT                                                                                                  \
    "{\"mchid\":\"1900000001\",\"appid\":\"wx0000000000000001\",\"out_trade_no\":\"order-1\",\"transaction_id\":"    \
    "\"4200000000202311150000000001\",\"trade_type\":\"JSAPI\",\"trade_state\":\"SUCCESS\",\"trade_state_desc\":"    \
    "\"ok\","                                                                                                        \
    "\"bank_type\":\"OTHERS\",\"attach\":\"\",\"success_time\":\"2023-11-15T06:13:19+08:00\",\"payer\":{\"openid\":" \
    "\"o-1\"},\"amount\":{\"total\":8888,\"payer_total\":8888,\"currency\":\"CNY\",\"payer_currency\":\"CNY\"}}"
#define RIG_REFUND                                                                                                \
    "{\"mchid\":\"1900000001\",\"out_trade_no\":\"order-1\",\"transaction_id\":\"4200000000202311150000000001\"," \
    "\"out_refund_no\":\"refund-1\",\"refund_id\":\"50300\",\"refund_status\":\"SUCCESS\",\"success_time\":"      \
    "\"2023-11-15T06:13:19+08:00\",\"user_received_account\":\"x\",\"amount\":{\"total\":8888,\"refund\":100,"    \
    "\"payer_total\":8888,\"payer_refund\":100}}"

void wechat_call_make(const struct rig *r, const struct wechat_call *w, struct call *out);

/* ------------------------------------------------------------------------------------------------------ Alipay */

struct rig_param {
    const char *name;
    const char *value; /* NULL: leave this one out */
};

#define RIG_PARAMS_MAX 48

/* What is NULL or 0 is as it should be: a payment for alipay.shop, signed with key A now. */
struct alipay_call {
    bool by_b;
    bool rule_v2;            /* sign so */
    bool sn_not_signed;      /* alipay_cert_sn is left out of what is signed */
    struct rig_param set[8]; /* instead of, or besides, the usual ones */
    const char *sign;        /* instead of the right one; "-": no sign at all */
    const char *behind;      /* put behind the body after signing */
    bool plus_as_it_is;      /* '+' of the signature not encoded */
    bool blank_as_20;        /* blanks as %20 */
};

void alipay_call_make(const struct rig *r, const struct alipay_call *a, struct call *out);
void call_done(struct call *call);

#endif
