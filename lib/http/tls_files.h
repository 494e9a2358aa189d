/* SPDX-License-Identifier: Apache-2.0 */
/* A server's certificate and key, read and compared before anybody connects. */
#ifndef SLUICE_HTTP_TLS_FILES_H
#define SLUICE_HTTP_TLS_FILES_H

#include <stdint.h>

#include "base/err.h"

#define TLS_FILE_BYTES_MAX ((size_t)256 << 10)

struct tls_files {
    char *cert;        /* PEM: the server's certificate, then those between it and the root */
    char *key;         /* PEM, not encrypted */
    int64_t expires_s; /* UTC: when the server's certificate ends */
};

/*
 * FATAL with ERR_CONFIG, naming the file: it cannot be read, is not PEM, is not what is expected; the key's may be read
 * by others than its owner, is of another certificate, or is weak (RSA below 2,048 bits). A certificate that has
 * expired is taken: expires_s tells. Say done in any case.
 */
enum rc tls_files_read(const char *cert_path, const char *key_path, struct tls_files *out, struct err *err) MUST_USE;
/* Wipes the key. */
void tls_files_done(struct tls_files *files);

#endif
