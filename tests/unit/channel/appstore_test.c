/* SPDX-License-Identifier: Apache-2.0 */
/* App Store notifications: the good one, and each reason for refusing one. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "apple_fixture.h"
#include "channel/appstore_account.h"
#include "channel/appstore_sign.h"
#include "crypto/base64.h"
#include "crypto/jws.h"
#include "crypto/openssl_own.h"

#define BODY_MAX (1 << 17)

static struct authority apple;
static struct appstore_account own;
static struct account account = {.channel = CHANNEL_APPSTORE, .name = "game1", .own = &own};

static const struct appstore_notice NOTICE = {.uuid = "002e14d5-51f5-4503-b5a8-c3a1af68eb20",
                                              .type = "ONE_TIME_CHARGE",
                                              .bundle_id = "com.example.game",
                                              .environment = "Production",
                                              .app_apple_id = 1234,
                                              .signed_ms = NOW * 1000,
                                              .transaction_id = "2000000123",
                                              .product_id = "coins.100",
                                              .payment_id = "7e3fb204-2c4e-4b7e-9a50-5b0b0ed28ef5",
                                              .ownership = "PURCHASED",
                                              .price_milli = 12990,
                                              .currency = "CNY",
                                              .purchase_ms = NOW * 1000 - 5000};

static void account_of(X509 *root, bool strict)
{
    own = (struct appstore_account){.bundle_id = "com.example.game", .production = true, .app_apple_id = 1234};
    own.trust = trust_in(root, CA_APPSTORE, strict, false, CHAIN_CACHE_MAX);
}

static void setup(void)
{
    authority_make(CA_APPSTORE, NULL, &apple);
    account_of(apple.chain.root, true);
}

static void teardown(void)
{
    own.trust = chain_trust_free(own.trust);
    authority_done(&apple);
    fixture_done();
}

TestSuite(appstore, .init = setup, .fini = teardown);

static const struct verdict *verdict_of(const struct ca_chain *chain, const struct appstore_notice *notice,
                                        int64_t now_s)
{
    struct err err;
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, BODY_MAX);
    cr_assert_eq(appstore_sign(chain, notice, &body, &err), RC_OK, "%s", err.text);
    return verdict_on(&account, buf_str(&body), body.len, now_s);
}

static void expect(enum channel_reason reason, const struct verdict *v, const char *what)
{
    expect_reason(CHANNEL_APPSTORE, v, reason, what);
}

/* A JWS in a body, as it is. */
static const struct verdict *verdict_on_jws(const char *jws)
{
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, BODY_MAX);
    (void)buf_puts(&body, "{\"signedPayload\":");
    (void)buf_json_string(&body, jws, strlen(jws));
    (void)buf_puts(&body, "}");
    return verdict_on(&account, buf_str(&body), body.len, NOW);
}

/* The notification above; header NULL = the usual one. */
static char *jws_of(const char *header, EVP_PKEY *key)
{
    struct err err;
    CLEANUP(buf_done) struct buf usual;
    CLEANUP(buf_done) struct buf payload;
    struct buf jws;
    struct appstore_notice notice = NOTICE;
    notice.transaction_id = NULL;
    buf_init(&usual, BODY_MAX);
    buf_init(&payload, BODY_MAX);
    buf_init(&jws, BODY_MAX);
    appstore_sign_header(&apple.chain, "ES256", &usual);
    appstore_notice_json(&notice, NULL, &payload);
    cr_assert_eq(jws_sign(header == NULL ? buf_str(&usual) : header, buf_str(&payload), key, &jws, &err), RC_OK);
    return buf_take(&jws);
}

static const struct verdict *verdict_on_header(const char *header)
{
    CLEANUP(freep) char *jws = jws_of(header, apple.chain.key);
    return verdict_on_jws(jws);
}

static char *base64_of(X509 *certificate)
{
    CLEANUP(openssl_bytes_freep) unsigned char *der = NULL;
    int n = i2d_X509(certificate, &der);
    char *text = xcalloc(1, BASE64_LENGTH((size_t)n) + 1);
    base64_encode(der, (size_t)n, text);
    return text;
}

/* ---------------------------------------------------------------------------------------------------- accepted */

Test(appstore, a_genuine_notification_is_accepted_and_read)
{
    const struct verdict *v = verdict_of(&apple.chain, &NOTICE, NOW + 3 * DAY); /* Apple tries again for days */
    expect(REASON_OK, v, "good");
    cr_assert_str_eq(v->event.merchant, "com.example.game");
    cr_assert_str_eq(v->event.notification_id, NOTICE.uuid);
    cr_assert_str_eq(v->event.business_key, NOTICE.uuid);
    cr_assert_str_eq(v->event.type, "ONE_TIME_CHARGE");
    cr_assert_str_eq(v->event.payment_id, NOTICE.payment_id);
    cr_assert_str_eq(v->event.channel_txn_id, "2000000123");
    cr_assert_eq(v->event.effect, EFFECT_SUCCEEDED);
    cr_assert(v->event.has_amount);
    cr_assert_eq(v->event.amount, 1299);
    cr_assert_str_eq(v->event.currency, "CNY");
    cr_assert_eq(v->event.at_us, NOW * 1000000 - 5000000);
    cr_assert_not_null(strstr(v->event.safe, "\"product_id\": \"coins.100\""));
    cr_assert_gt(chain_trust_hits(own.trust), 0, "the transaction comes with the same certificates");
}

Test(appstore, the_same_signed_again_has_the_same_content_and_another_fingerprint)
{
    struct verdict first = *verdict_of(&apple.chain, &NOTICE, NOW);
    const struct verdict *v = verdict_of(&apple.chain, &NOTICE, NOW);
    cr_assert_arr_eq(first.event.content, v->event.content, CHANNEL_HASH_BYTES);
    cr_assert_arr_neq(first.fingerprint, v->fingerprint, CHANNEL_HASH_BYTES);
    struct appstore_notice dearer = NOTICE;
    dearer.price_milli = 13990;
    v = verdict_of(&apple.chain, &dearer, NOW);
    cr_assert_arr_neq(first.event.content, v->event.content, CHANNEL_HASH_BYTES);
}

Test(appstore, the_third_certificate_is_not_looked_at)
{
    CLEANUP(freep) char *leaf = base64_of(apple.chain.leaf);
    CLEANUP(freep) char *ca = base64_of(apple.chain.ca);
    CLEANUP(authority_done) struct authority other;
    authority_make(CA_APPSTORE, NULL, &other);
    CLEANUP(freep) char *root = base64_of(other.chain.root);
    const char *const thirds[] = {root, "", "garbage"};
    for (size_t i = 0; i < ARRAY_SIZE(thirds); i++) {
        CLEANUP(freep)
        char *header = xasprintf("{\"alg\":\"ES256\",\"x5c\":[\"%s\",\"%s\",\"%s\"]}", leaf, ca, thirds[i]);
        expect(REASON_OK, verdict_on_header(header), thirds[i]);
    }
}

/* ---------------------------------------------------------------------------------------------------- header */

Test(appstore, the_algorithm_is_ES256_and_nothing_else)
{
    static const char *const algs[] = {"\"none\"",  "\"None\"", "\"HS256\"", "\"RS256\"",   "\"ES384\"",
                                       "\"es256\"", "\"\"",     "256",       "[\"ES256\"]", "null"};
    CLEANUP(buf_done) struct buf header;
    buf_init(&header, BODY_MAX);
    appstore_sign_header(&apple.chain, "ES256", &header);
    const char *rest = strstr(buf_str(&header), ",\"x5c\"");
    for (size_t i = 0; i < ARRAY_SIZE(algs); i++) {
        CLEANUP(freep) char *odd = xasprintf("{\"alg\":%s%s", algs[i], rest);
        expect(REASON_ALG_UNSUPPORTED, verdict_on_header(odd), algs[i]);
        cr_assert_not(verdict_on_header(odd)->genuine);
    }
    CLEANUP(freep) char *missing = xasprintf("{%s", rest + 1);
    expect(REASON_ALG_UNSUPPORTED, verdict_on_header(missing), "no alg");
    CLEANUP(freep) char *crit = xasprintf("{\"alg\":\"ES256\",\"crit\":[\"b64\"],\"b64\":false%s", rest);
    expect(REASON_ALG_UNSUPPORTED, verdict_on_header(crit), "crit");
}

/* What "alg":"none" is for: no signature at all. */
Test(appstore, nothing_goes_without_a_signature)
{
    CLEANUP(freep) char *jws = jws_of(NULL, apple.chain.key);
    *(strrchr(jws, '.') + 1) = '\0';
    expect(REASON_SIG_INVALID, verdict_on_jws(jws), "an empty signature");
    cr_assert_not(verdict_on_jws(jws)->genuine);
}

Test(appstore, there_are_exactly_three_certificates)
{
    CLEANUP(freep) char *leaf = base64_of(apple.chain.leaf);
    CLEANUP(freep) char *ca = base64_of(apple.chain.ca);
    CLEANUP(freep) char *root = base64_of(apple.chain.root);
    CLEANUP(freep) char *two = xasprintf("[\"%s\",\"%s\"]", leaf, ca);
    CLEANUP(freep) char *four = xasprintf("[\"%s\",\"%s\",\"%s\",\"%s\"]", leaf, ca, root, root);
    const char *const rows[] = {"[]", "[\"x\"]", two, four, "\"x\"", "null", "{}", "3"};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(freep) char *header = xasprintf("{\"alg\":\"ES256\",\"x5c\":%s}", rows[i]);
        expect(REASON_CHAIN_LENGTH, verdict_on_header(header), rows[i]);
    }
    expect(REASON_CHAIN_LENGTH, verdict_on_header("{\"alg\":\"ES256\"}"), "no x5c");
}

Test(appstore, certificates_are_strict_base64_of_certificates)
{
    CLEANUP(freep) char *leaf = base64_of(apple.chain.leaf);
    CLEANUP(freep) char *ca = base64_of(apple.chain.ca);
    CLEANUP(freep) char *blank = xasprintf("%.64s %s", leaf, leaf + 64);
    CLEANUP(freep) char *line = xasprintf("%.64s\\n%s", leaf, leaf + 64);
    CLEANUP(freep) char *padded = xasprintf("%s====", leaf);
    CLEANUP(freep) char *cut = xasprintf("%.*s", (int)strlen(leaf) / 8 * 4, leaf);
    const char *const leaves[] = {"", "AAAA", blank, line, padded, cut, "%%%%", ca};
    for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
        CLEANUP(freep) char *header = xasprintf("{\"alg\":\"ES256\",\"x5c\":[\"%s\",\"%s\",\"x\"]}", leaves[i], ca);
        expect(REASON_CHAIN_INVALID, verdict_on_header(header), leaves[i]);
        CLEANUP(freep) char *other = xasprintf("{\"alg\":\"ES256\",\"x5c\":[\"%s\",\"%s\",\"x\"]}", leaf, leaves[i]);
        if (leaves[i] != ca) {
            expect(REASON_CHAIN_INVALID, verdict_on_header(other), leaves[i]);
        }
    }
    CLEANUP(freep) char *numbers = xasprintf("{\"alg\":\"ES256\",\"x5c\":[1,\"%s\",\"x\"]}", ca);
    expect(REASON_CHAIN_INVALID, verdict_on_header(numbers), "a number");
}

/* ---------------------------------------------------------------------------------------------------- chain */

static void expect_odd(enum channel_reason reason, const struct oddity *odd, bool strict, const char *what)
{
    CLEANUP(authority_done) struct authority other;
    authority_make(CA_APPSTORE, odd, &other);
    own.trust = chain_trust_free(own.trust);
    account_of(other.chain.root, strict);
    struct ca_chain shown = other.chain;
    shown.key = odd->leaf_curve == NULL ? shown.key : apple.chain.key; /* ES256 is of P-256 */
    expect(reason, verdict_of(&shown, &NOTICE, NOW + 50 * (int64_t)DAY), what);
}

Test(appstore, chains_are_refused_by_their_own_reasons)
{
    expect_odd(REASON_OK, &(struct oddity){0}, true, "good");
    expect_odd(REASON_CHAIN_OID, &(struct oddity){.leaf_oid = ""}, true, "leaf without marker");
    expect_odd(REASON_CHAIN_OID, &(struct oddity){.ca_oid = OID_APPLEPAY_CA}, true, "the marker of Apple Pay");
    expect_odd(REASON_CHAIN_EXPIRED, &(struct oddity){.ca_until_s = NOW - DAY}, true, "expired intermediate");
    expect_odd(REASON_CHAIN_EXPIRED, &(struct oddity){.leaf_until_s = NOW}, true, "expired leaf");
    expect_odd(REASON_CHAIN_INVALID, &(struct oddity){.leaf_curve = "P-384"}, true, "leaf on P-384");
    expect_odd(REASON_CHAIN_INVALID, &(struct oddity){.leaf_by_root = true}, true, "leaf by the root");
    expect_odd(REASON_CHAIN_INVALID, &(struct oddity){.ca_curve = "P-256"}, true, "CAs on P-256");
    expect_odd(REASON_CHAIN_INVALID, &(struct oddity){.without_key_ids = true}, true, "strict");
    expect_odd(REASON_OK, &(struct oddity){.without_key_ids = true}, false, "not strict");
    expect_odd(REASON_CHAIN_OID, &(struct oddity){.without_key_ids = true, .leaf_oid = ""}, false,
               "not strict, and no marker");
}

Test(appstore, another_root_is_not_ours)
{
    CLEANUP(authority_done) struct authority other;
    authority_make(CA_APPSTORE, NULL, &other);
    expect(REASON_CHAIN_INVALID, verdict_of(&other.chain, &NOTICE, NOW), "self-made");
    cr_assert_not(verdict_of(&other.chain, &NOTICE, NOW)->key_known);
}

Test(appstore, certificates_count_when_it_was_signed_or_now)
{
    struct appstore_notice late = NOTICE;
    int64_t expired = NOW + 11 * (int64_t)DAY; /* the leaf has ten days */
    expect(REASON_OK, verdict_of(&apple.chain, &NOTICE, expired), "signed in time");
    late.signed_ms = expired * 1000;
    expect(REASON_CHAIN_EXPIRED, verdict_of(&apple.chain, &late, NOW), "signed too late");
    late.signed_ms = 0;
    expect(REASON_CHAIN_EXPIRED, verdict_of(&apple.chain, &late, expired), "without a date it is now");
    expect(REASON_OK, verdict_of(&apple.chain, &late, NOW), "without a date it is now");
    own.effective_now = true;
    expect(REASON_CHAIN_EXPIRED, verdict_of(&apple.chain, &NOTICE, expired), "now");
    expect(REASON_OK, verdict_of(&apple.chain, &NOTICE, NOW), "now");
}

/* ---------------------------------------------------------------------------------------------------- signature */

Test(appstore, a_genuine_chain_does_not_help_another_key)
{
    CLEANUP(pkey_freep) EVP_PKEY *attacker = ca_key_make("P-256");
    CLEANUP(freep) char *jws = jws_of(NULL, attacker);
    expect(REASON_SIG_INVALID, verdict_on_jws(jws), "attacker");
    cr_assert_not(verdict_on_jws(jws)->genuine);
    cr_assert(verdict_on_jws(jws)->key_known);
}

Test(appstore, no_character_may_be_changed)
{
    CLEANUP(freep) char *jws = jws_of(NULL, apple.chain.key);
    size_t payload = (size_t)(strchr(jws, '.') - jws) + 1;
    for (size_t i = payload; jws[i] != '\0'; i += 7) {
        char was = jws[i];
        if (was == '.') {
            continue;
        }
        jws[i] = was == 'A' ? 'B' : 'A';
        const struct verdict *v = verdict_on_jws(jws);
        cr_assert(v->reason == REASON_SIG_INVALID || (v->reason == REASON_BODY_MALFORMED && !v->genuine), "%zu: %s", i,
                  reason_name(v->reason));
        jws[i] = was;
    }
    expect(REASON_OK, verdict_on_jws(jws), "unchanged");
}

Test(appstore, a_signature_has_sixty_four_bytes)
{
    CLEANUP(freep) char *jws = jws_of(NULL, apple.chain.key);
    char *signature = strrchr(jws, '.') + 1;
    CLEANUP(freep) char *longer = xasprintf("%sAA", jws);
    CLEANUP(freep) char *padded = xasprintf("%s==", jws);
    CLEANUP(freep) char *blank = xasprintf("%s ", jws);
    CLEANUP(freep) char *shorter = xstrndup(jws, strlen(jws) - 2);
    CLEANUP(freep) char *zero = xasprintf("%.*s%086d", (int)(signature - jws), jws, 0);
    for (char *c = zero + (signature - jws); *c != '\0'; c++) {
        *c = 'A';
    }
    const char *const rows[] = {longer, padded, blank, shorter, zero};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        expect(REASON_SIG_INVALID, verdict_on_jws(rows[i]), rows[i] + (signature - jws));
    }
}

/* ---------------------------------------------------------------------------------------------------- form */

Test(appstore, a_jws_is_three_segments_of_base64url)
{
    CLEANUP(freep) char *jws = jws_of(NULL, apple.chain.key);
    char *payload = strchr(jws, '.') + 1;
    int header_n = (int)(payload - jws) - 1;
    CLEANUP(freep) char *four = xasprintf("%s.AAAA", jws);
    CLEANUP(freep) char *two = xstrndup(jws, (size_t)(strrchr(jws, '.') - jws));
    CLEANUP(freep) char *padded = xasprintf("%.*s==.%s", header_n, jws, payload);
    CLEANUP(freep) char *blank = xasprintf("%.*s. %s", header_n, jws, payload);
    CLEANUP(freep) char *plus = xasprintf("%.*s.+%s", header_n, jws, payload + 1);
    CLEANUP(freep) char *empty = xasprintf(".%s", payload);
    CLEANUP(freep) char *not_json = xasprintf("AAAA.%s", payload);
    const char *const rows[] = {"x", "..", four, two, padded, blank, plus, empty, not_json, "e30.e30", "bnVsbA.e30.AA"};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        expect(REASON_BODY_MALFORMED, verdict_on_jws(rows[i]), rows[i]);
    }
}

Test(appstore, bodies_that_are_none)
{
    CLEANUP(buf_done) struct buf deep;
    CLEANUP(buf_done) struct buf wide;
    buf_init(&deep, BODY_MAX);
    buf_init(&wide, BODY_MAX);
    for (int i = 0; i < 10000; i++) {
        (void)buf_puts(&deep, "[");
        (void)buf_puts(&wide, i == 0 ? "[0" : ",0");
    }
    const char *const rows[] = {"",
                                "{}",
                                "[]",
                                "null",
                                "{\"signedPayload\":1}",
                                "{\"signedPayload\":null}",
                                "{\"signedPayload\":\"\"}",
                                "{\"signedPayload\":\"a\",\"signedPayload\":\"b\"}",
                                "{\"signedPayload\":\"\\u0000\"}",
                                "{\"signedPayload\":\"\xff\"}",
                                "{\"unified_receipt\":{}}",
                                buf_str(&deep),
                                buf_str(&wide)};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        expect(REASON_BODY_MALFORMED, verdict_on(&account, rows[i], strlen(rows[i]), NOW), rows[i]);
    }
    CLEANUP(freep) char *big = xcalloc(1, CHANNEL_BODY_BYTES_MAX + 1);
    expect(REASON_TOO_LARGE, verdict_on(&account, big, CHANNEL_BODY_BYTES_MAX + 1, NOW), "too large");
}

/* Signed by Apple, and nonsense all the same: genuine, and refused. */
Test(appstore, payloads_that_are_none)
{
    static const char GOOD_DATA[] = "\"data\":{\"appAppleId\":1234,\"bundleId\":\"com.example.game\","
                                    "\"environment\":\"Production\"";
    CLEANUP(buf_done) struct buf bomb;
    buf_init(&bomb, BODY_MAX);
    for (int i = 0; i < 5000; i++) {
        (void)buf_puts(&bomb, "{\"a\":");
    }
    CLEANUP(freep)
    char *bad_nested = xasprintf(
        "{\"notificationType\":\"TEST\",\"notificationUUID\":\"1\",%s,\"signedTransactionInfo\":1}}", GOOD_DATA);
    CLEANUP(freep)
    char *bad_date =
        xasprintf("{\"notificationType\":\"TEST\",\"notificationUUID\":\"1\",\"signedDate\":-1,%s}}", GOOD_DATA);
    CLEANUP(freep) char *no_uuid = xasprintf("{\"notificationType\":\"TEST\",%s}}", GOOD_DATA);
    CLEANUP(freep) char *no_type = xasprintf("{\"notificationUUID\":\"1\",%s}}", GOOD_DATA);
    const char *const rows[] = {"{}",
                                "[1]",
                                "nonsense",
                                buf_str(&bomb),
                                bad_nested,
                                bad_date,
                                no_uuid,
                                no_type,
                                "{\"notificationType\":\"TEST\",\"notificationUUID\":\"1\"}",
                                "{\"notificationType\":\"TEST\",\"notificationUUID\":\"1\",\"data\":[]}",
                                "{\"notificationType\":\"TEST\",\"notificationUUID\":\"1\",\"data\":{}}"};
    struct err err;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(buf_done) struct buf jws;
        buf_init(&jws, BODY_MAX);
        cr_assert_eq(appstore_sign_payload(&apple.chain, rows[i], &jws, &err), RC_OK, "%s", err.text);
        const struct verdict *v = verdict_on_jws(buf_str(&jws));
        expect(REASON_BODY_MALFORMED, v, rows[i]);
        cr_assert(v->genuine, "row %zu", i);
    }
}
