/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records <-> bytes: the Confluent wire format (0x00, schema id as 4 bytes big-endian, Avro body) and JSON.
 *
 * Encoding: one encoder per thread and schema, reused for every record:
 *
 *     avro_encoder_reset(enc);
 *     TRY(avro_encoder_set_text(enc, f_event_id, PQgetvalue(...), (size_t)PQgetlength(...), err));
 *     TRY(avro_encoder_wire(enc, &arena, max_bytes, &value, &value_n, err));
 *
 * Decoding: bytes are foreign. They are first walked with the writer's schema by check.c (lengths, branches,
 * indexes, UTF-8, no trailing bytes), and only then given to avro-c, always with that same schema.
 *
 * Malformed input is RC_REJECT, and the text names the field and what was expected. An encoder, a reader and
 * what they return belong to one thread.
 *
 * Rules: https://avro.apache.org/docs/1.11.1/specification/#binary-encoding
 *        https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
 */
#ifndef SLUICE_AVRO_CODEC_H
#define SLUICE_AVRO_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avro/set.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

/* A value that passes these is decoded; larger ones are refused before anything is allocated. */
#define AVRO_VALUE_BYTES_MAX ((size_t)64 << 20) /* one framed value */
#define AVRO_JSON_BYTES_MAX ((size_t)1 << 20)   /* JSON text given to avro_encode_json */
#define AVRO_FRAME_BYTES 5                      /* 0x00 and the id */

enum avro_kind {
    AVRO_KIND_NULL,
    AVRO_KIND_BOOLEAN,
    AVRO_KIND_INT,
    AVRO_KIND_LONG,
    AVRO_KIND_FLOAT,
    AVRO_KIND_DOUBLE,
    AVRO_KIND_BYTES,
    AVRO_KIND_STRING,
    AVRO_KIND_ENUM,
    AVRO_KIND_FIXED,
    AVRO_KIND_ARRAY,
    AVRO_KIND_MAP,
    AVRO_KIND_UNION, /* never of a field: see avro_field.nullable */
    AVRO_KIND_RECORD,
};
const char *avro_kind_name(enum avro_kind kind); /* as in a schema: "long"; static */

/* One field of a record; strings belong to the set. */
struct avro_field {
    const char *name;
    enum avro_kind kind; /* of the value; for ["null", X] the kind of X */
    bool nullable;
    bool has_default;      /* may be left unset */
    bool timestamp_micros; /* a long that counts microseconds since 1970-01-01T00:00:00Z */
};

/* ---- Encoding ---- */

struct avro_encoder;

/* For the newest version of schema_name, which must be a record. RC_FATAL: there is no such schema. set must outlive
 * it. */
enum rc avro_encoder_create(const struct avro_set *set, const char *schema_name, struct avro_encoder **out_enc,
                            struct err *err) MUST_USE;
struct avro_encoder *avro_encoder_free(struct avro_encoder *enc); /* accepts NULL, returns NULL */
void avro_encoder_freep(struct avro_encoder **enc);

size_t avro_encoder_field_count(const struct avro_encoder *enc);
const struct avro_field *avro_encoder_field(const struct avro_encoder *enc, size_t field);
int avro_encoder_field_index(const struct avro_encoder *enc, const char *name); /* -1 = no such field */
int32_t avro_encoder_schema_id(const struct avro_encoder *enc);

/* All fields unset. Call before each record. */
void avro_encoder_reset(struct avro_encoder *enc);

/*
 * Each sets one field; values are copied. RC_REJECT: the field is of another kind, a string is not UTF-8 or holds a
 * NUL, an enum has no such symbol. A refused field stays unset.
 */
enum rc avro_encoder_set_string(struct avro_encoder *enc, size_t field, const char *s, size_t n,
                                struct err *err) MUST_USE; /* string, bytes, enum (symbol) */
enum rc avro_encoder_set_long(struct avro_encoder *enc, size_t field, int64_t v,
                              struct err *err) MUST_USE; /* long; int when it fits */
enum rc avro_encoder_set_bool(struct avro_encoder *enc, size_t field, bool v, struct err *err) MUST_USE;
enum rc avro_encoder_set_double(struct avro_encoder *enc, size_t field, double v, struct err *err) MUST_USE;
enum rc avro_encoder_set_null(struct avro_encoder *enc, size_t field, struct err *err) MUST_USE;
/*
 * PostgreSQL's text form by the field's kind: int and long plain decimal, boolean t or f, timestamp-micros decimal
 * microseconds, double as PostgreSQL prints it, string and enum as they are. Bytes are taken raw, not as \x hex.
 */
enum rc avro_encoder_set_text(struct avro_encoder *enc, size_t field, const char *text, size_t n,
                              struct err *err) MUST_USE;

/*
 * The record framed, in arena memory. RC_REJECT: a required field is unset (named), or the whole would be longer than
 * max_bytes (frame included).
 */
enum rc avro_encoder_wire(struct avro_encoder *enc, struct arena *a, size_t max_bytes, const void **out_bytes,
                          size_t *out_n, struct err *err) MUST_USE;
/* The same record as one line of JSON text without a newline, as avro_decode_json would print it; out has a NUL behind.
 */
enum rc avro_encoder_json(struct avro_encoder *enc, struct arena *a, size_t max_bytes, const char **out_text,
                          size_t *out_n, struct err *err) MUST_USE;

/*
 * JSON text -> framed value of the newest version, in arena memory. Strict: unknown field, missing required field,
 * wrong type or range, duplicate key, trailing text, more than AVRO_JSON_BYTES_MAX are RC_REJECT with the field's path
 * and the expected type. Nullable fields take null or the bare value.
 */
enum rc avro_encode_json(const struct avro_set *set, const char *schema_name, const char *text, size_t n,
                         struct arena *a, const void **out_bytes, size_t *out_n, struct err *err) MUST_USE;

/* ---- Decoding ---- */

/*
 * The schema a framed value says it was written with. RC_REJECT: too short, no 0x00 in front, an id this set does not
 * know (the text names the id).
 */
enum rc avro_frame_version(const struct avro_set *set, const void *bytes, size_t n, const struct avro_version **out_v,
                           struct err *err) MUST_USE;

/*
 * Appends a framed value to out as one JSON object: fields in the writer's order, strings as they are, enums as
 * symbols, unions bare, bytes and fixed as a string of the code points 0 to 255 (as Avro's JSON encoding), NaN and
 * infinities as strings. RC_REJECT: malformed
 * (field, byte offset, expectation), or out's ceiling; out is then as before.
 */
enum rc avro_decode_json(const struct avro_set *set, const void *bytes, size_t n, struct buf *out,
                         struct err *err) MUST_USE;

/*
 * Typed access for processors: fields are those of the newest version of one schema; a value written with an older
 * version is read with its own schema, and what it lacks gets the default of the newest.
 */
struct avro_input;

enum rc avro_input_create(const struct avro_set *set, const char *schema_name, struct avro_input **out_in,
                          struct err *err) MUST_USE;
struct avro_input *avro_input_free(struct avro_input *in); /* accepts NULL, returns NULL */
void avro_input_freep(struct avro_input **in);
int avro_input_index(const struct avro_input *in, const char *field_name); /* -1 = no such field */
/* The same as create, and the numbers of n fields by their names. RC_FATAL, too: the schema has no such field. */
enum rc avro_input_open(const struct avro_set *set, const char *schema_name, const char *const *names, size_t n,
                        int *out_fields, struct avro_input **out_in, struct err *err) MUST_USE;

/* Reads one framed value; the getters below then speak of it. RC_REJECT: malformed, or of another schema. */
enum rc avro_input_read(struct avro_input *in, const void *bytes, size_t n, struct err *err) MUST_USE;
/* A record's value as it comes from a topic: framed, or the same as JSON (option value.format). NULL is RC_REJECT too.
 */
enum rc avro_input_read_value(struct avro_input *in, const void *value, size_t n, struct err *err) MUST_USE;

/*
 * Getters. The field must be of that kind (asserted: a programmer's mistake). Strings have a NUL behind and
 * none inside; they belong to the reader and live until the next read. NULL or fallback for a null.
 */
bool avro_input_null(const struct avro_input *in, int field);
const char *avro_input_string(const struct avro_input *in, int field, size_t *out_n); /* string, bytes, enum */
int64_t avro_input_long(const struct avro_input *in, int field, int64_t fallback);    /* int, long */
bool avro_input_bool(const struct avro_input *in, int field, bool fallback);
double avro_input_double(const struct avro_input *in, int field, double fallback);

#endif
