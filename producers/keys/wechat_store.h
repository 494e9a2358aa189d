/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificates of a merchant in a file, so that a restart verifies while WeChat Pay is away:
 * DIRECTORY/wechat-MCHID.
 *
 *     hmac-sha256 HEX           of all that follows, keyed with the merchant's APIv3 key
 *     {"mchid": "", "certificates": [{"serial_no": "", "seen_s": 0, "listed": true, "certificate": "-----BEGIN..."}]}
 *
 * A certificate of another's choosing is a key that forged payments verify with. So nothing is taken from a file that
 * is not ours alone (owner, rights, no link), that whoever wrote it did not seal with the APIv3 key, or from a
 * certificate in it that does not come from the roots any more.
 *
 * Thread: one at a time for a merchant; processes may share a directory: the last one to write stands.
 */
#ifndef SLUICE_KEYS_WECHAT_STORE_H
#define SLUICE_KEYS_WECHAT_STORE_H

#include "keys/wechat_cert.h"

#define STORE_FILE_BYTES_MAX ((size_t)256 << 10)
#define STORE_PATH_MAX 4096

struct wechat_store {
    const char *directory;
    const char *mchid;
    const unsigned char *apiv3_key; /* AES_GCM_KEY_BYTES */
};

/* Makes the directory (0700) when it is not there. RC_FATAL with ERR_CONFIG: it is none, or cannot be written to. */
enum rc wechat_store_prepare(const char *directory, struct err *err) MUST_USE;
/*
 * Fills *out, which is empty. REJECT: the file is not believed, out stays empty. RC_OK with *out_bad certificates left
 * out and err saying why of the first. No file: RC_OK.
 */
enum rc wechat_store_read(const struct wechat_store *store, const struct cert_roots *roots, int64_t now_s,
                          struct wechat_certs *out, size_t *out_bad, struct err *err) MUST_USE;
/* 0600, durable, the old one or the new one at any time. RETRY: it cannot be written; the old one stands. */
enum rc wechat_store_write(const struct wechat_store *store, const struct wechat_certs *certs,
                           struct err *err) MUST_USE;

#endif
