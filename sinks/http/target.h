/* SPDX-License-Identifier: Apache-2.0 */
/* What can be said about a target without the network: is its URL one we call, and which endpoint it belongs to. */
#ifndef SLUICE_SINK_HTTP_TARGET_H
#define SLUICE_SINK_HTTP_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define TARGET_URL_BYTES_MAX 2048
#define TARGET_ENDPOINT_MAX 320 /* "https://" host of at most 255 ":65535" */

/* scheme://host:port in lower case with the port always there: the unit of isolation. */
struct target {
    char endpoint[TARGET_ENDPOINT_MAX];
};

/*
 * REJECT with the reason in the text and a short one as code: "url-malformed", "url-scheme", "url-plain-http",
 * "url-userinfo", "url-port", "url-too-long". Numeric hosts are not judged here but when they are connected to.
 */
enum rc target_parse(const char *url, bool allow_http, struct target *out_target, struct err *err) MUST_USE;

#endif
