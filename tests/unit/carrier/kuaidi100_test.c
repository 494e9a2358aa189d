/* SPDX-License-Identifier: Apache-2.0 */
/* kuaidi100: histories, states, corrected carriers, what is left out. */
#include "rig.h"

TestSuite(carrier_kuaidi100, .init = rig_setup, .fini = rig_teardown);

#define RESULT(members, data) "{\"com\":\"yuantong\",\"nu\":\"V1\"" members ",\"data\":[" data "]}"
#define PUSH(members, result) "{\"status\":\"polling\"" members ",\"lastResult\":" result "}"
#define NODE(time, context, more) "{\"time\":\"" time "\",\"ftime\":\"" time "\",\"context\":\"" context "\"" more "}"
#define OLD NODE("2026-02-04 16:00:00", "快件已揽收", "")
#define MIDDLE NODE("2026-02-05 16:00:00", "到达上海分拨中心 ", "")
#define NEW NODE("2026-02-06 10:00:00", "张三(13800000000)正在派件", "")
#define OLD_S 1770192000
#define MIDDLE_S 1770278400
#define NEW_S 1770343200

Test(carrier_kuaidi100, a_history_comes_out_with_the_oldest_first)
{
    const struct carrier_report *r =
        rig_one(CARRIER_KUAIDI100, PUSH("", RESULT(",\"state\":\"5\"", NEW "," MIDDLE "," OLD)));
    cr_expect_str_eq(r->tracking_no, "V1");
    cr_expect_str_eq(r->carrier, "yuantong");
    cr_expect(r->full && !r->whole && r->n_bad == 0);
    cr_assert_eq(r->n_nodes, 3);
    rig_node(&r->nodes[0], OLD_S, EXPRESS_COLLECTED, NULL, "快件已揽收");
    rig_node(&r->nodes[1], MIDDLE_S, EXPRESS_IN_TRANSIT, NULL, "到达上海分拨中心");
    rig_node(&r->nodes[2], NEW_S, EXPRESS_OUT_FOR_DELIVERY, "5", "张三(13800000000)正在派件");
}

Test(carrier_kuaidi100, the_reports_state_is_that_of_the_newest_node_alone)
{
    static const struct {
        const char *state;
        enum express_status status;
    } ROWS[] = {{"0", EXPRESS_IN_TRANSIT},  {"1", EXPRESS_COLLECTED},  {"2", EXPRESS_EXCEPTION},
                {"3", EXPRESS_DELIVERED},   {"4", EXPRESS_RETURNED},   {"5", EXPRESS_OUT_FOR_DELIVERY},
                {"6", EXPRESS_RETURNED},    {"7", EXPRESS_IN_TRANSIT}, {"8", EXPRESS_CUSTOMS},
                {"14", EXPRESS_EXCEPTION},  {"99", EXPRESS_UNKNOWN},   {"501", EXPRESS_OUT_FOR_DELIVERY},
                {"301", EXPRESS_DELIVERED}, {"102", EXPRESS_UNKNOWN}};
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        char body[512];
        (void)snprintf(body, sizeof body, PUSH("", RESULT(",\"state\":\"%s\"", MIDDLE "," OLD)), ROWS[i].state);
        const struct carrier_report *r = rig_one(CARRIER_KUAIDI100, body);
        cr_expect_eq(r->nodes[1].status, ROWS[i].status, "%s", ROWS[i].state);
        cr_expect_eq(r->nodes[0].status, EXPRESS_COLLECTED, "%s", ROWS[i].state);
    }
}

#define OWN_A NODE("2026-02-06 10:00:00", "a", ",\"status\":\"本人签收\",\"statusCode\":\"301\"")
#define OWN_B NODE("2026-02-06 09:00:00", "b", ",\"status\":\"派件\"")
#define OWN_C NODE("2026-02-06 08:00:00", "c", ",\"status\":\"清关中\",\"statusCode\":11")
#define OWN_D NODE("2026-02-06 07:00:00", "d", ",\"status\":\"在途\",\"statusCode\":\"7777\"")
#define OWN_E NODE("2026-02-06 06:00:00", "e", ",\"status\":\"什么\",\"statusCode\":\"7777\"")

Test(carrier_kuaidi100, a_nodes_own_status_counts_before_everything_else)
{
    static const char BODY[] = PUSH("", RESULT(",\"state\":\"3\"", OWN_A "," OWN_B "," OWN_C "," OWN_D "," OWN_E));
    const struct carrier_report *r = rig_one(CARRIER_KUAIDI100, BODY);
    cr_assert_eq(r->n_nodes, 5);
    rig_node(&r->nodes[4], NEW_S, EXPRESS_DELIVERED, "301", "a");
    rig_node(&r->nodes[3], NEW_S - 3600, EXPRESS_OUT_FOR_DELIVERY, "派件", "b");
    rig_node(&r->nodes[2], NEW_S - 7200, EXPRESS_CUSTOMS, "11", "c");
    rig_node(&r->nodes[1], NEW_S - 10800, EXPRESS_IN_TRANSIT, "7777", "d");
    rig_node(&r->nodes[0], NEW_S - 14400, EXPRESS_UNKNOWN, "7777", "e");
}

Test(carrier_kuaidi100, a_growing_history_repeats_its_nodes_hashes)
{
    unsigned char hashes[2][CARRIER_HASH_BYTES];
    const struct carrier_report *r = rig_one(CARRIER_KUAIDI100, PUSH("", RESULT(",\"state\":\"0\"", MIDDLE "," OLD)));
    memcpy(hashes[0], r->nodes[0].hash, CARRIER_HASH_BYTES);
    memcpy(hashes[1], r->nodes[1].hash, CARRIER_HASH_BYTES);
    /* The middle one had the state 0 and has none now, the carrier was corrected, blanks differ. */
    r = rig_one(CARRIER_KUAIDI100,
                PUSH(",\"autoCheck\":\"1\",\"comNew\":\"ems\"", RESULT(",\"state\":\"3\"", NEW "," MIDDLE "," OLD)));
    cr_assert_eq(r->n_nodes, 3);
    cr_expect_arr_eq(r->nodes[0].hash, hashes[0], CARRIER_HASH_BYTES);
    cr_expect_arr_eq(r->nodes[1].hash, hashes[1], CARRIER_HASH_BYTES);
    cr_expect_neq(memcmp(r->nodes[2].hash, hashes[1], CARRIER_HASH_BYTES), 0);
}

Test(carrier_kuaidi100, updateall_says_everything_anew)
{
    const struct carrier_report *r = rig_one(
        CARRIER_KUAIDI100, "{\"status\":\"updateall\",\"lastResult\":" RESULT(",\"state\":\"3\"", NEW "," OLD) "}");
    cr_expect(r->full && r->whole);
}

Test(carrier_kuaidi100, another_carrier_counts_where_they_looked)
{
    static const struct {
        const char *members, *carrier;
    } ROWS[] = {{"", "yuantong"},
                {",\"autoCheck\":\"1\",\"comOld\":\"yuantong\",\"comNew\":\"ems\"", "ems"},
                {",\"autoCheck\":1,\"comNew\":\"ems\"", "ems"},
                {",\"autoCheck\":\"0\",\"comOld\":\"\",\"comNew\":\"\"", "yuantong"},
                {",\"autoCheck\":\"0\",\"comNew\":\"ems\"", "yuantong"},
                {",\"autoCheck\":\"1\",\"comNew\":\"\"", "yuantong"}};
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        char body[512];
        (void)snprintf(body, sizeof body, PUSH("%s", RESULT("", OLD)), ROWS[i].members);
        cr_expect_str_eq(rig_one(CARRIER_KUAIDI100, body)->carrier, ROWS[i].carrier, "%s", ROWS[i].members);
    }
}

Test(carrier_kuaidi100, the_country_it_goes_to_belongs_to_the_same_parcel)
{
    const struct carrier_report *r = rig_one(
        CARRIER_KUAIDI100, "{\"status\":\"polling\",\"lastResult\":" RESULT(
                               ",\"state\":\"0\"", MIDDLE
                               "," OLD) ",\"destResult\":{\"com\":\"usps\",\"nu\":\"EX1\",\"state\":\"3\",\"data\":"
                                        "[" NODE("2026-02-06 10:00:00", "Delivered, in/at mailbox", "") "," OLD "]}}");
    cr_expect_str_eq(r->tracking_no, "V1");
    cr_assert_eq(r->n_nodes, 3, "what both have is one node");
    rig_node(&r->nodes[1], MIDDLE_S, EXPRESS_IN_TRANSIT, "0", "到达上海分拨中心");
    rig_node(&r->nodes[2], NEW_S, EXPRESS_DELIVERED, "3", "Delivered, in/at mailbox");
}

Test(carrier_kuaidi100, a_node_with_a_bad_time_is_left_out_and_its_neighbours_are_taken)
{
    const struct carrier_report *r =
        rig_one(CARRIER_KUAIDI100,
                PUSH("", RESULT(",\"state\":\"3\"",
                                "{\"context\":\"no time\"}," NODE("2999-01-01 00:00:00", "later", "") "," NODE(
                                    "1970-01-01 00:00:00", "earlier", "") "," MIDDLE "," OLD)));
    cr_expect_eq(r->n_bad, 3);
    cr_expect_str_eq(r->bad_detail, "lastResult.data[0].time: missing");
    cr_assert_eq(r->n_nodes, 2);
    rig_node(&r->nodes[1], MIDDLE_S, EXPRESS_IN_TRANSIT, NULL, "到达上海分拨中心"); /* not 3: that was the first's */
    r = rig_one(CARRIER_KUAIDI100, PUSH("", RESULT(",\"state\":\"3\"", NEW "," NODE("1970-01-01 00:00:00", "x", ""))));
    cr_expect_eq(r->n_bad, 1);
    cr_expect_str_eq(r->bad_detail, "lastResult.data[1].ftime: expected a time from 2000 on, at most a day ahead, not "
                                    "\"1970-01-01 00:00:00\"");
    rig_node(&r->nodes[0], NEW_S, EXPRESS_DELIVERED, "3", "张三(13800000000)正在派件");
}

Test(carrier_kuaidi100, of_one_time_the_carriers_order_stays)
{
    const struct carrier_report *r = rig_one(
        CARRIER_KUAIDI100,
        PUSH("",
             RESULT("", NODE("2026-02-06 10:00:00", "third", "") "," NODE("2026-02-06 10:00:00", "second", "") "," NODE(
                            "2026-02-06 10:00:00", "first", "") "," NODE("2026-02-06 10:00:00", "second", ""))));
    cr_assert_eq(r->n_nodes, 3);
    cr_expect_str_eq(r->nodes[0].context, "second");
    cr_expect_str_eq(r->nodes[1].context, "first");
    cr_expect_str_eq(r->nodes[2].context, "third");
}

Test(carrier_kuaidi100, a_parcel_of_which_nothing_is_known)
{
    const struct carrier_report *r = rig_one(
        CARRIER_KUAIDI100, "{\"status\":\"abort\",\"message\":\"3天查询无记录\",\"lastResult\":" RESULT("", "") "}");
    cr_expect_eq(r->n_nodes, 0);
    cr_expect_str_eq(r->tracking_no, "V1");
    cr_assert(rig_read(CARRIER_KUAIDI100, "{\"status\":\"abort\",\"lastResult\":null}", NULL), "%s", rig.detail);
    cr_expect_eq(rig.call.n_reports, 0);
    cr_expect_eq(rig_one(CARRIER_KUAIDI100, PUSH("", "{\"nu\":\"V1\"}"))->n_nodes, 0);
}

Test(carrier_kuaidi100, each_mistake_names_its_member)
{
    static const struct {
        const char *body, *detail;
    } ROWS[] = {
        {"", "param: expected a JSON value"},
        {"\"x\"", "param: expected a JSON object"},
        {"{}", "lastResult: missing"},
        {PUSH("", "[]"), "lastResult: expected an object"},
        {PUSH(",\"destResult\":1", RESULT("", "")), "destResult: expected an object"},
        {PUSH("", "{\"data\":[]}"), "lastResult.nu: missing"},
        {PUSH("", "{\"nu\":\"a b\",\"data\":[]}"), "lastResult.nu: expected a tracking number"},
        {PUSH("", "{\"nu\":\"V1\",\"data\":{}}"), "lastResult.data: expected a list of nodes"},
        {PUSH("", RESULT("", OLD ",1")), "lastResult.data[1]: expected an object"},
        {PUSH(",\"status\":\"x\"", RESULT("", "")), "param: status: the member stands there twice"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        rig_refused(CARRIER_KUAIDI100, ROWS[i].body, ROWS[i].detail);
    }
}

/* A call with n nodes, of distinct times. */
static const char *history(size_t n, struct buf *out)
{
    buf_init(out, (size_t)4 << 20);
    (void)buf_puts(out, "{\"status\":\"polling\",\"lastResult\":{\"nu\":\"V1\",\"data\":[");
    for (size_t i = 0; i < n; i++) {
        (void)buf_printf(out, "%s{\"context\":\"n\",\"time\":\"%lld\"}", i == 0 ? "" : ",",
                         1770000000LL - (long long)i);
    }
    (void)buf_puts(out, "]}}");
    return buf_str(out);
}

Test(carrier_kuaidi100, a_thousand_nodes_and_no_more)
{
    CLEANUP(buf_done) struct buf body;
    cr_expect_eq(rig_one(CARRIER_KUAIDI100, history(1000, &body))->n_nodes, 1000);
    buf_done(&body);
    rig_refused(CARRIER_KUAIDI100, history(1001, &body), "lastResult.data: 1001 nodes, expected at most 1000");
    buf_done(&body);
    rig_refused(CARRIER_KUAIDI100, history(10000, &body), "lastResult.data: 10000 nodes, expected at most 1000");
    buf_done(&body);
    rig_refused(CARRIER_KUAIDI100, history(30000, &body), "param: ");
    cr_expect_not_null(strstr(rig.detail, "too many values"), "%s", rig.detail);
}
