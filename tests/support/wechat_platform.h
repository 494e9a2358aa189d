/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stand-in for WeChat Pay's GET /v3/certificates, which also misbehaves. Change it only while nobody asks it.
 */
#ifndef SLUICE_TESTS_WECHAT_PLATFORM_H
#define SLUICE_TESTS_WECHAT_PLATFORM_H

#include <stdatomic.h>

#include "http/fetch.h"
#include "support/stand_in.h"
#include "support/wechat_rig.h"

#define PLATFORM_ITEMS_MAX 1000
#define PLATFORM_MCHID "1900000001"
#define PLATFORM_MERCHANT_SERIAL "7777777777777777777777777777777777777777"

enum platform_manner {
    PLATFORM_BEHAVES,
    PLATFORM_WRONG_SIGNATURE, /* of other bytes */
    PLATFORM_WRONG_KEY,       /* names one key, signs with another */
    PLATFORM_UNSIGNED,
    PLATFORM_TWO_SIGNATURES,
    PLATFORM_PROBE,
    PLATFORM_CLOCK_OFF, /* an hour */
    PLATFORM_CUT,       /* in the middle of the body */
    PLATFORM_CLOSED,    /* without a word */
    PLATFORM_ENDLESS,
    PLATFORM_HANGS,
    PLATFORM_STATUS_500,
    PLATFORM_STATUS_401,
    PLATFORM_REDIRECTS,
    PLATFORM_NO_JSON,
    PLATFORM_NO_LIST, /* {"data": {}} */
    PLATFORM_MANNERS_BAD_END,
    PLATFORM_EMPTY = PLATFORM_MANNERS_BAD_END, /* public keys alone: not an error */
    PLATFORM_NOT_FOUND,
    PLATFORM_MANNERS_N
};

enum platform_fault {
    ITEM_GOOD,
    ITEM_OTHER_APIV3_KEY,
    ITEM_OTHER_AAD,
    ITEM_LONG_NONCE,
    ITEM_NO_CERTIFICATE,
    ITEM_TWO_CERTIFICATES,
    ITEM_NO_OBJECT,
    ITEM_FAULTS_N
};

struct platform {
    struct stand_in *server;
    enum platform_manner manner;
    struct {
        X509 *certificate;
        char serial[128];
        enum platform_fault fault;
    } items[PLATFORM_ITEMS_MAX];
    size_t n;
    char signer[128];
    enum rig_key signs_with;
    _Atomic int64_t now_s;
    _Atomic int genuine; /* requests whose Authorization holds */
};

void platform_start(struct platform *p);
void platform_stop(struct platform *p);
void platform_api_base(const struct platform *p, char out[64]);
/* certificate: a reference is taken. */
void platform_list(struct platform *p, X509 *certificate, const char *serial, enum platform_fault fault);
void platform_clear(struct platform *p);
void platform_sign_with(struct platform *p, const char *serial, enum rig_key key);
/* The answer it would give, for those who have no network. */
void platform_answer(struct platform *p, struct fetch_answer *out);

#endif
