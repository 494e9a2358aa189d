/* SPDX-License-Identifier: Apache-2.0 */
/* Whose notification it is, what is signed inside of it, and what it means for an order. */
#include <criterion/criterion.h>
#include <string.h>

#include "apple_fixture.h"
#include "channel/appstore_account.h"
#include "channel/appstore_sign.h"

#define BODY_MAX (1 << 17)

static struct authority apple;
static struct appstore_account own;
static struct account account = {.channel = CHANNEL_APPSTORE, .name = "game1", .own = &own};

static const struct appstore_notice NOTICE = {.uuid = "u-1",
                                              .type = "ONE_TIME_CHARGE",
                                              .bundle_id = "com.example.game",
                                              .environment = "Production",
                                              .app_apple_id = 1234,
                                              .signed_ms = NOW * 1000,
                                              .transaction_id = "2000000123",
                                              .payment_id = "A-1",
                                              .price_milli = 10000,
                                              .currency = "CNY",
                                              .purchase_ms = NOW * 1000};

static void setup(void)
{
    authority_make(CA_APPSTORE, NULL, &apple);
    own = (struct appstore_account){.bundle_id = "com.example.game", .production = true, .app_apple_id = 1234};
    own.trust = trust_in(apple.chain.root, CA_APPSTORE, true, false, CHAIN_CACHE_MAX);
}

static void teardown(void)
{
    own.trust = chain_trust_free(own.trust);
    authority_done(&apple);
    fixture_done();
}

TestSuite(appstore_event, .init = setup, .fini = teardown);

static void expect(enum channel_reason reason, const struct verdict *v, const char *what)
{
    expect_reason(CHANNEL_APPSTORE, v, reason, what);
    cr_assert(v->genuine, "%s", what);
}

static const struct verdict *verdict_of(const struct appstore_notice *notice)
{
    struct err err;
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, BODY_MAX);
    cr_assert_eq(appstore_sign(&apple.chain, notice, &body, &err), RC_OK, "%s", err.text);
    return verdict_on(&account, buf_str(&body), body.len, NOW);
}

/* A payload, signed by Apple. */
static const struct verdict *verdict_on_payload(const char *payload)
{
    struct err err;
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, BODY_MAX);
    (void)buf_puts(&body, "{\"signedPayload\":\"");
    cr_assert_eq(appstore_sign_payload(&apple.chain, payload, &body, &err), RC_OK, "%s", err.text);
    (void)buf_puts(&body, "\"}");
    return verdict_on(&account, buf_str(&body), body.len, NOW);
}

/* A notification with data and one more thing in it, signed by chain. */
static const struct verdict *verdict_on_nested(const char *name, const struct ca_chain *chain, const char *payload)
{
    struct err err;
    CLEANUP(buf_done) struct buf jws;
    buf_init(&jws, BODY_MAX);
    cr_assert_eq(appstore_sign_payload(chain, payload, &jws, &err), RC_OK, "%s", err.text);
    CLEANUP(freep)
    char *outer = xasprintf("{\"notificationType\":\"TEST\",\"notificationUUID\":\"u-1\",\"data\":{\"appAppleId\":1234,"
                            "\"bundleId\":\"com.example.game\",\"environment\":\"Production\",\"%s\":\"%s\"}}",
                            name, buf_str(&jws));
    return verdict_on_payload(outer);
}

/* ---------------------------------------------------------------------------------------------------- identity */

Test(appstore_event, it_must_be_for_this_app_in_this_environment)
{
    static const struct {
        const char *bundle, *environment;
        int64_t app;
        enum channel_reason production, sandbox;
    } rows[] = {
        {"com.example.game", "Production", 1234, REASON_OK, REASON_ENV_MISMATCH},
        {"com.example.game", "Sandbox", 1234, REASON_ENV_MISMATCH, REASON_OK},
        {"com.example.game", "Production", 1235, REASON_BUNDLE_MISMATCH, REASON_ENV_MISMATCH},
        {"com.example.game", "Sandbox", 0, REASON_ENV_MISMATCH, REASON_OK},
        {"com.example.game", "Production", 0, REASON_BUNDLE_MISMATCH, REASON_ENV_MISMATCH},
        {"com.example.game", "production", 1234, REASON_ENV_MISMATCH, REASON_ENV_MISMATCH},
        {"com.example.Game", "Production", 1234, REASON_BUNDLE_MISMATCH, REASON_BUNDLE_MISMATCH},
        {"com.example.game2", "Sandbox", 1234, REASON_BUNDLE_MISMATCH, REASON_BUNDLE_MISMATCH},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct appstore_notice n = NOTICE;
        n.bundle_id = rows[i].bundle;
        n.environment = rows[i].environment;
        n.app_apple_id = rows[i].app;
        for (int transaction = 0; transaction < 2; transaction++) {
            n.transaction_id = transaction == 1 ? "1" : NULL;
            own.production = true;
            expect(rows[i].production, verdict_of(&n), rows[i].bundle);
            own.production = false;
            expect(rows[i].sandbox, verdict_of(&n), rows[i].bundle);
        }
    }
}

#define OUTER "{\"notificationType\":\"T\",\"notificationUUID\":\"u\","
#define GOOD "\"bundleId\":\"com.example.game\",\"appAppleId\":1234"
#define BAD "\"bundleId\":\"com.example.other\",\"appAppleId\":1234"
#define PRODUCTION ",\"environment\":\"Production\"}}"
#define SANDBOX ",\"environment\":\"Sandbox\"}}"

Test(appstore_event, the_four_kinds_of_content)
{
    static const struct {
        const char *payload;
        enum channel_reason reason;
    } rows[] = {
        {OUTER "\"data\":{" GOOD PRODUCTION, REASON_OK},
        {OUTER "\"summary\":{" GOOD PRODUCTION, REASON_OK},
        {OUTER "\"appData\":{" GOOD PRODUCTION, REASON_OK},
        {OUTER "\"externalPurchaseToken\":{" GOOD ",\"externalPurchaseId\":\"b2158121\"}}", REASON_OK},
        {OUTER "\"data\":null,\"summary\":{" GOOD PRODUCTION, REASON_OK},
        {OUTER "\"summary\":{" BAD PRODUCTION, REASON_BUNDLE_MISMATCH},
        {OUTER "\"appData\":{" BAD PRODUCTION, REASON_BUNDLE_MISMATCH},
        {OUTER "\"externalPurchaseToken\":{" BAD ",\"externalPurchaseId\":\"b2158121\"}}", REASON_BUNDLE_MISMATCH},
        {OUTER "\"summary\":{" GOOD SANDBOX, REASON_ENV_MISMATCH},
        {OUTER "\"appData\":{" GOOD SANDBOX, REASON_ENV_MISMATCH},
        {OUTER "\"externalPurchaseToken\":{" GOOD ",\"externalPurchaseId\":\"SANDBOX_b2\"}}", REASON_ENV_MISMATCH},
        {OUTER "\"externalPurchaseToken\":{" GOOD "}}", REASON_BODY_MALFORMED},
        {OUTER "\"summary\":{" GOOD "}}", REASON_BODY_MALFORMED},
        {OUTER "\"summary\":{\"environment\":\"Production\"}}", REASON_BODY_MALFORMED},
        {OUTER "\"other\":{}}", REASON_BODY_MALFORMED},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        expect(rows[i].reason, verdict_on_payload(rows[i].payload), rows[i].payload);
    }
}

/* ---------------------------------------------------------------------------------------------------- nested */

static const char TRANSACTION[] = "{\"transactionId\":\"1\",\"bundleId\":\"com.example.game\",\"environment\":"
                                  "\"Production\",\"price\":1000,\"currency\":\"CNY\",\"appAccountToken\":\"A-1\"}";

Test(appstore_event, what_is_signed_inside_is_verified_by_itself)
{
    static const char *const names[] = {"signedTransactionInfo", "signedRenewalInfo", "signedAppTransactionInfo"};
    CLEANUP(authority_done) struct authority other;
    CLEANUP(authority_done) struct authority marked;
    authority_make(CA_APPSTORE, NULL, &other);
    authority_make(CA_APPSTORE, NULL, &marked);
    struct ca_chain stolen = apple.chain; /* Apple's certificates, and another's key */
    stolen.key = other.chain.key;
    const struct ca_certificate spec = {.name = "leaf",
                                        .key = apple.chain.key,
                                        .issuer = apple.chain.ca,
                                        .issuer_key = apple.ca_key,
                                        .from_s = NOW - DAY,
                                        .until_s = NOW + DAY};
    struct err err;
    struct ca_chain plain = apple.chain; /* a certificate of Apple's for something else */
    cr_assert_eq(ca_certificate_make(&spec, &plain.leaf, &err), RC_OK);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        expect(REASON_OK, verdict_on_nested(names[i], &apple.chain, TRANSACTION), names[i]);
        expect(REASON_SIG_INVALID, verdict_on_nested(names[i], &stolen, TRANSACTION), names[i]);
        expect(REASON_CHAIN_INVALID, verdict_on_nested(names[i], &other.chain, TRANSACTION), names[i]);
        expect(REASON_CHAIN_OID, verdict_on_nested(names[i], &plain, TRANSACTION), names[i]);
        cr_assert_not_null(strstr(verdict_on_nested(names[i], &plain, TRANSACTION)->detail, names[i]));
    }
    X509_free(plain.leaf);
}

Test(appstore_event, what_is_signed_inside_must_be_for_the_same_app)
{
    static const struct {
        const char *name, *payload;
        enum channel_reason reason;
    } rows[] = {
        {"signedTransactionInfo",
         "{\"transactionId\":\"1\",\"bundleId\":\"com.example.other\",\"environment\":\"Production\"}",
         REASON_BUNDLE_MISMATCH},
        {"signedTransactionInfo",
         "{\"transactionId\":\"1\",\"bundleId\":\"com.example.game\",\"environment\":\"Sandbox\"}",
         REASON_ENV_MISMATCH},
        {"signedTransactionInfo", "{\"transactionId\":\"1\",\"environment\":\"Production\"}", REASON_BODY_MALFORMED},
        {"signedTransactionInfo", "{\"bundleId\":\"com.example.game\",\"environment\":\"Production\"}",
         REASON_BODY_MALFORMED},
        {"signedTransactionInfo",
         "{\"transactionId\":\"1\",\"bundleId\":\"com.example.game\",\"environment\":\"Production\",\"price\":1.5}",
         REASON_BODY_MALFORMED},
        {"signedTransactionInfo",
         "{\"transactionId\":\"1\",\"bundleId\":\"com.example.game\",\"environment\":\"Production\",\"price\":-1}",
         REASON_BODY_MALFORMED},
        {"signedTransactionInfo",
         "{\"transactionId\":\"1\",\"bundleId\":\"com.example.game\",\"environment\":\"Production\",\"currency\":"
         "\"Y\"}",
         REASON_BODY_MALFORMED},
        {"signedTransactionInfo", "[]", REASON_BODY_MALFORMED},
        {"signedRenewalInfo", "{\"environment\":\"Production\"}", REASON_OK},
        {"signedRenewalInfo", "{\"environment\":\"Sandbox\"}", REASON_ENV_MISMATCH},
        {"signedRenewalInfo", "{\"bundleId\":\"com.example.other\"}", REASON_BUNDLE_MISMATCH},
        {"signedAppTransactionInfo", "{\"bundleId\":\"com.example.other\"}", REASON_BUNDLE_MISMATCH},
        {"signedAppTransactionInfo", "{\"receiptType\":\"Sandbox\"}", REASON_ENV_MISMATCH},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        expect(rows[i].reason, verdict_on_nested(rows[i].name, &apple.chain, rows[i].payload), rows[i].payload);
    }
}

/* ---------------------------------------------------------------------------------------------------- meaning */

Test(appstore_event, types_have_their_effects)
{
    static const struct {
        const char *type, *subtype, *ownership;
        enum payment_effect effect;
    } rows[] = {
        {"ONE_TIME_CHARGE", NULL, NULL, EFFECT_SUCCEEDED},
        {"SUBSCRIBED", "INITIAL_BUY", "PURCHASED", EFFECT_SUCCEEDED},
        {"SUBSCRIBED", "RESUBSCRIBE", "PURCHASED", EFFECT_SUCCEEDED},
        {"DID_RENEW", NULL, "PURCHASED", EFFECT_NONE},
        {"OFFER_REDEEMED", "INITIAL_BUY", "PURCHASED", EFFECT_SUCCEEDED},
        {"OFFER_REDEEMED", "DOWNGRADE", "PURCHASED", EFFECT_NONE},
        {"REFUND", NULL, "PURCHASED", EFFECT_REFUNDED},
        {"ONE_TIME_CHARGE", NULL, "FAMILY_SHARED", EFFECT_NONE},
        {"SUBSCRIBED", "INITIAL_BUY", "FAMILY_SHARED", EFFECT_NONE},
        {"REFUND", NULL, "FAMILY_SHARED", EFFECT_NONE},
        {"REVOKE", NULL, "FAMILY_SHARED", EFFECT_NONE},
        {"REFUND_REVERSED", NULL, "PURCHASED", EFFECT_NONE},
        {"REFUND_DECLINED", NULL, "PURCHASED", EFFECT_NONE},
        {"CONSUMPTION_REQUEST", NULL, "PURCHASED", EFFECT_NONE},
        {"DID_CHANGE_RENEWAL_PREF", "UPGRADE", "PURCHASED", EFFECT_NONE},
        {"DID_FAIL_TO_RENEW", NULL, "PURCHASED", EFFECT_NONE},
        {"EXPIRED", "VOLUNTARY", "PURCHASED", EFFECT_NONE},
        {"TEST", NULL, NULL, EFFECT_NONE},
        {"WHATEVER_COMES", NULL, NULL, EFFECT_NONE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct appstore_notice n = NOTICE;
        n.type = rows[i].type;
        n.subtype = rows[i].subtype;
        n.ownership = rows[i].ownership;
        const struct verdict *v = verdict_of(&n);
        expect(REASON_OK, v, rows[i].type);
        cr_assert_eq(v->event.effect, rows[i].effect, "%s", rows[i].type);
        cr_assert_str_eq(v->event.type, rows[i].type);
        cr_assert_eq(v->event.amount, 1000);
        n.transaction_id = NULL;
        cr_assert_eq(verdict_of(&n)->event.effect, EFFECT_NONE, "%s without transaction", rows[i].type);
    }
}

Test(appstore_event, prices_are_whole_minor_units_or_no_money)
{
    static const struct {
        int64_t milli;
        const char *currency;
        bool has;
        int64_t amount;
        enum payment_effect effect;
    } rows[] = {
        {10, "CNY", true, 1, EFFECT_SUCCEEDED}, {12990, "USD", true, 1299, EFFECT_SUCCEEDED},
        {12995, "USD", false, 0, EFFECT_NONE},  {100000, "JPY", true, 100, EFFECT_SUCCEEDED},
        {100500, "JPY", false, 0, EFFECT_NONE}, {1234, "KWD", true, 1234, EFFECT_SUCCEEDED},
        {1, "CLF", true, 10, EFFECT_SUCCEEDED}, {0, "CNY", false, 0, EFFECT_NONE},
        {1000, NULL, false, 0, EFFECT_NONE},    {INT64_MAX, "CNY", false, 0, EFFECT_NONE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct appstore_notice n = NOTICE;
        n.price_milli = rows[i].milli;
        n.currency = rows[i].currency;
        const struct verdict *v = verdict_of(&n);
        expect(REASON_OK, v, rows[i].currency);
        cr_assert_eq(v->event.effect, rows[i].effect, "row %zu", i);
        cr_assert_eq(v->event.has_amount, rows[i].has, "row %zu", i);
        cr_assert_eq(v->event.amount, rows[i].amount, "row %zu", i);
    }
}

Test(appstore_event, refunds_say_what_was_refunded_in_all)
{
    static const struct {
        int64_t price_milli, percent_milli, amount;
    } rows[] = {
        {10000, 0, 1000},                                                /* it does not say: everything */
        {10000, 100000, 1000}, {10000, 40000, 400}, {29970, 33333, 999}, /* one of three for 9.99 */
        {29970, 66667, 1998},  {10, 15, 0},         {9007199254740990, 67932, 611877059773065},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct appstore_notice n = NOTICE;
        n.type = "REFUND";
        n.price_milli = rows[i].price_milli;
        n.revocation_percentage = rows[i].percent_milli;
        n.revocation_ms = NOW * 1000 + 7;
        const struct verdict *v = verdict_of(&n);
        expect(REASON_OK, v, "refund");
        cr_assert_eq(v->event.amount, rows[i].amount, "row %zu: %lld", i, (long long)v->event.amount);
        cr_assert_eq(v->event.effect, rows[i].amount == 0 ? EFFECT_NONE : EFFECT_REFUNDED, "row %zu", i);
        cr_assert(v->event.amount_is_total);
        cr_assert_str_eq(v->event.refund_id, "2000000123-1700000000007");
        cr_assert_eq(v->event.at_us, NOW * 1000000 + 7000);
    }
}

Test(appstore_event, without_an_order_s_number_nothing_happens_to_an_order)
{
    static const char LONG[] = "01234567890123456789012345678901234567890123456789012345678901234";
    const char *const ids[] = {NULL, "a/b", "a'b", LONG};
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        struct appstore_notice n = NOTICE;
        n.payment_id = ids[i];
        const struct verdict *v = verdict_of(&n);
        expect(REASON_OK, v, ids[i] == NULL ? "none" : ids[i]);
        cr_assert_eq(v->event.effect, EFFECT_NONE);
        cr_assert_eq(v->event.amount, 1000, "it is told all the same");
    }
    struct appstore_notice n = NOTICE;
    n.payment_id = LONG + 1;
    cr_assert_eq(verdict_of(&n)->event.effect, EFFECT_SUCCEEDED);
}
