/* SPDX-License-Identifier: Apache-2.0 */
/* Framed value -> JSON and JSON -> framed value, one at a time. */
#include <avro.h>
#include <jansson.h>

#include "avro/codec.h"
#include "avro/fill.h"
#include "avro/frame.h"
#include "avro/print.h"

static void json_freep(json_t **j)
{
    json_decref(*j);
}

static void value_freep(avro_value_t *v)
{
    if (v->self != NULL) {
        avro_value_decref(v);
    }
}

static void reader_freep(avro_reader_t *r)
{
    if (*r != NULL) {
        avro_reader_free(*r);
    }
}

static void writer_freep(avro_writer_t *w)
{
    if (*w != NULL) {
        avro_writer_free(*w);
    }
}

static enum rc new_value(const struct avro_version *v, avro_value_t *out, struct err *err)
{
    if (avro_generic_value_new(v->iface, out) != 0) {
        *out = (avro_value_t){0};
        FAIL(err, RC_FATAL, "cannot make a value of schema %s", v->name);
    }
    return RC_OK;
}

enum rc avro_decode_json(const struct avro_set *set, const void *bytes, size_t n, struct buf *out, struct err *err)
{
    const struct avro_version *v = NULL;
    CLEANUP(value_freep) avro_value_t value = {0};
    CLEANUP(reader_freep) avro_reader_t reader = avro_reader_memory("", 0);
    TRY(avro_frame_version(set, bytes, n, &v, err));
    TRY(new_value(v, &value, err));
    TRY(frame_read(v, bytes, n, false, reader, &value, err));
    size_t before = out->len;
    print_value(v->shape, &value, out);
    if (out->overflow) {
        out->overflow = false;
        out->len = before;
        if (out->data != NULL) {
            out->data[before] = '\0';
        }
        FAIL(err, RC_REJECT, "value of schema %s: larger than %zu bytes as JSON", v->name, out->max);
    }
    return RC_OK;
}

enum rc avro_encode_json(const struct avro_set *set, const char *schema_name, const char *text, size_t n,
                         struct arena *a, const void **out_bytes, size_t *out_n, struct err *err)
{
    const struct avro_version *v = avro_set_newest(set, schema_name);
    CLEANUP(json_freep) json_t *j = NULL;
    CLEANUP(value_freep) avro_value_t value = {0};
    CLEANUP(writer_freep) avro_writer_t writer = avro_writer_memory("", 0);
    json_error_t at;
    if (v == NULL) {
        FAIL(err, RC_REJECT, "no Avro schema is called %s", schema_name);
    }
    if (n > AVRO_JSON_BYTES_MAX) {
        FAIL(err, RC_REJECT, "JSON of %zu bytes: more than the limit of %zu", n, AVRO_JSON_BYTES_MAX);
    }
    /* U+0000 is let in so that the refusal can name the field, and because bytes may hold it. */
    j = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &at);
    if (j == NULL) {
        FAIL(err, RC_REJECT, "not JSON: byte %d: %s", at.position, at.text);
    }
    TRY(new_value(v, &value, err));
    TRY(fill_value(v->shape, j, &value, NULL, err));
    return frame_write(v, &value, writer, a, AVRO_VALUE_BYTES_MAX, out_bytes, out_n, err);
}
