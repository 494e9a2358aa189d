/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates are decrypted before the signature is looked at, as the signer may stand among them; nothing leaves this
 * file before both hold.
 */
#include "keys/wechat_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/option.h"
#include "crypto/aes_gcm.h"
#include "crypto/base64.h"
#include "http/field.h"

#define CIPHERTEXT_MAX (BASE64_LENGTH(CERT_PEM_MAX + AES_GCM_TAG_BYTES))
#define SIGNATURE_TEXT_MAX BASE64_LENGTH(RSA_SIGNATURE_BYTES_MAX)
#define PROBE "WECHATPAY/SIGNTEST/"

const char *list_result_name(enum list_result result)
{
    static const char *const NAMES[LIST_RESULTS_N] = {
        [LIST_WHOLE] = "whole",         [LIST_PARTIAL] = "partial",         [LIST_EMPTY] = "empty",
        [LIST_NONE] = "none",           [LIST_UNREACHABLE] = "unreachable", [LIST_REFUSED] = "refused",
        [LIST_MALFORMED] = "malformed", [LIST_UNVERIFIED] = "unverified",   [LIST_PROBE] = "probe",
    };
    return NAMES[result];
}

/* ---------------------------------------------------------------------------------------------------- an item */

struct item {
    const char *serial, *nonce, *ciphertext;
    size_t ciphertext_n;
};

static enum rc read_item(struct body_value *value, struct item *out, struct err *err)
{
    struct problem problem = {0};
    struct fields f;
    struct fields sealed;
    if (value->type != BODY_OBJECT) {
        FAIL(err, RC_REJECT, "expected an object");
    }
    fields_begin(&f, value, "", &problem);
    out->serial = field_text(&f, "serial_no", FIELD_REQUIRED, CERT_SERIAL_MAX, NULL, "a serial number");
    struct body_value *box = field_find(&f, "encrypt_certificate", FIELD_REQUIRED);
    if (box == NULL || box->type != BODY_OBJECT) {
        FAIL(err, RC_REJECT, "encrypt_certificate: expected an object");
    }
    fields_begin(&sealed, box, "encrypt_certificate.", &problem);
    const char *algorithm = field_text(&sealed, "algorithm", FIELD_REQUIRED, 64, NULL, "a name");
    const char *aad = field_text(&sealed, "associated_data", FIELD_REQUIRED, 64, NULL, "a text");
    out->nonce = field_text(&sealed, "nonce", FIELD_REQUIRED, AES_GCM_NONCE_BYTES, NULL, "12 bytes");
    out->ciphertext = field_text(&sealed, "ciphertext", FIELD_REQUIRED, CIPHERTEXT_MAX, NULL, "base64");
    if (problem.status != 0) {
        FAIL(err, RC_REJECT, "%s: %s", problem.field, problem.detail);
    }
    if (strcmp(algorithm, "AEAD_AES_256_GCM") != 0 || strcmp(aad, "certificate") != 0 ||
        strlen(out->nonce) != AES_GCM_NONCE_BYTES) {
        FAIL(err, RC_REJECT, "expected AEAD_AES_256_GCM with associated_data certificate and a nonce of 12 bytes");
    }
    out->ciphertext_n = strlen(out->ciphertext);
    return RC_OK;
}

/* To the certificate's text, a NUL behind it. */
static enum rc unseal(const struct item *item, const unsigned char *key, char *out, size_t *out_n, struct err *err)
{
    unsigned char sealed[CERT_PEM_MAX + AES_GCM_TAG_BYTES + 2];
    size_t n = 0;
    if (!base64_decode(item->ciphertext, item->ciphertext_n, sealed, sizeof sealed, &n) || n <= AES_GCM_TAG_BYTES ||
        n > CERT_PEM_MAX + AES_GCM_TAG_BYTES) {
        FAIL(err, RC_REJECT, "ciphertext: expected base64 of a certificate and its tag");
    }
    const struct aes_gcm gcm = {.key = key,
                                .nonce = item->nonce,
                                .nonce_n = AES_GCM_NONCE_BYTES,
                                .aad = "certificate",
                                .aad_n = strlen("certificate")};
    if (!aes_gcm_open(&gcm, sealed, n, out)) {
        FAIL(err, RC_REJECT, "cannot be decrypted with the account's APIv3 key");
    }
    *out_n = n - AES_GCM_TAG_BYTES;
    return RC_OK;
}

static enum rc take_item(struct body_value *value, const struct list_trust *trust, struct wechat_certs *certs,
                         struct err *err)
{
    struct item item = {0};
    struct wechat_cert cert = {0};
    char pem[CERT_PEM_MAX];
    size_t n = 0;
    TRY(read_item(value, &item, err));
    if (wechat_account_revoked(trust->own, item.serial)) {
        return RC_OK; /* as if it did not stand there */
    }
    enum rc rc = unseal(&item, trust->own->apiv3_key, pem, &n, err);
    if (rc == RC_OK) {
        rc = wechat_cert_read(pem, n, item.serial, trust->own->roots, trust->now_s, &cert, err);
    }
    if (rc != RC_OK) {
        return err_prefix(err, "certificate %.64s", item.serial);
    }
    const struct wechat_cert *twin = wechat_certs_find(certs, cert.serial);
    bool same = twin != NULL && X509_cmp(twin->x509, cert.x509) == 0;
    if (twin == NULL) {
        certs->all[certs->n++] = cert;
        return RC_OK;
    }
    wechat_cert_done(&cert);
    if (!same) {
        FAIL(err, RC_REJECT, "certificate %.64s: another one has the same serial number", item.serial);
    }
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- the list */

static enum rc read_items(const struct fetch_answer *answer, const struct list_trust *trust, struct arena *arena,
                          struct list_outcome *out)
{
    struct problem problem = {0};
    struct body_value *root = NULL;
    struct body_value *data = NULL;
    struct fields f;
    if (body_parse(buf_str(&answer->body), answer->body.len, arena, &root, &problem) != RC_OK) {
        FAIL(&out->why, RC_REJECT, "the answer: %s", problem.detail);
    }
    if (root->type == BODY_OBJECT) {
        fields_begin(&f, root, "", &problem);
        data = field_find(&f, "data", FIELD_REQUIRED);
    }
    if (data == NULL || data->type != BODY_ARRAY) {
        FAIL(&out->why, RC_REJECT, "the answer: expected an object with an array in data");
    }
    if (data->n > CERTS_MAX) {
        FAIL(&out->why, RC_REJECT, "the answer has %zu certificates, at most %d are taken", data->n, CERTS_MAX);
    }
    out->items = data->n;
    for (struct body_value *v = data->first; v != NULL; v = v->next) {
        struct err err = {0};
        if (take_item(v, trust, &out->certs, &err) != RC_OK) {
            out->why = out->bad == 0 ? err : out->why;
            out->bad++;
        }
    }
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- the signature */

struct signed_answer {
    const char *serial, *signature, *timestamp, *nonce;
};

static enum rc once(const struct fetch_answer *answer, const char *name, const char **out_value, struct err *err)
{
    size_t n = 0;
    *out_value = header_file_get(&answer->headers, name, &n);
    if (n != 1 || (*out_value)[0] == '\0') {
        FAIL(err, RC_REJECT, "the answer has %s header %s", n == 0 ? "no" : (n == 1 ? "an empty" : "more than one"),
             name);
    }
    return RC_OK;
}

static enum rc read_headers(const struct fetch_answer *answer, int64_t now_s, struct signed_answer *out,
                            struct err *err)
{
    int64_t at_s = 0;
    TRY(once(answer, "Wechatpay-Serial", &out->serial, err));
    TRY(once(answer, "Wechatpay-Signature", &out->signature, err));
    TRY(once(answer, "Wechatpay-Timestamp", &out->timestamp, err));
    TRY(once(answer, "Wechatpay-Nonce", &out->nonce, err));
    if (!option_parse_int(out->timestamp, 0, 253402300799LL, &at_s)) {
        FAIL(err, RC_REJECT, "Wechatpay-Timestamp: expected seconds since 1970");
    }
    if (llabs(now_s - at_s) > WECHAT_ANSWER_WINDOW_S) {
        FAIL(err, RC_REJECT, "the answer's time is %lld s away from this machine's clock, at most %d are taken",
             (long long)llabs(now_s - at_s), WECHAT_ANSWER_WINDOW_S);
    }
    return RC_OK;
}

static bool signature_holds(const struct signed_answer *s, const struct fetch_answer *answer, const struct rsa_key *key)
{
    unsigned char signature[RSA_SIGNATURE_BYTES_MAX];
    size_t n = 0;
    const struct sha256_part parts[] = {
        {s->timestamp, strlen(s->timestamp)},       {"\n", 1}, {s->nonce, strlen(s->nonce)}, {"\n", 1},
        {buf_str(&answer->body), answer->body.len}, {"\n", 1}};
    return base64_decode(s->signature, strlen(s->signature), signature, sizeof signature, &n) &&
           rsa_verify(key, parts, ARRAY_SIZE(parts), signature, n);
}

/* A key of ours, or one on the list itself that comes from the roots. A reference of the caller's. */
static enum rc signer_of(const struct signed_answer *s, const struct list_trust *trust, struct wechat_certs *listed,
                         struct rsa_key **out_key, struct err *err)
{
    const struct wechat_key *known = wechat_keys_find(trust->known, s->serial);
    if (known != NULL && known->not_after_s != 0 && trust->now_s > known->not_after_s) {
        FAIL(err, RC_REJECT, "the answer is signed with %.64s, which has expired", s->serial);
    }
    if (known != NULL) {
        *out_key = rsa_ref(known->key);
        return RC_OK;
    }
    const struct wechat_cert *cert = wechat_certs_find(listed, s->serial);
    if (cert == NULL) {
        FAIL(err, RC_REJECT, "the answer is signed with %.64s, which is neither known nor on the list", s->serial);
    }
    if (trust->own->roots == NULL) {
        FAIL(err, RC_REJECT,
             "the answer is signed with %.64s, which is not known; the account needs root_file, or this certificate "
             "in keys",
             s->serial);
    }
    if (trust->now_s > cert->ends_s) {
        FAIL(err, RC_REJECT, "the answer is signed with %.64s, which has expired", s->serial);
    }
    return wechat_cert_key(cert, out_key, err);
}

static enum rc check_signature(const struct fetch_answer *answer, const struct list_trust *trust,
                               struct list_outcome *out, struct err *err)
{
    struct signed_answer s = {0};
    CLEANUP(rsa_unrefp) struct rsa_key *key = NULL;
    TRY(read_headers(answer, trust->now_s, &s, err));
    if (strncmp(s.signature, PROBE, strlen(PROBE)) == 0) {
        out->result = LIST_PROBE;
        FAIL(err, RC_REJECT, "the answer is a probe of WeChat Pay's, signed wrongly on purpose");
    }
    TRY(signer_of(&s, trust, &out->certs, &key, err));
    if (!signature_holds(&s, answer, key)) {
        FAIL(err, RC_REJECT, "the answer's signature is wrong");
    }
    (void)snprintf(out->signer, sizeof out->signer, "%s", s.serial);
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- all of it */

static bool says_there_is_none(const struct fetch_answer *answer)
{
    return answer->status == 404 &&
           memmem(buf_str(&answer->body), answer->body.len, "\"RESOURCE_NOT_EXISTS\"", 21) != NULL;
}

static void read_list(const struct fetch_answer *answer, const struct list_trust *trust, struct list_outcome *out)
{
    struct arena arena;
    struct err unverified = {0};
    arena_init(&arena, (size_t)64 << 10);
    enum rc rc = read_items(answer, trust, &arena, out);
    arena_done(&arena);
    if (rc != RC_OK || out->bad == out->items) {
        out->result =
            rc == RC_OK && out->items == 0 ? LIST_EMPTY : LIST_MALFORMED; /* empty changes nothing, whoever says it */
    } else {
        out->result = LIST_UNVERIFIED;
        rc = check_signature(answer, trust, out, &unverified);
        if (rc == RC_OK) {
            out->result = out->bad == 0 ? LIST_WHOLE : LIST_PARTIAL;
        } else {
            out->why = unverified;
        }
    }
    if (out->result != LIST_WHOLE && out->result != LIST_PARTIAL) {
        wechat_certs_done(&out->certs);
    }
}

void wechat_list_read(const struct fetch_answer *answer, const struct list_trust *trust, struct list_outcome *out)
{
    *out = (struct list_outcome){0};
    if (says_there_is_none(answer)) {
        out->result = LIST_NONE;
    } else if (answer->status != 200) {
        out->result = LIST_REFUSED;
        (void)err_set(&out->why, RC_RETRY, __FILE__, __LINE__, "answered with status %u", answer->status);
    } else {
        read_list(answer, trust, out);
    }
}
