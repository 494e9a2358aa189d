/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice status` against real servers: exact numbers where offsets say something else. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "account/account.h"
#include "base/mem.h"
#include "cli/doctor.h"
#include "cli/status.h"
#include "delivery_state/sink.h"
#include "kafka/conf.h"
#include "notify/notify.h"
#include "relay/relay.h"
#include "runtime/core_options.h"
#include "support/stack.h"

static struct stack st;
static struct err err;
static char *events;
static char *outcomes;

/* The options of database processors too: status asks for their groups. */
static void use_options(void)
{
    const struct option_table *tables[] = {&CORE_OPTIONS, &relay_options, &account_options, &notify_options,
                                           &sink_options};
    struct config *cfg = config_create(tables, ARRAY_SIZE(tables));
    char *url CLEANUP(freep) = xasprintf("DATABASE_URL=%s", st.url);
    char *envp[] = {url, NULL};

    cr_assert_eq(config_load_env(cfg, envp, &err), RC_OK, "%s", err.text);
    cr_assert_eq(config_set_flag(cfg, "kafka.brokers", config_str(st.cfg, "kafka.brokers"), &err), RC_OK);
    cr_assert_eq(config_set_flag(cfg, "topic.prefix", st.prefix, &err), RC_OK);
    config_free(st.cfg);
    st.cfg = cfg;
}

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    use_options();
    events = stack_topic(&st, "callback.events", 2, NULL);
    outcomes = stack_topic(&st, "callback.outcomes", 1, NULL);
}

static void teardown(void)
{
    free(events);
    free(outcomes);
    stack_close(&st);
}

TestSuite(status, .init = setup, .fini = teardown, .timeout = 60);

static void status_freep(struct status **s)
{
    status_done(*s);
    free(*s);
}

/* The first group of a new broker has to wait for its coordinator. */
static struct status *look(void)
{
    struct status *s = NULL;

    for (int i = 0; i < 20 && (s == NULL || !s->kafka_known); i++) {
        if (s != NULL) {
            status_freep(&s);
        }
        s = xcalloc(1, sizeof(*s));
        cr_assert_eq(status_init(s, st.cfg, 60, &err), RC_OK, "%s", err.text);
        s->at_us = 1; /* nobody looks at ages here */
        status_ask_database(s);
        cr_assert(s->db_known, "%s", s->db_err.text);
        status_ask_kafka(s);
    }
    cr_assert(s->kafka_known, "%s", s->kafka_err.text);
    return s;
}

static void send_all(struct producer *p, const char *topic, int32_t partition, int n, bool commit)
{
    cr_assert_eq(producer_begin(p, &err), RC_OK, "%s", err.text);
    for (int i = 0; i < n; i++) {
        cr_assert_eq(stack_send(p, topic, partition, "k", "v", i, &err), RC_OK, "%s", err.text);
    }
    cr_assert_eq(commit ? producer_commit(p, &err) : producer_abort(p, &err), RC_OK, "%s", err.text);
}

/* Commits for a group as anybody may. */
static void commit_offset(const char *group, const char *topic, int32_t partition, int64_t offset, const char *metadata)
{
    rd_kafka_conf_t *conf = NULL;
    rd_kafka_t *rk CLEANUP(kafka_destroyp) = NULL;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *tp = rd_kafka_topic_partition_list_add(list, topic, partition);

    cr_assert_eq(kafka_conf_create(st.cfg, "sluice-test", &conf, &err), RC_OK, "%s", err.text);
    cr_assert_eq(kafka_conf_set(conf, "group.id", group, &err), RC_OK, "%s", err.text);
    cr_assert_eq(kafka_new(RD_KAFKA_CONSUMER, conf, &rk, &err), RC_OK, "%s", err.text);
    tp->offset = offset;
    tp->metadata_size = strlen(metadata);
    tp->metadata = xstrdup(metadata); /* the list's */
    rd_kafka_resp_err_t code = rd_kafka_commit(rk, list, 0);
    cr_assert_eq(code, RD_KAFKA_RESP_ERR_NO_ERROR, "%s", rd_kafka_err2str(code));
    rd_kafka_topic_partition_list_destroy(list);
}

Test(status, lag_is_records_and_not_offsets)
{
    struct producer *p = stack_producer(&st, "writer", NULL, NULL);
    char *group CLEANUP(freep) = xasprintf("%ssluice-callback", st.prefix);

    send_all(p, events, 0, 5, true);  /* 0..4, marker 5 */
    send_all(p, events, 0, 3, false); /* 6..8 aborted, marker 9; or nothing, when the abort came before the broker */
    send_all(p, events, 0, 4, true);
    send_all(p, events, 1, 1, true);
    producer_destroy(p);

    struct status *s CLEANUP(status_freep) = look();
    const struct status_reader *r = &s->readers[0];
    cr_assert_str_eq(r->group, group);
    cr_assert_eq(r->lag.records, 10, "all of it, not %d", (int)r->lag.records);
    cr_assert_gt(r->lag.offsets, 10);
    cr_assert_str_eq(r->state, "never started");
    cr_assert_eq(r->members, 0);

    commit_offset(group, events, 0, 2, "1 4 b CQ=="); /* bits 0 and 3: malformed, the first one is never done */
    struct status *bad CLEANUP(status_freep) = look();
    cr_assert_eq(bad->readers[0].lag.records, 8);
    cr_assert_eq(bad->readers[0].lag.fits[LAG_BAD_METADATA], 1);

    commit_offset(group, events, 0, 2, "1 5 b Ag=="); /* bit 1: offset 3 is done */
    struct status *some CLEANUP(status_freep) = look();
    cr_assert_eq(some->readers[0].lag.records, 7, "2, 4, four and one, not %d", (int)some->readers[0].lag.records);
    cr_assert_eq(some->readers[0].lag.ahead, 1);
    cr_assert_geq(some->readers[0].lag.oldest_ms, 1);
    cr_assert_str_eq(some->readers[0].state, "");
}

Test(status, a_database_processor_stands_where_its_row_says)
{
    struct producer *p = stack_producer(&st, "writer", NULL, NULL);
    char *group CLEANUP(freep) = xasprintf("%ssluice-sink", st.prefix);

    send_all(p, outcomes, 0, 6, true); /* 0..5, marker 6 */
    producer_destroy(p);
    commit_offset(group, outcomes, 0, 1, "");
    stack_sql(st.conn,
              "INSERT INTO sluice_positions (\"group\", topic, partition, next_offset) VALUES ('%s', '%s', 0, 4)",
              group, outcomes);
    struct status *s CLEANUP(status_freep) = look();
    cr_assert_eq(s->readers[1].lag.records, 2, "%d", (int)s->readers[1].lag.records);

    stack_sql(st.conn, "UPDATE sluice_positions SET next_offset = 6");
    struct status *none CLEANUP(status_freep) = look();
    cr_assert_eq(none->readers[1].lag.records, 0);
    cr_assert_eq(none->readers[1].lag.offsets, 1);

    stack_sql(st.conn, "UPDATE sluice_positions SET next_offset = 8");
    struct status *beyond CLEANUP(status_freep) = look();
    cr_assert_str_eq(beyond->readers[1].state, "position_beyond_log in 1 of 1 partitions");
}

#define INSERT "INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload"

Test(status, rows_of_the_outbox_by_what_they_wait_for)
{
    stack_sql(st.conn, INSERT ") SELECT 'demo', 't', 'https://x/', '{}' FROM generate_series(1, 4)");
    stack_sql(st.conn, INSERT ", next_attempt_at) VALUES ('demo', 't', 'https://x/', '{}', now() + interval '5 min')");
    stack_sql(st.conn, INSERT ", status, next_attempt_at)"
                              " VALUES ('demo', 't', 'https://x/', '{}', 'retrying', now() + interval '90 s')");
    stack_sql(st.conn, INSERT ", status) VALUES ('demo', 't', 'https://x/', '{}', 'delivered')");
    /* A second reminder of the same row, and one of a row that does not wait any more: neither is another waiting row.
     */
    stack_sql(st.conn, "INSERT INTO sluice_waiting SELECT * FROM sluice_waiting");
    stack_sql(st.conn, "INSERT INTO sluice_waiting SELECT 'cs_platform_event_outbox', id, now()"
                       " FROM cs_platform_event_outbox WHERE status = 'delivered'");

    struct status *s CLEANUP(status_freep) = look();
    const struct status_source *src = &s->sources[0];
    cr_assert_str_eq(src->table, "cs_platform_event_outbox");
    cr_assert_not(src->started);
    cr_assert_not(src->owned);
    cr_assert_eq(src->pending.n, 4, "%d", (int)src->pending.n);
    cr_assert_eq(src->waiting.n, 2, "%d", (int)src->waiting.n);
    cr_assert_leq(src->next_due_s, 90);
    cr_assert_gt(src->next_due_s, 30);
    cr_assert_eq(status_rows(src, "pending"), 5);
    cr_assert_eq(status_rows(src, "retrying"), 1);
    cr_assert_eq(status_rows(src, "delivered"), 1);
    cr_assert_eq(status_rows(src, "dead_letter"), 0);
    cr_assert_eq(src->row_stuck, 0, "what is not published is not stuck");
}

static int64_t open_of(const struct status *s, const char *topic)
{
    for (size_t i = 0; i < s->n_topics; i++) {
        if (strcmp(s->topics[i].name, topic) == 0) {
            return s->topics[i].has_open ? s->topics[i].open.n : -2;
        }
    }
    return -3;
}

Test(status, published_rows_that_nobody_answers_are_stuck_and_dead_ones_open)
{
    stack_sql(st.conn, INSERT ") SELECT 'demo', 't', 'https://x/', '{}' FROM generate_series(1, 4)");
    stack_sql(st.conn,
              "INSERT INTO sluice_relay_positions (topic_prefix, source, table_name, snapshot_before, snapshot_upto,"
              " last_seq, published, owner) VALUES ('%s', 'callback', 'cs_platform_event_outbox',"
              " pg_current_snapshot(), pg_current_snapshot(), 4, 4, 'me')",
              st.prefix);
    stack_sql(st.conn, "UPDATE cs_platform_event_outbox SET created_at = now() - interval '1 h',"
                       " updated_at = now() - interval '1 h' WHERE queue_seq IN (1, 2)");
    stack_sql(st.conn, "ALTER TABLE cs_platform_event_outbox DISABLE TRIGGER USER");
    stack_sql(st.conn, "UPDATE cs_platform_event_outbox SET next_attempt_at = now() - interval '1 h'"
                       " WHERE queue_seq IN (1, 2)");
    stack_sql(st.conn, "UPDATE cs_platform_event_outbox SET status = 'dead_letter' WHERE queue_seq IN (3, 4)");
    /* Of the two dead ones one has been queued again since, and died again without being told yet. */
    stack_sql(st.conn,
              "INSERT INTO cs_platform_event_dead_letters (event_id, platform, event_type, callback_target,"
              " attempt_count, queue_seq) SELECT id, 'demo', 't', 'x', 6, CASE queue_seq WHEN 3 THEN 3 ELSE 2 END"
              " FROM cs_platform_event_outbox WHERE status = 'dead_letter'");
    struct status *s CLEANUP(status_freep) = look();
    cr_assert_eq(s->sources[0].pending.n, 0, "%d", (int)s->sources[0].pending.n);
    cr_assert_eq(s->sources[0].published, 4);
    cr_assert_eq(s->sources[0].row_stuck, 2, "%d", (int)s->sources[0].row_stuck);
    cr_assert_eq(status_rows(&s->sources[0], "dead_letter"), 2);
    cr_assert_eq(open_of(s, "callback.dlq"), 1);
}

static const struct status_source *source_of(const struct status *s, const char *name)
{
    for (int i = 0; i < s->n_sources; i++) {
        if (strcmp(s->sources[i].name, name) == 0) {
            return &s->sources[i];
        }
    }
    return NULL;
}

Test(status, rows_of_parcels_and_pushes_have_their_own_states)
{
    stack_sql(
        st.conn,
        "INSERT INTO notify_queue (tracking_no, status, process_status, processed_at)"
        " SELECT 'YT', 'collected', s, now() FROM unnest(ARRAY['queued', 'queued', 'skipped', 'failed']) s;"
        "INSERT INTO notify_queue (tracking_no, status) SELECT 'YT', 'collected' FROM generate_series(1, 5);"
        "INSERT INTO push_deliveries (id, message_id, aud, recipient_id, appid, cid, title, body, status)"
        " SELECT gen_random_uuid(), 'm' || n, 'user', 'u', 'a', 'c', 't', 'b', s FROM unnest(ARRAY['pending',"
        "  'delivered', 'failed', 'failed', 'dead_letter', 'dead_letter', 'dead_letter']) WITH ORDINALITY s(s, n)");
    stack_sql(st.conn,
              "INSERT INTO sluice_relay_positions (topic_prefix, source, table_name, snapshot_before, snapshot_upto,"
              " last_seq, published, owner) SELECT '%s', s, t, pg_current_snapshot(), pg_current_snapshot(),"
              " 1000, 4, 'me' FROM (VALUES ('express', 'notify_queue'), ('push', 'push_deliveries')) v(s, t)",
              st.prefix);
    stack_sql(st.conn, "UPDATE notify_queue SET created_at = now() - interval '1 h'"
                       " WHERE queue_seq = (SELECT min(queue_seq) FROM notify_queue WHERE process_status IS NULL)");
    struct status *s CLEANUP(status_freep) = look();
    const struct status_source *q = source_of(s, "express");
    const struct status_source *p = source_of(s, "push");
    cr_expect_eq(status_rows(q, "null"), 5);
    cr_expect_eq(status_rows(q, "queued"), 2);
    cr_expect_eq(status_rows(q, "skipped"), 1);
    cr_expect_eq(status_rows(q, "failed"), 1);
    cr_expect_eq(q->row_stuck, 1, "%d", (int)q->row_stuck);
    cr_expect_eq(status_rows(p, "pending"), 1);
    cr_expect_eq(status_rows(p, "delivered"), 1);
    cr_expect_eq(status_rows(p, "failed"), 2);
    cr_expect_eq(status_rows(p, "dead_letter"), 3);
    cr_expect_eq(p->row_stuck, 0);
    struct doctor_check checks[2] = {{.name = NULL}};
    struct doctor d = {.list = checks};
    doctor_stuck(&d, s);
    cr_assert_eq(d.n, 1);
    cr_expect_eq(checks[0].state, DOCTOR_WARN);
    cr_expect_str_eq(checks[0].text,
                     "1 rows of notify_queue were published more than 1 min ago, and nothing has come of"
                     " them");
    cr_expect_not_null(strstr(checks[0].hint, "sluice outbox ls --source express --status null"), "%s", checks[0].hint);
    for (int i = 0; i < s->n_sources; i++) { /* a table that takes too long is no table without such rows */
        s->sources[i].row_stuck = s->sources[i].view == q->view ? STATUS_UNKNOWN : 0;
    }
    doctor_stuck(&d, s);
    cr_assert_eq(d.n, 2);
    cr_expect(checks[1].state == DOCTOR_WARN && strstr(checks[1].text, "notify_queue is too large") != NULL);
    cr_expect_eq(open_of(s, "notification.dlq"), 3);
    cr_expect_eq(open_of(s, "express.dlq"), -2, "only the letters know");
}

Test(status, dead_letters_are_records_too)
{
    char *dlq CLEANUP(freep) = stack_topic(&st, "callback.dlq", 2, NULL);
    struct producer *p = stack_producer(&st, "writer", NULL, NULL);

    send_all(p, dlq, 0, 2, true);
    send_all(p, dlq, 1, 1, true);
    producer_destroy(p);
    struct status *s CLEANUP(status_freep) = look();
    for (size_t i = 0; i < s->n_topics; i++) {
        const struct status_topic *t = &s->topics[i];
        if (strcmp(t->name, "callback.dlq") == 0) {
            cr_assert_eq(t->records.records, 3, "%d", (int)t->records.records);
            cr_assert_eq(t->offsets, 5);
        } else if (t->dead_letters) {
            cr_assert_eq(t->partitions, 0, "%s was not made", t->name);
        }
    }
}
