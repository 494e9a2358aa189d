/* SPDX-License-Identifier: Apache-2.0 */
/* The signed request of one attempt: headers over the payload's exact bytes. */
#ifndef SLUICE_CALLBACK_REQUEST_H
#define SLUICE_CALLBACK_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "callback/event.h"
#include "callback/platform.h"
#include "http/engine.h"
#include "runtime/delivery.h"

#define REQUEST_HEADERS_MAX 12

struct request {
    struct http_header headers[REQUEST_HEADERS_MAX];
    size_t n_headers;
};

/*
 * Headers of an attempt made at now_seconds (UTC): Standard Webhooks 1.0, CloudEvents 1.0 (HTTP binding, binary mode),
 * traceparent when it is one (W3C). They live in a. REJECT: the event cannot be signed.
 *
 * CloudEvents values are percent-encoded as its HTTP binding says (section 3.1.3.2), so no text of an event can end a
 * header or begin another one.
 */
enum rc request_make(const struct platform *platform, const struct callback_event *event,
                     const struct delivery_event *record, int64_t now_seconds, struct arena *a, struct request *out,
                     struct err *err) MUST_USE;

#endif
