/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of carriers on a real database: each node once, and told no oftener than people want to hear of it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "channel/reason.h"
#include "gateway/callback_sweep.h"
#include "gateway/settle_express.h"
#include "gateway/store.h"
#include "pg/conn.h"
#include "support/express_rig.h"

static struct stack st;
static struct express_rig rig;
static struct err err;

static const struct express_rules RULES = {.nodes_max = 10, .keep_days = 30};

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    express_rig_open(&rig, &st);
}

static void teardown(void)
{
    express_rig_close(&rig);
    stack_close(&st);
}

TestSuite(express_in, .init = setup, .fini = teardown, .timeout = 100);

static void came(struct job *job, enum channel_reason want, const char *what)
{
    enum channel_reason got = express_put_one(&rig, job);
    cr_assert_eq(got, want, "%s: %s, expected %s", what, reason_name(got), reason_name(want));
}

static void waybill(const char *tracking_no)
{
    stack_sql(st.conn, "INSERT INTO platform_express_waybills (tracking_no, order_id) VALUES ('%s', 'o1')",
              tracking_no);
}

/* Of notify_queue in its order: what people would be told. */
static void told(const char *what, const char *want)
{
    stack_expect(st.conn, what, "SELECT string_agg(context, ' ' ORDER BY queue_seq) FROM notify_queue", want);
}

static void rows(int64_t inbox, int64_t nodes, int64_t parked, const char *what)
{
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM express_callbacks"), inbox, "%s: inbox", what);
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM express_nodes"), nodes, "%s: nodes", what);
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM express_parked"), parked, "%s: parked", what);
}

static const struct express_said WAY[] = {
    {0, EXPRESS_COLLECTED, "a"},          {60, EXPRESS_IN_TRANSIT, "b"}, {60, EXPRESS_IN_TRANSIT, "c"},
    {120, EXPRESS_OUT_FOR_DELIVERY, "d"}, {180, EXPRESS_DELIVERED, "e"},
};

/* ---------------------------------------------------------------------------------------------------- storing */

Test(express_in, a_node_is_stored_with_its_row_of_the_queue)
{
    waybill("T1");
    struct job *job = express_call(&rig, "{\"a\": \"\xe5\xb7\xb2\"}", "T1", WAY, 1);
    job->traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    came(job, REASON_OK, "the first");
    rows(1, 1, 0, "one");
    stack_expect(st.conn, "the row of the queue",
                 "SELECT concat_ws(' ', tracking_no, carrier, status, context, node_at = to_timestamp(1790000000), "
                 "process_status IS NULL, queue_seq IS NOT NULL, queue_txid IS NOT NULL, created_at IS NOT NULL, "
                 "traceparent) FROM notify_queue",
                 "T1 yuantong collected a t t t t t 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    stack_expect(st.conn, "node and row know each other",
                 "SELECT count(*) FROM express_nodes n JOIN notify_queue q ON q.id = n.queue_id JOIN express_callbacks "
                 "c ON c.id = n.callback_id WHERE n.decided = 'queued' AND c.account = 'kd' AND c.form = 'kuaidi100' "
                 "AND c.tracking_nos = '{T1}' AND c.nodes = 1 AND c.new_nodes = 1 AND c.address = '10.1.2.3'",
                 "1");
    stack_expect(st.conn, "the waybill follows",
                 "SELECT status || ' ' || (node_at = to_timestamp(1790000000)) FROM platform_express_waybills",
                 "collected true");
    stack_expect(st.conn, "kept as it came, but for the token",
                 "SELECT convert_from(raw_headers, 'UTF8') || convert_from(raw_body, 'UTF8') || (key_id IS NULL) FROM "
                 "express_callbacks",
                 "Content-Type: application/json\r\nAuthorization: ***\r\n{\"a\": \"\xe5\xb7\xb2\"}true");
}

Test(express_in, the_same_body_again_is_a_duplicate)
{
    waybill("T1");
    struct job *job = express_call(&rig, "one", "T1", WAY, 2);
    came(job, REASON_OK, "the first");
    came(job, REASON_DUPLICATE, "the same job, as after a COMMIT whose answer was lost");
    came(express_call(&rig, "one", "T1", &WAY[3], 1), REASON_DUPLICATE,
         "a body without a time: the clock's, which it gets instead, is no part of what makes it the same");
    rows(1, 2, 0, "once");
    told("once", "b");
    cr_assert_eq(job->callback->express.new_nodes, 0, "nothing is counted twice");
    struct job *twins[] = {express_call(&rig, "two", "T1", &WAY[3], 1), express_call(&rig, "two", "T1", &WAY[3], 1)};
    express_put(&rig, twins, 2);
    cr_assert_neq(twins[0]->callback->result, twins[1]->callback->result, "one of one batch");
    rows(2, 3, 0, "two bodies");
}

/* kuaidi100 tells the whole way again with each step. */
Test(express_in, a_growing_history_tells_each_new_node_once)
{
    static const char *const TOLD[] = {"a", "a b", "a b c", "a b c d", "a b c d e"};
    waybill("T1");
    for (size_t n = 1; n <= ARRAY_SIZE(WAY); n++) {
        char body[16];
        (void)snprintf(body, sizeof body, "body %zu", n);
        struct job *job = express_call(&rig, body, "T1", WAY, n);
        came(job, REASON_OK, body);
        cr_assert_eq(job->callback->express.new_nodes, 1);
        cr_assert_eq(job->callback->express.nodes, n);
        told(body, TOLD[n - 1]);
    }
    rows(5, 5, 0, "each once");
    stack_expect(st.conn, "the waybill", "SELECT status FROM platform_express_waybills", "delivered");
}

Test(express_in, a_first_history_tells_its_newest_node_only)
{
    waybill("T1");
    struct job *job = express_call(&rig, "all", "T1", WAY, ARRAY_SIZE(WAY));
    came(job, REASON_OK, "the whole way at once");
    told("the newest", "e");
    cr_assert_eq(job->callback->express.queued, 1);
    cr_assert_eq(job->callback->express.history, 4);
}

Test(express_in, what_is_said_anew_tells_its_newest_node_if_that_is_new)
{
    static const struct express_said ANEW[] = {
        {0, EXPRESS_COLLECTED, "A"}, {60, EXPRESS_IN_TRANSIT, "B"}, {130, EXPRESS_OUT_FOR_DELIVERY, "D"}};
    waybill("T1");
    came(express_call(&rig, "1", "T1", WAY, 2), REASON_OK, "the first");
    struct job *job = express_call(&rig, "2", "T1", ANEW, 3);
    job->callback->verdict.express->reports[0].whole = true;
    came(job, REASON_OK, "corrected, and a step further");
    told("one more", "b D");
    static const struct express_said AGAIN[] = {{0, EXPRESS_COLLECTED, "1"}, {130, EXPRESS_OUT_FOR_DELIVERY, "2"}};
    job = express_call(&rig, "3", "T1", AGAIN, 2);
    job->callback->verdict.express->reports[0].whole = true;
    came(job, REASON_OK, "corrected again");
    told("the same thing in other words", "b D");
    came(express_call(&rig, "4", "T1", &WAY[4], 1), REASON_OK, "and then as always");
    told("goes on", "b D e");
}

Test(express_in, one_call_tells_so_many_nodes_and_late_ones_do_not_turn_the_waybill_back)
{
    struct express_said many[25];
    static char texts[25][8];
    waybill("T1");
    came(express_call(&rig, "first", "T1", &(struct express_said){1000, EXPRESS_IN_TRANSIT, "x"}, 1), REASON_OK, "x");
    for (int i = 0; i < 25; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "n%d", i);
        many[i] = (struct express_said){i, EXPRESS_IN_TRANSIT, texts[i]};
    }
    came(express_call(&rig, "many", "T1", many, 25), REASON_OK, "25 older ones");
    told("ten of them, the newest, in their order", "x n15 n16 n17 n18 n19 n20 n21 n22 n23 n24");
    stack_expect(st.conn, "the waybill",
                 "SELECT extract(epoch FROM node_at)::bigint - 1790000000 FROM platform_express_waybills", "1000");
    stack_expect(st.conn, "none is forgotten", "SELECT count(*) FROM express_nodes WHERE decided = 'history'", "15");
}

Test(express_in, an_unknown_code_does_not_hide_how_far_the_parcel_is)
{
    waybill("T1");
    came(express_call(&rig, "1", "T1", WAY, 2), REASON_OK, "two");
    came(express_call(&rig, "2", "T1", &(struct express_said){500, EXPRESS_UNKNOWN, "?"}, 1), REASON_OK, "unknown");
    stack_expect(st.conn, "the waybill", "SELECT status FROM platform_express_waybills", "in_transit");
    told("whether it is told is not decided here", "b ?");
}

Test(express_in, old_headers_and_bodies_go)
{
    int64_t erased = 0;
    waybill("T1");
    came(express_call(&rig, "1", "T1", WAY, 2), REASON_OK, "two");
    stack_sql(st.conn, "UPDATE express_callbacks SET received_at = now() - interval '11 days'");
    cr_assert_eq(callback_sweep_erase(&rig.session, SWEEP_EXPRESS, 12, 100, &erased, &err), RC_OK, "%s", err.text);
    cr_assert_eq(erased, 0);
    cr_assert_eq(callback_sweep_erase(&rig.session, SWEEP_EXPRESS, 10, 100, &erased, &err), RC_OK, "%s", err.text);
    cr_assert_eq(erased, 1);
    stack_expect(st.conn, "gone",
                 "SELECT count(*) FROM express_callbacks WHERE raw_body IS NULL AND raw_headers IS "
                 "NULL AND erased_at IS NOT NULL",
                 "1");
    came(express_call(&rig, "1", "T1", WAY, 2), REASON_DUPLICATE, "and is known all the same");
}

/* ---------------------------------------------------------------------------------------------------- parking */

struct seen {
    int known, unknown, rest;
    int64_t queued, history;
};

static void see(void *opaque, const char *tracking_no, bool known, int64_t queued, int64_t history)
{
    struct seen *seen = opaque;
    cr_assert_neq(tracking_no[0], '\0');
    seen->known += known ? 1 : 0;
    seen->unknown += known ? 0 : 1;
    seen->queued += queued;
    seen->history += history;
}

static struct seen sweep(int want)
{
    struct seen seen = {0};
    struct express_looked looked = {.numbers = -1};
    cr_assert_eq(express_sweep(&rig.session, &RULES, &looked, see, &seen, &err), RC_OK, "%s", err.text);
    cr_assert_eq(looked.numbers, want, "%d were due, expected %d", looked.numbers, want);
    seen.rest = looked.rest;
    return seen;
}

Test(express_in, an_unknown_number_waits_and_runs_when_its_waybill_appears)
{
    came(express_call(&rig, "1", "T1", WAY, 3), REASON_UNKNOWN_WAYBILL, "nobody knows it");
    came(express_call(&rig, "2", "T1", WAY, 4), REASON_UNKNOWN_WAYBILL, "nor this");
    came(express_call(&rig, "2", "T1", WAY, 4), REASON_DUPLICATE, "a carrier is acknowledged");
    rows(2, 4, 1, "parked");
    told("nobody", "");
    stack_expect(st.conn, "what is known of it",
                 "SELECT concat_ws(' ', account, carrier, calls, tries, due_at > now() + interval '50 seconds') FROM "
                 "express_parked",
                 "kd yuantong 3 0 t");
    (void)sweep(0);
    waybill("T1");
    struct seen seen = sweep(1);
    cr_assert(seen.known == 1 && seen.queued == 1 && seen.history == 3, "%d %d %d", seen.known, (int)seen.queued,
              (int)seen.history);
    told("the newest, once", "d");
    rows(2, 4, 0, "waits no longer");
    stack_expect(st.conn, "the waybill", "SELECT status FROM platform_express_waybills", "out_for_delivery");
    came(express_call(&rig, "3", "T1", WAY, 5), REASON_OK, "from now on as always");
    told("as always", "d e");
}

Test(express_in, without_the_trigger_the_timer_finds_it)
{
    stack_sql(st.conn, "ALTER TABLE platform_express_waybills DISABLE TRIGGER sluice_waybill_appeared");
    came(express_call(&rig, "1", "T1", WAY, 1), REASON_UNKNOWN_WAYBILL, "parked");
    for (int i = 0; i < 9; i++) {
        stack_sql(st.conn, "UPDATE express_parked SET due_at = now()");
        cr_assert_eq(sweep(1).unknown, 1);
    }
    stack_expect(st.conn, "later each time, up to an hour",
                 "SELECT tries || ' ' || (due_at BETWEEN now() + interval '59 minutes' AND now() + interval '1 hour') "
                 "FROM express_parked",
                 "9 true");
    waybill("T1");
    (void)sweep(0);
    stack_sql(st.conn, "UPDATE express_parked SET due_at = now()");
    cr_assert_eq(sweep(1).known, 1);
    told("found", "a");
}

/* Every number that nobody has spoken of for 31 days, and that is due. */
static void get_old(void)
{
    stack_sql(st.conn, "UPDATE express_parked SET first_at = now() - interval '90 days', last_at = now() - "
                       "interval '31 days', due_at = now(), tries = 7");
}

static void parked(const char *what, int64_t want)
{
    int64_t n = -1;
    cr_assert_eq(express_parked(&rig.session, 100, &n, &err), RC_OK, "%s", err.text);
    cr_assert_eq(n, want, "%s: %d wait", what, (int)n);
}

Test(express_in, a_number_of_which_nobody_speaks_any_more_rests)
{
    came(express_call(&rig, "1", "T1", WAY, 3), REASON_UNKNOWN_WAYBILL, "parked");
    came(express_call(&rig, "2", "T2", WAY, 1), REASON_UNKNOWN_WAYBILL, "parked");
    get_old();
    stack_sql(st.conn, "UPDATE express_parked SET last_at = now() - interval '29 days' WHERE tracking_no = 'T2'");
    struct seen seen = sweep(2);
    cr_assert(seen.unknown == 2 && seen.rest == 1, "%d %d", seen.unknown, seen.rest);
    parked("T2", 1);
    stack_expect(st.conn, "it is not due again",
                 "SELECT string_agg(tracking_no || ' ' || (due_at = 'infinity'), ' ' ORDER BY tracking_no) FROM "
                 "express_parked",
                 "T1 true T2 false");
    rows(2, 4, 2, "nothing that was said is lost");
    stack_expect(st.conn, "and nothing is decided of it",
                 "SELECT count(*) FROM express_nodes WHERE decided IS NOT NULL", "0");
}

Test(express_in, a_late_waybill_finds_what_it_would_have_found_on_the_first_day)
{
    came(express_call(&rig, "1", "T1", WAY, 4), REASON_UNKNOWN_WAYBILL, "parked");
    get_old();
    cr_assert_eq(sweep(1).rest, 1);
    (void)sweep(0);
    waybill("T1");
    struct seen seen = sweep(1);
    cr_assert(seen.known == 1 && seen.rest == 0 && seen.queued == 1 && seen.history == 3);
    told("the newest; whether it is too old is for notify to say", "d");
    stack_expect(st.conn, "the waybill", "SELECT status FROM platform_express_waybills", "out_for_delivery");
    rows(1, 4, 0, "waits no longer");
}

Test(express_in, a_call_wakes_a_number_that_rests)
{
    static const struct express_said SAID = {0, EXPRESS_COLLECTED, "x"};
    came(express_call(&rig, "1", "T1", WAY, 3), REASON_UNKNOWN_WAYBILL, "parked");
    came(express_own_call(&rig, "own", "T2", SAID), REASON_UNKNOWN_WAYBILL, "parked");
    get_old();
    cr_assert_eq(sweep(2).rest, 2);
    parked("none", 0);
    came(express_call(&rig, "2", "T1", WAY, 4), REASON_UNKNOWN_WAYBILL, "one more step");
    came(express_own_call(&rig, "own", "T2", SAID), REASON_UNKNOWN_WAYBILL, "asked once more");
    parked("both", 2);
    stack_expect(st.conn, "as if they were new",
                 "SELECT count(*) FROM express_parked WHERE tries = 0 AND last_at > now() - interval '30 seconds' AND "
                 "due_at BETWEEN now() + interval '30 seconds' AND now() + interval '70 seconds'",
                 "2");
    get_old();
    cr_assert_eq(sweep(2).rest, 2);
    waybill("T1");
    stack_sql(st.conn, "UPDATE express_parked SET due_at = 'infinity'");
    came(express_call(&rig, "3", "T1", WAY, 5), REASON_OK, "the call finds the waybill first");
    told("of the whole way the newest", "e");
}

Test(express_in, a_number_whose_waybill_is_there_never_rests)
{
    struct express_looked looked;
    struct seen seen = {0};
    static const struct express_rules FOR_EVER = {.nodes_max = 10};
    PGconn *business CLEANUP(pg_closep) = stack_session(&st, false);
    came(express_call(&rig, "1", "T1", WAY, 1), REASON_UNKNOWN_WAYBILL, "parked");
    get_old();
    cr_assert_eq(express_sweep(&rig.session, &FOR_EVER, &looked, see, &seen, &err), RC_OK, "%s", err.text);
    cr_assert(looked.numbers == 1 && looked.rest == 0, "with 0 it is looked for for ever");
    waybill("T1");
    get_old();
    stack_sql(business, "BEGIN");
    stack_sql(business, "UPDATE platform_express_waybills SET order_id = 'o9'");
    cr_assert_eq(sweep(1).rest, 0, "somebody has its waybill locked");
    stack_sql(business, "COMMIT");
    stack_sql(st.conn, "UPDATE express_parked SET due_at = now()");
    cr_assert_eq(sweep(1).known, 1);
    told("found", "a");
}

Test(express_in, our_own_route_hears_each_time_that_there_is_no_waybill)
{
    static const struct express_said SAID = {0, EXPRESS_DELIVERED, "x"};
    came(express_own_call(&rig, "own", "T1", SAID), REASON_UNKNOWN_WAYBILL, "the first");
    came(express_own_call(&rig, "own", "T1", SAID), REASON_UNKNOWN_WAYBILL, "again");
    rows(1, 1, 1, "parked once");
    waybill("T1");
    came(express_own_call(&rig, "own", "T1", SAID), REASON_DUPLICATE, "and now there is one");
    told("told by the repetition or by the sweep, once", "x");
    rows(1, 1, 1, "not settled twice");
    cr_assert_eq(sweep(1).known, 1);
    told("once", "x");
}

Test(express_in, several_parcels_of_one_call)
{
    waybill("T1");
    struct job *job = express_call(&rig, "1", "T1", WAY, 1);
    express_also(&rig, job, "T2", WAY, 2);
    express_also(&rig, job, "T3", NULL, 0);
    came(job, REASON_UNKNOWN_WAYBILL, "one is known");
    told("of the known one", "a");
    stack_expect(st.conn, "nothing waits where nothing was said",
                 "SELECT string_agg(tracking_no, ' ') FROM express_parked", "T2");
}

Test(express_in, numbers_that_somebody_names_are_looked_at_at_once)
{
    static const char *const NAMED[] = {"T2", "T1", "T9"};
    struct seen seen = {0};
    stack_sql(st.conn, "ALTER TABLE platform_express_waybills DISABLE TRIGGER sluice_waybill_appeared");
    came(express_call(&rig, "1", "T1", WAY, 2), REASON_UNKNOWN_WAYBILL, "parked");
    came(express_call(&rig, "2", "T2", WAY, 2), REASON_UNKNOWN_WAYBILL, "parked");
    waybill("T1");
    cr_assert_eq(express_rematch(&rig.session, NAMED, 3, &RULES, see, &seen, &err), RC_OK, "%s", err.text);
    cr_assert(seen.known == 1 && seen.unknown == 2 && seen.queued == 1);
    told("T1", "b");
    rows(2, 4, 1, "T2 still waits");
}
