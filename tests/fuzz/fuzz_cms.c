/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: Apple Pay tokens. The first byte chooses: 0 a body as it came; 1 a CMS under a token that is otherwise good;
 * 2 a good token with bytes exchanged (position in two bytes, new value); 3 the same in its CMS alone; 4 what is
 * encrypted.
 *
 * Claims: without the signer's key nothing is accepted but the token that was signed, whatever was changed around it;
 * the card's number is not shown.
 */
#include <string.h>

#include "base/mem.h"
#include "channel/account.h"
#include "channel/applepay_account.h"
#include "channel/applepay_key.h"
#include "channel/applepay_sign.h"
#include "crypto/pem.h"
#include "fuzz.h"

#define NOW 1700000000
#define TEXT_MAX ((size_t)1 << 18)
#define AMOUNT 1200
#define DPAN "4817499130000017"
#define ID "2686f5297f123ec7fd9d31074d43d201953ca75f098890375f13aed2737d92f2"

static struct ca_chain chain;
static X509 *merchant;
static struct applepay_account own = {.window_s = APPLEPAY_WINDOW_S};
static struct account account = {.channel = CHANNEL_APPLEPAY, .name = "shop1", .own = &own};
static struct arena arena;
static struct applepay_sealed sealed;
static struct buf cms;
static struct buf token;

static const struct applepay_payment PAYMENT = {.transaction_id = ID,
                                                .application_data = ID,
                                                .dpan = DPAN,
                                                .expires = "311231",
                                                .currency = "156",
                                                .amount = AMOUNT};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct chain_rules RULES = {
        .leaf_oid = OID_APPLEPAY_LEAF, .ca_oid = OID_APPLEPAY_CA, .cache_max = CHAIN_CACHE_MAX};
    struct err err;
    CLEANUP(buf_done) struct buf pem;
    (void)argc;
    (void)argv;
    buf_init(&pem, TEXT_MAX);
    buf_init(&cms, TEXT_MAX);
    buf_init(&token, TEXT_MAX);
    arena_init(&arena, (size_t)64 << 10);
    CLAIM(ca_chain_make(CA_APPLEPAY, NOW, &chain, &err) == RC_OK);
    CLAIM(ca_write_certificate(chain.root, &pem, &err) == RC_OK);
    CLAIM(chain_trust_create(buf_str(&pem), pem.len, &RULES, &own.trust, &err) == RC_OK);
    CLAIM(ca_merchant_make("merchant.com.example", "P-256", NOW, &merchant, &own.ec.key, &err) == RC_OK);
    CLAIM(certificate_key_hash(merchant, own.ec.key_hash) && applepay_merchant_hash(merchant, own.merchant_hash));
    sha256_hex(own.merchant_hash, sizeof own.merchant_hash, own.merchant);
    const struct applepay_signature how = {.chain = &chain, .signed_at_s = NOW};
    CLAIM(applepay_seal(&PAYMENT, merchant, NULL, &sealed, &err) == RC_OK);
    CLAIM(applepay_sign_content(&how, &sealed.content, &cms, &err) == RC_OK);
    applepay_token_json(&sealed, cms.data, cms.len, &token);
    return 0;
}

static const struct verdict *judge(const char *body, size_t n)
{
    static struct verdict v;
    const struct capture c = {.body = body, .body_n = n};
    enum channel_reason reason = channel_verify(&account, &c, NOW, &arena, &v);
    CLAIM(reason == REASON_OK || (!reason_acknowledged(reason) && v.detail[0] != '\0'));
    CLAIM(reason != REASON_OK || (v.genuine && strstr(v.event.safe, "48174991") == NULL));
    return &v;
}

/* Nothing but the token that was signed. */
static void judge_changed(const char *body, size_t n)
{
    const struct verdict *v = judge(body, n);
    CLAIM(v->reason != REASON_OK || (strcmp(v->event.notification_id, ID) == 0 && v->event.amount == AMOUNT &&
                                     strcmp(v->event.currency, "CNY") == 0));
}

static void exchange(struct buf *in, const uint8_t *data, size_t n)
{
    for (size_t i = 0; i + 2 < n; i += 3) {
        in->data[((size_t)data[i] << 8 | data[i + 1]) % in->len] = (char)data[i + 2];
    }
}

static void judge_cms(const void *bytes, size_t n)
{
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, TEXT_MAX);
    applepay_token_json(&sealed, bytes, n, &body);
    judge_changed(buf_str(&body), body.len);
}

static void judge_plain(const char *text)
{
    struct err err;
    CLEANUP(buf_done) struct buf body;
    struct applepay_payment p = PAYMENT;
    p.plain = text;
    buf_init(&body, TEXT_MAX);
    CLAIM(applepay_sign(&chain, merchant, &p, NOW, &body, &err) == RC_OK);
    const struct verdict *v = judge(buf_str(&body), body.len);
    CLAIM(body.len > CHANNEL_BODY_BYTES_MAX || v->genuine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_done) struct buf copy = {0};
    CLEANUP(freep) char *text = NULL;
    if (size < 2 || size > CHANNEL_BODY_BYTES_MAX / 2) {
        return 0;
    }
    arena_reset(&arena);
    buf_init(&copy, TEXT_MAX);
    text = xstrndup((const char *)data + 1, size - 1);
    switch (data[0] % 5) {
    case 0:
        judge_changed((const char *)data + 1, size - 1);
        break;
    case 1:
        judge_cms(data + 1, size - 1);
        break;
    case 2:
        (void)buf_add(&copy, token.data, token.len);
        exchange(&copy, data + 1, size - 1);
        judge_changed(buf_str(&copy), copy.len);
        break;
    case 3:
        (void)buf_add(&copy, cms.data, cms.len);
        exchange(&copy, data + 1, size - 1);
        judge_cms(copy.data, copy.len);
        break;
    default:
        judge_plain(text);
        break;
    }
    return 0;
}
