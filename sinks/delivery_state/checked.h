/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records about rows of an outbox, field by field, with what every such record must hold: the row's id and queue_seq,
 * an end or a delay, times that a database can have. The bytes are foreign: nothing gets to SQL that was not checked.
 *
 * A field is its place in the list of names the record was opened with. REJECT names it and says what was expected.
 */
#ifndef SLUICE_DELIVERY_STATE_CHECKED_H
#define SLUICE_DELIVERY_STATE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avro/codec.h"
#include "base/err.h"
#include "base/mem.h"

#define CHECKED_FIELDS_MAX 16
#define CHECKED_DELAY_MS_MAX ((int64_t)366 * 24 * 3600 * 1000)

struct checked {
    struct avro_input *in;
    const char *const *names;
    int field[CHECKED_FIELDS_MAX];
};

/* names: n of them, static, all in the schema (asserted). */
enum rc checked_open(struct checked *r, const struct avro_set *set, const char *schema, const char *const *names,
                     size_t n, struct err *err) MUST_USE;
void checked_close(struct checked *r); /* one of zeros, too */

/* As the getters of avro/codec.h. */
bool checked_has(const struct checked *r, int f);
const char *checked_text(const struct checked *r, int f);
int64_t checked_long(const struct checked *r, int f, int64_t fallback);

/* The place of an enum's symbol in the list, which has all symbols of the schema; 0 where it has not. */
int checked_symbol(const struct checked *r, int f, const char *const *list, int n);

/* A UUID. */
enum rc checked_id(const struct checked *r, int f, const char **out_id, struct err *err) MUST_USE;
/* At least 1. */
enum rc checked_seq(const struct checked *r, int f, int64_t *out_seq, struct err *err) MUST_USE;
/* Of what waits, which must say how long; 0 of what does not. kind: its name, for the message. */
enum rc checked_delay(const struct checked *r, int f, const char *kind, bool waits, int64_t *out_ms,
                      struct err *err) MUST_USE;
/* Was there a request? Not of what was parked. */
enum rc checked_was_request(const struct checked *r, int f, bool parked, bool *out_was, struct err *err) MUST_USE;
/* Microseconds UTC; fallback where the record does not say. */
enum rc checked_time(const struct checked *r, int f, int64_t fallback, int64_t *out_us, struct err *err) MUST_USE;

#endif
