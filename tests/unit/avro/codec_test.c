/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign bytes and foreign JSON: round trips, every corruption, refusals that name field, place and expectation. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

static struct avro_set *contract;
static struct avro_set *zoo;
static struct err err;

static void setup(void)
{
    contract = fixture_contract();
    zoo = fixture_zoo();
}

static void teardown(void)
{
    contract = avro_set_free(contract);
    zoo = avro_set_free(zoo);
}

TestSuite(avro_codec, .init = setup, .fini = teardown);

static const char OUTCOME_JSON[] =
    "{\"event_id\":\"e1\",\"queue_seq\":42,\"platform\":\"demo\",\"event_type\":\"t\",\"callback_target\":\"u\","
    "\"outcome\":\"retry\",\"was_request\":true,\"response_status\":503,\"error_class\":\"http_5xx\","
    "\"error_message\":null,\"duration_ms\":12,\"delay_ms\":10000,\"happened_at\":1700000000000000,"
    "\"traceparent\":null}";

static enum rc decode(const struct avro_set *set, const void *bytes, size_t n)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1 << 20);
    return avro_decode_json(set, bytes, n, &out, &err);
}

static void assert_round_trip(const struct avro_set *set, const char *schema, const char *json)
{
    CLEANUP(buf_done) struct buf out;
    size_t n = 0;
    CLEANUP(freep) void *bytes = fixture_encode(set, schema, json, &n);
    buf_init(&out, 1 << 20);
    cr_assert_eq(avro_decode_json(set, bytes, n, &out, &err), RC_OK, "%s", err.text);
    cr_assert_str_eq(buf_str(&out), json);
}

Test(avro_codec, json_to_avro_and_back_is_the_same_text)
{
    assert_round_trip(contract, "callback_outcome", OUTCOME_JSON);
    assert_round_trip(zoo, "zoo", ZOO_JSON);
}

/* Each byte gets each value, each prefix is tried: anything but a crash, a leak or a wrong rc. */
static void torment(const struct avro_set *set, const char *schema, const char *json)
{
    size_t n = 0;
    CLEANUP(freep) unsigned char *bytes = fixture_encode(set, schema, json, &n);
    for (size_t i = 0; i < n; i++) {
        unsigned char was = bytes[i];
        for (int v = 0; v < 256; v++) {
            bytes[i] = (unsigned char)v;
            enum rc rc = decode(set, bytes, n);
            cr_assert(rc == RC_OK || rc == RC_REJECT, "byte %zu = %d: %s", i, v, err.text);
        }
        bytes[i] = was;
    }
    for (size_t cut = 0; cut < n; cut++) {
        CLEANUP(freep) unsigned char *shorter = xcalloc(cut, 1);
        memcpy(shorter, bytes, cut);
        cr_assert_eq(decode(set, shorter, cut), RC_REJECT, "%zu of %zu bytes were taken", cut, n);
    }
    cr_assert_eq(decode(set, bytes, n), RC_OK);
}

Test(avro_codec, every_corruption_and_truncation_is_taken_or_refused)
{
    torment(contract, "callback_outcome", OUTCOME_JSON);
    torment(zoo, "zoo", ZOO_JSON);
}

Test(avro_codec, refusals_name_field_offset_and_expectation)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *says;
    } rows[] = {
        {"", 0, "value of 0 bytes: expected 0x00"},
        {"\0\0\0\0", 4, "value of 4 bytes"},
        {"{\"a\":1}", 7, "starts with byte 0x7b: expected 0x00"},
        {"\0\0\0\0\x63", 5, "schema id 99 is not known"},
        {"\0\xff\xff\xff\xff", 5, "schema id 4294967295 is not known"},
        {"\0\0\0\0\x08", 5, "schema note version 1: malformed Avro: gone at byte 5: expected a length"},
        {"\0\0\0\0\x08\x01", 6, "gone at byte 5: expected a length within the value"},
        {"\0\0\0\0\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 15, "gone at byte 5: expected a length within"},
        {"\0\0\0\0\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x02", 15, "a number of at most 64 bits"},
        {"\0\0\0\0\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 16, "a number of at most 64 bits"},
        {"\0\0\0\0\x08\x04"
         "a\xff",
         8, "gone at byte 7: expected UTF-8"},
        {"\0\0\0\0\x08\0\0\x80\x80\x80\x80\x10\0", 13, "n at byte 7: expected an int of 32 bits"},
        {"\0\0\0\0\x08\0\0\0\0\x01", 10, "1 bytes behind the end of the value at byte 9"},
        {"\0\0\0\0\x09\x04", 6, "id at byte 5: expected a union branch, 0 or 1"},
        {"\0\0\0\0\x09\x01", 6, "id at byte 5: expected a union branch"},
        {"\0\0\0\0\x09\0\0\0\0\0\0", 11, "x at byte 7: expected 8 bytes of a double"},
        {"\0\0\0\0\x09\0\0\0\0\0\0\0\0\0\0\0\0\x02", 18, "flag at byte 17: expected a boolean"},
        {"\0\0\0\0\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\x04", 19, "kind at byte 18: expected the index of an enum symbol"},
        {"\0\0\0\0\x07\x02", 6, "flag at byte 5: expected a boolean"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        cr_assert_eq(decode(zoo, rows[i].bytes, rows[i].n), RC_REJECT, "row %zu", i);
        cr_assert(strstr(err.text, rows[i].says), "row %zu: %s lacks %s", i, err.text, rows[i].says);
    }
}

/* zoo up to and without its list: flag, small, large, single, real, raw, text, color, four */
#define ZOO_HEAD       \
    "\0\0\0\0\x07"     \
    "\x01\0\0"         \
    "\0\0\0\0"         \
    "\0\0\0\0\0\0\0\0" \
    "\0\0"             \
    "\0"               \
    "abcd"
#define ZOO_HEAD_BYTES (5 + 3 + 4 + 8 + 2 + 1 + 4)

static enum rc decode_zoo(const char *tail, size_t tail_n)
{
    CLEANUP(freep) char *bytes = xcalloc(ZOO_HEAD_BYTES + tail_n, 1);
    memcpy(bytes, ZOO_HEAD, ZOO_HEAD_BYTES);
    memcpy(bytes + ZOO_HEAD_BYTES, tail, tail_n);
    return decode(zoo, bytes, ZOO_HEAD_BYTES + tail_n);
}

Test(avro_codec, blocks_with_and_without_sizes_and_absurd_counts)
{
    static const struct {
        const char *tail;
        size_t n;
        const char *says; /* NULL = fine */
    } rows[] = {
        {"\0\0\0\0\0\0\0", 7, NULL},
        {"\x02\x02\0\0\0\0\0\0\0", 9, NULL},      /* one null */
        {"\x01\x02\x02\0\0\0\0\0\0\0", 10, NULL}, /* one null in a block with its size */
        {"\xfe\xff\xff\xff\x0f\x02\x02", 7, "list at byte 27: expected a block count"},
        {"\x01\x7f\x02", 3, "list at byte 27: expected a block within"},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02", 11, "list at byte 27: expected a block within"},
        {"\x02\0\x02"
         "a\0\0\0\0\0\0\0",
         11, NULL},
        {"\x02\0\x02\xff", 4, "list[] at byte 30: expected UTF-8"},
        {"\0\x02\x02\0\x02\0\0\0\0\0", 10, "dict[] at byte 30: expected text without U+0000"},
        {"\0\0\x04", 3, "inner.color at byte 29: expected the index"},
        {"\0\0\0\0\x02\x08\0", 7, "inners[].color at byte 32: expected the index"},
        {"\0\0\0\0\0\x02\x08", 7, "maybe.color at byte 33: expected the index"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        enum rc rc = decode_zoo(rows[i].tail, rows[i].n);
        cr_assert_eq(rc, rows[i].says == NULL ? RC_OK : RC_REJECT, "row %zu: %s", i, err.text);
        cr_assert(rows[i].says == NULL || strstr(err.text, rows[i].says), "row %zu: %s", i, err.text);
    }
}

Test(avro_codec, elements_without_bytes_are_still_counted)
{
    static const char schema[] = "{\"type\":\"record\",\"name\":\"void\",\"fields\":[{\"name\":\"v\",\"type\":"
                                 "{\"type\":\"array\",\"items\":\"null\"}}]}";
    static const char ids[] = "{\"void\":[{\"version\":1,\"id\":1,\"sha256\":"
                              "\"0000000000000000000000000000000000000000000000000000000000000000\"}]}";
    const struct avro_file file = {"void.avsc", schema, strlen(schema)};
    CLEANUP(avro_set_freep) struct avro_set *set = NULL;
    cr_assert_eq(avro_set_create(&file, 1, ids, strlen(ids), &set, &err), RC_OK, "%s", err.text);
    cr_assert_eq(decode(set, "\0\0\0\0\1\4\0", 7), RC_OK);
    cr_assert_eq(decode(set, "\0\0\0\0\1\x80\x80\x80\x80\x80\x20\0", 12), RC_REJECT);
    cr_assert(strstr(err.text, "at most 1000000 elements"), "%s", err.text);
}

Test(avro_codec, output_over_its_ceiling_leaves_the_buffer_as_it_was)
{
    CLEANUP(buf_done) struct buf out;
    size_t n = 0;
    CLEANUP(freep) void *bytes = fixture_encode(contract, "callback_outcome", OUTCOME_JSON, &n);
    buf_init(&out, 50);
    buf_puts(&out, "before");
    cr_assert_eq(avro_decode_json(contract, bytes, n, &out, &err), RC_REJECT);
    cr_assert_str_eq(buf_str(&out), "before");
    cr_assert(buf_puts(&out, " and after"));
}

Test(avro_codec, numbers_json_cannot_hold_become_strings)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1000);
    static const char bytes[] = "\0\0\0\0\x09\0\0\0\0\0\0\0\0\xf8\x7f\0\0\0\0\0";
    cr_assert_eq(avro_decode_json(zoo, bytes, sizeof(bytes) - 1, &out, &err), RC_OK, "%s", err.text);
    cr_assert(strstr(buf_str(&out), "\"x\":\"NaN\""), "%s", buf_str(&out));
}

static enum rc encode(const struct avro_set *set, const char *schema, const char *json, size_t json_n)
{
    CLEANUP(arena_done) struct arena a;
    const void *bytes = NULL;
    size_t n = 0;
    arena_init(&a, 1024);
    return avro_encode_json(set, schema, json, json_n, &a, &bytes, &n, &err);
}

Test(avro_codec, json_refusals_name_the_field_and_the_type)
{
    static const struct {
        const char *json;
        const char *says;
    } rows[] = {
        {"", "not JSON"},
        {"[]", "field value: expected record, found an array"},
        {"{\"n\":1,\"x\":2} x", "not JSON"},
        {"{\"n\":1,\"n\":1,\"x\":2}", "not JSON"},
        {"{\"n\":1,\"x\":2,\"zzz\":3}", "field zzz: unknown field"},
        {"{\"x\":2}", "field n: missing, expected long"},
        {"{\"n\":\"1\",\"x\":2}", "field n: expected long, found a string"},
        {"{\"n\":1.5,\"x\":2}", "field n: expected long, found a number with a fraction"},
        {"{\"n\":null,\"x\":2}", "field n: expected long, found null"},
        {"{\"n\":9223372036854775808,\"x\":2}", "not JSON"},
        {"{\"n\":1,\"x\":true}", "field x: expected double, found a boolean"},
        {"{\"n\":1,\"x\":2,\"id\":7}", "field id: expected string, found an integer"},
        {"{\"n\":1,\"x\":2,\"id\":{\"string\":\"s\"}}", "field id: expected string, found an object"},
        {"{\"n\":1,\"x\":2,\"id\":\"a\\u0000b\"}", "field id: expected a string without U+0000"},
        {"{\"n\":1,\"x\":2,\"count\":2147483648}", "field count: out of range: expected int"},
        {"{\"n\":1,\"x\":2,\"kind\":\"c\"}", "field kind: not a symbol"},
        {"{\"n\":1,\"x\":2,\"flag\":1}", "field flag: expected boolean, found an integer"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        cr_assert_eq(encode(zoo, "note", rows[i].json, strlen(rows[i].json)), RC_REJECT, "row %zu", i);
        cr_assert(strstr(err.text, rows[i].says), "row %zu: %s lacks %s", i, err.text, rows[i].says);
    }
    cr_assert_eq(encode(zoo, "note", "{\"n\":1,\"x\":2}", 13), RC_OK, "%s", err.text);
    cr_assert_eq(encode(zoo, "nonsense", "{}", 2), RC_REJECT);
    cr_assert(strstr(err.text, "nonsense"));
}

/* What JSON_OLD has in place of JSON_NEW is refused with `says`. */
Test(avro_codec, json_refusals_name_the_path_inside_nested_types)
{
    static const struct {
        const char *old, *new, *says;
    } rows[] = {
        {"[\"x\",null,\"\"]", "[\"x\",5]", "field list[]: expected string, found an integer"},
        {"[\"x\",null,\"\"]", "{}", "field list: expected array"},
        {"{\"k\":-1,\"l\":2}", "{\"k\":\"\"}", "field dict[]: expected long"},
        {"{\"k\":-1,\"l\":2}", "[]", "field dict: expected map"},
        {"\"maybe\":7", "\"maybe\":7,\"more\":1", "field inner.more: unknown field"},
        {"\"maybe\":7", "\"maybe\":false", "field inner.maybe: expected long"},
        {"\"abcd\"", "\"abc\"", "field four: a fixed of another length"},
        {"\"\\u0000\\u00ffA\"", "\"\\u0100\"", "field raw: expected bytes"},
        {"\"\\u0000\\u00ffA\"", "1", "field raw: expected bytes, found an integer"},
        {"\"none\":null", "\"none\":1", "field none: expected null"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *at = strstr(ZOO_JSON, rows[i].old);
        cr_assert_not_null(at);
        CLEANUP(freep)
        char *json = xasprintf("%.*s%s%s", (int)(at - ZOO_JSON), ZOO_JSON, rows[i].new, at + strlen(rows[i].old));
        cr_assert_eq(encode(zoo, "zoo", json, strlen(json)), RC_REJECT, "row %zu", i);
        cr_assert(strstr(err.text, rows[i].says), "row %zu: %s lacks %s", i, err.text, rows[i].says);
    }
}

Test(avro_codec, json_over_the_ceilings_is_refused)
{
    size_t n = AVRO_JSON_BYTES_MAX + 1;
    CLEANUP(freep) char *text = xcalloc(n, 1);
    memset(text, '[', n);
    cr_assert_eq(encode(zoo, "note", text, n), RC_REJECT);
    cr_assert(strstr(err.text, "more than the limit"), "%s", err.text);
    cr_assert_eq(encode(zoo, "note", text, n - 1), RC_REJECT, "nested too deeply");
}

Test(avro_codec, the_frame_says_which_schema)
{
    const struct avro_version *v = NULL;
    cr_assert_eq(avro_frame_version(zoo, "\0\0\0\0\x08", 5, &v, &err), RC_OK);
    cr_assert_str_eq(avro_version_name(v), "note");
    cr_assert_eq(avro_version_number(v), 1);
    cr_assert_eq(avro_version_id(v), 8);
}
