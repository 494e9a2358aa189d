/* SPDX-License-Identifier: Apache-2.0 */
/* Apple Pay tokens: their forms, their time, what is encrypted in them, and the order they are for. */
#include <criterion/criterion.h>
#include <openssl/ec.h>
#include <stdlib.h>
#include <string.h>

#include "applepay_fixture.h"
#include "crypto/agree.h"
#include "crypto/openssl_own.h"

TestSuite(applepay, .init = applepay_setup, .fini = applepay_teardown);

Test(applepay, a_genuine_token_is_accepted_and_told_safely)
{
    const struct verdict *v = verdict_of_payment(&PAYMENT, NOW + 10);
    expect_token(REASON_OK, v, "good");
    cr_assert_str_eq(v->event.merchant, own.merchant);
    cr_assert_str_eq(v->event.notification_id, TOKEN_ID);
    cr_assert_str_eq(v->event.business_key, TOKEN_ID);
    cr_assert_str_eq(v->event.type, "token");
    cr_assert_null(v->event.payment_id);
    cr_assert_eq(v->event.effect, EFFECT_NONE);
    cr_assert(v->event.has_amount && v->event.amount == 1200);
    cr_assert_str_eq(v->event.currency, "CNY");
    cr_assert_eq(v->event.at_us, NOW * 1000000);
    cr_assert_str_eq(v->event.safe,
                     "{\"verified\": true, \"transaction_id\": \"" TOKEN_ID
                     "\", \"amount\": 1200, \"currency\": \"CNY\", "
                     "\"dpan_last4\": \"0017\", \"expires\": \"2031-12-31\", \"device_manufacturer_id\": "
                     "\"040010030273\", \"payment_data_type\": \"3DSecure\"}");
    cr_assert_eq(chain_trust_hits(own.trust), 0);
    (void)verdict_of_payment(&PAYMENT, NOW);
    cr_assert_eq(chain_trust_hits(own.trust), 1);
}

Test(applepay, the_time_of_signing_is_within_the_window)
{
    static const struct {
        int64_t ahead_s;
        enum channel_reason reason;
    } rows[] = {{0, REASON_OK},    {300, REASON_OK},         {301, REASON_TS_STALE},    {86400, REASON_TS_STALE},
                {-300, REASON_OK}, {-301, REASON_TS_FUTURE}, {-86400, REASON_TS_FUTURE}};
    CLEANUP(freep) char *text = token_text(&PAYMENT);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct verdict *v = verdict_on_text(text, NOW + rows[i].ahead_s);
        expect_token(rows[i].reason, v, "window");
        cr_assert(v->genuine, "row %zu", i);
    }
    own.window_s = 5;
    expect_token(REASON_OK, verdict_on_text(text, NOW + 5), "narrower");
    expect_token(REASON_TS_STALE, verdict_on_text(text, NOW + 6), "narrower");
}

/* ---------------------------------------------------------------------------------------------------- forms */

Test(applepay, three_forms_and_the_order_to_compare_with)
{
    static const struct {
        const char *before, *behind;
        enum channel_reason reason;
    } rows[] = {
        {"{\"paymentData\":", "}", REASON_OK},
        {"{\"paymentData\":", ",\"paymentMethod\":{\"network\":\"Visa\"},\"transactionIdentifier\":\"x\"}", REASON_OK},
        {"{\"token\":", "}", REASON_OK},
        {"{\"token\":{\"paymentData\":", "}}", REASON_OK},
        {"{\"payment_id\":\"A-1\",\"token\":{\"paymentData\":", "},\"amount\":1200,\"currency\":\"CNY\"}", REASON_OK},
        {"{\"token\":", ",\"amount\":1201,\"currency\":\"CNY\"}", REASON_FIELD_MISMATCH},
        {"{\"token\":", ",\"amount\":12,\"currency\":\"CNY\"}", REASON_FIELD_MISMATCH},
        {"{\"token\":", ",\"amount\":1200,\"currency\":\"USD\"}", REASON_FIELD_MISMATCH},
        {"{\"token\":", ",\"amount\":1200}", REASON_BODY_MALFORMED},
        {"{\"token\":", ",\"currency\":\"CNY\"}", REASON_BODY_MALFORMED},
        {"{\"token\":", ",\"amount\":12.00,\"currency\":\"CNY\"}", REASON_BODY_MALFORMED},
        {"{\"token\":", ",\"amount\":\"1200\",\"currency\":\"CNY\"}", REASON_BODY_MALFORMED},
        {"{\"token\":", ",\"amount\":0,\"currency\":\"CNY\"}", REASON_BODY_MALFORMED},
        {"{\"token\":", ",\"amount\":99999999999999999999,\"currency\":\"CNY\"}", REASON_BODY_MALFORMED},
        {"{\"token\":", ",\"amount\":1200,\"currency\":\"cny\"}", REASON_BODY_MALFORMED},
        {"{\"token\":", ",\"amout\":1200,\"currency\":\"CNY\"}", REASON_BODY_MALFORMED},
        {"{\"token\":", ",\"amout\":1201}", REASON_BODY_MALFORMED},
        {"{\"token\":", ",\"payment_id\":\"a b\"}", REASON_BODY_MALFORMED},
        {"{\"token\":", ",\"payment_id\":7}", REASON_BODY_MALFORMED},
        {"[", "]", REASON_BODY_MALFORMED},
    };
    CLEANUP(freep) char *text = token_text(&PAYMENT);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(freep) char *body = xasprintf("%s%s%s", rows[i].before, text, rows[i].behind);
        const struct verdict *v = verdict_on_text(body, NOW);
        expect_token(rows[i].reason, v, rows[i].behind);
        bool order = strstr(rows[i].before, "A-1") != NULL;
        cr_assert(!order || (strcmp(v->event.payment_id, "A-1") == 0 && strstr(v->event.safe, "A-1") != NULL));
    }
}

/* The member name of the token that is made, with another value. */
static char *with(const char *text, const char *name, const char *value)
{
    CLEANUP(freep) char *key = xasprintf("\"%s\":\"", name);
    const char *at = strstr(text, key);
    cr_assert_not_null(at, "%s", name);
    const char *end = strchr(at + strlen(key), '"');
    return xasprintf("%.*s\"%s\":%s%s", (int)(at - text), text, name, value, end + 1);
}

Test(applepay, members_are_as_apple_writes_them)
{
    static const struct {
        const char *name, *value;
        enum channel_reason reason;
    } rows[] = {
        {"version", "\"EC_v2\"", REASON_ALG_UNSUPPORTED},
        {"version", "\"RSA_v1\"", REASON_ALG_UNSUPPORTED}, /* the account has no key for it */
        {"version", "\"\"", REASON_BODY_MALFORMED},
        {"version", "1", REASON_BODY_MALFORMED},
        {"data", "\"\"", REASON_BODY_MALFORMED},
        {"data", "\"AA=\"", REASON_BODY_MALFORMED},
        {"data", "\"AA A\"", REASON_BODY_MALFORMED},
        {"data", "\"AAAA\\n\"", REASON_BODY_MALFORMED},
        {"data", "\"-_-_\"", REASON_BODY_MALFORMED},
        {"data", "{}", REASON_BODY_MALFORMED},
        {"signature", "\"AAA\"", REASON_BODY_MALFORMED},
        {"signature", "\"AAAA\"", REASON_BODY_MALFORMED},
        {"signature", "null", REASON_BODY_MALFORMED},
        {"ephemeralPublicKey", "\"!\"", REASON_BODY_MALFORMED},
        {"ephemeralPublicKey", "null", REASON_BODY_MALFORMED},
        {"ephemeralPublicKey", "\"AAAA\"", REASON_SIG_INVALID},
        {"publicKeyHash", "\"AAAA\"", REASON_BODY_MALFORMED},
        {"publicKeyHash", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"", REASON_FIELD_MISMATCH},
        {"transactionId", "\"\"", REASON_BODY_MALFORMED},
        {"transactionId", "\"abc\"", REASON_BODY_MALFORMED},
        {"transactionId", "\"zz\"", REASON_BODY_MALFORMED},
        {"transactionId", "\"00\"", REASON_SIG_INVALID},
        {"transactionId", "\"00" TOKEN_ID "\"", REASON_BODY_MALFORMED},
        {"transactionId", "\"" TOKEN_ID "\",\"applicationData\":\"00\"", REASON_BODY_MALFORMED},
        {"transactionId", "\"" TOKEN_ID "\",\"applicationData\":\"" TOKEN_ID "\"", REASON_SIG_INVALID},
        {"transactionId", "\"" TOKEN_ID "\",\"transactionId\":\"" TOKEN_ID "\"", REASON_BODY_MALFORMED},
    };
    CLEANUP(freep) char *text = token_text(&PAYMENT);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(freep) char *body = with(text, rows[i].name, rows[i].value);
        expect_token(rows[i].reason, verdict_on_text(body, NOW), rows[i].value);
    }
}

/* Several spellings of a number are one token. */
Test(applepay, the_transaction_s_number_has_one_spelling)
{
    CLEANUP(freep) char *text = token_text(&PAYMENT);
    CLEANUP(freep)
    char *upper = with(text, "transactionId", "\"2686F5297F123EC7FD9D31074D43D201953CA75F098890375F13AED2737D92F2\"");
    const struct verdict *v = verdict_on_text(upper, NOW);
    expect_token(REASON_OK, v, "upper case");
    cr_assert_str_eq(v->event.notification_id, TOKEN_ID);
}

Test(applepay, bodies_that_are_none)
{
    CLEANUP(buf_done) struct buf deep;
    buf_init(&deep, TOKEN_MAX);
    for (int i = 0; i < 6000; i++) {
        (void)buf_puts(&deep, "{\"token\":");
    }
    const char *const rows[] = {
        "", "{}", "[]", "7", "{\"token\":{}}", "{\"paymentData\":{}}", "{\"token\":1}", buf_str(&deep)};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        expect_token(REASON_BODY_MALFORMED, verdict_on_text(rows[i], NOW), rows[i]);
    }
}

/* ---------------------------------------------------------------------------------------------------- content */

Test(applepay, what_does_not_open_with_our_key)
{
    struct err err;
    X509 *other = NULL;
    EVP_PKEY *other_key = NULL;
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, TOKEN_MAX);
    /* Another merchant's token, under our key's hash, which nobody has signed. */
    cr_assert_eq(ca_merchant_make("merchant.other", "P-256", NOW, &other, &other_key, &err), RC_OK);
    cr_assert_eq(applepay_sign(&apple.chain, other, &PAYMENT, NOW, &body, &err), RC_OK);
    const struct verdict *v = verdict_on_text(buf_str(&body), NOW);
    expect_token(REASON_FIELD_MISMATCH, v, "another key's hash");
    cr_assert(v->genuine);
    CLEANUP(applepay_sealed_done) struct applepay_sealed sealed = {0};
    cr_assert_eq(applepay_seal(&PAYMENT, other, NULL, &sealed, &err), RC_OK);
    memcpy(sealed.key_hash, own.ec.key_hash, sizeof sealed.key_hash);
    const struct applepay_signature how = {.chain = &apple.chain, .signed_at_s = NOW};
    v = verdict_of_signature(&sealed, &how);
    expect_token(REASON_DECRYPT_FAILED, v, "another key");
    cr_assert(v->genuine);
    /* Our key, and another merchant's hash in the derivation. */
    CLEANUP(x509_freep) X509 *renamed = NULL;
    const struct ca_certificate spec = {.name = "m",
                                        .key = own.ec.key,
                                        .issuer = apple.chain.ca,
                                        .issuer_key = apple.ca_key,
                                        .from_s = NOW,
                                        .until_s = NOW + DAY,
                                        .oid = OID_APPLEPAY_MERCHANT,
                                        .value = TOKEN_ID};
    cr_assert_eq(ca_certificate_make(&spec, &renamed, &err), RC_OK);
    buf_clear(&body);
    cr_assert_eq(applepay_sign(&apple.chain, renamed, &PAYMENT, NOW, &body, &err), RC_OK);
    expect_token(REASON_DECRYPT_FAILED, verdict_on_text(buf_str(&body), NOW), "another merchant's hash");
    X509_free(other);
    EVP_PKEY_free(other_key);
}

#define CARD(number, date, currency, amount)                                                          \
    "{\"applicationPrimaryAccountNumber\":\"" number "\",\"applicationExpirationDate\":\"" date "\"," \
    "\"currencyCode\":" currency ",\"transactionAmount\":" amount ",\"deviceManufacturerIdentifier\":\"04\"}"

Test(applepay, what_is_encrypted_is_read_strictly)
{
    static const struct {
        const char *plain, *currency;
        enum channel_reason reason;
    } rows[] = {
        {CARD("4817499130000017", "311231", "\"840\"", "5"), "USD", REASON_OK},
        {CARD("4817499130000017", "311231", "\"997\"", "0"), "997", REASON_OK},
        {CARD("4817499130000017", "311231", "\"008\"", "5"), "ALL", REASON_OK},
        {CARD("4817499130000017", "311231", "840", "5"), NULL, REASON_BODY_MALFORMED},
        {CARD("4817499130000017", "311231", "\"USD\"", "5"), NULL, REASON_BODY_MALFORMED},
        {CARD("4817499130000017", "311231", "\"840\"", "5.5"), NULL, REASON_BODY_MALFORMED},
        {CARD("4817499130000017", "311231", "\"840\"", "-5"), NULL, REASON_BODY_MALFORMED},
        {CARD("4817499130000017", "311231", "\"840\"", "1e3"), NULL, REASON_BODY_MALFORMED},
        {CARD("4817499130000017", "311231", "\"840\"", "99999999999999999999"), NULL, REASON_BODY_MALFORMED},
        {CARD("4817499130000017", "311331", "\"840\"", "5"), NULL, REASON_BODY_MALFORMED},
        {CARD("4817499130000017", "3112", "\"840\"", "5"), NULL, REASON_BODY_MALFORMED},
        {CARD("48174991300X0017", "311231", "\"840\"", "5"), NULL, REASON_BODY_MALFORMED},
        {CARD("0017", "311231", "\"840\"", "5"), NULL, REASON_BODY_MALFORMED},
        {"{}", NULL, REASON_BODY_MALFORMED},
        {"[]", NULL, REASON_BODY_MALFORMED},
        {"x", NULL, REASON_BODY_MALFORMED},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct applepay_payment p = PAYMENT;
        p.plain = rows[i].plain;
        const struct verdict *v = verdict_of_payment(&p, NOW);
        expect_token(rows[i].reason, v, rows[i].plain);
        cr_assert(v->genuine);
        cr_assert(rows[i].currency == NULL || strcmp(v->event.currency, rows[i].currency) == 0, "%s", rows[i].plain);
        cr_assert_null(strstr(v->detail, "481749913"), "%s", v->detail);
    }
}

Test(applepay, neither_the_card_nor_the_cryptogram_are_shown)
{
    static const char PLAIN[] =
        "{\"applicationPrimaryAccountNumber\":\"4817499130000017\",\"applicationExpirationDate\":"
        "\"311231\",\"currencyCode\":\"156\",\"transactionAmount\":5,\"cardholderName\":\"Mei "
        "Li\",\"paymentDataType\":\"3DSecure\",\"paymentData\":{\"onlinePaymentCryptogram\":"
        "\"SECRETCRYPTOGRAM\"}}";
    CLEANUP(buf_done) struct buf shown;
    struct applepay_payment p = PAYMENT;
    p.plain = PLAIN;
    const struct verdict *v = verdict_of_payment(&p, NOW);
    expect_token(REASON_OK, v, "good");
    buf_init(&shown, TOKEN_MAX);
    channel_event_json(&v->event, &shown);
    static const char *const hidden[] = {"48174991", "SECRETCRYPTOGRAM", "Mei"};
    for (size_t i = 0; i < ARRAY_SIZE(hidden); i++) {
        cr_assert_null(strstr(buf_str(&shown), hidden[i]), "%s", hidden[i]);
    }
    cr_assert_not_null(strstr(buf_str(&shown), "\"dpan_last4\": \"0017\""));
}

/* ---------------------------------------------------------------------------------------------------- keys */

/* The shared secret by arithmetic of points, not by the function that is tested. */
static void shared_x(EVP_PKEY *own_key, EVP_PKEY *peer, unsigned char out[ECDH_P256_BYTES])
{
    BIGNUM *d = NULL;
    BIGNUM *x = BN_new();
    unsigned char encoded[128];
    size_t n = 0;
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_POINT *point = EC_POINT_new(group);
    EC_POINT *product = EC_POINT_new(group);
    cr_assert_eq(EVP_PKEY_get_bn_param(own_key, "priv", &d), 1);
    cr_assert_eq(EVP_PKEY_get_octet_string_param(peer, "pub", encoded, sizeof encoded, &n), 1);
    cr_assert_eq(EC_POINT_oct2point(group, point, encoded, n, NULL), 1);
    cr_assert_eq(EC_POINT_mul(group, product, NULL, point, d, NULL), 1);
    cr_assert_eq(EC_POINT_get_affine_coordinates(group, product, x, NULL, NULL), 1);
    cr_assert_eq(BN_bn2binpad(x, out, ECDH_P256_BYTES), ECDH_P256_BYTES);
    EC_POINT_free(point);
    EC_POINT_free(product);
    EC_GROUP_free(group);
    BN_free(x);
    BN_clear_free(d);
}

/* One token in 256 has such a secret; who drops the zero loses it. */
Test(applepay, a_shared_secret_that_begins_with_a_zero)
{
    static const char USE[] = "\rid-aes256-GCMApple";
    EVP_PKEY *ephemeral = NULL;
    unsigned char z[ECDH_P256_BYTES];
    unsigned char got[ECDH_P256_BYTES];
    unsigned char key[SHA256_BYTES];
    struct err err;
    do {
        EVP_PKEY_free(ephemeral);
        ephemeral = ca_key_make("P-256");
        shared_x(ephemeral, own.ec.key, z);
    } while (z[0] != 0);
    cr_assert(ecdh_p256(own.ec.key, ephemeral, got));
    cr_assert_arr_eq(got, z, sizeof z);
    struct applepay_message_key derived;
    const struct sha256_part parts[] = {
        {"\0\0\0\1", 4}, {z, sizeof z}, {USE, sizeof USE - 1}, {own.merchant_hash, SHA256_BYTES}};
    sha256_of_parts(parts, ARRAY_SIZE(parts), key);
    cr_assert(applepay_agree(own.ec.key, ephemeral, own.merchant_hash, &derived));
    cr_assert(derived.n == sizeof key && memcmp(derived.bytes, key, sizeof key) == 0);
    CLEANUP(applepay_sealed_done) struct applepay_sealed sealed = {0};
    cr_assert_eq(applepay_seal(&PAYMENT, merchant, ephemeral, &sealed, &err), RC_OK);
    const struct applepay_signature how = {.chain = &apple.chain, .signed_at_s = NOW};
    expect_token(REASON_OK, verdict_of_signature(&sealed, &how), "a zero in front");
    EVP_PKEY_free(ephemeral);
}

/* Signed by Apple, were it ever to: keys that are none, or on another curve, do not open anything. */
Test(applepay, ephemeral_keys_on_other_curves)
{
    CLEANUP(pkey_freep) EVP_PKEY *wide = ca_key_make("P-384");
    CLEANUP(openssl_bytes_freep) unsigned char *der = NULL;
    int n = i2d_PUBKEY(wide, &der);
    const struct {
        const void *bytes;
        size_t n;
    } rows[] = {{der, (size_t)n}, {"\x30\x00", 2}, {der, 20}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(applepay_sealed_done) struct applepay_sealed sealed = seal(&PAYMENT);
        CLEANUP(buf_done) struct buf content;
        buf_init(&content, TOKEN_MAX);
        (void)buf_add(&content, rows[i].bytes, rows[i].n);
        (void)buf_add(&content, sealed.content.data + sealed.key.len, sealed.content.len - sealed.key.len);
        buf_clear(&sealed.key);
        (void)buf_add(&sealed.key, rows[i].bytes, rows[i].n);
        buf_clear(&sealed.content);
        (void)buf_add(&sealed.content, content.data, content.len);
        const struct applepay_signature how = {.chain = &apple.chain, .signed_at_s = NOW};
        expect_token(REASON_DECRYPT_FAILED, verdict_of_signature(&sealed, &how), "key");
    }
}

Test(applepay, wrapped_keys_where_there_is_a_key_for_them)
{
    X509 *certificate = NULL;
    struct err err;
    CLEANUP(authority_done) struct authority broker;
    CLEANUP(applepay_sealed_done) struct applepay_sealed sealed = {0};
    struct applepay_payment p = PAYMENT;
    p.rsa = true;
    applepay_with_rsa(&certificate);
    cr_assert_eq(applepay_seal(&p, certificate, NULL, &sealed, &err), RC_OK, "%s", err.text);
    struct applepay_signature how = {.chain = &apple.chain, .signed_at_s = NOW};
    expect_token(REASON_OK, verdict_of_signature(&sealed, &how), "signed with EC");
    sealed.key_hash[0] ^= 1;
    expect_token(REASON_FIELD_MISMATCH, verdict_of_signature(&sealed, &how), "another key's hash");
    sealed.key_hash[0] ^= 1;
    sealed.key.data[9] ^= 1;
    sealed.content.data[9] ^= 1;
    expect_token(REASON_DECRYPT_FAILED, verdict_of_signature(&sealed, &how), "another key");
    sealed.key.data[9] ^= 1;
    sealed.content.data[9] ^= 1;
    /* The signer's key is RSA as well, and his certificate under the same root. */
    authority_make(CA_APPLEPAY_RSA, NULL, &broker);
    own.trust = chain_trust_free(own.trust);
    own.trust = trust_in(broker.chain.root, CA_APPLEPAY, false, true, CHAIN_CACHE_MAX);
    how.chain = &broker.chain;
    expect_token(REASON_OK, verdict_of_signature(&sealed, &how), "signed with RSA");
    CLEANUP(applepay_sealed_done) struct applepay_sealed ec = seal(&PAYMENT);
    expect_token(REASON_CHAIN_INVALID, verdict_of_signature(&ec, &how), "EC_v1 signed with RSA");
    X509_free(certificate);
}
