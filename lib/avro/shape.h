/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A schema as a tree that can be walked without avro-c.
 *
 * avro-c forgets defaults and logical types, and its decoder trusts lengths; this tree keeps the first two
 * and is what check.c walks before avro-c sees a byte. Accepted: every Avro type, but unions only of null
 * and one more type, and no recursive types (so the tree is finite and bounds the depth of a value).
 *
 * Memory: the arena given to shape_parse; defaults are borrowed from the parsed JSON, which must outlive it.
 */
#ifndef SLUICE_AVRO_SHAPE_H
#define SLUICE_AVRO_SHAPE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "avro/codec.h"
#include "base/err.h"
#include "base/mem.h"

#define SHAPE_DEPTH_MAX 32   /* nesting of a schema */
#define SHAPE_FIELDS_MAX 500 /* fields of a record, symbols of an enum */
#define SHAPE_NODES_MAX 5000 /* types in one schema */

struct shape;

struct shape_field {
    const char *name;
    const struct shape *type;
    const json_t *preset; /* the default, NULL = none */
};

struct shape {
    enum avro_kind kind;
    bool timestamp_micros;      /* AVRO_KIND_LONG */
    const char *name;           /* record, enum, fixed: without namespace; else NULL */
    size_t min_bytes;           /* no value has a shorter encoding */
    size_t n;                   /* fields, symbols, or bytes of a fixed */
    struct shape_field *fields; /* record */
    const char **symbols;       /* enum */
    const char *enum_preset;    /* enum: the symbol a reader takes for one it does not know, or NULL */
    const struct shape *item;   /* array, map: element; union: what is not null */
    int null_branch;            /* union: 0 or 1 */
};

/* RC_FATAL: not a schema, or one of the things refused above; the text says where. */
enum rc shape_parse(const json_t *schema, struct arena *a, const struct shape **out_shape, struct err *err) MUST_USE;

/* -1 when there is none. */
int shape_field_index(const struct shape *record, const char *name);
int shape_symbol_index(const struct shape *enumeration, const char *symbol, size_t n);

/* The shape itself, or for a union what is not null. */
const struct shape *shape_value(const struct shape *s);
/* What code outside this folder may know of a field. */
struct avro_field shape_field_public(const struct shape_field *f);

#endif
