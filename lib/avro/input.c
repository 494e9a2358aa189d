/* SPDX-License-Identifier: Apache-2.0 */
/* Typed access for processors: any version of one schema, seen with the fields of the newest. */
#include <assert.h>
#include <avro.h>
#include <stdlib.h>
#include <string.h>

#include "avro/codec.h"
#include "avro/fill.h"
#include "avro/frame.h"

#define JSON_CHUNK_BYTES ((size_t)16 << 10)

/* How values of one writer's version are read; made when the first one comes. */
struct source {
    const struct avro_version *version; /* NULL = free */
    avro_value_t value;
    int *writer_field; /* for each field of the newest version: its number here, -1 = take the default */
};

struct avro_input {
    const struct avro_set *set;
    const struct avro_version *newest;
    avro_reader_t reader;
    avro_value_t presets; /* a value of the newest version in which the fields with a default are set */
    struct source *sources;
    size_t n_sources;
    const struct source *current; /* of the value read last */
    struct arena json;            /* a value that came as JSON, framed */
};

static enum rc make_presets(struct avro_input *in, struct err *err)
{
    const struct shape *record = in->newest->shape;
    for (size_t i = 0; i < record->n; i++) {
        const struct shape_field *f = &record->fields[i];
        struct place here = {.name = f->name};
        avro_value_t field = {0};
        if (f->preset == NULL) {
            continue;
        }
        avro_value_get_by_index(&in->presets, i, &field, NULL);
        if (fill_value(f->type, f->preset, &field, &here, err) != RC_OK) {
            rc_ignore(err_prefix(err, "default of schema %s", in->newest->name));
            return RC_FATAL;
        }
    }
    return RC_OK;
}

enum rc avro_input_create(const struct avro_set *set, const char *schema_name, struct avro_input **out_in,
                          struct err *err)
{
    const struct avro_version *newest = avro_set_newest(set, schema_name);
    if (newest == NULL) {
        FAIL(err, RC_FATAL, "no Avro schema is called %s", schema_name);
    }
    CLEANUP(avro_input_freep) struct avro_input *in = xcalloc(1, sizeof(*in));
    in->set = set;
    in->newest = newest;
    arena_init(&in->json, JSON_CHUNK_BYTES);
    in->n_sources = (size_t)newest->number;
    in->sources = xcalloc(in->n_sources, sizeof(*in->sources));
    in->reader = avro_reader_memory("", 0);
    if (in->reader == NULL || avro_generic_value_new(newest->iface, &in->presets) != 0) {
        FAIL(err, RC_FATAL, "cannot make a reader of schema %s", schema_name);
    }
    TRY(make_presets(in, err));
    *out_in = in;
    in = NULL;
    return RC_OK;
}

struct avro_input *avro_input_free(struct avro_input *in)
{
    if (in == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < in->n_sources; i++) {
        if (in->sources[i].version != NULL) {
            avro_value_decref(&in->sources[i].value);
            free(in->sources[i].writer_field);
        }
    }
    free(in->sources);
    arena_done(&in->json);
    if (in->presets.self != NULL) {
        avro_value_decref(&in->presets);
    }
    if (in->reader != NULL) {
        avro_reader_free(in->reader);
    }
    free(in);
    return NULL;
}

void avro_input_freep(struct avro_input **in)
{
    *in = avro_input_free(*in);
}

int avro_input_index(const struct avro_input *in, const char *field_name)
{
    return shape_field_index(in->newest->shape, field_name);
}

enum rc avro_input_open(const struct avro_set *set, const char *schema_name, const char *const *names, size_t n,
                        int *out_fields, struct avro_input **out_in, struct err *err)
{
    CLEANUP(avro_input_freep) struct avro_input *in = NULL;

    TRY(avro_input_create(set, schema_name, &in, err));
    for (size_t i = 0; i < n; i++) {
        out_fields[i] = avro_input_index(in, names[i]);
        if (out_fields[i] < 0) {
            FAIL(err, RC_FATAL, "Avro schema %s has no field %s", schema_name, names[i]);
        }
    }
    *out_in = in;
    in = NULL;
    return RC_OK;
}

/* The source for a writer's version of our schema; its slot is its version number. */
static enum rc open_source(struct avro_input *in, const struct avro_version *v, struct source **out, struct err *err)
{
    struct source *s = &in->sources[v->number - 1];
    if (s->version == NULL) {
        if (avro_generic_value_new(v->iface, &s->value) != 0) {
            FAIL(err, RC_FATAL, "cannot make a value of schema %s", v->name);
        }
        const struct shape *record = in->newest->shape;
        s->writer_field = xcalloc(record->n, sizeof(*s->writer_field));
        for (size_t i = 0; i < record->n; i++) {
            s->writer_field[i] = shape_field_index(v->shape, record->fields[i].name);
        }
        s->version = v;
    }
    *out = s;
    return RC_OK;
}

enum rc avro_input_read(struct avro_input *in, const void *bytes, size_t n, struct err *err)
{
    const struct avro_version *v = NULL;
    struct source *s = NULL;
    in->current = NULL;
    TRY(avro_frame_version(in->set, bytes, n, &v, err));
    if (strcmp(v->name, in->newest->name) != 0) {
        FAIL(err, RC_REJECT, "value is a %s (schema id %d): expected %s", v->name, (int)v->id, in->newest->name);
    }
    TRY(open_source(in, v, &s, err));
    TRY(frame_read(v, bytes, n, true, in->reader, &s->value, err));
    in->current = s;
    return RC_OK;
}

enum rc avro_input_read_value(struct avro_input *in, const void *value, size_t n, struct err *err)
{
    const char *text = value;

    if (value == NULL) {
        FAIL(err, RC_REJECT, "the record has no value; expected a %s", in->newest->name);
    }
    if (n > 0 && text[0] == '{') {
        arena_reset(&in->json);
        TRY(avro_encode_json(in->set, in->newest->name, text, n, &in->json, &value, &n, err));
    }
    return avro_input_read(in, value, n, err);
}

/* The field's value with unions taken off. False: it is null. */
static bool find_value(const struct avro_input *in, int field, avro_value_t *out)
{
    assert(in->current != NULL && field >= 0 && (size_t)field < in->newest->shape->n);
    int at = in->current->writer_field[field];
    const avro_value_t *record = at >= 0 ? &in->current->value : &in->presets;
    avro_value_get_by_index(record, (size_t)(at >= 0 ? at : field), out, NULL);
    if (avro_value_get_type(out) == AVRO_UNION) {
        avro_value_t branch = {0};
        avro_value_get_current_branch(out, &branch);
        *out = branch;
    }
    return avro_value_get_type(out) != AVRO_NULL;
}

static enum avro_kind kind_of(const struct avro_input *in, int field)
{
    assert(field >= 0 && (size_t)field < in->newest->shape->n);
    return shape_value(in->newest->shape->fields[field].type)->kind;
}

bool avro_input_null(const struct avro_input *in, int field)
{
    avro_value_t v = {0};
    return !find_value(in, field, &v);
}

/* A symbol the writer knew and the newest version does not is the newest's default, as the specification has it. */
static const char *symbol_of(const struct avro_input *in, int field, const avro_value_t *v)
{
    const struct shape *newest = shape_value(in->newest->shape->fields[field].type);
    int index = 0;
    avro_value_get_enum(v, &index);
    const char *symbol = avro_schema_enum_get(avro_value_get_schema(v), index);
    bool known = shape_symbol_index(newest, symbol, strlen(symbol)) >= 0;
    return known || newest->enum_preset == NULL ? symbol : newest->enum_preset;
}

const char *avro_input_string(const struct avro_input *in, int field, size_t *out_n)
{
    avro_value_t v = {0};
    const char *text = NULL;
    const void *bytes = NULL;
    enum avro_kind kind = kind_of(in, field);
    assert(kind == AVRO_KIND_STRING || kind == AVRO_KIND_BYTES || kind == AVRO_KIND_ENUM);
    *out_n = 0;
    if (!find_value(in, field, &v)) {
        return NULL;
    }
    if (kind == AVRO_KIND_ENUM) {
        text = symbol_of(in, field, &v);
        *out_n = strlen(text);
        return text;
    }
    if (avro_value_get_type(&v) == AVRO_STRING) {
        avro_value_get_string(&v, &text, out_n);
        *out_n -= 1; /* avro-c counts the NUL */
        return text;
    }
    avro_value_get_bytes(&v, &bytes, out_n);
    return bytes;
}

/* An int or a long. */
static int64_t integer_of(const avro_value_t *v)
{
    int32_t small = 0;
    int64_t large = 0;
    if (avro_value_get_type(v) == AVRO_INT32) {
        avro_value_get_int(v, &small);
        return small;
    }
    avro_value_get_long(v, &large);
    return large;
}

int64_t avro_input_long(const struct avro_input *in, int field, int64_t fallback)
{
    avro_value_t v = {0};
    assert(kind_of(in, field) == AVRO_KIND_LONG || kind_of(in, field) == AVRO_KIND_INT);
    return find_value(in, field, &v) ? integer_of(&v) : fallback;
}

bool avro_input_bool(const struct avro_input *in, int field, bool fallback)
{
    avro_value_t v = {0};
    int truth = 0;
    assert(kind_of(in, field) == AVRO_KIND_BOOLEAN);
    if (!find_value(in, field, &v)) {
        return fallback;
    }
    avro_value_get_boolean(&v, &truth);
    return truth != 0;
}

double avro_input_double(const struct avro_input *in, int field, double fallback)
{
    avro_value_t v = {0};
    float single = 0;
    double real = 0;
    assert(kind_of(in, field) == AVRO_KIND_DOUBLE || kind_of(in, field) == AVRO_KIND_FLOAT);
    if (!find_value(in, field, &v)) {
        return fallback;
    }
    if (avro_value_get_type(&v) == AVRO_FLOAT) {
        avro_value_get_float(&v, &single);
        return (double)single;
    }
    if (avro_value_get_type(&v) == AVRO_DOUBLE) {
        avro_value_get_double(&v, &real);
        return real;
    }
    return (double)integer_of(&v);
}
