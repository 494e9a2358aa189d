/* SPDX-License-Identifier: Apache-2.0 */
#include "support/channel_rig.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/test_keys.h"

#define DAY 86400

static void need(bool holds)
{
    if (!holds) {
        abort();
    }
}

const char *rig_path(const struct rig *r, const char *name)
{
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", r->directory, name);
    return path;
}

void rig_put(const struct rig *r, const char *name, const char *text, unsigned mode)
{
    FILE *f = fopen(rig_path(r, name), "w");
    need(f != NULL && fwrite(text, 1, strlen(text), f) == strlen(text) && fclose(f) == 0);
    need(chmod(rig_path(r, name), mode) == 0);
}

/* Takes text. */
static void put_made(const struct rig *r, const char *name, char *text, unsigned mode)
{
    rig_put(r, name, text, mode);
    free(text);
}

void rig_begin(struct rig *r)
{
    *r = (struct rig){.directory = "/tmp/sluice-channel-XXXXXX"};
    need(mkdtemp(r->directory) != NULL);
    arena_init(&r->arena, (size_t)64 << 10);
    r->key_a = test_key(TEST_KEY_A);
    r->key_b = test_key(TEST_KEY_B);
    rig_put(r, "apiv3", RIG_APIV3_KEY "\n", 0600);
    rig_put(r, "private.pem", TEST_KEY_A, 0600);
    rig_put(r, "nets", "203.0.113.0/24\n2001:db8::/32\n", 0644);
    put_made(r, "a.pem", test_certificate(r->key_a, RIG_SERIAL, RIG_NOW - 400 * DAY, RIG_NOW + 400 * DAY), 0644);
    put_made(r, "old.pem", test_certificate(r->key_a, RIG_SERIAL_OLD, RIG_NOW - 400 * DAY, RIG_NOW - 1), 0644);
    put_made(r, "next.pem", test_certificate(r->key_b, RIG_SERIAL_NEXT, RIG_NOW + DAY, RIG_NOW + 400 * DAY), 0644);
    put_made(r, "b.pem", test_public_pem(r->key_b), 0644);
    put_made(r, "bare", test_public_bare(r->key_a), 0644);
}

void rig_begin_accounts(struct rig *r)
{
    struct err err = {0};
    rig_begin(r);
    rig_put(
        r, "accounts.json",
        "{\"wechat\":{\"shop\":{\"mchid\":\"1900000001\",\"appid\":\"wx0000000000000001\",\"apiv3_key_file\":\"apiv3\","
        "\"keys\":{\"" RIG_SERIAL "\":\"a.pem\",\"" RIG_SERIAL_OLD "\":\"old.pem\",\"" RIG_SERIAL_NEXT
        "\":\"next.pem\",\"" RIG_PUBLIC_ID "\":\"b.pem\"}},"
        "\"listed\":{\"mchid\":\"1900000001\",\"apiv3_key_file\":\"apiv3\",\"keys\":{\"" RIG_SERIAL "\":\"a.pem\"},"
        "\"ip_allow_file\":\"nets\",\"ip_policy\":\"enforce\",\"window_s\":300}},"
        "\"alipay\":{\"shop\":{\"app_id\":\"2021000000000001\",\"seller_id\":\"2088000000000001\","
        "\"public_key_file\":\"bare\"},"
        "\"v2\":{\"app_id\":\"2021000000000001\",\"public_key_file\":\"bare\",\"sign_rule\":\"V2\"},"
        "\"certs\":{\"app_id\":\"2021000000000001\",\"certs\":{\"sn-a\":\"a.pem\",\"sn-b\":\"b.pem\","
        "\"sn-old\":\"old.pem\"}}}}",
        0644);
    if (accounts_read(rig_path(r, "accounts.json"), &r->accounts, &err) != RC_OK) {
        (void)fprintf(stderr, "%s\n", err.text);
        abort();
    }
}

void rig_done(struct rig *r)
{
    DIR *dir = opendir(r->directory);
    for (struct dirent *e = dir == NULL ? NULL : readdir(dir); e != NULL; e = readdir(dir)) {
        (void)unlink(rig_path(r, e->d_name));
    }
    (void)closedir(dir);
    (void)rmdir(r->directory);
    r->accounts = accounts_free(r->accounts);
    arena_done(&r->arena);
    EVP_PKEY_free(r->key_a);
    EVP_PKEY_free(r->key_b);
}

enum channel_reason rig_verify(struct rig *r, enum channel channel, const char *account, const struct capture *c,
                               int64_t now_s)
{
    const struct account *a = accounts_find(r->accounts, channel, account);
    need(a != NULL);
    enum channel_reason reason = channel_verify(a, c, now_s, &r->arena, &r->v);
    need(reason == r->v.reason);
    channel_answer(a, &r->v, &r->arena, &r->answer);
    return reason;
}

void call_done(struct call *call)
{
    free(call->body);
    for (size_t i = 0; i < ARRAY_SIZE(call->texts); i++) {
        free(call->texts[i]);
    }
    *call = (struct call){0};
}

/* ------------------------------------------------------------------------------------------------- WeChat Pay */

static const char *or_usual(const char *given, const char *usual)
{
    return given == NULL ? usual : given;
}

static void add_header(const struct wechat_call *w, const char *name, const char *value, struct call *out)
{
    bool drop = w->drop != NULL && strcmp(w->drop, name) == 0;
    bool twice = w->twice != NULL && strcmp(w->twice, name) == 0;
    bool empty = w->without != NULL && strcmp(w->without, name) == 0;
    for (int i = 0; i < (drop ? 0 : twice ? 2 : 1); i++) {
        out->headers[out->n_headers++] = (struct header_line){name, empty ? "" : value};
    }
}

static char *wechat_body(const struct wechat_call *w)
{
    const char *nonce = or_usual(w->gcm_nonce, "gcm-nonce-12");
    const char *aad = or_usual(w->aad, "\"transaction\"");
    char *sealed = test_seal(or_usual(w->sealed_key, RIG_APIV3_KEY), nonce[0] == '\0' ? "x" : nonce,
                             or_usual(w->sealed_aad, "transaction"), or_usual(w->plain, RIG_PAYMENT));
    bool with_aad = strcmp(aad, "-") != 0;
    char *body = xasprintf("{\"id\":\"EV-0001\",\"create_time\":\"2023-11-15T06:13:20+08:00\",\"resource_type\":"
                           "\"encrypt-resource\",\"event_type\":\"%s\",\"summary\":\"\xe6\x94\xaf\xe4\xbb\x98\","
                           "\"resource\":{\"original_type\":\"transaction\",\"algorithm\":\"%s\",\"ciphertext\":\"%s\","
                           "%s%s%s\"nonce\":\"%s\"}}",
                           or_usual(w->event_type, "TRANSACTION.SUCCESS"), or_usual(w->algorithm, "AEAD_AES_256_GCM"),
                           or_usual(w->ciphertext, sealed), with_aad ? "\"associated_data\":" : "", with_aad ? aad : "",
                           with_aad ? "," : "", nonce);
    free(sealed);
    return body;
}

void wechat_call_make(const struct rig *r, const struct wechat_call *w, struct call *out)
{
    CLEANUP(freep) char *now = xasprintf("%d", RIG_NOW);
    const char *nonce = or_usual(w->nonce, "593BEC0C930BF1AFEB40B4A08C8FB242");
    *out = (struct call){.body = NULL};
    out->texts[0] = xstrdup(or_usual(w->timestamp, now));
    if (w->body == NULL) {
        out->body = wechat_body(w);
        out->body_n = strlen(out->body);
    } else {
        out->body_n = w->body_n == 0 ? strlen(w->body) : w->body_n;
        out->body = xcalloc(out->body_n + 1, 1);
        memcpy(out->body, w->body, out->body_n);
    }
    char *text = xcalloc(out->body_n + 1024, 1);
    size_t n = (size_t)snprintf(text, 1024, "%s\n%s\n", out->texts[0], nonce);
    memcpy(text + n, out->body, out->body_n);
    text[n + out->body_n] = '\n';
    out->texts[1] = test_sign(w->by_b ? r->key_b : r->key_a, text, n + out->body_n + 1);
    free(text);
    add_header(w, "Wechatpay-Nonce", nonce, out);
    add_header(w, "Wechatpay-Serial", or_usual(w->serial, RIG_SERIAL), out);
    add_header(w, "Wechatpay-Signature", or_usual(w->signature, out->texts[1]), out);
    add_header(w, "Wechatpay-Timestamp", out->texts[0], out);
    if (w->type != NULL) {
        add_header(w, "Wechatpay-Signature-Type", w->type, out);
    }
    if (w->behind != NULL) {
        out->body = xrealloc(out->body, out->body_n + strlen(w->behind) + 1);
        memcpy(out->body + out->body_n, w->behind, strlen(w->behind) + 1);
        out->body_n += strlen(w->behind);
    }
    out->capture = (struct capture){
        .headers = out->headers, .n_headers = out->n_headers, .body = out->body, .body_n = out->body_n};
}

/* ------------------------------------------------------------------------------------------------------ Alipay */

static const struct rig_param USUAL[] = {
    {"app_id", "2021000000000001"},
    {"buyer_id", "2088000000000009"},
    {"charset", "utf-8"},
    {"gmt_payment", "2023-11-15 06:13:19"},
    {"notify_id", "2023111500222061319000000000000001"},
    {"notify_time", RIG_BEIJING},
    {"notify_type", "trade_status_sync"},
    {"out_trade_no", "order-1"},
    {"seller_id", "2088000000000001"},
    {"sign_type", "RSA2"},
    {"subject", "a+b \\\" \xe5\xa4\xa7"},
    {"total_amount", "88.88"},
    {"trade_no", "2023111522001400000000000001"},
    {"trade_status", "TRADE_SUCCESS"},
    {"version", "1.0"},
};

static void set_param(struct rig_param *params, size_t *n, const struct rig_param *p)
{
    for (size_t i = 0; i < *n; i++) {
        if (strcmp(params[i].name, p->name) == 0) {
            params[i].value = p->value;
            return;
        }
    }
    need(*n < RIG_PARAMS_MAX);
    params[(*n)++] = *p;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct rig_param *)a)->name, ((const struct rig_param *)b)->name);
}

static bool is_signed(const struct alipay_call *a, const char *name)
{
    return (a->rule_v2 || strcmp(name, "sign_type") != 0) && !(a->sn_not_signed && strcmp(name, "alipay_cert_sn") == 0);
}

static void add_encoded(struct buf *out, const char *text, bool plus_as_it_is, bool blank_as_20)
{
    for (; *text != '\0'; text++) {
        bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                     (*text >= '0' && *text <= '9') || strchr("-_.*", *text) != NULL || (*text == '+' && plus_as_it_is);
        if (plain || (*text == ' ' && !blank_as_20)) {
            need(buf_putc(out, *text == ' ' ? '+' : *text));
        } else {
            need(buf_printf(out, "%%%02X", (unsigned)(unsigned char)*text));
        }
    }
}

static char *alipay_signature(const struct rig *r, const struct alipay_call *a, const struct rig_param *params,
                              size_t n)
{
    struct buf text;
    buf_init(&text, (size_t)1 << 20);
    bool type_there = false;
    for (size_t i = 0; i < n; i++) {
        type_there |= params[i].value != NULL && strcmp(params[i].name, "sign_type") == 0;
    }
    for (size_t i = 0; i < n; i++) {
        bool add_type = a->rule_v2 && !type_there && strcmp(params[i].name, "sign_type") == 0;
        if ((params[i].value != NULL || add_type) && is_signed(a, params[i].name)) {
            need(buf_printf(&text, "%s%s=", text.len == 0 ? "" : "&", params[i].name));
            need(buf_puts(&text, add_type ? "RSA2" : params[i].value));
        }
    }
    char *sign = test_sign(a->by_b ? r->key_b : r->key_a, buf_str(&text), text.len);
    buf_done(&text);
    return sign;
}

void alipay_call_make(const struct rig *r, const struct alipay_call *a, struct call *out)
{
    struct rig_param params[RIG_PARAMS_MAX];
    size_t n = ARRAY_SIZE(USUAL);
    struct buf body;
    memcpy(params, USUAL, sizeof USUAL);
    for (size_t i = 0; i < ARRAY_SIZE(a->set) && a->set[i].name != NULL; i++) {
        set_param(params, &n, &a->set[i]);
    }
    qsort(params, n, sizeof params[0], by_name);
    CLEANUP(freep) char *sign = alipay_signature(r, a, params, n);
    buf_init(&body, (size_t)1 << 20);
    for (size_t i = 0; i < n; i++) { /* on the wire in another order than signed */
        const struct rig_param *p = &params[n - 1 - i];
        if (p->value != NULL) {
            need(buf_printf(&body, "%s%s=", body.len == 0 ? "" : "&", p->name));
            add_encoded(&body, p->value, false, a->blank_as_20);
        }
    }
    if (a->sign == NULL || strcmp(a->sign, "-") != 0) {
        need(buf_puts(&body, "&sign="));
        add_encoded(&body, or_usual(a->sign, sign), a->plus_as_it_is, false);
    }
    need(buf_puts(&body, or_usual(a->behind, "")));
    *out = (struct call){.body_n = body.len};
    out->body = buf_take(&body);
    out->capture = (struct capture){.body = out->body, .body_n = out->body_n};
}
