/* SPDX-License-Identifier: Apache-2.0 */
/* Headers in a file: line ends, duplicates, and what is refused. */
#include "http/header_file.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static struct header_file file;
static struct err err;

static enum rc parse(const char *text)
{
    header_file_done(&file);
    return header_file_parse(text, strlen(text), &file, &err);
}

static void teardown(void)
{
    header_file_done(&file);
}

TestSuite(header_file, .fini = teardown);

Test(header_file, both_line_ends_any_case_duplicates_kept)
{
    cr_assert_eq(parse("Webhook-Id: a\r\nX:  b\t \nx:c\nEmpty:\n\nnot looked at"), RC_OK, "%s", err.text);
    size_t n = 0;
    cr_assert_str_eq(header_file_get(&file, "webhook-id", &n), "a");
    cr_assert_eq(n, 1);
    cr_assert_str_eq(header_file_get(&file, "X", &n), "b");
    cr_assert_eq(n, 2);
    cr_assert_str_eq(header_file_get(&file, "empty", NULL), "");
    cr_assert_null(header_file_get(&file, "nothing", &n));
    cr_assert_eq(n, 0);
    cr_assert_eq(parse(""), RC_OK);
    cr_assert_eq(file.n, 0);
}

Test(header_file, what_is_no_header_is_refused)
{
    static const char *const bad[] = {"GET / HTTP/1.1\n", ": x\n", "a b: x\n", " a: x\n", "a: x\ry\n", "a: \x01\n"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        cr_assert_eq(parse(bad[i]), RC_REJECT, "row %zu", i);
    }
    header_file_done(&file);
    cr_assert_eq(header_file_parse("a: b\0c", 6, &file, &err), RC_REJECT);
    static char big[HEADER_FILE_BYTES_MAX + 1];
    cr_assert_eq(header_file_parse(big, sizeof big, &file, &err), RC_REJECT);
    for (size_t i = 0; i < HEADER_FILE_LINES_MAX + 1; i++) {
        memcpy(big + i * 4, "a:b\n", 4);
    }
    cr_assert_eq(header_file_parse(big, 4 * HEADER_FILE_LINES_MAX, &file, &err), RC_OK);
    header_file_done(&file);
    cr_assert_eq(header_file_parse(big, 4 * (HEADER_FILE_LINES_MAX + 1), &file, &err), RC_REJECT);
}
