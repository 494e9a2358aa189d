/* SPDX-License-Identifier: Apache-2.0 */
/* The record of what went wrong. */
#include "base/err.h"

#include <criterion/criterion.h>
#include <string.h>

static enum rc leaf(enum rc rc, struct err *err)
{
    if (rc == RC_OK) {
        return RC_OK;
    }
    FAIL(err, rc, "leaf %d", 7);
}

static enum rc caller(enum rc rc, struct err *err)
{
    TRY(leaf(rc, err));
    return RC_OK;
}

Test(err, try_hands_every_reaction_up_with_its_cause)
{
    static const enum rc all[] = {RC_RETRY, RC_REJECT, RC_FENCED, RC_FATAL};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct err err = {0};
        cr_assert_eq(caller(all[i], &err), all[i]);
        cr_assert_eq(err.rc, all[i]);
        cr_assert_str_eq(err.text, "leaf 7");
        cr_assert_not_null(strstr(err.file, "err_test.c"));
        cr_assert_gt(err.line, 0);
    }
    cr_assert_eq(caller(RC_OK, NULL), RC_OK);
}

Test(err, text_is_one_line)
{
    struct err err = {0};
    (void)err_set(&err, RC_FATAL, "f", 1, "server said:\r\n\tno\n");
    cr_assert_str_eq(err.text, "server said:   no");
}

Test(err, a_cut_leaves_whole_characters)
{
    char text[ERR_TEXT_MAX + 50];
    memset(text, 'a', sizeof text);
    memcpy(text + ERR_TEXT_MAX - 2, "\xe2\x82\xac", 3); /* the cut goes through it */
    text[sizeof text - 1] = '\0';
    struct err err = {0};
    (void)err_set(&err, RC_FATAL, "f", 1, "%s", text);
    cr_assert_eq(strlen(err.text), (size_t)ERR_TEXT_MAX - 2);
    cr_assert_eq(err.text[ERR_TEXT_MAX - 3], 'a');
}

Test(err, prefix_keeps_reaction_origin_and_code)
{
    struct err err = {0};
    (void)err_set(&err, RC_REJECT, "f.c", 12, "no such column");
    (void)err_code(&err, "42703");
    cr_assert_eq(err_prefix(&err, "source %s", "payment"), RC_REJECT);
    cr_assert_str_eq(err.text, "source payment: no such column");
    cr_assert_str_eq(err.code, "42703");
    cr_assert_eq(err.line, 12);
}

Test(err, its_own_text_can_be_an_argument)
{
    struct err err = {0};
    (void)err_set(&err, RC_RETRY, "f", 1, "inner");
    (void)err_set(&err, RC_FATAL, "f", 2, "outer: %s", err.text);
    cr_assert_str_eq(err.text, "outer: inner");
}

Test(err, setting_anew_forgets_the_old_code)
{
    struct err err = {0};
    (void)err_set(&err, RC_RETRY, "f", 1, "x");
    (void)err_code(&err, ERR_CONFIG);
    cr_assert(err_is_config(&err));
    (void)err_set(&err, RC_RETRY, "f", 1, "y");
    cr_assert_not(err_is_config(&err));
}

Test(err, every_reaction_has_a_name)
{
    cr_assert_str_eq(rc_name(RC_OK), "ok");
    cr_assert_str_eq(rc_name(RC_RETRY), "retry");
    cr_assert_str_eq(rc_name(RC_REJECT), "reject");
    cr_assert_str_eq(rc_name(RC_FENCED), "fenced");
    cr_assert_str_eq(rc_name(RC_FATAL), "fatal");
}
