/* SPDX-License-Identifier: Apache-2.0 */
#include "delivery_state/checked.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/uuid.h"

#define TIME_MAX_US INT64_C(253402300799000000) /* 9999-12-31 */

enum rc checked_open(struct checked *r, const struct avro_set *set, const char *schema, const char *const *names,
                     size_t n, struct err *err)
{
    *r = (struct checked){.names = names};
    assert(n <= CHECKED_FIELDS_MAX);
    return avro_input_open(set, schema, names, n, r->field, &r->in, err);
}

void checked_close(struct checked *r)
{
    r->in = avro_input_free(r->in);
}

bool checked_has(const struct checked *r, int f)
{
    return !avro_input_null(r->in, r->field[f]);
}

const char *checked_text(const struct checked *r, int f)
{
    size_t n = 0;

    return avro_input_string(r->in, r->field[f], &n);
}

int64_t checked_long(const struct checked *r, int f, int64_t fallback)
{
    return avro_input_long(r->in, r->field[f], fallback);
}

int checked_symbol(const struct checked *r, int f, const char *const *list, int n)
{
    const char *name = checked_text(r, f);

    for (int i = 0; i < n; i++) {
        if (strcmp(list[i], name) == 0) {
            return i;
        }
    }
    return 0;
}

enum rc checked_id(const struct checked *r, int f, const char **out_id, struct err *err)
{
    const char *id = checked_text(r, f);

    if (!uuid_check(id, strlen(id))) {
        FAIL(err, RC_REJECT, "field %s: expected a UUID", r->names[f]);
    }
    *out_id = id;
    return RC_OK;
}

enum rc checked_seq(const struct checked *r, int f, int64_t *out_seq, struct err *err)
{
    int64_t seq = checked_long(r, f, 0);

    if (seq < 1) {
        FAIL(err, RC_REJECT, "field %s is %" PRId64 "; expected at least 1", r->names[f], seq);
    }
    *out_seq = seq;
    return RC_OK;
}

enum rc checked_delay(const struct checked *r, int f, const char *kind, bool waits, int64_t *out_ms, struct err *err)
{
    int64_t ms = waits ? checked_long(r, f, -1) : 0;

    if (ms < 0 || ms > CHECKED_DELAY_MS_MAX) {
        FAIL(err, RC_REJECT, "field %s of %s is missing or not in 0..%" PRId64, r->names[f], kind,
             CHECKED_DELAY_MS_MAX);
    }
    *out_ms = ms;
    return RC_OK;
}

enum rc checked_was_request(const struct checked *r, int f, bool parked, bool *out_was, struct err *err)
{
    bool was = avro_input_bool(r->in, r->field[f], false);

    if (was && parked) {
        FAIL(err, RC_REJECT, "field %s is true; expected false of what was parked", r->names[f]);
    }
    *out_was = was;
    return RC_OK;
}

enum rc checked_time(const struct checked *r, int f, int64_t fallback, int64_t *out_us, struct err *err)
{
    int64_t us = checked_long(r, f, fallback);

    if (us < 0 || us > TIME_MAX_US) {
        FAIL(err, RC_REJECT, "field %s is %" PRId64 "; expected microseconds between 1970 and 9999", r->names[f], us);
    }
    *out_us = us;
    return RC_OK;
}
