/* SPDX-License-Identifier: Apache-2.0 */
/* Headers and values of dead letters, well-formed and hostile: nothing is trusted and nothing is dropped. */
#include "dlq/letter.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"
#include "schemas/avro_set.h"

#define ID "0189f7ea-ae2c-7809-8aeb-b819cf5e9e7f"
#define OTHER "11111111-2222-3333-4444-555555555555"
#define H(name, value)                     \
    {                                      \
        (name), (value), sizeof(value) - 1 \
    }

static struct letter l;

static const struct producer_header GOOD[] = {
    H("ce_id", ID),
    H("ce_type", "order.paid"),
    H("__dlq.errors.topic", "t1.callback.events"),
    H("__dlq.errors.partition", "3"),
    H("__dlq.errors.offset", "42"),
    H("__dlq.errors.group", "t1.sluice-callback"),
    H("__dlq.errors.delivery.count", "6"),
    H("__dlq.errors.message", "HTTP 500"),
    H("__dlq.errors.class", "http-5xx"),
    H("__dlq.errors.stage", "callback"),
    H("__dlq.errors.app", "sluice/1"),
    H("__dlq.errors.first.ts", "2026-11-22T20:37:20.000001Z"),
    H("__dlq.errors.last.ts", "2026-11-22T20:37:21Z"),
    H("__dlq.errors.redrive.count", "2"),
    H("__dlq.errors.id", ID),
};

Test(letter, headers_are_read)
{
    letter_read(GOOD, ARRAY_SIZE(GOOD), "t1.", 5, &l);
    cr_expect_str_eq(l.topic, "callback.events");
    cr_expect_eq(l.partition, 3);
    cr_expect_eq(l.offset, 42);
    cr_expect_str_eq(l.group, "t1.sluice-callback");
    cr_expect_eq(l.delivery_count, 6);
    cr_expect_str_eq(l.message, "HTTP 500");
    cr_expect_str_eq(l.class, "http-5xx");
    cr_expect_str_eq(l.stage, "callback");
    cr_expect_str_eq(l.app, "sluice/1");
    cr_expect_eq(l.first_us, 1795379840000001);
    cr_expect_eq(l.last_us, 1795379841000000);
    cr_expect_eq(l.redrive_count, 2);
    cr_expect_str_eq(l.id, ID);
    cr_expect_str_eq(l.type, "order.paid");
    cr_expect_eq(l.queue_seq, 0);
    cr_expect_not(l.truncated);
    cr_expect_str_empty(l.faults, "%s", l.faults);
}

Test(letter, a_record_without_any_header_is_a_letter_too)
{
    letter_read(NULL, 0, "t1.", 7, &l);
    cr_expect_str_empty(l.topic);
    cr_expect_str_empty(l.class);
    cr_expect_str_empty(l.id);
    cr_expect_eq(l.partition, -1);
    cr_expect_eq(l.offset, -1);
    cr_expect_eq(l.delivery_count, -1);
    cr_expect_eq(l.redrive_count, -1);
    cr_expect_eq(l.last_us, 7);
    cr_expect_eq(l.first_us, 7);
    cr_expect(strstr(l.faults, "__dlq.errors.topic") != NULL);
    cr_expect(strlen(l.faults) < sizeof(l.faults));
}

Test(letter, numbers_that_are_none_are_faults)
{
    static const struct producer_header rows[] = {
        H("__dlq.errors.offset", ""),
        H("__dlq.errors.offset", "x"),
        H("__dlq.errors.offset", "1 "),
        H("__dlq.errors.offset", " 1"),
        H("__dlq.errors.offset", "1e3"),
        H("__dlq.errors.offset", "0x10"),
        H("__dlq.errors.offset", "-2"),
        H("__dlq.errors.offset", "9223372036854775808"),
        H("__dlq.errors.offset", "7\0"),
        H("__dlq.errors.offset", "7\0008"),
        H("__dlq.errors.offset", "00000000000000000000000000000000000000000000000000000001"),
        {"__dlq.errors.offset", NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        letter_read(&rows[i], 1, "", 0, &l);
        cr_expect_eq(l.offset, -1, "row %zu: %lld", i, (long long)l.offset);
        cr_expect(strstr(l.faults, "errors.offset") != NULL, "row %zu", i);
    }
}

Test(letter, times_that_are_none_leave_the_records_own)
{
    static const struct producer_header rows[] = {
        H("__dlq.errors.last.ts", ""), H("__dlq.errors.last.ts", "yesterday"),
        H("__dlq.errors.last.ts", "2026-11-22T20:37:20Z\0"), H("__dlq.errors.last.ts", "99999-11-22T20:37:20Z"),
        H("__dlq.errors.last.ts", "2026-11-22T20:37:20.00000000000000000000000000000000000000000000000000000001Z")};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        letter_read(&rows[i], 1, "", 1234, &l);
        cr_expect_eq(l.last_us, 1234, "row %zu: %lld", i, (long long)l.last_us);
    }
}

Test(letter, the_last_of_a_name_counts)
{
    static const struct producer_header twice[] = {
        H("__dlq.errors.class", "forged"), H("__dlq.errors.class", "ours"), {"__dlq.errors.class", NULL, 0}};
    letter_read(twice, ARRAY_SIZE(twice), "", 0, &l);
    cr_expect_str_eq(l.class, "ours");
}

Test(letter, names_are_whole_names)
{
    static const struct producer_header near[] = {
        H("__dlq.errors.clas", "a"), H("__dlq.errors.class.x", "b"), H("__DLQ.ERRORS.CLASS", "c"), {NULL, "d", 1}};
    letter_read(near, ARRAY_SIZE(near), "", 0, &l);
    cr_expect_str_empty(l.class);
}

Test(letter, texts_are_cut_and_may_go_to_a_terminal)
{
    static char huge[100000];
    memset(huge, 'x', sizeof(huge));
    const struct producer_header headers[] = {
        {"__dlq.errors.message", huge, sizeof(huge)},
        {"__dlq.errors.topic", huge, sizeof(huge)},
        {"__dlq.errors.id", huge, sizeof(huge)},
        H("__dlq.errors.class", "a\033[31mb\nc\0d\x7f"),
        H("__dlq.errors.stage", "\xc2\x9b"
                                "31m\xff\xc3\xbc\xe2\x82"),
    };
    letter_read(headers, ARRAY_SIZE(headers), "", 0, &l);
    cr_expect_eq(strlen(l.message), sizeof(l.message) - 1);
    cr_expect_eq(strlen(l.topic), sizeof(l.topic) - 1);
    cr_expect_eq(strlen(l.id), sizeof(l.id) - 1);
    cr_expect_str_eq(l.class, "a?[31mb?c?d?");
    cr_expect_str_eq(l.stage, "??31m?\xc3\xbc??");
}

Test(letter, a_text_is_cut_between_characters)
{
    char out[5];
    letter_text("abc\xc3\xbc", 5, out, sizeof(out));
    cr_expect_str_eq(out, "abc");
    letter_text("ab\xc3\xbc", 4, out, sizeof(out));
    cr_expect_str_eq(out, "ab\xc3\xbc");
}

Test(letter, a_prefix_is_taken_off_once_and_only_in_front)
{
    static const struct producer_header rows[] = {H("__dlq.errors.topic", "a.a.x"), H("__dlq.errors.topic", "x.a."),
                                                  H("__dlq.errors.topic", "a.")};
    static const char *const want[] = {"a.x", "x.a.", ""};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        letter_read(&rows[i], 1, "a.", 0, &l);
        cr_expect_str_eq(l.topic, want[i]);
    }
}

/* ---------------------------------------------------------------------------------------------------- the row */

static struct avro_set *set;
static struct letter_reader *reader;
static struct err err;

static void setup(void)
{
    cr_assert_eq(schemas_avro_set(&set, &err), RC_OK, "%s", err.text);
    cr_assert_eq(letter_reader_create(set, &reader, &err), RC_OK, "%s", err.text);
}

static void teardown(void)
{
    letter_reader_free(reader);
    avro_set_free(set);
}

TestSuite(letter_row, .init = setup, .fini = teardown);

#define EVENT(id, seq)                                                                                           \
    "{\"event_id\":\"" id "\",\"platform\":\"demo\",\"event_type\":\"e\",\"callback_target\":\"u\",\"payload\":" \
    "\"{}\",\"queue_seq\":" seq ",\"round_attempts\":0,\"created_at\":1}"

static void find(const char *value, size_t n)
{
    letter_find_row(reader, value, n, &l);
}

static void expect_none(const char *value, const char *why)
{
    letter_read(GOOD, ARRAY_SIZE(GOOD), "t1.", 0, &l);
    find(value, value != NULL ? strlen(value) : 0);
    cr_expect_str_empty(l.event_id, "%s", why);
    cr_expect_eq(l.queue_seq, 0, "%s", why);
}

Test(letter_row, json_and_avro_name_the_same_row)
{
    struct arena a;
    const void *bytes = NULL;
    size_t n = 0;
    arena_init(&a, 4096);
    cr_assert_eq(avro_encode_json(set, "callback_event", EVENT(ID, "7"), strlen(EVENT(ID, "7")), &a, &bytes, &n, &err),
                 RC_OK, "%s", err.text);
    for (int avro = 0; avro < 2; avro++) {
        letter_read(GOOD, ARRAY_SIZE(GOOD), "t1.", 0, &l);
        find(avro ? bytes : EVENT(ID, "7"), avro ? n : strlen(EVENT(ID, "7")));
        cr_expect_str_eq(l.event_id, ID);
        cr_expect_eq(l.queue_seq, 7);
        cr_expect_str_eq(l.platform, "demo");
    }
    for (size_t cut = 0; cut < n; cut++) { /* whatever is left is no event */
        letter_read(GOOD, ARRAY_SIZE(GOOD), "t1.", 0, &l);
        find(bytes, cut);
        cr_expect_str_empty(l.event_id, "%zu bytes", cut);
    }
    arena_done(&a);
}

Test(letter_row, values_that_name_no_row)
{
    expect_none(NULL, "tombstone");
    expect_none("", "empty");
    expect_none("text", "text");
    expect_none("{}", "empty object");
    expect_none("{\"event_id\":", "half of it");
    expect_none(EVENT("x", "7"), "no UUID");
    expect_none(EVENT(ID, "0"), "no queue_seq");
    expect_none(EVENT(ID, "-1"), "negative queue_seq");
    expect_none(EVENT(ID, "99999999999999999999"), "queue_seq too large");
}

Test(letter_row, other_topics_and_cut_values_have_none)
{
    struct producer_header headers[ARRAY_SIZE(GOOD) + 1];
    memcpy(headers, GOOD, sizeof(GOOD));
    headers[ARRAY_SIZE(GOOD)] = (struct producer_header)H("__dlq.truncated", "true");
    letter_read(headers, ARRAY_SIZE(headers), "t1.", 0, &l);
    cr_expect(l.truncated);
    find(EVENT(ID, "7"), strlen(EVENT(ID, "7")));
    cr_expect_str_empty(l.event_id);

    letter_read(GOOD, ARRAY_SIZE(GOOD), "other.", 0, &l); /* then it is t1.callback.events, of somebody else */
    find(EVENT(ID, "7"), strlen(EVENT(ID, "7")));
    cr_expect_str_empty(l.event_id);
}

/* Of the relay: the value may be the beginning of a payload, which the business wrote. */
Test(letter_row, the_relays_headers_come_before_the_value)
{
    struct producer_header headers[ARRAY_SIZE(GOOD) + 2];
    memcpy(headers, GOOD, sizeof(GOOD));
    headers[ARRAY_SIZE(GOOD)] = (struct producer_header)H("__dlq.errors.queue.seq", "9");
    headers[ARRAY_SIZE(GOOD) + 1] = (struct producer_header)H("__dlq.truncated", "true");
    letter_read(headers, ARRAY_SIZE(headers), "t1.", 0, &l);
    find("{\"a\":1", 6);
    cr_expect_str_eq(l.event_id, ID);
    cr_expect_eq(l.queue_seq, 9);
    cr_expect_str_empty(l.platform);

    letter_read(headers, ARRAY_SIZE(headers) - 1, "t1.", 0, &l);
    find(EVENT(OTHER, "7"), strlen(EVENT(OTHER, "7")));
    cr_expect_str_eq(l.event_id, ID, "a payload that looks like an event names another row");
    cr_expect_eq(l.queue_seq, 9);
    cr_expect_str_empty(l.platform);
}

Test(letter_row, a_queue_seq_that_is_none_leaves_the_value)
{
    static const char *const wrong[] = {"0", "-1", "x", "9223372036854775808", ""};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct producer_header headers[ARRAY_SIZE(GOOD) + 1];
        memcpy(headers, GOOD, sizeof(GOOD));
        headers[ARRAY_SIZE(GOOD)] = (struct producer_header){"__dlq.errors.queue.seq", wrong[i], strlen(wrong[i])};
        letter_read(headers, ARRAY_SIZE(headers), "t1.", 0, &l);
        cr_expect(strstr(l.faults, "queue.seq") != NULL, "%s", wrong[i]);
        find(EVENT(ID, "7"), strlen(EVENT(ID, "7")));
        cr_expect_eq(l.queue_seq, 7);
    }
}

/* Records of every kind of rows, and what of each is shown as the platform. */
Test(letter_row, every_kind_of_rows_is_found)
{
    static const struct {
        const char *source, *value, *about;
    } records[] = {
        {"callback", EVENT(ID, "7"), "demo"},
        {"express",
         "{\"event_id\":\"" ID
         "\",\"tracking_no\":\"YT1\",\"carrier\":\"yuantong\",\"status\":\"delivered\",\"queue_seq\":7}",
         "yuantong"},
        {"express", "{\"event_id\":\"" ID "\",\"tracking_no\":\"YT1\",\"status\":\"delivered\",\"queue_seq\":7}", ""},
        {"push",
         "{\"event_id\":\"" ID "\",\"message_id\":\"m\",\"generation\":0,\"aud\":\"user\",\"recipient_id\":\"u\","
         "\"appid\":\"shop\",\"cid\":\"c\",\"title\":\"t\",\"body\":\"b\",\"payload\":\"{}\",\"queue_seq\":7,"
         "\"round_attempts\":0,\"created_at\":1}",
         "shop"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
        const struct row_kind *kind = row_kind_of_source(records[i].source);
        char *topic CLEANUP(freep) = xasprintf("t1.%s", kind->topic);
        const struct producer_header header = {"__dlq.errors.topic", topic, strlen(topic)};
        letter_read(&header, 1, "t1.", 0, &l);
        find(records[i].value, strlen(records[i].value));
        cr_expect_str_eq(l.event_id, ID, "%s", kind->source);
        cr_expect_eq(l.queue_seq, 7);
        cr_expect(l.kind == kind);
        cr_expect_str_eq(l.platform, records[i].about);
    }
}

Test(letter_row, a_value_of_another_kind_names_no_row)
{
    static const struct producer_header header = H("__dlq.errors.topic", "notification.pushes");
    letter_read(&header, 1, "", 0, &l);
    find(EVENT(ID, "7"), strlen(EVENT(ID, "7")));
    cr_expect_str_empty(l.event_id);
}
