/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: App Store notifications. The first byte chooses: 0 a body as it came; 1 a header, 2 a payload and 3 a
 * transaction, which are signed with a key that the account trusts.
 *
 * Claims: only what was signed is genuine; what is accepted says what a stored notification needs, and an effect has an
 * order and money; segments come back from what was split.
 */
#include <string.h>

#include "base/mem.h"
#include "channel/account.h"
#include "channel/appstore_account.h"
#include "channel/appstore_sign.h"
#include "crypto/base64.h"
#include "crypto/jws.h"
#include "fuzz.h"

#define NOW 1700000000
#define TEXT_MAX ((size_t)1 << 18)

static struct ca_chain chain;
static struct appstore_account own = {.bundle_id = "com.example.game", .production = true, .app_apple_id = 1234};
static struct account account = {.channel = CHANNEL_APPSTORE, .name = "game1", .own = &own};
static struct arena arena;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct chain_rules RULES = {
        .leaf_oid = OID_APPSTORE_LEAF, .ca_oid = OID_APPSTORE_CA, .strict = true, .cache_max = CHAIN_CACHE_MAX};
    struct err err;
    CLEANUP(buf_done) struct buf pem;
    (void)argc;
    (void)argv;
    buf_init(&pem, TEXT_MAX);
    arena_init(&arena, (size_t)64 << 10);
    CLAIM(ca_chain_make(CA_APPSTORE, NOW, &chain, &err) == RC_OK);
    CLAIM(ca_write_certificate(chain.root, &pem, &err) == RC_OK);
    CLAIM(chain_trust_create(buf_str(&pem), pem.len, &RULES, &own.trust, &err) == RC_OK);
    return 0;
}

static void split(const char *text, size_t n)
{
    struct jws jws;
    if (!jws_split(text, n, &arena, &jws)) {
        return;
    }
    char *again = arena_alloc(&arena, BASE64_LENGTH(jws.header_n) + BASE64_LENGTH(jws.payload_n) + 2);
    base64url_encode(jws.header, jws.header_n, again);
    size_t at = strlen(again);
    again[at++] = '.';
    base64url_encode(jws.payload, jws.payload_n, again + at);
    CLAIM(strlen(again) == jws.signed_n && memcmp(again, text, jws.signed_n) == 0);
    CLAIM(!jws_verify(&jws, chain.key) || jws.has_signature);
}

static void check_event(const struct channel_event *e)
{
    CLAIM(e->merchant != NULL && e->notification_id != NULL && e->business_key != NULL && e->type != NULL);
    CLAIM(e->effect == EFFECT_NONE || (e->has_amount && e->amount > 0 && e->currency != NULL && e->payment_id != NULL &&
                                       e->channel_txn_id != NULL));
    CLAIM(e->effect != EFFECT_REFUNDED || e->refund_id != NULL);
}

static void judge(const char *body, size_t n, bool is_signed)
{
    struct verdict v;
    const struct capture c = {.body = body, .body_n = n};
    enum channel_reason reason = channel_verify(&account, &c, NOW, &arena, &v);
    CLAIM(is_signed || !v.genuine);
    if (reason == REASON_OK) {
        CLAIM(v.genuine && v.detail[0] == '\0');
        check_event(&v.event);
    } else {
        CLAIM(!reason_acknowledged(reason) && v.detail[0] != '\0');
    }
}

/* In a notification; transaction: what is signed as one, NULL = payload is the whole. */
static void judge_signed(const char *header, const char *payload, const char *transaction)
{
    struct err err;
    CLEANUP(buf_done) struct buf body;
    CLEANUP(buf_done) struct buf nested;
    CLEANUP(freep) char *outer = NULL;
    buf_init(&body, TEXT_MAX);
    buf_init(&nested, TEXT_MAX);
    if (transaction != NULL) {
        CLAIM(jws_sign(header, transaction, chain.key, &nested, &err) == RC_OK);
        outer = xasprintf("{\"notificationType\":\"REFUND\",\"notificationUUID\":\"u\",\"data\":{\"appAppleId\":1234,"
                          "\"bundleId\":\"com.example.game\",\"environment\":\"Production\",\"signedTransactionInfo\":"
                          "\"%s\"}}",
                          buf_str(&nested));
        payload = outer;
    }
    (void)buf_puts(&body, "{\"signedPayload\":\"");
    CLAIM(jws_sign(header, payload, chain.key, &body, &err) == RC_OK);
    (void)buf_puts(&body, "\"}");
    judge(buf_str(&body), body.len, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_done) struct buf header = {0};
    CLEANUP(freep) char *text = NULL;
    if (size == 0 || size > CHANNEL_BODY_BYTES_MAX) {
        return 0;
    }
    arena_reset(&arena);
    text = xstrndup((const char *)data + 1, size - 1);
    buf_init(&header, TEXT_MAX);
    appstore_sign_header(&chain, "ES256", &header);
    switch (data[0] % 4) {
    case 0:
        split((const char *)data + 1, size - 1);
        judge((const char *)data + 1, size - 1, false);
        break;
    case 1:
        judge_signed(text, "{}", NULL);
        break;
    case 2:
        judge_signed(buf_str(&header), text, NULL);
        break;
    default:
        judge_signed(buf_str(&header), "", text);
        break;
    }
    return 0;
}
