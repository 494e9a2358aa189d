/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates that others must come from: a bundle of an operator's own choice, instead of the system's. Each of them
 * is trusted as it is, whether it signed itself or not.
 *
 * Thread: any; constant once read.
 */
#ifndef SLUICE_CRYPTO_CERT_ROOTS_H
#define SLUICE_CRYPTO_CERT_ROOTS_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CERT_ROOTS_MAX 64

struct cert_roots;

/* PEM, 1 to CERT_ROOTS_MAX certificates. RC_FATAL with ERR_CONFIG. */
enum rc cert_roots_read(const char *text, size_t n, struct cert_roots **out_roots, struct err *err) MUST_USE;
struct cert_roots *cert_roots_free(struct cert_roots *roots); /* accepts NULL, returns NULL */
size_t cert_roots_count(const struct cert_roots *roots);

/* Does the certificate come from one of them, with everybody's dates looked at on this day (seconds since 1970)? */
bool cert_roots_lead_to(const struct cert_roots *roots, X509 *certificate, int64_t day_s);

#endif
