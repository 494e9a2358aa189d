/* SPDX-License-Identifier: Apache-2.0 */
/* Schema sets for the avro tests. */
#include "fixture.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"
#include "schemas/avro_set.h"

struct avro_set *fixture_contract(void)
{
    struct avro_set *set = NULL;
    struct err err;
    cr_assert_eq(schemas_avro_set(&set, &err), RC_OK, "%s", err.text);
    return set;
}

struct avro_set *fixture_zoo(void)
{
    struct avro_set *set = NULL;
    struct err err;
    cr_assert_eq(zoo_create(&set, &err), RC_OK, "%s", err.text);
    return set;
}

struct avro_set *fixture_old_note(void)
{
    struct avro_set *set = NULL;
    struct err err;
    cr_assert_eq(zoo_create_old_note(&set, &err), RC_OK, "%s", err.text);
    return set;
}

void *fixture_encode(const struct avro_set *set, const char *schema, const char *json, size_t *out_n)
{
    CLEANUP(arena_done) struct arena a;
    const void *bytes = NULL;
    struct err err;
    arena_init(&a, 1024);
    cr_assert_eq(avro_encode_json(set, schema, json, strlen(json), &a, &bytes, out_n, &err), RC_OK, "%s", err.text);
    void *copy = xcalloc(*out_n, 1);
    memcpy(copy, bytes, *out_n);
    return copy;
}
