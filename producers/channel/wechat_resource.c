/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a genuine call, its resource decrypted, and what it says about an order. */
#include "channel/wechat_resource.h"

#include <string.h>

#include "channel/event_text.h"
#include "crypto/base64.h"
#include "http/body.h"
#include "http/field.h"

#define ALGORITHM "AEAD_AES_256_GCM"
#define TYPE_MAX 64
#define CURRENCY "CNY" /* refunds do not say it */

static enum channel_reason malformed(struct verdict *v, const struct problem *problem)
{
    return verdict_refuse(v, REASON_BODY_MALFORMED, "%.160s", problem->detail);
}

/* --------------------------------------------------------------------------------------------------- decrypting */

struct resource {
    const char *algorithm;
    const struct body_value *nonce, *aad, *ciphertext; /* aad: NULL = none */
};

/* A string of any length; not asked for its characters, the tag covers them. */
static const struct body_value *any_string(struct fields *f, const char *name, enum field_need need)
{
    const struct body_value *v = field_find(f, name, need);
    if (v != NULL && v->type != BODY_STRING) {
        field_refuse(f, name, "field_type", "expected a string");
        return NULL;
    }
    return v;
}

static void read_resource(struct body_value *value, struct resource *out, struct problem *problem)
{
    struct fields f;
    fields_begin(&f, value, "resource.", problem);
    out->algorithm = field_text(&f, "algorithm", FIELD_REQUIRED, TYPE_MAX, NULL, "the name of an algorithm");
    out->nonce = any_string(&f, "nonce", FIELD_REQUIRED);
    out->aad = any_string(&f, "associated_data", FIELD_OPTIONAL);
    out->ciphertext = any_string(&f, "ciphertext", FIELD_REQUIRED);
}

/* The nonce's 12 bytes are taken as they stand there, and so are the key's 32. */
static enum channel_reason decrypt(const struct wechat_account *own, const struct resource *r, struct arena *arena,
                                   struct verdict *v, const char **out_plain, size_t *out_n)
{
    size_t sealed_n = 0;
    if (strcmp(r->algorithm, ALGORITHM) != 0) {
        return verdict_refuse(v, REASON_ALG_UNSUPPORTED, "resource.algorithm: expected " ALGORITHM);
    }
    if (r->nonce->n != AES_GCM_NONCE_BYTES) {
        return verdict_refuse(v, REASON_DECRYPT_FAILED, "resource.nonce: %zu bytes, expected %d", r->nonce->n,
                              AES_GCM_NONCE_BYTES);
    }
    unsigned char *sealed = arena_alloc(arena, r->ciphertext->n + 1);
    char *plain = arena_alloc(arena, r->ciphertext->n + 1);
    if (!base64_decode(r->ciphertext->text, r->ciphertext->n, sealed, r->ciphertext->n, &sealed_n)) {
        return verdict_refuse(v, REASON_DECRYPT_FAILED, "resource.ciphertext: not base64");
    }
    const struct aes_gcm g = {.key = own->apiv3_key,
                              .nonce = r->nonce->text,
                              .nonce_n = AES_GCM_NONCE_BYTES,
                              .aad = r->aad == NULL ? NULL : r->aad->text,
                              .aad_n = r->aad == NULL ? 0 : r->aad->n};
    if (!aes_gcm_open(&g, sealed, sealed_n, plain)) {
        return verdict_refuse(v, REASON_DECRYPT_FAILED, "resource: the tag does not fit; another APIv3 key?");
    }
    *out_plain = plain;
    *out_n = sealed_n - AES_GCM_TAG_BYTES;
    return REASON_OK;
}

/* ------------------------------------------------------------------------------------------------------ identity */

/* A service provider's calls name it so, beside the merchant that it serves. */
static const char *either(struct fields *f, const char *name, const char *sp_name, enum field_need need)
{
    bool sp = !field_has(f, name) && field_has(f, sp_name);
    return field_text(f, sp ? sp_name : name, need, WECHAT_ID_MAX, NULL, "an id of at most 64 bytes");
}

static enum channel_reason check_identity(const struct wechat_account *own, struct fields *f, bool is_payment,
                                          bool about_money, struct verdict *v)
{
    enum field_need app_need = is_payment && own->appid[0] != '\0' ? FIELD_REQUIRED : FIELD_OPTIONAL;
    const char *mchid = either(f, "mchid", "sp_mchid", about_money ? FIELD_REQUIRED : FIELD_OPTIONAL);
    const char *appid = either(f, "appid", "sp_appid", app_need);
    if (f->problem->status != 0) {
        return malformed(v, f->problem);
    }
    if (mchid != NULL && strcmp(mchid, own->mchid) != 0) {
        return verdict_refuse(v, REASON_FIELD_MISMATCH, "mchid: another merchant's");
    }
    if (appid != NULL && own->appid[0] != '\0' && strcmp(appid, own->appid) != 0) {
        return verdict_refuse(v, REASON_FIELD_MISMATCH, "appid: another app's");
    }
    return REASON_OK;
}

/* --------------------------------------------------------------------------------------------------------- event */

static void read_amount(struct fields *f, const char *member, struct channel_event *e)
{
    struct body_value *value = field_find(f, "amount", FIELD_REQUIRED);
    struct fields amount;
    if (value == NULL) {
        return;
    }
    fields_begin(&amount, value, "amount.", f->problem);
    const char *currency = field_text(&amount, "currency", FIELD_OPTIONAL, 3, event_currency_ok, EVENT_CURRENCY_WHAT);
    e->has_amount = field_int(&amount, member, FIELD_REQUIRED, 0, INT64_MAX, &e->amount);
    e->currency = currency == NULL ? CURRENCY : currency;
}

static const char *id(struct fields *f, const char *name, enum field_need need)
{
    return field_text(f, name, need, EVENT_ID_MAX, event_id_ok, EVENT_ID_WHAT);
}

static void read_payment(struct fields *f, enum field_need need, struct channel_event *e)
{
    e->payment_id = id(f, "out_trade_no", need);
    e->channel_txn_id = id(f, "transaction_id", need);
    e->state = id(f, "trade_state", FIELD_OPTIONAL);
    if (need == FIELD_REQUIRED) {
        read_amount(f, "total", e);
        if ((e->state == NULL || strcmp(e->state, "SUCCESS") == 0) && e->amount > 0) {
            e->effect = EFFECT_SUCCEEDED;
        }
    }
}

static void read_refund(struct fields *f, bool done, struct channel_event *e)
{
    e->payment_id = id(f, "out_trade_no", FIELD_REQUIRED);
    e->channel_txn_id = id(f, "transaction_id", FIELD_REQUIRED);
    e->refund_id = id(f, "out_refund_no", FIELD_REQUIRED);
    e->state = id(f, "refund_status", FIELD_OPTIONAL);
    read_amount(f, "refund", e);
    if (done && (e->state == NULL || strcmp(e->state, "SUCCESS") == 0) && e->amount > 0) {
        e->effect = EFFECT_REFUNDED;
    }
}

/* f: the decrypted resource. */
static enum channel_reason read_event(const struct wechat_account *own, struct fields *f, struct arena *arena,
                                      struct verdict *v)
{
    struct channel_event *e = &v->event;
    bool is_payment = strcmp(e->type, "TRANSACTION.SUCCESS") == 0;
    bool is_refund = strncmp(e->type, "REFUND.", 7) == 0;
    if (check_identity(own, f, is_payment, is_payment || is_refund, v) != REASON_OK) {
        return v->reason;
    }
    if (is_refund) {
        read_refund(f, strcmp(e->type, "REFUND.SUCCESS") == 0, e);
    } else {
        read_payment(f, is_payment ? FIELD_REQUIRED : FIELD_OPTIONAL, e);
    }
    const struct body_value *at = field_find(f, "success_time", FIELD_OPTIONAL);
    if (at != NULL && at->n > 0) { /* of a refund that failed it is empty */
        (void)field_time(f, "success_time", FIELD_OPTIONAL, &e->at_us);
    }
    if (f->problem->status != 0) {
        return malformed(v, f->problem);
    }
    e->merchant = own->mchid;
    const char *about = e->channel_txn_id == NULL ? e->notification_id : e->channel_txn_id;
    e->business_key = event_key(arena, about, e->type, e->refund_id);
    return REASON_OK;
}

enum channel_reason wechat_read_body(const struct wechat_account *own, const struct capture *c, struct arena *arena,
                                     struct verdict *v)
{
    struct problem problem = {0};
    struct body_value *value = NULL;
    struct resource resource = {0};
    struct fields f;
    const char *plain = NULL;
    size_t n = 0;
    if (body_parse(c->body, c->body_n, arena, &value, &problem) != RC_OK) {
        return malformed(v, &problem);
    }
    fields_begin(&f, value, "", &problem);
    v->event.notification_id = id(&f, "id", FIELD_REQUIRED);
    v->event.type = field_text(&f, "event_type", FIELD_REQUIRED, TYPE_MAX, event_id_ok, "a type of event");
    (void)field_time(&f, "create_time", FIELD_OPTIONAL, &v->event.at_us);
    struct body_value *inner = field_find(&f, "resource", FIELD_REQUIRED);
    if (inner != NULL) {
        read_resource(inner, &resource, &problem);
    }
    if (problem.status != 0) {
        return malformed(v, &problem);
    }
    if (decrypt(own, &resource, arena, v, &plain, &n) != REASON_OK) {
        return v->reason;
    }
    if (body_parse(plain, n, arena, &value, &problem) != RC_OK) {
        return verdict_refuse(v, REASON_BODY_MALFORMED, "the decrypted resource: %.140s", problem.detail);
    }
    fields_begin(&f, value, "", &problem);
    return read_event(own, &f, arena, v);
}
