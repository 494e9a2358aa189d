/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Are these bytes one well-formed value of this schema? Asked before avro-c sees them: its decoder has no bounds
 * on lengths and leaks what it had read when it fails, so a poison record would cost memory each time.
 *
 * Checked: every length and count against what is left, union branch, enum index, boolean, int range, UTF-8,
 * no bytes behind the value. Nothing is allocated. Depth is bounded by the schema.
 *
 * Rules: https://avro.apache.org/docs/1.11.1/specification/#binary-encoding
 * Thread: any. Fuzzed by tests/fuzz/fuzz_check.c.
 */
#ifndef SLUICE_AVRO_CHECK_H
#define SLUICE_AVRO_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "avro/shape.h"
#include "base/err.h"

#define CHECK_ITEMS_MAX 1000000 /* array elements and map entries in one value */

struct check_input {
    const void *bytes;
    size_t n;
    size_t start;    /* the body begins here; offsets in messages count from bytes */
    bool refuse_nul; /* U+0000 in strings too (map keys never may have it) */
};

/* RC_REJECT: names the field, the offset and what was expected there. */
enum rc check_body(const struct shape *s, const struct check_input *in, struct err *err) MUST_USE;

#endif
