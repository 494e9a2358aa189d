/* SPDX-License-Identifier: Apache-2.0 */
/* Our own form: every member, and each mistake by its name. */
#include "rig.h"

TestSuite(carrier_json, .init = rig_setup, .fini = rig_teardown);

#define WITH(members) "{\"tracking_no\":\"YT1\",\"status\":\"delivered\"" members "}"

Test(carrier_json, the_documents_call_is_one_node)
{
    const struct carrier_report *r = rig_one(
        CARRIER_JSON, "{\"tracking_no\":\"TEST_YT_20260206_0007\",\"carrier\":\"yuantong\",\"status\":\"delivered\","
                      "\"context\":\" 已签收\\n, 13800000000 \",\"time\":\"2026-02-06 10:00:00\",\"more\":[1]}");
    cr_expect_str_eq(r->tracking_no, "TEST_YT_20260206_0007");
    cr_expect_str_eq(r->carrier, "yuantong");
    cr_expect(!r->full && !r->whole && r->n_bad == 0);
    cr_assert_eq(r->n_nodes, 1);
    rig_node(&r->nodes[0], 1770343200, EXPRESS_DELIVERED, "delivered", "已签收 , 13800000000");
}

Test(carrier_json, what_may_be_left_out)
{
    const struct carrier_report *r = rig_one(CARRIER_JSON, WITH(""));
    cr_expect_null(r->carrier);
    rig_node(&r->nodes[0], NOW, EXPRESS_DELIVERED, "delivered", "");
    r = rig_one(CARRIER_JSON, WITH(",\"carrier\":null,\"context\":null,\"time\":null"));
    cr_expect_null(r->carrier);
    rig_node(&r->nodes[0], NOW, EXPRESS_DELIVERED, "delivered", "");
}

Test(carrier_json, times_in_all_their_spellings)
{
    static const struct {
        const char *time;
        int64_t at_us;
    } ROWS[] = {
        {"\"2026-02-06 10:00:00\"", 1770343200000000},
        {"\"2026-02-06T10:00:00\"", 1770343200000000},
        {"\"2026/02/06 10:00:00\"", 1770343200000000},
        {"\"2026-02-06 10:00\"", 1770343200000000},
        {"\"2026-02-06 10:00:00.25\"", 1770343200250000},
        {"\"2026-02-06T02:00:00Z\"", 1770343200000000},
        {"\"2026-02-06T10:00:00+08:00\"", 1770343200000000},
        {"1770343200", 1770343200000000},
        {"\"1770343200\"", 1770343200000000},
        {"1770343200250", 1770343200250000},
        {"\"2000-02-29 08:00:00\"", 951782400000000},
        {"1770486400", 1770486400000000}, /* a day ahead, and no more */
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        char body[200];
        (void)snprintf(body, sizeof body, WITH(",\"time\":%s"), ROWS[i].time);
        const struct carrier_report *r = rig_one(CARRIER_JSON, body);
        cr_expect_eq(r->nodes[0].at_us, ROWS[i].at_us, "%s: %lld", ROWS[i].time, (long long)r->nodes[0].at_us);
    }
}

Test(carrier_json, times_that_are_none_are_refused_by_name)
{
    static const char *const ROWS[] = {"\"yesterday\"",
                                       "\"2026-02-30 10:00:00\"",
                                       "\"2025-02-29 10:00:00\"",
                                       "\"2026-13-01 10:00:00\"",
                                       "\"2026-02-06 24:00:00\"",
                                       "\"2026-02-06 10:60:00\"",
                                       "\"2026-02-06\"",
                                       "\"2026-02-06 10:00:00 \"",
                                       "\"2026-02-06 10:00:00.\"",
                                       "\"2026-02/06 10:00:00\"",
                                       "17703432",
                                       "-1770343200",
                                       "1.5e9",
                                       "\"99999999999999999999\"",
                                       "\"1970-01-01 00:00:00\"",
                                       "\"2999-01-01 00:00:00\"",
                                       "\"1999-12-31T23:59:59Z\"",
                                       "0",
                                       "1770486401",
                                       "true",
                                       "[]",
                                       "{}"};
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        char body[200];
        (void)snprintf(body, sizeof body, WITH(",\"time\":%s"), ROWS[i]);
        rig_refused(CARRIER_JSON, body, "time: expected");
    }
}

Test(carrier_json, statuses_in_usual_words)
{
    static const struct {
        const char *word;
        enum express_status status;
    } ROWS[] = {{"collected", EXPRESS_COLLECTED},
                {"Picked Up", EXPRESS_COLLECTED},
                {"已揽收", EXPRESS_COLLECTED},
                {"IN-TRANSIT", EXPRESS_IN_TRANSIT},
                {"运输中", EXPRESS_IN_TRANSIT},
                {"customs", EXPRESS_CUSTOMS},
                {"清关中", EXPRESS_CUSTOMS},
                {" out for delivery ", EXPRESS_OUT_FOR_DELIVERY},
                {"派件中", EXPRESS_OUT_FOR_DELIVERY},
                {"exception", EXPRESS_EXCEPTION},
                {"疑难件", EXPRESS_EXCEPTION},
                {"signed", EXPRESS_DELIVERED},
                {"已签收", EXPRESS_DELIVERED},
                {"returned", EXPRESS_RETURNED},
                {"退签", EXPRESS_RETURNED},
                {"3", EXPRESS_DELIVERED},
                {"0", EXPRESS_IN_TRANSIT},
                {"5", EXPRESS_OUT_FOR_DELIVERY},
                {"unknown", EXPRESS_UNKNOWN},
                {"frobnicated", EXPRESS_UNKNOWN},
                {"99", EXPRESS_UNKNOWN}};
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        char body[200];
        (void)snprintf(body, sizeof body, "{\"tracking_no\":\"1\",\"status\":\"%s\"}", ROWS[i].word);
        cr_expect_eq(rig_one(CARRIER_JSON, body)->nodes[0].status, ROWS[i].status, "%s", ROWS[i].word);
    }
    cr_expect_eq(rig_one(CARRIER_JSON, "{\"tracking_no\":\"1\",\"status\":3}")->nodes[0].status, EXPRESS_DELIVERED);
    const struct carrier_report *r = rig_one(CARRIER_JSON, "{\"tracking_no\":\"1\",\"status\":\"frobnicated\"}");
    cr_expect_str_eq(r->nodes[0].code, "frobnicated", "what the sender calls it is kept");
}

Test(carrier_json, each_mistake_names_its_member)
{
    static const struct {
        const char *body, *detail;
    } ROWS[] = {
        {"", "expected a JSON value"},
        {"[]", "expected a JSON object"},
        {"{\"tracking_no\":\"1\"", "expected , or }"},
        {"{}", "tracking_no: missing"},
        {"{\"status\":\"x\"}", "tracking_no: missing"},
        {"{\"tracking_no\":null,\"status\":\"x\"}", "tracking_no: missing"},
        {"{\"tracking_no\":\"\",\"status\":\"x\"}", "tracking_no: missing"},
        {"{\"tracking_no\":[],\"status\":\"x\"}", "tracking_no: expected a text"},
        {"{\"tracking_no\":\"a b\",\"status\":\"x\"}", "tracking_no: expected a tracking number"},
        {"{\"tracking_no\":\"单号\",\"status\":\"x\"}", "tracking_no: expected a tracking number"},
        {"{\"tracking_no\":\"a';--\",\"status\":\"x\"}", "tracking_no: expected a tracking number"},
        {"{\"tracking_no\":\"1\"}", "status: missing"},
        {"{\"tracking_no\":\"1\",\"status\":\"\"}", "status: missing"},
        {"{\"tracking_no\":\"1\",\"status\":true}", "status: expected a text"},
        {"{\"tracking_no\":\"1\",\"status\":\"x\",\"carrier\":{}}", "carrier: expected a text"},
        {"{\"tracking_no\":\"1\",\"status\":\"x\",\"context\":[]}", "context: expected a text"},
        {"{\"tracking_no\":\"1\",\"tracking_no\":\"2\",\"status\":\"x\"}",
         "tracking_no: the member stands there twice"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        rig_refused(CARRIER_JSON, ROWS[i].body, ROWS[i].detail);
    }
}

Test(carrier_json, lengths_have_ceilings)
{
    char body[8192];
    char text[4096];
    memset(text, 'a', sizeof text);
    (void)snprintf(body, sizeof body, "{\"tracking_no\":\"%.64s\",\"status\":\"x\",\"carrier\":\"%.64s\"}", text, text);
    cr_expect_eq(strlen(rig_one(CARRIER_JSON, body)->tracking_no), 64);
    (void)snprintf(body, sizeof body, "{\"tracking_no\":\"%.65s\",\"status\":\"x\"}", text);
    rig_refused(CARRIER_JSON, body, "tracking_no: expected a text of at most 64 bytes");
    (void)snprintf(body, sizeof body, "{\"tracking_no\":\"1\",\"status\":\"%.65s\"}", text);
    rig_refused(CARRIER_JSON, body, "status: expected a text of at most 64 bytes");
    (void)snprintf(body, sizeof body, "{\"tracking_no\":\"1\",\"status\":\"x\",\"carrier\":\"%.65s\"}", text);
    rig_refused(CARRIER_JSON, body, "carrier: expected a text of at most 64 bytes");
    /* A text is cut between characters: 2047 and one of three bytes do not go into 2048. */
    (void)snprintf(body, sizeof body, "{\"tracking_no\":\"1\",\"status\":\"x\",\"context\":\"%.2047s中%.100s\"}", text,
                   text);
    cr_expect_eq(strlen(rig_one(CARRIER_JSON, body)->nodes[0].context), 2047);
    (void)snprintf(body, sizeof body, "{\"tracking_no\":\"1\",\"status\":\"x\",\"context\":\"%.2045s中%.100s\"}", text,
                   text);
    cr_expect_eq(strlen(rig_one(CARRIER_JSON, body)->nodes[0].context), 2048);
}

Test(carrier_json, depth_and_number_of_values_are_bounded)
{
    char body[1024] = "{\"tracking_no\":\"1\",\"status\":\"x\",\"more\":";
    memset(body + strlen(body), '[', 200);
    rig_refused(CARRIER_JSON, body, "more");
    cr_expect_not_null(strstr(rig.detail, "nested too deep"), "%s", rig.detail);
}

Test(carrier_json, a_nodes_hash_is_of_what_it_says)
{
    static const char *const OTHERS[] = {
        "{\"tracking_no\":\"2\",\"status\":\"x\",\"context\":\"c\",\"time\":1770343200}",
        "{\"tracking_no\":\"1\",\"status\":\"y\",\"context\":\"c\",\"time\":1770343200}",
        "{\"tracking_no\":\"1\",\"status\":\"x\",\"context\":\"d\",\"time\":1770343200}",
        "{\"tracking_no\":\"1\",\"status\":\"x\",\"context\":\"c\",\"time\":1770343201}",
        "{\"tracking_no\":\"1\",\"status\":\"xc\",\"context\":\"\",\"time\":1770343200}"};
    unsigned char first[CARRIER_HASH_BYTES];
    const char *body = "{\"tracking_no\":\"1\",\"status\":\"x\",\"context\":\"c\",\"time\":1770343200}";
    memcpy(first, rig_one(CARRIER_JSON, body)->nodes[0].hash, sizeof first);
    cr_expect_arr_eq(rig_one(CARRIER_JSON,
                             "{\"time\":\"2026-02-06 10:00:00\",\"context\":\" c \",\"carrier\":\"other\","
                             "\"status\":\"x\",\"tracking_no\":\"1\"}")
                         ->nodes[0]
                         .hash,
                     first, sizeof first, "the same, told in other words");
    for (size_t i = 0; i < ARRAY_SIZE(OTHERS); i++) {
        cr_expect_neq(memcmp(rig_one(CARRIER_JSON, OTHERS[i])->nodes[0].hash, first, sizeof first), 0, "%s", OTHERS[i]);
    }
}
