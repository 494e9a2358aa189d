/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request to WeChat Pay, signed by the merchant: five lines, another layout than that of its callbacks.
 *
 *     METHOD \n path and query \n timestamp \n nonce \n body \n
 *
 * Thread: any.
 */
#ifndef SLUICE_KEYS_WECHAT_REQUEST_H
#define SLUICE_KEYS_WECHAT_REQUEST_H

#include "base/buf.h"
#include "channel/wechat_account.h"

#define WECHAT_NONCE_CHARS 32

/* nonce: WECHAT_NONCE_CHARS letters and digits nobody can guess, and a NUL. */
void wechat_nonce(char nonce[WECHAT_NONCE_CHARS + 1]);

/*
 * The value of Authorization behind what out has. url: the whole one; the account has a merchant_key. FATAL: libcrypto
 * refuses.
 */
enum rc wechat_authorize(const struct wechat_account *own, const char *method, const char *url, const void *body,
                         size_t body_n, int64_t now_s, const char *nonce, struct buf *out, struct err *err) MUST_USE;

#endif
