/* SPDX-License-Identifier: Apache-2.0 */
/* What a callback says about itself: signature, id, key and sequence number. */

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/option.h"
#include "receiver/receiver_internal.h"

struct thrice {
    const char *name;
    int count;
};

static enum MHD_Result count_header(void *opaque, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct thrice *t = opaque;
    (void)kind;
    (void)value;
    t->count += strcasecmp(name, t->name) == 0 ? 1 : 0;
    return MHD_YES;
}

/* *twice is set when there is more than one. */
static const char *header(const struct request *q, const char *name, bool *twice)
{
    struct thrice t = {.name = name};
    (void)MHD_get_connection_values(q->conn, MHD_HEADER_KIND, count_header, &t);
    *twice = *twice || t.count > 1;
    return MHD_lookup_connection_value(q->conn, MHD_HEADER_KIND, name);
}

enum webhook_reason request_verify(struct request *q)
{
    bool twice = false;
    const struct webhook_message msg = {
        .id = header(q, "webhook-id", &twice),
        .timestamp = header(q, "webhook-timestamp", &twice),
        .signature = header(q, "webhook-signature", &twice),
        .body = q->body.data,
        .body_n = q->body.len,
    };
    q->id = msg.id == NULL ? NULL : xstrdup(msg.id);
    if (q->r->opt.n_platforms == 0) {
        return WEBHOOK_OK;
    }
    if (twice) {
        return WEBHOOK_HEADER_TWICE;
    }
    const char *wanted = MHD_lookup_connection_value(q->conn, MHD_GET_ARGUMENT_KIND, "platform");
    enum webhook_reason reason = WEBHOOK_SIGNATURE_WRONG;
    for (size_t i = 0; i < q->r->opt.n_platforms; i++) {
        const struct receiver_platform *platform = &q->r->opt.platforms[i];
        if (wanted != NULL && strcasecmp(wanted, platform->name) != 0) {
            continue;
        }
        reason = webhook_verify(platform->keys, &msg, clock_utc_ms() / 1000, WEBHOOK_TOLERANCE_SECONDS);
        if (reason == WEBHOOK_OK) {
            q->platform = platform->name;
            break;
        }
    }
    return reason;
}

/* A string or a whole number of a JSON body's top level, as heap text; NULL when there is none. */
static char *field(const json_t *body, const char *name)
{
    const json_t *v = json_object_get(body, name);
    if (json_is_string(v)) {
        return xstrdup(json_string_value(v));
    }
    return json_is_integer(v) ? xasprintf("%lld", (long long)json_integer_value(v)) : NULL;
}

static char *said(const struct request *q, const char *header_name, const json_t *body, const char *field_name)
{
    const char *value = MHD_lookup_connection_value(q->conn, MHD_HEADER_KIND, header_name);
    return value != NULL ? xstrdup(value) : field(body, field_name);
}

void request_count(struct request *q)
{
    json_t *body = q->body.len == 0 ? NULL : json_loadb(q->body.data, q->body.len, 0, NULL);
    CLEANUP(freep) char *key = said(q, "ce-partitionkey", body, "key");
    CLEANUP(freep) char *seq_text = said(q, "ce-sequence", body, "seq");
    json_decref(body);
    int64_t seq = -1;
    if (seq_text != NULL && !option_parse_int(seq_text, 0, INT64_MAX, &seq)) {
        seq = -1;
    }
    (void)pthread_mutex_lock(&q->r->lock);
    q->r->tally.unverified += q->platform == NULL ? 1 : 0;
    q->mark = tally_begin(&q->r->tally, q->id, key, seq, clock_utc_ms());
    q->counted = true;
    (void)pthread_mutex_unlock(&q->r->lock);
}
