/* SPDX-License-Identifier: Apache-2.0 */
/* Schema sets for the avro tests; each fails the test when it does not load. */
#ifndef SLUICE_TESTS_AVRO_FIXTURE_H
#define SLUICE_TESTS_AVRO_FIXTURE_H

#include "avro/codec.h"
#include "support/zoo.h"

/* The schemas the program is built with. */
struct avro_set *fixture_contract(void);

struct avro_set *fixture_zoo(void);
struct avro_set *fixture_old_note(void);

/* A framed value in heap memory of exactly its size, so that ASan sees any read behind it. Free with free(). */
void *fixture_encode(const struct avro_set *set, const char *schema, const char *json, size_t *out_n);

#endif
