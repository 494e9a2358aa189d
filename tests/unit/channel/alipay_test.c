/* SPDX-License-Identifier: Apache-2.0 */
/* Alipay: what is accepted, and each reason to refuse, with calls that are signed here. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel/alipay_account.h"
#include "channel/event_text.h"
#include "support/channel_rig.h"
#include "support/test_keys.h"

static struct rig rig;

static void setup(void)
{
    rig_begin_accounts(&rig);
}

static void teardown(void)
{
    rig_done(&rig);
}

TestSuite(alipay, .init = setup, .fini = teardown);

struct row {
    const char *what;
    struct alipay_call call;
    enum channel_reason want;
    const char *account; /* NULL = shop */
    int now;             /* seconds after RIG_NOW */
};

static enum channel_reason judge(const struct alipay_call *a, const char *account, int now)
{
    struct call call;
    alipay_call_make(&rig, a, &call);
    enum channel_reason reason =
        rig_verify(&rig, CHANNEL_ALIPAY, account == NULL ? "shop" : account, &call.capture, RIG_NOW + now);
    call_done(&call);
    return reason;
}

static void expect(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        enum channel_reason got = judge(&rows[i].call, rows[i].account, rows[i].now);
        cr_expect_eq(got, rows[i].want, "%s: %s instead of %s (%s)", rows[i].what, reason_name(got),
                     reason_name(rows[i].want), rig.v.detail);
        if (rows[i].want == REASON_OK) {
            cr_expect_eq(rig.answer.status, 200, "%s", rows[i].what);
            cr_expect_str_eq(rig.answer.body, "success", "%s", rows[i].what);
            cr_expect(rig.v.genuine, "%s", rows[i].what);
        } else {
            cr_expect(rig.answer.status >= 400, "%s: status %u", rows[i].what, rig.answer.status);
            cr_expect_null(strstr(rig.answer.body, "success"), "%s", rows[i].what);
            cr_expect_neq(rig.v.detail[0], '\0', "%s: without a detail", rows[i].what);
        }
    }
}

#define EXPECT(rows) expect((rows), ARRAY_SIZE(rows))

/* "大" in GBK. */
#define GBK_TEXT "\xb4\xf3 a\\"

Test(alipay, what_the_platform_sends_is_accepted)
{
    static const struct row ROWS[] = {
        {"a payment", {0}, REASON_OK, NULL, 0},
        {"without sign_type", {.set = {{"sign_type", NULL}}}, REASON_OK, NULL, 0},
        {"blanks as %20", {.blank_as_20 = true}, REASON_OK, NULL, 0},
        {"an empty value", {.set = {{"passback_params", ""}}}, REASON_OK, NULL, 0},
        {"encoded in itself", {.set = {{"passback_params", "a%3D1%26b%3D2"}}}, REASON_OK, NULL, 0},
        {"& and = in a title",
         {.set = {{"subject", "a&b=c&total=1&xtotal_amount=2&total_amount"}}},
         REASON_OK,
         NULL,
         0},
        {"a document that is not cut", {.set = {{"biz_content", "{\"u\":\"/?a=1&app_id=2\"}"}}}, REASON_OK, NULL, 0},
        {"rule V2", {.rule_v2 = true}, REASON_OK, "v2", 0},
        {"rule V2 without sign_type", {.rule_v2 = true, .set = {{"sign_type", NULL}}}, REASON_OK, "v2", 0},
        {"GBK", {.set = {{"charset", "GBK"}, {"subject", GBK_TEXT}}}, REASON_OK, NULL, 0},
        {"GB2312", {.set = {{"charset", "gb2312"}, {"subject", GBK_TEXT}}}, REASON_OK, NULL, 0},
        {"GB18030", {.set = {{"charset", "GB18030"}, {"subject", GBK_TEXT}}}, REASON_OK, NULL, 0},
        {"no charset, GBK", {.set = {{"charset", NULL}, {"subject", GBK_TEXT}}}, REASON_OK, NULL, 0},
        {"no charset, UTF-8", {.set = {{"charset", NULL}}}, REASON_OK, NULL, 0},
        {"by certificate", {.set = {{"alipay_cert_sn", "sn-a"}}}, REASON_OK, "certs", 0},
        {"by the other", {.by_b = true, .set = {{"alipay_cert_sn", "sn-b"}}}, REASON_OK, "certs", 0},
        {"its SN not signed", {.sn_not_signed = true, .set = {{"alipay_cert_sn", "sn-a"}}}, REASON_OK, "certs", 0},
        {"certificates and no SN", {.by_b = true}, REASON_OK, "certs", 0},
        {"an SN and a public key", {.set = {{"alipay_cert_sn", "any"}}}, REASON_OK, NULL, 0},
        {"180 s old", {0}, REASON_OK, NULL, 180},
        {"180 s ahead", {0}, REASON_OK, NULL, -180},
        {"a parameter nobody knows", {.set = {{"new_thing", "1"}}}, REASON_OK, NULL, 0},
        {"an empty pair", {.behind = "&"}, REASON_OK, NULL, 0},
    };
    EXPECT(ROWS);
}

Test(alipay, forms_have_one_meaning)
{
    static const struct row ROWS[] = {
        {"a parameter twice", {.behind = "&total_amount=0.01"}, REASON_PARAM_DUP, NULL, 0},
        {"the same again", {.behind = "&version=1.0"}, REASON_PARAM_DUP, NULL, 0},
        {"twice, its name encoded", {.behind = "&total%5Famount=0.01"}, REASON_PARAM_DUP, NULL, 0},
        {"sign twice", {.behind = "&sign=AAAA"}, REASON_PARAM_DUP, NULL, 0},
        {"a broken %", {.behind = "&x=%zz"}, REASON_BODY_MALFORMED, NULL, 0},
        {"half a %", {.behind = "&x=%4"}, REASON_BODY_MALFORMED, NULL, 0},
        {"a % at the end", {.behind = "&x=%"}, REASON_BODY_MALFORMED, NULL, 0},
        {"a NUL", {.behind = "&x=%00"}, REASON_BODY_MALFORMED, NULL, 0},
        {"no name", {.behind = "&=1"}, REASON_BODY_MALFORMED, NULL, 0},
        {"a name with = in it", {.behind = "&a%3Db=1"}, REASON_BODY_MALFORMED, NULL, 0},
        {"a name with & in it", {.behind = "&a%26b=1"}, REASON_BODY_MALFORMED, NULL, 0},
        {"GBK that says UTF-8", {.set = {{"subject", GBK_TEXT}}}, REASON_BODY_MALFORMED, NULL, 0},
        {"no GBK", {.set = {{"charset", "GBK"}, {"subject", "\xff\xff"}}}, REASON_BODY_MALFORMED, NULL, 0},
        {"half of a GBK character", {.set = {{"charset", "GBK"}, {"subject", "\xb4"}}}, REASON_BODY_MALFORMED, NULL, 0},
        {"a charset we do not read", {.set = {{"charset", "big5"}}}, REASON_BODY_MALFORMED, NULL, 0},
    };
    EXPECT(ROWS);
}

#define REST "&total_amount=88.88&trade_no=2023111522001400000000000001&trade_status=TRADE_SUCCESS&version=1.0"

/* Nothing is escaped in what is signed: the first two rows have one signature, and say different things. */
Test(alipay, what_is_signed_is_cut_in_one_way)
{
    static const struct row ROWS[] = {
        {"an amount in the title",
         {.set = {{"subject", "a&total_amount=0.01&trade_no=T&trade_status=TRADE_SUCCESS&version=1.0"}}},
         REASON_BODY_MALFORMED,
         NULL,
         0},
        {"that amount, and the real one hidden",
         {.set = {{"subject", "a"}, {"total_amount", "0.01"}, {"trade_no", "T"}, {"version", "1.0" REST}}},
         REASON_BODY_MALFORMED,
         NULL,
         0},
        {"a refund made a payment",
         {.set = {{"point_amount", "0.00&refund_fee=1.00"}, {"gmt_refund", RIG_BEIJING}}},
         REASON_BODY_MALFORMED,
         NULL,
         0},
        {"under rule V2", {.rule_v2 = true, .set = {{"body", "&out_trade_no=x"}}}, REASON_BODY_MALFORMED, "v2", 0},
    };
    EXPECT(ROWS);
}

Test(alipay, the_rule_is_pinned_and_the_signature_fits)
{
    static const struct row ROWS[] = {
        {"sign_type RSA", {.set = {{"sign_type", "RSA"}}}, REASON_POLICY_WEAK_ALG, NULL, 0},
        {"sign_type MD5", {.set = {{"sign_type", "MD5"}}}, REASON_POLICY_WEAK_ALG, NULL, 0},
        {"an empty sign_type", {.set = {{"sign_type", ""}}}, REASON_ALG_UNSUPPORTED, NULL, 0},
        {"sign_type SM2", {.set = {{"sign_type", "SM2"}}}, REASON_ALG_UNSUPPORTED, NULL, 0},
        {"V2 for V1", {.rule_v2 = true}, REASON_SIG_INVALID, NULL, 0},
        {"V1 for V2", {0}, REASON_SIG_INVALID, "v2", 0},
        {"no sign", {.sign = "-"}, REASON_SIG_INVALID, NULL, 0},
        {"an empty sign", {.sign = ""}, REASON_SIG_INVALID, NULL, 0},
        {"a sign that is no base64", {.sign = "!!!!"}, REASON_SIG_INVALID, NULL, 0},
        {"a sign with a line's end", {.sign = "AAAA\nAAAA"}, REASON_SIG_INVALID, NULL, 0},
        {"another key", {.by_b = true}, REASON_SIG_INVALID, NULL, 0},
        {"one more parameter", {.behind = "&z=1"}, REASON_SIG_INVALID, NULL, 0},
        {"one more that is empty", {.behind = "&z"}, REASON_SIG_INVALID, NULL, 0},
        {"an SN of nobody", {.set = {{"alipay_cert_sn", "sn-x"}}}, REASON_SERIAL_UNKNOWN, "certs", 0},
        {"an empty SN", {.set = {{"alipay_cert_sn", ""}}}, REASON_SERIAL_UNKNOWN, "certs", 0},
        {"an expired certificate", {.set = {{"alipay_cert_sn", "sn-old"}}}, REASON_CERT_EXPIRED, "certs", 0},
        {"another certificate's signature", {.set = {{"alipay_cert_sn", "sn-b"}}}, REASON_SIG_INVALID, "certs", 0},
        {"the SN put in on the way, of the wrong key",
         {.behind = "&alipay_cert_sn=sn-b"},
         REASON_SIG_INVALID,
         "certs",
         0},
    };
    EXPECT(ROWS);
}

/* sign_type is not covered by rule V1: whoever turns it on the way gains nothing. */
Test(alipay, a_weaker_type_put_in_on_the_way_is_refused)
{
    const struct alipay_call call = {.set = {{"sign_type", NULL}}, .behind = "&sign_type=RSA"};
    cr_expect_eq(judge(&call, NULL, 0), REASON_POLICY_WEAK_ALG);
}

/* base64 has a + in nearly every signature. */
Test(alipay, a_plus_that_was_not_encoded_is_a_blank)
{
    size_t found = 0;
    for (int i = 0; i < 20 && found == 0; i++) {
        char number[32];
        struct call call;
        (void)snprintf(number, sizeof number, "order-%d", i);
        const struct alipay_call a = {.set = {{"out_trade_no", number}, {"subject", "x"}}, .plus_as_it_is = true};
        alipay_call_make(&rig, &a, &call);
        if (strchr(strstr(call.body, "&sign="), '+') != NULL) {
            cr_expect_eq(rig_verify(&rig, CHANNEL_ALIPAY, "shop", &call.capture, RIG_NOW), REASON_SIG_INVALID);
            found++;
        }
        call_done(&call);
    }
    cr_assert_eq(found, 1);
}

Test(alipay, times_are_those_of_beijing)
{
    static const struct row ROWS[] = {
        {"181 s old", {0}, REASON_TS_STALE, NULL, 181},
        {"181 s ahead", {0}, REASON_TS_FUTURE, NULL, -181},
        {"eight hours off", {.set = {{"notify_time", "2023-11-14 22:13:20"}}}, REASON_TS_STALE, NULL, 0},
        {"no time", {.set = {{"notify_time", NULL}}}, REASON_BODY_MALFORMED, NULL, 0},
        {"only a day", {.set = {{"notify_time", "2023-11-15"}}}, REASON_BODY_MALFORMED, NULL, 0},
        {"a 13th month", {.set = {{"notify_time", "2023-13-15 06:13:20"}}}, REASON_BODY_MALFORMED, NULL, 0},
        {"RFC 3339", {.set = {{"notify_time", "2023-11-15T06:13:20+08:00"}}}, REASON_BODY_MALFORMED, NULL, 0},
        {"something behind it", {.set = {{"notify_time", RIG_BEIJING "Z"}}}, REASON_BODY_MALFORMED, NULL, 0},
        {"old and forged", {.by_b = true}, REASON_SIG_INVALID, NULL, 1000},
        {"a message with milliseconds",
         {.set = {{"notify_time", NULL}, {"utc_timestamp", "1700000000123"}, {"trade_status", NULL}}},
         REASON_OK,
         NULL,
         0},
        {"milliseconds that are old",
         {.set = {{"notify_time", NULL}, {"utc_timestamp", "1600000000123"}}},
         REASON_TS_STALE,
         NULL,
         0},
    };
    EXPECT(ROWS);
    cr_assert_eq(judge(&(struct alipay_call){0}, NULL, 181), REASON_TS_STALE);
    cr_expect(rig.v.genuine, "a replay can be told by its fingerprint");
}

Test(alipay, notifications_are_for_this_app_and_complete)
{
    static const struct row ROWS[] = {
        {"another app", {.set = {{"app_id", "2021000000000002"}}}, REASON_FIELD_MISMATCH, NULL, 0},
        {"another seller", {.set = {{"seller_id", "2088000000000002"}}}, REASON_FIELD_MISMATCH, NULL, 0},
        {"no seller", {.set = {{"seller_id", NULL}}}, REASON_OK, NULL, 0},
        {"no app", {.set = {{"app_id", NULL}}}, REASON_BODY_MALFORMED, NULL, 0},
        {"no notify_id", {.set = {{"notify_id", NULL}}}, REASON_BODY_MALFORMED, NULL, 0},
        {"no order", {.set = {{"out_trade_no", NULL}}}, REASON_BODY_MALFORMED, NULL, 0},
        {"an order with a blank", {.set = {{"out_trade_no", "a b"}}}, REASON_BODY_MALFORMED, NULL, 0},
        {"no trade", {.set = {{"trade_no", ""}}}, REASON_BODY_MALFORMED, NULL, 0},
        {"no amount", {.set = {{"total_amount", NULL}}}, REASON_BODY_MALFORMED, NULL, 0},
        {"an exponent", {.set = {{"total_amount", "1e3"}}}, REASON_BODY_MALFORMED, NULL, 0},
        {"less than nothing", {.set = {{"total_amount", "-1"}}}, REASON_BODY_MALFORMED, NULL, 0},
        {"three digits", {.set = {{"total_amount", "1.001"}}}, REASON_BODY_MALFORMED, NULL, 0},
        {"more than int64", {.set = {{"total_amount", "92233720368547758.08"}}}, REASON_BODY_MALFORMED, NULL, 0},
        {"all that int64 holds", {.set = {{"total_amount", "92233720368547758.07"}}}, REASON_OK, NULL, 0},
        {"a currency that is none", {.set = {{"trans_currency", "rmb"}}}, REASON_BODY_MALFORMED, NULL, 0},
        {"a refund of no number", {.set = {{"refund_fee", "1.00"}}}, REASON_BODY_MALFORMED, NULL, 0},
        {"a refund with an exponent",
         {.set = {{"refund_fee", "1e1"}, {"out_biz_no", "r"}}},
         REASON_BODY_MALFORMED,
         NULL,
         0},
    };
    EXPECT(ROWS);
}

Test(alipay, a_payment_says_what_came)
{
    const struct channel_event *e = &rig.v.event;
    cr_assert_eq(judge(&(struct alipay_call){0}, NULL, 0), REASON_OK, "%s", rig.v.detail);
    cr_expect_str_eq(e->merchant, "2021000000000001");
    cr_expect_str_eq(e->notification_id, "2023111500222061319000000000000001");
    cr_expect_str_eq(e->business_key, "2023111522001400000000000001/TRADE_SUCCESS");
    cr_expect_str_eq(e->type, "trade_status_sync");
    cr_expect_str_eq(e->state, "TRADE_SUCCESS");
    cr_expect_str_eq(e->payment_id, "order-1");
    cr_expect_str_eq(e->channel_txn_id, "2023111522001400000000000001");
    cr_expect_eq(e->effect, EFFECT_SUCCEEDED);
    cr_expect_eq(e->amount, 8888);
    cr_expect_not(e->amount_is_total);
    cr_expect_str_eq(e->currency, "CNY");
    cr_expect_eq(e->at_us, (RIG_NOW - 1) * 1000000LL);
    cr_expect_str_eq(e->safe, "{\"subject\": \"a+b \\\\\\\" \xe5\xa4\xa7\"}");
}

Test(alipay, gbk_is_read_after_it_was_verified)
{
    const struct alipay_call call = {.set = {{"charset", "GBK"}, {"subject", GBK_TEXT}}};
    cr_assert_eq(judge(&call, NULL, 0), REASON_OK, "%s", rig.v.detail);
    cr_expect_str_eq(rig.v.event.safe, "{\"subject\": \"\xe5\xa4\xa7 a\\\\\"}");
}

Test(alipay, refunds_name_the_total_and_are_no_duplicates_of_the_payment)
{
    const struct channel_event *e = &rig.v.event;
    const struct alipay_call part = {.set = {{"refund_fee", "10.50"}, {"out_biz_no", "r-1"}}};
    const struct alipay_call unnamed = {.set = {{"refund_fee", "10.50"}, {"gmt_refund", "2023-11-15 06:13:18.320"}}};
    const struct alipay_call whole = {
        .set = {{"refund_fee", "88.88"}, {"out_biz_no", "r-2"}, {"trade_status", "TRADE_CLOSED"}}};
    const struct alipay_call none = {.set = {{"refund_fee", "0.00"}}};
    cr_assert_eq(judge(&part, NULL, 0), REASON_OK, "%s", rig.v.detail);
    cr_expect_eq(e->effect, EFFECT_REFUNDED);
    cr_expect(e->amount_is_total);
    cr_expect_eq(e->amount, 1050);
    cr_expect_str_eq(e->refund_id, "r-1");
    cr_expect_str_eq(e->business_key, "2023111522001400000000000001/TRADE_SUCCESS/r-1");
    cr_assert_eq(judge(&unnamed, NULL, 0), REASON_OK, "%s", rig.v.detail);
    cr_expect_str_eq(e->refund_id, "2023-11-15T06:13:18.320");
    cr_expect_eq(e->at_us, (RIG_NOW - 2) * 1000000LL + 320000);
    cr_assert_eq(judge(&whole, NULL, 0), REASON_OK, "%s", rig.v.detail);
    cr_expect_eq(e->effect, EFFECT_REFUNDED);
    cr_expect_str_eq(e->business_key, "2023111522001400000000000001/TRADE_CLOSED/r-2");
    cr_assert_eq(judge(&none, NULL, 0), REASON_OK, "%s", rig.v.detail);
    cr_expect_eq(e->effect, EFFECT_SUCCEEDED);
}

Test(alipay, states_have_their_effects)
{
    static const struct {
        const char *state;
        enum payment_effect effect;
    } ROWS[] = {{"TRADE_SUCCESS", EFFECT_SUCCEEDED},
                {"TRADE_FINISHED", EFFECT_SUCCEEDED},
                {"TRADE_CLOSED", EFFECT_CLOSED},
                {"WAIT_BUYER_PAY", EFFECT_NONE},
                {"TRADE_SOMETHING", EFFECT_NONE}};
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        const struct alipay_call call = {.set = {{"trade_status", ROWS[i].state}}};
        cr_assert_eq(judge(&call, NULL, 0), REASON_OK, "%s: %s", ROWS[i].state, rig.v.detail);
        cr_expect_eq(rig.v.event.effect, ROWS[i].effect, "%s", ROWS[i].state);
    }
    const struct alipay_call message = {.set = {{"trade_status", NULL},
                                                {"notify_type", NULL},
                                                {"out_trade_no", NULL},
                                                {"trade_no", NULL},
                                                {"msg_method", "alipay.some.thing"}}};
    cr_assert_eq(judge(&message, NULL, 0), REASON_OK, "%s", rig.v.detail);
    cr_expect_str_eq(rig.v.event.business_key, "2023111500222061319000000000000001/alipay.some.thing");
    cr_expect_eq(rig.v.event.effect, EFFECT_NONE);
}

Test(alipay, the_number_of_a_certificate_is_md5_of_issuer_and_serial)
{
    static const char ISSUER_AND_SERIAL[] = "CN=\xe8\x9a\x82 1,O=Pay\\, Test,C=CN"
                                            "57336265695211585456941176597604582593499175965"; /* RIG_SERIAL */
    char sn[ALIPAY_SN_BYTES];
    unsigned char digest[16];
    size_t n = 0;
    CLEANUP(freep) char *pem = test_certificate(rig.key_a, RIG_SERIAL, RIG_NOW, RIG_NOW + 1);
    cr_assert(alipay_sn(pem, strlen(pem), sn));
    cr_assert_eq(EVP_Q_digest(NULL, "MD5", NULL, ISSUER_AND_SERIAL, sizeof ISSUER_AND_SERIAL - 1, digest, &n), 1);
    for (size_t i = 0; i < n; i++) {
        char hex[3];
        (void)snprintf(hex, sizeof hex, "%02x", (unsigned)digest[i]);
        cr_expect_eq(strncmp(sn + 2 * i, hex, 2), 0, "%s at %zu", sn, i);
    }
    CLEANUP(freep) char *bare = test_public_pem(rig.key_a);
    cr_expect_not(alipay_sn(bare, strlen(bare), sn));
}

Test(amount, yuan_become_fen_without_a_double)
{
    static const struct {
        const char *text;
        int digits;
        int64_t want; /* -1: refused */
    } ROWS[] = {{"88.88", 2, 8888},
                {"0.1", 2, 10},
                {"0.01", 2, 1},
                {"0", 2, 0},
                {"100", 2, 10000},
                {"1.15", 2, 115},
                {"4.35", 2, 435},
                {"92233720368547758.07", 2, INT64_MAX},
                {"92233720368547758.08", 2, -1},
                {"922337203685477580", 2, -1},
                {"99999999999999999999", 2, -1},
                {"5", 0, 5},
                {"5.0", 0, -1},
                {"1.234", 3, 1234},
                {"1.234", 2, -1},
                {"1e3", 2, -1},
                {"-1", 2, -1},
                {"+1", 2, -1},
                {"", 2, -1},
                {".5", 2, -1},
                {"5.", 2, -1},
                {"1,5", 2, -1},
                {" 1", 2, -1},
                {"1 ", 2, -1},
                {"007", 2, -1},
                {"0x10", 2, -1},
                {"1.5.5", 2, -1},
                {"NaN", 2, -1}};
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        int64_t got = -1;
        bool good = event_amount(ROWS[i].text, ROWS[i].digits, &got);
        cr_expect_eq(good, ROWS[i].want >= 0, "%s", ROWS[i].text);
        cr_expect(!good || got == ROWS[i].want, "%s: %lld", ROWS[i].text, (long long)got);
    }
}
