/* SPDX-License-Identifier: Apache-2.0 */
/* Schemas for the avro tests: the contract's own, and made-up ones with every type and two versions. */
#ifndef SLUICE_TESTS_AVRO_FIXTURE_H
#define SLUICE_TESTS_AVRO_FIXTURE_H

#include "avro/codec.h"

/* The schemas the program is built with. Fails the test when they do not load. */
struct avro_set *fixture_contract(void);

/* "zoo" (id 7): one record with every type. "note" (ids 8, 9): two versions. */
struct avro_set *fixture_zoo(void);
extern const char ZOO_JSON[]; /* a full zoo record, as avro_decode_json prints it */

/* A program that knows only note version 1. */
struct avro_set *fixture_old_note(void);

/* A framed value in heap memory of exactly its size, so that ASan sees any read behind it. Free with free(). */
void *fixture_encode(const struct avro_set *set, const char *schema, const char *json, size_t *out_n);

#endif
