/* SPDX-License-Identifier: Apache-2.0 */
/* Confluent framing around avro-c's binary reader and writer. */
#include "avro/frame.h"

#include <string.h>

#include "avro/check.h"

enum rc frame_write(const struct avro_version *v, avro_value_t *value, avro_writer_t writer, struct arena *a,
                    size_t max_bytes, const void **out_bytes, size_t *out_n, struct err *err)
{
    size_t body_n = 0;
    if (avro_value_sizeof(value, &body_n) != 0) {
        FAIL(err, RC_REJECT, "record of schema %s: cannot be encoded", v->name);
    }
    if (body_n > max_bytes || max_bytes - body_n < AVRO_FRAME_BYTES) {
        FAIL(err, RC_REJECT, "record of schema %s: %zu bytes, more than the limit of %zu", v->name,
             body_n + AVRO_FRAME_BYTES, max_bytes);
    }
    unsigned char *out = arena_alloc(a, body_n + AVRO_FRAME_BYTES);
    uint32_t id = (uint32_t)v->id;
    const unsigned char head[AVRO_FRAME_BYTES] = {0, (unsigned char)(id >> 24), (unsigned char)(id >> 16),
                                                  (unsigned char)(id >> 8), (unsigned char)id};
    memcpy(out, head, sizeof(head));
    avro_writer_memory_set_dest(writer, (const char *)out + AVRO_FRAME_BYTES, (int64_t)body_n);
    if (avro_value_write(writer, value) != 0 || avro_writer_tell(writer) != (int64_t)body_n) {
        FAIL(err, RC_REJECT, "record of schema %s: cannot be encoded", v->name);
    }
    *out_bytes = out;
    *out_n = body_n + AVRO_FRAME_BYTES;
    return RC_OK;
}

enum rc avro_frame_version(const struct avro_set *set, const void *bytes, size_t n, const struct avro_version **out_v,
                           struct err *err)
{
    const unsigned char *head = bytes;
    if (n < AVRO_FRAME_BYTES) {
        FAIL(err, RC_REJECT, "value of %zu bytes: expected 0x00, a 4-byte schema id and an Avro body", n);
    }
    if (n > AVRO_VALUE_BYTES_MAX) {
        FAIL(err, RC_REJECT, "value of %zu bytes: more than the limit of %zu", n, AVRO_VALUE_BYTES_MAX);
    }
    if (head[0] != 0) {
        FAIL(err, RC_REJECT, "value starts with byte 0x%02x: expected 0x00 and a 4-byte schema id", head[0]);
    }
    uint32_t id = (uint32_t)head[1] << 24 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 8 | head[4];
    const struct avro_version *v = id <= INT32_MAX ? avro_set_by_id(set, (int32_t)id) : NULL;
    if (v == NULL) {
        FAIL(err, RC_REJECT, "schema id %u is not known to this program", id);
    }
    *out_v = v;
    return RC_OK;
}

enum rc frame_read(const struct avro_version *v, const void *bytes, size_t n, bool refuse_nul, avro_reader_t reader,
                   avro_value_t *value, struct err *err)
{
    struct check_input in = {.bytes = bytes, .n = n, .start = AVRO_FRAME_BYTES, .refuse_nul = refuse_nul};
    if (check_body(v->shape, &in, err) != RC_OK) {
        return err_prefix(err, "schema %s version %d", v->name, v->number);
    }
    avro_reader_memory_set_source(reader, (const char *)bytes + AVRO_FRAME_BYTES, (int64_t)(n - AVRO_FRAME_BYTES));
    if (avro_value_read(reader, value) != 0) {
        FAIL(err, RC_REJECT, "schema %s version %d: malformed Avro", v->name, v->number);
    }
    return RC_OK;
}
