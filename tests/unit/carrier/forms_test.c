/* SPDX-License-Identifier: Apache-2.0 */
/* SF, KDNiao and Cainiao; calls of our own in every form; answers. */
#include "rig.h"

TestSuite(carrier_forms, .init = rig_setup, .fini = rig_teardown);

#define NEW_S 1770343200 /* 2026-02-06 10:00:00 in China */

/* ----------------------------------------------------------------------------------------------------------- SF */

#define ROUTE(no, time, remark, code)                                                                       \
    "{\"mailno\":\"" no "\",\"acceptTime\":\"" time "\",\"remark\":\"" remark "\",\"opCode\":\"" code "\"," \
    "\"acceptAddress\":\"深圳市\",\"id\":\"1\",\"orderid\":\"o\",\"reasonCode\":\"\",\"reasonName\":\"\"}"

Test(carrier_forms, sf_says_what_is_new_of_several_parcels)
{
    cr_assert(rig_read(CARRIER_SF,
                       "{\"Body\":{\"WaybillRoute\":[" ROUTE("SF1", "2026-02-06 10:00:00", "已签收", "80") "," ROUTE(
                           "SF2", "2026-02-06 10:00:00", "已收件", "50") "," ROUTE("SF1", "2026-02-06 09:00:00",
                                                                                   "正在派送途中", "44") "]}}",
                       NULL),
              "%s", rig.detail);
    cr_assert_eq(rig.call.n_reports, 2);
    const struct carrier_report *r = rig.call.reports;
    cr_expect_str_eq(r[0].tracking_no, "SF1");
    cr_expect(!r[0].full && !r[0].whole);
    cr_assert_eq(r[0].n_nodes, 2);
    rig_node(&r[0].nodes[0], NEW_S - 3600, EXPRESS_OUT_FOR_DELIVERY, "44", "正在派送途中");
    rig_node(&r[0].nodes[1], NEW_S, EXPRESS_DELIVERED, "80", "已签收");
    cr_expect_str_eq(r[1].tracking_no, "SF2");
    rig_node(&r[1].nodes[0], NEW_S, EXPRESS_COLLECTED, "50", "已收件");
}

Test(carrier_forms, sf_as_xml_says_the_same)
{
    unsigned char hash[CARRIER_HASH_BYTES];
    const struct carrier_report *r = rig_one(
        CARRIER_SF, "{\"Body\":{\"WaybillRoute\":" ROUTE("SF1", "2026-02-06 10:00:00", "a&b <c> 中", "80") "}}");
    memcpy(hash, r->nodes[0].hash, sizeof hash);
    r = rig_one(CARRIER_SF,
                "<?xml version='1.0' encoding='UTF-8'?>\n<Request service=\"RoutePushService\" lang=\"zh-CN\">"
                "<!-- one --><Body><WaybillRoute id=\"1\" mailno='SF1' acceptTime=\"2026-02-06 10:00:00\" "
                "remark=\"a&amp;b &lt;c&gt; &#20013;\" opCode=\"80\"/></Body></Request>\n");
    rig_node(&r->nodes[0], NEW_S, EXPRESS_DELIVERED, "80", "a&b <c> 中");
    cr_expect_arr_eq(r->nodes[0].hash, hash, sizeof hash);
}

Test(carrier_forms, sf_codes_that_no_table_has_are_read_from_the_text_or_unknown)
{
    const struct carrier_report *r = rig_one(
        CARRIER_SF, "{\"Body\":{\"WaybillRoute\":" ROUTE("SF1", "2026-02-06 10:00:00", "快件已签收", "77777") "}}");
    rig_node(&r->nodes[0], NEW_S, EXPRESS_DELIVERED, "77777", "快件已签收");
    r = rig_one(CARRIER_SF, "{\"Body\":{\"WaybillRoute\":" ROUTE("SF1", "2026-02-06 10:00:00", "什么", "77777") "}}");
    rig_node(&r->nodes[0], NEW_S, EXPRESS_UNKNOWN, "77777", "什么");
}

Test(carrier_forms, sf_mistakes)
{
    static const struct {
        const char *body, *detail;
    } ROWS[] = {
        {"", "content: expected a JSON value"},
        {"{}", "WaybillRoute: missing"},
        {"{\"Body\":{\"WaybillRoute\":[]}}", "WaybillRoute: missing"},
        {"{\"Body\":{\"WaybillRoute\":[1]}}", "WaybillRoute: mailno: missing"},
        {"{\"Body\":{\"WaybillRoute\":[{\"mailno\":\"a b\"}]}}", "WaybillRoute: mailno: expected a tracking number"},
        {"<Response/>", "content: expected an element Request"},
        {"<Request service='OrderService'><Body/></Request>", "service: expected RoutePushService"},
        {"<Request service='RoutePushService'><Body/></Request>", "WaybillRoute: missing"},
        {"<Request service='RoutePushService'><Body><WaybillRoute/></Body></Request>", "WaybillRoute: mailno: missing"},
        {"<Request><Body></Request>", "content: XML, at byte"},
        {"<!DOCTYPE x [<!ENTITY a 'b'>]><Request/>", "content: XML, at byte"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        rig_refused(CARRIER_SF, ROWS[i].body, ROWS[i].detail);
    }
    const struct carrier_report *r =
        rig_one(CARRIER_SF, "{\"Body\":{\"WaybillRoute\":[" ROUTE("SF1", "2999-02-06 10:00:00", "x", "80") "," ROUTE(
                                "SF1", "2026-02-06 10:00:00", "y", "80") "]}}");
    cr_expect_eq(r->n_bad, 1);
    cr_expect_eq(r->n_nodes, 1);
    cr_expect(strncmp(r->bad_detail, "WaybillRoute[0].acceptTime: expected", 36) == 0, "%s", r->bad_detail);
}

static const char *routes(size_t n, size_t parcels, struct buf *out)
{
    buf_init(out, (size_t)1 << 20);
    (void)buf_puts(out, "{\"Body\":{\"WaybillRoute\":[");
    for (size_t i = 0; i < n; i++) {
        (void)buf_printf(out, "%s{\"mailno\":\"SF%zu\",\"acceptTime\":\"%zu\",\"opCode\":\"50\"}", i == 0 ? "" : ",",
                         i % parcels, (size_t)1770000000 + i);
    }
    (void)buf_puts(out, "]}}");
    return buf_str(out);
}

Test(carrier_forms, a_call_has_ceilings_of_nodes_and_parcels)
{
    CLEANUP(buf_done) struct buf body;
    cr_assert(rig_read(CARRIER_SF, routes(1000, 100, &body), NULL), "%s", rig.detail);
    cr_expect_eq(rig.call.n_reports, 100);
    cr_expect_eq(rig.call.reports[99].n_nodes, 10);
    buf_done(&body);
    rig_refused(CARRIER_SF, routes(1001, 100, &body), "WaybillRoute: 1001 nodes, expected at most 1000");
    buf_done(&body);
    rig_refused(CARRIER_SF, routes(101, 101, &body), "WaybillRoute: more than 100 parcels");
}

/* ------------------------------------------------------------------------------------------------------- KDNiao */

#define TRACE(time, text, more) "{\"AcceptTime\":\"" time "\",\"AcceptStation\":\"" text "\"" more "}"
#define PARCEL(no, state, traces)                                           \
    "{\"EBusinessID\":\"1\",\"ShipperCode\":\"YTO\",\"LogisticCode\":\"" no \
    "\",\"Success\":true,\"Reason\":\"\"" state ",\"Traces\":[" traces "]}"
#define KDNIAO(parcels) \
    "{\"EBusinessID\":\"1\",\"Count\":\"1\",\"PushTime\":\"2026-02-06 10:00:00\",\"Data\":[" parcels "]}"

Test(carrier_forms, kdniao_says_the_whole_history_of_each_parcel)
{
    cr_assert(rig_read(CARRIER_KDNIAO,
                       KDNIAO(PARCEL(
                           "YT1", ",\"State\":\"3\"",
                           TRACE("2026-02-06 09:00:00", "已揽收", "") "," TRACE(
                               "2026-02-06 10:00:00", "x",
                               "")) "," PARCEL("YT2", ",\"State\":\"2\",\"StateEx\":\"202\"",
                                               TRACE("2026-02-06 09:00:00", "a", ",\"Action\":\"201\"") "," TRACE(
                                                   "2026-02-06 10:00:00", "b",
                                                   ",\"Action\":\"412\"")) "," PARCEL("YT3", ",\"State\":\"0\"", "")),
                       "101"),
              "%s", rig.detail);
    cr_assert_eq(rig.call.n_reports, 3);
    const struct carrier_report *r = rig.call.reports;
    cr_expect(r[0].full && !r[0].whole);
    cr_expect_str_eq(r[0].carrier, "YTO");
    rig_node(&r[0].nodes[0], NEW_S - 3600, EXPRESS_COLLECTED, NULL, "已揽收");
    rig_node(&r[0].nodes[1], NEW_S, EXPRESS_DELIVERED, "3", "x");
    rig_node(&r[1].nodes[0], NEW_S - 3600, EXPRESS_IN_TRANSIT, "201", "a");
    rig_node(&r[1].nodes[1], NEW_S, EXPRESS_EXCEPTION, "412", "b");
    cr_expect_eq(r[2].n_nodes, 0);
}

Test(carrier_forms, kdniao_states)
{
    static const struct {
        const char *state;
        enum express_status status;
    } ROWS[] = {{"0", EXPRESS_UNKNOWN},      {"1", EXPRESS_COLLECTED},          {"2", EXPRESS_IN_TRANSIT},
                {"201", EXPRESS_IN_TRANSIT}, {"202", EXPRESS_OUT_FOR_DELIVERY}, {"211", EXPRESS_OUT_FOR_DELIVERY},
                {"3", EXPRESS_DELIVERED},    {"301", EXPRESS_DELIVERED},        {"311", EXPRESS_DELIVERED},
                {"4", EXPRESS_EXCEPTION},    {"404", EXPRESS_EXCEPTION},        {"406", EXPRESS_RETURNED},
                {"412", EXPRESS_EXCEPTION},  {"5", EXPRESS_IN_TRANSIT},         {"6", EXPRESS_CUSTOMS},
                {"77", EXPRESS_UNKNOWN}};
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        char body[512];
        (void)snprintf(body, sizeof body,
                       KDNIAO(PARCEL("YT1", ",\"StateEx\":\"%s\"", TRACE("2026-02-06 10:00:00", "x", ""))),
                       ROWS[i].state);
        cr_expect_eq(rig_one(CARRIER_KDNIAO, body)->nodes[0].status, ROWS[i].status, "%s", ROWS[i].state);
    }
}

Test(carrier_forms, kdniao_messages_about_other_things_say_nothing_of_parcels)
{
    cr_expect(rig_read(CARRIER_KDNIAO, "{\"Data\":1}", "107"));
    cr_expect_eq(rig.call.n_reports, 0);
    cr_expect_not(rig_read(CARRIER_KDNIAO, "{\"Data\":1}", "102"));
    rig_refused(CARRIER_KDNIAO, "{}", "Data: missing");
    rig_refused(CARRIER_KDNIAO, "[]", "RequestData: expected a JSON object");
    rig_refused(CARRIER_KDNIAO, KDNIAO("1"), "Data[0]: expected an object");
    rig_refused(CARRIER_KDNIAO, KDNIAO("{}"), "Data[0].LogisticCode: missing");
    rig_refused(CARRIER_KDNIAO, KDNIAO(PARCEL("Y", "", "") "," PARCEL("a b", "", "")),
                "Data[1].LogisticCode: expected a tracking number");
    const struct carrier_report *r = rig_one(
        CARRIER_KDNIAO,
        KDNIAO(PARCEL("Y", ",\"State\":\"3\"", TRACE("2026-02-06 10:00:00", "x", "") "," TRACE("soon", "y", ""))));
    cr_expect_eq(r->n_bad, 1);
    cr_expect_str_eq(r->bad_detail,
                     "Data[0].Traces[1].AcceptTime: expected a time from 2000 on, at most a day ahead, not \"soon\"");
    rig_node(&r->nodes[0], NEW_S, EXPRESS_IN_TRANSIT, NULL, "x");
}

/* ------------------------------------------------------------------------------------------------------ Cainiao */

Test(carrier_forms, cainiao_in_its_shapes)
{
    static const char *const ROWS[] = {
        "{\"mailNo\":\"YT1\",\"cpCode\":\"YTO\",\"logisticsStatus\":\"SIGN\",\"logisticsGmtModified\":"
        "\"2026-02-06 10:00:00\",\"lastLogisticDetail\":\"ok\"}",
        "{\"mailNo\":\"YT1\",\"cpCode\":\"YTO\",\"traces\":[{\"time\":\"2026-02-06 10:00:00\",\"action\":\"SIGN\","
        "\"desc\":\"ok\"}]}",
        "{\"traces\":[{\"mailNo\":\"YT1\",\"cpCode\":\"YTO\",\"time\":\"2026-02-06 10:00:00\",\"action\":\"SIGN\","
        "\"desc\":\"ok\"}]}",
        "{\"logisticsEvent\":{\"eventHeader\":{},\"eventBody\":{\"mailNo\":\"YT1\",\"cpCode\":\"YTO\",\"traceList\":["
        "{\"time\":\"1770343200000\",\"action\":\"SIGN\",\"desc\":\"ok\"}]}}}",
        "{\"parcels\":[{\"mailNo\":\"YT1\",\"cpCode\":\"YTO\",\"traces\":[{\"time\":\"2026-02-06 10:00:00\",\"action\":"
        "\"SIGN\",\"desc\":\"ok\"}]}]}",
        "<request><mailNo>YT1</mailNo><cpCode>YTO</cpCode><traces><trace><time>2026-02-06 10:00:00</time>"
        "<action>SIGN</action><desc><![CDATA[ok]]></desc></trace></traces></request>",
    };
    unsigned char hash[CARRIER_HASH_BYTES];
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        const struct carrier_report *r = rig_one(CARRIER_CAINIAO, ROWS[i]);
        cr_expect_str_eq(r->tracking_no, "YT1");
        cr_expect_str_eq(r->carrier, "YTO");
        cr_expect(!r->full);
        cr_assert_eq(r->n_nodes, 1, "%s", ROWS[i]);
        rig_node(&r->nodes[0], NEW_S, EXPRESS_DELIVERED, "SIGN", "ok");
        if (i == 0) {
            memcpy(hash, r->nodes[0].hash, sizeof hash);
        }
        cr_expect_arr_eq(r->nodes[0].hash, hash, sizeof hash, "%s", ROWS[i]);
    }
    rig_refused(CARRIER_CAINIAO, "{\"orderCode\":\"1\"}", "mailNo: missing");
    rig_refused(CARRIER_CAINIAO, "<request><a>", "logistics_interface: XML, at byte");
    rig_refused(CARRIER_CAINIAO, "x", "logistics_interface: expected a JSON value");
}

/* --------------------------------------------------------------------------------------- making calls, answers */

Test(carrier_forms, what_is_made_is_read_again)
{
    for (int form = 0; form < CARRIER_FORMS; form++) {
        for (int status = EXPRESS_COLLECTED; status < EXPRESS_STATUSES; status++) {
            for (int xml = 0; xml < 2; xml++) {
                CLEANUP(buf_done) struct buf content;
                struct carrier_node nodes[] = {
                    {.at_us = (int64_t)(NEW_S - 60) * 1000000,
                     .status = EXPRESS_COLLECTED,
                     .context = "a \"b\" & <c> 中"},
                    {.at_us = (int64_t)NEW_S * 1000000, .status = (enum express_status)status, .context = "b"}};
                const struct carrier_saying saying = {.tracking_no = "YT1",
                                                      .carrier = "YTO",
                                                      .xml = xml == 1,
                                                      .nodes = nodes,
                                                      .n_nodes = 2,
                                                      .now_s = NOW};
                buf_init(&content, 65536);
                carrier_make((enum carrier_form)form, &saying, &content);
                const struct carrier_report *r = rig_one((enum carrier_form)form, buf_str(&content));
                cr_assert_eq(r->n_nodes, form == CARRIER_JSON ? 1 : 2);
                cr_expect_eq(r->nodes[r->n_nodes - 1].status, (enum express_status)status, "%s %s", buf_str(&content),
                             express_status_name((enum express_status)status));
                cr_expect_str_eq(r->nodes[0].context, form == CARRIER_JSON ? "b" : "a \"b\" & <c> 中");
            }
        }
    }
}

Test(carrier_forms, answers_are_the_carriers_own)
{
    static const struct {
        enum carrier_form form;
        bool xml;
        const char *stored, *refused;
    } ROWS[] = {
        {CARRIER_JSON, false, "{\"ok\":true}", "{\"ok\":false}"},
        {CARRIER_KUAIDI100, false, "{\"result\":true,\"returnCode\":\"200\",\"message\":\"成功\"}",
         "{\"result\":false,\"returnCode\":\"500\",\"message\":\"失败\"}"},
        {CARRIER_SF, false, "{\"return_code\":\"0000\",\"return_msg\":\"成功\"}",
         "{\"return_code\":\"1000\",\"return_msg\":\"系统异常\"}"},
        {CARRIER_SF, true,
         "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response service=\"RoutePushService\"><Head>OK</Head></Response>",
         "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response service=\"RoutePushService\"><Head>ERR</Head>"
         "<ERROR code=\"4001\">系统发生数据错误或运行时异常</ERROR></Response>"},
        {CARRIER_KDNIAO, false,
         "{\"EBusinessID\":\"1151847\",\"UpdateTime\":\"2026-02-07 01:46:40\",\"Success\":true,\"Reason\":\"\"}",
         "{\"EBusinessID\":\"1151847\",\"UpdateTime\":\"2026-02-07 01:46:40\",\"Success\":false,\"Reason\":\"失败\"}"},
        {CARRIER_CAINIAO, false, "{\"success\":true,\"errorCode\":\"\",\"errorMsg\":\"\"}",
         "{\"success\":false,\"errorCode\":\"S07\",\"errorMsg\":\"refused\"}"},
        {CARRIER_CAINIAO, true,
         "<response><success>true</success><errorCode></errorCode><errorMsg></errorMsg></response>",
         "<response><success>false</success><errorCode>S07</errorCode><errorMsg>refused</errorMsg></response>"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        const struct carrier_echo echo = {.xml = ROWS[i].xml, .party = "1151847", .now_s = NOW};
        const char *type = NULL;
        cr_expect_str_eq(carrier_answer(ROWS[i].form, true, &echo, &rig.arena, &type), ROWS[i].stored);
        cr_expect_str_eq(type, ROWS[i].xml ? "text/xml; charset=utf-8" : "application/json");
        cr_expect_str_eq(carrier_answer(ROWS[i].form, false, &echo, &rig.arena, &type), ROWS[i].refused);
    }
}

Test(carrier_forms, forms_have_names_of_their_own)
{
    for (int form = 0; form < CARRIER_FORMS; form++) {
        cr_expect_eq(carrier_form_find(carrier_form_name((enum carrier_form)form)), form);
    }
    cr_expect_eq(carrier_form_find("ups"), -1);
    cr_expect(carrier_party_ok("1151847") && !carrier_party_ok("") && !carrier_party_ok("a\"b") &&
              !carrier_party_ok("123456789012345678901234567890123"));
}
