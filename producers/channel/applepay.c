/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Apple Pay payment tokens: signed by Apple (a detached CMS with its two certificates), encrypted for the merchant. A
 * token is an authorisation to take money, and no money: it is kept, and has no effect on an order.
 */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "channel/apple.h"
#include "channel/applepay_account.h"
#include "channel/applepay_body.h"
#include "channel/applepay_card.h"
#include "channel/channels.h"
#include "crypto/agree.h"
#include "crypto/detached.h"
#include "crypto/openssl_own.h"

#define US_PER_S 1000000

struct call {
    const struct applepay_account *own;
    int64_t now_s;
    struct arena *arena;
    struct verdict *v;
};

/* ---------------------------------------------------------------------------------------------------- signature */

static enum channel_reason refuse_signature(enum detached_verdict verdict, const struct detached *d, struct verdict *v)
{
    static const enum channel_reason REASONS[] = {
        [DETACHED_MALFORMED] = REASON_BODY_MALFORMED, [DETACHED_LENGTH] = REASON_CHAIN_LENGTH,
        [DETACHED_CHAIN] = REASON_CHAIN_INVALID,      [DETACHED_WEAK] = REASON_POLICY_WEAK_ALG,
        [DETACHED_INVALID] = REASON_SIG_INVALID,
    };
    return verdict == DETACHED_CHAIN ? apple_refuse_chain(v, d->chain, "signature", d->why)
                                     : verdict_refuse(v, REASONS[verdict], "signature: %s", d->why);
}

static enum channel_reason check_signature(const struct call *c, const struct applepay_token *t, int64_t *out_at_s)
{
    struct detached d;
    const struct sha256_part content[] = {t->key, t->data, {t->id, t->id_n}, {t->data_hash, t->data_hash_n}};
    enum detached_verdict verdict =
        detached_verify(c->own->trust, t->signature.bytes, t->signature.n, content, ARRAY_SIZE(content), c->now_s, &d);
    c->v->key_known = verdict == DETACHED_OK || verdict == DETACHED_INVALID || verdict == DETACHED_WEAK;
    if (verdict != DETACHED_OK) {
        return refuse_signature(verdict, &d, c->v);
    }
    if (d.rsa && !t->rsa) {
        return verdict_refuse(c->v, REASON_CHAIN_INVALID, "signature: the leaf's key is not of the expected kind");
    }
    verdict_genuine(c->v, CHANNEL_APPLEPAY, content, ARRAY_SIZE(content), t->signature.bytes, t->signature.n);
    *out_at_s = d.signed_at_s;
    return REASON_OK;
}

/* ---------------------------------------------------------------------------------------------------- content */

static bool find_key(const struct call *c, const struct applepay_token *t, struct applepay_message_key *out)
{
    if (t->rsa) {
        return applepay_unwrap(c->own->rsa.key, t->key.bytes, t->key.n, out);
    }
    CLEANUP(pkey_freep) EVP_PKEY *peer = ecdh_p256_peer(t->key.bytes, t->key.n);
    return peer != NULL && applepay_agree(c->own->ec.key, peer, c->own->merchant_hash, out);
}

static enum channel_reason decrypt(const struct call *c, const struct applepay_token *t, struct applepay_card *out)
{
    const struct applepay_processing *with = t->rsa ? &c->own->rsa : &c->own->ec;
    struct applepay_message_key key = {0};
    if (memcmp(t->key_hash, with->key_hash, SHA256_BYTES) != 0) {
        return verdict_refuse(c->v, REASON_FIELD_MISMATCH, "publicKeyHash: the token is encrypted for another key");
    }
    char *plain = xcalloc(1, t->data.n + 1);
    bool good = t->data.n > AES_GCM_TAG_BYTES && find_key(c, t, &key) &&
                applepay_decrypt(&key, t->data.bytes, t->data.n, plain);
    OPENSSL_cleanse(&key, sizeof key);
    enum channel_reason reason =
        good ? applepay_read_card(plain, t->data.n - AES_GCM_TAG_BYTES, c->arena, out, c->v)
             : verdict_refuse(c->v, REASON_DECRYPT_FAILED, "data: it does not open with the merchant's key");
    free(plain);
    return reason;
}

static enum channel_reason check_order(const struct call *c, const struct applepay_token *t,
                                       const struct applepay_card *card)
{
    if (t->has_amount && t->amount != card->amount) {
        return verdict_refuse(c->v, REASON_FIELD_MISMATCH, "amount: the token is over another amount than the order");
    }
    if (t->has_amount && strcmp(t->currency, card->currency) != 0) {
        return verdict_refuse(c->v, REASON_FIELD_MISMATCH, "currency: the token is in another currency than the order");
    }
    return REASON_OK;
}

enum channel_reason applepay_verify(const struct account *account, const struct capture *capture, int64_t now_s,
                                    struct arena *arena, struct verdict *v)
{
    const struct call c = {.own = account->own, .now_s = now_s, .arena = arena, .v = v};
    struct applepay_token t;
    struct applepay_card card;
    int64_t signed_at_s = 0;
    if (applepay_read_body(capture, c.own->rsa.key != NULL, arena, &t, v) != REASON_OK ||
        check_signature(&c, &t, &signed_at_s) != REASON_OK ||
        verdict_window(v, "signingTime", signed_at_s, now_s, c.own->window_s) != REASON_OK ||
        decrypt(&c, &t, &card) != REASON_OK || check_order(&c, &t, &card) != REASON_OK) {
        return v->reason;
    }
    v->event = (struct channel_event){.merchant = c.own->merchant,
                                      .notification_id = t.transaction_id,
                                      .business_key = t.transaction_id,
                                      .type = "token",
                                      .payment_id = t.payment_id,
                                      .channel_txn_id = t.transaction_id,
                                      .effect = EFFECT_NONE,
                                      .has_amount = true,
                                      .amount = card.amount,
                                      .currency = card.currency,
                                      .at_us = signed_at_s * US_PER_S,
                                      .safe = applepay_card_json(&card, t.transaction_id, t.payment_id, arena)};
    return REASON_OK;
}
