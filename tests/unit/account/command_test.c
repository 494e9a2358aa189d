/* SPDX-License-Identifier: Apache-2.0 */
/* Commands as they come: every form, every way in which one can be wrong, and what counts as the same content. */
#include "account/command.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account/fields.h"
#include "schemas/avro_set.h"

#define ID128                                                                                                          \
    "a234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012" \
    "34567890123456_8"
#define ISSUED INT64_C(1700000000000001)

static struct avro_set *set;
static struct command_reader *reader;
static struct arena arena;
static struct ledger_command c;
static const char *class;
static struct err err;

static void setup(void)
{
    cr_assert_eq(schemas_avro_set(&set, &err), RC_OK, "%s", err.text);
    cr_assert_eq(command_reader_create(set, &reader, &err), RC_OK, "%s", err.text);
    arena_init(&arena, 4096);
}

static void teardown(void)
{
    arena_done(&arena);
    command_reader_free(reader);
    avro_set_free(set);
}

TestSuite(command, .init = setup, .fini = teardown);

/* The record as JSON, with the payload as the string that it is. */
static char *record(const char *command, const char *payload, const char *caller)
{
    struct buf out;

    buf_init(&out, 1 << 20);
    buf_printf(&out, "{\"event_id\":\"e1\",\"command\":\"%s\",\"partition_key\":\"k\",\"caller\":\"%s\",\"payload\":",
               command, caller);
    buf_json_string(&out, payload, strlen(payload));
    buf_printf(&out, ",\"queue_seq\":1,\"created_at\":%" PRId64 "}", ISSUED);
    return buf_take(&out);
}

static enum rc read_as(const char *command, const char *payload)
{
    char *text CLEANUP(freep) = record(command, payload, "shop");

    return command_read(reader, text, strlen(text), &arena, &c, &class, &err);
}

#define TRANSFER                                                                                                      \
    "{\"transfer_id\":\"t1\",\"debit\":\"a\",\"credit\":\"b\",\"amount\":100,\"currency\":\"CNY\",\"reference\":\"x " \
    "y\","                                                                                                            \
    "\"effective_at\":\"2026-11-22T20:37:20.5+01:00\"}"

Test(command, a_transfer_in_avro_and_in_json)
{
    char *text CLEANUP(freep) = record("transfer", TRANSFER, "shop");
    const void *bytes = NULL;
    size_t n = 0;

    cr_assert_eq(avro_encode_json(set, "account_command", text, strlen(text), &arena, &bytes, &n, &err), RC_OK);
    cr_assert_eq(read_as("transfer", TRANSFER), RC_OK, "%s", err.text);
    struct ledger_command json = c;
    cr_assert_eq(command_read(reader, bytes, n, &arena, &c, &class, &err), RC_OK, "%s", err.text);
    cr_expect_arr_eq(json.content_hash, c.content_hash, LEDGER_HASH_BYTES);
    cr_expect_eq(c.op, OP_TRANSFER);
    cr_expect_str_eq(c.event_id, "e1");
    cr_expect_str_eq(c.caller, "shop");
    cr_expect_str_eq(c.transfer_id, "t1");
    cr_expect_str_eq(c.debit, "a");
    cr_expect_str_eq(c.credit, "b");
    cr_expect_eq(c.amount, 100);
    cr_expect_str_eq(c.currency, "CNY");
    cr_expect_str_eq(c.reference, "x y");
    cr_expect_eq(c.issued_us, ISSUED);
    cr_expect_eq(c.effective_us, INT64_C(1795376240500000));
    cr_expect_eq(c.expires_us, LEDGER_NO_TIME);
    for (size_t i = 0; i < n; i++) {
        cr_expect_eq(command_read(reader, bytes, i, &arena, &c, &class, &err), RC_REJECT, "%zu bytes", i);
    }
}

Test(command, the_other_forms)
{
    cr_assert_eq(read_as("try",
                         "{\"transfer_id\":\"t\",\"debit\":\"a\",\"credit\":\"b\",\"amount\":1,\"currency\":\"C\","
                         "\"timeout_s\":30}"),
                 RC_OK, "%s", err.text);
    cr_expect_eq(c.expires_us, ISSUED + 30000000, "counted from when it was asked");
    cr_assert_eq(read_as("confirm", "{\"transfer_id\":\"t\",\"debit\":\"a\",\"amount\":7}"), RC_OK, "%s", err.text);
    cr_expect(c.op == OP_CONFIRM && c.has_amount && c.amount == 7);
    cr_assert_eq(read_as("confirm", "{\"transfer_id\":\"t\",\"debit\":\"a\"}"), RC_OK, "%s", err.text);
    cr_expect_not(c.has_amount);
    cr_assert_eq(read_as("cancel", "{\"transfer_id\":\"t\",\"debit\":\"a\"}"), RC_OK, "%s", err.text);
    cr_expect_eq(c.op, OP_CANCEL);
    cr_assert_eq(read_as("expire", "{\"transfer_id\":\"t\",\"debit\":\"a\"}"), RC_OK, "%s", err.text);
    cr_expect_eq(c.op, OP_EXPIRE);
    cr_assert_eq(read_as("open", "{\"account_id\":\"a\",\"currency\":\"CNY\"}"), RC_OK, "%s", err.text);
    cr_expect(c.exponent == 2 && c.kind == KIND_USER && !ledger_limited(&c.settings));
    cr_expect_str_eq(c.debit, "a");
    cr_assert_eq(read_as("open", "{\"account_id\":\"a\",\"currency\":\"JPY\",\"exponent\":0,\"kind\":\"fee\","
                                 "\"no_negative\":true,\"credit_only\":true,\"debit_only\":true,\"max_balance\":-5}"),
                 RC_OK, "what contradicts itself is for the ledger to refuse: %s", err.text);
    cr_expect(c.exponent == 0 && c.kind == KIND_FEE && c.settings.no_negative && c.settings.credit_only &&
              c.settings.debit_only && c.settings.has_max && c.settings.max_balance == -5);
    cr_assert_eq(read_as("set", "{\"account_id\":\"a\",\"status\":\"frozen\",\"max_balance\":null}"), RC_OK, "%s",
                 err.text);
    cr_expect(c.settings_mask == (SET_STATUS | SET_MAX) && c.settings.status == ACCOUNT_FROZEN && !c.settings.has_max);
    cr_assert_eq(read_as("set", "{\"account_id\":\"a\",\"max_balance\":9}"), RC_OK, "%s", err.text);
    cr_expect(c.settings_mask == SET_MAX && c.settings.has_max && c.settings.max_balance == 9);
}

#define MEMBER(id) "{\"transfer_id\":\"" id "\",\"debit\":\"a\",\"credit\":\"b\",\"amount\":1,\"currency\":\"C\"}"

Test(command, a_linked_set_has_its_members_in_order)
{
    cr_assert_eq(read_as("linked", "{\"transfers\":[" MEMBER("x") "," MEMBER("y") "]}"), RC_OK, "%s", err.text);
    cr_expect_eq(c.n_members, 2);
    cr_expect_str_eq(c.transfer_id, "x", "the set's name");
    cr_expect_str_eq(c.members[1].transfer_id, "y");
    cr_expect_eq(c.members[1].op, OP_TRANSFER);
    cr_expect_str_eq(c.members[1].event_id, "e1");
    cr_expect_eq(c.members[1].issued_us, ISSUED);
}

/* Well-formed and foolish: refused by the ledger, which remembers it. */
Test(command, what_the_ledger_refuses_is_no_malformed_command)
{
    static const char *const amounts[] = {"0", "-1", "9223372036854775807", "-9223372036854775808"};

    for (size_t i = 0; i < ARRAY_SIZE(amounts); i++) {
        char *p CLEANUP(freep) = xasprintf(
            "{\"transfer_id\":\"t\",\"debit\":\"a\",\"credit\":\"a\",\"amount\":%s,\"currency\":\"C\"}", amounts[i]);
        cr_expect_eq(read_as("transfer", p), RC_OK, "%s: %s", amounts[i], err.text);
        cr_expect_eq(c.amount, strtoll(amounts[i], NULL, 10));
    }
}

static char *replaced(const char *in, const char *from, const char *to)
{
    const char *at = strstr(in, from);

    cr_assert_not_null(at, "%s", from);
    return xasprintf("%.*s%s%s", (int)(at - in), in, to, at + strlen(from));
}

#define M CLASS_MALFORMED
#define R CLASS_OUT_OF_RANGE

/* What is changed in a good transfer, and what is said then. */
static const struct {
    const char *from, *to, *class, *text;
} MISTAKES[] = {
    {"100", "1.0", M, "field payload.amount: expected a whole number"},
    {"100", "100.5", M, "field payload.amount: expected a whole number"},
    {"100", "1e2", M, "field payload.amount: expected a whole number"},
    {"100", "1E+2", M, "field payload.amount: expected a whole number"},
    {"100", "\"100\"", M, "field payload.amount: expected a whole number"},
    {"100", "true", M, "field payload.amount: expected a whole number"},
    {"100", "null", M, "field payload.amount: expected a whole number"},
    {"100", "[100]", M, "field payload.amount: expected a whole number"},
    {"100", "9223372036854775808", R, "field payload is not a JSON object"},
    {"100", "-9223372036854775809", R, "field payload is not a JSON object"},
    {"100", "1e999", R, "field payload is not a JSON object"},
    {"100", "0100", M, "field payload is not a JSON object"},
    {"100", "+100", M, "field payload is not a JSON object"},
    {"100", "NaN", M, "field payload is not a JSON object"},
    {"100", "0x64", M, "field payload is not a JSON object"},
    {"\"amount\":100,", "", M, "field payload.amount is missing"},
    {"\"transfer_id\":\"t1\",", "", M, "field payload.transfer_id is missing"},
    {"\"debit\":\"a\",", "", M, "field payload.debit is missing"},
    {"\"credit\":\"b\",", "", M, "field payload.credit is missing"},
    {",\"currency\":\"CNY\"", "", M, "field payload.currency is missing"},
    {"\"debit\":\"a\",", "\"debit\":\"a\",\"debit\":\"a\",", M, "field payload is not a JSON object"},
    {"\"debit\":\"a\",", "\"debit\":\"a\",\"fee\":1,", M, "field payload.fee is unknown"},
    {"\"debit\":\"a\",", "\"debit\":\"a\",\"Amount\":1,", M, "field payload.Amount is unknown"},
    {"\"debit\":\"a\",", "\"debit\":\"a\",\"timeout_s\":1,", M, "field payload.timeout_s is unknown"},
    {"\"t1\"", "\"\"", M, "field payload.transfer_id: expected 1 to 128 of"},
    {"\"t1\"", "\"t 1\"", M, "field payload.transfer_id: expected 1 to 128 of"},
    {"\"t1\"", "\"t/1\"", M, "field payload.transfer_id: expected 1 to 128 of"},
    {"\"t1\"", "\"t\\u00fc\"", M, "field payload.transfer_id: expected 1 to 128 of"},
    {"\"t1\"", "\"t|1\"", M, "field payload.transfer_id: expected 1 to 128 of"},
    {"\"t1\"", "\"t\\n\"", M, "field payload.transfer_id: expected 1 to 128 of"},
    {"\"t1\"", "\"t\\u00001\"", M, "field payload is not a JSON object"},
    {"\"t1\"", "\"t\\ud800\"", M, "field payload is not a JSON object"},
    {"\"t1\"", "\"" ID128 "9\"", M, "field payload.transfer_id: expected 1 to 128 of"},
    {"\"t1\"", "17", M, "field payload.transfer_id: expected a string"},
    {"\"t1\"", "\"pay:o1:confirm\"", M, "field payload.transfer_id is pay:o1:confirm; expected none that begins with"},
    {"\"t1\"", "\"merge:e1\"", M, "field payload.transfer_id is merge:e1; expected none that begins with"},
    {"\"a\"", "\"a'--\"", M, "field payload.debit: expected 1 to 128 of"},
    {"\"CNY\"", "\"C-Y\"", M, "field payload.currency: expected 1 to 12 letters and digits"},
    {"\"CNY\"", "\"ABCDEFGHIJKLM\"", M, "field payload.currency: expected 1 to 12 letters and digits"},
    {"\"x y\"", "7", M, "field payload.reference: expected a string"},
    {"20.5+01:00", "20.5", M, "field payload.effective_at: expected a time"},
    {"2026-11-22T", "2026-02-29T", M, "field payload.effective_at: expected a time"},
    {"2026-11-22T", "2026-13-01T", M, "field payload.effective_at: expected a time"},
    {"2026-11-22T", "2026-11-00T", M, "field payload.effective_at: expected a time"},
    {"2026-11-22T", "1969-12-31T", M, "field payload.effective_at: expected a time"},
    {"2026-11-22T", "99999-11-22T", M, "field payload.effective_at: expected a time"},
    {"2026-11-22T", "2026-11- 2T", M, "field payload.effective_at: expected a time"},
    {"2026-11-22T", "2026-11-22 ", M, "field payload.effective_at: expected a time"},
    {"20:37:20.5", "20:37:60", M, "field payload.effective_at: expected a time"},
    {"20:37:20.5", "24:37:20", M, "field payload.effective_at: expected a time"},
    {"20:37:20.5", "20:37:20.", M, "field payload.effective_at: expected a time"},
    {"\"2026-11-22T20:37:20.5+01:00\"", "1700000000", M, "field payload.effective_at: expected a time"},
    {TRANSFER, "", M, "field payload is not a JSON object"},
    {TRANSFER, "7", M, "field payload is not a JSON object"},
    {TRANSFER, "[]", M, "field payload: expected a JSON object"},
    {TRANSFER, "{}", M, "field payload.transfer_id is missing"},
    {TRANSFER, TRANSFER "x", M, "field payload is not a JSON object"},
};

Test(command, every_mistake_has_one_message_that_names_the_field)
{
    for (size_t i = 0; i < ARRAY_SIZE(MISTAKES); i++) {
        char *p CLEANUP(freep) = replaced(TRANSFER, MISTAKES[i].from, MISTAKES[i].to);
        cr_expect_eq(read_as("transfer", p), RC_REJECT, "accepted: %s", p);
        cr_expect(strstr(err.text, MISTAKES[i].text) == err.text, "%s: %s", p, err.text);
        cr_expect_str_eq(class, MISTAKES[i].class, "%s: %s", p, class);
    }
}

static const struct {
    const char *command, *payload, *text;
} FORMS[] = {
    {"pay", "{}", "field command is \"pay\""},
    {"", "{}", "field command is \"\""},
    {"Transfer", TRANSFER, "field command is \"Transfer\""},
    {"try",
     "{\"transfer_id\":\"t\",\"debit\":\"a\",\"credit\":\"b\",\"amount\":1,\"currency\":\"C\",\"timeout_s\":1,"
     "\"expires_at\":\"2026-11-22T20:37:20Z\"}",
     "fields payload.expires_at and timeout_s: expected one of them"},
    {"try", "{\"transfer_id\":\"t\",\"debit\":\"a\",\"credit\":\"b\",\"amount\":1,\"currency\":\"C\",\"timeout_s\":0}",
     "field payload.timeout_s is 0; expected 1 to 315360000"},
    {"try",
     "{\"transfer_id\":\"t\",\"debit\":\"a\",\"credit\":\"b\",\"amount\":1,\"currency\":\"C\",\"timeout_s\":"
     "9223372036854775807}",
     "field payload.timeout_s is 9223372036854775807"},
    {"confirm", "{\"transfer_id\":\"t\"}", "field payload.debit is missing"},
    {"cancel", "{\"transfer_id\":\"t\",\"debit\":\"a\",\"amount\":1}", "field payload.amount is unknown"},
    {"expire", "{\"debit\":\"a\"}", "field payload.transfer_id is missing"},
    {"open", "{\"account_id\":\"a\"}", "field payload.currency is missing"},
    {"open", "{\"account_id\":\"a\",\"currency\":\"C\",\"exponent\":5}",
     "field payload.exponent is 5; expected 0 to 4"},
    {"open", "{\"account_id\":\"a\",\"currency\":\"JPY\",\"exponent\":2}",
     "field payload.exponent is 2; expected 0, which ISO 4217 gives JPY"},
    {"open", "{\"account_id\":\"a\",\"currency\":\"C\",\"kind\":\"bank\"}", "field payload.kind: expected one of"},
    {"open", "{\"account_id\":\"a\",\"currency\":\"C\",\"no_negative\":1}", "field payload.no_negative: expected true"},
    {"open", "{\"account_id\":\"a\",\"currency\":\"C\",\"max_balance\":null}",
     "field payload.max_balance: expected a whole number"},
    {"open", "{\"account_id\":\"a\",\"currency\":\"C\",\"status\":\"open\"}", "field payload.status is unknown"},
    {"set", "{\"account_id\":\"a\"}", "field payload: expected at least one setting"},
    {"set", "{\"account_id\":\"a\",\"status\":\"gone\"}", "field payload.status: expected one of"},
    {"set", "{\"account_id\":\"a\",\"max_balance\":1.5}", "field payload.max_balance: expected a whole number"},
    {"open", "{\"account_id\":\"clearing:wechat:CNY\",\"currency\":\"CNY\"}",
     "field payload.account_id is clearing:wechat:CNY; expected none that begins with clearing: or suspense:"},
    {"open", "{\"account_id\":\"suspense:x\",\"currency\":\"C\"}",
     "field payload.account_id is suspense:x; expected none"},
    {"open", "{\"account_id\":\"a\",\"currency\":\"C\",\"kind\":\"clearing\"}",
     "field payload.kind is clearing; expected user, merchant, fee or system"},
    {"open", "{\"account_id\":\"a\",\"currency\":\"C\",\"kind\":\"suspense\"}",
     "field payload.kind is suspense; expected"},
    {"set", "{\"account_id\":\"clearing:wechat:CNY\",\"status\":\"frozen\"}",
     "field payload.account_id is clearing:wechat:CNY; expected none"},
    {"set", "{\"account_id\":\"suspense:wechat:CNY\",\"max_balance\":0}",
     "field payload.account_id is suspense:wechat:CNY; expected none"},
    {"linked", "{\"transfers\":{}}", "field payload.transfers: expected a list"},
    {"linked", "{\"transfers\":[]}", "field payload.transfers has 0 members; expected 2 to 64"},
    {"linked", "{\"transfers\":[" MEMBER("x") "]}", "field payload.transfers has 1 members"},
    {"linked", "{\"transfers\":[" MEMBER("x") ",7]}", "field payload.transfers[1]: expected a JSON object"},
    {"linked", "{\"transfers\":[" MEMBER("x") ",{\"transfer_id\":\"y\"}]}",
     "field payload.transfers[1].debit is missing"},
    {"linked", "{\"transfers\":[" MEMBER("x") "," MEMBER("y") "],\"atomic\":true}", "field payload.atomic is unknown"},
};

Test(command, every_command_has_its_form)
{
    for (size_t i = 0; i < ARRAY_SIZE(FORMS); i++) {
        cr_expect_eq(read_as(FORMS[i].command, FORMS[i].payload), RC_REJECT, "accepted: %s", FORMS[i].payload);
        cr_expect(strstr(err.text, FORMS[i].text) == err.text, "%s: %s", FORMS[i].payload, err.text);
        cr_expect_str_eq(class, CLASS_MALFORMED);
    }
}

/* The program's own accounts are for those who write in the database. */
Test(command, without_a_caller_clearing_and_suspense_may_be_opened_and_set)
{
    static const char *const good[][2] = {
        {"open", "{\"account_id\":\"clearing:wechat:CNY\",\"currency\":\"CNY\",\"kind\":\"clearing\"}"},
        {"open", "{\"account_id\":\"suspense:wechat:CNY\",\"currency\":\"CNY\",\"kind\":\"suspense\"}"},
        {"set", "{\"account_id\":\"clearing:wechat:CNY\",\"status\":\"frozen\"}"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        char *text CLEANUP(freep) = record(good[i][0], good[i][1], "");
        cr_expect_eq(command_read(reader, text, strlen(text), &arena, &c, &class, &err), RC_OK, "%s", err.text);
    }
    cr_expect_eq(read_as("open", "{\"account_id\":\"clearinghouse\",\"currency\":\"C\"}"), RC_OK, "%s", err.text);
}

Test(command, sizes_have_ceilings)
{
    struct buf b;

    char *longest CLEANUP(freep) = replaced(TRANSFER, "\"t1\"", "\"" ID128 "\"");
    cr_expect_eq(read_as("transfer", longest), RC_OK, "128 bytes: %s", err.text);
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 257; i++) {
        buf_putc(&b, 'r');
    }
    char *reference CLEANUP(freep) = replaced(TRANSFER, "x y", buf_str(&b));
    cr_expect_eq(read_as("transfer", reference), RC_REJECT);
    cr_expect_str_eq(err.text, "field payload.reference has 257 bytes; expected at most 256");
    buf_clear(&b);
    for (size_t i = 0; i <= FIELDS_JSON_MAX; i++) {
        buf_putc(&b, ' ');
    }
    cr_expect_eq(read_as("transfer", buf_str(&b)), RC_REJECT);
    cr_expect(strstr(err.text, "field payload has ") == err.text, "%s", err.text);
    buf_clear(&b);
    for (int i = 0; i < 100000; i++) {
        buf_putc(&b, '[');
    }
    cr_expect_eq(read_as("transfer", buf_str(&b)), RC_REJECT, "deep nesting is no way to end the process");
    buf_clear(&b);
    buf_puts(&b, "{\"transfers\":[");
    for (int i = 0; i < 65; i++) {
        buf_printf(&b, "%s{\"transfer_id\":\"x%d\",\"debit\":\"a\",\"credit\":\"b\",\"amount\":1,\"currency\":\"C\"}",
                   i > 0 ? "," : "", i);
    }
    buf_puts(&b, "]}");
    cr_expect_eq(read_as("linked", buf_str(&b)), RC_REJECT);
    cr_expect_str_eq(err.text, "field payload.transfers has 65 members; expected 2 to 64");
    buf_done(&b);
}

Test(command, the_envelope_is_checked_too)
{
    static const struct {
        const char *from, *to, *text;
    } wrong[] = {
        {"\"e1\"", "\"e 1\"", "field event_id: expected"},
        {"\"e1\"", "\"\"", "field event_id: expected"},
        {"\"shop\"", "\"sh op\"", "field caller: expected at most 64"},
        {"\"shop\"", "\"" ID128 "\"", "field caller: expected at most 64"},
        {"1700000000000001", "-1", "field created_at is -1"},
        {"1700000000000001", "9000000000000000000", "field created_at is 9000000000000000000"},
    };
    char *good CLEANUP(freep) = record("transfer", TRANSFER, "shop");

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        char *text CLEANUP(freep) = replaced(good, wrong[i].from, wrong[i].to);
        cr_expect_eq(command_read(reader, text, strlen(text), &arena, &c, &class, &err), RC_REJECT, "%s", text);
        cr_expect(strstr(err.text, wrong[i].text) == err.text, "%s: %s", text, err.text);
    }
    cr_expect_eq(command_read(reader, NULL, 0, &arena, &c, &class, &err), RC_REJECT, "a tombstone");
    cr_expect_eq(command_read(reader, "\0\0\0\0\1\377", 6, &arena, &c, &class, &err), RC_REJECT);
    cr_expect_eq(command_read(reader, "\377\376", 2, &arena, &c, &class, &err), RC_REJECT);
}

static void hash_of(const char *command, const char *payload, unsigned char out[LEDGER_HASH_BYTES])
{
    cr_assert_eq(read_as(command, payload), RC_OK, "%s: %s", payload, err.text);
    memcpy(out, c.content_hash, LEDGER_HASH_BYTES);
}

Test(command, the_hash_is_of_what_was_asked_and_of_nothing_else)
{
    static const struct {
        const char *from, *to;
    } other[] = {{"\"t1\"", "\"t2\""},   {"\"debit\":\"a\"", "\"debit\":\"c\""},
                 {"\"b\"", "\"c\""},     {"100", "101"},
                 {"CNY", "USD"},         {"x y", "x  y"},
                 {"20.5+01", "20.6+01"}, {",\"reference\":\"x y\"", ""},
                 {"\"x y\"", "\"\""}};
    unsigned char first[LEDGER_HASH_BYTES];
    unsigned char hash[LEDGER_HASH_BYTES];

    hash_of("transfer", TRANSFER, first);
    for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
        char *p CLEANUP(freep) = replaced(TRANSFER, other[i].from, other[i].to);
        hash_of("transfer", p, hash);
        cr_expect_neq(memcmp(first, hash, sizeof(hash)), 0, "%s", p);
    }
    hash_of("try", TRANSFER, hash);
    cr_expect_neq(memcmp(first, hash, sizeof(hash)), 0, "another command");
    char *same CLEANUP(freep) = replaced(TRANSFER, "20:37:20.5+01:00", "19:37:20.500000Z");
    hash_of("transfer", same, hash);
    cr_expect_arr_eq(first, hash, sizeof(hash), "the same moment, written in another way");
    hash_of("transfer",
            "{\"reference\":\"x y\",\"amount\":100,\"credit\":\"b\",\"debit\":\"a\",\"currency\":\"CNY\",\n"
            "\"effective_at\":\"2026-11-22T20:37:20.5+01:00\", \"transfer_id\":\"t1\"}",
            hash);
    cr_expect_arr_eq(first, hash, sizeof(hash), "order and blanks do not count");
    char *text CLEANUP(freep) = record("transfer", TRANSFER, "other");
    char *later CLEANUP(freep) = replaced(text, "1700000000000001", "1800000000000001");
    char *event CLEANUP(freep) = replaced(later, "\"e1\"", "\"e2\"");
    cr_assert_eq(command_read(reader, event, strlen(event), &arena, &c, &class, &err), RC_OK, "%s", err.text);
    cr_expect_arr_eq(first, c.content_hash, sizeof(hash), "neither caller nor event nor time of asking");
}

/* A reference may hold newlines: it must not be able to look like other lines. */
Test(command, no_two_commands_have_one_canonical_text)
{
    unsigned char a[LEDGER_HASH_BYTES];
    unsigned char b[LEDGER_HASH_BYTES];

    hash_of("try", "{\"transfer_id\":\"t\",\"debit\":\"a\",\"credit\":\"b\",\"amount\":1,\"currency\":\"C\"}", a);
    hash_of(
        "try",
        "{\"transfer_id\":\"t\",\"debit\":\"a\",\"credit\":\"b\",\"amount\":1,\"currency\":\"C\",\"reference\":\"-\"}",
        b);
    cr_expect_neq(memcmp(a, b, sizeof(a)), 0);
    hash_of("try",
            "{\"transfer_id\":\"t\",\"debit\":\"a\",\"credit\":\"b\",\"amount\":1,\"currency\":\"C\",\"timeout_s\":5}",
            b);
    cr_expect_neq(memcmp(a, b, sizeof(a)), 0);
    hash_of("open", "{\"account_id\":\"t\",\"currency\":\"C\"}", a);
    hash_of("open", "{\"account_id\":\"t\",\"currency\":\"C\",\"exponent\":3}", b);
    cr_expect_neq(memcmp(a, b, sizeof(a)), 0);
    hash_of("set", "{\"account_id\":\"t\",\"max_balance\":null}", a);
    hash_of("set", "{\"account_id\":\"t\",\"no_negative\":false}", b);
    cr_expect_neq(memcmp(a, b, sizeof(a)), 0);
}

Test(command, a_transfer_alone_is_another_content_than_in_a_set)
{
    unsigned char alone[LEDGER_HASH_BYTES];
    unsigned char set_a[LEDGER_HASH_BYTES];

    hash_of("transfer", MEMBER("x"), alone);
    cr_assert_eq(read_as("linked", "{\"transfers\":[" MEMBER("x") "," MEMBER("y") "]}"), RC_OK);
    cr_expect_neq(memcmp(alone, c.members[0].content_hash, sizeof(alone)), 0);
    memcpy(set_a, c.members[0].content_hash, sizeof(set_a));
    cr_assert_eq(read_as("linked", "{\"transfers\":[" MEMBER("x") "," MEMBER("z") "]}"), RC_OK);
    cr_expect_neq(memcmp(set_a, c.members[0].content_hash, sizeof(set_a)), 0, "nor in one set as in another");
}
