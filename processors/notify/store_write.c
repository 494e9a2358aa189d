/* SPDX-License-Identifier: Apache-2.0 */
/* What a batch has decided, as rows. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "notify/store_internal.h"

#define NOTIFICATION_TEXTS 14
#define NOTIFICATION_COLUMNS 15
#define DELIVERY_COLUMNS 13

/*
 * A notification that stands from before is written only where it had no device or reached none. A device's delivery of
 * this generation that has ended without success goes back on the road, others stay as they are.
 */
enum rc store_prepare_writes(struct notify_store *s, PGconn *conn, struct err *err)
{
    const struct column_type *t = s->types;

    TRY(store_prepare_notify(
        conn, S_NOTIFICATIONS,
        xasprintf(
            "INSERT INTO express_notifications (id, message_id, aud, recipient_id, title, body, event_text_safe,"
            " send_status, last_error, reason, event_id, tracking_no, status, locale, devices_left_out, created_at,"
            " updated_at)"
            " SELECT u.id::%s, u.message_id, u.aud, u.recipient::%s, u.title, u.body, u.safe, u.send_status, u.error,"
            "  u.reason, u.event::uuid, u.tracking, u.status, u.locale, nullif(u.left_out, 0), now(), now()"
            " FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], "
            "$8::text[],"
            "  $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::int[])"
            "  AS u(id, message_id, aud, recipient, title, body, safe, send_status, error, reason, event, tracking,"
            "  status, locale, left_out)"
            " ON CONFLICT (message_id) DO UPDATE SET title = excluded.title, body = excluded.body,"
            "  event_text_safe = excluded.event_text_safe, send_status = excluded.send_status,"
            "  last_error = excluded.last_error, reason = excluded.reason, event_id = excluded.event_id,"
            "  tracking_no = excluded.tracking_no, status = excluded.status, locale = excluded.locale,"
            "  devices_left_out = excluded.devices_left_out, updated_at = now()",
            t[T_NOTIFICATION].name, t[T_RECIPIENT].name),
        err));
    TRY(store_prepare_notify(
        conn, S_DELIVERIES,
        xstrdup(
            "INSERT INTO push_deliveries AS d (id, message_id, generation, aud, recipient_id, partition_key, appid,"
            " cid, platform, title, body, payload, expires_at, traceparent)"
            " SELECT u.id::uuid, u.message_id, u.generation, u.aud, u.recipient, u.aud || ':' || u.recipient, u.appid,"
            "  u.cid, u.platform, u.title, u.body, u.payload::jsonb, u.expires, u.trace"
            " FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],"
            "  $8::text[], $9::text[], $10::text[], $11::text[], $12::int[], $13::timestamptz[])"
            "  AS u(id, message_id, aud, recipient, appid, cid, platform, title, body, payload, trace, generation,"
            "  expires)"
            " ON CONFLICT (id) DO UPDATE SET status = 'pending', next_attempt_at = now(), last_error = NULL,"
            "  verdict = NULL, updated_at = now() WHERE d.status IN ('failed', 'dead_letter')"),
        err));
    TRY(store_prepare_notify(
        conn, S_QUEUE,
        xasprintf("UPDATE notify_queue q SET process_status = u.status, last_error = u.error,"
                  " processed_at = clock_timestamp() FROM unnest($1::text[]::%s[], $2::text[], $3::text[])"
                  " AS u(id, status, error) WHERE q.id = u.id",
                  t[T_QUEUE].name),
        err));
    return store_prepare_notify(
        conn, S_TOLD,
        xasprintf("UPDATE platform_express_waybills w SET notified_status = u.status, notified_at = u.at,"
                  " updated_at = now() FROM unnest($1::text[]::%s[], $2::text[], $3::timestamptz[])"
                  " AS u(tracking_no, status, at) WHERE w.tracking_no = u.tracking_no",
                  t[T_TRACKING].name),
        err);
}

static void add_notification(struct notify_store *s, const struct notify_batch *b, const struct notify_item *it,
                             const struct notify_message *m, const struct notify_rules *rules)
{
    const struct notify_recipient *r = &b->recipients[m->recipient];
    const char *safe = it->context != NULL ? it->context : templates_status(rules->templates, m->locale, it->ev.status);
    const char *const values[NOTIFICATION_TEXTS] = {
        m->notification_id,
        m->id,
        notify_aud_name(r->aud),
        r->id,
        m->text.title,
        m->text.body,
        safe,
        m->sends ? "pending" : "no-targets",
        m->last_error,
        m->reason != NOTIFY_NO_REASON ? notify_reason_code(m->reason) : NULL,
        it->ev.event_id,
        it->ev.tracking_no,
        express_status_name(it->ev.status),
        templates_locale(rules->templates, m->locale),
    };

    for (size_t i = 0; i < NOTIFICATION_TEXTS; i++) {
        binary_text(&s->column[i], values[i]);
    }
    binary_int4(&s->column[NOTIFICATION_TEXTS], m->sends ? (int32_t)r->left_out : 0);
}

static enum rc write_notifications(struct notify_store *s, PGconn *conn, const struct notify_batch *b,
                                   const struct notify_rules *rules, struct err *err)
{
    size_t n = 0;

    store_texts_begin(s, NOTIFICATION_TEXTS);
    binary_array_begin(&s->column[NOTIFICATION_TEXTS], BINARY_INT4);
    for (size_t i = 0; i < b->n; i++) {
        for (size_t k = 0; k < b->items[i].n_messages; k++) {
            if (b->items[i].messages[k].writes) {
                add_notification(s, b, &b->items[i], &b->items[i].messages[k], rules);
                n++;
            }
        }
    }
    store_texts_end(s, NOTIFICATION_COLUMNS, n);
    if (n == 0) {
        return RC_OK;
    }
    enum rc rc = binary_query(conn, S_NOTIFICATIONS, s->column, NOTIFICATION_COLUMNS, NULL, err);
    if (rc == RC_FATAL && strcmp(err->code, "42P10") == 0) {
        s->check_index = true; /* it was there when the session began: the next try says what there is now */
        rc = err->rc = RC_RETRY;
    }
    return rc;
}

static void add_delivery(struct notify_store *s, const struct notify_item *it, const struct notify_message *m,
                         const struct notify_recipient *r, const struct notify_device *d, int64_t expires_us)
{
    char id[UUID_TEXT_LEN + 1];

    notify_delivery_id(m->id, d->appid, d->cid, m->known.generation, id);
    const char *const values[] = {
        id,           m->id,      notify_aud_name(r->aud), r->id, d->appid, d->cid, d->platform, m->text.title,
        m->text.body, m->payload, it->ev.traceparent};
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        binary_text(&s->column[i], values[i]);
    }
    binary_int4(&s->column[11], (int32_t)m->known.generation);
    binary_time(&s->column[12], expires_us);
}

static size_t add_deliveries(struct notify_store *s, const struct notify_batch *b, const struct notify_item *it,
                             const struct notify_rules *rules)
{
    int64_t from = it->node_us < b->now_us ? it->node_us : b->now_us;
    size_t n = 0;

    for (size_t k = 0; k < it->n_messages; k++) {
        const struct notify_message *m = &it->messages[k];
        const struct notify_recipient *r = &b->recipients[m->recipient];
        for (size_t i = 0; m->sends && i < r->n_devices; i++) {
            add_delivery(s, it, m, r, &r->devices[i], from + rules->ttl_us);
            n++;
        }
    }
    return n;
}

static enum rc write_deliveries(struct notify_store *s, PGconn *conn, const struct notify_batch *b,
                                const struct notify_rules *rules, struct notify_written *out, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    size_t n = 0;

    store_texts_begin(s, 11);
    binary_array_begin(&s->column[11], BINARY_INT4);
    binary_array_begin(&s->column[12], BINARY_TIME);
    for (size_t i = 0; i < b->n; i++) {
        n += add_deliveries(s, b, &b->items[i], rules);
    }
    store_texts_end(s, DELIVERY_COLUMNS, n);
    if (n > 0) {
        TRY(binary_query(conn, S_DELIVERIES, s->column, DELIVERY_COLUMNS, &res, err));
        out->deliveries = strtoll(PQcmdTuples(res), NULL, 10);
    }
    return RC_OK;
}

static enum rc write_rows(struct notify_store *s, PGconn *conn, const struct notify_batch *b, struct err *err)
{
    size_t n = 0;

    store_texts_begin(s, 3);
    for (size_t i = 0; i < b->n; i++) {
        const struct notify_item *it = &b->items[i];
        if (it->result != NOTIFY_LATE) {
            binary_text(&s->column[0], it->ev.event_id);
            binary_text(&s->column[1], notify_result_name(it->result));
            binary_text(&s->column[2], it->last_error);
            n++;
        }
    }
    store_texts_end(s, 3, n);
    return n > 0 ? binary_query(conn, S_QUEUE, s->column, 3, NULL, err) : RC_OK;
}

static enum rc write_waybills(struct notify_store *s, PGconn *conn, const struct notify_batch *b, struct err *err)
{
    size_t n = 0;

    store_texts_begin(s, 2);
    binary_array_begin(&s->column[2], BINARY_TIME);
    for (size_t i = 0; i < b->tracking.n; i++) {
        const struct notify_waybill *w = &b->waybills[i];
        if (w->changed) {
            binary_text(&s->column[0], b->tracking.list[i]);
            binary_text(&s->column[1], express_status_name(w->told));
            binary_time(&s->column[2], w->told_us);
            n++;
        }
    }
    store_texts_end(s, 3, n);
    return n > 0 ? binary_query(conn, S_TOLD, s->column, 3, NULL, err) : RC_OK;
}

enum rc notify_store_write(struct notify_store *s, PGconn *conn, struct notify_batch *b,
                           const struct notify_rules *rules, struct notify_written *out, struct err *err)
{
    assert(s->lock);
    *out = (struct notify_written){.deliveries = 0};
    TRY(write_notifications(s, conn, b, rules, err));
    TRY(write_deliveries(s, conn, b, rules, out, err));
    TRY(write_rows(s, conn, b, err));
    return write_waybills(s, conn, b, err);
}
