/* SPDX-License-Identifier: Apache-2.0 */
/* Members, times and pieces of requests of the vendors' kinds. */
#include "push/provider_text.h"

#include <assert.h>
#include <ctype.h>
#include <jansson.h>
#include <string.h>

#include "crypto/sha256.h"
#include "http/fetch.h"

#define SECOND_US 1000000
#define HASH_PARTS_MAX 8

/* ----------------------------------------------------------------------------------------------------- members */

char *provider_id(struct members *m, const char *name, bool required)
{
    const char *id = members_text(m, name, required, PROVIDER_ID_MAX);
    for (const char *at = id; at != NULL && *at != '\0'; at++) {
        if (!isalnum((unsigned char)*at) && strchr("._-", *at) == NULL) {
            members_refuse(m, name, "expected letters, digits and . _ - as the provider's console shows it");
            return NULL;
        }
    }
    return id == NULL ? NULL : xstrdup(id);
}

char *provider_url(struct members *m, const char *name, const char *fallback, bool http2)
{
    struct err err;
    const char *url = members_text(m, name, false, PROVIDER_URL_MAX);
    if (url != NULL &&
        (fetch_url_check(url, &err) != RC_OK || strpbrk(url, " ?#\"\\") != NULL || url[strlen(url) - 1] == '/')) {
        members_refuse(m, name, "expected https://HOST without a slash at its end, or http:// to a loopback address");
    } else if (url != NULL && http2 && strncmp(url, "https://", strlen("https://")) != 0) {
        members_refuse(m, name, "expected https://HOST: HTTP/2 is spoken with TLS only");
    }
    return xstrdup(url == NULL ? fallback : url);
}

int64_t provider_ttl_s(struct members *m, int64_t max)
{
    int64_t ttl_s = max < PROVIDER_TTL_S ? max : PROVIDER_TTL_S;
    (void)members_int(m, "ttl_s", 1, max, &ttl_s);
    return ttl_s;
}

/* ---------------------------------------------------------------------------------------------------- messages */

int64_t provider_left_s(const struct push_message *m, int64_t now_us, int64_t ttl_s)
{
    int64_t left_s = m->expires_at_us == 0 ? ttl_s : (m->expires_at_us - now_us) / SECOND_US;
    left_s = left_s > ttl_s ? ttl_s : left_s;
    return left_s < 1 ? 1 : left_s;
}

void provider_json_text(struct buf *out, const char *s, size_t max)
{
    size_t n = 0;
    size_t count = 0;
    size_t cut = 0; /* where the text ends when an ellipsis has to follow */
    size_t step = 1;
    for (; s[n] != '\0' && (max == 0 || count <= max); n += step, count++) {
        size_t width = utf8_sequence(s + n, strnlen(s + n, 4));
        step = width == 0 ? 1 : width;
        cut = max > 0 && count < max ? n : cut;
    }
    if (max == 0 || count <= max) {
        (void)buf_json_string(out, s, n);
        return;
    }
    CLEANUP(buf_done) struct buf shorter;
    buf_init(&shorter, PROVIDER_REQUEST_BYTES_MAX);
    (void)buf_add(&shorter, s, cut);
    (void)buf_puts(&shorter, "\xe2\x80\xa6");
    (void)buf_json_string(out, buf_str(&shorter), shorter.len);
}

enum rc provider_body(struct buf *body, struct arena *a, struct push_request *out, struct err *err)
{
    if (body->overflow) {
        (void)err_set(err, RC_REJECT, __FILE__, __LINE__, "the request would have more than %zu bytes", body->max);
        return err_code(err, "payload-too-big");
    }
    out->body = arena_strndup(a, buf_str(body), body->len);
    out->body_n = body->len;
    return RC_OK;
}

const char *provider_join(struct arena *a, const char *first, const char *second)
{
    size_t n = strlen(first);
    size_t m = strlen(second);
    char *text = arena_alloc(a, n + m + 1);
    memcpy(text, first, n);
    memcpy(text + n, second, m + 1);
    return text;
}

enum rc provider_target_check(const struct push_message *m, struct err *err)
{
    if (m->cid == NULL || m->cid[0] == '\0') {
        (void)err_set(err, RC_REJECT, __FILE__, __LINE__, "the message has no address, and must not reach everybody");
        return err_code(err, "empty-target");
    }
    return RC_OK;
}

enum rc provider_payload_check(const struct push_message *m, struct err *err)
{
    json_t *payload = json_loads(m->payload, JSON_REJECT_DUPLICATES, NULL);
    bool good = json_is_object(payload);
    json_decref(payload);
    if (!good) {
        (void)err_set(err, RC_REJECT, __FILE__, __LINE__, "payload: expected a JSON object");
        return err_code(err, "payload-malformed");
    }
    return RC_OK;
}

void provider_hash(const char *name, const char *const *parts, size_t n, unsigned char out[32])
{
    struct sha256_part hashed[HASH_PARTS_MAX + 1] = {{name, strlen(name) + 1}};
    assert(n <= HASH_PARTS_MAX);
    for (size_t i = 0; i < n; i++) {
        hashed[1 + i] = (struct sha256_part){parts[i], strlen(parts[i]) + 1}; /* the NUL tells them apart */
    }
    sha256_of_parts(hashed, n + 1, out);
}
