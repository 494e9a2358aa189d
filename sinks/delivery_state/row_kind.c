/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of rows that stand behind dead letters. */
#include "delivery_state/row_kind.h"

#include <string.h>

#include "base/mem.h"
#include "schemas/push_device.h"

const struct row_kind ROW_KINDS[] = {
    {.source = "callback",
     .topic = "callback.events",
     .schema = "callback_event",
     .about_field = "platform",
     .table = "cs_platform_event_outbox",
     .dead = {"dead_letter"},
     .done = {"delivered"},
     .state = "x.status",
     .ended = "'delivered', 'dead_letter'",
     .waits = "(x.status = 'retrying' OR x.queue_txid IS NULL)",
     .about = "x.platform",
     .deaths = "(SELECT count(*) FROM cs_platform_event_delivery_attempts a"
               " WHERE a.event_id = x.id AND a.outcome = 'dead_letter')",
     .closed = "false",
     .expired = "false",
     .idle = "false",
     .reset = "status = 'pending', next_attempt_at = now(), updated_at = now(),"
              " last_error = CASE WHEN ready.renew THEN NULL ELSE x.last_error END",
     .returning = "",
     .after = ", buried AS (DELETE FROM cs_platform_event_dead_letters WHERE event_id IN (SELECT id FROM back))"},

    /*
     * Nobody tells the row that the relay could not publish it, so one that nothing has come of is dead too, if there
     * is a letter of its queueing. What the role says is an end, and a row with a time and no state was set by
     * somebody.
     */
    {.source = "express",
     .topic = "express.events",
     .schema = "express_event",
     .about_field = "carrier",
     .table = "notify_queue",
     .dead = {"failed", "null"},
     .done = {"queued", "skipped", "processed"},
     .state = "coalesce(x.process_status, CASE WHEN x.processed_at IS NULL THEN 'null' ELSE 'processed' END)",
     .ended = "'queued', 'skipped', 'failed', 'processed'",
     .waits = "x.queue_txid IS NULL",
     .about = "x.carrier",
     .deaths = "0",
     .closed = "false",
     .expired = "false",
     .idle = "false",
     .reset = "process_status = NULL, processed_at = NULL, last_error = NULL",
     .returning = "",
     .after = ""},

    /*
     * The same generation goes again, so a device that has got it already does not get it twice; a letter of a message
     * that was resent under a later one is closed. Whose notification had failed waits again, unless somebody has it
     * locked: the next outcome looks at it anyway.
     */
    {.source = "push",
     .topic = "notification.pushes",
     .schema = "notification_push",
     .about_field = "appid",
     .table = "push_deliveries",
     .dead = {"dead_letter"},
     .done = {"delivered", "failed"},
     .state = "x.status",
     .ended = "'delivered', 'failed', 'dead_letter'",
     .waits = "(x.status = 'retrying' OR x.queue_txid IS NULL)",
     .about = "concat_ws('/', x.appid, x.provider)",
     .deaths = "0",
     .closed = "EXISTS (SELECT FROM express_notifications n"
               " WHERE n.message_id = x.message_id AND n.generation > x.generation)",
     .expired = "coalesce(x.expires_at <= now(), false)",
     .idle = "NOT EXISTS (SELECT FROM push_devices d WHERE " PUSH_DEVICE_APPID(
         "d") " = x.appid AND d.cid = x.cid"
              " AND d.is_active AND " PUSH_DEVICE_COUNTS("d") ")",
     .reset = "status = 'pending', next_attempt_at = now(), updated_at = now(),"
              " last_error = CASE WHEN ready.renew THEN NULL ELSE x.last_error END,"
              " expires_at = CASE WHEN ready.late AND x.expires_at <= now() THEN NULL ELSE x.expires_at END",
     .returning = ", x.message_id, x.generation",
     .after = ", told AS MATERIALIZED (SELECT n.message_id FROM"
              "   (SELECT DISTINCT message_id, generation FROM back) b JOIN express_notifications n"
              "   ON n.message_id = b.message_id AND n.generation = b.generation WHERE n.send_status = 'failed'"
              "   ORDER BY n.message_id FOR NO KEY UPDATE OF n SKIP LOCKED),"
              " waiting AS (UPDATE express_notifications n SET send_status = 'pending', reason = NULL,"
              "   last_error = NULL, updated_at = now() FROM told WHERE n.message_id = told.message_id)"},
};
const size_t ROW_KINDS_N = ARRAY_SIZE(ROW_KINDS);

const struct row_kind *row_kind_of_topic(const char *topic)
{
    for (size_t i = 0; i < ROW_KINDS_N; i++) {
        if (strcmp(ROW_KINDS[i].topic, topic) == 0) {
            return &ROW_KINDS[i];
        }
    }
    return NULL;
}

const struct row_kind *row_kind_of_source(const char *source)
{
    for (size_t i = 0; i < ROW_KINDS_N; i++) {
        if (strcmp(ROW_KINDS[i].source, source) == 0) {
            return &ROW_KINDS[i];
        }
    }
    return NULL;
}

enum rc row_kind_failed(const struct row_kind *kind, struct err *err)
{
    if (strcmp(err->code, "42883") == 0) { /* undefined_function: text = uuid, bigint = uuid */
        rc_ignore(
            err_set(err, RC_FATAL, __FILE__, __LINE__,
                    "column %s.id is not of type uuid; its rows cannot be found by the UUIDs that dead letters and"
                    " commands name",
                    kind->table));
        return err_code(err, ERR_CONFIG);
    }
    return err->rc;
}

bool row_state_in(const char *const list[ROW_STATES_MAX], const char *state)
{
    for (size_t i = 0; i < ROW_STATES_MAX && list[i] != NULL; i++) {
        if (strcmp(list[i], state) == 0) {
            return true;
        }
    }
    return false;
}
