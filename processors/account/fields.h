/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A JSON object read strictly by a table of its fields: what is not in the table is refused, as is a field given twice,
 * a number with a point or an exponent, an id of other characters. One message says which field and what was expected.
 *
 * Strings are copied into the arena. Thread: any.
 */
#ifndef SLUICE_ACCOUNT_FIELDS_H
#define SLUICE_ACCOUNT_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

#define FIELDS_JSON_MAX ((size_t)256 << 10)            /* bytes of one payload */
#define FIELDS_TIME_MAX_US INT64_C(253402300799999999) /* the end of 9999 */

/* Classes of dead letters; static, compared by content. */
#define CLASS_MALFORMED "malformed"
#define CLASS_OUT_OF_RANGE "number_out_of_range" /* does not fit 64 bits */

enum field_type {
    FIELD_ID,       /* 1 to 128 of A-Z a-z 0-9 . _ : ~ @ - */
    FIELD_CURRENCY, /* 1 to 12 letters and digits */
    FIELD_TEXT,     /* up to max bytes */
    FIELD_INT,      /* min..max */
    FIELD_NULL_INT, /* the same, or null: then *given stays false and *null_given becomes true */
    FIELD_BOOL,
    FIELD_TIME, /* RFC 3339 with a zone, 1970 to 9999 */
    FIELD_CHOICE,
    FIELD_LIST, /* an array; the caller reads it */
};

/* One field; the pointers of its type are set when it is there. */
struct field {
    const char *name;
    enum field_type type;
    bool required;
    const char **text;   /* ID, CURRENCY, TEXT */
    int64_t *number;     /* INT, NULL_INT; TIME: microseconds since 1970 */
    bool *flag;          /* BOOL */
    int *choice;         /* CHOICE: its number */
    const json_t **list; /* LIST: borrowed from the document */
    bool *given;         /* may be NULL */
    bool *null_given;    /* NULL_INT */
    int64_t min, max;
    const char *const *choices;
    int n_choices;
};

/* A document that must be an object; the caller releases it with json_decref. what: "payload", for messages. */
enum rc fields_parse(const char *text, size_t n, const char *what, json_t **out_doc, const char **out_class,
                     struct err *err) MUST_USE;
void fields_releasep(json_t **doc);

/* REJECT with *out_class set. path: "payload", "payload.transfers[3]". */
enum rc fields_read(const json_t *object, const char *path, const struct field *fields, size_t n, struct arena *a,
                    const char **out_class, struct err *err) MUST_USE;

/* 1 to LEDGER_ID_MAX characters of an id. */
bool field_is_id(const char *s, size_t n);

#endif
