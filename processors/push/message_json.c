/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as JSON. */
#include "push/message_json.h"

#include <inttypes.h>
#include <string.h>

#define BYTES_MAX ((size_t)4 << 20)
#define TTL_MS_MAX ((int64_t)3 * 24 * 3600 * 1000) /* uniPush takes no more */

static void add_text(struct buf *out, const char *name, const char *text)
{
    (void)buf_printf(out, "\"%s\":", name);
    (void)buf_json_string(out, text, strlen(text));
    (void)buf_putc(out, ',');
}

void message_json_add(struct buf *out, const struct push_message *m, int64_t now_us)
{
    (void)buf_putc(out, '{');
    add_text(out, "request_id", m->request_id);
    add_text(out, "message_id", m->message_id);
    add_text(out, "appid", m->appid);
    add_text(out, "push_clientid", m->cid);
    if (m->platform != NULL) {
        add_text(out, "platform", m->platform);
    }
    add_text(out, "title", m->title);
    add_text(out, "content", m->body);
    (void)buf_printf(out, "\"payload\":%s,\"force_notification\":true", m->payload);
    if (m->expires_at_us > 0) {
        int64_t ttl_ms = (m->expires_at_us - now_us) / 1000;
        ttl_ms = ttl_ms < 1 ? 1 : (ttl_ms < TTL_MS_MAX ? ttl_ms : TTL_MS_MAX);
        (void)buf_printf(out, ",\"settings\":{\"ttl\":%" PRId64 "}", ttl_ms);
    }
    (void)buf_putc(out, '}');
}

const char *message_json(const struct push_message *m, int64_t now_us, struct arena *a, size_t *out_n)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, BYTES_MAX);
    message_json_add(&out, m, now_us);
    *out_n = out.len;
    return arena_strndup(a, buf_str(&out), out.len);
}
