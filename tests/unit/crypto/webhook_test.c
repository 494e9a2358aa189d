/* SPDX-License-Identifier: Apache-2.0 */
/* Standard Webhooks: the published vector, RFC 8032's key, and everything that must be refused. */
#include "crypto/webhook.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/base64.h"

/* The test vector of the specification's reference libraries. */
#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define AT 1614265330
#define BODY "{\"test\": 2432232314}"
#define SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define OTHER_SECRET "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

/* RFC 8032, section 7.1, test 1. */
#define ED_PRIVATE "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
#define ED_PUBLIC "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

static struct err err;

static struct webhook_keys *keys_of(const char *text)
{
    struct webhook_keys *keys = NULL;
    cr_assert_eq(webhook_keys_parse(text, &keys, &err), RC_OK, "%s", err.text);
    return keys;
}

static enum webhook_reason verify(const char *keys_text, const struct webhook_message *msg, int64_t now)
{
    CLEANUP(webhook_keys_freep) struct webhook_keys *keys = keys_of(keys_text);
    return webhook_verify(keys, msg, now, WEBHOOK_TOLERANCE_SECONDS);
}

static const struct webhook_message GOOD = {
    .id = ID, .timestamp = "1614265330", .signature = SIGNATURE, .body = BODY, .body_n = sizeof BODY - 1};

Test(webhook, published_vector_comes_out)
{
    CLEANUP(webhook_keys_freep) struct webhook_keys *keys = keys_of(SECRET);
    char got[WEBHOOK_SIGNATURE_MAX];
    for (int i = 0; i < 3; i++) { /* the prepared key is used again and again */
        cr_assert_eq(webhook_sign(keys, ID, AT, BODY, sizeof BODY - 1, got, &err), RC_OK, "%s", err.text);
        cr_assert_str_eq(got, SIGNATURE);
    }
    cr_assert_eq(webhook_verify(keys, &GOOD, AT, 300), WEBHOOK_OK);
}

Test(webhook, an_empty_body_is_signed_too)
{
    CLEANUP(webhook_keys_freep) struct webhook_keys *keys = keys_of(SECRET "\n" ED_PRIVATE);
    char got[WEBHOOK_SIGNATURE_MAX];
    cr_assert_eq(webhook_sign(keys, ID, AT, NULL, 0, got, &err), RC_OK, "%s", err.text);
    const struct webhook_message msg = {.id = ID, .timestamp = "1614265330", .signature = got};
    cr_assert_eq(webhook_verify(keys, &msg, AT, 300), WEBHOOK_OK);
}

Test(webhook, several_keys_sign_into_one_header_and_one_of_them_is_enough)
{
    CLEANUP(webhook_keys_freep) struct webhook_keys *keys = keys_of(OTHER_SECRET " " SECRET "," ED_PRIVATE);
    char got[WEBHOOK_SIGNATURE_MAX];
    cr_assert_eq(webhook_sign(keys, ID, AT, BODY, sizeof BODY - 1, got, &err), RC_OK, "%s", err.text);
    cr_assert_not_null(strstr(got, " " SIGNATURE " v1a,"));
    struct webhook_message msg = GOOD;
    msg.signature = got;
    static const char *const receivers[] = {SECRET, OTHER_SECRET, ED_PUBLIC, ED_PRIVATE, ED_PUBLIC " " SECRET};
    for (size_t i = 0; i < ARRAY_SIZE(receivers); i++) {
        cr_assert_eq(verify(receivers[i], &msg, AT), WEBHOOK_OK, "row %zu", i);
    }
    cr_assert_eq(verify("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &msg, AT), WEBHOOK_SIGNATURE_WRONG);
}

Test(webhook, ten_keys_of_the_longest_kind_fit)
{
    char text[1024] = "";
    for (int i = 0; i < WEBHOOK_KEYS_MAX; i++) {
        size_t n = strlen(text);
        (void)snprintf(text + n, sizeof text - n, "%s\n", ED_PRIVATE);
    }
    CLEANUP(webhook_keys_freep) struct webhook_keys *keys = keys_of(text);
    char got[WEBHOOK_SIGNATURE_MAX];
    cr_assert_eq(webhook_sign(keys, ID, AT, BODY, sizeof BODY - 1, got, &err), RC_OK, "%s", err.text);
    cr_assert_eq(strlen(got), 10 * 92 + 9);
    cr_assert_eq(webhook_keys_count(keys), 10);
}

Test(webhook, what_must_be_refused_is_refused_with_its_reason)
{
#define S43 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    static const struct {
        const char *id, *timestamp, *signature, *body;
        int64_t now;
        enum webhook_reason want;
    } rows[] = {
        {ID, "1614265330", SIGNATURE, BODY, AT, WEBHOOK_OK},
        {ID, "1614265330", SIGNATURE, BODY, AT + 300, WEBHOOK_OK},
        {ID, "1614265330", SIGNATURE, BODY, AT - 300, WEBHOOK_OK},
        {ID, "1614265330", "v1," S43 " " SIGNATURE, BODY, AT, WEBHOOK_OK},
        {ID, "1614265330", "v2,xxxx " SIGNATURE, BODY, AT, WEBHOOK_OK},
        {ID, "1614265330", SIGNATURE, BODY, AT + 301, WEBHOOK_TIMESTAMP_TOO_OLD},
        {ID, "1614265330", SIGNATURE, BODY, AT - 301, WEBHOOK_TIMESTAMP_TOO_NEW},
        {NULL, "1614265330", SIGNATURE, BODY, AT, WEBHOOK_ID_MISSING},
        {"", "1614265330", SIGNATURE, BODY, AT, WEBHOOK_ID_MALFORMED},
        {"a.b", "1614265330", SIGNATURE, BODY, AT, WEBHOOK_ID_MALFORMED},
        {"a b", "1614265330", SIGNATURE, BODY, AT, WEBHOOK_ID_MALFORMED},
        {ID, NULL, SIGNATURE, BODY, AT, WEBHOOK_TIMESTAMP_MISSING},
        {ID, "", SIGNATURE, BODY, AT, WEBHOOK_TIMESTAMP_MALFORMED},
        {ID, "1614265330.0", SIGNATURE, BODY, AT, WEBHOOK_TIMESTAMP_MALFORMED},
        {ID, " 1614265330", SIGNATURE, BODY, AT, WEBHOOK_TIMESTAMP_MALFORMED},
        {ID, "-1", SIGNATURE, BODY, AT, WEBHOOK_TIMESTAMP_MALFORMED},
        {ID, "99999999999999999999", SIGNATURE, BODY, AT, WEBHOOK_TIMESTAMP_MALFORMED},
        {ID, "000000000000000001614265330", SIGNATURE, BODY, AT, WEBHOOK_TIMESTAMP_MALFORMED},
        {ID, "1614265330", NULL, BODY, AT, WEBHOOK_SIGNATURE_MISSING},
        {ID, "1614265330", "", BODY, AT, WEBHOOK_SIGNATURE_MALFORMED},
        {ID, "1614265330", "v1,", BODY, AT, WEBHOOK_SIGNATURE_MALFORMED},
        {ID, "1614265330", "v1,AAAA", BODY, AT, WEBHOOK_SIGNATURE_MALFORMED},
        {ID, "1614265330", "v1a,AAAA", BODY, AT, WEBHOOK_SIGNATURE_MALFORMED},
        {ID, "1614265330", SIGNATURE "x", BODY, AT, WEBHOOK_SIGNATURE_MALFORMED},
        {ID, "1614265330", "V1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", BODY, AT, WEBHOOK_SIGNATURE_MALFORMED},
        {ID, "1614265330", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF=", BODY, AT, WEBHOOK_SIGNATURE_MALFORMED},
        {ID, "1614265330", "v1,G0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", BODY, AT, WEBHOOK_SIGNATURE_WRONG},
        {ID, "1614265330", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA=", BODY, AT, WEBHOOK_SIGNATURE_WRONG},
        {ID, "1614265330", SIGNATURE, "{\"test\": 2432232315}", AT, WEBHOOK_SIGNATURE_WRONG},
        {ID, "1614265331", SIGNATURE, BODY, AT, WEBHOOK_SIGNATURE_WRONG},
        {"msg", "1614265330", SIGNATURE, BODY, AT, WEBHOOK_SIGNATURE_WRONG},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct webhook_message msg = {.id = rows[i].id,
                                            .timestamp = rows[i].timestamp,
                                            .signature = rows[i].signature,
                                            .body = rows[i].body,
                                            .body_n = strlen(rows[i].body)};
        cr_assert_str_eq(webhook_reason_name(verify(SECRET, &msg, rows[i].now)), webhook_reason_name(rows[i].want),
                         "row %zu", i);
    }
}

Test(webhook, a_list_without_end_is_not_read_to_its_end)
{
    char list[4096] = "";
    for (int i = 0; i < WEBHOOK_SIGNATURES_MAX; i++) {
        strncat(list, "v1,AAAA ", sizeof list - strlen(list) - 1);
    }
    strncat(list, SIGNATURE, sizeof list - strlen(list) - 1);
    struct webhook_message msg = GOOD;
    msg.signature = list;
    cr_assert_eq(verify(SECRET, &msg, AT), WEBHOOK_SIGNATURE_MALFORMED);
    msg.signature = list + strlen("v1,AAAA ");
    cr_assert_eq(verify(SECRET, &msg, AT), WEBHOOK_OK);
}

Test(webhook, v1_is_not_read_as_v1a_nor_the_other_way)
{
    cr_assert_eq(verify(ED_PUBLIC, &GOOD, AT), WEBHOOK_SIGNATURE_MALFORMED);
}

Test(webhook, keys_of_a_wrong_form_are_refused_without_being_shown)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "no key"},
        {" \n,", "no key"},
        {"hunter2hunter2", "begin with whsec_"},
        {"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "begin with whsec_"},
        {"whsec_", "24 to 64 bytes"},
        {"whsec_hunter2!", "base64"},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "base64"},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx=", "base64"},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLQ==", "24 to 64 bytes"},
        {SECRET " whsec_MfKQ", "key 2"},
        {"whsk_AAAA", "32 or 64 bytes"},
        {"whpk_AAAA", "32 bytes"},
        {"whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2CdYbGd7/1aYLqESvSS7CzEREnFaXsyaRlwO6wDHK5/YA==",
         "not the public key"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct webhook_keys *keys = NULL;
        cr_assert_eq(webhook_keys_parse(rows[i].text, &keys, &err), RC_FATAL, "row %zu", i);
        cr_assert(err_is_config(&err));
        cr_assert_not_null(strstr(err.text, rows[i].says), "row %zu: %s", i, err.text);
        cr_assert_null(strstr(err.text, "hunter2"));
        cr_assert_null(strstr(err.text, "MfKQ"));
        cr_assert_null(keys);
    }
}

Test(webhook, keys_have_24_to_64_bytes)
{
    for (size_t n = 20; n < 70; n++) {
        unsigned char bytes[70] = {0};
        char text[128] = "whsec_";
        base64_encode(bytes, n, text + strlen(text));
        struct webhook_keys *keys = NULL;
        enum rc rc = webhook_keys_parse(text, &keys, &err);
        cr_assert_eq(rc == RC_OK, n >= 24 && n <= 64, "%zu", n);
        (void)webhook_keys_free(keys);
    }
}

Test(webhook, what_cannot_be_signed_is_refused)
{
    CLEANUP(webhook_keys_freep) struct webhook_keys *keys = keys_of(SECRET);
    CLEANUP(webhook_keys_freep) struct webhook_keys *public = keys_of(ED_PUBLIC);
    char got[WEBHOOK_SIGNATURE_MAX];
    char long_id[WEBHOOK_ID_BYTES_MAX + 2];
    memset(long_id, 'x', sizeof long_id - 1);
    long_id[sizeof long_id - 1] = '\0';
    const char *const ids[] = {"", "a.b", "a\r\nX-Evil: 1", "a b", "ä", long_id};
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        cr_assert_eq(webhook_sign(keys, ids[i], AT, BODY, 1, got, &err), RC_REJECT, "row %zu", i);
    }
    cr_assert_eq(webhook_sign(keys, long_id + 1, AT, BODY, 1, got, &err), RC_OK);
    cr_assert_eq(webhook_sign(keys, ID, -1, BODY, 1, got, &err), RC_REJECT);
    cr_assert_eq(webhook_sign(public, ID, AT, BODY, 1, got, &err), RC_REJECT);
    cr_assert(!webhook_keys_can_sign(public));
}

Test(webhook, each_reason_has_a_name_of_its_own)
{
    for (int i = 0; i < WEBHOOK_REASONS_N; i++) {
        cr_assert_not_null(webhook_reason_name((enum webhook_reason)i));
        for (int k = 0; k < i; k++) {
            cr_assert_str_neq(webhook_reason_name((enum webhook_reason)i), webhook_reason_name((enum webhook_reason)k));
        }
    }
    cr_assert_str_eq(webhook_reason_name(WEBHOOK_REASONS_N), "unknown");
}

Test(base64, both_ways_and_only_one_spelling)
{
    static const char *const good[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        char text[16];
        char bytes[16];
        size_t n = 0;
        base64_encode(good[i][0], strlen(good[i][0]), text);
        cr_assert_str_eq(text, good[i][1]);
        cr_assert(base64_decode(text, strlen(text), bytes, strlen(good[i][0]), &n));
        cr_assert(n == strlen(good[i][0]) && memcmp(bytes, good[i][0], n) == 0);
        cr_assert(n == 0 || !base64_decode(text, strlen(text), bytes, n - 1, &n), "no room");
    }
    static const char *const bad[] = {
        "Z", "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zm 9", "Zm9v\n", "Zm9-", "=Zm9"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char bytes[16];
        size_t n = 0;
        cr_assert(!base64_decode(bad[i], strlen(bad[i]), bytes, sizeof bytes, &n), "%s", bad[i]);
    }
}
