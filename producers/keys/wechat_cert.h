/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WeChat Pay's platform certificates of one merchant: what was downloaded, and what is kept of it. WeChat Pay names no
 * states; ours follow from what is known:
 *
 *     preparing     not yet effective, or never seen signing; verifies all the same, from its first day in a list
 *     active        has been seen signing, and none that began later has
 *     deprecated    a later one signs, or it is no longer on the list; verifies until it expires
 *     expired       refuses; is forgotten CERT_FORGET_S later
 *
 * Thread: one at a time, the owner's.
 */
#ifndef SLUICE_KEYS_WECHAT_CERT_H
#define SLUICE_KEYS_WECHAT_CERT_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "crypto/cert_roots.h"
#include "crypto/rsa.h"

#define CERT_SERIAL_MAX (RSA_SERIAL_MAX - 1)
#define CERT_PEM_MAX ((size_t)8 << 10) /* bytes */
#define CERTS_MAX 16                   /* on one list, and kept of one merchant; WeChat Pay has two at once */
#define CERT_FORGET_S ((int64_t)30 * 86400)

enum cert_state { CERT_PREPARING, CERT_ACTIVE, CERT_DEPRECATED, CERT_EXPIRED, CERT_STATES_N };
const char *cert_state_name(enum cert_state state); /* "preparing"; static */

struct wechat_cert {
    char serial[CERT_SERIAL_MAX + 1]; /* as serial_no has it: leading zeros and all */
    X509 *x509;
    int64_t begins_s, ends_s; /* of the certificate itself, seconds since 1970; both belong to it */
    int64_t seen_s;           /* when it was first seen signing; 0 = not yet */
    bool listed;              /* on the last list that was whole */
};

struct wechat_certs {
    struct wechat_cert all[CERTS_MAX];
    size_t n;
};

void wechat_certs_done(struct wechat_certs *certs);

/*
 * A certificate from PEM. REJECT: not exactly one; its serial number is not this one; no RSA key of RSA_BITS_MIN to
 * RSA_BITS_MAX; dates that are none; roots (NULL = not asked) do not lead to it. One that has not begun or is over is
 * taken: its place in time is its state.
 */
enum rc wechat_cert_read(const char *pem, size_t n, const char *serial, const struct cert_roots *roots, int64_t now_s,
                         struct wechat_cert *out_cert, struct err *err) MUST_USE;
void wechat_cert_done(struct wechat_cert *cert);
/* Its public key: a reference of the caller's. */
enum rc wechat_cert_key(const struct wechat_cert *cert, struct rsa_key **out_key, struct err *err) MUST_USE;
/* PEM behind what out has. */
void wechat_cert_print(const struct wechat_cert *cert, struct buf *out);

/* NULL: there is none. */
struct wechat_cert *wechat_certs_find(struct wechat_certs *certs, const char *serial);
enum cert_state wechat_certs_state(const struct wechat_certs *certs, const struct wechat_cert *cert, int64_t now_s);
/*
 * What a list has joins what is kept; what list holds is moved or freed. A serial that is kept already keeps its
 * certificate: another one under it is not believed. whole: those that are not on it are marked so. True: something is
 * other than before.
 */
bool wechat_certs_join(struct wechat_certs *certs, struct wechat_certs *list, bool whole, int64_t now_s);
/* Those that have been over for long. True: there were some. */
bool wechat_certs_forget(struct wechat_certs *certs, int64_t now_s);

#endif
