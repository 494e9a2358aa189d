/* SPDX-License-Identifier: Apache-2.0 */
/* The form decoder: bytes in, bytes out, decoded once. */
#include "channel/form.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct arena arena;
static struct form form;
static struct verdict v;

static void setup(void)
{
    arena_init(&arena, 4096);
}

static void teardown(void)
{
    arena_done(&arena);
}

TestSuite(form, .init = setup, .fini = teardown);

static enum channel_reason parse_n(const char *body, size_t n)
{
    v = (struct verdict){0};
    return form_parse(body, n, &arena, &form, &v);
}

static enum channel_reason parse(const char *body)
{
    return parse_n(body, strlen(body));
}

Test(form, values_are_decoded_once)
{
    static const struct {
        const char *raw, *value;
    } ROWS[] = {{"a=1", "1"},
                {"a=", ""},
                {"a", ""},
                {"a=b=c", "b=c"},
                {"a=+%2B%20+", " +  "},
                {"a=%2525", "%25"},
                {"a=%e5%A4%a7", "\xe5\xa4\xa7"},
                {"a=%B4%F3", "\xb4\xf3"},
                {"a=\\", "\\"},
                {"%61=1", "1"},
                {"&&a=1&", "1"}};
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        cr_assert_eq(parse(ROWS[i].raw), REASON_OK, "%s: %s", ROWS[i].raw, v.detail);
        cr_expect_eq(form.n, 1, "%s", ROWS[i].raw);
        cr_expect_str_eq(form_get(&form, "a"), ROWS[i].value, "%s", ROWS[i].raw);
        cr_expect_eq(form.params[0].value_n, strlen(ROWS[i].value));
    }
    cr_assert_eq(parse(""), REASON_OK);
    cr_expect_eq(form.n, 0);
}

Test(form, parameters_come_in_the_order_of_their_names_bytes)
{
    cr_assert_eq(parse("b=1&a=2&B=3&a_=4&a.=5&a-b=6&ab=7"), REASON_OK, "%s", v.detail);
    static const char *const ORDER[] = {"B", "a", "a-b", "a.", "a_", "ab", "b"};
    cr_assert_eq(form.n, ARRAY_SIZE(ORDER));
    for (size_t i = 0; i < form.n; i++) {
        cr_expect_str_eq(form.params[i].name, ORDER[i]);
    }
}

Test(form, what_two_readers_might_read_in_two_ways_is_refused)
{
    static const struct {
        const char *raw;
        size_t n; /* 0 = as a string */
        enum channel_reason want;
    } ROWS[] = {{"a=1&a=1", 0, REASON_PARAM_DUP},
                {"a=1&%61=2", 0, REASON_PARAM_DUP},
                {"a&a=", 0, REASON_PARAM_DUP},
                {"a=%", 0, REASON_BODY_MALFORMED},
                {"a=%4", 0, REASON_BODY_MALFORMED},
                {"a=%4&b=1", 0, REASON_BODY_MALFORMED},
                {"a=%4g", 0, REASON_BODY_MALFORMED},
                {"a=%-1", 0, REASON_BODY_MALFORMED},
                {"a=%00", 0, REASON_BODY_MALFORMED},
                {"a=\0", 3, REASON_BODY_MALFORMED},
                {"a\0b=1", 5, REASON_BODY_MALFORMED},
                {"=1", 0, REASON_BODY_MALFORMED},
                {"%20=1", 0, REASON_BODY_MALFORMED},
                {"+=1", 0, REASON_BODY_MALFORMED},
                {"\xe5\xa4\xa7=1", 0, REASON_BODY_MALFORMED},
                {"{\"a\":1}", 0, REASON_BODY_MALFORMED}};
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        size_t n = ROWS[i].n == 0 ? strlen(ROWS[i].raw) : ROWS[i].n;
        cr_expect_eq(parse_n(ROWS[i].raw, n), ROWS[i].want, "%s: %s", ROWS[i].raw, v.detail);
        cr_expect_neq(v.detail[0], '\0');
    }
}

Test(form, names_and_numbers_have_ceilings)
{
    char body[4096] = "";
    size_t n = 0;
    for (int i = 0; i < FORM_PARAMS_MAX; i++) {
        n += (size_t)snprintf(body + n, sizeof body - n, "%sp%d=1", i == 0 ? "" : "&", i);
    }
    cr_expect_eq(parse(body), REASON_OK);
    cr_expect_eq(form.n, FORM_PARAMS_MAX);
    (void)snprintf(body + n, sizeof body - n, "&more=1");
    cr_expect_eq(parse(body), REASON_BODY_MALFORMED);
    memset(body, 'a', FORM_NAME_MAX + 1);
    body[FORM_NAME_MAX + 1] = '\0';
    cr_expect_eq(parse(body), REASON_BODY_MALFORMED);
    cr_expect_eq(parse(body + 1), REASON_OK);
}
