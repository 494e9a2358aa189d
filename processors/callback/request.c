/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of a callback. */
#include "callback/request.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CE_VALUE_MAX 1024 /* bytes of a CloudEvents attribute before it is encoded */

static void add(struct request *r, const char *name, const char *value)
{
    assert(r->n_headers < REQUEST_HEADERS_MAX);
    r->headers[r->n_headers++] = (struct http_header){.name = name, .value = value};
}

static bool plain(unsigned char c)
{
    return c > ' ' && c <= '~' && c != '"' && c != '%';
}

static const char *percent_encoded(struct arena *a, const char *text, size_t n)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = arena_alloc(a, 3 * n + 1);
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (plain(c)) {
            out[at++] = (char)c;
        } else {
            out[at++] = '%';
            out[at++] = digits[c >> 4];
            out[at++] = digits[c & 15];
        }
    }
    out[at] = '\0';
    return out;
}

static enum rc add_attribute(struct request *r, struct arena *a, const char *name, const char *text, struct err *err)
{
    size_t n = strlen(text);

    if (n > CE_VALUE_MAX) {
        FAIL(err, RC_REJECT, "%s has %zu bytes; expected at most %d", name, n, CE_VALUE_MAX);
    }
    add(r, name, percent_encoded(a, text, n));
    return RC_OK;
}

/* What the record says of itself, if it does. */
static enum rc add_copied(struct request *r, struct arena *a, const char *name, const struct delivery_event *record,
                          const char *from, struct err *err)
{
    const char *value = delivery_header(record, from, NULL);

    return value == NULL ? RC_OK : add_attribute(r, a, name, value, err);
}

static enum rc add_signature(struct request *r, const struct platform *platform, const struct callback_event *event,
                             int64_t now_seconds, struct arena *a, struct err *err)
{
    char *signature = arena_alloc(a, WEBHOOK_SIGNATURE_MAX);
    char time[24];
    int n = snprintf(time, sizeof(time), "%" PRId64, now_seconds);

    TRY(webhook_sign(platform->keys, event->event_id, now_seconds, event->payload, event->payload_n, signature, err));
    add(r, "webhook-id", event->event_id);
    add(r, "webhook-timestamp", arena_strndup(a, time, (size_t)n));
    add(r, "webhook-signature", signature);
    return RC_OK;
}

enum rc request_make(const struct platform *platform, const struct callback_event *event,
                     const struct delivery_event *record, int64_t now_seconds, struct arena *a, struct request *out,
                     struct err *err)
{
    out->n_headers = 0;
    add(out, "Content-Type", "application/json");
    TRY(add_signature(out, platform, event, now_seconds, a, err));
    add(out, "ce-specversion", "1.0");
    TRY(add_attribute(out, a, "ce-id", event->event_id, err));
    TRY(add_attribute(out, a, "ce-type", event->event_type, err));
    TRY(add_copied(out, a, "ce-source", record, "ce_source", err));
    TRY(add_copied(out, a, "ce-time", record, "ce_time", err));
    const char *trace = delivery_trace(record, event->traceparent);
    if (trace != NULL) {
        add(out, "traceparent", trace);
    }
    return RC_OK;
}
