/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/wechat_request.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/base64.h"

#define SCHEME "WECHATPAY2-SHA256-RSA2048"

void wechat_nonce(char nonce[WECHAT_NONCE_CHARS + 1])
{
    unsigned char random[WECHAT_NONCE_CHARS / 2];
    if (RAND_bytes(random, sizeof random) != 1) {
        abort(); /* libcrypto has no source of randomness */
    }
    for (size_t i = 0; i < sizeof random; i++) {
        (void)snprintf(nonce + 2 * i, 3, "%02X", random[i]);
    }
}

/* Path and query, as the request line has them. */
static const char *target_of(const char *url)
{
    const char *host = strstr(url, "://");
    const char *path = host == NULL ? NULL : strchr(host + 3, '/');
    return path == NULL ? "/" : path;
}

enum rc wechat_authorize(const struct wechat_account *own, const char *method, const char *url, const void *body,
                         size_t body_n, int64_t now_s, const char *nonce, struct buf *out, struct err *err)
{
    CLEANUP(buf_done) struct buf head;
    unsigned char signature[RSA_SIGNATURE_BYTES_MAX];
    char text[BASE64_LENGTH(RSA_SIGNATURE_BYTES_MAX) + 1];
    size_t n = 0;
    buf_init(&head, (size_t)8 << 10);
    (void)buf_printf(&head, "%s\n%s\n%lld\n%s\n", method, target_of(url), (long long)now_s, nonce);
    const struct sha256_part parts[] = {{buf_str(&head), head.len}, {body, body_n}, {"\n", 1}};
    TRY(rsa_sign(own->merchant_key, parts, ARRAY_SIZE(parts), signature, &n, err));
    base64_encode(signature, n, text);
    (void)buf_printf(out, SCHEME " mchid=\"%s\",nonce_str=\"%s\",timestamp=\"%lld\",serial_no=\"%s\",signature=\"%s\"",
                     own->mchid, nonce, (long long)now_s, own->merchant_serial, text);
    return RC_OK;
}
