/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ES256 with three certificates in the header: leaf, intermediate, and a root that is not looked at, for ours is
 * pinned. The algorithm in the header selects nothing: it is the one or the call is refused.
 */
#include "channel/appstore_jws.h"

#include <string.h>

#include "base/option.h"
#include "channel/apple.h"
#include "crypto/base64.h"
#include "crypto/jws.h"
#include "crypto/openssl_own.h"
#include "crypto/pem.h"
#include "http/field.h"

#define ALGORITHM "ES256"
#define CERTIFICATES 3

static enum channel_reason malformed(struct verdict *v, const char *where, const char *what)
{
    return verdict_refuse(v, REASON_BODY_MALFORMED, "%s: %s", where, what);
}

static const struct body_value *member(const struct body_value *object, const char *name)
{
    const struct body_value *m = object->type == BODY_OBJECT ? object->first : NULL;
    while (m != NULL && strcmp(m->key, name) != 0) {
        m = m->next;
    }
    return m;
}

/* False: not base64 of something that could be a certificate. */
static bool certificate(const struct body_value *text, struct arena *arena, struct chain_der *out)
{
    if (text->type != BODY_STRING || text->n > BASE64_LENGTH(CERTIFICATE_BYTES_MAX)) {
        return false;
    }
    unsigned char *bytes = arena_alloc(arena, text->n);
    out->bytes = bytes;
    return base64_decode(text->text, text->n, bytes, text->n, &out->n) && out->n > 0;
}

static enum channel_reason read_header(const struct jws *jws, const char *where, struct arena *arena,
                                       struct chain_der out[2], struct verdict *v)
{
    struct problem problem = {0};
    struct body_value *header = NULL;
    if (body_parse(jws->header, jws->header_n, arena, &header, &problem) != RC_OK || header->type != BODY_OBJECT) {
        return malformed(v, where, "the header is not a JSON object");
    }
    const struct body_value *alg = member(header, "alg");
    if (alg == NULL || alg->type != BODY_STRING || strcmp(alg->text, ALGORITHM) != 0) {
        return verdict_refuse(v, REASON_ALG_UNSUPPORTED, "%s: alg: expected " ALGORITHM, where);
    }
    if (member(header, "crit") != NULL) {
        return verdict_refuse(v, REASON_ALG_UNSUPPORTED, "%s: crit: extensions are not known here", where);
    }
    const struct body_value *x5c = member(header, "x5c");
    if (x5c == NULL || x5c->type != BODY_ARRAY || x5c->n != CERTIFICATES) {
        return verdict_refuse(v, REASON_CHAIN_LENGTH, "%s: x5c: expected exactly %d certificates", where, CERTIFICATES);
    }
    if (!certificate(x5c->first, arena, &out[0]) || !certificate(x5c->first->next, arena, &out[1])) {
        return verdict_refuse(v, REASON_CHAIN_INVALID, "%s: x5c: expected base64 of certificates", where);
    }
    return REASON_OK;
}

/* When it says that it was signed; nothing of it is believed yet, and nonsense is told when the signature holds. */
static int64_t effective_s(const struct appstore_account *own, const struct body_value *payload, int64_t now_s)
{
    static const char *const NAMES[] = {"signedDate", "receiptCreationDate"};
    for (size_t i = 0; i < ARRAY_SIZE(NAMES) && !own->effective_now && payload != NULL; i++) {
        int64_t ms = 0;
        const struct body_value *date = member(payload, NAMES[i]);
        if (date != NULL && date->type == BODY_NUMBER && option_parse_int(date->text, 0, APPSTORE_MS_MAX, &ms)) {
            return ms / 1000;
        }
    }
    return now_s;
}

static enum channel_reason check_signature(const struct appstore_account *own, const char *where, const struct jws *jws,
                                           const struct chain_der certificates[2], int64_t at_s, struct verdict *v)
{
    CLEANUP(pkey_freep) EVP_PKEY *key = NULL;
    const char *why = "";
    enum chain_verdict chain = chain_check(own->trust, certificates[0], certificates[1], at_s, &key, &why);
    if (chain != CHAIN_OK) {
        return apple_refuse_chain(v, chain, where, why);
    }
    v->key_known = true;
    if (!jws_verify(jws, key)) {
        return verdict_refuse(v, REASON_SIG_INVALID, "%s: %s", where,
                              jws->has_signature ? "the signature does not hold"
                                                 : "the signature is not base64url of 64 bytes");
    }
    return REASON_OK;
}

enum channel_reason appstore_verify_jws(const struct appstore_account *own, const char *where, const char *text,
                                        size_t n, int64_t now_s, struct arena *arena, struct body_value **out_payload,
                                        struct verdict *v)
{
    struct jws jws;
    struct chain_der certificates[2] = {{0}};
    struct problem problem = {0};
    struct body_value *payload = NULL;
    if (!jws_split(text, n, arena, &jws)) {
        return malformed(v, where, "expected three segments of base64url, without padding");
    }
    if (read_header(&jws, where, arena, certificates, v) != REASON_OK) {
        return v->reason;
    }
    enum rc rc = body_parse(jws.payload, jws.payload_n, arena, &payload, &problem);
    int64_t at_s = effective_s(own, rc == RC_OK ? payload : NULL, now_s);
    if (check_signature(own, where, &jws, certificates, at_s, v) != REASON_OK) {
        return v->reason;
    }
    if (!v->genuine) {
        const struct sha256_part part = {jws.is_signed, jws.signed_n};
        verdict_genuine(v, CHANNEL_APPSTORE, &part, 1, jws.signature, sizeof jws.signature);
    }
    if (rc != RC_OK) {
        return apple_malformed(v, where, &problem);
    }
    if (payload->type != BODY_OBJECT) {
        return malformed(v, where, "the payload is not a JSON object");
    }
    *out_payload = payload;
    return REASON_OK;
}
