/* SPDX-License-Identifier: Apache-2.0 */
/* A record of notification.outcomes, read and checked. */
#ifndef SLUICE_DELIVERY_STATE_PUSH_OUTCOME_H
#define SLUICE_DELIVERY_STATE_PUSH_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avro/codec.h"
#include "base/err.h"
#include "base/mem.h"

enum pushed_kind { PUSHED_DELIVERED, PUSHED_FAILED, PUSHED_RETRY, PUSHED_PARKED, PUSHED_DEAD_LETTER };
#define PUSHED_KINDS 5
extern const char *const PUSHED_NAMES[PUSHED_KINDS]; /* as in the schema */

enum pushed_device { PUSHED_KEEP, PUSHED_OK, PUSHED_STRIKE, PUSHED_GONE };
#define PUSHED_DEVICES 4
extern const char *const PUSHED_DEVICE_NAMES[PUSHED_DEVICES]; /* as in the schema */

/* Texts belong to the reader until its next read; NULL = none. */
struct pushed {
    const char *event_id; /* of the row, a UUID */
    int64_t queue_seq;
    enum pushed_kind kind;
    bool was_request;
    const char *verdict, *provider, *provider_code;
    bool has_status;
    int64_t response_status;
    const char *error_class, *error_message;
    enum pushed_device device;
    const char *appid, *cid; /* not empty where something is said of the device */
    int64_t device_at_us;    /* as of when that is; happened_at_us where the record does not say */
    int64_t delay_ms;        /* retry and parked; else 0 */
    int64_t happened_at_us;
};

struct pushed_reader;

enum rc pushed_reader_create(const struct avro_set *set, struct pushed_reader **out_reader, struct err *err) MUST_USE;
struct pushed_reader *pushed_reader_free(struct pushed_reader *r); /* accepts NULL, returns NULL */

/*
 * A value as it came: framed Avro, or the same fields as JSON (value.format). REJECT: malformed, or fields that
 * contradict each other; the text names the field.
 */
enum rc pushed_read(struct pushed_reader *r, const void *value, size_t n, struct pushed *out, struct err *err) MUST_USE;

#endif
