/* SPDX-License-Identifier: Apache-2.0 */
/* Schema resolution on paper: which differences between reader and writer are allowed. */
#include "avro/evolve.h"

#include <jansson.h>
#include <string.h>

#include "avro/place.h"
#include "avro/shape.h"
#include "base/mem.h"

/* Primitive kinds that may be read as another one; equal kinds need no row. */
static const struct {
    enum avro_kind writer, reader;
} PROMOTIONS[] = {
    {AVRO_KIND_INT, AVRO_KIND_LONG},     {AVRO_KIND_INT, AVRO_KIND_FLOAT},    {AVRO_KIND_INT, AVRO_KIND_DOUBLE},
    {AVRO_KIND_LONG, AVRO_KIND_FLOAT},   {AVRO_KIND_LONG, AVRO_KIND_DOUBLE},  {AVRO_KIND_FLOAT, AVRO_KIND_DOUBLE},
    {AVRO_KIND_STRING, AVRO_KIND_BYTES}, {AVRO_KIND_BYTES, AVRO_KIND_STRING},
};

static enum rc match(const struct shape *reader, const struct shape *writer, const struct place *here, struct err *err);

static enum rc refuse(const struct place *here, const char *reason, struct err *err)
{
    char path[PLACE_PATH_MAX];
    FAIL(err, RC_REJECT, "field %s: %s", place_path(here, path), reason);
}

static bool promotes(enum avro_kind writer, enum avro_kind reader)
{
    for (size_t i = 0; i < ARRAY_SIZE(PROMOTIONS); i++) {
        if (PROMOTIONS[i].writer == writer && PROMOTIONS[i].reader == reader) {
            return true;
        }
    }
    return false;
}

static enum rc match_record(const struct shape *reader, const struct shape *writer, const struct place *here,
                            struct err *err)
{
    for (size_t i = 0; i < reader->n; i++) {
        const struct shape_field *f = &reader->fields[i];
        struct place inside = {.up = here, .name = f->name};
        int at = shape_field_index(writer, f->name);
        if (at >= 0) {
            TRY(match(f->type, writer->fields[at].type, &inside, err));
        } else if (f->preset == NULL) {
            return refuse(&inside, "the writer lacks it and it has no default", err);
        }
    }
    return RC_OK;
}

static enum rc match_enum(const struct shape *reader, const struct shape *writer, const struct place *here,
                          struct err *err)
{
    for (size_t i = 0; i < writer->n; i++) {
        const char *symbol = writer->symbols[i];
        if (shape_symbol_index(reader, symbol, strlen(symbol)) < 0 && reader->enum_preset == NULL) {
            return refuse(here, "an enum symbol was removed and the enum has no default", err);
        }
    }
    return RC_OK;
}

/* Same kind on both sides. */
static enum rc match_same(const struct shape *reader, const struct shape *writer, const struct place *here,
                          struct err *err)
{
    bool named = reader->name != NULL && writer->name != NULL;
    struct place inside = {.up = here};
    if (named && strcmp(reader->name, writer->name) != 0) {
        return refuse(here, "the type has another name", err);
    }
    if (reader->timestamp_micros != writer->timestamp_micros) {
        return refuse(here, "timestamp-micros on one side only", err);
    }
    if (reader->kind == AVRO_KIND_RECORD) {
        return match_record(reader, writer, here, err);
    }
    if (reader->kind == AVRO_KIND_ENUM) {
        return match_enum(reader, writer, here, err);
    }
    if (reader->kind == AVRO_KIND_FIXED) {
        return reader->n == writer->n ? RC_OK : refuse(here, "the fixed has another size", err);
    }
    if (reader->kind == AVRO_KIND_ARRAY || reader->kind == AVRO_KIND_MAP) {
        return match(reader->item, writer->item, &inside, err);
    }
    return RC_OK;
}

static enum rc match(const struct shape *reader, const struct shape *writer, const struct place *here, struct err *err)
{
    bool reader_null = reader->kind == AVRO_KIND_UNION || reader->kind == AVRO_KIND_NULL;
    bool writer_null = writer->kind == AVRO_KIND_UNION || writer->kind == AVRO_KIND_NULL;
    if (writer_null && !reader_null) {
        return refuse(here, "the writer may have null", err);
    }
    if (writer->kind == AVRO_KIND_NULL) {
        return RC_OK;
    }
    const struct shape *r = shape_value(reader);
    const struct shape *w = shape_value(writer);
    if (r->kind == w->kind) {
        return match_same(r, w, here, err);
    }
    if (w->timestamp_micros || !promotes(w->kind, r->kind)) {
        char path[PLACE_PATH_MAX];
        FAIL(err, RC_REJECT, "field %s: %s cannot be read as %s", place_path(here, path), avro_kind_name(w->kind),
             avro_kind_name(r->kind));
    }
    return r->timestamp_micros ? refuse(here, "timestamp-micros on one side only", err) : RC_OK;
}

static void json_freep(json_t **j)
{
    json_decref(*j);
}

static enum rc parse(const char *text, size_t n, struct arena *a, json_t **out_json, const struct shape **out,
                     struct err *err)
{
    json_error_t at;
    *out_json = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &at);
    if (*out_json == NULL) {
        FAIL(err, RC_FATAL, "schema: line %d column %d: %s", at.line, at.column, at.text);
    }
    return shape_parse(*out_json, a, out, err);
}

enum rc evolve_can_read(const char *reader, size_t reader_n, const char *writer, size_t writer_n, struct err *err)
{
    CLEANUP(arena_done) struct arena a;
    CLEANUP(json_freep) json_t *reader_json = NULL;
    CLEANUP(json_freep) json_t *writer_json = NULL;
    const struct shape *r = NULL;
    const struct shape *w = NULL;
    arena_init(&a, (size_t)4 << 10);
    TRY(parse(reader, reader_n, &a, &reader_json, &r, err));
    TRY(parse(writer, writer_n, &a, &writer_json, &w, err));
    return match(r, w, NULL, err);
}

enum rc evolve_check_set(const struct avro_set *set, struct err *err)
{
    for (size_t i = 0; i < avro_set_count(set); i++) {
        const struct avro_version *reader = avro_set_at(set, i);
        for (size_t k = 0; k < avro_set_count(set); k++) {
            const struct avro_version *writer = avro_set_at(set, k);
            const char *name = avro_version_name(reader);
            if (strcmp(name, avro_version_name(writer)) != 0 ||
                avro_version_number(writer) > avro_version_number(reader)) {
                continue;
            }
            const char *r = avro_version_text(reader);
            const char *w = avro_version_text(writer);
            if (evolve_can_read(r, strlen(r), w, strlen(w), err) != RC_OK) {
                return err_prefix(err, "%s version %d cannot read version %d", name, avro_version_number(reader),
                                  avro_version_number(writer));
            }
        }
    }
    return RC_OK;
}
