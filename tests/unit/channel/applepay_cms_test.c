/* SPDX-License-Identifier: Apache-2.0 */
/* Whose signature it is: each way of having Apple's certificates in the bag without Apple's signature. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "applepay_fixture.h"
#include "crypto/base64.h"
#include "crypto/openssl_own.h"

TestSuite(applepay_cms, .init = applepay_setup, .fini = applepay_teardown);

static void expect_signature(enum channel_reason reason, const struct applepay_signature *how, const char *what)
{
    CLEANUP(applepay_sealed_done) struct applepay_sealed sealed = seal(&PAYMENT);
    const struct verdict *v = verdict_of_signature(&sealed, how);
    expect_token(reason, v, what);
    cr_assert_eq(v->genuine, reason == REASON_OK, "%s", what);
}

static struct applepay_signature good(void)
{
    return (struct applepay_signature){.chain = &apple.chain, .signed_at_s = NOW};
}

Test(applepay_cms, both_encodings_and_every_order_of_certificates)
{
    struct applepay_signature how = good();
    expect_signature(REASON_OK, &how, "indefinite lengths");
    how.definite = true;
    expect_signature(REASON_OK, &how, "DER");
    how = good();
    for (int i = 0; i < 4; i++) { /* DER sorts them, and the serial numbers decide */
        CLEANUP(authority_done) struct authority again;
        authority_make(CA_APPLEPAY, NULL, &again);
        own.trust = chain_trust_free(own.trust);
        own.trust = trust_in(again.chain.root, CA_APPLEPAY, false, false, 0);
        how.chain = &again.chain;
        how.definite = i % 2 == 0;
        expect_signature(REASON_OK, &how, "another authority");
    }
}

Test(applepay_cms, hashes_below_sha_256_are_not_taken)
{
    static const struct {
        const char *digest;
        enum channel_reason reason;
    } rows[] = {{"SHA256", REASON_OK},
                {"SHA384", REASON_OK},
                {"SHA512", REASON_OK},
                {"SHA1", REASON_POLICY_WEAK_ALG},
                {"SHA224", REASON_POLICY_WEAK_ALG}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct applepay_signature how = good();
        how.digest = rows[i].digest;
        expect_signature(rows[i].reason, &how, rows[i].digest);
    }
}

/* The classic: {genuine leaf, genuine intermediate, attacker's}, signed by the attacker. */
Test(applepay_cms, a_bag_with_the_attacker_s_certificate_besides)
{
    CLEANUP(authority_done) struct authority attacker;
    authority_make(CA_APPLEPAY, NULL, &attacker);
    struct applepay_signature how = good();
    how.third = attacker.chain.leaf;
    expect_signature(REASON_CHAIN_LENGTH, &how, "three certificates, Apple's signature");
    how.third = NULL;
    how.second = &attacker.chain;
    expect_signature(REASON_SIG_INVALID, &how, "two signatures");
    how.second = &apple.chain;
    expect_signature(REASON_SIG_INVALID, &how, "the same twice");
    how = good();
    how.chain = &attacker.chain;
    expect_signature(REASON_CHAIN_INVALID, &how, "all of it the attacker's");
}

/* The bag is {genuine leaf, genuine intermediate}; the signature names somebody who is not in it. */
static void expect_forged(enum channel_reason reason, const struct ca_chain *signer, X509 *third, const char *what)
{
    CLEANUP(applepay_sealed_done) struct applepay_sealed sealed = seal(&PAYMENT);
    CLEANUP(cms_freep)
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_BINARY | CMS_PARTIAL | CMS_DETACHED);
    CLEANUP(bio_freep) BIO *content = BIO_new_mem_buf(sealed.content.data, (int)sealed.content.len);
    CLEANUP(openssl_bytes_freep) unsigned char *der = NULL;
    CLEANUP(buf_done) struct buf body;
    const unsigned flags = CMS_BINARY | CMS_DETACHED | CMS_PARTIAL | CMS_NOCERTS;
    cr_assert_not_null(CMS_add1_signer(cms, signer->leaf, signer->key, EVP_sha256(), flags));
    cr_assert(CMS_add1_cert(cms, apple.chain.leaf) == 1 && CMS_add1_cert(cms, apple.chain.ca) == 1);
    cr_assert(third == NULL || CMS_add1_cert(cms, third) == 1);
    cr_assert_eq(CMS_final(cms, content, NULL, flags), 1);
    int n = i2d_CMS_ContentInfo(cms, &der);
    buf_init(&body, TOKEN_MAX);
    applepay_token_json(&sealed, der, (size_t)n, &body);
    const struct verdict *v = verdict_on_text(buf_str(&body), NOW);
    expect_token(reason, v, what);
    cr_assert_not(v->genuine, "%s", what);
}

Test(applepay_cms, the_signature_must_be_that_of_the_certificate_whose_chain_holds)
{
    CLEANUP(authority_done) struct authority attacker;
    CLEANUP(x509_freep) X509 *twin = NULL;
    struct err err;
    authority_make(CA_APPLEPAY, NULL, &attacker);
    expect_forged(REASON_CHAIN_LENGTH, &attacker.chain, attacker.chain.leaf, "the attacker's in the bag, and signing");
    expect_forged(REASON_SIG_INVALID, &attacker.chain, NULL, "the attacker, not in the bag");
    /* Issuer and serial number of Apple's leaf, and the attacker's key: the signature says it is the leaf's. */
    const struct ca_certificate spec = {.name = "twin",
                                        .key = attacker.chain.key,
                                        .issuer = apple.chain.ca,
                                        .issuer_key = attacker.ca_key,
                                        .from_s = NOW - DAY,
                                        .until_s = NOW + DAY};
    cr_assert_eq(ca_certificate_make(&spec, &twin, &err), RC_OK);
    cr_assert_eq(X509_set_serialNumber(twin, X509_get_serialNumber(apple.chain.leaf)), 1);
    cr_assert_gt(X509_sign(twin, attacker.ca_key, EVP_sha384()), 0);
    const struct ca_chain named = {.leaf = twin, .key = attacker.chain.key};
    expect_forged(REASON_SIG_INVALID, &named, NULL, "named like the leaf");
    /* The leaf's key, under the name of another certificate that has it: whose chain would that be? */
    CLEANUP(x509_freep) X509 *renamed = NULL;
    const struct ca_certificate other = {.name = "leaf",
                                         .key = apple.chain.key,
                                         .issuer = apple.chain.ca,
                                         .issuer_key = apple.ca_key,
                                         .from_s = NOW - DAY,
                                         .until_s = NOW + DAY};
    cr_assert_eq(ca_certificate_make(&other, &renamed, &err), RC_OK);
    const struct ca_chain same_key = {.leaf = renamed, .key = apple.chain.key};
    expect_forged(REASON_SIG_INVALID, &same_key, NULL, "the leaf's key under another name");
    const struct ca_chain by_ca = {.leaf = apple.chain.ca, .key = apple.ca_key};
    expect_forged(REASON_SIG_INVALID, &by_ca, NULL, "signed by the intermediate");
}

Test(applepay_cms, content_that_travels_along_is_refused)
{
    CLEANUP(applepay_sealed_done) struct applepay_sealed sealed = seal(&PAYMENT);
    struct applepay_signature how = good();
    how.embed = true;
    expect_token(REASON_SIG_INVALID, verdict_of_signature(&sealed, &how), "the right content");
    how.definite = true;
    expect_token(REASON_SIG_INVALID, verdict_of_signature(&sealed, &how), "the right content, DER");
}

Test(applepay_cms, the_signature_covers_everything_that_is_signed)
{
    CLEANUP(buf_done) struct buf cms;
    struct err err;
    struct applepay_payment p = PAYMENT;
    p.application_data = TOKEN_ID;
    CLEANUP(applepay_sealed_done) struct applepay_sealed sealed = seal(&p);
    struct applepay_signature how = good();
    buf_init(&cms, TOKEN_MAX);
    cr_assert_eq(applepay_sign_content(&how, &sealed.content, &cms, &err), RC_OK);
    struct buf *const pieces[] = {&sealed.key, &sealed.data, NULL, NULL, NULL};
    static const char OTHER[] = "3686f5297f123ec7fd9d31074d43d201953ca75f098890375f13aed2737d92f2";
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        CLEANUP(buf_done) struct buf body;
        struct applepay_sealed odd = sealed;
        buf_init(&body, TOKEN_MAX);
        if (pieces[i] != NULL) {
            pieces[i]->data[40] ^= 1;
        }
        odd.transaction_id = i == 2 ? OTHER : odd.transaction_id;
        odd.application_data = i == 3 ? OTHER : i == 4 ? NULL : odd.application_data;
        applepay_token_json(&odd, cms.data, cms.len, &body);
        expect_token(REASON_SIG_INVALID, verdict_on_text(buf_str(&body), NOW), "changed");
        if (pieces[i] != NULL) {
            pieces[i]->data[40] ^= 1;
        }
    }
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, TOKEN_MAX);
    applepay_token_json(&sealed, cms.data, cms.len, &body);
    expect_token(REASON_OK, verdict_on_text(buf_str(&body), NOW), "unchanged");
}

/* What is signed has no lengths in it: the same bytes, cut elsewhere, must not be another token. */
Test(applepay_cms, bytes_cannot_be_moved_from_one_field_to_the_next)
{
    CLEANUP(buf_done) struct buf cms;
    struct err err;
    struct applepay_payment p = PAYMENT;
    p.application_data = TOKEN_ID;
    CLEANUP(applepay_sealed_done) struct applepay_sealed sealed = seal(&p);
    struct applepay_signature how = good();
    buf_init(&cms, TOKEN_MAX);
    cr_assert_eq(applepay_sign_content(&how, &sealed.content, &cms, &err), RC_OK);
    CLEANUP(freep) char *all = xasprintf("%s%s", TOKEN_ID, TOKEN_ID);
    for (size_t cut = 0; cut <= 128; cut += 2) {
        CLEANUP(buf_done) struct buf body;
        CLEANUP(freep) char *id = xstrndup(all, cut);
        struct applepay_sealed odd = sealed;
        buf_init(&body, TOKEN_MAX);
        odd.transaction_id = id;
        odd.application_data = cut == 128 ? NULL : all + cut;
        applepay_token_json(&odd, cms.data, cms.len, &body);
        expect_token(cut == 64 ? REASON_OK : REASON_BODY_MALFORMED, verdict_on_text(buf_str(&body), NOW), id);
    }
}

Test(applepay_cms, chains_are_refused_by_their_own_reasons)
{
    static const struct {
        const char *what;
        struct oddity odd;
        enum channel_reason reason;
    } rows[] = {
        {"good", {0}, REASON_OK},
        {"no marker", {.leaf_oid = ""}, REASON_CHAIN_OID},
        {"the App Store's marker", {.leaf_oid = OID_APPSTORE_LEAF}, REASON_CHAIN_OID},
        {"no marker in the intermediate", {.ca_oid = ""}, REASON_CHAIN_OID},
        {"an expired leaf", {.leaf_until_s = NOW}, REASON_CHAIN_EXPIRED},
        {"an expired intermediate", {.ca_until_s = NOW - DAY}, REASON_CHAIN_EXPIRED},
        {"a leaf on P-384", {.leaf_curve = "P-384"}, REASON_CHAIN_INVALID},
        {"a leaf by the root", {.leaf_by_root = true}, REASON_CHAIN_INVALID},
        {"no key ids", {.without_key_ids = true}, REASON_OK},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(authority_done) struct authority other;
        authority_make(CA_APPLEPAY, &rows[i].odd, &other);
        own.trust = chain_trust_free(own.trust);
        own.trust = trust_in(other.chain.root, CA_APPLEPAY, false, false, CHAIN_CACHE_MAX);
        const struct applepay_signature how = {.chain = &other.chain, .signed_at_s = NOW};
        expect_signature(rows[i].reason, &how, rows[i].what);
    }
}

struct attribute {
    unsigned char *der;
    int n;
};

static int compare(const void *a, const void *b)
{
    const struct attribute *x = a;
    const struct attribute *y = b;
    int way = memcmp(x->der, y->der, (size_t)(x->n < y->n ? x->n : y->n));
    return way != 0 ? way : x->n - y->n;
}

/* Signs the attributes that there are, as a set in DER; libcrypto would insist on the ones that are missing. */
static void sign_again(CMS_SignerInfo *info)
{
    struct attribute all[8];
    unsigned char set[512];
    unsigned char signature[256];
    size_t n = 0;
    size_t signature_n = sizeof signature;
    int count = CMS_signed_get_attr_count(info);
    CLEANUP(md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    for (int i = 0; i < count; i++) {
        all[i] = (struct attribute){0};
        all[i].n = i2d_X509_ATTRIBUTE(CMS_signed_get_attr(info, i), &all[i].der);
    }
    qsort(all, (size_t)count, sizeof all[0], compare);
    for (int i = 0; i < count; i++) {
        memcpy(set + 2 + n, all[i].der, (size_t)all[i].n);
        n += (size_t)all[i].n;
        OPENSSL_free(all[i].der);
    }
    cr_assert_lt(n, 128, "its length is one byte");
    set[0] = 0x31;
    set[1] = (unsigned char)n;
    cr_assert_eq(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, apple.chain.key), 1);
    cr_assert_eq(EVP_DigestSign(ctx, signature, &signature_n, set, n + 2), 1);
    cr_assert_eq(ASN1_STRING_set(CMS_SignerInfo_get0_signature(info), signature, (int)signature_n), 1);
}

/* Made by hand: no attributes, or one of them missing. */
static void expect_attributes(enum channel_reason reason, bool none, int left_out, const char *what)
{
    CLEANUP(applepay_sealed_done) struct applepay_sealed sealed = seal(&PAYMENT);
    CLEANUP(bio_freep) BIO *content = BIO_new_mem_buf(sealed.content.data, (int)sealed.content.len);
    CLEANUP(openssl_bytes_freep) unsigned char *der = NULL;
    CLEANUP(buf_done) struct buf body;
    const unsigned flags =
        CMS_BINARY | CMS_DETACHED | CMS_PARTIAL | CMS_NOCERTS | CMS_NOSMIMECAP | (none ? (unsigned)CMS_NOATTR : 0U);
    CLEANUP(cms_freep) CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, flags);
    CMS_SignerInfo *info = CMS_add1_signer(cms, apple.chain.leaf, apple.chain.key, EVP_sha256(), flags);
    cr_assert_not_null(info);
    cr_assert(CMS_add1_cert(cms, apple.chain.leaf) == 1 && CMS_add1_cert(cms, apple.chain.ca) == 1);
    ASN1_TIME *time = ASN1_TIME_set(NULL, NOW);
    cr_assert(none || CMS_signed_add1_attr_by_NID(info, NID_pkcs9_signingTime, ASN1_STRING_type(time), time, -1) == 1);
    ASN1_TIME_free(time);
    cr_assert_eq(CMS_final(cms, content, NULL, flags), 1);
    if (left_out != NID_undef) {
        X509_ATTRIBUTE_free(CMS_signed_delete_attr(info, CMS_signed_get_attr_by_NID(info, left_out, -1)));
    }
    if (!none) {
        sign_again(info);
    }
    int n = i2d_CMS_ContentInfo(cms, &der);
    buf_init(&body, TOKEN_MAX);
    applepay_token_json(&sealed, der, (size_t)n, &body);
    const struct verdict *v = verdict_on_text(buf_str(&body), NOW);
    expect_token(reason, v, what);
}

Test(applepay_cms, digest_and_time_are_signed_attributes)
{
    expect_attributes(REASON_OK, false, NID_undef, "all there");
    expect_attributes(REASON_SIG_INVALID, true, NID_undef, "no attributes");
    expect_attributes(REASON_SIG_INVALID, false, NID_pkcs9_signingTime, "no signingTime");
    expect_attributes(REASON_SIG_INVALID, false, NID_pkcs9_messageDigest, "no messageDigest");
    expect_attributes(REASON_SIG_INVALID, false, NID_pkcs9_contentType, "no contentType");
}

Test(applepay_cms, what_is_no_signature_of_the_kind)
{
    CLEANUP(applepay_sealed_done) struct applepay_sealed sealed = seal(&PAYMENT);
    CLEANUP(buf_done) struct buf cms;
    struct err err;
    struct applepay_signature how = good();
    buf_init(&cms, TOKEN_MAX);
    cr_assert_eq(applepay_sign_content(&how, &sealed.content, &cms, &err), RC_OK);
    (void)buf_putc(&cms, '\0');
    static const char DATA[] = "\x30\x0f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x02\x04\x00";
    const struct {
        const char *bytes;
        size_t n;
    } rows[] = {{cms.data, cms.len - 2}, {cms.data, cms.len}, {DATA, sizeof DATA - 1}, {"\x30\x80", 2}, {"x", 1},
                {cms.data, cms.len / 2}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(buf_done) struct buf body;
        buf_init(&body, TOKEN_MAX);
        applepay_token_json(&sealed, rows[i].bytes, rows[i].n, &body);
        expect_token(REASON_BODY_MALFORMED, verdict_on_text(buf_str(&body), NOW), "no CMS");
    }
}
