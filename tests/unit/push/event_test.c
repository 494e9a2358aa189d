/* SPDX-License-Identifier: Apache-2.0 */
/* What of a push record may leave, and its request_id; tokens at rest. */
#include "push/event.h"

#include <criterion/criterion.h>
#include <string.h>

#include "push/token_row.h"
#include "schemas/avro_set.h"

static struct arena arena;
static struct avro_set *set;
static struct push_reader *reader;

static void setup(void)
{
    struct err err;
    arena_init(&arena, 65536);
    cr_assert(schemas_avro_set(&set, &err) == RC_OK && push_reader_create(set, &reader, &err) == RC_OK);
}

static void teardown(void)
{
    reader = push_reader_free(reader);
    avro_set_free(set);
    arena_done(&arena);
}

TestSuite(push_event, .init = setup, .fini = teardown);

#define RECORD                                                                                                 \
    "{\"event_id\":\"d1\",\"message_id\":\"m1\",\"generation\":2,\"aud\":\"user\",\"recipient_id\":\"7\","     \
    "\"appid\":\"default\",\"cid\":\"c1\",\"title\":\"t\",\"body\":\"b\",\"payload\":\"{}\",\"queue_seq\":%s," \
    "\"round_attempts\":0,\"created_at\":0}"

static enum rc read_record(const char *queue_seq, struct push_event *e, struct err *err)
{
    char text[600];
    int n = snprintf(text, sizeof text, RECORD, queue_seq);
    return push_event_read(reader, text, (size_t)n, &arena, e, err);
}

Test(push_event, is_read_and_refused_by_name)
{
    struct push_event e;
    struct err err = {0};
    cr_assert_eq(read_record("5", &e, &err), RC_OK, "%s", err.text);
    cr_assert(e.queue_seq == 5 && e.generation == 2 && e.message.platform == NULL && e.message.expires_at_us == 0);
    cr_assert_str_eq(e.message.cid, "c1");
    cr_assert_eq(read_record("0", &e, &err), RC_REJECT);
    cr_assert(strstr(err.text, "queue_seq") != NULL, "%s", err.text);
    cr_assert_eq(push_event_read(reader, NULL, 0, &arena, &e, &err), RC_REJECT);
    cr_assert_eq(push_event_read(reader, "\0\0\0\0\1x", 6, &arena, &e, &err), RC_REJECT);
}

static enum rc read_malformed(const char *id, int queue_seq, int round, struct push_event *e, struct err *err)
{
    static const char record[] =
        "{\"event_id\":\"%s\",\"message_id\":\"m1\",\"generation\":0,\"aud\":\"user\",\"recipient_id\":\"7\","
        "\"appid\":\"default\",\"cid\":\"c1\",\"title\":\"t\",\"body\":\"b\",\"payload\":\"{}\",\"queue_seq\":%d,"
        "\"round_attempts\":%d,\"created_at\":0}";
    char text[600];
    int n = snprintf(text, sizeof text, record, id, queue_seq, round);
    return push_event_read(reader, text, (size_t)n, &arena, e, err);
}

/* Then its row can be told what became of it. */
Test(push_event, a_malformed_record_may_say_which_row_it_is_of)
{
    static const char id[] = "11111111-1111-4111-8111-111111111111";
    struct push_event e;
    struct err err = {0};
    cr_assert_eq(read_malformed(id, 5, -1, &e, &err), RC_REJECT);
    cr_assert_not_null(strstr(err.text, "round_attempts"), "%s", err.text);
    cr_assert(e.has_row);
    cr_assert_eq(read_malformed(id, 0, 0, &e, &err), RC_REJECT);
    cr_assert_not(e.has_row, "of which queueing?");
    cr_assert_eq(read_malformed("d1", 5, -1, &e, &err), RC_REJECT);
    cr_assert_not(e.has_row, "no id of ours");
    cr_assert_eq(push_event_read(reader, NULL, 0, &arena, &e, &err), RC_REJECT);
    cr_assert_not(e.has_row);
}

Test(push_event, the_request_id_is_the_same_for_ever_and_another_for_a_new_generation)
{
    char a[PUSH_REQUEST_ID_LEN + 1];
    char b[PUSH_REQUEST_ID_LEN + 1];
    push_request_id("m1", "c1", 0, a);
    cr_assert_str_eq(a, "2dc4a7191738a41b4912f51cf8f4f793"); /* printf 'm1|c1|0' | sha256sum */
    push_request_id("m1", "c1", 1, b);
    cr_assert_str_neq(a, b);
    push_request_id("m1", "c2", 0, b);
    cr_assert_str_neq(a, b);
    cr_assert_eq(strlen(b), 32);
}

static void refused(struct push_event e, enum push_verdict verdict, const char *code)
{
    struct push_result r;
    cr_assert(!push_event_ok(&e, 1000000, &r), "%s was let through", code);
    cr_assert(r.verdict == verdict && strcmp(r.code, code) == 0, "%s, not %s", r.code, code);
}

Test(push_event, what_is_empty_or_too_old_or_no_object_never_leaves)
{
    static char long_cid[PUSH_CID_BYTES_MAX + 2];
    struct push_result r;
    struct push_event good = {.message = {.cid = "c", .title = "t", .body = "b", .payload = "{\"a\":[1]}"}};
    memset(long_cid, 'c', sizeof long_cid - 1);
    cr_assert(push_event_ok(&good, 1000000, &r));
    good.message.expires_at_us = 1000001;
    cr_assert(push_event_ok(&good, 1000000, &r));

    struct push_event e = good;
    e.message.expires_at_us = 1000000;
    refused(e, PUSH_EXPIRED, "");
    e = good;
    e.message.cid = "";
    refused(e, PUSH_EMPTY, "no-target");
    e.message.cid = " \n";
    refused(e, PUSH_EMPTY, "no-target");
    e = good;
    e.message.title = " ";
    refused(e, PUSH_EMPTY, "no-title");
    e.message.title = " \xC2\xA0\xE3\x80\x80\xE2\x80\x83\xEF\xBB\xBF"; /* blanks of other scripts */
    refused(e, PUSH_EMPTY, "no-title");
    e.message.title = "\xE2\x80\xA6"; /* an ellipsis is a text */
    cr_expect(push_event_ok(&e, 1000000, &r));
    e = good;
    e.message.body = "";
    refused(e, PUSH_EMPTY, "no-body");
    e = good;
    e.message.cid = long_cid;
    refused(e, PUSH_PAYLOAD, "target-too-long");
    static const char *const payloads[] = {"", "[]", "\"x\"", "1", "{", "{}x", "{\"a\":1,\"a\":2}", "null"};
    for (size_t i = 0; i < ARRAY_SIZE(payloads); i++) {
        e = good;
        e.message.payload = payloads[i];
        refused(e, PUSH_PAYLOAD, "payload-no-object");
    }
}

Test(token_row, a_token_is_opened_with_the_credential_it_was_sealed_with_and_no_other)
{
    struct token_owner owner = {.provider = "p", .key = {1}};
    struct token_owner other = {.provider = "p", .key = {2}};
    struct token_owner renamed = {.provider = "q", .key = {1}};
    CLEANUP(freep) char *sealed = token_seal(&owner, "a token");
    CLEANUP(freep) char *again = token_seal(&owner, "a token");
    CLEANUP(freep) char *opened = token_open(&owner, sealed);

    cr_assert(strncmp(sealed, "\\x", 2) == 0 && strstr(sealed, "6120746f6b656e") == NULL);
    cr_assert_str_neq(sealed, again, "a nonce served twice");
    cr_assert_str_eq(opened, "a token");
    cr_assert_null(token_open(&other, sealed));
    cr_assert_null(token_open(&renamed, sealed));
    sealed[strlen(sealed) - 1] = sealed[strlen(sealed) - 1] == '0' ? '1' : '0';
    cr_assert_null(token_open(&owner, sealed));
    cr_assert_null(token_open(&owner, "\\x"));
    cr_assert_null(token_open(&owner, "\\xzz"));
    cr_assert_null(token_open(&owner, ""));
}
