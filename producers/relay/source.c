/* SPDX-License-Identifier: Apache-2.0 */
/* Parses sources.json: strict, every message names the key. */
#include "relay/source.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct parser {
    const char *origin;
    const char *source; /* name of the one being read, or its number */
    struct err *err;
};

#define BAD(p, ...) FAIL_AT((p), __VA_ARGS__)
#define FAIL_AT(p, ...)                                                         \
    do {                                                                        \
        err_set((p)->err, RC_FATAL, __FILE__, __LINE__, __VA_ARGS__);           \
        return err_prefix((p)->err, "%s: source %s", (p)->origin, (p)->source); \
    } while (0)

static bool is_name(const char *s, const char *extra)
{
    size_t n = strlen(s);

    if (n == 0 || n > SOURCE_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                  strchr(extra, c) != NULL;
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* A required (or, with optional, missing) string of name characters. */
static enum rc get_name(struct parser *p, const json_t *obj, const char *key, const char *extra, bool optional,
                        char **out)
{
    const json_t *v = json_object_get(obj, key);

    if (v == NULL && optional) {
        return RC_OK;
    }
    if (!json_is_string(v) || !is_name(json_string_value(v), extra)) {
        BAD(p, "key \"%s\" expected a name of 1 to %d letters, digits or _%s", key, SOURCE_NAME_MAX, extra);
    }
    *out = xstrdup(json_string_value(v));
    return RC_OK;
}

enum read_as { READ_TEXT, READ_MICROS, READ_BYTES };

/* Index of the column, added when it is new. */
static enum rc add_column(struct parser *p, struct source *src, const json_t *v, const char *key, enum read_as as,
                          int *out)
{
    if (!json_is_string(v) || !is_name(json_string_value(v), "")) {
        BAD(p, "key \"%s\" expected the name of a column", key);
    }
    const char *name = json_string_value(v);
    for (int i = 0; i < src->n_columns; i++) {
        const struct column *c = &src->columns[i];
        if (strcmp(c->name, name) == 0 && c->micros == (as == READ_MICROS) && c->bytes == (as == READ_BYTES)) {
            *out = i;
            return RC_OK;
        }
    }
    if (src->n_columns == SOURCE_COLUMNS_MAX) {
        BAD(p, "more than %d columns", SOURCE_COLUMNS_MAX);
    }
    src->columns[src->n_columns] =
        (struct column){.name = xstrdup(name), .micros = as == READ_MICROS, .bytes = as == READ_BYTES};
    *out = src->n_columns++;
    return RC_OK;
}

/* The first key that is not in the list, NULL = none. */
static const char *unknown_key(const json_t *obj, const char *const *known, size_t n)
{
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach((json_t *)(uintptr_t)obj, key, value)
    {
        bool found = false;
        for (size_t i = 0; i < n; i++) {
            found = found || strcmp(key, known[i]) == 0;
        }
        if (!found) {
            return key;
        }
    }
    return NULL;
}

static enum rc check_keys(struct parser *p, const struct source *src, const json_t *obj)
{
    static const char *const encoded[] = {
        "name",    "table",  "queue",   "id",  "key",      "type", "time",  "topic", "topic_column",  "schema",
        "payload", "fields", "headers", "dlq", "outcomes", "raw",  "times", "prune", "outcome_schema"};
    static const char *const raw[] = {
        "name", "table",        "queue", "id", "key", "time", "topic", "payload", "headers_column", "partition_column",
        "raw",  "topic_column", "dlq"};
    const char *key =
        src->raw ? unknown_key(obj, raw, ARRAY_SIZE(raw)) : unknown_key(obj, encoded, ARRAY_SIZE(encoded));

    if (key != NULL) {
        BAD(p, "unknown key \"%s\"%s", key, src->raw ? " of a raw source" : "");
    }
    return RC_OK;
}

static enum rc parse_raw(struct parser *p, struct source *src, const json_t *obj)
{
    const json_t *raw = json_object_get(obj, "raw");

    if (raw != NULL && !json_is_boolean(raw)) {
        BAD(p, "key \"raw\" expected true or false");
    }
    src->raw = json_is_true(raw);
    return RC_OK;
}

/* Rows of a status queue are changed after they were published: their outcomes are still to come. */
static enum rc parse_prune(struct parser *p, struct source *src, const json_t *obj)
{
    const json_t *prune = json_object_get(obj, "prune");

    if (prune != NULL && !json_is_boolean(prune)) {
        BAD(p, "key \"prune\" expected true or false");
    }
    src->prune = src->raw || json_is_true(prune);
    if (json_is_true(prune) && src->queue != QUEUE_APPEND) {
        BAD(p, "key \"prune\" expected false, or \"queue\": \"append\"");
    }
    return RC_OK;
}

static enum rc parse_names(struct parser *p, struct source *src, const json_t *obj)
{
    char *queue CLEANUP(freep) = NULL;

    TRY(get_name(p, obj, "name", "-", false, &src->name));
    p->source = src->name;
    TRY(parse_raw(p, src, obj));
    TRY(get_name(p, obj, "table", "", false, &src->table));
    TRY(get_name(p, obj, "queue", "", false, &queue));
    if (strcmp(queue, "status") == 0) {
        src->queue = QUEUE_STATUS;
    } else if (strcmp(queue, "append") == 0) {
        src->queue = QUEUE_APPEND;
    } else if (strcmp(queue, "process") == 0) {
        src->queue = QUEUE_PROCESS;
    } else {
        BAD(p, "key \"queue\" expected \"status\", \"append\" or \"process\"");
    }
    TRY(parse_prune(p, src, obj));
    TRY(get_name(p, obj, "schema", "", src->raw, &src->schema));
    TRY(get_name(p, obj, "topic", ".-", true, &src->topic));
    TRY(get_name(p, obj, "dlq", ".-", false, &src->dlq));
    TRY(get_name(p, obj, "outcomes", ".-", true, &src->outcomes));
    TRY(get_name(p, obj, "outcome_schema", "", true, &src->outcome_schema));
    if (src->outcomes != NULL && src->outcome_schema == NULL) {
        src->outcome_schema = xstrdup("callback_outcome");
    }
    return RC_OK;
}

static enum rc parse_roles(struct parser *p, struct source *src, const json_t *obj)
{
    const json_t *keys = json_object_get(obj, "key");
    const json_t *topic_column = json_object_get(obj, "topic_column");

    enum read_as content = src->raw ? READ_BYTES : READ_TEXT;

    TRY(add_column(p, src, json_object_get(obj, "id"), "id", READ_TEXT, &src->id));
    src->type = -1;
    if (!src->raw) {
        TRY(add_column(p, src, json_object_get(obj, "type"), "type", READ_TEXT, &src->type));
    }
    TRY(add_column(p, src, json_object_get(obj, "payload"), "payload", content, &src->payload));
    TRY(add_column(p, src, json_object_get(obj, "time"), "time", READ_MICROS, &src->time));
    if (!json_is_array(keys) || json_array_size(keys) < 1 || json_array_size(keys) > SOURCE_KEYS_MAX) {
        BAD(p, "key \"key\" expected a list of 1 to %d columns", SOURCE_KEYS_MAX);
    }
    for (size_t i = 0; i < json_array_size(keys); i++) {
        TRY(add_column(p, src, json_array_get(keys, i), "key", content, &src->key[src->n_keys++]));
    }
    src->topic_column = -1;
    if ((topic_column == NULL) == (src->topic == NULL)) {
        BAD(p, "expected either \"topic\" or \"topic_column\"");
    }
    if (topic_column != NULL) {
        TRY(add_column(p, src, topic_column, "topic_column", READ_TEXT, &src->topic_column));
    }
    return RC_OK;
}

/* What only raw sources have. */
static enum rc parse_record_columns(struct parser *p, struct source *src, const json_t *obj)
{
    const json_t *headers = json_object_get(obj, "headers_column");
    const json_t *partition = json_object_get(obj, "partition_column");

    src->headers_column = -1;
    src->partition_column = -1;
    if (headers != NULL) {
        TRY(add_column(p, src, headers, "headers_column", READ_TEXT, &src->headers_column));
    }
    if (partition != NULL) {
        TRY(add_column(p, src, partition, "partition_column", READ_TEXT, &src->partition_column));
    }
    return RC_OK;
}

static enum rc parse_headers(struct parser *p, struct source *src, const json_t *obj)
{
    json_t *headers = json_object_get(obj, "headers");
    const char *name = NULL;
    json_t *column = NULL;

    if (headers == NULL) {
        return RC_OK;
    }
    if (!json_is_object(headers) || json_object_size(headers) > SOURCE_HEADERS_MAX) {
        BAD(p, "key \"headers\" expected an object of at most %d header names and columns", SOURCE_HEADERS_MAX);
    }
    json_object_foreach(headers, name, column)
    {
        struct source_header *h = &src->headers[src->n_headers];
        if (!is_name(name, "-.") || strncmp(name, "ce_", 3) == 0 || strncmp(name, "__", 2) == 0) {
            BAD(p, "header \"%s\" expected a name of letters, digits, _ - . that starts neither with ce_ nor with __",
                name);
        }
        TRY(add_column(p, src, column, name, READ_TEXT, &h->column));
        h->name = xstrdup(name);
        src->n_headers++;
    }
    return RC_OK;
}

/* Columns beside "time" that are times too, for fields of the schema that count microseconds. */
static bool is_time(const struct source *src, const json_t *times, const char *column)
{
    for (size_t i = 0; i < json_array_size(times); i++) {
        if (strcmp(json_string_value(json_array_get(times, i)), column) == 0) {
            return true;
        }
    }
    return strcmp(column, src->columns[src->time].name) == 0;
}

static enum rc check_times(struct parser *p, const json_t *times)
{
    bool good = times == NULL || (json_is_array(times) && json_array_size(times) <= SOURCE_COLUMNS_MAX);

    for (size_t i = 0; good && i < json_array_size(times); i++) {
        const json_t *name = json_array_get(times, i);
        good = json_is_string(name) && is_name(json_string_value(name), "");
    }
    if (!good) {
        BAD(p, "key \"times\" expected a list of at most %d names of columns", SOURCE_COLUMNS_MAX);
    }
    return RC_OK;
}

static enum rc parse_fields(struct parser *p, struct source *src, const json_t *obj)
{
    json_t *fields = json_object_get(obj, "fields");
    const json_t *times = json_object_get(obj, "times");
    const char *name = NULL;
    json_t *column = NULL;

    TRY(check_times(p, times));
    if (!json_is_object(fields) || json_object_size(fields) < 1 || json_object_size(fields) > SOURCE_COLUMNS_MAX) {
        BAD(p, "key \"fields\" expected an object of 1 to %d schema fields and columns", SOURCE_COLUMNS_MAX);
    }
    json_object_foreach(fields, name, column)
    {
        struct source_field *f = &src->fields[src->n_fields];
        bool micros = json_is_string(column) && is_time(src, times, json_string_value(column));
        if (!is_name(name, "")) {
            BAD(p, "field \"%s\" expected the name of a field of schema %s", name, src->schema);
        }
        TRY(add_column(p, src, column, name, micros ? READ_MICROS : READ_TEXT, &f->column));
        f->avro = xstrdup(name);
        src->n_fields++;
    }
    return RC_OK;
}

static enum rc parse_source(struct parser *p, struct source *src, const json_t *obj)
{
    if (!json_is_object(obj)) {
        BAD(p, "expected an object");
    }
    TRY(parse_names(p, src, obj));
    TRY(check_keys(p, src, obj));
    TRY(parse_roles(p, src, obj));
    TRY(parse_record_columns(p, src, obj));
    if (src->raw) {
        return RC_OK;
    }
    TRY(parse_fields(p, src, obj));
    return parse_headers(p, src, obj);
}

static enum rc parse_all(struct sources *out, const json_t *root, const char *origin, struct err *err)
{
    static const char *const known[] = {"version", "sources"};
    const json_t *list = json_object_get(root, "sources");
    const char *key = unknown_key(root, known, ARRAY_SIZE(known));

    if (key != NULL) {
        FAIL(err, RC_FATAL, "%s: unknown key \"%s\"; expected \"version\" and \"sources\"", origin, key);
    }
    if (json_integer_value(json_object_get(root, "version")) != 1) {
        FAIL(err, RC_FATAL, "%s: key \"version\" expected 1", origin);
    }
    if (!json_is_array(list) || json_array_size(list) < 1 || json_array_size(list) > SOURCE_MAX) {
        FAIL(err, RC_FATAL, "%s: key \"sources\" expected a list of 1 to %d sources", origin, SOURCE_MAX);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        char *number CLEANUP(freep) = xasprintf("%zu", i + 1);
        struct parser p = {.origin = origin, .source = number, .err = err};
        struct source *src = &out->list[out->n++];
        TRY(parse_source(&p, src, json_array_get(list, i)));
        for (int k = 0; k < out->n - 1; k++) {
            if (strcmp(out->list[k].name, src->name) == 0 || strcmp(out->list[k].table, src->table) == 0) {
                FAIL(err, RC_FATAL, "%s: source %s: name or table is used twice", origin, src->name);
            }
        }
    }
    return RC_OK;
}

enum rc sources_parse(const char *text, size_t n, const char *origin, struct sources **out_sources, struct err *err)
{
    struct sources *s CLEANUP(sources_freep) = xcalloc(1, sizeof(*s));
    json_error_t why;
    json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    enum rc rc = RC_OK;

    if (root == NULL) {
        err_set(err, RC_FATAL, __FILE__, __LINE__, "%s: line %d: %s", origin, why.line, why.text);
        return err_code(err, ERR_CONFIG);
    }
    rc = parse_all(s, root, origin, err);
    json_decref(root);
    if (rc != RC_OK) {
        return err_code(err, ERR_CONFIG);
    }
    *out_sources = s;
    s = NULL;
    return RC_OK;
}

static void source_done(struct source *src)
{
    char *owned[] = {src->name, src->table, src->topic, src->schema, src->dlq, src->outcomes, src->outcome_schema};

    for (size_t i = 0; i < ARRAY_SIZE(owned); i++) {
        free(owned[i]);
    }
    for (int i = 0; i < src->n_columns; i++) {
        free(src->columns[i].name);
    }
    for (int i = 0; i < SOURCE_COLUMNS_MAX; i++) {
        free(src->fields[i].avro);
    }
    for (int i = 0; i < SOURCE_HEADERS_MAX; i++) {
        free(src->headers[i].name);
    }
}

struct sources *sources_free(struct sources *s)
{
    if (s != NULL) {
        for (int i = 0; i < SOURCE_MAX; i++) {
            source_done(&s->list[i]);
        }
        free(s);
    }
    return NULL;
}

void sources_freep(struct sources **s)
{
    *s = sources_free(*s);
}
