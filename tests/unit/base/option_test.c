/* SPDX-License-Identifier: Apache-2.0 */
/* What an option accepts, and what is shown of it. */
#include "base/option.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"

Test(option, whole_numbers_are_parsed_exactly)
{
    static const char *const good[] = {"0", "-0", "7", "-9", "007", "100"};
    static const char *const bad[] = {"",    " 7",  "7 ",  "+7", "1e6", "0x10",     "7.0",
                                      "--7", "1_0", "101", "-",  "-10", "\xd9\xa1", "99999999999999999999"};
    int64_t v = 0;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        cr_assert(option_parse_int(good[i], -9, 100, &v), "%s", good[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        v = 55;
        cr_assert_not(option_parse_int(bad[i], -9, 100, &v), "%s", bad[i]);
        cr_assert_eq(v, 55, "untouched on failure");
    }
    cr_assert(option_parse_int("-9223372036854775808", INT64_MIN, INT64_MAX, &v));
    cr_assert_eq(v, INT64_MIN);
    cr_assert(option_parse_int("9223372036854775807", INT64_MIN, INT64_MAX, &v));
    cr_assert_eq(v, INT64_MAX);
    cr_assert_not(option_parse_int("9223372036854775808", INT64_MIN, INT64_MAX, &v));
}

static const struct option ROWS[] = {
    {.name = "t.int", .type = OPTION_INT, .value = "5", .min = 1, .max = 100000, .help = "I."},
    {.name = "t.bool", .type = OPTION_BOOL, .value = "false", .help = "B."},
    {.name = "t.choice", .type = OPTION_CHOICE, .value = "avro", .choices = "avro|json", .help = "C."},
    {.name = "t.text", .type = OPTION_STRING, .value = "", .max = 8, .choices = "a-z0-9._-", .help = "S | T."},
    {.name = "t.secret", .type = OPTION_STRING, .value = "", .secret = true, .help = "K."},
    {.name = "t.url", .type = OPTION_STRING, .value = "", .env = "T_URL", .help = "U."},
};
static const struct option_table TABLE = {"test", "For tests.", ROWS, ARRAY_SIZE(ROWS)};

static void expect(size_t row, const char *value, const char *want)
{
    struct err err = {0};
    enum rc rc = option_check(&ROWS[row], value, &err);
    if (want == NULL) {
        cr_assert_eq(rc, RC_OK, "%s: %s", value, err.text);
    } else {
        cr_assert_eq(rc, RC_FATAL, "%s", value);
        cr_assert_str_eq(err.text, want);
    }
}

Test(option, messages_say_what_was_expected)
{
    expect(0, "1", NULL);
    expect(0, "100000", NULL);
    expect(0, "1e6", "\"1e6\" is not a whole number; expected 1..100000");
    expect(0, "0", "\"0\" is out of range; expected 1..100000");
    expect(0, "100001", "\"100001\" is out of range; expected 1..100000");
    expect(1, "true", NULL);
    expect(1, "yes", "\"yes\" is not a truth value; expected true or false");
    expect(2, "json", NULL);
    expect(2, "jso", "\"jso\" is not one of the choices; expected avro|json");
    expect(2, "", "\"\" is not one of the choices; expected avro|json");
    expect(3, "a.b-9_z", NULL);
    expect(3, "a b", "\"a b\" is not a valid name; expected only the characters a-z0-9._-");
    expect(3, "A", "\"A\" is not a valid name; expected only the characters a-z0-9._-");
    expect(3, "abcdefghi", "\"abcdefghi\" is too long; expected at most 8 bytes");
    expect(5, "a\nb", "\"a b\" is not one line of text; expected no control characters");
}

Test(option, a_wrong_secret_is_not_repeated)
{
    static char value[OPTION_STRING_MAX + 2];
    memset(value, 's', sizeof value - 1);
    expect(4, value, "the value is too long; expected at most 4096 bytes");
    expect(4, "-----BEGIN KEY-----\nabc\n", NULL);
}

Test(option, environment_names_follow_from_the_option)
{
    char env[64];
    cr_assert_str_eq(option_env(&ROWS[0], env, sizeof env), "SLUICE_T_INT");
    cr_assert_str_eq(option_env(&ROWS[5], env, sizeof env), "T_URL");
}

static void expect_masked(bool secret, const char *value, const char *want)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1000);
    option_masked(secret, value, &out);
    cr_assert_str_eq(buf_str(&out), want);
}

Test(option, secrets_are_masked)
{
    expect_masked(true, "hunter2", "***");
    expect_masked(true, "", "");
    expect_masked(false, "plain", "plain");
    expect_masked(true, "host=db password=x", "***");
    expect_masked(true, "postgres://u:p@h:5432/db", "postgres://u:***@h:5432/db");
    expect_masked(false, "http://u:p@registry/", "http://u:***@registry/");
    expect_masked(true, "postgres://u:p:q@x@h/db", "postgres://u:***@h/db");
    expect_masked(true, "postgres://u@h/db", "postgres://u@h/db");
    expect_masked(true, "postgres://h/db@x:y", "postgres://h/db@x:y");
    expect_masked(true, "postgres://h/db?user=u&PassWord=p&sslpassword=q&x=1",
                  "postgres://h/db?user=u&PassWord=***&sslpassword=***&x=1");
}

Test(option, tables_become_markdown_and_help)
{
    const struct option_table *const tables[] = {&TABLE};
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 65536);
    option_tables_markdown(tables, 1, &out);
    cr_assert_not_null(strstr(buf_str(&out), "## test\n\nFor tests.\n"));
    cr_assert_not_null(strstr(buf_str(&out), "| `t.int` | `SLUICE_T_INT` | 1..100000 | `5` | I. |\n"));
    cr_assert_not_null(strstr(buf_str(&out), "| `t.choice` | `SLUICE_T_CHOICE` | avro \\| json | `avro` | C. |\n"));
    cr_assert_not_null(strstr(buf_str(&out), "| `t.text` | `SLUICE_T_TEXT` | text of a-z0-9._- |  | S \\| T. |\n"));
    cr_assert_not_null(strstr(buf_str(&out), "| `t.url` | `T_URL` | text |  | U. |\n"));
    buf_clear(&out);
    option_table_help(&TABLE, &out);
    cr_assert_not_null(strstr(buf_str(&out), "  --t.bool=true|false  (default false)\n      B.\n"));
    cr_assert_not_null(strstr(buf_str(&out), "  --t.secret=secret\n"));
}
