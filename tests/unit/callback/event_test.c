/* SPDX-License-Identifier: Apache-2.0 */
/* Event records in, request headers out. */
#include "callback/event.h"

#include <criterion/criterion.h>
#include <string.h>

#include "callback/request.h"
#include "crypto/webhook.h"
#include "schemas/avro_set.h"

#define SECRET "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
#define FIELDS(id, type, seq, more)                                                                                 \
    "{\"event_id\":\"" id "\",\"platform\":\"demo\",\"event_type\":\"" type "\",\"callback_target\":\"http://x/\"," \
    "\"payload\":\"{ }\",\"queue_seq\":" seq ",\"round_attempts\":0,\"created_at\":1700000000000000" more "}"

static struct avro_set *SET;
static struct event_reader *READER;
static struct arena ARENA;

static void setup(void)
{
    struct err err;
    cr_assert_eq(schemas_avro_set(&SET, &err), RC_OK);
    cr_assert_eq(event_reader_create(SET, &READER, &err), RC_OK);
    arena_init(&ARENA, 4096);
}

static void teardown(void)
{
    arena_done(&ARENA);
    event_reader_free(READER);
    avro_set_free(SET);
}

TestSuite(event, .init = setup, .fini = teardown);

static enum rc read_json(const char *json, struct callback_event *out, struct err *err)
{
    return event_read(READER, json, strlen(json), &ARENA, out, err);
}

Test(event, is_read_from_json_and_avro)
{
    const char *json = FIELDS("6f1c", "order.paid", "7", "");
    struct callback_event e;
    struct err err = {0};
    const void *wire = NULL;
    size_t n = 0;

    cr_assert_eq(read_json(json, &e, &err), RC_OK, "%s", err.text);
    cr_assert_str_eq(e.event_type, "order.paid");
    cr_assert_eq(avro_encode_json(SET, "callback_event", json, strlen(json), &ARENA, &wire, &n, &err), RC_OK);
    cr_assert_eq(event_read(READER, wire, n, &ARENA, &e, &err), RC_OK);
    cr_assert_str_eq(e.payload, "{ }");
    cr_assert_eq(e.payload_n, 3);
    cr_assert_eq(e.queue_seq, 7);
    cr_assert_null(e.traceparent);
}

Test(event, refusals_name_the_field)
{
    static const struct {
        const char *json, *says;
    } rows[] = {
        {FIELDS("", "t", "1", ""), "event_id"},
        {FIELDS("a.b", "t", "1", ""), "event_id"},
        {FIELDS("a b", "t", "1", ""), "event_id"},
        {FIELDS("a", "t", "0", ""), "queue_seq"},
        {FIELDS("a", "t", "-4", ""), "queue_seq"},
        {FIELDS("a", "t", "1", ",\"surplus\":1"), "surplus"},
        {"{}", "event_id"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct callback_event e;
        struct err err = {0};
        cr_assert_eq(read_json(rows[i].json, &e, &err), RC_REJECT, "%s", rows[i].json);
        cr_assert_not_null(strstr(err.text, rows[i].says), "%s", err.text);
    }
    struct callback_event e;
    struct err err = {0};
    cr_assert_eq(event_read(READER, NULL, 0, &ARENA, &e, &err), RC_REJECT);
    cr_assert_eq(event_read(READER, "\0\0\0\0\1", 5, &ARENA, &e, &err), RC_REJECT);
    cr_assert_eq(event_read(READER, "", 0, &ARENA, &e, &err), RC_REJECT);
}

static const char *header(const struct request *r, const char *name)
{
    const char *found = NULL;
    for (size_t i = 0; i < r->n_headers; i++) {
        if (strcmp(r->headers[i].name, name) == 0) {
            cr_assert_null(found, "%s twice", name);
            found = r->headers[i].value;
        }
    }
    return found;
}

Test(event, request_is_signed_and_no_text_ends_a_header)
{
    static const struct producer_header own[] = {{"ce_source", "/sluice/\r\nx", 11}, {"ce_time", "2026", 4}};
    const struct delivery_event record = {.headers = own, .n_headers = 2};
    struct platform p = {0};
    struct callback_event e;
    struct request r;
    struct err err = {0};

    cr_assert_eq(webhook_keys_parse(SECRET, &p.keys, &err), RC_OK, "%s", err.text);
    cr_assert_eq(read_json(FIELDS("6f1c", "a\\r\\nX-Evil: \\u00fc%", "7", ""), &e, &err), RC_OK, "%s", err.text);
    e.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    cr_assert_eq(request_make(&p, &e, &record, 1700000000, &ARENA, &r, &err), RC_OK, "%s", err.text);
    cr_assert_str_eq(header(&r, "ce-type"), "a%0D%0AX-Evil:%20%C3%BC%25");
    cr_assert_str_eq(header(&r, "ce-source"), "/sluice/%0D%0Ax");
    cr_assert_str_eq(header(&r, "webhook-id"), "6f1c");
    cr_assert_str_eq(header(&r, "webhook-timestamp"), "1700000000");
    cr_assert_str_eq(header(&r, "traceparent"), e.traceparent);
    const struct webhook_message msg = {.id = "6f1c",
                                        .timestamp = "1700000000",
                                        .signature = header(&r, "webhook-signature"),
                                        .body = "{ }",
                                        .body_n = 3};
    cr_assert_eq(webhook_verify(p.keys, &msg, 1700000000, 300), WEBHOOK_OK);
    e.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nX: y";
    cr_assert_eq(request_make(&p, &e, &record, 1700000000, &ARENA, &r, &err), RC_OK);
    cr_assert_null(header(&r, "traceparent"));
    (void)webhook_keys_free(p.keys);
}

Test(event, too_long_attributes_are_refused)
{
    struct platform p = {0};
    struct callback_event e;
    struct delivery_event record = {0};
    struct request r;
    struct err err = {0};
    char type[2000];

    memset(type, 'x', sizeof(type) - 1);
    type[sizeof(type) - 1] = '\0';
    cr_assert_eq(webhook_keys_parse(SECRET, &p.keys, &err), RC_OK);
    cr_assert_eq(read_json(FIELDS("6f1c", "t", "7", ""), &e, &err), RC_OK);
    e.event_type = type;
    cr_assert_eq(request_make(&p, &e, &record, 1700000000, &ARENA, &r, &err), RC_REJECT);
    cr_assert_not_null(strstr(err.text, "ce-type"), "%s", err.text);
    (void)webhook_keys_free(p.keys);
}
