/* SPDX-License-Identifier: Apache-2.0 */
/* The rules for messages: text, devices, or why there are none. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "notify/decide_internal.h"
#include "notify/mask.h"

#define SAFE_CHARACTERS_MAX 500
#define SAFE_BYTES_MAX ((size_t)64 << 10)
#define PAYLOAD_MAX 2048

bool notify_recipient_add(struct notify_batch *b, struct notify_recipient *r, const struct notify_device *d, size_t max)
{
    if (r->n_devices == max) {
        return false;
    }
    for (size_t i = 0; i < r->n_devices; i++) {
        if (strcmp(r->devices[i].cid, d->cid) == 0 && strcmp(r->devices[i].appid, d->appid) == 0) {
            return true; /* a row without an appid, beside the one with the usual appid */
        }
    }
    if (r->n_devices == r->max_devices) {
        size_t more = r->max_devices > 0 ? 4 * r->max_devices : 2;
        struct notify_device *list = notify_batch_zeroed(b, more, sizeof(*list));
        if (r->n_devices > 0) {
            memcpy(list, r->devices, r->n_devices * sizeof(*list));
        }
        r->devices = list;
        r->max_devices = more;
    }
    r->devices[r->n_devices++] = *d;
    return true;
}

static void mask_context(struct notify_batch *b, struct notify_item *it)
{
    CLEANUP(buf_done) struct buf out;

    buf_init(&out, SAFE_BYTES_MAX);
    if (it->ev.context == NULL) {
        return;
    }
    notify_mask(it->ev.context, strlen(it->ev.context), it->ev.tracking_no, &out);
    const char *safe = template_cut(&b->arena, buf_str(&out), out.len, SAFE_CHARACTERS_MAX);
    it->context = safe[0] == '\0' ? NULL : safe; /* of blanks alone */
}

static bool is_muted(const struct notify_recipient *r, enum express_status status)
{
    return (r->muted & (1u | 1u << status)) != 0;
}

/* The language of the device seen last that speaks one of ours. */
static int locale_of(const struct notify_recipient *r, const struct notify_rules *rules)
{
    for (size_t i = 0; i < r->n_devices; i++) {
        int locale = templates_find(rules->templates, r->devices[i].locale);
        if (locale >= 0) {
            return locale;
        }
    }
    return rules->locale;
}

static void no_devices(struct notify_batch *b, struct notify_message *m, const struct notify_recipient *r)
{
    bool user = r->aud == NOTIFY_USER;

    if (b->devices_hidden != NULL) {
        m->reason = NOTIFY_ROWS_HIDDEN;
        m->last_error = b->devices_hidden;
        return;
    }
    m->reason = r->inactive > 0 ? NOTIFY_ONLY_INACTIVE : r->other > 0 ? NOTIFY_OTHER_IDENTITY : NOTIFY_NO_DEVICE_ROWS;
    m->last_error = notify_reason_text(m->reason);
    if (m->reason == NOTIFY_ONLY_INACTIVE) {
        m->last_error = notify_batch_text(b, "%s: all %" PRId64 " are inactive", m->last_error, r->inactive);
    } else if (m->reason == NOTIFY_OTHER_IDENTITY) {
        m->last_error =
            notify_batch_text(b,
                              "%s: devices known under the %s identity only (%" PRId64 " with %s_id %.64s, none"
                              " with %s_id)",
                              m->last_error, user ? "merchant" : "user", r->other, user ? "merchant" : "user", r->id,
                              user ? "user" : "merchant");
    }
}

static const char *make_payload(struct notify_batch *b, const struct notify_item *it, const struct notify_message *m,
                                const struct notify_recipient *r)
{
    CLEANUP(buf_done) struct buf out;

    buf_init(&out, PAYLOAD_MAX);
    buf_puts(&out, "{\"type\":\"express\",\"tracking_no\":");
    buf_json_string(&out, it->ev.tracking_no, strlen(it->ev.tracking_no));
    buf_printf(&out, ",\"status\":\"%s\",\"aud\":\"%s\",\"message_id\":\"%s\",\"notification_id\":\"%s\"}",
               express_status_name(it->ev.status), notify_aud_name(r->aud), m->id, m->notification_id);
    return arena_strndup(&b->arena, buf_str(&out), out.len);
}

/* One that is there from before stays, unless it had no device, or reached none: then it is tried again. How one has
 * failed stays as well while it is muted. */
static bool stands(const struct notify_message *m)
{
    if (!m->known.found || strcmp(m->known.send_status, "no-targets") == 0) {
        return false;
    }
    return m->muted || strcmp(m->known.send_status, "failed") != 0;
}

static void decide_message(struct notify_batch *b, struct notify_item *it, struct notify_message *m,
                           const struct notify_rules *rules)
{
    const struct notify_recipient *r = &b->recipients[m->recipient];

    if (m->known.found) {
        (void)snprintf(m->notification_id, sizeof(m->notification_id), "%s", m->known.id);
    }
    m->muted = is_muted(r, it->ev.status);
    m->writes = !stands(m);
    m->sends = m->writes && !m->muted && r->n_devices > 0;
    m->locale = locale_of(r, rules);
    const struct template_values values = {
        .tracking_no = it->ev.tracking_no, .carrier = it->ev.carrier, .context = it->context};
    templates_render(rules->templates, m->locale, r->aud, it->ev.status, &values, rules->title_max, rules->body_max,
                     &b->arena, &m->text);
    if (m->muted) {
        m->reason = NOTIFY_MUTED;
        m->last_error = notify_reason_text(m->reason);
    } else if (r->n_devices > 0) {
        m->payload = make_payload(b, it, m, r);
    } else {
        no_devices(b, m, r);
    }
}

static void end_unless_told(struct notify_item *it)
{
    size_t muted = 0;

    for (size_t k = 0; k < it->n_messages; k++) {
        const struct notify_message *m = &it->messages[k];
        muted += m->muted ? 1 : 0;
        /* Cannot be, for templates are looked at when they are loaded; an empty text is never sent all the same. */
        if (m->writes && (m->text.title[0] == '\0' || m->text.body[0] == '\0')) {
            it->reason = NOTIFY_EMPTY_TEXT;
        }
    }
    if (muted == it->n_messages) {
        it->reason = NOTIFY_MUTED;
    }
    it->result = notify_reason_result(it->reason);
    it->last_error = it->reason != NOTIFY_NO_REASON ? notify_reason_text(it->reason) : NULL;
    for (size_t k = 0; k < it->n_messages && it->reason != NOTIFY_NO_REASON; k++) {
        it->messages[k].writes = it->messages[k].sends = false;
    }
}

void notify_decide_notifications(struct notify_batch *b, const struct notify_rules *rules)
{
    for (size_t i = 0; i < b->n; i++) {
        struct notify_item *it = &b->items[i];
        if (it->n_messages == 0) {
            continue;
        }
        mask_context(b, it);
        for (size_t k = 0; k < it->n_messages; k++) {
            decide_message(b, it, &it->messages[k], rules);
        }
        end_unless_told(it);
    }
}
