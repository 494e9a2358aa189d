/* SPDX-License-Identifier: Apache-2.0 */
/* RS256 in the compact form. */
#include "push/jwt.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/base64.h"

static void put_segment(struct buf *out, const void *bytes, size_t n)
{
    CLEANUP(freep) char *text = xcalloc(1, BASE64_LENGTH(n) + 1); /* longer than base64url: it is made out of base64 */
    base64url_encode(bytes, n, text);
    (void)buf_puts(out, text);
}

enum rc jwt_sign_rs256(const char *header, const char *claims, const struct rsa_key *key, struct buf *out,
                       struct err *err)
{
    unsigned char signature[RSA_SIGNATURE_BYTES_MAX];
    size_t signature_n = 0;
    size_t from = out->len;
    put_segment(out, header, strlen(header));
    (void)buf_putc(out, '.');
    put_segment(out, claims, strlen(claims));
    const struct sha256_part part = {buf_str(out) + from, out->len - from};
    TRY(rsa_sign(key, &part, 1, signature, &signature_n, err));
    (void)buf_putc(out, '.');
    put_segment(out, signature, signature_n);
    return RC_OK;
}
