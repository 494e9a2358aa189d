/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a WeChat Pay account verifies with: a table of keys by the text that Wechatpay-Serial names them with. Several
 * are live at once: an old certificate, a new one, the public key. A table never changes; whoever has news makes
 * another one and hands it to the account, while verifiers go on with the one they hold.
 *
 * Thread: any.
 */
#ifndef SLUICE_CHANNEL_WECHAT_KEYS_H
#define SLUICE_CHANNEL_WECHAT_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "channel/account.h"
#include "crypto/rsa.h"

#define WECHAT_KEYS_MAX 32
#define WECHAT_SERIAL_MAX 128 /* of the text, with its NUL */

struct wechat_key {
    char serial[WECHAT_SERIAL_MAX]; /* exactly as it was given: zeros in front count */
    struct rsa_key *key;
    int64_t not_before_s, not_after_s;       /* seconds since 1970, UTC; 0 and 0: a public key, which does not expire */
    char certificate_serial[RSA_SERIAL_MAX]; /* what the certificate itself says; "" for a public key */
    bool configured;                         /* stands in the accounts file */
};

struct wechat_keys;

/* Being made: belongs to one thread until it is handed out. */
struct wechat_keys *wechat_keys_new(void);
/* Copies *key and takes a reference of its RSA key. False: too many, the serial is there already, or is malformed. */
bool wechat_keys_add(struct wechat_keys *keys, const struct wechat_key *key) MUST_USE;
struct wechat_keys *wechat_keys_ref(struct wechat_keys *keys);
struct wechat_keys *wechat_keys_unref(struct wechat_keys *keys); /* accepts NULL, returns NULL */
void wechat_keys_unrefp(struct wechat_keys **keys);

size_t wechat_keys_count(const struct wechat_keys *keys);
const struct wechat_key *wechat_keys_at(const struct wechat_keys *keys, size_t i);
/* NULL: there is none of exactly that name. */
const struct wechat_key *wechat_keys_find(const struct wechat_keys *keys, const char *serial);
/* The platform has signed with this key of the table; the first time is kept. */
void wechat_keys_mark(struct wechat_keys *keys, const struct wechat_key *key, int64_t now_s);
/* When that was, seconds since 1970; 0 = not as long as there is this table. */
int64_t wechat_keys_marked_s(const struct wechat_keys *keys, size_t i);

/* 1 to WECHAT_SERIAL_MAX - 1 of A-Z a-z 0-9 _ - */
bool wechat_serial_ok(const char *serial);

/* The table the account verifies with now: a reference of the caller's. */
struct wechat_keys *wechat_account_keys(const struct account *account) MUST_USE;
/* From the next call on it verifies with this one; takes a reference of its own. */
void wechat_account_set_keys(const struct account *account, struct wechat_keys *keys);

#endif
