/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer of GET /v3/certificates, looked at and believed, or not. Bytes in, certificates out: neither network nor
 * clock.
 *
 *     {"data": [{"serial_no": "", "effective_time": "", "expire_time": "", "encrypt_certificate":
 *         {"algorithm": "AEAD_AES_256_GCM", "nonce": "", "associated_data": "certificate", "ciphertext": ""}}]}
 *
 * Thread: any.
 */
#ifndef SLUICE_KEYS_WECHAT_LIST_H
#define SLUICE_KEYS_WECHAT_LIST_H

#include "channel/wechat_account.h"
#include "http/fetch.h"
#include "keys/wechat_cert.h"

#define WECHAT_LIST_BYTES_MAX ((size_t)1 << 20)
#define WECHAT_ANSWER_WINDOW_S 300 /* between Wechatpay-Timestamp and our clock */

/* What became of an asking: one list for metrics, logs and tests. */
enum list_result {
    LIST_WHOLE,
    LIST_PARTIAL,     /* some of it could not be decrypted or believed; the rest counts */
    LIST_EMPTY,       /* this merchant has no certificate: public keys alone */
    LIST_NONE,        /* the same, said with 404 RESOURCE_NOT_EXISTS */
    LIST_UNREACHABLE, /* from here on nothing of it counts */
    LIST_REFUSED,     /* another status than 200 */
    LIST_MALFORMED,
    LIST_UNVERIFIED, /* signed wrongly, by nobody known, or not now */
    LIST_PROBE,      /* WeChat Pay tests whether signatures are looked at */
    LIST_RESULTS_N
};
const char *list_result_name(enum list_result result); /* "whole"; static */
static inline bool list_result_good(enum list_result result)
{
    return result <= LIST_NONE;
}

/* What it is looked at with. */
struct list_trust {
    const struct wechat_account *own; /* without roots, an answer signed with no known key is not believed */
    const struct wechat_keys *known;  /* what verifies already */
    int64_t now_s;
};

struct list_outcome {
    enum list_result result;
    struct wechat_certs certs;      /* with LIST_WHOLE and LIST_PARTIAL; say wechat_certs_done() in any case */
    char signer[WECHAT_SERIAL_MAX]; /* who signed it; "": nobody that counts */
    size_t items, bad;              /* on it; not taken of them */
    struct err why;                 /* of what did not count, the first */
};

/* *out holds nothing before. */
void wechat_list_read(const struct fetch_answer *answer, const struct list_trust *trust, struct list_outcome *out);

#endif
