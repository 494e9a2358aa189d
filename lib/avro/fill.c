/* SPDX-License-Identifier: Apache-2.0 */
/* Walks JSON and schema side by side; every difference is named. */
#include "avro/fill.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "avro/utf8.h"

static enum rc fill_any(const struct shape *s, const json_t *j, avro_value_t *v, const struct place *here,
                        struct err *err);

/* For messages: what the JSON has instead. */
static const char *json_kind(const json_t *j)
{
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a number with a fraction";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        return "null";
    }
    return "something else";
}

static enum rc refuse(const struct shape *s, const json_t *j, const struct place *here, struct err *err)
{
    char path[PLACE_PATH_MAX];
    FAIL(err, RC_REJECT, "field %s: expected %s, found %s", place_path(here, path), avro_kind_name(s->kind),
         json_kind(j));
}

static enum rc refuse_text(const struct place *here, const char *problem, struct err *err)
{
    char path[PLACE_PATH_MAX];
    FAIL(err, RC_REJECT, "field %s: %s", place_path(here, path), problem);
}

/* avro-c's own verdict; it has no reason to say no after our checks. */
static enum rc done(const struct place *here, int avro_status, struct err *err)
{
    return avro_status == 0 ? RC_OK : refuse_text(here, "refused by the encoder", err);
}

static enum rc fill_integer(const struct shape *s, const json_t *j, avro_value_t *v, const struct place *here,
                            struct err *err)
{
    if (!json_is_integer(j)) {
        return refuse(s, j, here, err);
    }
    json_int_t number = json_integer_value(j);
    if (s->kind == AVRO_KIND_LONG) {
        return done(here, avro_value_set_long(v, number), err);
    }
    if (number < INT32_MIN || number > INT32_MAX) {
        return refuse_text(here, "out of range: expected int (-2147483648 to 2147483647)", err);
    }
    return done(here, avro_value_set_int(v, (int32_t)number), err);
}

static enum rc fill_real(const struct shape *s, const json_t *j, avro_value_t *v, const struct place *here,
                         struct err *err)
{
    if (!json_is_number(j)) {
        return refuse(s, j, here, err);
    }
    double number = json_number_value(j);
    return done(here,
                s->kind == AVRO_KIND_FLOAT ? avro_value_set_float(v, (float)number) : avro_value_set_double(v, number),
                err);
}

static enum rc fill_string(const struct shape *s, const json_t *j, avro_value_t *v, const struct place *here,
                           struct err *err)
{
    if (!json_is_string(j)) {
        return refuse(s, j, here, err);
    }
    const char *text = json_string_value(j);
    size_t n = json_string_length(j);
    if (s->kind == AVRO_KIND_ENUM) {
        int index = shape_symbol_index(s, text, n);
        return index < 0 ? refuse_text(here, "not a symbol of this enum", err)
                         : done(here, avro_value_set_enum(v, index), err);
    }
    if (utf8_check(text, n, NULL) != UTF8_TEXT) {
        return refuse_text(here, "expected a string without U+0000", err);
    }
    /* avro-c counts the NUL behind the text */
    return done(here, avro_value_set_string_len(v, (char *)(uintptr_t)text, n + 1), err);
}

/* Code points 0 to 255 (valid UTF-8) -> bytes. False: there is a larger one. */
static bool to_bytes(const char *text, size_t n, unsigned char *out, size_t *out_n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x80) {
            out[k++] = c;
        } else if (c == 0xC2 || c == 0xC3) {
            unsigned low = (unsigned char)text[++i] & 0x3FU;
            out[k++] = (unsigned char)(((c & 0x03U) << 6) | low);
        } else {
            return false;
        }
    }
    *out_n = k;
    return true;
}

static enum rc fill_bytes(const struct shape *s, const json_t *j, avro_value_t *v, const struct place *here,
                          struct err *err)
{
    if (!json_is_string(j)) {
        return refuse(s, j, here, err);
    }
    CLEANUP(freep) unsigned char *bytes = xcalloc(json_string_length(j) + 1, 1);
    size_t n = 0;
    if (!to_bytes(json_string_value(j), json_string_length(j), bytes, &n)) {
        return refuse_text(here, "expected bytes, written as code points 0 to 255", err);
    }
    if (s->kind == AVRO_KIND_BYTES) {
        return done(here, avro_value_set_bytes(v, bytes, n), err);
    }
    return n != s->n ? refuse_text(here, "a fixed of another length", err)
                     : done(here, avro_value_set_fixed(v, bytes, n), err);
}

static enum rc fill_array(const struct shape *s, const json_t *j, avro_value_t *v, const struct place *here,
                          struct err *err)
{
    if (!json_is_array(j)) {
        return refuse(s, j, here, err);
    }
    struct place inside = {.up = here};
    TRY(done(here, avro_value_reset(v), err));
    for (size_t i = 0; i < json_array_size(j); i++) {
        avro_value_t element = {0};
        TRY(done(here, avro_value_append(v, &element, NULL), err));
        TRY(fill_any(s->item, json_array_get(j, i), &element, &inside, err));
    }
    return RC_OK;
}

static enum rc fill_map(const struct shape *s, json_t *j, avro_value_t *v, const struct place *here, struct err *err)
{
    if (!json_is_object(j)) {
        return refuse(s, j, here, err);
    }
    struct place inside = {.up = here};
    const char *key = NULL;
    json_t *member = NULL;
    TRY(done(here, avro_value_reset(v), err));
    json_object_foreach(j, key, member)
    {
        avro_value_t element = {0};
        TRY(done(here, avro_value_add(v, key, &element, NULL, NULL), err));
        TRY(fill_any(s->item, member, &element, &inside, err));
    }
    return RC_OK;
}

static enum rc fill_field(const struct shape_field *field, const json_t *j, avro_value_t *v, const struct place *here,
                          struct err *err)
{
    const json_t *given = json_object_get(j, field->name);
    if (given == NULL) {
        given = field->preset;
    }
    if (given == NULL) {
        const struct shape *value = shape_value(field->type);
        char path[PLACE_PATH_MAX];
        FAIL(err, RC_REJECT, "field %s: missing, expected %s%s", place_path(here, path), avro_kind_name(value->kind),
             field->type->kind == AVRO_KIND_UNION ? " or null" : "");
    }
    return fill_any(field->type, given, v, here, err);
}

static enum rc fill_record(const struct shape *s, json_t *j, avro_value_t *v, const struct place *here, struct err *err)
{
    if (!json_is_object(j)) {
        return refuse(s, j, here, err);
    }
    const char *key = NULL;
    json_t *member = NULL;
    json_object_foreach(j, key, member)
    {
        if (shape_field_index(s, key) < 0) {
            struct place unknown = {.up = here, .name = key};
            return refuse_text(&unknown, "unknown field", err);
        }
    }
    for (size_t i = 0; i < s->n; i++) {
        struct place inside = {.up = here, .name = s->fields[i].name};
        avro_value_t field = {0};
        TRY(done(&inside, avro_value_get_by_index(v, i, &field, NULL), err));
        TRY(fill_field(&s->fields[i], j, &field, &inside, err));
    }
    return RC_OK;
}

static enum rc fill_union(const struct shape *s, const json_t *j, avro_value_t *v, const struct place *here,
                          struct err *err)
{
    avro_value_t branch = {0};
    if (json_is_null(j)) {
        return done(here, avro_value_set_branch(v, s->null_branch, &branch), err);
    }
    TRY(done(here, avro_value_set_branch(v, 1 - s->null_branch, &branch), err));
    return fill_any(s->item, j, &branch, here, err);
}

static enum rc fill_any(const struct shape *s, const json_t *j, avro_value_t *v, const struct place *here,
                        struct err *err)
{
    json_t *members = (json_t *)(uintptr_t)j; /* jansson iterates non-const objects only; it does not change them */
    switch (s->kind) {
    case AVRO_KIND_NULL:
        return json_is_null(j) ? done(here, avro_value_set_null(v), err) : refuse(s, j, here, err);
    case AVRO_KIND_BOOLEAN:
        return json_is_boolean(j) ? done(here, avro_value_set_boolean(v, json_is_true(j)), err)
                                  : refuse(s, j, here, err);
    case AVRO_KIND_INT:
    case AVRO_KIND_LONG:
        return fill_integer(s, j, v, here, err);
    case AVRO_KIND_FLOAT:
    case AVRO_KIND_DOUBLE:
        return fill_real(s, j, v, here, err);
    case AVRO_KIND_STRING:
    case AVRO_KIND_ENUM:
        return fill_string(s, j, v, here, err);
    case AVRO_KIND_BYTES:
    case AVRO_KIND_FIXED:
        return fill_bytes(s, j, v, here, err);
    case AVRO_KIND_ARRAY:
        return fill_array(s, j, v, here, err);
    case AVRO_KIND_MAP:
        return fill_map(s, members, v, here, err);
    case AVRO_KIND_UNION:
        return fill_union(s, j, v, here, err);
    case AVRO_KIND_RECORD:
        return fill_record(s, members, v, here, err);
    }
    return refuse_text(here, "unknown kind", err);
}

enum rc fill_value(const struct shape *s, const json_t *j, avro_value_t *v, const struct place *here, struct err *err)
{
    return fill_any(s, j, v, here, err);
}
