/* SPDX-License-Identifier: Apache-2.0 */
/* A record of callback.outcomes, read and checked. */
#ifndef SLUICE_DELIVERY_STATE_OUTCOME_H
#define SLUICE_DELIVERY_STATE_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avro/codec.h"
#include "base/err.h"
#include "base/mem.h"

enum outcome_kind { OUTCOME_DELIVERED, OUTCOME_RETRY, OUTCOME_PARKED, OUTCOME_DEAD_LETTER };
#define OUTCOME_KINDS 4
extern const char *const OUTCOME_NAMES[OUTCOME_KINDS]; /* as in the schema */

/* Texts belong to the reader until its next read; NULL = none. */
struct outcome {
    const char *event_id; /* a UUID */
    int64_t queue_seq;
    enum outcome_kind kind;
    bool was_request;
    bool has_status, has_duration;
    int64_t response_status;
    int64_t duration_ms;
    const char *error_class, *error_message;
    int64_t delay_ms; /* retry and parked; else 0 */
    int64_t happened_at_us;
};

struct outcome_reader;

enum rc outcome_reader_create(const struct avro_set *set, struct outcome_reader **out_reader, struct err *err) MUST_USE;
struct outcome_reader *outcome_reader_free(struct outcome_reader *r); /* accepts NULL, returns NULL */

/*
 * A value as it came: framed Avro, or the same fields as JSON (value.format). REJECT: malformed, or fields that
 * contradict each other; the text names the field.
 */
enum rc outcome_read(struct outcome_reader *r, const void *value, size_t n, struct outcome *out,
                     struct err *err) MUST_USE;

#endif
