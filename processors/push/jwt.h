/* SPDX-License-Identifier: Apache-2.0 */
/* JWTs that we show to providers: RS256 (Google) and ES256 (Apple; crypto/jws.h). Thread: any. */
#ifndef SLUICE_PUSH_JWT_H
#define SLUICE_PUSH_JWT_H

#include "base/buf.h"
#include "crypto/rsa.h"

/* Appends BASE64URL(header).BASE64URL(claims).BASE64URL(signature). RC_FATAL: libcrypto does not sign with this key. */
enum rc jwt_sign_rs256(const char *header, const char *claims, const struct rsa_key *key, struct buf *out,
                       struct err *err) MUST_USE;

#endif
