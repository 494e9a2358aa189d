/* SPDX-License-Identifier: Apache-2.0 */
/* Carriers' accounts and calls: every reason to accept and to refuse, and what each is answered. */
#include "channel/express.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "express_vectors.h"
#include "support/channel_rig.h"

#define NOW 1770400000 /* 2026-02-06T17:46:40Z */
#define FORM_KUAIDI100 KUAIDI100_PARAM "&sign=" KUAIDI100_SIGN
#define SUCCESS_KUAIDI100 "{\"result\":true,\"returnCode\":\"200\",\"message\":\"成功\"}"
#define OWN_BODY "{\"tracking_no\":\"YT1\",\"status\":\"delivered\",\"time\":\"2026-02-06 10:00:00\"}"

static struct rig rig;

static void setup(void)
{
    struct err err = {0};
    rig_begin(&rig);
    rig_put(&rig, "salt", "the-salt\r\n", 0600);
    rig_put(&rig, "accounts.json",
            "{\"express\":{\"kd\":{\"form\":\"kuaidi100\",\"salt_file\":\"salt\"},"
            "\"open\":{\"form\":\"kuaidi100\"},"
            "\"gbk\":{\"form\":\"kuaidi100\",\"salt_file\":\"salt\",\"charset\":\"GBK\"},"
            "\"bird\":{\"form\":\"kdniao\",\"salt_file\":\"salt\"},"
            "\"link\":{\"form\":\"cainiao\",\"salt_file\":\"salt\"},"
            "\"sf\":{\"form\":\"sf\",\"ip_allow_file\":\"nets\",\"ip_policy\":\"enforce\"},"
            "\"sfopen\":{\"form\":\"sf\"},"
            "\"json\":{\"form\":\"json\",\"ip_allow_file\":\"nets\"}}}",
            0644);
    cr_assert_eq(accounts_read(rig_path(&rig, "accounts.json"), &rig.accounts, &err), RC_OK, "%s", err.text);
}

static void teardown(void)
{
    rig_done(&rig);
}

TestSuite(express, .init = setup, .fini = teardown);

static const struct verdict *judge_n(const char *account, const char *body, size_t n, const char *address)
{
    const struct account *a =
        account == NULL ? channel_express_own() : accounts_find(rig.accounts, CHANNEL_EXPRESS, account);
    const struct capture c = {.body = body, .body_n = n, .address = address};
    cr_assert_not_null(a, "%s", account);
    (void)channel_verify(a, &c, NOW, &rig.arena, &rig.v);
    channel_answer(a, &rig.v, &rig.arena, &rig.answer);
    return &rig.v;
}

static const struct verdict *judge(const char *account, const char *body)
{
    return judge_n(account, body, strlen(body), "203.0.113.7");
}

/* One parcel that was delivered, told by somebody who has the salt or not. */
static void accepted(const char *account, const char *body, bool genuine, const char *answer)
{
    const struct verdict *v = judge(account, body);
    cr_assert_eq(v->reason, REASON_OK, "%s: %s", body, v->detail);
    cr_expect_eq(v->genuine, genuine, "%s", body);
    cr_assert(v->express != NULL && v->express->n_reports == 1);
    const struct carrier_report *r = &v->express->reports[0];
    cr_expect(strcmp(r->tracking_no, "YT1") == 0 || strcmp(r->tracking_no, "SF1") == 0);
    cr_assert_eq(r->n_nodes, 1);
    cr_expect_eq(r->nodes[0].status, EXPRESS_DELIVERED);
    cr_expect_eq(r->nodes[0].at_us, 1770343200000000);
    cr_expect_eq(rig.answer.status, 200);
    cr_expect_str_eq(rig.answer.body, answer);
}

static void refused(const char *account, const char *body, enum channel_reason reason, const char *detail)
{
    const struct verdict *v = judge(account, body);
    cr_expect_str_eq(reason_name(v->reason), reason_name(reason), "%.100s: %s", body, v->detail);
    cr_expect_not_null(strstr(v->detail, detail), "%.100s: %s", body, v->detail);
    cr_expect_null(v->express);
    cr_expect_geq(rig.answer.status, 400);
}

Test(express, each_carriers_call_is_accepted_and_answered_its_way)
{
    accepted("kd", FORM_KUAIDI100, true, SUCCESS_KUAIDI100);
    accepted("kd", "sign=" KUAIDI100_SIGN "&" KUAIDI100_PARAM "&more=1", true, SUCCESS_KUAIDI100);
    accepted("open", FORM_KUAIDI100, false, SUCCESS_KUAIDI100);
    accepted("open", KUAIDI100_PARAM, false, SUCCESS_KUAIDI100);
    accepted("open", KUAIDI100_PARAM "&sign=wrong", false, SUCCESS_KUAIDI100);
    accepted("bird", KDNIAO_DATA "&DataSign=" KDNIAO_HEX, true,
             "{\"EBusinessID\":\"1151847\",\"UpdateTime\":\"2026-02-07 01:46:40\",\"Success\":true,\"Reason\":\"\"}");
    accepted("bird", KDNIAO_DATA "&DataSign=" KDNIAO_RAW, true,
             "{\"EBusinessID\":\"1151847\",\"UpdateTime\":\"2026-02-07 01:46:40\",\"Success\":true,\"Reason\":\"\"}");
    accepted("link", CAINIAO_DATA "&data_digest=" CAINIAO_SIGN, true,
             "{\"success\":true,\"errorCode\":\"\",\"errorMsg\":\"\"}");
    accepted(
        "sf", SF_XML, false,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response service=\"RoutePushService\"><Head>OK</Head></Response>");
    cr_expect_str_eq(rig.answer.content_type, "text/xml; charset=utf-8");
    accepted(
        "sf",
        " {\"Body\":{\"WaybillRoute\":{\"mailno\":\"SF1\",\"opCode\":\"80\",\"acceptTime\":\"2026-02-06 10:00:00\"}}}",
        false, "{\"return_code\":\"0000\",\"return_msg\":\"成功\"}");
    accepted("json", OWN_BODY, false, "{\"ok\":true}");
    accepted(NULL, OWN_BODY, false, "{\"ok\":true}");
}

Test(express, other_charsets_are_read_after_their_signature)
{
    accepted("gbk", KUAIDI100_GBK_PARAM "&sign=" KUAIDI100_GBK_SIGN, true, SUCCESS_KUAIDI100);
    cr_expect_str_eq(rig.v.express->reports[0].nodes[0].context, "已签收, 张三");
    accepted(
        "sfopen", SF_XML_GBK, false,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response service=\"RoutePushService\"><Head>OK</Head></Response>");
    cr_expect_str_eq(rig.v.express->reports[0].nodes[0].context, "已签收");
    refused("kd", KUAIDI100_GBK_PARAM "&sign=" KUAIDI100_GBK_SIGN, REASON_BODY_MALFORMED,
            "param: has bytes that are not UTF-8");
    cr_expect(rig.v.genuine, "the signature was looked at first");
    refused("gbk", KUAIDI100_GBK_PARAM "&sign=" KUAIDI100_SIGN, REASON_SIG_INVALID, "sign: does not fit");
    refused("sfopen", SF_XML_OTHER, REASON_BODY_MALFORMED, "content: declares a charset that is none of");
    refused(NULL, "{\"tracking_no\":\"1\",\"status\":\"\xff\"}", REASON_BODY_MALFORMED,
            "body: has bytes that are not UTF-8");
}

Test(express, signatures_that_are_missing_or_wrong)
{
    refused("kd", KUAIDI100_PARAM, REASON_SIG_INVALID, "sign: missing, and the account has a salt");
    cr_expect_eq(rig.answer.status, 401);
    cr_expect_str_eq(rig.answer.body, "{\"result\":false,\"returnCode\":\"500\",\"message\":\"失败\"}");
    refused("kd", KUAIDI100_PARAM "&sign=", REASON_SIG_INVALID, "sign: missing");
    refused("kd", KUAIDI100_PARAM "&sign=00000000000000000000000000000000", REASON_SIG_INVALID, "sign: does not fit");
    refused("kd",
            "param="
            "%7B%7D"
            "&sign=" KUAIDI100_SIGN,
            REASON_SIG_INVALID, "sign: does not fit");
    refused("kd", "param=not+json&sign=" KUAIDI100_SIGN, REASON_SIG_INVALID, "sign: does not fit");
    refused("bird", KDNIAO_DATA, REASON_SIG_INVALID, "DataSign: missing");
    cr_expect_str_eq(rig.answer.body,
                     "{\"EBusinessID\":\"1151847\",\"UpdateTime\":\"2026-02-07 01:46:40\",\"Success\":false,"
                     "\"Reason\":\"失败\"}");
    refused("bird", KDNIAO_DATA "&DataSign=" CAINIAO_SIGN, REASON_SIG_INVALID, "DataSign: does not fit");
    refused("link", CAINIAO_DATA, REASON_SIG_INVALID, "data_digest: missing");
    refused("link", CAINIAO_DATA "&data_digest=" KDNIAO_HEX, REASON_SIG_INVALID, "data_digest: does not fit");
}

Test(express, calls_that_are_not_of_the_form)
{
    refused("kd", "", REASON_BODY_MALFORMED, "param: missing, expected a form with this parameter");
    refused("kd", "param=&sign=x", REASON_BODY_MALFORMED, "param: missing");
    refused("kd", "{\"status\":\"polling\"}", REASON_BODY_MALFORMED, "parameter 1: expected a name");
    refused("kd", FORM_KUAIDI100 "&sign=x", REASON_PARAM_DUP, "sign: stands there twice");
    refused("kd", "param=%zz&sign=x", REASON_BODY_MALFORMED, "param: a broken %");
    refused("open", "param=%7B", REASON_BODY_MALFORMED, "param: ");
    refused("open", "param=%7B%7D", REASON_BODY_MALFORMED, "lastResult: missing");
    refused("sf", "x=1", REASON_BODY_MALFORMED, "content: missing");
    refused("sf", "content=%3CRequest", REASON_BODY_MALFORMED, "content: XML");
    cr_expect_not_null(strstr(rig.answer.body, "<Head>ERR</Head>"));
    refused("link", "msg_type=x", REASON_BODY_MALFORMED, "logistics_interface: missing");
    refused("json", "tracking_no=1", REASON_BODY_MALFORMED, "expected a JSON value");
    cr_expect_eq(rig.answer.status, 400);
    refused(NULL, "{\"tracking_no\":\"a b\",\"status\":\"x\"}", REASON_BODY_MALFORMED,
            "tracking_no: expected a tracking number");
    cr_expect_str_eq(rig.answer.body,
                     "{\"ok\":false,\"message\":\"tracking_no: expected a tracking number, 1 to 64 of A-Z "
                     "a-z 0-9 . _ -\",\"reason\":\"body_malformed\"}");
    (void)judge_n("sfopen", "{\"a\":\0}", 7, NULL);
    cr_expect_str_eq(rig.v.detail, "content: has a NUL in it");
}

Test(express, addresses_and_sizes_are_looked_at_first)
{
    const struct verdict *v = judge_n("sf", SF_XML, strlen(SF_XML), "192.0.2.1");
    cr_expect_eq(v->reason, REASON_IP_REFUSED);
    cr_expect_eq(rig.answer.status, 403);
    v = judge_n("json", OWN_BODY, strlen(OWN_BODY), "192.0.2.1");
    cr_expect(v->reason == REASON_OK && !v->listed, "only counted");
    CLEANUP(freep) char *large = xcalloc(1, CHANNEL_EXPRESS_BYTES_MAX + 1);
    memset(large, ' ', CHANNEL_EXPRESS_BYTES_MAX + 1);
    cr_expect_eq(judge_n("json", large, CHANNEL_EXPRESS_BYTES_MAX, NULL)->reason, REASON_BODY_MALFORMED);
    cr_expect_eq(judge_n("json", large, CHANNEL_EXPRESS_BYTES_MAX + 1, NULL)->reason, REASON_TOO_LARGE);
    cr_expect_eq(rig.answer.status, 413);
}

/* ----------------------------------------------------------------------------------------------------- answers */

Test(express, no_refusal_has_a_status_or_the_words_of_a_success)
{
    static const struct {
        const char *account;
        bool xml;
        const char *words[3];
    } ROWS[] = {{"kd", false, {"true", "\"200\"", "成功"}}, {"bird", false, {"true", "成功", NULL}},
                {"link", false, {"true", NULL, NULL}},      {"link", true, {"true", NULL, NULL}},
                {"sf", false, {"0000", "成功", "OK"}},      {"sf", true, {"OK", "0000", "成功"}},
                {"json", false, {"true", NULL, NULL}},      {NULL, false, {"true", NULL, NULL}}};
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        const struct account *a = ROWS[i].account == NULL
                                      ? channel_express_own()
                                      : accounts_find(rig.accounts, CHANNEL_EXPRESS, ROWS[i].account);
        const struct carrier_echo echo = {.xml = ROWS[i].xml, .now_s = NOW};
        for (int reason = 0; reason < REASONS_N; reason++) {
            struct verdict v = {.reason = (enum channel_reason)reason, .echo = i % 2 == 0 ? &echo : NULL};
            v.echo = ROWS[i].xml ? &echo : v.echo;
            channel_answer(a, &v, &rig.arena, &rig.answer);
            bool unknown = ROWS[i].account == NULL && reason == REASON_UNKNOWN_WAYBILL;
            bool stored = reason_acknowledged((enum channel_reason)reason) && !unknown;
            cr_expect_eq(rig.answer.status == 200, stored, "%s %s: %u", a->name,
                         reason_name((enum channel_reason)reason), rig.answer.status);
            cr_expect(stored || (rig.answer.status >= 400 && rig.answer.status < 600));
            for (size_t k = 0; k < 3 && ROWS[i].words[k] != NULL && !stored; k++) {
                cr_expect_null(strstr(rig.answer.body, ROWS[i].words[k]), "%s %s: %s", a->name,
                               reason_name((enum channel_reason)reason), rig.answer.body);
            }
        }
    }
}

Test(express, the_route_without_an_account_says_404_and_502)
{
    struct verdict v = {.reason = REASON_UNKNOWN_WAYBILL};
    channel_answer(channel_express_own(), &v, &rig.arena, &rig.answer);
    cr_expect_eq(rig.answer.status, 404);
    cr_expect_str_eq(rig.answer.body, "{\"ok\":false,\"message\":\"waybill not found\"}");
    v = (struct verdict){.reason = REASON_UNAVAILABLE};
    channel_answer(channel_express_own(), &v, &rig.arena, &rig.answer);
    cr_expect_eq(rig.answer.status, 502);
    cr_expect_str_eq(rig.answer.body, "{\"ok\":false,\"message\":\"the database is away\",\"reason\":\"unavailable\"}");
    channel_answer(accounts_find(rig.accounts, CHANNEL_EXPRESS, "kd"), &v, &rig.arena, &rig.answer);
    cr_expect_eq(rig.answer.status, 503);
    v = (struct verdict){.reason = REASON_UNKNOWN_WAYBILL};
    channel_answer(accounts_find(rig.accounts, CHANNEL_EXPRESS, "json"), &v, &rig.arena, &rig.answer);
    cr_expect_eq(rig.answer.status, 200);
}

/* ---------------------------------------------------------------------------------------------------- accounts */

Test(express, each_mistake_of_an_account_names_its_member)
{
    static const struct {
        const char *members, *message;
    } ROWS[] = {
        {"", "form: the member is missing"},
        {"\"form\":\"ups\"", "form: expected json, kuaidi100, sf, kdniao or cainiao"},
        {"\"form\":\"kuaidi100\",\"salt\":\"x\"", "salt: there is no such member here"},
        {"\"form\":\"kuaidi100\",\"charset\":\"latin-1\"", "charset: expected UTF-8, GBK or GB18030"},
        {"\"form\":\"kuaidi100\",\"salt_file\":\"nothing\"", "express.a.salt_file: nothing: No such file"},
        {"\"form\":\"kuaidi100\",\"salt_file\":\"loose\"",
         "express.a.salt_file: loose holds a secret and has the mode 644"},
        {"\"form\":\"kuaidi100\",\"salt_file\":\"empty\"",
         "express.a.salt_file: empty: expected one line of 1 to 256 bytes"},
        {"\"form\":\"kuaidi100\",\"salt_file\":\"lines\"",
         "express.a.salt_file: lines: expected one line of 1 to 256 bytes"},
        {"\"form\":\"kuaidi100\",\"salt_file\":\"long\"",
         "express.a.salt_file: long: expected one line of 1 to 256 bytes"},
        {"\"form\":\"sf\",\"salt_file\":\"salt\"", "express.a.salt_file: the form sf has no signatures"},
        {"\"form\":\"json\",\"salt_file\":\"salt\"", "express.a.salt_file: the form json has no signatures"},
        {"\"form\":\"sf\",\"ip_policy\":\"enforce\"", "express.a.ip_policy: enforce needs ip_allow_file"},
    };
    char longest[300];
    memset(longest, 'a', 257);
    longest[257] = '\0';
    rig_put(&rig, "loose", "x\n", 0644);
    rig_put(&rig, "empty", "\n", 0600);
    rig_put(&rig, "lines", "a\nb\n", 0600);
    rig_put(&rig, "long", longest, 0600);
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        char json[512];
        struct err err = {0};
        struct accounts *accounts = NULL;
        (void)snprintf(json, sizeof json, "{\"express\":{\"a\":{%s}}}", ROWS[i].members);
        rig_put(&rig, "bad.json", json, 0644);
        cr_expect_eq(accounts_read(rig_path(&rig, "bad.json"), &accounts, &err), RC_FATAL, "%s", json);
        cr_expect_str_eq(err.code, ERR_CONFIG);
        cr_expect_not_null(strstr(err.text, ROWS[i].message), "%s: %s", json, err.text);
    }
}

static void count(void *opaque, const struct account *account, bool wrong, const char *text)
{
    char *all = opaque;
    size_t n = strlen(all);
    (void)snprintf(all + n, 4096 - n, "%s%s: %s\n", wrong ? "!" : "", account->name, text);
}

Test(express, accounts_without_a_signature_are_warned_of)
{
    char said[4096] = "";
    for (size_t i = 0; i < accounts_count(rig.accounts); i++) {
        const struct account *a = accounts_at(rig.accounts, i);
        CHANNEL_OPS[a->channel].check(a, NOW, count, said);
        cr_expect_eq(CHANNEL_OPS[a->channel].expires_s(a), 0);
    }
    cr_expect_str_eq(said, "json: ip_policy: without a signature and without enforce, anybody may call\n"
                           "open: salt_file: not given, so that no signature is looked at\n"
                           "open: ip_policy: without a signature and without enforce, anybody may call\n"
                           "sfopen: ip_policy: without a signature and without enforce, anybody may call\n");
}

Test(express, salts_are_in_no_text)
{
    refused("kd", KUAIDI100_PARAM "&sign=00000000000000000000000000000000", REASON_SIG_INVALID, "sign");
    cr_expect_null(strstr(rig.v.detail, "the-salt"));
    cr_expect_null(strstr(rig.answer.body, "the-salt"));
}
