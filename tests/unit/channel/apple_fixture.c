/* SPDX-License-Identifier: Apache-2.0 */
#include "apple_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static struct arena arena;
static struct verdict verdict;

static X509 *certificate(const struct ca_certificate *spec)
{
    struct err err;
    X509 *x = NULL;
    cr_assert_eq(ca_certificate_make(spec, &x, &err), RC_OK, "%s", err.text);
    return x;
}

static int64_t given(int64_t value, int64_t usual)
{
    return value == 0 ? usual : value;
}

static const char *oid_of(const char *given_oid, const char *usual)
{
    return given_oid == NULL ? usual : given_oid[0] == '\0' ? NULL : given_oid;
}

static const char *curve_of(const char *curve, const char *usual)
{
    return curve == NULL ? usual : curve;
}

void authority_make(enum ca_kind kind, const struct oddity *odd, struct authority *out)
{
    static const struct oddity GOOD;
    const struct oddity *o = odd == NULL ? &GOOD : odd;
    bool store = kind == CA_APPSTORE;
    *out = (struct authority){.root_key = ca_key_make(curve_of(o->ca_curve, "P-384")),
                              .ca_key = ca_key_make(curve_of(o->ca_curve, "P-384"))};
    out->chain.key = ca_key_make(kind == CA_APPLEPAY_RSA ? "RSA" : curve_of(o->leaf_curve, "P-256"));
    const struct ca_certificate root = {.name = "root",
                                        .key = out->root_key,
                                        .from_s = NOW - 1000 * (int64_t)DAY,
                                        .until_s = NOW + 1000 * (int64_t)DAY,
                                        .ca = true,
                                        .without_key_ids = o->without_key_ids};
    out->chain.root = certificate(&root);
    const struct ca_certificate ca = {.name = "intermediate",
                                      .key = out->ca_key,
                                      .issuer = out->chain.root,
                                      .issuer_key = out->root_key,
                                      .from_s = NOW - 100 * (int64_t)DAY,
                                      .until_s = given(o->ca_until_s, NOW + 100 * (int64_t)DAY),
                                      .ca = !o->ca_is_none,
                                      .without_key_ids = o->without_key_ids,
                                      .oid = oid_of(o->ca_oid, store ? OID_APPSTORE_CA : OID_APPLEPAY_CA)};
    out->chain.ca = certificate(&ca);
    const struct ca_certificate leaf = {.name = "leaf",
                                        .key = out->chain.key,
                                        .issuer = o->leaf_by_root ? out->chain.root : out->chain.ca,
                                        .issuer_key = o->leaf_by_root ? out->root_key : out->ca_key,
                                        .from_s = given(o->leaf_from_s, NOW - 10 * (int64_t)DAY),
                                        .until_s = given(o->leaf_until_s, NOW + 10 * (int64_t)DAY),
                                        .without_key_ids = o->without_key_ids,
                                        .oid = oid_of(o->leaf_oid, store ? OID_APPSTORE_LEAF : OID_APPLEPAY_LEAF)};
    out->chain.leaf = certificate(&leaf);
}

void authority_done(struct authority *a)
{
    ca_chain_done(&a->chain);
    EVP_PKEY_free(a->root_key);
    EVP_PKEY_free(a->ca_key);
}

struct chain_trust *trust_in(X509 *root, enum ca_kind kind, bool strict, bool rsa, size_t cache_max)
{
    struct err err;
    struct chain_trust *trust = NULL;
    CLEANUP(buf_done) struct buf pem;
    bool store = kind == CA_APPSTORE;
    const struct chain_rules rules = {.leaf_oid = store ? OID_APPSTORE_LEAF : OID_APPLEPAY_LEAF,
                                      .ca_oid = store ? OID_APPSTORE_CA : OID_APPLEPAY_CA,
                                      .strict = strict,
                                      .rsa_leaf = rsa,
                                      .cache_max = cache_max};
    buf_init(&pem, 1 << 16);
    cr_assert_eq(ca_write_certificate(root, &pem, &err), RC_OK, "%s", err.text);
    cr_assert_eq(chain_trust_create(buf_str(&pem), pem.len, &rules, &trust, &err), RC_OK, "%s", err.text);
    return trust;
}

const struct verdict *verdict_on(const struct account *account, const char *body, size_t n, int64_t now_s)
{
    const struct capture c = {.body = body, .body_n = n};
    if (arena.chunk_bytes == 0) {
        arena_init(&arena, 1 << 16);
    }
    arena_reset(&arena);
    enum channel_reason reason = channel_verify(account, &c, now_s, &arena, &verdict);
    cr_assert_eq(reason, verdict.reason);
    return &verdict;
}

void expect_reason(enum channel channel, const struct verdict *v, enum channel_reason reason, const char *what)
{
    struct channel_answer answer;
    cr_assert_str_eq(reason_name(v->reason), reason_name(reason), "%s: %s %s", what, reason_name(v->reason), v->detail);
    const struct account account = {.channel = channel};
    channel_answer(&account, v, &arena, &answer);
    if (reason_acknowledged(reason)) {
        cr_assert_eq(answer.status, 200, "%s", what);
        cr_assert_str_eq(v->detail, "", "%s", what);
        cr_assert(v->genuine && v->key_known, "%s", what);
    } else {
        cr_assert_geq(answer.status, 400, "%s", what);
        cr_assert_str_neq(v->detail, "", "%s", what);
    }
}

void fixture_done(void)
{
    arena_done(&arena);
    arena = (struct arena){0};
}
