/* SPDX-License-Identifier: Apache-2.0 */
/* Fields by number -> one reused avro-c value -> framed bytes or JSON. */
#include <avro.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "avro/codec.h"
#include "avro/fill.h"
#include "avro/frame.h"
#include "avro/number.h"
#include "avro/print.h"
#include "avro/utf8.h"
#include "avro/version.h"

#define SCRATCH_CHUNK_BYTES ((size_t)16 << 10)

/* One field of the record being built. */
struct slot {
    struct avro_field field;
    const struct shape *type;  /* as declared, a union for a nullable field */
    const struct shape *value; /* what is not null */
    const json_t *preset;
    avro_value_t cell; /* inside the encoder's value: not counted */
    bool set;
};

struct avro_encoder {
    const struct avro_version *version;
    avro_value_t value;
    avro_writer_t writer;
    struct arena scratch; /* the texts of the record being built; avro-c borrows them */
    struct slot *slots;
    size_t n;
};

enum rc avro_encoder_create(const struct avro_set *set, const char *schema_name, struct avro_encoder **out_enc,
                            struct err *err)
{
    const struct avro_version *v = avro_set_newest(set, schema_name);
    if (v == NULL) {
        FAIL(err, RC_FATAL, "no Avro schema is called %s", schema_name);
    }
    CLEANUP(avro_encoder_freep) struct avro_encoder *enc = xcalloc(1, sizeof(*enc));
    enc->version = v;
    arena_init(&enc->scratch, SCRATCH_CHUNK_BYTES);
    enc->writer = avro_writer_memory("", 0);
    if (enc->writer == NULL || avro_generic_value_new(v->iface, &enc->value) != 0) {
        FAIL(err, RC_FATAL, "cannot make an encoder of schema %s", schema_name);
    }
    enc->n = v->shape->n;
    enc->slots = xcalloc(enc->n, sizeof(*enc->slots));
    for (size_t i = 0; i < enc->n; i++) {
        const struct shape_field *f = &v->shape->fields[i];
        struct slot *slot = &enc->slots[i];
        *slot = (struct slot){
            .field = shape_field_public(f), .type = f->type, .value = shape_value(f->type), .preset = f->preset};
        avro_value_get_by_index(&enc->value, i, &slot->cell, NULL);
    }
    *out_enc = enc;
    enc = NULL;
    return RC_OK;
}

struct avro_encoder *avro_encoder_free(struct avro_encoder *enc)
{
    if (enc == NULL) {
        return NULL;
    }
    if (enc->value.self != NULL) {
        avro_value_decref(&enc->value);
    }
    if (enc->writer != NULL) {
        avro_writer_free(enc->writer);
    }
    arena_done(&enc->scratch);
    free(enc->slots);
    free(enc);
    return NULL;
}

void avro_encoder_freep(struct avro_encoder **enc)
{
    *enc = avro_encoder_free(*enc);
}

size_t avro_encoder_field_count(const struct avro_encoder *enc)
{
    return enc->n;
}

const struct avro_field *avro_encoder_field(const struct avro_encoder *enc, size_t field)
{
    return &enc->slots[field].field;
}

int avro_encoder_field_index(const struct avro_encoder *enc, const char *name)
{
    return shape_field_index(enc->version->shape, name);
}

int32_t avro_encoder_schema_id(const struct avro_encoder *enc)
{
    return enc->version->id;
}

void avro_encoder_reset(struct avro_encoder *enc)
{
    for (size_t i = 0; i < enc->n; i++) {
        enc->slots[i].set = false;
    }
    arena_reset(&enc->scratch);
}

static enum rc refuse(const struct slot *slot, const char *expected, struct err *err)
{
    FAIL(err, RC_REJECT, "field %s: expected %s", slot->field.name, expected);
}

static enum rc wrong_kind(const struct slot *slot, struct err *err)
{
    FAIL(err, RC_REJECT, "field %s: expected %s%s", slot->field.name, avro_kind_name(slot->field.kind),
         slot->field.nullable ? " or null" : "");
}

/* The cell a value that is not null goes to. */
static avro_value_t open_cell(struct slot *slot)
{
    avro_value_t cell = slot->cell;
    if (slot->field.nullable) {
        avro_value_set_branch(&slot->cell, 1 - slot->type->null_branch, &cell);
    }
    return cell;
}

static enum rc close_cell(struct slot *slot, int avro_status, struct err *err)
{
    if (avro_status != 0) {
        return refuse(slot, "a value the encoder takes", err);
    }
    slot->set = true;
    return RC_OK;
}

static enum rc set_string(struct avro_encoder *enc, struct slot *slot, const char *s, size_t n, struct err *err)
{
    size_t wrong = 0;
    enum utf8_verdict verdict = utf8_check(s, n, &wrong);
    if (verdict != UTF8_TEXT) {
        FAIL(err, RC_REJECT, "field %s: %s at byte %zu, expected UTF-8 text without U+0000", slot->field.name,
             verdict == UTF8_INVALID ? "invalid UTF-8" : "U+0000", wrong);
    }
    avro_value_t cell = open_cell(slot);
    /* avro-c's size counts the NUL */
    avro_wrapped_buffer_t text = {.buf = arena_strndup(&enc->scratch, s, n), .size = n + 1};
    return close_cell(slot, avro_value_give_string_len(&cell, &text), err);
}

static enum rc set_bytes(struct avro_encoder *enc, struct slot *slot, const char *s, size_t n, struct err *err)
{
    avro_value_t cell = open_cell(slot);
    avro_wrapped_buffer_t bytes = {.buf = arena_strndup(&enc->scratch, s, n), .size = n};
    return close_cell(slot, avro_value_give_bytes(&cell, &bytes), err);
}

static enum rc set_symbol(struct slot *slot, const char *s, size_t n, struct err *err)
{
    int index = shape_symbol_index(slot->value, s, n);
    if (index < 0) {
        FAIL(err, RC_REJECT, "field %s: expected a symbol of enum %s", slot->field.name, slot->value->name);
    }
    avro_value_t cell = open_cell(slot);
    return close_cell(slot, avro_value_set_enum(&cell, index), err);
}

enum rc avro_encoder_set_string(struct avro_encoder *enc, size_t field, const char *s, size_t n, struct err *err)
{
    struct slot *slot = &enc->slots[field];
    slot->set = false;
    if (slot->field.kind == AVRO_KIND_STRING) {
        return set_string(enc, slot, s, n, err);
    }
    if (slot->field.kind == AVRO_KIND_BYTES) {
        return set_bytes(enc, slot, s, n, err);
    }
    return slot->field.kind == AVRO_KIND_ENUM ? set_symbol(slot, s, n, err) : wrong_kind(slot, err);
}

enum rc avro_encoder_set_long(struct avro_encoder *enc, size_t field, int64_t v, struct err *err)
{
    struct slot *slot = &enc->slots[field];
    slot->set = false;
    if (slot->field.kind == AVRO_KIND_LONG) {
        avro_value_t cell = open_cell(slot);
        return close_cell(slot, avro_value_set_long(&cell, v), err);
    }
    if (slot->field.kind != AVRO_KIND_INT) {
        return wrong_kind(slot, err);
    }
    if (v < INT32_MIN || v > INT32_MAX) {
        return refuse(slot, "int (-2147483648 to 2147483647)", err);
    }
    avro_value_t cell = open_cell(slot);
    return close_cell(slot, avro_value_set_int(&cell, (int32_t)v), err);
}

enum rc avro_encoder_set_bool(struct avro_encoder *enc, size_t field, bool v, struct err *err)
{
    struct slot *slot = &enc->slots[field];
    slot->set = false;
    if (slot->field.kind != AVRO_KIND_BOOLEAN) {
        return wrong_kind(slot, err);
    }
    avro_value_t cell = open_cell(slot);
    return close_cell(slot, avro_value_set_boolean(&cell, v), err);
}

enum rc avro_encoder_set_double(struct avro_encoder *enc, size_t field, double v, struct err *err)
{
    struct slot *slot = &enc->slots[field];
    slot->set = false;
    if (slot->field.kind != AVRO_KIND_DOUBLE && slot->field.kind != AVRO_KIND_FLOAT) {
        return wrong_kind(slot, err);
    }
    avro_value_t cell = open_cell(slot);
    int status =
        slot->field.kind == AVRO_KIND_DOUBLE ? avro_value_set_double(&cell, v) : avro_value_set_float(&cell, (float)v);
    return close_cell(slot, status, err);
}

enum rc avro_encoder_set_null(struct avro_encoder *enc, size_t field, struct err *err)
{
    struct slot *slot = &enc->slots[field];
    slot->set = false;
    if (slot->field.nullable) {
        avro_value_t cell = {0};
        return close_cell(slot, avro_value_set_branch(&slot->cell, slot->type->null_branch, &cell), err);
    }
    return slot->field.kind == AVRO_KIND_NULL ? close_cell(slot, 0, err) : wrong_kind(slot, err);
}

static enum rc set_long_text(struct avro_encoder *enc, size_t field, const char *text, size_t n, struct err *err)
{
    int64_t v = 0;
    if (!number_parse_long(text, n, &v)) {
        enc->slots[field].set = false;
        return refuse(
            &enc->slots[field],
            enc->slots[field].field.timestamp_micros ? "microseconds since 1970 in decimal" : "a decimal integer", err);
    }
    return avro_encoder_set_long(enc, field, v, err);
}

enum rc avro_encoder_set_text(struct avro_encoder *enc, size_t field, const char *text, size_t n, struct err *err)
{
    const struct slot *slot = &enc->slots[field];
    double real = 0;
    if (slot->field.kind == AVRO_KIND_INT || slot->field.kind == AVRO_KIND_LONG) {
        return set_long_text(enc, field, text, n, err);
    }
    if (slot->field.kind == AVRO_KIND_BOOLEAN) {
        bool known = n == 1 && (text[0] == 't' || text[0] == 'f');
        return known ? avro_encoder_set_bool(enc, field, text[0] == 't', err) : refuse(slot, "t or f", err);
    }
    if (slot->field.kind == AVRO_KIND_DOUBLE || slot->field.kind == AVRO_KIND_FLOAT) {
        return number_parse_double(text, n, &real) ? avro_encoder_set_double(enc, field, real, err)
                                                   : refuse(slot, "a number", err);
    }
    return avro_encoder_set_string(enc, field, text, n, err);
}

/* What was not set gets its default, or is named. */
static enum rc complete(struct avro_encoder *enc, struct err *err)
{
    for (size_t i = 0; i < enc->n; i++) {
        struct slot *slot = &enc->slots[i];
        if (slot->set) {
            continue;
        }
        if (slot->preset == NULL) {
            FAIL(err, RC_REJECT, "field %s: missing, expected %s%s", slot->field.name, avro_kind_name(slot->field.kind),
                 slot->field.nullable ? " or null" : "");
        }
        struct place here = {.name = slot->field.name};
        TRY(fill_value(slot->type, slot->preset, &slot->cell, &here, err));
        slot->set = true;
    }
    return RC_OK;
}

enum rc avro_encoder_wire(struct avro_encoder *enc, struct arena *a, size_t max_bytes, const void **out_bytes,
                          size_t *out_n, struct err *err)
{
    TRY(complete(enc, err));
    return frame_write(enc->version, &enc->value, enc->writer, a, max_bytes, out_bytes, out_n, err);
}

enum rc avro_encoder_json(struct avro_encoder *enc, struct arena *a, size_t max_bytes, const char **out_text,
                          size_t *out_n, struct err *err)
{
    TRY(complete(enc, err));
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, max_bytes);
    print_value(enc->version->shape, &enc->value, &text);
    if (text.overflow) {
        FAIL(err, RC_REJECT, "record of schema %s: larger than %zu bytes as JSON", enc->version->name, max_bytes);
    }
    *out_text = arena_strndup(a, buf_str(&text), text.len);
    *out_n = text.len;
    return RC_OK;
}
