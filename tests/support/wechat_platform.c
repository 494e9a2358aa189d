/* SPDX-License-Identifier: Apache-2.0 */
#include "support/wechat_platform.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel/wechat_sign.h"
#include "crypto/base64.h"

#define BODY_MAX ((size_t)8 << 20)
#define OTHER_APIV3_KEY "ffffffffffffffffffffffffffffffff"

/* ---------------------------------------------------------------------------------------------------- the request */

/* name="value" of Authorization. */
static bool part(const char *header, const char *name, char *out, size_t size)
{
    char start[32];
    (void)snprintf(start, sizeof start, "%s=\"", name);
    const char *value = strstr(header, start);
    const char *end = value == NULL ? NULL : strchr(value + strlen(start), '"');
    if (end == NULL || (size_t)(end - value) >= size) {
        return false;
    }
    (void)snprintf(out, size, "%.*s", (int)(end - value - (long)strlen(start)), value + strlen(start));
    return true;
}

static bool is_genuine(const char *request)
{
    static const char SCHEME[] = "\r\nAuthorization: WECHATPAY2-SHA256-RSA2048 ";
    const char *header = strstr(request, SCHEME);
    char mchid[64], nonce[64], timestamp[64], serial[64], signature[1024], text[512];
    unsigned char bytes[RSA_SIGNATURE_BYTES_MAX];
    size_t n = 0;
    if (header == NULL || !part(header, "mchid", mchid, sizeof mchid) ||
        !part(header, "nonce_str", nonce, sizeof nonce) || !part(header, "timestamp", timestamp, sizeof timestamp) ||
        !part(header, "serial_no", serial, sizeof serial) || !part(header, "signature", signature, sizeof signature) ||
        strcmp(mchid, PLATFORM_MCHID) != 0 || strcmp(serial, PLATFORM_MERCHANT_SERIAL) != 0 ||
        strncmp(request, "GET /v3/certificates HTTP/1.1\r\n", 31) != 0 ||
        strstr(request, "\r\nAccept: application/json\r\n") == NULL || strstr(request, "\r\nUser-Agent: ") == NULL) {
        return false;
    }
    (void)snprintf(text, sizeof text, "GET\n/v3/certificates\n%s\n%s\n\n", timestamp, nonce);
    const struct sha256_part signed_part = {text, strlen(text)};
    return base64_decode(signature, strlen(signature), bytes, sizeof bytes, &n) &&
           rsa_verify(rig_rsa(RIG_KEY_A), &signed_part, 1, bytes, n);
}

/* ---------------------------------------------------------------------------------------------------- the answer */

static void add_item(const struct platform *p, size_t i, struct buf *out)
{
    enum platform_fault fault = p->items[i].fault;
    CLEANUP(freep) char *one = rig_certificate_pem(p->items[i].certificate);
    CLEANUP(freep)
    char *pem = fault == ITEM_TWO_CERTIFICATES ? xasprintf("%s%s", one, one)
                                               : xstrdup(fault == ITEM_NO_CERTIFICATE ? "hello" : one);
    const char *key = fault == ITEM_OTHER_APIV3_KEY ? OTHER_APIV3_KEY : RIG_APIV3_KEY;
    if (fault == ITEM_NO_OBJECT) {
        (void)buf_puts(out, "17");
        return;
    }
    (void)buf_printf(out,
                     "{\"serial_no\":\"%s\",\"effective_time\":\"2018-06-08T10:34:56+08:00\","
                     "\"expire_time\":\"2018-12-08T10:34:56+08:00\",\"encrypt_certificate\":",
                     p->items[i].serial);
    wechat_seal_json((const unsigned char *)key, fault == ITEM_OTHER_AAD ? "transaction" : "certificate",
                     fault == ITEM_LONG_NONCE ? "0123456789abc" : NULL, "", pem, strlen(pem), out);
    (void)buf_putc(out, '}');
}

static void make_body(const struct platform *p, struct buf *out)
{
    if (p->manner == PLATFORM_NO_JSON || p->manner == PLATFORM_NO_LIST) {
        (void)buf_puts(out, p->manner == PLATFORM_NO_JSON ? "<html>" : "{\"data\":{}}");
        return;
    }
    (void)buf_puts(out, "{\"data\":[");
    for (size_t i = 0; i < p->n && p->manner != PLATFORM_EMPTY; i++) {
        (void)buf_puts(out, i == 0 ? "" : ",");
        add_item(p, i, out);
    }
    (void)buf_puts(out, "]}");
    cr_assert_not(out->overflow);
}

static void add_signature(const struct platform *p, const struct buf *body, struct buf *lines)
{
    struct err err = {0};
    enum rig_key key = p->manner == PLATFORM_WRONG_KEY ? 1 - p->signs_with : p->signs_with;
    int64_t at_s = p->now_s - (p->manner == PLATFORM_CLOCK_OFF ? 3600 : 0);
    size_t n = p->manner == PLATFORM_WRONG_SIGNATURE ? body->len - 1 : body->len;
    cr_assert_eq(wechat_sign_headers(rig_rsa(key), p->signer, at_s, NULL, body->data, n, lines, &err), RC_OK);
}

/* With CRLF, as headers are sent. */
static void make_headers(const struct platform *p, const struct buf *body, struct buf *out)
{
    CLEANUP(buf_done) struct buf lines;
    buf_init(&lines, 65536);
    if (p->manner == PLATFORM_PROBE) {
        (void)buf_printf(&lines,
                         "Wechatpay-Serial: %s\nWechatpay-Timestamp: %" PRId64
                         "\nWechatpay-Nonce: n\nWechatpay-Signature: WECHATPAY/SIGNTEST/abc=\n",
                         p->signer, (int64_t)p->now_s);
    } else if (p->manner != PLATFORM_UNSIGNED) {
        add_signature(p, body, &lines);
    }
    if (p->manner == PLATFORM_TWO_SIGNATURES) {
        add_signature(p, body, &lines);
    }
    for (size_t i = 0; i < lines.len; i++) {
        (void)(lines.data[i] == '\n' ? buf_puts(out, "\r\n") : buf_putc(out, lines.data[i]));
    }
}

static unsigned status_of(enum platform_manner manner)
{
    return manner == PLATFORM_STATUS_500   ? 500
           : manner == PLATFORM_STATUS_401 ? 401
           : manner == PLATFORM_REDIRECTS  ? 302
           : manner == PLATFORM_NOT_FOUND  ? 404
                                           : 200;
}

static enum stand_in_end answer(void *opaque, const char *request, struct buf *bytes)
{
    struct platform *p = opaque;
    CLEANUP(buf_done) struct buf body;
    CLEANUP(buf_done) struct buf headers;
    buf_init(&body, BODY_MAX);
    buf_init(&headers, 65536);
    atomic_fetch_add(&p->genuine, is_genuine(request) ? 1 : 0);
    make_body(p, &body);
    make_headers(p, &body, &headers);
    unsigned status = status_of(p->manner);
    if (p->manner == PLATFORM_CLOSED) {
        return STAND_IN_CLOSE;
    }
    if (p->manner == PLATFORM_HANGS || p->manner == PLATFORM_ENDLESS) {
        (void)buf_printf(bytes, "HTTP/1.1 200 OK\r\n%s\r\n{\"data\":[", buf_str(&headers));
        return p->manner == PLATFORM_HANGS ? STAND_IN_HANG : STAND_IN_ENDLESS;
    }
    if (p->manner == PLATFORM_REDIRECTS) {
        (void)buf_printf(&headers, "Location: http://127.0.0.1:%d/v3/certificates?again\r\n", stand_in_port(p->server));
    }
    if (p->manner == PLATFORM_NOT_FOUND) {
        buf_clear(&body);
        (void)buf_puts(&body, "{\"code\":\"RESOURCE_NOT_EXISTS\",\"message\":\"none\"}");
    }
    stand_in_answer(bytes, (int)status, buf_str(&headers), buf_str(&body), body.len);
    bytes->len -= p->manner == PLATFORM_CUT ? body.len / 2 : 0;
    return STAND_IN_CLOSE;
}

/* ---------------------------------------------------------------------------------------------------- life */

void platform_start(struct platform *p)
{
    (void)rig_rsa(RIG_KEY_A); /* keys are made by one thread */
    (void)rig_rsa(RIG_KEY_B);
    p->now_s = RIG_NOW_S;
    p->server = stand_in_start(answer, p);
}

void platform_stop(struct platform *p)
{
    p->server = stand_in_stop(p->server);
    platform_clear(p);
}

void platform_api_base(const struct platform *p, char out[64])
{
    (void)snprintf(out, 64, "http://127.0.0.1:%d", stand_in_port(p->server));
}

void platform_list(struct platform *p, X509 *certificate, const char *serial, enum platform_fault fault)
{
    cr_assert_lt(p->n, PLATFORM_ITEMS_MAX);
    (void)X509_up_ref(certificate);
    p->items[p->n].certificate = certificate;
    p->items[p->n].fault = fault;
    (void)snprintf(p->items[p->n].serial, sizeof p->items[0].serial, "%s", serial);
    p->n++;
}

void platform_clear(struct platform *p)
{
    for (size_t i = 0; i < p->n; i++) {
        X509_free(p->items[i].certificate);
    }
    p->n = 0;
}

void platform_sign_with(struct platform *p, const char *serial, enum rig_key key)
{
    (void)snprintf(p->signer, sizeof p->signer, "%s", serial);
    p->signs_with = key;
}

void platform_answer(struct platform *p, struct fetch_answer *out)
{
    struct err err = {0};
    CLEANUP(buf_done) struct buf headers;
    buf_init(&headers, 65536);
    *out = (struct fetch_answer){.status = status_of(p->manner)};
    buf_init(&out->body, BODY_MAX);
    make_body(p, &out->body);
    make_headers(p, &out->body, &headers);
    cr_assert_eq(header_file_parse(buf_str(&headers), headers.len, &out->headers, &err), RC_OK);
}
