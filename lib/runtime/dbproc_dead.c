/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters of database processors: the record verbatim, and headers that say what happened. */
#include "runtime/dbproc_dead.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "crypto/sha256.h"
#include "pg/conn.h"

#define OURS "__dlq."

/* Is it text that JSON and jsonb can carry? */
static bool is_text(const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t len = s[i] != '\0' ? utf8_sequence(s + i, n - i) : 0;
        if (len == 0) {
            return false;
        }
        i += len;
    }
    return true;
}

static void add_value(struct buf *out, const char *value, size_t n)
{
    if (value == NULL) {
        buf_puts(out, "null");
    } else if (is_text(value, n)) {
        buf_json_string(out, value, n);
    } else {
        buf_puts(out, "{\"hex\": \"");
        for (size_t i = 0; i < n; i++) {
            buf_printf(out, "%02x", (unsigned)(unsigned char)value[i]);
        }
        buf_puts(out, "\"}");
    }
}

static void add(struct buf *out, const char *name, const char *value, size_t n)
{
    buf_puts(out, out->len == 1 ? "[" : ", [");
    buf_json_string(out, name, strlen(name));
    buf_puts(out, ", ");
    add_value(out, value, n);
    buf_putc(out, ']');
}

static void add_text(struct buf *out, const char *name, const char *value)
{
    add(out, name, value, strlen(value));
}

static void add_number(struct buf *out, const char *name, int64_t value)
{
    char number[24];

    snprintf(number, sizeof(number), "%" PRId64, value);
    add_text(out, name, number);
}

/* The last header of that name that has a text value; NULL = none. */
static const struct producer_header *find(const struct dbproc_event *ev, const char *name)
{
    for (size_t i = ev->n_headers; i > 0; i--) {
        const struct producer_header *h = &ev->headers[i - 1];
        if (strcmp(h->name, name) == 0 && h->value != NULL && is_text(h->value, h->value_len)) {
            return h;
        }
    }
    return NULL;
}

static void add_kept(struct buf *out, const struct dbproc_event *ev, const char *name, const char *otherwise)
{
    const struct producer_header *h = find(ev, name);

    if (h != NULL) {
        add(out, name, h->value, h->value_len);
    } else {
        add_text(out, name, otherwise);
    }
}

static void add_id(struct buf *out, const struct dbproc_event *ev)
{
    const struct producer_header *h = find(ev, "ce_id");
    char place[320];

    if (h != NULL) {
        add(out, OURS "errors.id", h->value, h->value_len);
        return;
    }
    snprintf(place, sizeof(place), "%s-%" PRId32 "-%" PRId64, ev->topic, ev->partition, ev->offset);
    add_text(out, OURS "errors.id", place);
}

void dbproc_dead_headers(const struct dbproc_event *ev, const struct dbproc_death *why, const char *now,
                         const char *sha256, struct buf *out)
{
    buf_putc(out, '[');
    for (size_t i = 0; i < ev->n_headers; i++) {
        const struct producer_header *h = &ev->headers[i];
        if (strncmp(h->name, OURS, strlen(OURS)) != 0) {
            add(out, h->name, h->value, h->value_len);
        }
    }
    add_text(out, OURS "errors.topic", ev->topic);
    add_number(out, OURS "errors.partition", ev->partition);
    add_number(out, OURS "errors.offset", ev->offset);
    add_text(out, OURS "errors.group", why->group);
    add_text(out, OURS "errors.delivery.count", "1");
    add_text(out, OURS "errors.message", why->text);
    add_text(out, OURS "errors.class", why->class);
    add_text(out, OURS "errors.stage", why->stage);
    add_text(out, OURS "errors.app", "sluice/" SLUICE_VERSION);
    add_kept(out, ev, OURS "errors.first.ts", now);
    add_text(out, OURS "errors.last.ts", now);
    add_kept(out, ev, OURS "errors.redrive.count", "0");
    add_id(out, ev);
    if (sha256 != NULL) {
        add_text(out, OURS "truncated", "true");
        add_number(out, OURS "truncated.length", (int64_t)ev->value_len);
        add_text(out, OURS "truncated.sha256", sha256);
    }
    buf_putc(out, ']');
}

static enum rc insert(PGconn *conn, const struct dbproc_event *ev, const char *dlq, const char *headers,
                      size_t value_len, struct err *err)
{
    char ts[CLOCK_RFC3339_MAX];

    clock_rfc3339(ev->timestamp_ms * 1000, ts);
    const char *values[] = {dlq, ev->key, ev->value, headers, ev->timestamp_ms >= 0 ? ts : NULL};
    const int lengths[] = {0, (int)ev->key_len, (int)value_len, 0, 0};
    const int formats[] = {0, 1, 1, 0, 0};
    PGresult *res CLEANUP(pg_clearp) = PQexecParams(conn,
                                                    "INSERT INTO dead_letter_outbox (topic, key, value, headers, ts)"
                                                    " VALUES ($1, $2::bytea, $3::bytea, $4::jsonb, $5::timestamptz)",
                                                    ARRAY_SIZE(values), NULL, values, lengths, formats, 0);

    return PQresultStatus(res) == PGRES_COMMAND_OK ? RC_OK : pg_fail(conn, res, err);
}

static size_t record_bytes(const struct dbproc_event *ev)
{
    size_t n = ev->key_len + ev->value_len;

    for (size_t i = 0; i < ev->n_headers; i++) {
        n += strlen(ev->headers[i].name) + ev->headers[i].value_len;
    }
    return n;
}

enum rc dbproc_dead_insert(PGconn *conn, const struct dbproc_event *ev, const struct dbproc_death *why, struct err *err)
{
    char sha256[SHA256_HEX_BYTES] = "";
    size_t value_len = ev->value_len;
    char now[CLOCK_RFC3339_MAX];
    struct buf headers;

    if (record_bytes(ev) > DBPROC_DEAD_BYTES_MAX && value_len > DBPROC_DEAD_CUT_BYTES) {
        unsigned char sum[SHA256_BYTES];
        sha256_of(ev->value, ev->value_len, sum);
        sha256_hex(sum, sizeof(sum), sha256);
        value_len = DBPROC_DEAD_CUT_BYTES;
    }
    clock_rfc3339(clock_utc_us(), now);
    buf_init(&headers, DBPROC_DEAD_HEADERS_BYTES_MAX);
    dbproc_dead_headers(ev, why, now, sha256[0] != '\0' ? sha256 : NULL, &headers);
    enum rc rc = headers.overflow ? err_set(err, RC_FATAL, __FILE__, __LINE__, "headers of more than %zu bytes as JSON",
                                            DBPROC_DEAD_HEADERS_BYTES_MAX)
                                  : insert(conn, ev, why->dlq, buf_str(&headers), value_len, err);
    buf_done(&headers);
    if (rc == RC_REJECT) {
        err->rc = RC_FATAL; /* a dead letter must not be dropped */
        err_prefix(err, "the dead letter of %s partition %d offset %lld cannot be written", ev->topic,
                   (int)ev->partition, (long long)ev->offset);
        return RC_FATAL;
    }
    return rc;
}
