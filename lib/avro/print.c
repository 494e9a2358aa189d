/* SPDX-License-Identifier: Apache-2.0 */
/* avro-c value -> JSON. Own code: avro-c's printer breaks on bytes with 0x00 and wraps unions. */
#include "avro/print.h"

#include <inttypes.h>
#include <math.h>

/* Avro's JSON encoding of bytes: the code points 0 to 255. */
static void print_bytes(const unsigned char *bytes, size_t n, struct buf *out)
{
    buf_putc(out, '"');
    for (size_t i = 0; i < n; i++) {
        unsigned char c = bytes[i];
        if (c < 0x20 || c == '"' || c == '\\' || c >= 0x7F) {
            buf_printf(out, "\\u%04x", c);
        } else {
            buf_putc(out, (char)c);
        }
    }
    buf_putc(out, '"');
}

/* JSON has no NaN and no infinities: they become strings. */
static void print_double(double v, int digits, struct buf *out)
{
    if (isnan(v)) {
        buf_puts(out, "\"NaN\"");
    } else if (isinf(v)) {
        buf_puts(out, v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    } else {
        buf_printf(out, "%.*g", digits, v);
    }
}

static void print_number(const struct shape *s, const avro_value_t *v, struct buf *out)
{
    int32_t small = 0;
    int64_t large = 0;
    float single = 0;
    double real = 0;
    if (s->kind == AVRO_KIND_INT) {
        avro_value_get_int(v, &small);
        buf_printf(out, "%" PRId32, small);
    } else if (s->kind == AVRO_KIND_LONG) {
        avro_value_get_long(v, &large);
        buf_printf(out, "%" PRId64, large);
    } else if (s->kind == AVRO_KIND_FLOAT) {
        avro_value_get_float(v, &single);
        print_double((double)single, 9, out);
    } else {
        avro_value_get_double(v, &real);
        print_double(real, 17, out);
    }
}

static void print_text(const struct shape *s, const avro_value_t *v, struct buf *out)
{
    const char *text = "";
    const void *bytes = "";
    size_t n = 0;
    if (s->kind == AVRO_KIND_STRING) {
        avro_value_get_string(v, &text, &n); /* n counts the NUL behind */
        buf_json_string(out, text, n > 0 ? n - 1 : 0);
    } else if (s->kind == AVRO_KIND_BYTES) {
        avro_value_get_bytes(v, &bytes, &n);
        print_bytes(bytes, n, out);
    } else {
        avro_value_get_fixed(v, &bytes, &n);
        print_bytes(bytes, n, out);
    }
}

static void print_enum(const struct shape *s, const avro_value_t *v, struct buf *out)
{
    int index = 0;
    avro_value_get_enum(v, &index);
    buf_printf(out, "\"%s\"", s->symbols[index]);
}

static void print_key(const char *key, size_t n, struct buf *out)
{
    buf_json_string(out, key, n);
    buf_putc(out, ':');
}

static void print_record(const struct shape *s, const avro_value_t *v, struct buf *out)
{
    for (size_t i = 0; i < s->n; i++) {
        avro_value_t field = {0};
        buf_puts(out, i == 0 ? "{" : ",");
        print_key(s->fields[i].name, strlen(s->fields[i].name), out);
        avro_value_get_by_index(v, i, &field, NULL);
        print_value(s->fields[i].type, &field, out);
    }
    buf_puts(out, s->n == 0 ? "{}" : "}");
}

static void print_collection(const struct shape *s, const avro_value_t *v, struct buf *out)
{
    size_t n = 0;
    avro_value_get_size(v, &n);
    buf_putc(out, s->kind == AVRO_KIND_MAP ? '{' : '[');
    for (size_t i = 0; i < n && !out->overflow; i++) {
        avro_value_t element = {0};
        const char *key = "";
        avro_value_get_by_index(v, i, &element, &key);
        buf_puts(out, i == 0 ? "" : ",");
        if (s->kind == AVRO_KIND_MAP) {
            print_key(key, strlen(key), out);
        }
        print_value(s->item, &element, out);
    }
    buf_putc(out, s->kind == AVRO_KIND_MAP ? '}' : ']');
}

static void print_union(const struct shape *s, const avro_value_t *v, struct buf *out)
{
    int branch = 0;
    avro_value_t current = {0};
    avro_value_get_discriminant(v, &branch);
    if (branch == s->null_branch) {
        buf_puts(out, "null");
        return;
    }
    avro_value_get_current_branch(v, &current);
    print_value(s->item, &current, out);
}

void print_value(const struct shape *s, const avro_value_t *v, struct buf *out)
{
    int truth = 0;
    switch (s->kind) {
    case AVRO_KIND_NULL:
        buf_puts(out, "null");
        break;
    case AVRO_KIND_BOOLEAN:
        avro_value_get_boolean(v, &truth);
        buf_puts(out, truth ? "true" : "false");
        break;
    case AVRO_KIND_INT:
    case AVRO_KIND_LONG:
    case AVRO_KIND_FLOAT:
    case AVRO_KIND_DOUBLE:
        print_number(s, v, out);
        break;
    case AVRO_KIND_BYTES:
    case AVRO_KIND_STRING:
    case AVRO_KIND_FIXED:
        print_text(s, v, out);
        break;
    case AVRO_KIND_ENUM:
        print_enum(s, v, out);
        break;
    case AVRO_KIND_ARRAY:
    case AVRO_KIND_MAP:
        print_collection(s, v, out);
        break;
    case AVRO_KIND_UNION:
        print_union(s, v, out);
        break;
    case AVRO_KIND_RECORD:
        print_record(s, v, out);
        break;
    }
}
