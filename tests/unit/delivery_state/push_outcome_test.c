/* SPDX-License-Identifier: Apache-2.0 */
/* What became of notifications, as records come: Avro and JSON, and every way in which one can be wrong. */
#include "delivery_state/push_outcome.h"

#include <criterion/criterion.h>
#include <string.h>

#include "schemas/avro_set.h"

#define ID "0189f7ea-ae2c-7809-8aeb-b819cf5e9e7f"

static const char GOOD[] =
    "{\"event_id\":\"" ID "\",\"queue_seq\":7,\"message_id\":\"m\",\"appid\":\"a\",\"cid\":\"c\",\"outcome\":\"retry\","
    "\"was_request\":true,\"verdict\":\"throttled\",\"provider\":\"getui\",\"provider_code\":\"10003\","
    "\"response_status\":429,\"error_class\":\"http\",\"error_message\":\"busy\",\"device\":\"strike\","
    "\"device_at\":1690000000000001,\"duration_ms\":12,\"delay_ms\":10000,\"happened_at\":1700000000000001}";

static struct avro_set *set;
static struct pushed_reader *reader;
static struct pushed o;
static struct err err;

static void setup(void)
{
    cr_assert_eq(schemas_avro_set(&set, &err), RC_OK, "%s", err.text);
    cr_assert_eq(pushed_reader_create(set, &reader, &err), RC_OK, "%s", err.text);
}

static void teardown(void)
{
    pushed_reader_free(reader);
    avro_set_free(set);
}

TestSuite(push_outcome, .init = setup, .fini = teardown);

static void expect_good(void)
{
    cr_expect_str_eq(o.event_id, ID);
    cr_expect_eq(o.queue_seq, 7);
    cr_expect_eq(o.kind, PUSHED_RETRY);
    cr_expect(o.was_request);
    cr_expect_str_eq(o.verdict, "throttled");
    cr_expect_str_eq(o.provider, "getui");
    cr_expect_str_eq(o.provider_code, "10003");
    cr_expect(o.has_status && o.response_status == 429);
    cr_expect_str_eq(o.error_class, "http");
    cr_expect_str_eq(o.error_message, "busy");
    cr_expect_eq(o.device, PUSHED_STRIKE);
    cr_expect_str_eq(o.appid, "a");
    cr_expect_str_eq(o.cid, "c");
    cr_expect_eq(o.device_at_us, 1690000000000001);
    cr_expect_eq(o.delay_ms, 10000);
    cr_expect_eq(o.happened_at_us, 1700000000000001);
}

static enum rc read_json(const char *json)
{
    return pushed_read(reader, json, strlen(json), &o, &err);
}

Test(push_outcome, json_and_avro_say_the_same)
{
    struct arena a;
    const void *bytes = NULL;
    size_t n = 0;

    cr_assert_eq(read_json(GOOD), RC_OK, "%s", err.text);
    expect_good();
    arena_init(&a, 1000);
    cr_assert_eq(avro_encode_json(set, "notification_outcome", GOOD, strlen(GOOD), &a, &bytes, &n, &err), RC_OK);
    cr_assert_eq(pushed_read(reader, bytes, n, &o, &err), RC_OK, "%s", err.text);
    expect_good();
    for (size_t i = 0; i < n; i++) {
        cr_expect_eq(pushed_read(reader, bytes, i, &o, &err), RC_REJECT, "the first %zu bytes were accepted", i);
    }
    arena_done(&a);
}

static char *replaced(const char *from, const char *to)
{
    const char *at = strstr(GOOD, from);

    cr_assert_not_null(at, "%s", from);
    return xasprintf("%.*s%s%s", (int)(at - GOOD), GOOD, to, at + strlen(from));
}

/* As the relay says it of a row that it cannot publish. */
Test(push_outcome, what_is_not_there_is_none)
{
    static const char json[] = "{\"event_id\":\"" ID "\",\"queue_seq\":7,\"message_id\":\"m\",\"appid\":\"a\","
                               "\"cid\":\"c\",\"outcome\":\"dead_letter\",\"was_request\":false,"
                               "\"happened_at\":1700000000000001}";

    cr_assert_eq(read_json(json), RC_OK, "%s", err.text);
    cr_expect_eq(o.kind, PUSHED_DEAD_LETTER);
    cr_expect_not(o.has_status || o.was_request);
    cr_expect(o.verdict == NULL && o.provider == NULL && o.provider_code == NULL);
    cr_expect(o.error_class == NULL && o.error_message == NULL);
    cr_expect_eq(o.device, PUSHED_KEEP);
    cr_expect_eq(o.device_at_us, o.happened_at_us);
    cr_expect_eq(o.delay_ms, 0);
}

Test(push_outcome, every_kind_is_known)
{
    for (int i = 0; i < PUSHED_KINDS; i++) {
        char *to CLEANUP(freep) = xasprintf("\"outcome\":\"%s\",\"was_request\":false", PUSHED_NAMES[i]);
        char *json CLEANUP(freep) = replaced("\"outcome\":\"retry\",\"was_request\":true", to);
        cr_assert_eq(read_json(json), RC_OK, "%s", err.text);
        cr_expect_eq(o.kind, (enum pushed_kind)i);
    }
    for (int i = 0; i < PUSHED_DEVICES; i++) {
        char *to CLEANUP(freep) = xasprintf("\"device\":\"%s\"", PUSHED_DEVICE_NAMES[i]);
        char *json CLEANUP(freep) = replaced("\"device\":\"strike\"", to);
        cr_assert_eq(read_json(json), RC_OK, "%s", err.text);
        cr_expect_eq(o.device, (enum pushed_device)i);
    }
}

Test(push_outcome, of_a_device_nobody_speaks_of_nothing_is_needed)
{
    char *json CLEANUP(freep) = replaced(
        "\"cid\":\"c\",\"outcome\":\"retry\",\"was_request\":true,\"verdict\":\"throttled\",\"provider\":\"getui\","
        "\"provider_code\":\"10003\",\"response_status\":429,\"error_class\":\"http\",\"error_message\":\"busy\","
        "\"device\":\"strike\"",
        "\"cid\":\"\",\"outcome\":\"retry\",\"was_request\":true,\"device\":\"keep\"");

    cr_expect_eq(read_json(json), RC_OK, "%s", err.text);
}

static const struct {
    const char *from, *to, *expected;
} MISTAKES[] = {
    {ID, "", "field event_id: expected a UUID"},
    {ID, "0189f7ea-ae2c-7809-8aeb-b819cf5e9e7", "field event_id: expected a UUID"},
    {ID, "0189f7ea-ae2c-7809-8aeb-b819cf5e9e7ff", "field event_id: expected a UUID"},
    {ID, "0189f7ea-ae2c-7809-8aeb-b819cf5e9e7g", "field event_id: expected a UUID"},
    {ID, "0189f7eaaae2c-7809-8aeb-b819cf5e9e7f", "field event_id: expected a UUID"},
    {"\"queue_seq\":7", "\"queue_seq\":0", "field queue_seq is 0"},
    {"\"queue_seq\":7", "\"queue_seq\":-7", "field queue_seq is -7"},
    {"\"delay_ms\":10000", "\"delay_ms\":-1", "field delay_ms of retry"},
    {"\"delay_ms\":10000", "\"delay_ms\":null", "field delay_ms of retry"},
    {"\"delay_ms\":10000", "\"delay_ms\":31622400001", "field delay_ms of retry"},
    {"\"retry\"", "\"parked\"", "field was_request is true"},
    {"\"retry\"", "\"lost\"", "outcome"},
    {"1700000000000001", "-1", "field happened_at is -1"},
    {"1700000000000001", "253402300799000001", "field happened_at is 253402300799000001"},
    {"1690000000000001", "-1", "field device_at is -1"},
    {"1690000000000001", "253402300799000001", "field device_at is 253402300799000001"},
    {"\"appid\":\"a\"", "\"appid\":\"\"", "field appid is empty; expected the device that is said to be strike"},
    {"\"cid\":\"c\"", "\"cid\":\"\"", "field cid is empty"},
    {"\"strike\"", "\"lost\"", "device"},
    {"\"response_status\":429", "\"response_status\":3000000000", "response_status"},
    {"\"message_id\":\"m\",", "", "message_id"},
};

Test(push_outcome, every_mistake_is_named)
{
    for (size_t i = 0; i < ARRAY_SIZE(MISTAKES); i++) {
        char *json CLEANUP(freep) = replaced(MISTAKES[i].from, MISTAKES[i].to);
        cr_expect_eq(read_json(json), RC_REJECT, "accepted: %s", json);
        cr_expect(strstr(err.text, MISTAKES[i].expected) != NULL, "%s: %s", MISTAKES[i].to, err.text);
    }
    cr_expect_eq(pushed_read(reader, NULL, 0, &o, &err), RC_REJECT);
    cr_expect_eq(pushed_read(reader, "", 0, &o, &err), RC_REJECT);
    cr_expect_eq(pushed_read(reader, "{", 1, &o, &err), RC_REJECT);
}
