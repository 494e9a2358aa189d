/* SPDX-License-Identifier: Apache-2.0 */
/* Made-up schemas for unit tests and fuzzers: "zoo" (id 7) has every type, "note" (ids 8, 9) has two versions. */
#ifndef SLUICE_TESTS_ZOO_H
#define SLUICE_TESTS_ZOO_H

#include "avro/set.h"
#include "base/err.h"

extern const char ZOO_JSON[]; /* a full zoo record, as avro_decode_json prints it */

enum rc zoo_create(struct avro_set **out_set, struct err *err) MUST_USE;
/* A program that knows only note version 1. */
enum rc zoo_create_old_note(struct avro_set **out_set, struct err *err) MUST_USE;

#endif
