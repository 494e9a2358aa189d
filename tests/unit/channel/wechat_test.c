/* SPDX-License-Identifier: Apache-2.0 */
/* WeChat Pay: what is accepted, and each reason to refuse, with calls that are signed here. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel/wechat_account.h"
#include "crypto/rsa_key.h"
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

TestSuite(wechat, .init = setup, .fini = teardown);

struct row {
    const char *what;
    struct wechat_call call;
    enum channel_reason want;
    int now; /* seconds after RIG_NOW */
};

static enum channel_reason judge(const struct wechat_call *w, int now)
{
    struct call call;
    wechat_call_make(&rig, w, &call);
    enum channel_reason reason = rig_verify(&rig, CHANNEL_WECHAT, "shop", &call.capture, RIG_NOW + now);
    call_done(&call);
    return reason;
}

/* The reason, and that no refusal looks like a receipt. */
static void expect(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        enum channel_reason got = judge(&rows[i].call, rows[i].now);
        cr_expect_eq(got, rows[i].want, "%s: %s instead of %s (%s)", rows[i].what, reason_name(got),
                     reason_name(rows[i].want), rig.v.detail);
        if (rows[i].want == REASON_OK) {
            cr_expect_eq(rig.answer.status, 200, "%s", rows[i].what);
            cr_expect(rig.v.genuine && rig.v.key_known, "%s", rows[i].what);
        } else {
            cr_expect(rig.answer.status >= 400, "%s: status %u", rows[i].what, rig.answer.status);
            cr_expect_null(strstr(rig.answer.body, "SUCCESS"), "%s", rows[i].what);
            cr_expect_neq(rig.v.detail[0], '\0', "%s: without a detail", rows[i].what);
        }
    }
}

#define EXPECT(rows) expect((rows), ARRAY_SIZE(rows))

Test(wechat, what_the_platform_sends_is_accepted)
{
    static const struct row ROWS[] = {
        {"a payment under a certificate", {0}, REASON_OK, 0},
        {"under the public key", {.by_b = true, .serial = RIG_PUBLIC_ID}, REASON_OK, 0},
        {"under a certificate that begins tomorrow", {.by_b = true, .serial = RIG_SERIAL_NEXT}, REASON_OK, 0},
        {"the type written out", {.type = "WECHATPAY2-SHA256-RSA2048"}, REASON_OK, 0},
        {"empty associated data", {.aad = "\"\"", .sealed_aad = ""}, REASON_OK, 0},
        {"associated data null", {.aad = "null", .sealed_aad = ""}, REASON_OK, 0},
        {"no associated data", {.aad = "-", .sealed_aad = ""}, REASON_OK, 0},
        {"180 s old", {0}, REASON_OK, 180},
        {"180 s ahead", {0}, REASON_OK, -180},
        {"a refund", {.event_type = "REFUND.SUCCESS", .plain = RIG_REFUND}, REASON_OK, 0},
        {"something new of the platform",
         {.event_type = "NEW.THING", .plain = "{\"a\":[{\"b\":1.5e3}]}"},
         REASON_OK,
         0},
    };
    EXPECT(ROWS);
}

Test(wechat, headers_are_there_once_and_make_sense)
{
    static const struct row ROWS[] = {
        {"no serial", {.drop = "Wechatpay-Serial"}, REASON_HEADER_MISSING, 0},
        {"no signature", {.drop = "Wechatpay-Signature"}, REASON_HEADER_MISSING, 0},
        {"no timestamp", {.drop = "Wechatpay-Timestamp"}, REASON_HEADER_MISSING, 0},
        {"no nonce", {.drop = "Wechatpay-Nonce"}, REASON_HEADER_MISSING, 0},
        {"serial twice", {.twice = "Wechatpay-Serial"}, REASON_HEADER_DUP, 0},
        {"signature twice", {.twice = "Wechatpay-Signature"}, REASON_HEADER_DUP, 0},
        {"timestamp twice", {.twice = "Wechatpay-Timestamp"}, REASON_HEADER_DUP, 0},
        {"nonce twice", {.twice = "Wechatpay-Nonce"}, REASON_HEADER_DUP, 0},
        {"type twice",
         {.type = "WECHATPAY2-SHA256-RSA2048", .twice = "Wechatpay-Signature-Type"},
         REASON_HEADER_DUP,
         0},
        {"an empty serial", {.without = "Wechatpay-Serial"}, REASON_HEADER_MALFORMED, 0},
        {"an empty signature", {.without = "Wechatpay-Signature"}, REASON_HEADER_MALFORMED, 0},
        {"an empty timestamp", {.without = "Wechatpay-Timestamp"}, REASON_HEADER_MALFORMED, 0},
        {"an empty nonce", {.without = "Wechatpay-Nonce"}, REASON_HEADER_MALFORMED, 0},
        {"an empty type", {.type = ""}, REASON_HEADER_MALFORMED, 0},
        {"a time with a sign", {.timestamp = "+1700000000"}, REASON_HEADER_MALFORMED, 0},
        {"minus nothing", {.timestamp = "-0"}, REASON_HEADER_MALFORMED, 0},
        {"a negative time", {.timestamp = "-1"}, REASON_HEADER_MALFORMED, 0},
        {"a time with a point", {.timestamp = "1700000000.0"}, REASON_HEADER_MALFORMED, 0},
        {"a time in hexadecimal", {.timestamp = "0x6553f100"}, REASON_HEADER_MALFORMED, 0},
        {"a time of 30 digits", {.timestamp = "170000000000000000000000000000"}, REASON_HEADER_MALFORMED, 0},
        {"a time beyond int64", {.timestamp = "9223372036854775808"}, REASON_HEADER_MALFORMED, 0},
    };
    EXPECT(ROWS);
}

Test(wechat, the_serial_names_the_key_and_the_signature_fits)
{
    static const struct row ROWS[] = {
        {"a probe", {.signature = "WECHATPAY/SIGNTEST/abcdef="}, REASON_SIG_PROBE, 0},
        {"a probe under a new serial",
         {.serial = "0000000000000000000000000000000000000001", .signature = "WECHATPAY/SIGNTEST/x"},
         REASON_SIG_PROBE,
         0},
        {"SM2", {.type = "WECHATPAY2-SM2-WITH-SM3"}, REASON_ALG_UNSUPPORTED, 0},
        {"the type in small letters", {.type = "wechatpay2-sha256-rsa2048"}, REASON_ALG_UNSUPPORTED, 0},
        {"a serial without its zero", {.serial = &RIG_SERIAL[1]}, REASON_SERIAL_UNKNOWN, 0},
        {"a serial in small letters", {.serial = "0a0b0c0d0e0f101112131415161718191a1b1c1d"}, REASON_SERIAL_UNKNOWN, 0},
        {"a serial with a blank", {.serial = RIG_SERIAL " "}, REASON_SERIAL_UNKNOWN, 0},
        {"another merchant's serial", {.serial = "7777777777777777777777777777777777777777"}, REASON_SERIAL_UNKNOWN, 0},
        {"an expired certificate", {.serial = RIG_SERIAL_OLD}, REASON_CERT_EXPIRED, 0},
        {"signed with another key of the table", {.by_b = true}, REASON_SIG_INVALID, 0},
        {"the public key's serial, the certificate's signature", {.serial = RIG_PUBLIC_ID}, REASON_SIG_INVALID, 0},
        {"a byte behind the body", {.behind = " "}, REASON_SIG_INVALID, 0},
        {"a signature that is no base64", {.signature = "!!!!"}, REASON_SIG_INVALID, 0},
        {"a signature with a line's end", {.signature = "AAAA\nAAAA"}, REASON_SIG_INVALID, 0},
        {"a signature without padding", {.signature = "AAAAA"}, REASON_SIG_INVALID, 0},
        {"a short signature", {.signature = "AAAA"}, REASON_SIG_INVALID, 0},
    };
    EXPECT(ROWS);
    cr_expect_not(rig.v.genuine);
}

Test(wechat, base64_with_blanks_in_it_is_no_signature)
{
    struct call call;
    wechat_call_make(&rig, &(struct wechat_call){0}, &call);
    for (size_t i = 0; i < call.n_headers; i++) {
        if (strcmp(call.headers[i].name, "Wechatpay-Signature") == 0) {
            CLEANUP(freep) char *spaced = xasprintf("%.100s %s", call.headers[i].value, call.headers[i].value + 100);
            call.headers[i].value = spaced;
            cr_expect_eq(rig_verify(&rig, CHANNEL_WECHAT, "shop", &call.capture, RIG_NOW), REASON_SIG_INVALID);
        }
    }
    call_done(&call);
}

/* Signed as it was, and a header changed on the way. */
Test(wechat, timestamp_and_nonce_are_covered)
{
    static const char *const NAMES[] = {"Wechatpay-Timestamp", "Wechatpay-Nonce"};
    static const char *const OTHERS[] = {"1700000001", "593BEC0C930BF1AFEB40B4A08C8FB243"};
    for (size_t k = 0; k < 2; k++) {
        struct call call;
        wechat_call_make(&rig, &(struct wechat_call){0}, &call);
        for (size_t i = 0; i < call.n_headers; i++) {
            if (strcmp(call.headers[i].name, NAMES[k]) == 0) {
                call.headers[i].value = OTHERS[k];
            }
        }
        cr_expect_eq(rig_verify(&rig, CHANNEL_WECHAT, "shop", &call.capture, RIG_NOW), REASON_SIG_INVALID, "%s",
                     NAMES[k]);
        call_done(&call);
    }
}

Test(wechat, times_outside_of_the_window_are_refused_after_the_signature)
{
    static const struct row ROWS[] = {
        {"181 s old", {0}, REASON_TS_STALE, 181},
        {"181 s ahead", {0}, REASON_TS_FUTURE, -181},
        {"of 1970", {.timestamp = "0"}, REASON_TS_STALE, 0},
        {"of the year 9999", {.timestamp = "253402300799"}, REASON_TS_FUTURE, 0},
        {"old and forged", {.by_b = true}, REASON_SIG_INVALID, 1000},
    };
    EXPECT(ROWS);
    cr_assert_eq(judge(&(struct wechat_call){0}, 181), REASON_TS_STALE);
    cr_expect(rig.v.genuine, "a replay can be told by its fingerprint");
}

Test(wechat, bodies_are_json_with_what_is_needed)
{
    static char deep[20001];
    memset(deep, '[', 10000);
    memset(deep + 10000, ']', 10000);
    const struct row rows[] = {
        {"nothing", {.body = ""}, REASON_BODY_MALFORMED, 0},
        {"no JSON", {.body = "hello"}, REASON_BODY_MALFORMED, 0},
        {"10,000 deep", {.body = deep}, REASON_BODY_MALFORMED, 0},
        {"a list", {.body = "[]"}, REASON_BODY_MALFORMED, 0},
        {"a NUL", {.body = "{\"id\":\"a\0b\"}", .body_n = 12}, REASON_BODY_MALFORMED, 0},
        {"an escaped NUL", {.body = "{\"id\":\"a\\u0000b\"}"}, REASON_BODY_MALFORMED, 0},
        {"no UTF-8", {.body = "{\"id\":\"\xff\"}"}, REASON_BODY_MALFORMED, 0},
        {"a member twice", {.body = "{\"id\":\"1\",\"id\":\"2\"}"}, REASON_BODY_MALFORMED, 0},
        {"no resource", {.body = "{\"id\":\"1\",\"event_type\":\"X\"}"}, REASON_BODY_MALFORMED, 0},
        {"no id", {.body = "{\"event_type\":\"X\",\"resource\":{}}"}, REASON_BODY_MALFORMED, 0},
        {"a number for an id", {.body = "{\"id\":1,\"event_type\":\"X\",\"resource\":{}}"}, REASON_BODY_MALFORMED, 0},
        {"a resource that is text",
         {.body = "{\"id\":\"1\",\"event_type\":\"X\",\"resource\":\"\"}"},
         REASON_BODY_MALFORMED,
         0},
        {"a resource that is empty",
         {.body = "{\"id\":\"1\",\"event_type\":\"X\",\"resource\":{}}"},
         REASON_BODY_MALFORMED,
         0},
        {"associated data that is a number", {.aad = "1"}, REASON_BODY_MALFORMED, 0},
        {"another algorithm", {.algorithm = "AEAD_SM4_GCM"}, REASON_ALG_UNSUPPORTED, 0},
        {"a nonce of 11 bytes", {.gcm_nonce = "gcm-nonce-1"}, REASON_DECRYPT_FAILED, 0},
        {"a nonce of 13 bytes", {.gcm_nonce = "gcm-nonce-123"}, REASON_DECRYPT_FAILED, 0},
        {"an empty nonce", {.gcm_nonce = "", .ciphertext = "AAAA"}, REASON_DECRYPT_FAILED, 0},
        {"other associated data", {.aad = "\"refund\""}, REASON_DECRYPT_FAILED, 0},
        {"another key", {.sealed_key = "ffffffffffffffffffffffffffffffff"}, REASON_DECRYPT_FAILED, 0},
        {"a ciphertext with a blank", {.ciphertext = "AAAA AAA"}, REASON_DECRYPT_FAILED, 0},
        {"a ciphertext shorter than its tag", {.ciphertext = "AAAA"}, REASON_DECRYPT_FAILED, 0},
        {"an empty ciphertext", {.ciphertext = ""}, REASON_DECRYPT_FAILED, 0},
    };
    EXPECT(rows);
}

#define PAYMENT_WITH(mchid, appid, number, amount)                                                            \
    "{\"mchid\":\"" mchid "\",\"appid\":\"" appid "\",\"out_trade_no\":\"" number                             \
    "\",\"transaction_id\":\"1\",\"trade_state\":\"SUCCESS\",\"success_time\":\"2023-11-15T06:13:19+08:00\"," \
    "\"amount\":" amount "}"
#define MCHID "1900000001"
#define APPID "wx0000000000000001"

Test(wechat, resources_are_for_this_account_and_have_amounts_that_fit)
{
    static const struct row ROWS[] = {
        {"another merchant",
         {.plain = PAYMENT_WITH("1900000002", APPID, "o", "{\"total\":1}")},
         REASON_FIELD_MISMATCH,
         0},
        {"another app", {.plain = PAYMENT_WITH(MCHID, "wx2", "o", "{\"total\":1}")}, REASON_FIELD_MISMATCH, 0},
        {"no JSON", {.plain = "{"}, REASON_BODY_MALFORMED, 0},
        {"a list", {.plain = "[]"}, REASON_BODY_MALFORMED, 0},
        {"no merchant", {.plain = "{\"appid\":\"" APPID "\"}"}, REASON_BODY_MALFORMED, 0},
        {"no app", {.plain = "{\"mchid\":\"" MCHID "\"}"}, REASON_BODY_MALFORMED, 0},
        {"a blank in a number",
         {.plain = PAYMENT_WITH(MCHID, APPID, "a b", "{\"total\":1}")},
         REASON_BODY_MALFORMED,
         0},
        {"an empty number", {.plain = PAYMENT_WITH(MCHID, APPID, "", "{\"total\":1}")}, REASON_BODY_MALFORMED, 0},
        {"no amount", {.plain = PAYMENT_WITH(MCHID, APPID, "o", "{}")}, REASON_BODY_MALFORMED, 0},
        {"an amount that is text",
         {.plain = PAYMENT_WITH(MCHID, APPID, "o", "{\"total\":\"1\"}")},
         REASON_BODY_MALFORMED,
         0},
        {"a part of a fen", {.plain = PAYMENT_WITH(MCHID, APPID, "o", "{\"total\":1.5}")}, REASON_BODY_MALFORMED, 0},
        {"an exponent", {.plain = PAYMENT_WITH(MCHID, APPID, "o", "{\"total\":1e2}")}, REASON_BODY_MALFORMED, 0},
        {"less than nothing", {.plain = PAYMENT_WITH(MCHID, APPID, "o", "{\"total\":-1}")}, REASON_BODY_MALFORMED, 0},
        {"more than int64",
         {.plain = PAYMENT_WITH(MCHID, APPID, "o", "{\"total\":9223372036854775808}")},
         REASON_BODY_MALFORMED,
         0},
        {"a currency that is none",
         {.plain = PAYMENT_WITH(MCHID, APPID, "o", "{\"total\":1,\"currency\":\"cny\"}")},
         REASON_BODY_MALFORMED,
         0},
        {"all that int64 holds",
         {.plain = PAYMENT_WITH(MCHID, APPID, "o", "{\"total\":9223372036854775807}")},
         REASON_OK,
         0},
        {"a provider's payment",
         {.plain = "{\"sp_mchid\":\"" MCHID "\",\"sp_appid\":\"" APPID
                   "\",\"sub_mchid\":\"9\",\"out_trade_no\":\"o\",\"transaction_id\":\"1\",\"trade_state\":\"SUCCESS\","
                   "\"amount\":{\"total\":1}}"},
         REASON_OK,
         0},
        {"another provider's",
         {.plain = "{\"sp_mchid\":\"8\",\"sp_appid\":\"" APPID "\",\"out_trade_no\":\"o\",\"transaction_id\":\"1\","
                   "\"trade_state\":\"SUCCESS\",\"amount\":{\"total\":1}}"},
         REASON_FIELD_MISMATCH,
         0},
    };
    EXPECT(ROWS);
    cr_expect_eq(judge(&ROWS[0].call, 0), REASON_FIELD_MISMATCH);
    cr_expect(rig.v.genuine);
}

Test(wechat, a_payment_says_what_came)
{
    const struct channel_event *e = &rig.v.event;
    cr_assert_eq(judge(&(struct wechat_call){0}, 0), REASON_OK, "%s", rig.v.detail);
    cr_expect_str_eq(e->merchant, MCHID);
    cr_expect_str_eq(e->notification_id, "EV-0001");
    cr_expect_str_eq(e->business_key, "4200000000202311150000000001/TRANSACTION.SUCCESS");
    cr_expect_str_eq(e->type, "TRANSACTION.SUCCESS");
    cr_expect_str_eq(e->state, "SUCCESS");
    cr_expect_str_eq(e->payment_id, "order-1");
    cr_expect_str_eq(e->channel_txn_id, "4200000000202311150000000001");
    cr_expect_null(e->refund_id);
    cr_expect_eq(e->effect, EFFECT_SUCCEEDED);
    cr_expect(e->has_amount && !e->amount_is_total);
    cr_expect_eq(e->amount, 8888);
    cr_expect_str_eq(e->currency, "CNY");
    cr_expect_eq(e->at_us, (RIG_NOW - 1) * 1000000LL);
    cr_expect_str_eq(rig.answer.body, "{\"code\":\"SUCCESS\",\"message\":\"\"}");
}

Test(wechat, a_refund_is_another_thing_than_its_payment)
{
    const struct channel_event *e = &rig.v.event;
    cr_assert_eq(judge(&(struct wechat_call){.event_type = "REFUND.SUCCESS", .plain = RIG_REFUND}, 0), REASON_OK, "%s",
                 rig.v.detail);
    cr_expect_str_eq(e->business_key, "4200000000202311150000000001/REFUND.SUCCESS/refund-1");
    cr_expect_str_eq(e->refund_id, "refund-1");
    cr_expect_eq(e->effect, EFFECT_REFUNDED);
    cr_expect_eq(e->amount, 100);
    cr_expect_not(e->amount_is_total);
    cr_expect_str_eq(e->currency, "CNY");
}

Test(wechat, what_says_nothing_about_money_has_no_effect)
{
    static const char CLOSED[] = "{\"mchid\":\"" MCHID "\",\"out_trade_no\":\"o\",\"transaction_id\":\"1\","
                                 "\"out_refund_no\":\"r\",\"refund_status\":\"CLOSED\",\"success_time\":\"\","
                                 "\"amount\":{\"refund\":5}}";
    static const struct wechat_call CALLS[] = {
        {.event_type = "REFUND.CLOSED", .plain = CLOSED},
        {.event_type = "REFUND.ABNORMAL", .plain = CLOSED},
        {.event_type = "REFUND.SUCCESS", .plain = CLOSED},
        {.event_type = "PAYSCORE.USER_PAID", .plain = "{\"mchid\":\"" MCHID "\",\"out_order_no\":\"1\"}"},
        {.event_type = "TRANSACTION.SUCCESS", .plain = PAYMENT_WITH(MCHID, APPID, "o", "{\"total\":0}")},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CALLS); i++) {
        cr_assert_eq(judge(&CALLS[i], 0), REASON_OK, "%zu: %s", i, rig.v.detail);
        cr_expect_eq(rig.v.event.effect, EFFECT_NONE, "%zu", i);
    }
    cr_assert_eq(judge(&CALLS[3], 0), REASON_OK);
    cr_expect_str_eq(rig.v.event.business_key, "EV-0001/PAYSCORE.USER_PAID");
    const struct wechat_call foreign = {.event_type = "PAYSCORE.USER_PAID", .plain = "{\"mchid\":\"2\"}"};
    cr_expect_eq(judge(&foreign, 0), REASON_FIELD_MISMATCH);
}

Test(wechat, addresses_and_sizes_come_first)
{
    static char large[CHANNEL_BODY_BYTES_MAX + 2];
    struct call call;
    wechat_call_make(&rig, &(struct wechat_call){0}, &call);
    static const struct {
        const char *address;
        enum channel_reason want;
    } ROWS[] = {{"203.0.113.9", REASON_OK},        {"203.0.114.1", REASON_IP_REFUSED},    {"2001:db8::1", REASON_OK},
                {"::ffff:203.0.113.9", REASON_OK}, {"203.0.113.9:80", REASON_IP_REFUSED}, {NULL, REASON_IP_REFUSED}};
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        call.capture.address = ROWS[i].address;
        cr_expect_eq(rig_verify(&rig, CHANNEL_WECHAT, "listed", &call.capture, RIG_NOW), ROWS[i].want, "%zu", i);
        cr_expect_eq(rig.v.listed, ROWS[i].want == REASON_OK);
    }
    call_done(&call);
    memset(large, ' ', sizeof large - 1);
    wechat_call_make(&rig, &(struct wechat_call){.body = large, .body_n = sizeof large - 1}, &call);
    cr_expect_eq(rig_verify(&rig, CHANNEL_WECHAT, "shop", &call.capture, RIG_NOW), REASON_TOO_LARGE);
    cr_expect_eq(rig.answer.status, 413);
    call_done(&call);
}

Test(wechat, a_key_that_is_too_short_is_refused_whoever_put_it_there)
{
    struct account *account = accounts_find(rig.accounts, CHANNEL_WECHAT, "shop");
    struct rsa_key *rsa = NULL;
    struct err err = {0};
    cr_assert_eq(rsa_key_new(test_key(TEST_KEY_WEAK), false, &rsa, &err), RC_OK);
    struct wechat_keys *keys = wechat_keys_new();
    struct wechat_key weak = {.serial = "WEAK", .key = rsa};
    cr_assert(wechat_keys_add(keys, &weak));
    cr_assert_not(wechat_keys_add(keys, &weak), "a serial stands there once");
    wechat_account_set_keys(account, keys);
    cr_expect_eq(judge(&(struct wechat_call){.serial = "WEAK"}, 0), REASON_POLICY_WEAK_ALG);
    cr_expect_eq(judge(&(struct wechat_call){0}, 0), REASON_SERIAL_UNKNOWN, "the table is another one now");
    (void)wechat_keys_unref(keys);
    (void)rsa_unref(rsa);
}

/* Stored ones must be found again by later builds. */
Test(wechat, fingerprint_is_of_the_channel_the_bytes_and_the_signature)
{
    static const char ALL[] = "wechat\0message, signature";
    const struct sha256_part parts[] = {{"mess", 4}, {NULL, 0}, {"age", 3}};
    unsigned char expected[SHA256_BYTES];
    struct verdict v = {0};
    sha256_of(ALL, sizeof ALL - 1, expected);
    verdict_genuine(&v, CHANNEL_WECHAT, parts, ARRAY_SIZE(parts), ", signature", 11);
    cr_expect(v.genuine);
    cr_expect_arr_eq(v.fingerprint, expected, sizeof expected);
}

Test(wechat, fingerprints_are_of_the_bytes_and_the_signature)
{
    unsigned char first[CHANNEL_HASH_BYTES];
    unsigned char content[CHANNEL_HASH_BYTES];
    cr_assert_eq(judge(&(struct wechat_call){0}, 0), REASON_OK);
    memcpy(first, rig.v.fingerprint, sizeof first);
    memcpy(content, rig.v.event.content, sizeof content);
    cr_assert_eq(judge(&(struct wechat_call){0}, 10), REASON_OK);
    cr_expect_arr_eq(first, rig.v.fingerprint, sizeof first, "the same bytes");
    cr_assert_eq(judge(&(struct wechat_call){.timestamp = "1700000015"}, 10), REASON_OK);
    cr_expect_arr_neq(first, rig.v.fingerprint, sizeof first, "signed again");
    cr_expect_arr_eq(content, rig.v.event.content, sizeof content, "and says the same");
    cr_assert_eq(judge(&(struct wechat_call){.plain = PAYMENT_WITH(MCHID, APPID, "order-1", "{\"total\":8889}")}, 0),
                 REASON_OK);
    cr_expect_arr_neq(content, rig.v.event.content, sizeof content, "another amount is other content");
}

/* ------------------------------------------------------------------------------------------------------- swapping */

#define VERIFIERS 2
#define SWAPS 400

static atomic_bool stop;
static struct call shared;

static void *verifier(void *opaque)
{
    const struct account *account = opaque;
    size_t wrong = 0;
    struct arena arena;
    arena_init(&arena, (size_t)64 << 10);
    while (!atomic_load(&stop)) {
        struct verdict v;
        wrong += channel_verify(account, &shared.capture, RIG_NOW, &arena, &v) != REASON_OK;
        arena_reset(&arena);
    }
    arena_done(&arena);
    return (void *)wrong;
}

Test(wechat, the_table_is_swapped_while_calls_are_verified)
{
    struct account *account = accounts_find(rig.accounts, CHANNEL_WECHAT, "shop");
    CLEANUP(wechat_keys_unrefp) struct wechat_keys *first = wechat_account_keys(account);
    pthread_t threads[VERIFIERS];
    wechat_call_make(&rig, &(struct wechat_call){0}, &shared);
    for (size_t i = 0; i < VERIFIERS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, verifier, account), 0);
    }
    for (int i = 0; i < SWAPS; i++) { /* each table is gone with its last verifier */
        struct wechat_keys *next = wechat_keys_new();
        for (size_t k = 0; k < wechat_keys_count(first); k++) {
            cr_assert(wechat_keys_add(next, wechat_keys_at(first, k)));
        }
        wechat_account_set_keys(account, next);
        (void)wechat_keys_unref(next);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < VERIFIERS; i++) {
        void *wrong = NULL;
        cr_assert_eq(pthread_join(threads[i], &wrong), 0);
        cr_expect_null(wrong);
    }
    call_done(&shared);
}

Test(wechat, an_account_is_good_until_its_last_certificate_ends)
{
    const struct account *account = accounts_find(rig.accounts, CHANNEL_WECHAT, "shop");
    cr_expect_eq(CHANNEL_OPS[CHANNEL_WECHAT].expires_s(account), 0, "a public key has no end");
    account = accounts_find(rig.accounts, CHANNEL_WECHAT, "listed");
    cr_expect_eq(CHANNEL_OPS[CHANNEL_WECHAT].expires_s(account), RIG_NOW + 400 * 86400);
}

/* One of the keys signs: only what is genuine marks it. */
Test(wechat, keys_that_were_seen_signing_are_marked)
{
    const struct account *account = accounts_find(rig.accounts, CHANNEL_WECHAT, "shop");
    CLEANUP(wechat_keys_unrefp) struct wechat_keys *keys = wechat_account_keys(account);
    const struct wechat_call next = {.by_b = true, .serial = RIG_SERIAL_NEXT};
    const struct wechat_call forged = {.serial = RIG_SERIAL_NEXT};
    size_t at = (size_t)(wechat_keys_find(keys, RIG_SERIAL_NEXT) - wechat_keys_at(keys, 0));
    cr_assert_eq(judge(&forged, 0), REASON_SIG_INVALID);
    cr_expect_eq(wechat_keys_marked_s(keys, at), 0);
    cr_assert_eq(judge(&next, 5), REASON_OK);
    cr_expect_eq(wechat_keys_marked_s(keys, at), RIG_NOW + 5);
}
