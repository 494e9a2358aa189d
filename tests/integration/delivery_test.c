/* SPDX-License-Identifier: Apache-2.0 */
/* Slots against PostgreSQL; transactions of delivery processors against a real broker: where partitions begin, aborts,
 * commits whose result is unknown, generations that have gone. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kafka/conf.h"
#include "pg/conn.h"
#include "runtime/delivery_offsets.h"
#include "runtime/delivery_slot.h"
#include "runtime/delivery_txn.h"
#include "support/stack.h"

#define WAIT_MS 30000

static struct stack st;
static struct err err;
static char *in;
static char *out;
static char *group;
static struct slot *slot;
static rd_kafka_t *consumer;
static struct txn *txn;
static const char *topics[3];

/* What the fault hook does with the next commits. */
static int fail_before;
static int fail_after;

static void nothing(void *opaque)
{
    (void)opaque;
}

static enum rc fault(void *opaque, bool committed, struct err *e)
{
    int *left = committed ? &fail_after : &fail_before;

    (void)opaque;
    if (*left > 0) {
        (*left)--;
        return err_set(e, committed ? RC_FENCED : RC_RETRY, __FILE__, __LINE__, "made to fail");
    }
    return RC_OK;
}

static struct slot *open_slot(const char *name)
{
    struct slot_options opt = {
        .url = st.url, .app = "sluice test", .name = name, .lock_timeout_ms = 10000, .changed = nothing};
    struct slot *s = NULL;

    cr_assert_eq(slot_start(&opt, &s, &err), RC_OK, "%s", err.text);
    return s;
}

static int wait_slot(struct slot *s, enum slot_state want)
{
    int number = -1;
    struct err why = {0};

    for (int64_t until = clock_mono_ms() + WAIT_MS; clock_mono_ms() < until;) {
        if (slot_state(s, &number, &why) == want) {
            return number;
        }
        clock_sleep_ms(20);
    }
    cr_assert_fail("no %s: %s %s", slot_state_name(want), slot_state_name(slot_state(s, NULL, NULL)), why.text);
    return -1;
}

static void setup_pg(void)
{
    stack_open(&st);
    stack_migrate(&st);
}

static void teardown_pg(void)
{
    stack_close(&st);
}

TestSuite(delivery_slot, .init = setup_pg, .fini = teardown_pg);

Test(delivery_slot, each_gets_the_lowest_free_number)
{
    struct slot *a = open_slot("x");
    cr_expect_eq(wait_slot(a, SLOT_OWNED), 0);
    struct slot *b = open_slot("x");
    cr_expect_eq(wait_slot(b, SLOT_OWNED), 1);
    struct slot *other = open_slot("y");
    cr_expect_eq(wait_slot(other, SLOT_OWNED), 0);
    cr_expect_eq(stack_int(st.conn, "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
                                    " WHERE locktype = 'advisory' AND datname = current_database()"),
                 3, "no more locks than numbers");
    slot_stop(a);
    struct slot *c = open_slot("x");
    cr_expect_eq(wait_slot(c, SLOT_OWNED), 0);
    slot_stop(b);
    slot_stop(c);
    slot_stop(other);
}

Test(delivery_slot, a_lost_session_gets_its_number_again)
{
    struct slot *a = open_slot("x");
    struct slot *b = NULL;

    cr_expect_eq(wait_slot(a, SLOT_OWNED), 0);
    b = open_slot("x");
    cr_expect_eq(wait_slot(b, SLOT_OWNED), 1);
    stack_sql(st.conn, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid ="
                       " (hashtext('x-1')::bigint & 4294967295)::oid");
    int64_t since = clock_mono_ms();
    cr_expect_eq(wait_slot(b, SLOT_UNSURE), 1);
    cr_expect_eq(wait_slot(b, SLOT_OWNED), 1);
    cr_expect(slot_confirmed_since(b, since));
    slot_stop(a);
    slot_stop(b);
}

Test(delivery_slot, who_finds_another_in_its_place_says_so)
{
    struct slot *a = open_slot("x");
    PGconn *rival CLEANUP(pg_closep) = stack_session(&st, false);

    cr_expect_eq(wait_slot(a, SLOT_OWNED), 0);
    /* The rival waits for the lock and gets it the moment the session dies. */
    cr_assert(PQsendQuery(rival, "SELECT pg_advisory_lock(hashtext('sluice'), hashtext('x-0'))"));
    clock_sleep_ms(200);
    stack_sql(st.conn, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND"
                       " objid = (hashtext('x-0')::bigint & 4294967295)::oid");
    cr_expect_eq(wait_slot(a, SLOT_TAKEN), 0);
    slot_stop(a);
}

/* ---------------------------------------------------------------------------------------------------- transactions */

static void open_consumer(void)
{
    const char *const rows[][2] = {{"group.id", group},
                                   {"enable.auto.commit", "false"},
                                   {"auto.offset.reset", "error"},
                                   {"isolation.level", "read_committed"},
                                   {"session.timeout.ms", "6000"}};
    rd_kafka_conf_t *conf = NULL;

    cr_assert_eq(kafka_conf_create(st.cfg, "sluice-test", &conf, &err), RC_OK, "%s", err.text);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        cr_assert_eq(kafka_conf_set(conf, rows[i][0], rows[i][1], &err), RC_OK, "%s", err.text);
    }
    cr_assert_eq(kafka_new(RD_KAFKA_CONSUMER, conf, &consumer, &err), RC_OK, "%s", err.text);
    rd_kafka_poll_set_consumer(consumer);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, in, RD_KAFKA_PARTITION_UA);
    cr_assert_eq(rd_kafka_subscribe(consumer, list), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
    for (int cnt = 0, i = 0; cnt == 0; i++) {
        cr_assert_lt(i, 200, "no assignment");
        rd_kafka_message_t *msg = rd_kafka_consumer_poll(consumer, 100);
        if (msg != NULL) {
            rd_kafka_message_destroy(msg);
        }
        cr_assert_eq(rd_kafka_assignment(consumer, &list), RD_KAFKA_RESP_ERR_NO_ERROR);
        cnt = list->cnt;
        rd_kafka_topic_partition_list_destroy(list);
    }
}

static struct txn_job *submit(struct txn_job *job)
{
    struct txn_job *done = NULL;

    txn_submit(txn, job);
    for (int64_t until = clock_mono_ms() + WAIT_MS; done == NULL; done = txn_take_done(txn)) {
        cr_assert_lt(clock_mono_ms(), until, "the job does not end");
        clock_sleep_ms(5);
    }
    return done;
}

static struct txn_job *take(void)
{
    struct txn_job *job = xcalloc(1, sizeof(*job));

    job->kind = TXN_TAKE;
    job->parts = xcalloc(1, sizeof(*job->parts));
    job->n_parts = 1;
    job = submit(job);
    cr_assert_eq(job->rc, RC_OK, "%s", job->err.text);
    return job;
}

static void expect_at(int64_t offset, const char *metadata)
{
    struct txn_job *job = take();

    cr_expect_eq(job->parts[0].offset, offset, "offset %lld", (long long)job->parts[0].offset);
    cr_expect_eq(job->parts[0].metadata_len, strlen(metadata));
    cr_expect(job->parts[0].metadata != NULL && memcmp(job->parts[0].metadata, metadata, strlen(metadata)) == 0, "%s",
              job->parts[0].metadata);
    txn_job_free(job);
}

/* One output, and the offset with this metadata. */
static struct txn_job *commit_job(int64_t offset, int64_t counter, const char *metadata)
{
    struct txn_job *job = xcalloc(1, sizeof(*job));

    job->kind = TXN_COMMIT;
    job->records = xcalloc(1, sizeof(*job->records));
    job->records[0] = (struct producer_record){
        .topic = out, .partition = 0, .key = "k", .key_len = 1, .value = metadata, .value_len = strlen(metadata)};
    job->n_records = 1;
    job->parts = xcalloc(1, sizeof(*job->parts));
    job->parts[0] = (struct txn_part){
        .offset = offset, .counter = counter, .metadata = xstrdup(metadata), .metadata_len = strlen(metadata)};
    job->n_parts = 1;
    return job;
}

static void feed(int n)
{
    struct producer *p = stack_producer(&st, "feed", NULL, NULL);

    cr_assert_eq(producer_begin(p, &err), RC_OK);
    for (int i = 0; i < n; i++) {
        cr_assert_eq(stack_send(p, in, 0, "k", "v", 0, &err), RC_OK);
    }
    cr_assert_eq(producer_commit(p, &err), RC_OK);
    producer_destroy(p);
}

static void start_txn(void)
{
    static char id[128];

    snprintf(id, sizeof(id), "%s-0", group);
    topics[0] = out;
    topics[1] = in;
    struct txn_options opt = {.cfg = st.cfg,
                              .client = "sluice-test",
                              .transactional_id = id,
                              .transaction_timeout_ms = 10000,
                              .consumer = consumer,
                              .slot = slot,
                              .group = group,
                              .topic = in,
                              .topics = topics,
                              .done = nothing,
                              .fault = fault};
    cr_assert_eq(txn_start(&opt, &txn, &err), RC_OK, "%s", err.text);
}

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    fail_before = 0;
    fail_after = 0;
    in = stack_topic(&st, "in", 1, NULL);
    out = stack_topic(&st, "out", 1, NULL);
    group = xasprintf("%sg", st.prefix);
    feed(5);
    slot = open_slot(group);
    wait_slot(slot, SLOT_OWNED);
    open_consumer();
    start_txn();
}

static void teardown(void)
{
    txn = txn_stop(txn);
    rd_kafka_consumer_close(consumer);
    kafka_destroyp(&consumer);
    slot = slot_stop(slot);
    free(in);
    free(out);
    free(group);
    stack_close(&st);
}

TestSuite(delivery_txn, .init = setup, .fini = teardown);

static int64_t noted(void)
{
    return stack_int(st.conn,
                     "SELECT first_offset FROM sluice_delivery_partitions WHERE \"group\" = '%s'"
                     " AND topic = '%s' AND partition = 0",
                     group, in);
}

Test(delivery_txn, the_first_owner_commits_the_log_start_and_notes_it)
{
    stack_delete_records(&st, in, 0, 2);
    expect_at(2, "1 0");
    cr_expect_eq(noted(), 2);
    stack_delete_records(&st, in, 0, 4);
    expect_at(2, "1 0");
}

Test(delivery_txn, a_note_without_an_offset_is_a_lost_position)
{
    stack_sql(st.conn, "INSERT INTO sluice_delivery_partitions VALUES ('%s', '%s', 0, 0)", group, in);
    struct txn_job *job = take();
    cr_expect_eq(job->parts[0].state, TXN_PART_LOST);
    txn_job_free(job);
    job = take();
    cr_expect_eq(job->parts[0].state, TXN_PART_LOST, "and stays one");
    txn_job_free(job);
}

Test(delivery_txn, an_offset_without_a_note_is_noted)
{
    expect_at(0, "1 0");
    stack_sql(st.conn, "DELETE FROM sluice_delivery_partitions");
    expect_at(0, "1 0");
    cr_expect_eq(noted(), 0);
}

Test(delivery_txn, metadata_comes_back_as_it_was)
{
    char *longest CLEANUP(freep) = xcalloc(DELIVERY_METADATA_MAX + 1, 1);

    txn_job_free(take());
    memset(longest, 'A', DELIVERY_METADATA_MAX);
    memcpy(longest, "1 1 b ", 6);
    struct txn_job *job = submit(commit_job(3, 1, longest));
    cr_expect_eq(job->rc, RC_OK, "%s", job->err.text);
    txn_job_free(job);
    expect_at(3, longest);
    cr_expect_eq(stack_records(&st, out, 0, "read_committed"), 1);
}

Test(delivery_txn, what_was_aborted_is_produced_again)
{
    txn_job_free(take());
    fail_before = 2;
    struct txn_job *job = submit(commit_job(3, 1, "1 1"));
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(job->rc, RC_RETRY, "%s %s", rc_name(job->rc), job->err.text);
        job = submit(job);
    }
    cr_expect_eq(job->rc, RC_OK, "%s", job->err.text);
    txn_job_free(job);
    expect_at(3, "1 1");
    cr_expect_eq(stack_records(&st, out, 0, "read_committed"), 1);
    cr_expect_eq(stack_records(&st, out, 0, "read_uncommitted"), 3);
}

Test(delivery_txn, an_unknown_commit_that_took_place_is_not_repeated)
{
    txn_job_free(take());
    fail_after = 1;
    struct txn_job *job = submit(commit_job(3, 1, "1 1"));
    cr_expect_eq(job->rc, RC_OK, "%s", job->err.text);
    cr_expect(job->resolved);
    txn_job_free(job);
    job = submit(commit_job(4, 2, "1 2"));
    cr_expect_eq(job->rc, RC_OK, "%s", job->err.text);
    cr_expect(!job->resolved);
    txn_job_free(job);
    cr_expect_eq(stack_records(&st, out, 0, "read_committed"), 2);
}

Test(delivery_txn, an_unknown_commit_that_did_not_take_place_is_produced_again)
{
    txn_job_free(take());
    /* Another producer of the same id: the broker aborts what we do, and we cannot tell why. */
    struct producer *other = stack_producer(&st, "g-0", NULL, NULL);
    struct txn_job *job = submit(commit_job(3, 1, "1 1"));
    cr_expect_eq(job->rc, RC_RETRY, "%s %s", rc_name(job->rc), job->err.text);
    cr_expect(job->resolved);
    job = submit(job);
    cr_expect_eq(job->rc, RC_OK, "%s", job->err.text);
    txn_job_free(job);
    producer_destroy(other);
    expect_at(3, "1 1");
    cr_expect_eq(stack_records(&st, out, 0, "read_committed"), 1);
}

Test(delivery_txn, offsets_that_somebody_else_has_moved_end_the_job)
{
    txn_job_free(take());
    struct txn_job *job = submit(commit_job(3, 7, "1 7"));
    cr_expect_eq(job->rc, RC_OK, "%s", job->err.text);
    txn_job_free(job);
    fail_after = 1;
    /* We say the one before was 10. */
    job = commit_job(4, 11, "1 99");
    job = submit(job);
    cr_expect_eq(job->rc, RC_FENCED, "%s %s", rc_name(job->rc), job->err.text);
    txn_job_free(job);
}

Test(delivery_txn, without_an_assignment_nothing_is_committed)
{
    txn_job_free(take());
    rd_kafka_unsubscribe(consumer);
    for (int i = 0; i < 20; i++) {
        rd_kafka_message_t *msg = rd_kafka_consumer_poll(consumer, 50);
        if (msg != NULL) {
            rd_kafka_message_destroy(msg);
        }
    }
    struct txn_job *job = submit(commit_job(3, 1, "1 1"));
    cr_expect_eq(job->rc, RC_RETRY, "%s %s", rc_name(job->rc), job->err.text);
    txn_job_free(job);
    cr_expect_eq(stack_records(&st, out, 0, "read_committed"), 0);
}

Test(delivery_txn, a_cancelled_job_ends)
{
    txn_job_free(take());
    stack_sql(st.conn, "SELECT pg_advisory_unlock_all()");
    struct txn_job *job = xcalloc(1, sizeof(*job));
    job->kind = TXN_TAKE;
    job->parts = xcalloc(1, sizeof(*job->parts));
    job->parts[0].partition = 99; /* there is none: tried for ever */
    job->n_parts = 1;
    txn_submit(txn, job);
    clock_sleep_ms(500);
    cr_expect_null(txn_take_done(txn));
    txn_cancel(txn);
    for (job = NULL; job == NULL; job = txn_take_done(txn)) {
        clock_sleep_ms(5);
    }
    cr_expect_eq(job->rc, RC_FENCED);
    txn_job_free(job);
}
