/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the relay reads: one source is one outbox table, as sources.json describes it.
 *
 * Each role a column plays (id, key, type, ...) is an index into `columns`, so that a column that plays several roles
 * travels once.
 */
#ifndef SLUICE_RELAY_SOURCE_H
#define SLUICE_RELAY_SOURCE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#include "avro/codec.h"
#include "base/err.h"

#define SOURCE_MAX 32
#define SOURCE_COLUMNS_MAX 48
#define SOURCE_KEYS_MAX 4
#define SOURCE_HEADERS_MAX 8
#define SOURCE_NAME_MAX 63 /* as an identifier of PostgreSQL */

enum queue_kind {
    QUEUE_STATUS, /* rows have status and next_attempt_at; due ones are swept back on the road */
    QUEUE_APPEND, /* rows are only ever inserted */
    QUEUE_PROCESS /* on the road while process_status and processed_at are NULL; set to NULL again to run again */
};

struct column {
    char *name;
    bool micros; /* a timestamp, read as microseconds since 1970 */
    bool bytes;  /* bytea, read as it is; all others are read as text */
};

struct source_field {
    char *avro; /* field of the schema */
    int column;
};

struct source_header {
    char *name;
    int column;
};

struct source {
    char *name;
    char *table;
    enum queue_kind queue;
    struct column columns[SOURCE_COLUMNS_MAX];
    int n_columns;
    int id, type, time, payload; /* columns; -1 = the source has none */
    int key[SOURCE_KEYS_MAX];    /* the first that is not NULL */
    int n_keys;
    char *topic;      /* without prefix; NULL when each row names its own */
    int topic_column; /* -1 when topic is set */
    /*
     * Raw: the row is a record already. Key and payload are its bytes, the headers column its headers, and nothing is
     * added; there are no type, schema, fields, headers and outcomes.
     */
    bool raw;
    int headers_column, partition_column; /* of a raw source; -1 = none */
    char *schema;                         /* NULL when raw */
    struct source_field fields[SOURCE_COLUMNS_MAX];
    int n_fields;
    struct source_header headers[SOURCE_HEADERS_MAX];
    int n_headers;
    bool prune; /* old rows are deleted when they are published; only append queues, and always true when raw */
    char *dlq;
    char *outcomes;       /* topic that is told when a row ends as dead letter; NULL = none */
    char *outcome_schema; /* of that topic's records; callback_outcome where it is not said, NULL without outcomes */
};

struct sources {
    struct source list[SOURCE_MAX];
    int n;
};

/*
 * Parses sources.json. origin names the text in messages. Unknown keys, missing keys, bad names, more than the
 * ceilings: FATAL with code ERR_CONFIG, the path of the key and what was expected. Free with sources_free.
 */
enum rc sources_parse(const char *text, size_t n, const char *origin, struct sources **out_sources,
                      struct err *err) MUST_USE;
struct sources *sources_free(struct sources *s); /* accepts NULL, returns NULL */
void sources_freep(struct sources **s);

/*
 * Each field of the schema that is required has a column, and each column's field exists. FATAL (ERR_CONFIG) when not.
 * A raw source has no schema and fits.
 */
enum rc source_check_schema(const struct source *src, const struct avro_set *set, struct err *err) MUST_USE;

/*
 * Looks at the database: table, columns, queue columns and their types, trigger, sequence cache, row-level security,
 * not a standby. FATAL with one text that names what is wrong and what to do.
 */
enum rc source_check_database(const struct source *src, PGconn *conn, struct err *err) MUST_USE;

#endif
