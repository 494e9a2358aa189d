/* SPDX-License-Identifier: Apache-2.0 */
/* Outcomes of notifications, and what the tables say after them. */
#include "support/pushed_rig.h"

#include <criterion/criterion.h>

#include "base/mem.h"

struct pushed_rig rig;

void rig_open(void)
{
    stack_open(&rig.st);
    stack_migrate(&rig.st);
    rig.db = rig.st.conn;
    stack_sql(rig.db, "SET enable_seqscan = off; SET jit = off"); /* as the role's session */
    pushed_batch_init(&rig.batch);
}

void rig_close(void)
{
    pushed_batch_done(&rig.batch);
    stack_close(&rig.st);
}

void rig_insert(const char *id, const char *message, const char *cid, int generation)
{
    stack_sql(rig.db,
              "INSERT INTO " N " (message_id, aud, recipient_id, generation) VALUES ('%s', 'user', 'u', %d)"
              " ON CONFLICT (message_id) DO NOTHING;"
              "INSERT INTO " D " (appid, cid, user_id, last_seen_at) VALUES ('a', '%s', 'u', 'epoch')"
              " ON CONFLICT (appid, cid) DO NOTHING;"
              "INSERT INTO " T " (id, message_id, generation, aud, recipient_id, appid, cid, title, body)"
              " VALUES ('%s', '%s', %d, 'user', 'u', 'a', '%s', 't', 'b')",
              message, generation, cid, id, message, generation, cid);
}

struct pushed rig_make(const char *id, int64_t seq, enum pushed_kind kind)
{
    return (struct pushed){.event_id = id,
                           .queue_seq = seq,
                           .kind = kind,
                           .was_request = kind != PUSHED_PARKED,
                           .verdict = kind == PUSHED_DELIVERED ? "sent_online" : "provider_down",
                           .provider = "getui",
                           .provider_code = "0",
                           .has_status = true,
                           .response_status = 200,
                           .error_class = "http",
                           .error_message = kind == PUSHED_DELIVERED ? NULL : "busy",
                           .appid = "a",
                           .cid = "c1",
                           .device_at_us = AT,
                           .delay_ms = kind == PUSHED_RETRY || kind == PUSHED_PARKED ? 60000 : 0,
                           .happened_at_us = AT};
}

void rig_apply(void)
{
    stack_sql(rig.db, "BEGIN");
    cr_assert_eq(pushed_apply(rig.db, &rig.batch, &rig.counts, &rig.err), RC_OK, "%s", rig.err.text);
    stack_sql(rig.db, "COMMIT");
    pushed_batch_clear(&rig.batch);
}

void rig_add(const char *id, int64_t seq, enum pushed_kind kind)
{
    struct pushed o = rig_make(id, seq, kind);

    pushed_batch_add(&rig.batch, &o);
}

void rig_one(const char *id, int64_t seq, enum pushed_kind kind)
{
    rig_add(id, seq, kind);
    rig_apply();
}

void rig_say(enum pushed_device device, int64_t at_us)
{
    struct pushed o = rig_make(ID1, 1, PUSHED_RETRY);

    o.device = device;
    o.device_at_us = at_us;
    o.verdict = device == PUSHED_STRIKE ? "suspect" : "invalid_target";
    o.provider_code = "20001";
    pushed_batch_add(&rig.batch, &o);
    rig_apply();
}

void rig_expect_row(const char *id, const char *want)
{
    char *got CLEANUP(freep) =
        stack_text(rig.db,
                   "SELECT concat_ws(' ', status, attempt_count, round_attempts, coalesce(last_error, '-'))"
                   " FROM " T " WHERE id = '%s'",
                   id);
    cr_expect_str_eq(got, want);
}

void rig_expect_message(const char *message, const char *want)
{
    char *got CLEANUP(freep) =
        stack_text(rig.db,
                   "SELECT concat_ws(' ', send_status, coalesce(reason, '-'), coalesce(last_error, '-')) FROM " N
                   " WHERE message_id = '%s'",
                   message);
    cr_expect_str_eq(got, want);
}

void rig_expect_device(const char *want)
{
    char *got CLEANUP(freep) =
        stack_text(rig.db, "SELECT concat_ws('|', is_active, strikes, coalesce(inactive_reason, '-'),"
                           " coalesce(to_char(inactive_at, 'YYYY'), '-')) FROM " D " WHERE cid = 'c1'");
    cr_expect_str_eq(got, want);
}
