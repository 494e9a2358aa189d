/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes outcome records of delivery processors: fields by number, then one record with CloudEvents headers.
 * Texts come from outside and are cut or made printable: an outcome never fails because its event is strange.
 *
 * Thread: the loop's.
 */
#ifndef SLUICE_RUNTIME_OUTCOME_RECORD_H
#define SLUICE_RUNTIME_OUTCOME_RECORD_H

#include "avro/codec.h"
#include "runtime/delivery.h"

#define OUTCOME_FIELDS_MAX 32
#define OUTCOME_MESSAGE_MAX 512

struct outcome_form {
    const char *schema, *topic;
    const char *source;       /* ce_source: "/sluice/callback" */
    const char *const *names; /* of the fields, each of which the schema has (asserted), but for those of facts */
    size_t n_names;
};

struct outcome_record;

/* set and form must outlive it. FATAL: the set has no such schema. */
enum rc outcome_record_create(const struct avro_set *set, const struct outcome_form *form, bool json,
                              struct outcome_record **out_record, struct err *err) MUST_USE;
struct outcome_record *outcome_record_free(struct outcome_record *r); /* accepts NULL, returns NULL */

/* All fields unset. The setters below keep the first error for outcome_record_emit(). */
void outcome_record_begin(struct outcome_record *r);
/* UTF-8, cut between two characters. NULL: left unset. */
void outcome_record_text(struct outcome_record *r, size_t field, const char *text);
void outcome_record_long(struct outcome_record *r, size_t field, int64_t v);

/* What happened, for people and for grouping. */
struct outcome_facts {
    int status;          /* of HTTP; 0 = none came */
    int64_t duration_ms; /* -1 = no request was made */
    const char *class;   /* NULL = nothing went wrong */
    const char *message; /* the same for people; any bytes, made one line of at most OUTCOME_MESSAGE_MAX */
    int64_t happened_at_us;
};

/* The fields that every schema of outcomes has. outcome: the schema's symbol. delay_ms: -1 = it is not due again. */
void outcome_record_facts(struct outcome_record *r, const char *outcome, bool was_request, int64_t delay_ms,
                          const struct outcome_facts *facts);

struct outcome_envelope {
    const char *event_id;
    const char *outcome; /* "delivered": ce_type is sluice.outcome.delivered */
    const char *key;
    size_t key_len;
    int64_t happened_at_us;
    const char *traceparent; /* NULL = none */
};

/* Emits it beside the task's result. FATAL: it cannot be encoded (never, of an event that was read). */
enum rc outcome_record_emit(struct outcome_record *r, struct delivery_task *task, const struct outcome_envelope *e,
                            struct err *err) MUST_USE;

#endif
