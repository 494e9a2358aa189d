/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a log: no more of it is read than it takes, and none of it less than once from where it begins. */
#include "kafka/tail.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "support/stack.h"

#define FIRST_TAIL 1000 /* offsets that are read first */

static struct stack st;
static struct err err;
static char *topic;
static struct producer *p;

#define OK(call) cr_assert_eq((call), RC_OK, "%s", err.text)

static void setup(void)
{
    stack_open(&st);
    topic = stack_topic(&st, "t", 1, NULL);
    p = stack_producer(&st, "a", NULL, NULL);
}

static void teardown(void)
{
    producer_destroy(p);
    free(topic);
    stack_close(&st);
}

TestSuite(tail, .init = setup, .fini = teardown, .timeout = 60);

static void put(const char *key, int n)
{
    for (int i = 0; i < n; i++) {
        OK(stack_send(p, topic, 0, key, "v", 0, &err));
    }
    OK(producer_flush(p, &err));
}

static void commit(const char *key, int n)
{
    OK(producer_begin(p, &err));
    put(key, n);
    OK(producer_commit(p, &err));
}

struct reader {
    const char *wanted;
    bool found;
    int records;   /* since the last restart */
    int64_t first; /* their offsets */
    int64_t last;
    int passes; /* restarts that were followed by records */
};

static void restart(void *opaque)
{
    struct reader *r = opaque;

    *r = (struct reader){.wanted = r->wanted, .passes = r->passes, .first = -1, .last = -1};
}

static enum rc take(void *opaque, const rd_kafka_message_t *msg, struct err *e)
{
    struct reader *r = opaque;

    if (msg->offset <= r->last) {
        FAIL(e, RC_FATAL, "offset %d comes after %d", (int)msg->offset, (int)r->last);
    }
    r->passes += r->records++ == 0 ? 1 : 0;
    r->first = r->first < 0 ? msg->offset : r->first;
    r->last = msg->offset;
    r->found |= msg->key_len == strlen(r->wanted) && memcmp(msg->key, r->wanted, msg->key_len) == 0;
    return RC_OK;
}

static bool enough(const void *opaque)
{
    return ((const struct reader *)opaque)->found;
}

static struct reader read_for(const char *wanted, bool uncommitted, bool whole)
{
    struct reader r = {.wanted = wanted};
    const struct tail_options opt = {.cfg = st.cfg,
                                     .client = "sluice-test",
                                     .topic = topic,
                                     .uncommitted = uncommitted,
                                     .whole = whole,
                                     .restart = restart,
                                     .take = take,
                                     .enough = enough,
                                     .opaque = &r};

    OK(kafka_tail_read(&opt, &err));
    return r;
}

Test(tail, all_of_the_log_is_read_again_when_its_end_is_not_enough)
{
    commit("first", 1);                /* offset 0, its control record 1 */
    commit("other", FIRST_TAIL + 100); /* 2 to 1101, 1102 */
    struct reader r = read_for("first", false, true);

    cr_expect(r.found);
    cr_expect_eq(r.passes, 2, "%d", r.passes);
    cr_expect_eq(r.records, 1 + FIRST_TAIL + 100, "%d", r.records);
    cr_expect_eq(r.first, 0);
    cr_expect_eq(r.last, FIRST_TAIL + 101);
    r = read_for("never", false, true);
    cr_expect_not(r.found);
    cr_expect_eq(r.passes, 2, "%d", r.passes);
    cr_expect_eq(r.records, 1 + FIRST_TAIL + 100, "%d", r.records);
}

Test(tail, what_is_before_enough_is_not_read)
{
    commit("first", 1);
    commit("other", FIRST_TAIL + 100);
    struct reader r = read_for("other", false, true);

    cr_expect(r.found);
    cr_expect_eq(r.passes, 1, "%d", r.passes);
    /* One less when the control record of the commit, which follows it in its own time, was there already. */
    cr_expect(r.records == FIRST_TAIL || r.records == FIRST_TAIL - 1, "%d", r.records);
    cr_expect_eq(r.first, FIRST_TAIL + 102 - r.records, "%d", (int)r.first);
}

Test(tail, what_is_open_or_aborted_is_for_those_who_ask_for_it)
{
    commit("done", 1);
    OK(producer_begin(p, &err));
    put("aborted", 2);
    OK(producer_abort(p, &err));
    commit("done", 1);
    OK(producer_begin(p, &err)); /* begins only when the one before is through */
    put("open", 3);
    cr_expect_eq(read_for("open", true, true).records, 7);
    cr_expect_eq(read_for("done", true, false).records, 4, "up to what is open");
    cr_expect_eq(read_for("open", false, false).records, 2);
    OK(producer_commit(p, &err));
    cr_expect_eq(read_for("open", false, true).records, 5, "what is about to be committed is waited for");
}
