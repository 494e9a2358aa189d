/* SPDX-License-Identifier: Apache-2.0 */
/* Encrypts what a device would, for the merchant's key, and signs it as Apple does. */
#include "channel/applepay_sign.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "channel/applepay_key.h"
#include "channel/channel.h"
#include "crypto/agree.h"
#include "crypto/base64.h"
#include "crypto/openssl_own.h"
#include "crypto/pem.h"

#define RSA_KEY_BYTES 16

static enum rc refused(struct err *err, const char *what)
{
    ERR_clear_error();
    FAIL(err, RC_FATAL, "libcrypto does not make %s", what);
}

void applepay_sealed_done(struct applepay_sealed *s)
{
    buf_done(&s->key);
    buf_done(&s->data);
    buf_done(&s->content);
}

static void plain_json(const struct applepay_payment *p, struct buf *out)
{
    (void)buf_printf(
        out,
        "{\"applicationPrimaryAccountNumber\":\"%s\",\"applicationExpirationDate\":\"%s\",\"currencyCode\":"
        "\"%s\",\"transactionAmount\":%lld,\"deviceManufacturerIdentifier\":\"040010030273\","
        "\"paymentDataType\":\"3DSecure\",\"paymentData\":{\"onlinePaymentCryptogram\":"
        "\"AAAAAAAAAAAAAAAAAAAAAAAAAAA=\",\"eciIndicator\":\"5\"}}",
        p->dpan, p->expires, p->currency, (long long)p->amount);
}

/* The message's key, agreed upon with a key made for it. */
static bool agree(X509 *merchant, EVP_PKEY *given, struct applepay_message_key *out, struct buf *out_public)
{
    CLEANUP(pkey_freep) EVP_PKEY *made = given == NULL ? ca_key_make("P-256") : NULL;
    CLEANUP(openssl_bytes_freep) unsigned char *der = NULL;
    unsigned char merchant_hash[SHA256_BYTES];
    EVP_PKEY *own = given == NULL ? made : given;
    int n = i2d_PUBKEY(own, &der);
    return n > 0 && buf_add(out_public, der, (size_t)n) && applepay_merchant_hash(merchant, merchant_hash) &&
           applepay_agree(own, X509_get0_pubkey(merchant), merchant_hash, out);
}

/* The message's key, drawn and wrapped. */
static bool wrap(X509 *merchant, struct applepay_message_key *out, struct buf *out_wrapped)
{
    unsigned char wrapped[RSA_OAEP_BYTES_MAX];
    size_t n = 0;
    out->n = RSA_KEY_BYTES;
    return RAND_bytes(out->bytes, RSA_KEY_BYTES) == 1 &&
           rsa_oaep_seal(X509_get0_pubkey(merchant), out->bytes, out->n, wrapped, &n) &&
           buf_add(out_wrapped, wrapped, n);
}

static bool add_hex(const char *hex, struct buf *out)
{
    unsigned char bytes[APPLEPAY_HEX_BYTES_MAX];
    size_t n = 0;
    return hex == NULL || (applepay_unhex(hex, bytes, &n) && buf_add(out, bytes, n));
}

enum rc applepay_seal(const struct applepay_payment *p, X509 *merchant, EVP_PKEY *ephemeral,
                      struct applepay_sealed *out, struct err *err)
{
    CLEANUP(buf_done) struct buf plain;
    struct applepay_message_key key = {0};
    buf_init(&plain, CHANNEL_BODY_BYTES_MAX);
    *out = (struct applepay_sealed){
        .rsa = p->rsa, .transaction_id = p->transaction_id, .application_data = p->application_data};
    buf_init(&out->key, CHANNEL_BODY_BYTES_MAX);
    buf_init(&out->data, CHANNEL_BODY_BYTES_MAX);
    buf_init(&out->content, CHANNEL_BODY_BYTES_MAX);
    if (p->plain == NULL) {
        plain_json(p, &plain);
    } else {
        (void)buf_puts(&plain, p->plain);
    }
    char *sealed = xcalloc(1, plain.len + AES_GCM_TAG_BYTES);
    bool good = certificate_key_hash(merchant, out->key_hash) &&
                (p->rsa ? wrap(merchant, &key, &out->key) : agree(merchant, ephemeral, &key, &out->key));
    if (good) {
        applepay_encrypt(&key, buf_str(&plain), plain.len, sealed);
    }
    good = good && buf_add(&out->data, sealed, plain.len + AES_GCM_TAG_BYTES) &&
           buf_add(&out->content, out->key.data, out->key.len) &&
           buf_add(&out->content, out->data.data, out->data.len) && add_hex(p->transaction_id, &out->content) &&
           add_hex(p->application_data, &out->content);
    free(sealed);
    if (!good) {
        applepay_sealed_done(out);
        return refused(err, "a token");
    }
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- signature */

static bool add_signer(CMS_ContentInfo *cms, const struct ca_chain *chain, const struct applepay_signature *how,
                       unsigned flags)
{
    const EVP_MD *md = EVP_get_digestbyname(how->digest == NULL ? "SHA256" : how->digest);
    CMS_SignerInfo *info =
        md == NULL ? NULL : CMS_add1_signer(cms, chain->leaf, chain->key, md, flags | CMS_NOCERTS | CMS_NOSMIMECAP);
    ASN1_TIME *time = ASN1_TIME_set(NULL, (time_t)how->signed_at_s);
    bool good = info != NULL && time != NULL &&
                CMS_signed_add1_attr_by_NID(info, NID_pkcs9_signingTime, ASN1_STRING_type(time), time, -1) == 1;
    ASN1_TIME_free(time);
    return good;
}

static bool make_cms(CMS_ContentInfo *cms, const struct applepay_signature *how, const struct buf *content,
                     unsigned flags)
{
    CLEANUP(bio_freep) BIO *bio = BIO_new_mem_buf(content->data, (int)content->len);
    return cms != NULL && bio != NULL && add_signer(cms, how->chain, how, flags) &&
           (how->second == NULL || add_signer(cms, how->second, how, flags)) &&
           CMS_add1_cert(cms, how->chain->leaf) == 1 && CMS_add1_cert(cms, how->chain->ca) == 1 &&
           (how->third == NULL || CMS_add1_cert(cms, how->third) == 1) && CMS_final(cms, bio, NULL, flags) == 1;
}

enum rc applepay_sign_content(const struct applepay_signature *how, const struct buf *content, struct buf *out,
                              struct err *err)
{
    const unsigned flags = CMS_BINARY | CMS_PARTIAL | (how->embed ? 0U : (unsigned)CMS_DETACHED);
    CLEANUP(cms_freep) CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, flags);
    CLEANUP(openssl_bytes_freep) unsigned char *bytes = NULL;
    int n = !make_cms(cms, how, content, flags) ? -1
            : how->definite                     ? i2d_CMS_ContentInfo(cms, &bytes)
                            : ASN1_item_ndef_i2d((const ASN1_VALUE *)cms, &bytes, ASN1_ITEM_rptr(CMS_ContentInfo));
    if (n <= 0 || !buf_add(out, bytes, (size_t)n)) {
        return refused(err, "the signature");
    }
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- token */

static void add_base64(const char *before, const void *bytes, size_t n, struct buf *out)
{
    char *text = xcalloc(1, BASE64_LENGTH(n) + 1);
    base64_encode(bytes, n, text);
    (void)buf_puts(out, before);
    (void)buf_puts(out, text);
    free(text);
}

void applepay_token_json(const struct applepay_sealed *s, const void *cms, size_t n, struct buf *out)
{
    (void)buf_printf(out, "{\"version\":\"%s", s->rsa ? "RSA_v1" : "EC_v1");
    add_base64("\",\"data\":\"", s->data.data, s->data.len, out);
    add_base64("\",\"signature\":\"", cms, n, out);
    add_base64(s->rsa ? "\",\"header\":{\"wrappedKey\":\"" : "\",\"header\":{\"ephemeralPublicKey\":\"", s->key.data,
               s->key.len, out);
    add_base64("\",\"publicKeyHash\":\"", s->key_hash, sizeof s->key_hash, out);
    (void)buf_printf(out, "\",\"transactionId\":\"%s\"", s->transaction_id);
    if (s->application_data != NULL) {
        (void)buf_printf(out, ",\"applicationData\":\"%s\"", s->application_data);
    }
    (void)buf_puts(out, "}}");
}

enum rc applepay_sign(const struct ca_chain *chain, X509 *merchant, const struct applepay_payment *payment,
                      int64_t signed_at_s, struct buf *out, struct err *err)
{
    CLEANUP(applepay_sealed_done) struct applepay_sealed sealed = {0};
    CLEANUP(buf_done) struct buf cms;
    const struct applepay_signature how = {.chain = chain, .signed_at_s = signed_at_s};
    buf_init(&cms, CHANNEL_BODY_BYTES_MAX);
    TRY(applepay_seal(payment, merchant, NULL, &sealed, err));
    TRY(applepay_sign_content(&how, &sealed.content, &cms, err));
    applepay_token_json(&sealed, cms.data, cms.len, out);
    return RC_OK;
}
