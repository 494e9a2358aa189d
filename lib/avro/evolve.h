/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May this schema read what that one wrote? The question behind BACKWARD_TRANSITIVE: every record still
 * retained, dead letters included, stays readable.
 *
 * Rules: https://avro.apache.org/docs/1.11.1/specification/#schema-resolution, without aliases, and stricter in
 * one point: timestamp-micros does not become a plain long or the reverse, because the meaning would change.
 */
#ifndef SLUICE_AVRO_EVOLVE_H
#define SLUICE_AVRO_EVOLVE_H

#include <stddef.h>

#include "avro/set.h"
#include "base/err.h"

/* RC_REJECT: it may not, and the text names the field and the reason. RC_FATAL: a text is no schema. */
enum rc evolve_can_read(const char *reader, size_t reader_n, const char *writer, size_t writer_n,
                        struct err *err) MUST_USE;

/* Every version of every schema against all its predecessors. */
enum rc evolve_check_set(const struct avro_set *set, struct err *err) MUST_USE;

#endif
