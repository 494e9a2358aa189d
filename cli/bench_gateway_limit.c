/* SPDX-License-Identifier: Apache-2.0 */
/* The limit: libmicrohttpd that verifies the signature of each body with a key that was read once, and answers. No
 * accounts, no database, nothing decrypted. */
#include <microhttpd.h>
#include <string.h>

#include "bench_gateway.h"
#include "crypto/base64.h"

#define SIGNATURE_BYTES 512

struct limit {
    EVP_PKEY *key;
    EVP_MD_CTX *ctx; /* the server's thread */
};

static const char *header(struct MHD_Connection *conn, const char *name)
{
    const char *value = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, name);
    return value == NULL ? "" : value;
}

/* Thread: the server's. */
static bool verify(void *opaque, struct MHD_Connection *conn, const struct buf *body)
{
    struct limit *l = opaque;
    unsigned char signature[SIGNATURE_BYTES];
    size_t n = 0;
    const char *text = header(conn, "Wechatpay-Signature");
    const char *parts[] = {header(conn, "Wechatpay-Timestamp"), header(conn, "Wechatpay-Nonce"), buf_str(body)};

    if (!base64_decode(text, strlen(text), signature, sizeof signature, &n) ||
        EVP_DigestVerifyInit(l->ctx, NULL, EVP_sha256(), NULL, l->key) != 1) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (EVP_DigestVerifyUpdate(l->ctx, parts[i], strlen(parts[i])) != 1 ||
            EVP_DigestVerifyUpdate(l->ctx, "\n", 1) != 1) {
            return false;
        }
    }
    return EVP_DigestVerifyFinal(l->ctx, signature, n) == 1;
}

enum rc bench_gateway_limit(struct gateway_bench *b, const struct gateway_calls *calls, struct err *err)
{
    struct limit l = {.key = b->keys.platform, .ctx = EVP_MD_CTX_new()};
    struct bench_mhd mhd = {.base = &b->base,
                            .connections = b->connections,
                            .seconds = b->limit_seconds,
                            .calls = calls,
                            .answer = "{\"code\":\"SUCCESS\",\"message\":\"\"}",
                            .judge = verify,
                            .opaque = &l};
    enum rc rc = RC_OK;

    if (l.ctx == NULL) {
        rc = err_set(err, RC_FATAL, __FILE__, __LINE__, "limit: out of memory");
    } else {
        rc = bench_mhd_limit(&mhd, &b->limit, err);
    }
    EVP_MD_CTX_free(l.ctx);
    return rc;
}
