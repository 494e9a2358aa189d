/* SPDX-License-Identifier: Apache-2.0 */
/* ids.json and the .avsc files -> an immutable set of schema versions. */
#include "avro/set.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avro/version.h"
#include "base/mem.h"

#define VERSIONS_MAX 1000
#define FILE_NAME_MAX 160

struct avro_set {
    struct arena arena; /* shapes, names, texts */
    struct avro_version *versions;
    size_t n;
};

/* While the set is being made. */
struct loading {
    struct avro_set *set;
    const struct avro_file *files;
    size_t n_files;
    struct err *err;
};

static enum rc parse_json(const char *what, const char *text, size_t n, json_t **out, struct err *err)
{
    json_error_t at;
    *out = json_loadb(text, n, JSON_REJECT_DUPLICATES, &at);
    if (*out == NULL) {
        FAIL(err, RC_FATAL, "%s: line %d column %d: %s", what, at.line, at.column, at.text);
    }
    return RC_OK;
}

static const struct avro_file *find_file(const struct loading *l, const char *name)
{
    for (size_t i = 0; i < l->n_files; i++) {
        if (strcmp(l->files[i].name, name) == 0) {
            return &l->files[i];
        }
    }
    return NULL;
}

static const char *keep(struct loading *l, const char *s, size_t n)
{
    return arena_strndup(&l->set->arena, s, n);
}

/* Text -> JSON, shape and avro-c's schema. What was made before a failure is freed with the set. */
static enum rc parse_version(struct loading *l, struct avro_version *v, const char *file_name)
{
    TRY(parse_json(file_name, v->text, strlen(v->text), &v->json, l->err));
    if (shape_parse(v->json, &l->set->arena, &v->shape, l->err) != RC_OK) {
        return err_prefix(l->err, "%s", file_name);
    }
    if (v->shape->kind != AVRO_KIND_RECORD || strcmp(v->shape->name, v->name) != 0) {
        FAIL(l->err, RC_FATAL, "%s: must define the record %s", file_name, v->name);
    }
    if (avro_schema_from_json_length(v->text, strlen(v->text), &v->schema) != 0) {
        v->schema = NULL;
        FAIL(l->err, RC_FATAL, "%s: avro-c does not accept this schema", file_name);
    }
    v->iface = avro_generic_class_from_schema(v->schema);
    if (v->iface == NULL) {
        FAIL(l->err, RC_FATAL, "%s: avro-c cannot make values of this schema", file_name);
    }
    return RC_OK;
}

/* One entry {"version", "id", "sha256"} of ids.json. */
static enum rc add_version(struct loading *l, const char *name, const json_t *entry, bool newest)
{
    struct avro_set *set = l->set;
    json_int_t number = json_integer_value(json_object_get(entry, "version"));
    json_int_t id = json_integer_value(json_object_get(entry, "id"));
    const char *sha256 = json_string_value(json_object_get(entry, "sha256"));
    if (number < 1 || number > VERSIONS_MAX || id < 1 || id > INT32_MAX || sha256 == NULL || strlen(sha256) != 64) {
        FAIL(l->err, RC_FATAL, "ids.json: %s: each entry needs version (1 to %d), id (1 to %d), sha256 (64 digits)",
             name, VERSIONS_MAX, INT32_MAX);
    }
    if (avro_set_by_id(set, (int32_t)id) != NULL) {
        FAIL(l->err, RC_FATAL, "ids.json: %s: id %d is used twice", name, (int)id);
    }
    char file_name[FILE_NAME_MAX];
    int n = newest ? snprintf(file_name, sizeof(file_name), "%s.avsc", name)
                   : snprintf(file_name, sizeof(file_name), "%s.v%d.avsc", name, (int)number);
    const struct avro_file *file = n > 0 && (size_t)n < sizeof(file_name) ? find_file(l, file_name) : NULL;
    if (file == NULL || set->n == VERSIONS_MAX) {
        FAIL(l->err, RC_FATAL, "ids.json: %s version %d: no file %s, or more than %d versions", name, (int)number,
             file_name, VERSIONS_MAX);
    }
    struct avro_version *v = &set->versions[set->n++];
    v->name = keep(l, name, strlen(name));
    v->number = (int)number;
    v->id = (int32_t)id;
    v->sha256 = keep(l, sha256, strlen(sha256));
    v->text = keep(l, file->text, file->size);
    return parse_version(l, v, file_name);
}

/* The versions of one schema, oldest first. */
static enum rc add_schema(struct loading *l, const char *name, const json_t *entries)
{
    size_t n = json_array_size(entries);
    if (n == 0) {
        FAIL(l->err, RC_FATAL, "ids.json: %s must be an array of versions", name);
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *entry = json_array_get(entries, i);
        if (json_integer_value(json_object_get(entry, "version")) != (json_int_t)i + 1) {
            FAIL(l->err, RC_FATAL, "ids.json: %s: versions must be 1, 2, ... in this order", name);
        }
        TRY(add_version(l, name, entry, i + 1 == n));
    }
    return RC_OK;
}

static enum rc load(struct loading *l, const json_t *ids)
{
    if (!json_is_object(ids)) {
        FAIL(l->err, RC_FATAL, "ids.json: must be an object of schema names");
    }
    for (void *i = json_object_iter((json_t *)(uintptr_t)ids); i != NULL;
         i = json_object_iter_next((json_t *)(uintptr_t)ids, i)) {
        TRY(add_schema(l, json_object_iter_key(i), json_object_iter_value(i)));
    }
    if (l->set->n != l->n_files) {
        FAIL(l->err, RC_FATAL, "ids.json: names %zu schema versions, but there are %zu files", l->set->n, l->n_files);
    }
    return RC_OK;
}

static void json_freep(json_t **j)
{
    json_decref(*j);
}

enum rc avro_set_create(const struct avro_file *files, size_t n_files, const char *ids, size_t ids_n,
                        struct avro_set **out_set, struct err *err)
{
    CLEANUP(json_freep) json_t *j = NULL;
    CLEANUP(avro_set_freep) struct avro_set *set = NULL;
    struct err local;
    TRY(parse_json("ids.json", ids, ids_n, &j, err));
    set = xcalloc(1, sizeof(*set));
    arena_init(&set->arena, (size_t)16 << 10);
    set->versions = xcalloc(VERSIONS_MAX, sizeof(*set->versions));
    struct loading l = {.set = set, .files = files, .n_files = n_files, .err = err != NULL ? err : &local};
    TRY(load(&l, j));
    *out_set = set;
    set = NULL;
    return RC_OK;
}

struct avro_set *avro_set_free(struct avro_set *set)
{
    if (set == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < set->n; i++) {
        struct avro_version *v = &set->versions[i];
        if (v->iface != NULL) {
            avro_value_iface_decref(v->iface);
        }
        if (v->schema != NULL) {
            avro_schema_decref(v->schema);
        }
        json_decref(v->json);
    }
    free(set->versions);
    arena_done(&set->arena);
    free(set);
    return NULL;
}

void avro_set_freep(struct avro_set **set)
{
    *set = avro_set_free(*set);
}

const struct avro_version *avro_set_newest(const struct avro_set *set, const char *schema_name)
{
    const struct avro_version *newest = NULL;
    for (size_t i = 0; i < set->n; i++) {
        const struct avro_version *v = &set->versions[i];
        if (strcmp(v->name, schema_name) == 0 && (newest == NULL || v->number > newest->number)) {
            newest = v;
        }
    }
    return newest;
}

const struct avro_version *avro_set_by_id(const struct avro_set *set, int32_t id)
{
    for (size_t i = 0; i < set->n; i++) {
        if (set->versions[i].id == id) {
            return &set->versions[i];
        }
    }
    return NULL;
}

size_t avro_set_count(const struct avro_set *set)
{
    return set->n;
}

const struct avro_version *avro_set_at(const struct avro_set *set, size_t i)
{
    return &set->versions[i];
}

const char *avro_version_name(const struct avro_version *v)
{
    return v->name;
}

int avro_version_number(const struct avro_version *v)
{
    return v->number;
}

int32_t avro_version_id(const struct avro_version *v)
{
    return v->id;
}

const char *avro_version_text(const struct avro_version *v)
{
    return v->text;
}

const char *avro_version_sha256(const struct avro_version *v)
{
    return v->sha256;
}
