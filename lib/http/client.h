/* SPDX-License-Identifier: Apache-2.0 */
/* One GET over plain HTTP to a numeric address, for `sluice health`. Not a general client. */
#ifndef SLUICE_HTTP_CLIENT_H
#define SLUICE_HTTP_CLIENT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * address is "127.0.0.1:7001"; 0.0.0.0 and [::] mean this machine. token may be NULL. Blocks at most timeout_ms.
 * Appends the body to *body up to its ceiling. RETRY: nobody answers there or not in time. REJECT: not HTTP.
 */
enum rc http_get(const char *address, const char *path, const char *token, int64_t timeout_ms, int *out_status,
                 struct buf *body, struct err *err) MUST_USE;

#endif
