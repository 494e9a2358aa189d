/* SPDX-License-Identifier: Apache-2.0 */
/* The transactional producer against a real broker: fencing, aborts, records that are too large, topics that are not
 * there. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "support/stack.h"

static struct stack st;
static struct err err;
static char *topic;

static void setup(void)
{
    stack_open(&st);
    topic = stack_topic(&st, "t", 1, NULL);
}

static void teardown(void)
{
    free(topic);
    stack_close(&st);
}

TestSuite(producer, .init = setup, .fini = teardown);

#define OK(call) cr_assert_eq((call), RC_OK, "%s", err.text)

static int64_t committed(void)
{
    return stack_records(&st, topic, 0, "read_committed");
}

static int64_t written(void)
{
    return stack_records(&st, topic, 0, "read_uncommitted");
}

static void put(struct producer *p, const char *value, int64_t tag)
{
    OK(stack_send(p, topic, 0, "k", value, tag, &err));
}

Test(producer, a_committed_transaction_is_there_for_everybody)
{
    struct producer *p = stack_producer(&st, "a", NULL, NULL);

    OK(producer_begin(p, &err));
    put(p, "1", 0);
    put(p, "2", 1);
    OK(producer_commit(p, &err));
    cr_expect_eq(committed(), 2);
    producer_destroy(p);
}

Test(producer, the_second_of_one_id_fences_the_first)
{
    struct producer *first = stack_producer(&st, "a", NULL, NULL);

    OK(producer_begin(first, &err));
    put(first, "never", 0);
    OK(producer_flush(first, &err));
    struct producer *second = stack_producer(&st, "a", NULL, NULL);
    cr_expect_eq(producer_commit(first, &err), RC_FENCED, "%s: %s", rc_name(err.rc), err.text);
    cr_expect(err.code[0] != '\0');
    OK(producer_begin(second, &err));
    put(second, "1", 0);
    OK(producer_commit(second, &err));
    producer_destroy(first);
    producer_destroy(second);
    cr_expect_eq(committed(), 1);
    cr_expect_eq(written(), 2, "what was fenced must have been in the log, else this proves nothing");
}

Test(producer, a_fenced_producer_stays_fenced)
{
    struct producer *first = stack_producer(&st, "a", NULL, NULL);
    struct producer *second = stack_producer(&st, "a", NULL, NULL);
    enum rc rc = producer_begin(first, &err);

    for (int i = 0; i < 5 && rc == RC_OK; i++) {
        rc = stack_send(first, topic, 0, "k", "never", 0, &err);
        rc = rc == RC_OK ? producer_commit(first, &err) : rc;
    }
    cr_expect_eq(rc, RC_FENCED, "%s: %s", rc_name(rc), err.text);
    cr_expect_eq(producer_begin(first, &err), RC_FENCED, "%s: %s", rc_name(err.rc), err.text);
    producer_destroy(first);
    producer_destroy(second);
    cr_expect_eq(committed(), 0);
}

Test(producer, an_aborted_transaction_is_there_only_for_read_uncommitted)
{
    struct producer *p = stack_producer(&st, "a", NULL, NULL);

    OK(producer_begin(p, &err));
    put(p, "1", 0);
    put(p, "2", 1);
    OK(producer_flush(p, &err));
    OK(producer_abort(p, &err));
    cr_expect_eq(committed(), 0);
    cr_expect_eq(written(), 2);
    OK(producer_begin(p, &err));
    put(p, "1", 0);
    OK(producer_commit(p, &err));
    cr_expect_eq(committed(), 1);
    cr_expect_eq(written(), 3);
    producer_destroy(p);
}

struct quitter {
    pthread_t thread;
    struct producer *p;
    unsigned wait_us;
    struct err err;
    enum rc rc;
};

static enum rc begin_wide(struct quitter *q)
{
    enum rc rc = producer_begin(q->p, &q->err);

    for (int32_t partition = 0; partition < 3 && rc == RC_OK; partition++) {
        rc = stack_send(q->p, topic, partition, "k", "v", 0, &q->err);
    }
    return rc;
}

/* Drops its producer while partitions are being added to its second transaction; for the first it must find them. */
static void *quit(void *arg)
{
    struct quitter *q = arg;

    q->rc = begin_wide(q);
    q->rc = q->rc == RC_OK ? producer_commit(q->p, &q->err) : q->rc;
    q->rc = q->rc == RC_OK ? begin_wide(q) : q->rc;
    usleep(q->wait_us);
    producer_destroy(q->p);
    return NULL;
}

enum { QUITTERS = 12, ROUNDS = 6 };

static struct producer *numbered(unsigned i)
{
    char id[16];

    snprintf(id, sizeof(id), "q%u", i);
    return stack_producer(&st, id, NULL, NULL);
}

/* Those that are dropped in the middle of their transaction, all at once: each destruction takes a second. */
static void drop_all(unsigned round)
{
    struct quitter quitters[QUITTERS];

    for (unsigned i = 0; i < QUITTERS; i++) {
        quitters[i] = (struct quitter){.p = numbered(i), .wait_us = 50 * i + 8 * round};
    }
    for (unsigned i = 0; i < QUITTERS; i++) {
        cr_assert_eq(pthread_create(&quitters[i].thread, NULL, quit, &quitters[i]), 0);
    }
    for (unsigned i = 0; i < QUITTERS; i++) {
        pthread_join(quitters[i].thread, NULL);
        cr_expect_eq(quitters[i].rc, RC_OK, "%s", quitters[i].err.text);
    }
}

/* Without care librdkafka ended the process in eight of nine runs of this test. */
Test(producer, a_producer_may_be_dropped_at_any_moment_of_its_transaction)
{
    free(topic);
    topic = stack_topic(&st, "wide", 3, NULL);
    for (unsigned round = 0; round < ROUNDS; round++) {
        drop_all(round);
    }
    for (unsigned i = 0; i < QUITTERS; i++) { /* its init returns when what is open has an end, for readers too */
        producer_destroy(numbered(i));
    }
    cr_expect_eq(committed(), ROUNDS * QUITTERS, "only the first of each is there for everybody");
}

/* Hex digits in no order, so that no compression makes it fit. */
static char *noise(size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *s = xcalloc(n + 1, 1);

    for (size_t i = 0; i < n; i++) {
        s[i] = digits[clock_random() % 64];
    }
    return s;
}

struct refusals {
    int n;
    int64_t tag; /* of the last */
    rd_kafka_resp_err_t why;
};

static void on_refused(void *opaque, int64_t tag, rd_kafka_resp_err_t why)
{
    struct refusals *r = opaque;

    r->n++;
    r->tag = tag;
    r->why = why;
}

Test(producer, a_record_the_broker_refuses_is_known_by_its_tag_and_its_neighbours_pass)
{
    struct refusals refused = {0};
    struct producer *p = stack_producer(&st, "a", on_refused, &refused);
    char *big CLEANUP(freep) = noise(1200000); /* over max.message.bytes, 1 MiB */

    OK(producer_begin(p, &err));
    put(p, "1", 10);
    put(p, big, 11);
    put(p, "3", 12);
    cr_expect_eq(producer_commit(p, &err), RC_RETRY, "%s: %s", rc_name(err.rc), err.text);
    OK(producer_abort(p, &err));
    cr_expect_eq(refused.n, 1, "the purge of the others is no refusal: %d", refused.n);
    cr_expect_eq(refused.tag, 11);
    cr_expect_eq(refused.why, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "%s", rd_kafka_err2name(refused.why));
    OK(producer_begin(p, &err));
    put(p, "1", 10);
    put(p, "3", 12);
    OK(producer_commit(p, &err));
    cr_expect_eq(committed(), 2);
    producer_destroy(p);
}

Test(producer, a_topic_that_is_not_there_has_no_partitions)
{
    struct producer *p = stack_producer(&st, "a", NULL, NULL);
    char *long_name CLEANUP(freep) = noise(300);
    char *missing CLEANUP(freep) = xasprintf("%snever", st.prefix);
    const char *none[] = {missing, "", "no spaces allowed", "..", long_name};
    int partitions = -1;

    for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
        OK(producer_topic_partitions(p, none[i], &partitions, &err));
        cr_expect_eq(partitions, 0, "\"%s\"", none[i]);
    }
    OK(producer_topic_partitions(p, topic, &partitions, &err));
    cr_expect_eq(partitions, 1);
    producer_destroy(p);
}

/* Names from rows fill the cache of topics; those that exist must be found in spite of it. */
Test(producer, a_thousand_wrong_names_do_not_hide_a_right_one)
{
    struct producer *p = stack_producer(&st, "a", NULL, NULL);
    int partitions = -1;

    for (int i = 0; i < 300; i++) {
        char *name CLEANUP(freep) = xasprintf("%swrong.%d", st.prefix, i);
        OK(producer_topic_partitions(p, name, &partitions, &err));
        cr_assert_eq(partitions, 0);
    }
    OK(producer_topic_partitions(p, topic, &partitions, &err));
    cr_expect_eq(partitions, 1);
    producer_destroy(p);
}

static enum rc give_up(void *opaque, struct err *e)
{
    int *calls = opaque;

    if (++*calls < 3) {
        return RC_OK;
    }
    return err_set(e, RC_FENCED, __FILE__, __LINE__, "the session is lost");
}

Test(producer, a_broker_that_is_away_is_waited_for_until_the_caller_gives_up)
{
    int calls = 0;
    struct producer_options opt = {.client = "sluice-test",
                                   .transactional_id = "x",
                                   .transaction_timeout_ms = 10000,
                                   .idle = give_up,
                                   .opaque = &calls};
    struct producer *p = NULL;
    int64_t began = clock_mono_ms();

    stack_set(&st, "kafka.brokers", "127.0.0.1:1");
    OK(producer_create(st.cfg, &opt, &p, &err));
    cr_expect_eq(producer_init(p, &err), RC_FENCED);
    cr_expect_str_eq(err.text, "the session is lost");
    cr_expect_eq(calls, 3);
    cr_expect_lt(clock_mono_ms() - began, 5000);
    producer_destroy(p);
}

Test(producer, a_setting_librdkafka_refuses_is_named)
{
    struct producer_options opt = {.client = "sluice-test", .transactional_id = "x", .transaction_timeout_ms = 10000};
    struct producer *p = NULL;

    stack_set(&st, "kafka.no.such.setting", "1");
    cr_expect_eq(producer_create(st.cfg, &opt, &p, &err), RC_FATAL);
    cr_expect(strstr(err.text, "option kafka.no.such.setting: ") != NULL, "%s", err.text);
    cr_expect(err_is_config(&err));
    cr_expect_null(p);
}
