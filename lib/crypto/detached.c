/* SPDX-License-Identifier: Apache-2.0 */
/* CMS_verify() is too obliging for this: it takes any signer in the bag, and content that travels along. */
#include "crypto/detached.h"

#include <limits.h>
#include <openssl/err.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "crypto/openssl_own.h"

#define CERTIFICATES 2
#define ONLY (-3) /* the attribute stands there once, with one value */

struct signer {
    CMS_ContentInfo *cms;
    STACK_OF(X509) * certificates;
    X509 *leaf, *ca; /* of certificates */
    CMS_SignerInfo *info;
    const EVP_MD *md;
};

static void signer_done(struct signer *s)
{
    sk_X509_pop_free(s->certificates, X509_free);
    CMS_ContentInfo_free(s->cms);
}

static enum detached_verdict refuse(struct detached *out, enum detached_verdict verdict, const char *why)
{
    ERR_clear_error();
    out->why = why;
    return verdict;
}

static enum detached_verdict parse(const void *ber, size_t n, struct signer *s, struct detached *out)
{
    const unsigned char *at = ber;
    s->cms = n > INT_MAX ? NULL : d2i_CMS_ContentInfo(NULL, &at, (long)n);
    if (s->cms == NULL || at != (const unsigned char *)ber + n) {
        return refuse(out, DETACHED_MALFORMED, s->cms == NULL ? "it is no CMS" : "something stands behind the CMS");
    }
    if (OBJ_obj2nid(CMS_get0_type(s->cms)) != NID_pkcs7_signed) {
        return refuse(out, DETACHED_MALFORMED, "the CMS is not signed data");
    }
    s->certificates = CMS_get1_certs(s->cms);
    if (sk_X509_num(s->certificates) != CERTIFICATES) {
        return refuse(out, DETACHED_LENGTH, "the CMS has not exactly two certificates");
    }
    return DETACHED_OK;
}

/* They are a set, in whatever order: the leaf is what the other one has issued. */
static void order(struct signer *s)
{
    X509 *first = sk_X509_value(s->certificates, 0);
    X509 *second = sk_X509_value(s->certificates, 1);
    bool turned = X509_NAME_cmp(X509_get_issuer_name(second), X509_get_subject_name(first)) == 0 &&
                  X509_NAME_cmp(X509_get_issuer_name(first), X509_get_subject_name(second)) != 0;
    s->leaf = turned ? second : first;
    s->ca = turned ? first : second;
}

static enum detached_verdict check_chain(struct chain_trust *trust, struct signer *s, int64_t at_s,
                                         struct detached *out)
{
    CLEANUP(openssl_bytes_freep) unsigned char *leaf = NULL;
    CLEANUP(openssl_bytes_freep) unsigned char *ca = NULL;
    CLEANUP(pkey_freep) EVP_PKEY *key = NULL;
    order(s);
    int leaf_n = i2d_X509(s->leaf, &leaf);
    int ca_n = i2d_X509(s->ca, &ca);
    if (leaf_n <= 0 || ca_n <= 0) {
        return refuse(out, DETACHED_MALFORMED, "a certificate of the CMS is unreadable");
    }
    out->chain = chain_check(trust, (struct chain_der){leaf, (size_t)leaf_n}, (struct chain_der){ca, (size_t)ca_n},
                             at_s, &key, &out->why);
    if (out->chain != CHAIN_OK) {
        return DETACHED_CHAIN;
    }
    out->rsa = EVP_PKEY_is_a(key, "RSA") == 1;
    return DETACHED_OK;
}

/* One signature, by the leaf, and nothing in it that could be taken for the content. */
static enum detached_verdict check_signer(struct signer *s, struct detached *out)
{
    STACK_OF(CMS_SignerInfo) *infos = CMS_get0_SignerInfos(s->cms);
    if (sk_CMS_SignerInfo_num(infos) != 1) {
        return refuse(out, DETACHED_INVALID, "the CMS has not exactly one signature");
    }
    s->info = sk_CMS_SignerInfo_value(infos, 0);
    if (CMS_SignerInfo_cert_cmp(s->info, s->leaf) != 0) {
        return refuse(out, DETACHED_INVALID, "the signature is not the leaf's");
    }
    if (CMS_is_detached(s->cms) != 1) {
        return refuse(out, DETACHED_INVALID, "the CMS brings content along");
    }
    if (OBJ_obj2nid(CMS_get0_eContentType(s->cms)) != NID_pkcs7_data) {
        return refuse(out, DETACHED_INVALID, "the CMS signs something other than data");
    }
    return DETACHED_OK;
}

static enum detached_verdict check_digest_kind(struct signer *s, struct detached *out)
{
    X509_ALGOR *algorithm = NULL;
    CMS_SignerInfo_get0_algs(s->info, NULL, NULL, &algorithm, NULL);
    const ASN1_OBJECT *oid = NULL;
    X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
    switch (OBJ_obj2nid(oid)) {
    case NID_sha256:
        s->md = EVP_sha256();
        return DETACHED_OK;
    case NID_sha384:
        s->md = EVP_sha384();
        return DETACHED_OK;
    case NID_sha512:
        s->md = EVP_sha512();
        return DETACHED_OK;
    default:
        return refuse(out, DETACHED_WEAK, "the digest is not SHA-256, SHA-384 or SHA-512");
    }
}

static const void *attribute(const struct signer *s, int nid, int type)
{
    return CMS_signed_get0_data_by_OBJ(s->info, OBJ_nid2obj(nid), ONLY, type);
}

static bool signing_time(const struct signer *s, int64_t *out_s)
{
    struct tm tm;
    const ASN1_TIME *time = attribute(s, NID_pkcs9_signingTime, V_ASN1_UTCTIME);
    time = time != NULL ? time : attribute(s, NID_pkcs9_signingTime, V_ASN1_GENERALIZEDTIME);
    if (time == NULL || ASN1_TIME_to_tm(time, &tm) != 1) {
        return false;
    }
    *out_s = (int64_t)timegm(&tm);
    return true;
}

static bool digest_of(const EVP_MD *md, const struct sha256_part *parts, size_t n, unsigned char *out, unsigned *out_n)
{
    CLEANUP(md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx != NULL && EVP_DigestInit_ex(ctx, md, NULL) == 1;
    for (size_t i = 0; i < n && good; i++) {
        good = EVP_DigestUpdate(ctx, parts[i].bytes, parts[i].n) == 1;
    }
    return good && EVP_DigestFinal_ex(ctx, out, out_n) == 1;
}

/* The signature covers the attributes, and one of them is the digest of the content. */
static enum detached_verdict check_signature(struct signer *s, const struct sha256_part *parts, size_t n_parts,
                                             struct detached *out)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_n = 0;
    const ASN1_OCTET_STRING *said = attribute(s, NID_pkcs9_messageDigest, V_ASN1_OCTET_STRING);
    if (said == NULL || !signing_time(s, &out->signed_at_s)) {
        return refuse(out, DETACHED_INVALID,
                      said == NULL ? "the digest is not signed as an attribute" : "the signing time is not signed");
    }
    CMS_SignerInfo_set1_signer_cert(s->info, s->leaf);
    if (CMS_SignerInfo_verify(s->info) != 1) {
        return refuse(out, DETACHED_INVALID, "the signature over the attributes does not hold");
    }
    bool same = digest_of(s->md, parts, n_parts, digest, &digest_n) && ASN1_STRING_length(said) == (int)digest_n &&
                memcmp(ASN1_STRING_get0_data(said), digest, digest_n) == 0;
    return same ? DETACHED_OK : refuse(out, DETACHED_INVALID, "the digest is of something else");
}

enum detached_verdict detached_verify(struct chain_trust *trust, const void *ber, size_t n,
                                      const struct sha256_part *parts, size_t n_parts, int64_t at_s,
                                      struct detached *out)
{
    CLEANUP(signer_done) struct signer s = {0};
    *out = (struct detached){.why = ""};
    enum detached_verdict verdict = parse(ber, n, &s, out);
    if (verdict == DETACHED_OK) {
        verdict = check_chain(trust, &s, at_s, out);
    }
    if (verdict == DETACHED_OK) {
        verdict = check_signer(&s, out);
    }
    if (verdict == DETACHED_OK) {
        verdict = check_digest_kind(&s, out);
    }
    if (verdict == DETACHED_OK) {
        verdict = check_signature(&s, parts, n_parts, out);
    }
    return verdict;
}
