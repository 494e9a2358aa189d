/* SPDX-License-Identifier: Apache-2.0 */
#include "applepay_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

#include "crypto/pem.h"

struct authority apple;
struct applepay_account own;
struct account account = {.channel = CHANNEL_APPLEPAY, .name = "shop1", .own = &own};
X509 *merchant;

const struct applepay_payment PAYMENT = {
    .transaction_id = TOKEN_ID, .dpan = "4817499130000017", .expires = "311231", .currency = "156", .amount = 1200};

void applepay_setup(void)
{
    struct err err;
    authority_make(CA_APPLEPAY, NULL, &apple);
    own = (struct applepay_account){.window_s = APPLEPAY_WINDOW_S};
    own.trust = trust_in(apple.chain.root, CA_APPLEPAY, false, false, CHAIN_CACHE_MAX);
    cr_assert_eq(ca_merchant_make("merchant.com.example", "P-256", NOW, &merchant, &own.ec.key, &err), RC_OK);
    cr_assert(certificate_key_hash(merchant, own.ec.key_hash));
    cr_assert(applepay_merchant_hash(merchant, own.merchant_hash));
    sha256_hex(own.merchant_hash, sizeof own.merchant_hash, own.merchant);
}

void applepay_teardown(void)
{
    X509_free(merchant);
    EVP_PKEY_free(own.ec.key);
    EVP_PKEY_free(own.rsa.key);
    own.trust = chain_trust_free(own.trust);
    authority_done(&apple);
    fixture_done();
}

void applepay_with_rsa(X509 **out_certificate)
{
    struct err err;
    cr_assert_eq(ca_merchant_make("merchant.com.example", "RSA", NOW, out_certificate, &own.rsa.key, &err), RC_OK);
    cr_assert(certificate_key_hash(*out_certificate, own.rsa.key_hash));
    own.trust = chain_trust_free(own.trust);
    own.trust = trust_in(apple.chain.root, CA_APPLEPAY, false, true, CHAIN_CACHE_MAX);
}

struct applepay_sealed seal(const struct applepay_payment *payment)
{
    struct err err;
    struct applepay_sealed sealed;
    cr_assert_eq(applepay_seal(payment, merchant, NULL, &sealed, &err), RC_OK, "%s", err.text);
    return sealed;
}

const struct verdict *verdict_on_text(const char *body, int64_t now_s)
{
    return verdict_on(&account, body, strlen(body), now_s);
}

const struct verdict *verdict_of_signature(const struct applepay_sealed *sealed, const struct applepay_signature *how)
{
    struct err err;
    CLEANUP(buf_done) struct buf cms;
    CLEANUP(buf_done) struct buf body;
    buf_init(&cms, TOKEN_MAX);
    buf_init(&body, TOKEN_MAX);
    cr_assert_eq(applepay_sign_content(how, &sealed->content, &cms, &err), RC_OK, "%s", err.text);
    applepay_token_json(sealed, cms.data, cms.len, &body);
    return verdict_on_text(buf_str(&body), NOW);
}

char *token_text(const struct applepay_payment *payment)
{
    struct err err;
    struct buf body;
    buf_init(&body, TOKEN_MAX);
    cr_assert_eq(applepay_sign(&apple.chain, merchant, payment, NOW, &body, &err), RC_OK, "%s", err.text);
    return buf_take(&body);
}

const struct verdict *verdict_of_payment(const struct applepay_payment *payment, int64_t now_s)
{
    CLEANUP(freep) char *text = token_text(payment);
    return verdict_on_text(text, now_s);
}

void expect_token(enum channel_reason reason, const struct verdict *v, const char *what)
{
    expect_reason(CHANNEL_APPLEPAY, v, reason, what);
}
