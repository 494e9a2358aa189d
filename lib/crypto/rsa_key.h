/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of an RSA key; only for the files of rsa.h. */
#ifndef SLUICE_CRYPTO_RSA_KEY_H
#define SLUICE_CRYPTO_RSA_KEY_H

#include <openssl/evp.h>

#include "crypto/rsa.h"

/* Takes pkey in any case. */
enum rc rsa_key_new(EVP_PKEY *pkey, bool can_sign, struct rsa_key **out_key, struct err *err) MUST_USE;

#endif
