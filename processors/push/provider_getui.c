/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to Getui's REST v2: single and batch pushes by cid, and the token. */
#include "push/provider_getui.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/sha256.h"
#include "push/kinds.h"
#include "push/provider_text.h"

#define API_BASE "https://restapi.getui.com/v2"
#define TTL_S_MAX 259200 /* three days */
#define TITLE_CHARACTERS 50
#define BODY_CHARACTERS 256
#define PAYLOAD_BYTES_MAX 3072
#define AHEAD_US ((int64_t)3600 * 1000000)
#define REPLY_BYTES_MAX ((size_t)64 << 10) /* a hundred messages need about twelve thousand */

struct getui {
    char *app_id, *app_key, *master_secret, *api_base;
    int64_t ttl_s, strategy, strategy_ios;
    char *android_intent;  /* NULL: a tap starts the app */
    char *android_options; /* JSON objects, NULL = none */
    char *ios_more;        /* members behind those of ours, each with a comma before it; "" = none */
    char *harmony_category;
    char *harmony_options; /* NULL: no block for harmony */
};

static void getui_close(void *opaque)
{
    struct getui *g = opaque;
    if (g == NULL) {
        return;
    }
    members_wipe(g->app_key);
    members_wipe(g->master_secret);
    free(g->app_id);
    free(g->api_base);
    free(g->android_intent);
    free(g->android_options);
    free(g->ios_more);
    free(g->harmony_category);
    free(g->harmony_options);
    free(g);
}

static void getui_closep(struct getui **g)
{
    getui_close(*g);
}

/* ----------------------------------------------------------------------------------------------------- members */

static char *text_or_null(const char *text)
{
    return text == NULL ? NULL : xstrdup(text);
}

/* ,"auto_badge":"+1": the object without its braces. */
static char *members_of(const json_t *object)
{
    CLEANUP(freep) char *text = json_dumps(object, JSON_COMPACT);
    if (text == NULL || strcmp(text, "{}") == 0) {
        return xstrdup("");
    }
    text[0] = ',';
    text[strlen(text) - 1] = '\0';
    return xstrdup(text);
}

static enum rc open_android(const json_t *object, struct getui *g, struct err *err)
{
    struct members m;
    members_begin(&m, object, "", err);
    g->android_intent = text_or_null(members_text(&m, "intent", false, 2048));
    const json_t *options = members_object(&m, "options");
    g->android_options = options == NULL ? NULL : json_dumps(options, JSON_COMPACT);
    return members_end(&m);
}

static enum rc open_harmony(const json_t *object, struct getui *g, struct err *err)
{
    struct members m;
    members_begin(&m, object, "", err);
    const char *category = members_text(&m, "category", false, 64);
    const json_t *options = members_object(&m, "options");
    g->harmony_category = xstrdup(category == NULL ? "EXPRESS" : category);
    g->harmony_options = options == NULL ? xstrdup("{}") : json_dumps(options, JSON_COMPACT);
    return members_end(&m);
}

static enum rc open_ios(const json_t *object, struct getui *g, struct err *err)
{
    static const char *const ours[] = {"type", "aps", "payload"};
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
        if (json_object_get(object, ours[i]) != NULL) {
            (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "member %s: it is made from the message", ours[i]);
            return err_code(err, ERR_CONFIG);
        }
    }
    g->ios_more = members_of(object);
    return RC_OK;
}

static enum rc open_channel(const json_t *channel, struct getui *g, struct err *err)
{
    struct members m;
    if (channel == NULL) {
        return RC_OK;
    }
    members_begin(&m, channel, "", err);
    const json_t *android = members_object(&m, "android");
    const json_t *ios = members_object(&m, "ios");
    const json_t *harmony = members_object(&m, "harmony");
    (void)members_int(&m, "strategy", 1, 4, &g->strategy);
    (void)members_int(&m, "strategy_ios", 1, 4, &g->strategy_ios);
    TRY(members_end(&m));
    if (android != NULL && open_android(android, g, err) != RC_OK) {
        return err_prefix(err, "android");
    }
    if (ios != NULL && open_ios(ios, g, err) != RC_OK) {
        return err_prefix(err, "ios");
    }
    return harmony != NULL && open_harmony(harmony, g, err) != RC_OK ? err_prefix(err, "harmony") : RC_OK;
}

static enum rc getui_open(const struct json_t *config, const char *directory, void **out_self, struct err *err)
{
    struct members m;
    CLEANUP(getui_closep) struct getui *g = xcalloc(1, sizeof *g);
    members_begin(&m, config, directory, err);
    g->app_id = provider_id(&m, "app_id", true);
    g->app_key = members_secret(&m, "app_key", true);
    g->master_secret = members_secret(&m, "master_secret", true);
    g->api_base = provider_url(&m, "api_base", API_BASE, false);
    g->ttl_s = provider_ttl_s(&m, TTL_S_MAX);
    g->strategy = 1;     /* online by Getui, otherwise by the phone's vendor */
    g->strategy_ios = 4; /* the vendor first: iOS keeps no connection open in the background */
    const json_t *channel = members_object(&m, "channel");
    TRY(members_end(&m));
    if (open_channel(channel, g, err) != RC_OK) {
        return err_prefix(err, "channel");
    }
    g->ios_more = g->ios_more == NULL ? xstrdup("") : g->ios_more;
    *out_self = g;
    g = NULL;
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- messages */

static void put_texts(struct buf *out, const struct push_message *m)
{
    (void)buf_puts(out, "\"title\":");
    provider_json_text(out, m->title, TITLE_CHARACTERS);
    (void)buf_puts(out, ",\"body\":");
    provider_json_text(out, m->body, BODY_CHARACTERS);
}

/* What the phone's vendor is given while the device is not connected: without it such a device gets nothing. */
static void put_channel(struct buf *out, const struct getui *g, const struct push_message *m)
{
    (void)buf_puts(out, "\"push_channel\":{\"android\":{\"ups\":{\"notification\":{");
    put_texts(out, m);
    if (g->android_intent != NULL) {
        (void)buf_puts(out, ",\"click_type\":\"intent\",\"intent\":");
        provider_json_text(out, g->android_intent, 0);
    } else {
        (void)buf_puts(out, ",\"click_type\":\"startapp\"");
    }
    (void)buf_puts(out, "}");
    if (g->android_options != NULL) {
        (void)buf_printf(out, ",\"options\":%s", g->android_options);
    }
    (void)buf_puts(out, "}},\"ios\":{\"type\":\"notify\",\"payload\":");
    provider_json_text(out, m->payload, 0);
    (void)buf_puts(out, ",\"aps\":{\"alert\":{");
    put_texts(out, m);
    (void)buf_printf(out, "},\"content-available\":0,\"sound\":\"default\"}%s}", g->ios_more);
    if (g->harmony_options != NULL) {
        (void)buf_puts(out, ",\"harmony\":{\"notification\":{");
        put_texts(out, m);
        (void)buf_puts(out, ",\"category\":");
        provider_json_text(out, g->harmony_category, 0);
        (void)buf_printf(out, ",\"click_type\":\"startapp\"},\"options\":%s}", g->harmony_options);
    }
    (void)buf_putc(out, '}');
}

static void put_message(struct buf *out, const struct getui *g, const struct push_message *m, int64_t now_us)
{
    int64_t ttl_ms = provider_left_s(m, now_us, g->ttl_s) * 1000;
    (void)buf_printf(out,
                     "{\"request_id\":\"%s\",\"settings\":{\"ttl\":%" PRId64 ",\"strategy\":{\"default\":%" PRId64
                     ",\"ios\":%" PRId64 "}},\"audience\":{\"cid\":[",
                     m->request_id, ttl_ms, g->strategy, g->strategy_ios);
    provider_json_text(out, m->cid, 0);
    (void)buf_puts(out, "]},\"push_message\":{\"notification\":{");
    put_texts(out, m);
    (void)buf_puts(out, ",\"click_type\":\"payload\",\"payload\":");
    provider_json_text(out, m->payload, 0);
    (void)buf_puts(out, "}},");
    put_channel(out, g, m);
    (void)buf_putc(out, '}');
}

static enum rc check(const struct push_message *m, struct err *err)
{
    TRY(provider_target_check(m, err));
    if (strlen(m->payload) > PAYLOAD_BYTES_MAX) {
        (void)err_set(err, RC_REJECT, __FILE__, __LINE__, "the payload has %zu bytes, expected at most %d",
                      strlen(m->payload), PAYLOAD_BYTES_MAX);
        return err_code(err, "payload-too-big");
    }
    return RC_OK;
}

static const char *url_of(const struct getui *g, struct arena *a, const char *route)
{
    return provider_join(a, provider_join(a, g->api_base, "/"), provider_join(a, g->app_id, route));
}

static void set_headers(struct arena *a, const char *token, struct push_request *out)
{
    struct http_header *headers = arena_alloc(a, 2 * sizeof *headers);
    headers[0] = (struct http_header){"Content-Type", "application/json;charset=utf-8"};
    headers[1] = (struct http_header){"token", token};
    out->headers = headers;
    out->n_headers = token == NULL ? 1 : 2;
}

static enum rc getui_request(const void *self, const struct push_message *const *m, size_t n, const char *token,
                             int64_t now_us, struct arena *a, struct push_request *out, struct err *err)
{
    const struct getui *g = self;
    struct push_request request = {.url = url_of(g, a, n == 1 ? "/push/single/cid" : "/push/single/batch/cid")};
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, PROVIDER_REQUEST_BYTES_MAX);
    (void)buf_puts(&body, n == 1 ? "" : "{\"is_async\":false,\"msg_list\":[");
    for (size_t i = 0; i < n; i++) {
        TRY(check(m[i], err));
        (void)buf_puts(&body, i == 0 ? "" : ",");
        put_message(&body, g, m[i], now_us);
    }
    (void)buf_puts(&body, n == 1 ? "" : "]}");
    set_headers(a, token, &request);
    TRY(provider_body(&body, a, &request, err));
    *out = request;
    return RC_OK;
}

/* The answer names cids: one that stands twice in a request could not be told apart. */
static bool getui_together(const void *self, const struct push_message *a, const struct push_message *b)
{
    (void)self;
    return strcmp(a->cid, b->cid) != 0;
}

/* ------------------------------------------------------------------------------------------------------- token */

static void getui_credential(const void *self, unsigned char out_id[32], unsigned char out_key[32])
{
    const struct getui *g = self;
    const char *const parts[] = {g->api_base, g->app_id, g->app_key, g->master_secret};
    provider_hash("getui token", parts, ARRAY_SIZE(parts), out_id);
    provider_hash("getui token key", parts, ARRAY_SIZE(parts), out_key);
}

static enum rc getui_token_request(const void *self, int64_t now_us, struct arena *a, struct push_request *out,
                                   struct err *err)
{
    const struct getui *g = self;
    char timestamp[24];
    char sign[SHA256_HEX_BYTES];
    unsigned char hash[SHA256_BYTES];
    struct push_request request = {.url = url_of(g, a, "/auth")};
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, PROVIDER_REQUEST_BYTES_MAX);
    (void)snprintf(timestamp, sizeof timestamp, "%" PRId64, now_us / 1000);
    const struct sha256_part parts[] = {
        {g->app_key, strlen(g->app_key)}, {timestamp, strlen(timestamp)}, {g->master_secret, strlen(g->master_secret)}};
    sha256_of_parts(parts, ARRAY_SIZE(parts), hash);
    sha256_hex(hash, sizeof hash, sign);
    (void)buf_printf(&body, "{\"sign\":\"%s\",\"timestamp\":\"%s\",\"appkey\":", sign, timestamp);
    provider_json_text(&body, g->app_key, 0);
    (void)buf_putc(&body, '}');
    set_headers(a, NULL, &request);
    TRY(provider_body(&body, a, &request, err));
    *out = request;
    return RC_OK;
}

const struct provider_kind provider_getui = {
    .name = "getui",
    .needs_token = true,
    .batch_max = PUSH_BATCH_MAX,
    .reply_bytes_max = REPLY_BYTES_MAX,
    .open = getui_open,
    .close = getui_close,
    .together = getui_together,
    .request = getui_request,
    .reply = getui_reply,
    .credential = getui_credential,
    .token_request = getui_token_request,
    .token_reply = getui_token_reply,
    .renew_ahead_us = AHEAD_US,
};
