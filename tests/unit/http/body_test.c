/* SPDX-License-Identifier: Apache-2.0 */
/* JSON bodies and their members: what is taken, and which member is named when something is not. */
#include "http/body.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/field.h"

static struct arena arena;
static struct problem problem;
static struct body_value *value;

static void setup(void)
{
    arena_init(&arena, 4096);
}

static void teardown(void)
{
    arena_done(&arena);
}

static enum rc parse(const char *text)
{
    problem = (struct problem){0};
    value = NULL;
    return body_parse(text, strlen(text), &arena, &value, &problem);
}

TestSuite(body, .init = setup, .fini = teardown);
TestSuite(field, .init = setup, .fini = teardown);

Test(body, values_of_each_type_are_taken_as_they_were_written)
{
    cr_assert_eq(
        parse(" {\"a\": [1, -0.5e+3, true, false, null, \"x\\n\\u00e9\\ud83d\\ude00\"], \"b\": {}, \"c\": []} \n"),
        RC_OK, "%s", problem.detail);
    cr_assert_eq(value->type, BODY_OBJECT);
    cr_assert_eq(value->n, 3);
    const struct body_value *v = value->first->first;
    cr_assert_str_eq(v->text, "1");
    v = v->next;
    cr_assert_str_eq(v->text, "-0.5e+3");
    v = v->next->next->next->next;
    cr_assert_str_eq(v->text, "x\n\xc3\xa9\xf0\x9f\x98\x80");
    cr_assert_eq(parse("9223372036854775808"), RC_OK, "whoever reads it decides");
    cr_assert_str_eq(value->text, "9223372036854775808");
}

Test(body, what_is_no_json_is_refused)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "{",
                                      "}",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "[1,]",
                                      "[1 2]",
                                      "01",
                                      "1.",
                                      ".5",
                                      "1e",
                                      "+1",
                                      "nul",
                                      "True",
                                      "\"",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "\"\\ud800\"",
                                      "\"\\udc00\"",
                                      "\"\\u0000\"",
                                      "\"\t\"",
                                      "{a:1}",
                                      "{'a':1}",
                                      "1 2",
                                      "NaN",
                                      "\"\xff\"",
                                      "\"\xc0\x80\"",
                                      "{\"a\":1}}",
                                      "\"\\ud800\\u0041\"",
                                      "\"\\\"",
                                      "-",
                                      "[",
                                      "{\"a\":1"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        cr_assert_eq(parse(bad[i]), RC_REJECT, "row %zu: %s", i, bad[i]);
        cr_assert_eq(problem.status, 400);
        cr_assert_str_eq(problem.code, "json_malformed", "row %zu", i);
    }
    problem = (struct problem){0};
    cr_assert_eq(body_parse("\"a\0b\"", 5, &arena, &value, &problem), RC_REJECT, "a NUL inside");
    problem = (struct problem){0};
    cr_assert_eq(body_parse("1\0", 2, &arena, &value, &problem), RC_REJECT, "a NUL behind");
}

Test(body, the_member_is_named)
{
    cr_assert_eq(parse("{\"transfers\": [{\"a\": 1}, {\"amount\": 01}]}"), RC_REJECT);
    cr_assert_str_eq(problem.field, "transfers[1].amount");
    cr_assert_eq(parse("{\"x\": {\"a\": 1, \"b\": 2, \"a\": 3}}"), RC_REJECT);
    cr_assert_str_eq(problem.code, "field_twice");
    cr_assert_str_eq(problem.field, "x.a");
    cr_assert_eq(parse("{\"a\": 1, \"\\u0061\": 2}"), RC_REJECT, "two ways to write one name");
    cr_assert_str_eq(problem.code, "field_twice");
}

Test(body, depth_members_and_values_are_bounded)
{
    char text[3 * BODY_VALUES_MAX + 100] = "";
    for (int i = 0; i < BODY_DEPTH_MAX; i++) {
        text[i] = '[';
        text[2 * BODY_DEPTH_MAX - 1 - i] = ']';
    }
    cr_assert_eq(parse(text), RC_OK, "%s", problem.detail);
    memset(text, '[', sizeof text - 1);
    cr_assert_eq(parse(text), RC_REJECT);
    cr_assert_str_eq(problem.code, "json_too_deep");
    size_t n = 0;
    text[n++] = '[';
    for (int i = 0; i < BODY_VALUES_MAX - 1; i++) {
        text[n++] = '1';
        text[n++] = ',';
    }
    text[n - 1] = ']';
    text[n] = '\0';
    cr_assert_eq(parse(text), RC_OK, "%s", problem.detail);
    memcpy(text + n - 1, ",1]", 4);
    cr_assert_eq(parse(text), RC_REJECT);
    cr_assert_str_eq(problem.code, "json_too_large");
    n = (size_t)snprintf(text, sizeof text, "{");
    for (int i = 0; i <= BODY_MEMBERS_MAX; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "\"m%d\":1%c", i, i == BODY_MEMBERS_MAX ? '}' : ',');
    }
    cr_assert_eq(parse(text), RC_REJECT);
    cr_assert_str_eq(problem.code, "json_too_large");
    cr_assert_str_eq(problem.field, "m64");
}

static struct fields f;

static void begin(const char *text)
{
    cr_assert_eq(parse(text), RC_OK, "%s", problem.detail);
    fields_begin(&f, value, "", &problem);
}

/* The problem must be this one; nothing else counts after it. */
static void expect(const char *code, const char *name)
{
    int64_t n = 0;
    cr_assert_eq(problem.status, 422);
    cr_assert_str_eq(problem.code, code, "%s: %s", problem.field, problem.detail);
    cr_assert_str_eq(problem.field, name);
    cr_assert_not(field_int(&f, "n", FIELD_OPTIONAL, 0, 10, &n), "after a problem everything reads as absent");
}

Test(field, whole_numbers_only_where_they_are_expected)
{
    static const struct {
        const char *text;
        const char *code; /* NULL = taken */
    } rows[] = {{"1", NULL},
                {"9223372036854775807", NULL},
                {"0", "field_invalid"},
                {"-1", "field_invalid"},
                {"9223372036854775808", "field_invalid"},
                {"18446744073709551617", "field_invalid"},
                {"1.0", "field_type"},
                {"1e3", "field_type"},
                {"1E0", "field_type"},
                {"\"1\"", "field_type"},
                {"true", "field_type"},
                {"null", "field_type"},
                {"[1]", "field_type"}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[64];
        int64_t n = 0;
        (void)snprintf(text, sizeof text, "{\"amount\": %s, \"n\": 1}", rows[i].text);
        begin(text);
        bool taken = field_int(&f, "amount", FIELD_REQUIRED, 1, INT64_MAX, &n);
        cr_assert_eq(taken, rows[i].code == NULL, "row %zu", i);
        if (taken) {
            cr_assert_eq(problem.status, 0);
            char back[32];
            (void)snprintf(back, sizeof back, "%lld", (long long)n);
            cr_assert_str_eq(back, rows[i].text);
        } else {
            expect(rows[i].code, "amount");
        }
    }
}

static bool letters(const char *s)
{
    return strspn(s, "abc") == strlen(s);
}

Test(field, texts_times_and_flags)
{
    int64_t us = 0;
    bool flag = false;
    begin("{\"t\": \"abc\", \"at\": \"2026-11-22T20:37:20.5+01:00\", \"b\": true, \"n\": 1}");
    cr_assert_str_eq(field_text(&f, "t", FIELD_REQUIRED, 3, letters, "letters"), "abc");
    cr_assert(field_time(&f, "at", FIELD_REQUIRED, &us));
    cr_assert_eq(us % 1000000, 500000);
    cr_assert(field_bool(&f, "b", FIELD_REQUIRED, &flag) && flag);
    fields_end(&f);
    expect("field_unknown", "n");

    begin("{\"t\": \"abcd\"}");
    cr_assert_null(field_text(&f, "t", FIELD_REQUIRED, 3, NULL, "letters"));
    expect("field_invalid", "t");
    begin("{\"t\": \"x\"}");
    cr_assert_null(field_text(&f, "t", FIELD_REQUIRED, 3, letters, "letters"));
    expect("field_invalid", "t");
    begin("{\"t\": \"a\\u0007\"}");
    cr_assert_null(field_text(&f, "t", FIELD_OPTIONAL, 3, NULL, "text"));
    expect("field_invalid", "t");
    begin("{\"t\": \"\"}");
    cr_assert_null(field_text(&f, "t", FIELD_OPTIONAL, 3, NULL, "text"));
    expect("field_invalid", "t");
    begin("{\"at\": \"2026-11-22 20:37\"}");
    cr_assert_not(field_time(&f, "at", FIELD_OPTIONAL, &us));
    expect("field_invalid", "at");
    begin("{\"b\": 1}");
    cr_assert_not(field_bool(&f, "b", FIELD_OPTIONAL, &flag));
    expect("field_type", "b");
}

Test(field, absent_is_fine_only_where_it_may_be)
{
    begin("{\"a\": null}");
    cr_assert_null(field_text(&f, "a", FIELD_OPTIONAL, 3, NULL, "text"));
    cr_assert_null(field_text(&f, "b", FIELD_OPTIONAL, 3, NULL, "text"));
    fields_end(&f);
    cr_assert_eq(problem.status, 0);
    cr_assert_null(field_text(&f, "b", FIELD_REQUIRED, 3, NULL, "text"));
    expect("field_missing", "b");
}

Test(field, members_of_members_have_their_path)
{
    cr_assert_eq(parse("{\"list\": [{\"x\": 1}, 7]}"), RC_OK);
    struct body_value *first = value->first->first;
    fields_begin(&f, first, "list[0].", &problem);
    cr_assert_null(field_text(&f, "x", FIELD_REQUIRED, 3, NULL, "text"));
    cr_assert_str_eq(problem.field, "list[0].x");
    problem = (struct problem){0};
    fields_begin(&f, first->next, "list[1].", &problem);
    cr_assert_str_eq(problem.field, "list[1]");
    cr_assert_str_eq(problem.code, "field_type");
    cr_assert_null(field_find(&f, "x", FIELD_REQUIRED));
    fields_end(&f);
}
