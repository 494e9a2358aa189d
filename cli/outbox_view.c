/* SPDX-License-Identifier: Apache-2.0 */
/* What is shown of each kind of outbox rows. */
#include <string.h>

#include "base/mem.h"
#include "outbox_row.h"
#include "schemas/push_device.h"

#define TIME(column) "to_char(" column ", 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
#define LIST_TIME(column) "to_char(" column ", 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
#define ATTEMPTS "x.attempt_count || ' (' || x.round_attempts || ' in this round)' AS attempts"
#define QUEUE "x.queue_seq, x.queue_txid"
#define CREATED TIME("x.created_at") " AS created"
#define UPDATED TIME("x.updated_at") " AS updated"
#define NEXT_ATTEMPT TIME("x.next_attempt_at") " AS \"next attempt\""
#define NODE_AT TIME("x.node_at") " AS \"node at\""
#define PROCESSED TIME("x.processed_at") " AS processed"
#define EXPIRES TIME("x.expires_at") " AS expires"
#define DELIVERED TIME("x.delivered_at") " AS delivered"

const struct outbox_view OUTBOX_VIEWS[] = {
    {.source = "callback",
     .about_name = "platform",
     .type_name = "event_type",
     .role_name = "callback_target",
     .states = {"pending", "retrying", "delivered", "dead_letter"},
     .good = "'delivered'",
     .attempts = "x.attempt_count",
     .round = "x.round_attempts",
     .next_at = LIST_TIME("x.next_attempt_at"),
     .type = "x.event_type",
     .target = "x.callback_target",
     .error = "x.last_error",
     .touched = "greatest(x.created_at, x.updated_at, x.next_attempt_at)",
     .row = "x.platform, x.event_type, x.partition_key, x.callback_target AS target, x.status, x.stands, " ATTEMPTS
            ", x.last_error, " NEXT_ATTEMPT ", " QUEUE ", " CREATED ", " UPDATED ", x.traceparent, x.payload::text",
     .json = "coalesce((SELECT jsonb_agg(to_jsonb(a) - 'event_id' ORDER BY a.attempt_no)"
             " FROM cs_platform_event_delivery_attempts a WHERE a.event_id = x.id), '[]') AS attempts,"
             " coalesce((SELECT to_jsonb(d) FROM cs_platform_event_dead_letters d WHERE d.event_id = x.id), 'null')"
             " AS dead_letter"},

    {.source = "express",
     .about_name = "carrier",
     .type_name = "node_status",
     .role_name = "tracking_no",
     .states = {"null", "queued", "skipped", "failed", "processed"},
     .good = "'queued', 'skipped', 'processed'",
     .attempts = "NULL::int",
     .round = "NULL::int",
     .next_at = "NULL::text",
     .type = "x.status",
     .target = "x.tracking_no",
     .error = "x.last_error",
     .touched = "greatest(x.created_at, x.processed_at)",
     .row = "x.carrier, x.tracking_no, x.status AS \"node status\", x.context, " NODE_AT
            ", x.state AS status, x.stands, x.last_error, " PROCESSED ", " QUEUE ", " CREATED ", x.traceparent",
     .json = "coalesce((SELECT jsonb_agg(to_jsonb(n) ORDER BY n.aud, n.message_id)"
             " FROM express_notifications n WHERE n.event_id = x.id), '[]') AS notifications",
     .detail = "SELECT format('notification %s  %s:%s  generation %s  %s%s%s', message_id, aud, recipient_id,"
               " generation, send_status, ': ' || coalesce(last_error, reason), '; ' || devices_left_out"
               " || ' devices left out beyond notify.devices.max')"
               " FROM express_notifications WHERE event_id = $1 ORDER BY aud, message_id"},

    {.source = "push",
     .about_name = "app",
     .type_name = "message_id",
     .role_name = "recipient",
     .states = {"pending", "retrying", "delivered", "failed", "dead_letter"},
     .good = "'delivered'",
     .attempts = "x.attempt_count",
     .round = "x.round_attempts",
     .next_at = LIST_TIME("x.next_attempt_at"),
     .type = "x.message_id",
     .target = "x.aud || ':' || x.recipient_id",
     .error = "x.last_error",
     .touched = "greatest(x.created_at, x.updated_at, x.next_attempt_at)",
     .row = "x.appid, x.cid, x.platform AS \"system\", x.message_id, x.generation,"
            " x.aud || ':' || x.recipient_id AS recipient, x.status, x.stands, " ATTEMPTS ", x.verdict, x.provider,"
            " x.provider_code, x.response_status, x.last_error, " NEXT_ATTEMPT ", " EXPIRES ", " DELIVERED ", " QUEUE
            ", " CREATED ", " UPDATED ", x.traceparent, x.title, x.body, x.payload::text",
     .json = "(SELECT to_jsonb(n) FROM express_notifications n WHERE n.message_id = x.message_id) AS notification,"
             " (SELECT to_jsonb(d) FROM push_devices d WHERE " PUSH_DEVICE_APPID(
                 "d") " = x.appid AND d.cid = x.cid"
                      " AND " PUSH_DEVICE_COUNTS("d") " ORDER BY d.last_seen_at DESC NULLS LAST LIMIT 1) AS device",
     .detail = "WITH p AS (SELECT message_id, appid, cid FROM push_deliveries WHERE id = $1)"
               " SELECT format('notification of %s %s  %s:%s  generation %s  %s%s', n.tracking_no, n.status, n.aud,"
               "  n.recipient_id, n.generation, n.send_status, ': ' || coalesce(n.last_error, n.reason))"
               " FROM p JOIN express_notifications n USING (message_id)"
               " UNION ALL SELECT format('device %s  %s%s', CASE WHEN d.is_active THEN 'active' ELSE 'inactive' END,"
               "  d.strikes || ' strikes', ': ' || d.inactive_reason)"
               " FROM p JOIN push_devices d ON " PUSH_DEVICE_APPID("d") " = p.appid AND d.cid = p.cid"
                                                                        " AND " PUSH_DEVICE_COUNTS("d")},
};
const size_t OUTBOX_VIEWS_N = ARRAY_SIZE(OUTBOX_VIEWS);

const struct outbox_view *outbox_view_of(const struct row_kind *kind)
{
    for (size_t i = 0; i < OUTBOX_VIEWS_N; i++) {
        if (strcmp(OUTBOX_VIEWS[i].source, kind->source) == 0) {
            return &OUTBOX_VIEWS[i];
        }
    }
    return NULL;
}

enum rc outbox_source(const struct cli *cli, const struct row_kind **out_kind, struct err *err)
{
    const char *name = cli_flag(cli, "source");

    *out_kind = row_kind_of_source(name == NULL ? "callback" : name);
    if (*out_kind == NULL) {
        FAIL(err, RC_REJECT, "--source: \"%.40s\" is not callback, express or push", name);
    }
    return RC_OK;
}

char *outbox_from(const struct row_kind *kind)
{
    return xasprintf("(SELECT x.*, %s AS state, %s AS about, %s IN (%s) AS ended, %s AS waits,"
                     " CASE WHEN x.queue_seq IS NULL THEN 'unknown to sluice'"
                     " WHEN %s IN (%s) THEN 'at its end'"
                     " WHEN %s THEN 'waits until it is due'"
                     " WHEN EXISTS (SELECT FROM sluice_relay_positions p WHERE p.table_name = '%s'"
                     "  AND p.topic_prefix = $1 AND (pg_visible_in_snapshot(x.queue_txid, p.snapshot_before)"
                     "  OR (pg_visible_in_snapshot(x.queue_txid, p.snapshot_upto) AND x.queue_seq <= p.last_seq)))"
                     " THEN 'published, waits for its outcome' ELSE 'not published yet' END AS stands FROM %s x) x",
                     kind->state, kind->about, kind->state, kind->ended, kind->waits, kind->state, kind->ended,
                     kind->waits, kind->table, kind->table);
}
