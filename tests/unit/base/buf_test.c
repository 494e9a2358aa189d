/* SPDX-License-Identifier: Apache-2.0 */
/* The buffer's ceiling, and JSON strings. */
#include "base/buf.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"

Test(buf, content_is_always_a_c_string)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1000);
    cr_assert_str_eq(buf_str(&b), "");
    cr_assert(buf_printf(&b, "%d-%s", 42, "x"));
    cr_assert(buf_putc(&b, '!'));
    cr_assert(buf_add(&b, NULL, 0));
    cr_assert_str_eq(buf_str(&b), "42-x!");
    cr_assert_eq(b.len, 5);
}

Test(buf, takes_exactly_up_to_its_ceiling)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 4);
    cr_assert(buf_puts(&b, "abcd"));
    cr_assert_not(b.overflow);
    cr_assert_not(buf_putc(&b, 'e'));
    cr_assert(b.overflow);
    cr_assert_str_eq(buf_str(&b), "abcd");
}

Test(buf, after_one_refusal_everything_is_refused_until_cleared)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 4);
    cr_assert_not(buf_puts(&b, "abcde"));
    cr_assert_not(buf_puts(&b, "a"));
    cr_assert_str_eq(buf_str(&b), "");
    buf_clear(&b);
    cr_assert(buf_puts(&b, "a"));
}

Test(buf, a_refused_append_changes_nothing)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 6);
    cr_assert(buf_puts(&b, "ab"));
    cr_assert_not(buf_printf(&b, "%s", "12345"));
    cr_assert_str_eq(buf_str(&b), "ab");
    buf_clear(&b);
    cr_assert(buf_puts(&b, "ab"));
    cr_assert_not(buf_json_string(&b, "12345", 5));
    cr_assert_str_eq(buf_str(&b), "ab");
    cr_assert_eq(b.len, 2);
}

Test(buf, take_hands_the_memory_over)
{
    struct buf b;
    buf_init(&b, 100);
    CLEANUP(freep) char *empty = buf_take(&b);
    cr_assert_str_eq(empty, "");
    cr_assert(buf_puts(&b, "mine"));
    CLEANUP(freep) char *text = buf_take(&b);
    cr_assert_str_eq(text, "mine");
    cr_assert_null(b.data);
    cr_assert_eq(b.len, 0);
}

static void expect_json(const char *in, size_t n, const char *want)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1000);
    cr_assert(buf_json_string(&b, in, n));
    cr_assert_str_eq(buf_str(&b), want);
}

Test(buf, json_strings_are_escaped)
{
    expect_json("a\"b\\c/\n\r\t\x01\x7f", 11, "\"a\\\"b\\\\c/\\n\\r\\t\\u0001\\u007f\"");
    expect_json("nul\0!", 5, "\"nul\\u0000!\"");
    expect_json("", 0, "\"\"");
    expect_json("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

Test(buf, invalid_utf8_becomes_the_replacement_character)
{
    static const char *const bad[] = {
        "\x80",             /* continuation alone */
        "\xc3",             /* cut */
        "\xc0\xaf",         /* overlong */
        "\xe0\x80\x80",     /* overlong */
        "\xed\xa0\x80",     /* surrogate */
        "\xf4\x90\x80\x80", /* beyond U+10FFFF */
        "\xf5\x80\x80\x80", /* no such lead byte */
        "\xff",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        cr_assert_eq(utf8_sequence(bad[i], strlen(bad[i])), 0, "row %zu", i);
        CLEANUP(buf_done) struct buf b;
        buf_init(&b, 100);
        cr_assert(buf_json_string(&b, bad[i], strlen(bad[i])));
        cr_assert_eq(strncmp(buf_str(&b), "\"\xef\xbf\xbd", 4), 0, "row %zu", i);
    }
}

Test(buf, utf8_does_not_read_past_the_end)
{
    CLEANUP(freep) char *cut = xcalloc(2, 1);
    memcpy(cut, "\xe2\x82", 2);
    cr_assert_eq(utf8_sequence(cut, 2), 0);
    cr_assert_eq(utf8_sequence(cut, 0), 0);
}

Test(buf, blanks_of_all_scripts_are_known)
{
    static const struct {
        const char *text;
        size_t blank;
    } table[] = {{" a", 1},           {"\va", 1},
                 {"\x1c", 0},         {"\xc2\xa0", 2},
                 {"\xc2", 0},         {"\xe2\x80\x80", 3},
                 {"\xe2\x80\x8a", 3}, {"\xe2\x80\x8b", 0},
                 {"\xe3\x80\x80", 3}, {"\xe3\x80", 0},
                 {"\xef\xbb\xbf", 3}, {"\xe1\x9a\x80", 3},
                 {"a ", 0},           {"", 0}};

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        cr_expect_eq(utf8_blank(table[i].text, strlen(table[i].text)), table[i].blank, "row %zu", i);
    }
    cr_expect(utf8_is_blank("", 0) && utf8_is_blank("\xe3\x80\x80 \xc2\xa0", 6) && !utf8_is_blank("\xc2\xa0.", 3));
}
