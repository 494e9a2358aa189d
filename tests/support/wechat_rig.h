/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WeChat Pay of a test's own: keys, a CA, platform certificates, and directories with an accounts file. Whatever fails
 * here fails the test. Keys are made when they are first asked for, once a process.
 */
#ifndef SLUICE_TESTS_WECHAT_RIG_H
#define SLUICE_TESTS_WECHAT_RIG_H

#include <openssl/x509.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/mem.h"
#include "channel/account.h"
#include "crypto/rsa.h"

#define RIG_APIV3_KEY "0123456789abcdef0123456789abcdef"
#define RIG_DAY_S ((int64_t)86400)
#define RIG_NOW_S ((int64_t)1800000000)

enum rig_key { RIG_KEY_A, RIG_KEY_B, RIG_KEYS_N }; /* RSA of 2,048 bits */
enum rig_ca { RIG_CA, RIG_OTHER_CA };

EVP_PKEY *rig_pkey(enum rig_key key);            /* belongs to the rig */
const struct rsa_key *rig_rsa(enum rig_key key); /* the same, to sign with; belongs to the rig */
/* The caller's. serial: hexadecimal. */
X509 *rig_certificate(enum rig_ca ca, EVP_PKEY *key, const char *serial, int64_t begins_s, int64_t ends_s);
X509 *rig_root(enum rig_ca ca);
/* PEM as heap memory. */
char *rig_certificate_pem(X509 *certificate) MUST_USE;
char *rig_public_pem(enum rig_key key) MUST_USE;
char *rig_private_pem(enum rig_key key) MUST_USE;

/* A directory of the test's own, which goes with rig_directory_remove(). */
char *rig_directory(void) MUST_USE;
void rig_directory_remove(char *directory); /* and frees the name */
/* Writes DIRECTORY/name, mode 0600. */
void rig_write(const char *directory, const char *name, const char *text);
/* Writes accounts.json and reads it; apiv3.key and merchant.pem (RIG_KEY_A) are there. */
struct accounts *rig_accounts(const char *directory, const char *json) MUST_USE;

#endif
