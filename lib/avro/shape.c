/* SPDX-License-Identifier: Apache-2.0 */
/* Schema JSON -> tree: names resolved, limits checked, nothing recursive. */
#include "avro/shape.h"

#include <stdint.h>
#include <string.h>

static const char *const KIND_NAMES[] = {
    [AVRO_KIND_NULL] = "null",   [AVRO_KIND_BOOLEAN] = "boolean", [AVRO_KIND_INT] = "int",
    [AVRO_KIND_LONG] = "long",   [AVRO_KIND_FLOAT] = "float",     [AVRO_KIND_DOUBLE] = "double",
    [AVRO_KIND_BYTES] = "bytes", [AVRO_KIND_STRING] = "string",   [AVRO_KIND_ENUM] = "enum",
    [AVRO_KIND_FIXED] = "fixed", [AVRO_KIND_ARRAY] = "array",     [AVRO_KIND_MAP] = "map",
    [AVRO_KIND_UNION] = "union", [AVRO_KIND_RECORD] = "record",
};

/* Shortest encodings of the primitive kinds; the others are computed. */
static const size_t PRIMITIVE_MIN_BYTES[] = {
    [AVRO_KIND_NULL] = 0,  [AVRO_KIND_BOOLEAN] = 1, [AVRO_KIND_INT] = 1,   [AVRO_KIND_LONG] = 1,
    [AVRO_KIND_FLOAT] = 4, [AVRO_KIND_DOUBLE] = 8,  [AVRO_KIND_BYTES] = 1, [AVRO_KIND_STRING] = 1,
};

/* A type that was given a name; open while its own fields are being parsed. */
struct named {
    const char *full_name;
    const struct shape *shape;
    bool open;
    struct named *next;
};

struct parser {
    struct arena *a;
    struct named *names;
    size_t nodes;
    struct err *err;
};

/* What a nested type inherits. */
struct scope {
    const char *space; /* enclosing namespace, "" = none */
    int depth;
};

static enum rc parse_type(struct parser *p, const json_t *j, struct scope in, const struct shape **out);

const char *avro_kind_name(enum avro_kind kind)
{
    return KIND_NAMES[kind];
}

static struct shape *new_shape(struct parser *p, enum avro_kind kind)
{
    struct shape *s = arena_alloc(p->a, sizeof(*s));
    *s = (struct shape){.kind = kind};
    return s;
}

/* "name" in "space" -> "space.name"; a dotted name stands for itself. */
static const char *full_name(struct parser *p, const char *space, const char *name)
{
    size_t space_n = strlen(space);
    size_t name_n = strlen(name);
    if (space_n == 0 || strchr(name, '.') != NULL) {
        return arena_strndup(p->a, name, name_n);
    }
    char *full = arena_alloc(p->a, space_n + name_n + 2);
    memcpy(full, space, space_n);
    full[space_n] = '.';
    memcpy(full + space_n + 1, name, name_n + 1);
    return full;
}

static const char *short_name(const char *full)
{
    const char *dot = strrchr(full, '.');
    return dot != NULL ? dot + 1 : full;
}

static struct named *find_name(const struct parser *p, const char *full)
{
    for (struct named *k = p->names; k != NULL; k = k->next) {
        if (strcmp(k->full_name, full) == 0) {
            return k;
        }
    }
    return NULL;
}

/* Registers a record, enum or fixed and says which namespace its content lives in. */
static enum rc open_name(struct parser *p, const json_t *j, struct shape *s, struct scope *in, struct named **out)
{
    const char *name = json_string_value(json_object_get(j, "name"));
    if (name == NULL || name[0] == '\0') {
        FAIL(p->err, RC_FATAL, "%s without a name", avro_kind_name(s->kind));
    }
    const char *space = json_string_value(json_object_get(j, "namespace"));
    const char *full = full_name(p, space != NULL ? space : in->space, name);
    if (find_name(p, full) != NULL) {
        FAIL(p->err, RC_FATAL, "%s is defined twice", full);
    }
    struct named *k = arena_alloc(p->a, sizeof(*k));
    *k = (struct named){.full_name = full, .shape = s, .open = true, .next = p->names};
    p->names = k;
    s->name = short_name(full);
    in->space = s->name == full ? "" : arena_strndup(p->a, full, (size_t)(s->name - full) - 1);
    *out = k;
    return RC_OK;
}

static enum rc parse_field(struct parser *p, const json_t *j, struct shape *record, struct scope in)
{
    const char *name = json_string_value(json_object_get(j, "name"));
    if (name == NULL || name[0] == '\0') {
        FAIL(p->err, RC_FATAL, "record %s: a field has no name", record->name);
    }
    if (shape_field_index(record, name) >= 0) {
        FAIL(p->err, RC_FATAL, "record %s: field %s appears twice", record->name, name);
    }
    struct shape_field f = {.name = arena_strndup(p->a, name, strlen(name)), .preset = json_object_get(j, "default")};
    if (parse_type(p, json_object_get(j, "type"), in, &f.type) != RC_OK) {
        return err_prefix(p->err, "field %s", name);
    }
    record->min_bytes += f.type->min_bytes;
    record->fields[record->n++] = f;
    return RC_OK;
}

static enum rc parse_record(struct parser *p, const json_t *j, struct scope in, const struct shape **out)
{
    struct shape *s = new_shape(p, AVRO_KIND_RECORD);
    struct named *k = NULL;
    TRY(open_name(p, j, s, &in, &k));
    const json_t *fields = json_object_get(j, "fields");
    size_t n = json_array_size(fields);
    if (!json_is_array(fields) || n > SHAPE_FIELDS_MAX) {
        FAIL(p->err, RC_FATAL, "record %s: fields must be an array of at most %d", s->name, SHAPE_FIELDS_MAX);
    }
    s->fields = arena_alloc(p->a, (n + 1) * sizeof(*s->fields));
    for (size_t i = 0; i < n; i++) {
        TRY(parse_field(p, json_array_get(fields, i), s, in));
    }
    k->open = false;
    *out = s;
    return RC_OK;
}

static enum rc parse_enum(struct parser *p, const json_t *j, struct scope in, const struct shape **out)
{
    struct shape *s = new_shape(p, AVRO_KIND_ENUM);
    struct named *k = NULL;
    TRY(open_name(p, j, s, &in, &k));
    const json_t *symbols = json_object_get(j, "symbols");
    size_t n = json_array_size(symbols);
    if (n == 0 || n > SHAPE_FIELDS_MAX) {
        FAIL(p->err, RC_FATAL, "enum %s: symbols must be an array of 1 to %d strings", s->name, SHAPE_FIELDS_MAX);
    }
    s->symbols = arena_alloc(p->a, n * sizeof(*s->symbols));
    for (size_t i = 0; i < n; i++) {
        const char *symbol = json_string_value(json_array_get(symbols, i));
        if (symbol == NULL || shape_symbol_index(s, symbol, strlen(symbol)) >= 0) {
            FAIL(p->err, RC_FATAL, "enum %s: symbol %zu is not a string or appears twice", s->name, i);
        }
        s->symbols[s->n++] = arena_strndup(p->a, symbol, strlen(symbol));
    }
    const char *preset = json_string_value(json_object_get(j, "default"));
    int at = preset != NULL ? shape_symbol_index(s, preset, strlen(preset)) : -1;
    s->enum_preset = at >= 0 ? s->symbols[at] : NULL;
    s->min_bytes = 1;
    k->open = false;
    *out = s;
    return RC_OK;
}

static enum rc parse_fixed(struct parser *p, const json_t *j, struct scope in, const struct shape **out)
{
    struct shape *s = new_shape(p, AVRO_KIND_FIXED);
    struct named *k = NULL;
    TRY(open_name(p, j, s, &in, &k));
    json_int_t size = json_integer_value(json_object_get(j, "size"));
    if (size < 1 || size > UINT16_MAX) {
        FAIL(p->err, RC_FATAL, "fixed %s: size must be 1 to %d", s->name, UINT16_MAX);
    }
    s->n = (size_t)size;
    s->min_bytes = (size_t)size;
    k->open = false;
    *out = s;
    return RC_OK;
}

static enum rc parse_items(struct parser *p, const json_t *j, struct scope in, enum avro_kind kind,
                           const struct shape **out)
{
    struct shape *s = new_shape(p, kind);
    s->min_bytes = 1;
    TRY(parse_type(p, json_object_get(j, kind == AVRO_KIND_ARRAY ? "items" : "values"), in, &s->item));
    *out = s;
    return RC_OK;
}

static enum rc parse_union(struct parser *p, const json_t *j, struct scope in, const struct shape **out)
{
    struct shape *s = new_shape(p, AVRO_KIND_UNION);
    const struct shape *branch[2] = {NULL, NULL};
    if (json_array_size(j) != ARRAY_SIZE(branch)) {
        FAIL(p->err, RC_FATAL, "a union must be of null and one other type");
    }
    for (size_t i = 0; i < ARRAY_SIZE(branch); i++) {
        TRY(parse_type(p, json_array_get(j, i), in, &branch[i]));
    }
    s->null_branch = branch[0]->kind == AVRO_KIND_NULL ? 0 : 1;
    s->item = branch[1 - s->null_branch];
    if (branch[s->null_branch]->kind != AVRO_KIND_NULL || s->item->kind == AVRO_KIND_NULL ||
        s->item->kind == AVRO_KIND_UNION) {
        FAIL(p->err, RC_FATAL, "a union must be of null and one other type");
    }
    s->min_bytes = 1;
    *out = s;
    return RC_OK;
}

/* "string", or the name of a type defined before. */
static enum rc parse_name(struct parser *p, const char *name, struct scope in, const struct shape **out)
{
    for (size_t i = 0; i < ARRAY_SIZE(PRIMITIVE_MIN_BYTES); i++) {
        if (strcmp(name, KIND_NAMES[i]) == 0) {
            struct shape *s = new_shape(p, (enum avro_kind)i);
            s->min_bytes = PRIMITIVE_MIN_BYTES[i];
            *out = s;
            return RC_OK;
        }
    }
    const struct named *k = find_name(p, full_name(p, in.space, name));
    if (k == NULL) {
        k = find_name(p, name);
    }
    if (k == NULL) {
        FAIL(p->err, RC_FATAL, "unknown type %s", name);
    }
    if (k->open) {
        FAIL(p->err, RC_FATAL, "type %s contains itself: recursive types are not supported", name);
    }
    *out = k->shape;
    return RC_OK;
}

static enum rc parse_object(struct parser *p, const json_t *j, struct scope in, const struct shape **out)
{
    const json_t *type = json_object_get(j, "type");
    const char *name = json_string_value(type);
    if (name == NULL) {
        return parse_type(p, type, in, out); /* {"type": {...}} */
    }
    if (strcmp(name, "record") == 0) {
        return parse_record(p, j, in, out);
    }
    if (strcmp(name, "enum") == 0) {
        return parse_enum(p, j, in, out);
    }
    if (strcmp(name, "fixed") == 0) {
        return parse_fixed(p, j, in, out);
    }
    if (strcmp(name, "array") == 0) {
        return parse_items(p, j, in, AVRO_KIND_ARRAY, out);
    }
    if (strcmp(name, "map") == 0) {
        return parse_items(p, j, in, AVRO_KIND_MAP, out);
    }
    const struct shape *plain = NULL;
    TRY(parse_name(p, name, in, &plain));
    const char *logical = json_string_value(json_object_get(j, "logicalType"));
    if (plain->kind == AVRO_KIND_LONG && logical != NULL && strcmp(logical, "timestamp-micros") == 0) {
        struct shape *s = new_shape(p, AVRO_KIND_LONG);
        s->min_bytes = plain->min_bytes;
        s->timestamp_micros = true;
        plain = s;
    }
    *out = plain;
    return RC_OK;
}

static enum rc parse_type(struct parser *p, const json_t *j, struct scope in, const struct shape **out)
{
    if (++in.depth > SHAPE_DEPTH_MAX || ++p->nodes > SHAPE_NODES_MAX) {
        FAIL(p->err, RC_FATAL, "schema is nested deeper than %d or has more than %d types", SHAPE_DEPTH_MAX,
             SHAPE_NODES_MAX);
    }
    if (json_is_string(j)) {
        return parse_name(p, json_string_value(j), in, out);
    }
    if (json_is_array(j)) {
        return parse_union(p, j, in, out);
    }
    if (json_is_object(j)) {
        return parse_object(p, j, in, out);
    }
    FAIL(p->err, RC_FATAL, "a type must be a string, an object or an array");
}

enum rc shape_parse(const json_t *schema, struct arena *a, const struct shape **out_shape, struct err *err)
{
    struct err local;
    struct parser p = {.a = a, .err = err != NULL ? err : &local};
    return parse_type(&p, schema, (struct scope){.space = ""}, out_shape);
}

int shape_field_index(const struct shape *record, const char *name)
{
    for (size_t i = 0; i < record->n; i++) {
        if (strcmp(record->fields[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

int shape_symbol_index(const struct shape *enumeration, const char *symbol, size_t n)
{
    for (size_t i = 0; i < enumeration->n; i++) {
        const char *known = enumeration->symbols[i];
        if (strlen(known) == n && memcmp(known, symbol, n) == 0) {
            return (int)i;
        }
    }
    return -1;
}

const struct shape *shape_value(const struct shape *s)
{
    return s->kind == AVRO_KIND_UNION ? s->item : s;
}

struct avro_field shape_field_public(const struct shape_field *f)
{
    const struct shape *value = shape_value(f->type);
    return (struct avro_field){
        .name = f->name,
        .kind = value->kind,
        .nullable = f->type->kind == AVRO_KIND_UNION,
        .has_default = f->preset != NULL,
        .timestamp_micros = value->timestamp_micros,
    };
}
