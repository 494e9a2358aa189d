/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and private keys from files. For accounts, not for messages: libcrypto takes its time over PEM. Thread:
 * any. */
#ifndef SLUICE_CRYPTO_PEM_H
#define SLUICE_CRYPTO_PEM_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CERTIFICATE_BYTES_MAX ((size_t)16 << 10) /* of DER */

/* Is there a block of PEM in it? */
bool pem_is(const char *text, size_t n);
/* For libcrypto's readers of PEM, which would ask for a passphrase on the terminal otherwise: there is none. */
int pem_no_passphrase(char *out, int size, int writing, void *opaque);
/* The first certificate in PEM, or one in DER and nothing else. RC_FATAL with ERR_CONFIG: it is none. The caller frees.
 */
enum rc pem_certificate(const void *text, size_t n, X509 **out_certificate, struct err *err) MUST_USE;
/* The first private key in PEM, without a passphrase. The same errors; none shows the key. */
enum rc pem_private_key(const char *text, size_t n, EVP_PKEY **out_key, struct err *err) MUST_USE;

/* When a certificate becomes valid, and when it is no longer (libcrypto counts notAfter so), in seconds since 1970. */
bool certificate_validity(const X509 *certificate, int64_t *out_from_s, int64_t *out_until_s);
/* SHA-256 of the key as it stands in certificates (SubjectPublicKeyInfo in DER). */
bool certificate_key_hash(const X509 *certificate, unsigned char out[32]);
/* Is it an EC key on the curve of that name, "prime256v1"? */
bool pkey_is_on_curve(const EVP_PKEY *key, const char *curve);

#endif
