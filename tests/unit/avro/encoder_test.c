/* SPDX-License-Identifier: Apache-2.0 */
/* The relay's way of encoding: fields by number, text forms, refusals that name the field. */
#include <criterion/criterion.h>
#include <string.h>

#include "fixture.h"

static struct avro_set *set;
static struct avro_encoder *enc;
static struct arena arena;
static struct err err;

static void setup(void)
{
    set = fixture_contract();
    arena_init(&arena, 4096);
    cr_assert_eq(avro_encoder_create(set, "callback_event", &enc, &err), RC_OK, "%s", err.text);
}

static void teardown(void)
{
    enc = avro_encoder_free(enc);
    set = avro_set_free(set);
    arena_done(&arena);
}

TestSuite(avro_encoder, .init = setup, .fini = teardown);

static size_t at(const char *name)
{
    int i = avro_encoder_field_index(enc, name);
    cr_assert_geq(i, 0, "no field %s", name);
    return (size_t)i;
}

static enum rc set_text(const char *name, const char *text)
{
    return avro_encoder_set_text(enc, at(name), text, strlen(text), &err);
}

static const char *const EVENT[][2] = {
    {"event_id", "018f"},      {"platform", "demo"}, {"event_type", "order.paid"}, {"callback_target", "https://x/y"},
    {"payload", "{\"a\": 1}"}, {"queue_seq", "42"},  {"round_attempts", "3"},      {"created_at", "1700000000000001"},
};

static void fill_event(void)
{
    avro_encoder_reset(enc);
    for (size_t i = 0; i < ARRAY_SIZE(EVENT); i++) {
        cr_assert_eq(set_text(EVENT[i][0], EVENT[i][1]), RC_OK, "%s", err.text);
    }
}

static const void *wire(size_t *out_n)
{
    const void *bytes = NULL;
    cr_assert_eq(avro_encoder_wire(enc, &arena, 1 << 20, &bytes, out_n, &err), RC_OK, "%s", err.text);
    return bytes;
}

Test(avro_encoder, writes_the_confluent_frame_and_the_exact_body)
{
    static const unsigned char expected[] =
        "\x00\x00\x00\x03\xe9\x08"
        "018f\x08"
        "demo\x14order.paid\x16https://x/y\x10{\"a\": 1}\x54\x06\x82\x80\xf2\x81\x83\x89\x85\x06\x00";
    size_t n = 0;
    fill_event();
    const unsigned char *bytes = wire(&n);
    cr_assert_eq(n, sizeof(expected) - 1);
    cr_assert_arr_eq(bytes, expected, n);
}

Test(avro_encoder, prints_the_same_record_as_json_and_as_decoded_wire)
{
    const char *json = NULL;
    size_t json_n = 0;
    size_t n = 0;
    CLEANUP(buf_done) struct buf decoded;
    buf_init(&decoded, 4096);
    fill_event();
    cr_assert_eq(set_text("traceparent", "00-ab"), RC_OK);
    const void *bytes = wire(&n);
    cr_assert_eq(avro_encoder_json(enc, &arena, 4096, &json, &json_n, &err), RC_OK);
    cr_assert_eq(avro_decode_json(set, bytes, n, &decoded, &err), RC_OK, "%s", err.text);
    cr_assert_str_eq(json, buf_str(&decoded));
    cr_assert_eq(json_n, strlen(json));
    cr_assert_str_eq(json, "{\"event_id\":\"018f\",\"platform\":\"demo\",\"event_type\":\"order.paid\","
                           "\"callback_target\":\"https://x/y\",\"payload\":\"{\\\"a\\\": 1}\",\"queue_seq\":42,"
                           "\"round_attempts\":3,\"created_at\":1700000000000001,\"traceparent\":\"00-ab\"}");
}

Test(avro_encoder, describes_its_fields)
{
    const struct avro_field *created = avro_encoder_field(enc, at("created_at"));
    const struct avro_field *trace = avro_encoder_field(enc, at("traceparent"));
    cr_assert_eq(avro_encoder_field_count(enc), 9);
    cr_assert_eq(avro_encoder_field_index(enc, "nonsense"), -1);
    cr_assert_eq(avro_encoder_schema_id(enc), 1001);
    cr_assert(created->kind == AVRO_KIND_LONG && created->timestamp_micros && !created->nullable);
    cr_assert(trace->kind == AVRO_KIND_STRING && trace->nullable && trace->has_default);
    cr_assert_str_eq(avro_kind_name(created->kind), "long");
}

Test(avro_encoder, forgets_the_previous_record)
{
    size_t first_n = 0;
    size_t n = 0;
    fill_event();
    cr_assert_eq(set_text("traceparent", "00-ab"), RC_OK);
    wire(&first_n);
    fill_event();
    wire(&n);
    cr_assert_eq(first_n, n + 6, "traceparent of the first record must not be in the second");
    for (int i = 0; i < 50; i++) {
        fill_event();
        if (i % 2 == 0) {
            cr_assert_eq(set_text("traceparent", "00-ab"), RC_OK);
        } else {
            cr_assert_eq(avro_encoder_set_null(enc, at("traceparent"), &err), RC_OK);
        }
        wire(&n);
        cr_assert_eq(n, i % 2 == 0 ? first_n : first_n - 6);
    }
}

Test(avro_encoder, names_each_missing_required_field)
{
    for (size_t skip = 0; skip < ARRAY_SIZE(EVENT); skip++) {
        const void *bytes = NULL;
        size_t n = 0;
        avro_encoder_reset(enc);
        for (size_t i = 0; i < ARRAY_SIZE(EVENT); i++) {
            cr_assert(i == skip || set_text(EVENT[i][0], EVENT[i][1]) == RC_OK);
        }
        cr_assert_eq(avro_encoder_wire(enc, &arena, 4096, &bytes, &n, &err), RC_REJECT);
        cr_assert(strstr(err.text, EVENT[skip][0]) && strstr(err.text, "missing"), "%s", err.text);
    }
}

Test(avro_encoder, refuses_what_the_field_cannot_hold)
{
    static const struct {
        const char *field, *text;
        size_t n;
        const char *says;
    } rows[] = {
        {"payload", "a\xff", 2, "field payload: invalid UTF-8 at byte 1"},
        {"payload", "a\0b", 3, "field payload: U+0000 at byte 1"},
        {"payload", "\xed\xa0\x80", 3, "invalid UTF-8 at byte 0"},
        {"payload", "\xc0\x80", 2, "invalid UTF-8"},
        {"payload", "12345678\xf0\x9f\x98", 11, "invalid UTF-8 at byte 8"},
        {"queue_seq", "9223372036854775808", 19, "field queue_seq: expected a decimal integer"},
        {"queue_seq", "-9223372036854775809", 20, "queue_seq"},
        {"queue_seq", "", 0, "queue_seq"},
        {"queue_seq", "-", 1, "queue_seq"},
        {"queue_seq", "1e6", 3, "queue_seq"},
        {"queue_seq", " 1", 2, "queue_seq"},
        {"queue_seq", "1\0", 2, "queue_seq"},
        {"round_attempts", "2147483648", 10, "round_attempts: expected int"},
        {"created_at", "2026-11-22", 10, "created_at: expected microseconds"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        cr_assert_eq(avro_encoder_set_text(enc, at(rows[i].field), rows[i].text, rows[i].n, &err), RC_REJECT);
        cr_assert(strstr(err.text, rows[i].says), "%s lacks %s", err.text, rows[i].says);
    }
    cr_assert_eq(avro_encoder_set_long(enc, at("payload"), 1, &err), RC_REJECT);
    cr_assert_eq(avro_encoder_set_null(enc, at("payload"), &err), RC_REJECT);
    cr_assert_eq(avro_encoder_set_bool(enc, at("payload"), true, &err), RC_REJECT);
    cr_assert_eq(avro_encoder_set_double(enc, at("payload"), 1, &err), RC_REJECT);
    cr_assert_eq(avro_encoder_set_string(enc, at("queue_seq"), "1", 1, &err), RC_REJECT);
}

Test(avro_encoder, a_refused_field_does_not_keep_its_old_value)
{
    const void *bytes = NULL;
    size_t n = 0;
    fill_event();
    cr_assert_eq(set_text("payload", "\xff"), RC_REJECT);
    cr_assert_eq(avro_encoder_wire(enc, &arena, 4096, &bytes, &n, &err), RC_REJECT);
    fill_event();
    cr_assert_eq(set_text("queue_seq", "x"), RC_REJECT);
    cr_assert_eq(avro_encoder_wire(enc, &arena, 4096, &bytes, &n, &err), RC_REJECT);
}

Test(avro_encoder, takes_the_extremes_of_numbers)
{
    static const char *const rows[] = {"-9223372036854775808", "9223372036854775807", "0", "-1"};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        size_t n = 0;
        CLEANUP(buf_done) struct buf out;
        buf_init(&out, 4096);
        fill_event();
        cr_assert_eq(set_text("queue_seq", rows[i]), RC_OK);
        const void *bytes = wire(&n);
        cr_assert_eq(avro_decode_json(set, bytes, n, &out, &err), RC_OK);
        cr_assert(strstr(buf_str(&out), rows[i]));
    }
}

Test(avro_encoder, refuses_a_record_over_the_ceiling_and_takes_one_exactly_at_it)
{
    const void *bytes = NULL;
    const char *json = NULL;
    size_t n = 0;
    size_t small = 0;
    fill_event();
    wire(&small);
    cr_assert_eq(avro_encoder_wire(enc, &arena, small, &bytes, &n, &err), RC_OK);
    cr_assert_eq(avro_encoder_wire(enc, &arena, small - 1, &bytes, &n, &err), RC_REJECT);
    cr_assert_eq(avro_encoder_wire(enc, &arena, 3, &bytes, &n, &err), RC_REJECT);
    cr_assert_eq(avro_encoder_json(enc, &arena, 20, &json, &n, &err), RC_REJECT);
}

Test(avro_encoder, writes_every_outcome)
{
    static const char *const verdicts[] = {"delivered", "retry", "parked", "dead_letter"};
    CLEANUP(avro_encoder_freep) struct avro_encoder *outcome = NULL;
    cr_assert_eq(avro_encoder_create(set, "callback_outcome", &outcome, &err), RC_OK);
    size_t verdict = (size_t)avro_encoder_field_index(outcome, "outcome");
    size_t request = (size_t)avro_encoder_field_index(outcome, "was_request");
    cr_assert_eq(avro_encoder_field(outcome, verdict)->kind, AVRO_KIND_ENUM);
    for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
        cr_assert_eq(avro_encoder_set_string(outcome, verdict, verdicts[i], strlen(verdicts[i]), &err), RC_OK);
    }
    cr_assert_eq(avro_encoder_set_text(outcome, verdict, "lost", 4, &err), RC_REJECT);
    cr_assert(strstr(err.text, "outcome"), "%s", err.text);
    cr_assert_eq(avro_encoder_set_text(outcome, request, "t", 1, &err), RC_OK);
    cr_assert_eq(avro_encoder_set_text(outcome, request, "true", 4, &err), RC_REJECT);
    cr_assert_eq(avro_encoder_set_text(outcome, request, "", 0, &err), RC_REJECT);
}

Test(avro_encoder, knows_only_the_sets_schemas)
{
    struct avro_encoder *none = NULL;
    cr_assert_eq(avro_encoder_create(set, "nonsense", &none, &err), RC_FATAL);
    cr_assert_null(none);
    cr_assert(strstr(err.text, "nonsense"));
}

Test(avro_encoder, encodes_other_kinds_and_defaults)
{
    CLEANUP(avro_set_freep) struct avro_set *zoo = fixture_zoo();
    CLEANUP(avro_encoder_freep) struct avro_encoder *note = NULL;
    const char *json = NULL;
    size_t n = 0;
    cr_assert_eq(avro_encoder_create(zoo, "note", &note, &err), RC_OK);
    cr_assert_eq(avro_encoder_set_text(note, 1, "12", 2, &err), RC_OK);
    cr_assert_eq(avro_encoder_set_text(note, 2, "1.5e3", 5, &err), RC_OK);
    cr_assert_eq(avro_encoder_json(note, &arena, 4096, &json, &n, &err), RC_OK, "%s", err.text);
    cr_assert_str_eq(json, "{\"id\":null,\"n\":12,\"x\":1500,\"added\":\"fresh\",\"count\":5,\"flag\":true,"
                           "\"kind\":\"b\",\"maybe\":null}");
    cr_assert_eq(avro_encoder_set_text(note, 2, "0x10z", 5, &err), RC_REJECT);
    cr_assert_eq(avro_encoder_set_text(note, 2, "NaN", 3, &err), RC_OK);
}
