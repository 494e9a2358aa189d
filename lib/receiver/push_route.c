/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /push: what the cloud function of deploy/uniCloud does, without phones. The signature is checked, a request_id
 * is taken once, each message has its own answer; what the cid begins with decides which: offline-, ignore-, gone-.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/option.h"
#include "crypto/hmac.h"
#include "http/secret.h"
#include "receiver/receiver_internal.h"

#define MESSAGES_MAX 1000
#define GONE "\"errCode\": 20001, \"errMsg\": \"target user is invalid: cid is invalid\""
#define ANSWER_BYTES_MAX ((size_t)1 << 20)

/* ---------------------------------------------------------------------------------------------------- signature */

static enum webhook_reason check(const struct request *q, const char *secret)
{
    const char *time = MHD_lookup_connection_value(q->conn, MHD_HEADER_KIND, "x-sluice-timestamp");
    const char *given = MHD_lookup_connection_value(q->conn, MHD_HEADER_KIND, "x-sluice-signature");
    int64_t seconds = 0;
    unsigned char mac[SHA256_BYTES];
    char want[SHA256_HEX_BYTES];

    if (time == NULL) {
        return WEBHOOK_TIMESTAMP_MISSING;
    }
    if (given == NULL) {
        return WEBHOOK_SIGNATURE_MISSING;
    }
    if (!option_parse_int(time, 0, INT64_MAX / 2, &seconds)) {
        return WEBHOOK_TIMESTAMP_MALFORMED;
    }
    int64_t off = clock_utc_ms() / 1000 - seconds;
    if (off > WEBHOOK_TOLERANCE_SECONDS || off < -WEBHOOK_TOLERANCE_SECONDS) {
        return off > 0 ? WEBHOOK_TIMESTAMP_TOO_OLD : WEBHOOK_TIMESTAMP_TOO_NEW;
    }
    const struct sha256_part parts[] = {
        {.bytes = time, .n = strlen(time)}, {.bytes = ".", .n = 1}, {.bytes = buf_str(&q->body), .n = q->body.len}};
    hmac_sha256(secret, strlen(secret), parts, ARRAY_SIZE(parts), mac);
    sha256_hex(mac, sizeof mac, want);
    return secret_same(want, given) ? WEBHOOK_OK : WEBHOOK_SIGNATURE_WRONG;
}

/* ---------------------------------------------------------------------------------------------------- messages */

static const char *text(const json_t *message, const char *name)
{
    const char *value = json_string_value(json_object_get(message, name));

    return value == NULL ? "" : value;
}

static bool is_message(const json_t *message)
{
    return text(message, "push_clientid")[0] != '\0' && text(message, "title")[0] != '\0' &&
           text(message, "content")[0] != '\0' && text(message, "request_id")[0] != '\0' &&
           json_is_object(json_object_get(message, "payload"));
}

/* The messages as an array, or NULL: the form is wrong. One alone stands at the top. */
static json_t *messages_of(struct request *q)
{
    json_t *body = q->body.len == 0 ? NULL : json_loadb(q->body.data, q->body.len, JSON_REJECT_DUPLICATES, NULL);
    json_t *list = json_incref(json_object_get(body, "messages"));

    q->push_single = body != NULL && list == NULL;
    if (q->push_single) {
        list = json_array();
        (void)json_array_append(list, body);
    }
    json_decref(body);
    size_t n = json_array_size(list);
    bool good = json_is_array(list) && n > 0 && n <= MESSAGES_MAX;
    for (size_t i = 0; good && i < n; i++) {
        good = is_message(json_array_get(list, i));
    }
    if (!good) {
        json_decref(list);
        return NULL;
    }
    return list;
}

static void begin(struct request *q)
{
    size_t n = json_array_size(q->push);

    q->push_numbers = xcalloc(n, sizeof *q->push_numbers);
    q->id = xstrdup(text(json_array_get(q->push, 0), "request_id"));
    (void)pthread_mutex_lock(&q->r->lock);
    for (size_t i = 0; i < n; i++) {
        const json_t *m = json_array_get(q->push, i);
        q->push_numbers[i] =
            pushes_begin(&q->r->pushes, text(m, "request_id"), text(m, "push_clientid"), text(m, "title"));
    }
    size_t first = q->push_numbers[0];
    q->mark.attempt = first == NAMES_NONE ? 1 : q->r->pushes.ids[first].attempts; /* for fail/N */
    (void)pthread_mutex_unlock(&q->r->lock);
}

static enum MHD_Result refuse(struct request *q, unsigned status, const char *why)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 512);
    (void)pthread_mutex_lock(&q->r->lock);
    q->r->pushes.refused++;
    (void)pthread_mutex_unlock(&q->r->lock);
    (void)buf_printf(&out, "{\"errCode\": %u, \"errMsg\": \"%s\"}\n", status, why);
    return request_answer(q, status, buf_str(&out), NULL, NULL);
}

enum MHD_Result push_route(struct request *q)
{
    const char *wanted = MHD_lookup_connection_value(q->conn, MHD_GET_ARGUMENT_KIND, "do");

    q->is_push = true;
    (void)pthread_mutex_lock(&q->r->lock);
    q->r->pushes.requests++;
    (void)pthread_mutex_unlock(&q->r->lock);
    if (!behave_parse(wanted != NULL ? wanted : q->path, &q->behave)) {
        return request_answer(q, MHD_HTTP_BAD_REQUEST, "{\"error\": \"no such behaviour\"}\n", NULL, NULL);
    }
    q->reason = q->r->opt.push_secret == NULL ? WEBHOOK_OK : check(q, q->r->opt.push_secret);
    if (q->reason != WEBHOOK_OK) {
        return refuse(q, MHD_HTTP_UNAUTHORIZED, webhook_reason_name(q->reason));
    }
    q->push = messages_of(q);
    if (q->push == NULL) {
        return refuse(q, MHD_HTTP_BAD_REQUEST,
                      "expected messages, each with request_id, push_clientid, title, content and payload");
    }
    if (mended_covers(&q->r->mended, q->path)) {
        q->behave = (struct behave){.kind = BEHAVE_OK};
    }
    begin(q);
    return request_behave(q);
}

/* ---------------------------------------------------------------------------------------------------- the answer */

static bool begins(const char *text_, const char *with)
{
    return strncmp(text_, with, strlen(with)) == 0;
}

static const char *status_of(const char *cid)
{
    return begins(cid, "offline-")  ? "successed_offline"
           : begins(cid, "ignore-") ? "successed_ignore"
                                    : "successed_online";
}

static void add_answer(const struct request *q, const json_t *m, struct buf *out)
{
    const char *cid = text(m, "push_clientid");
    const char *key = q->push_single ? cid : text(m, "request_id");

    (void)buf_json_string(out, key, strlen(key));
    if (begins(cid, "gone-")) {
        (void)buf_puts(out, ": {" GONE "}");
    } else if (q->push_single) {
        (void)buf_printf(out, ": \"%s\"", status_of(cid));
    } else {
        (void)buf_printf(out, ": {\"errCode\": 0, \"status\": \"%s\"}", status_of(cid));
    }
}

enum MHD_Result push_accept(struct request *q)
{
    CLEANUP(buf_done) struct buf out;
    size_t n = json_array_size(q->push);

    buf_init(&out, ANSWER_BYTES_MAX);
    if (q->push_single && begins(text(json_array_get(q->push, 0), "push_clientid"), "gone-")) {
        return request_answer(q, MHD_HTTP_OK, "{" GONE "}\n", NULL, NULL);
    }
    (void)buf_puts(&out, "{\"errCode\": 0, \"errMsg\": \"\", \"data\": {");
    (void)buf_puts(&out, q->push_single ? "\"RASL_1\": {" : "");
    (void)pthread_mutex_lock(&q->r->lock);
    for (size_t i = 0; i < n; i++) {
        (void)buf_puts(&out, i > 0 ? ", " : "");
        add_answer(q, json_array_get(q->push, i), &out);
        if (!begins(text(json_array_get(q->push, i), "push_clientid"), "gone-")) {
            pushes_accept(&q->r->pushes, q->push_numbers[i]);
        }
    }
    (void)pthread_mutex_unlock(&q->r->lock);
    (void)buf_puts(&out, q->push_single ? "}}}\n" : "}}\n");
    return request_answer(q, MHD_HTTP_OK, buf_str(&out), NULL, NULL);
}

void push_done(struct request *q)
{
    json_decref(q->push);
    free(q->push_numbers);
}
