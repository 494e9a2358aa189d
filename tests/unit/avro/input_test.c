/* SPDX-License-Identifier: Apache-2.0 */
/* Typed access: both versions of a schema seen with the fields of the newest. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

static struct avro_set *set;
static struct avro_input *in;
static struct err err;

static void setup(void)
{
    set = fixture_zoo();
    cr_assert_eq(avro_input_create(set, "note", &in, &err), RC_OK, "%s", err.text);
}

static void teardown(void)
{
    in = avro_input_free(in);
    set = avro_set_free(set);
}

TestSuite(avro_input, .init = setup, .fini = teardown);

static int at(const char *name)
{
    int i = avro_input_index(in, name);
    cr_assert_geq(i, 0, "no field %s", name);
    return i;
}

static void assert_string(const char *field, const char *expected)
{
    size_t n = 0;
    const char *s = avro_input_string(in, at(field), &n);
    cr_assert_str_eq(s, expected);
    cr_assert_eq(n, strlen(expected));
}

static void read_json(const struct avro_set *writer, const char *json)
{
    size_t n = 0;
    CLEANUP(freep) void *bytes = fixture_encode(writer, "note", json, &n);
    cr_assert_eq(avro_input_read(in, bytes, n, &err), RC_OK, "%s", err.text);
}

Test(avro_input, reads_the_newest_version)
{
    size_t n = 1;
    read_json(set, "{\"id\":null,\"n\":1,\"x\":0.5,\"added\":\"a\",\"count\":2,\"flag\":false,\"kind\":\"a\","
                   "\"maybe\":\"m\"}");
    cr_assert(avro_input_null(in, at("id")));
    cr_assert_null(avro_input_string(in, at("id"), &n));
    cr_assert_eq(n, 0);
    cr_assert_eq(avro_input_long(in, at("n"), -1), 1);
    cr_assert_eq(avro_input_long(in, at("count"), -1), 2);
    cr_assert(fabs(avro_input_double(in, at("x"), 0) - 0.5) < 1e-9);
    cr_assert_eq(avro_input_bool(in, at("flag"), true), false);
    assert_string("added", "a");
    assert_string("kind", "a");
    assert_string("maybe", "m");
    cr_assert_eq(avro_input_index(in, "gone"), -1);
}

Test(avro_input, opens_with_the_numbers_of_fields)
{
    static const char *const good[] = {"maybe", "id"};
    static const char *const bad[] = {"id", "gone"};
    struct avro_input *own = NULL;
    int fields[2] = {-1, -1};

    cr_assert_eq(avro_input_open(set, "note", bad, 2, fields, &own, &err), RC_FATAL);
    cr_assert_str_eq(err.text, "Avro schema note has no field gone");
    cr_assert_eq(avro_input_open(set, "nowhere", good, 2, fields, &own, &err), RC_FATAL);
    cr_assert_null(own);
    cr_assert_eq(avro_input_open(set, "note", good, 2, fields, &own, &err), RC_OK, "%s", err.text);
    cr_assert(fields[0] == at("maybe") && fields[1] == at("id"));
    avro_input_free(own);
}

Test(avro_input, gives_defaults_and_promotions_for_an_older_version)
{
    CLEANUP(avro_set_freep) struct avro_set *old = fixture_old_note();
    read_json(old, "{\"gone\":\"g\",\"id\":\"i\",\"n\":-7,\"x\":3}");
    assert_string("id", "i");
    assert_string("added", "fresh");
    assert_string("kind", "b");
    cr_assert_eq(avro_input_long(in, at("n"), 0), -7);
    cr_assert_eq(avro_input_long(in, at("count"), 0), 5);
    cr_assert(fabs(avro_input_double(in, at("x"), 0) - 3) < 1e-9);
    cr_assert_eq(avro_input_bool(in, at("flag"), false), true);
    cr_assert(avro_input_null(in, at("maybe")));
}

Test(avro_input, versions_alternate)
{
    CLEANUP(avro_set_freep) struct avro_set *old = fixture_old_note();
    for (int i = 0; i < 20; i++) {
        read_json(old, "{\"gone\":\"g\",\"id\":\"i\",\"n\":-7,\"x\":3}");
        assert_string("added", "fresh");
        read_json(set, "{\"n\":8,\"x\":0.5,\"added\":\"other\"}");
        assert_string("added", "other");
    }
}

Test(avro_input, refuses_another_schema_and_malformed_bytes_and_goes_on)
{
    size_t n = 0;
    CLEANUP(freep) unsigned char *other = fixture_encode(set, "zoo", ZOO_JSON, &n);
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(avro_input_read(in, other, n, &err), RC_REJECT);
        cr_assert(strstr(err.text, "expected note"), "%s", err.text);
        cr_assert_eq(avro_input_read(in,
                                     "\0\0\0\0\x08\x06"
                                     "ab",
                                     8, &err),
                     RC_REJECT);
        cr_assert_eq(avro_input_read(in, "\0\0\0\0\x08\x02\0\0\0\0", 10, &err), RC_REJECT);
        cr_assert(strstr(err.text, "U+0000"), "%s", err.text);
    }
    read_json(set, "{\"n\":8,\"x\":0.5}");
    cr_assert_eq(avro_input_long(in, at("n"), 0), 8);
}

Test(avro_input, knows_only_the_sets_schemas)
{
    struct avro_input *none = NULL;
    cr_assert_eq(avro_input_create(set, "nonsense", &none, &err), RC_FATAL);
    cr_assert_null(none);
}
