/* SPDX-License-Identifier: Apache-2.0 */
/* Kafka record -> one line of JSON. */
#include "record_json.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "avro/codec.h"
#include "avro/utf8.h"
#include "base/clock.h"
#include "base/mem.h"

static void add_base64(struct buf *out, const unsigned char *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    buf_putc(out, '"');
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)bytes[i] << 16;
        v |= i + 1 < n ? (uint32_t)bytes[i + 1] << 8 : 0;
        v |= i + 2 < n ? bytes[i + 2] : 0;
        const char quad[4] = {digits[v >> 18], digits[v >> 12 & 63], i + 1 < n ? digits[v >> 6 & 63] : '=',
                              i + 2 < n ? digits[v & 63] : '='};
        buf_add(out, quad, sizeof(quad));
    }
    buf_putc(out, '"');
}

/* A string when it is text, else {"base64": "..."}; NULL as null. */
static void add_text(struct buf *out, const void *bytes, size_t n)
{
    if (bytes == NULL) {
        buf_puts(out, "null");
    } else if (utf8_check(bytes, n, NULL) != UTF8_INVALID) {
        buf_json_string(out, bytes, n);
    } else {
        buf_puts(out, "{\"base64\":");
        add_base64(out, bytes, n);
        buf_putc(out, '}');
    }
}

/* Appends the text when it is a JSON object or array. False: it is not, and nothing was appended. */
static bool add_json(struct buf *out, const char *text, size_t n)
{
    bool plausible = n > 0 && strchr("{[ \t\r\n", text[0]) != NULL && text[0] != '\0';
    json_t *j = plausible ? json_loadb(text, n, 0, NULL) : NULL;
    if (j == NULL) {
        return false;
    }
    if (memchr(text, '\n', n) == NULL && memchr(text, '\r', n) == NULL) {
        buf_add(out, text, n); /* as it is: numbers keep their digits */
    } else {
        CLEANUP(freep) char *line = json_dumps(j, JSON_COMPACT);
        buf_puts(out, line != NULL ? line : "null");
    }
    json_decref(j);
    return true;
}

enum rc value_json(const struct avro_set *set, const void *bytes, size_t n, struct buf *out, struct err *err)
{
    const unsigned char *first = bytes;
    if (bytes != NULL && n > 0 && first[0] == 0) {
        return avro_decode_json(set, bytes, n, out, err);
    }
    if (bytes == NULL || !add_json(out, bytes, n)) {
        add_text(out, bytes, n);
    }
    return RC_OK;
}

static bool repeats(const rd_kafka_headers_t *headers)
{
    const char *name = NULL;
    const void *value = NULL;
    size_t n = 0;
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &n) == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        const char *other = NULL;
        for (size_t k = 0; k < i; k++) {
            (void)rd_kafka_header_get_all(headers, k, &other, &value, &n);
            if (strcmp(name, other) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void add_headers(struct buf *out, const rd_kafka_message_t *msg)
{
    rd_kafka_headers_t *headers = NULL;
    const char *name = NULL;
    const void *value = NULL;
    size_t n = 0;
    if (rd_kafka_message_headers(msg, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        buf_puts(out, "{}");
        return;
    }
    bool pairs = repeats(headers);
    buf_putc(out, pairs ? '[' : '{');
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &n) == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        buf_puts(out, i == 0 ? "" : ",");
        buf_puts(out, pairs ? "[" : "");
        buf_json_string(out, name, strlen(name));
        buf_putc(out, pairs ? ',' : ':');
        add_text(out, value, n);
        buf_puts(out, pairs ? "]" : "");
    }
    buf_putc(out, pairs ? ']' : '}');
}

static void add_place(struct buf *out, const rd_kafka_message_t *msg)
{
    const char *topic = rd_kafka_topic_name(msg->rkt);
    rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    int64_t ms = rd_kafka_message_timestamp(msg, &type);
    buf_puts(out, "{\"topic\":");
    buf_json_string(out, topic, strlen(topic));
    buf_printf(out, ",\"partition\":%" PRId32 ",\"offset\":%" PRId64 ",\"timestamp\":", msg->partition, msg->offset);
    if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || ms < 0 || ms > INT64_MAX / 1000) {
        buf_puts(out, "null");
    } else {
        char time[CLOCK_RFC3339_MAX];
        clock_rfc3339(ms * 1000, time);
        buf_printf(out, "\"%s\"", time);
    }
}

static void add_poison(struct buf *out, const rd_kafka_message_t *msg, const struct err *err)
{
    size_t shown = msg->len < RECORD_JSON_POISON_BYTES ? msg->len : RECORD_JSON_POISON_BYTES;
    buf_puts(out, ",\"error\":");
    buf_json_string(out, err->text, strlen(err->text));
    buf_printf(out, ",\"value_bytes\":%zu,\"value_base64\":", msg->len);
    add_base64(out, msg->payload, shown);
}

enum rc record_json(const struct avro_set *set, const rd_kafka_message_t *msg, struct buf *out, struct err *err)
{
    CLEANUP(buf_done) struct buf value;
    buf_init(&value, out->max);
    enum rc rc = value_json(set, msg->payload, msg->len, &value, err);
    if (rc != RC_OK && rc != RC_REJECT) {
        return rc;
    }
    add_place(out, msg);
    buf_puts(out, ",\"key\":");
    add_text(out, msg->key, msg->key_len);
    buf_puts(out, ",\"headers\":");
    add_headers(out, msg);
    if (rc == RC_OK) {
        buf_puts(out, ",\"value\":");
        buf_add(out, buf_str(&value), value.len);
    } else {
        add_poison(out, msg, err);
    }
    buf_putc(out, '}');
    if (out->overflow || value.overflow) {
        FAIL(err, RC_FATAL, "a record is larger than %zu bytes as JSON", out->max);
    }
    return rc;
}
