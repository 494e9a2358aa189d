/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 at its boundaries, at every alignment. */
#include <criterion/criterion.h>
#include <string.h>

#include "avro/utf8.h"
#include "base/mem.h"

static const struct {
    const char *bytes;
    size_t n;
    enum utf8_verdict verdict;
} ROWS[] = {
    {"", 0, UTF8_TEXT},
    {"plain", 5, UTF8_TEXT},
    {"\x7f", 1, UTF8_TEXT},
    {"\xc2\x80", 2, UTF8_TEXT},
    {"\xdf\xbf", 2, UTF8_TEXT},
    {"\xe0\xa0\x80", 3, UTF8_TEXT},
    {"\xed\x9f\xbf", 3, UTF8_TEXT},
    {"\xee\x80\x80", 3, UTF8_TEXT},
    {"\xef\xbf\xbf", 3, UTF8_TEXT},
    {"\xf0\x90\x80\x80", 4, UTF8_TEXT},
    {"\xf4\x8f\xbf\xbf", 4, UTF8_TEXT},
    {"\0", 1, UTF8_WITH_NUL},
    {"\0\xc2\x80", 3, UTF8_WITH_NUL},
    {"\0\xff", 2, UTF8_INVALID},
    {"\x80", 1, UTF8_INVALID},
    {"\xc1\xbf", 2, UTF8_INVALID},
    {"\xc2", 1, UTF8_INVALID},
    {"\xc2\x41", 2, UTF8_INVALID},
    {"\xe0\x9f\xbf", 3, UTF8_INVALID},
    {"\xed\xa0\x80", 3, UTF8_INVALID},
    {"\xe2\x82", 2, UTF8_INVALID},
    {"\xe2\x41\x80", 3, UTF8_INVALID},
    {"\xf0\x8f\xbf\xbf", 4, UTF8_INVALID},
    {"\xf4\x90\x80\x80", 4, UTF8_INVALID},
    {"\xf5\x80\x80\x80", 4, UTF8_INVALID},
    {"\xf0\x90\x80", 3, UTF8_INVALID},
    {"\xff", 1, UTF8_INVALID},
};

Test(avro_utf8, every_boundary_at_every_alignment)
{
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        for (size_t before = 0; before < 18; before++) {
            CLEANUP(freep) char *text = xcalloc(before + ROWS[i].n, 1);
            size_t at = 0;
            memset(text, 'x', before);
            memcpy(text + before, ROWS[i].bytes, ROWS[i].n);
            cr_assert_eq(utf8_check(text, before + ROWS[i].n, &at), ROWS[i].verdict, "row %zu after %zu", i, before);
            cr_assert(ROWS[i].verdict == UTF8_TEXT || at >= before);
        }
    }
}
