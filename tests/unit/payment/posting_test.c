/* SPDX-License-Identifier: Apache-2.0 */
/* posting.json: the one that is built in, and every kind of mistake in one of one's own, named with what was expected.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "payment/decide.h"
#include "payment/posting.h"
#include "schemas/embedded.h"

static const struct embedded *builtin(void)
{
    return embedded_find(SCHEMAS_JSON, SCHEMAS_JSON_n, "posting.json");
}

static enum rc parse(const char *text, struct posting *out, struct err *err)
{
    size_t n = strlen(text);
    char *exact = xcalloc(n > 0 ? n : 1, 1); /* without a NUL, for the sanitizer */
    memcpy(exact, text, n);
    enum rc rc = posting_parse(exact, n, "my.json", out, err);
    free(exact);
    return rc;
}

/* The built-in text with the first `from` replaced. */
static char *changed(const char *from, const char *to)
{
    const char *text = builtin()->text;
    const char *at = strstr(text, from);

    cr_assert_not_null(at, "%s", from);
    return xasprintf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void expect_id(const struct posting *p, int account, const char *expected)
{
    CLEANUP(buf_done) struct buf id;
    buf_init(&id, 200);
    posting_account_id(p, account, "u1", "wechat", "CNY", &id);
    cr_expect_str_eq(buf_str(&id), expected);
}

Test(posting, the_built_in_file_books_as_documented)
{
    struct posting p;
    struct err err;

    cr_assert_eq(posting_load("", builtin()->text, builtin()->size, &p, &err), RC_OK, "%s", err.text);
    for (int b = BOOK_NONE + 1; b < PAYMENT_BOOKINGS; b++) {
        cr_expect_eq(p.rules[b].n, 1);
    }
    expect_id(&p, p.rules[BOOK_CONFIRM].pairs[0].debit, "clearing:wechat:CNY");
    expect_id(&p, p.rules[BOOK_CONFIRM].pairs[0].credit, "u1");
    expect_id(&p, p.rules[BOOK_SUSPEND].pairs[0].credit, "suspense:wechat:CNY");
    expect_id(&p, p.rules[BOOK_REVOKE].pairs[0].debit, "u1");
    expect_id(&p, p.rules[BOOK_REVOKE_CARRIED].pairs[0].debit, "suspense:wechat:CNY");
    expect_id(&p, p.rules[BOOK_REFUND_CARRIED].pairs[0].credit, "clearing:wechat:CNY");
    cr_expect_eq(posting_window_days(&p, "wechat"), 365);
    cr_expect_eq(posting_window_days(&p, "appstore"), PAYMENT_NO_WINDOW);
    cr_expect_eq(posting_window_days(&p, "some-other"), 365);
}

static const struct {
    const char *from, *to, *expected;
} MISTAKES[] = {
    {"\"version\": 1", "\"version\": 2", "key \"version\" expected 1"},
    {"\"version\": 1", "\"version\": 1, \"rule\": {}", "unknown key \"rule\""},
    {"\"version\": 1,", "\"version\": 1", "my.json: line 3"},
    {"\"rules\": {", "\"rules\": [], \"x\": {", "unknown key \"x\""},
    {"\"accounts\": {", "\"accounts\": [], \"accounts\": {", "my.json: line"},
    /* accounts */
    {"clearing:{channel}:{currency}", "clearing:{chanel}:{currency}", "account \"clearing\": expected 1 to 63"},
    {"clearing:{channel}:{currency}", "clearing:{channel}", "with {currency}"},
    {"clearing:{channel}:{currency}", "suspense:{channel}:{currency}", "\"clearing\" and \"suspense\" are the same"},
    {"\"clearing\": \"clearing:{channel}:{currency}\"", "\"clearing\": 7", "account \"clearing\": expected"},
    {"\"clearing\":", "\"order\":", "account \"order\": expected a name"},
    {"\"suspense\":", "\"suspence\":", "expected \"clearing\" and \"suspense\""},
    /* windows */
    {"\"wechat\": 365", "\"wechat\": 365.0", "\"wechat\" expected whole days from 0 to 3650"},
    {"\"wechat\": 365", "\"wechat\": -1", "\"wechat\" expected whole days"},
    {"\"wechat\": 365", "\"wechat\": 99999", "\"wechat\" expected whole days"},
    {"\"wechat\": 365", "\"We Chat\": 365", "\"We Chat\" is no channel's name"},
    {",\n    \"*\": 365", "", "\"*\" is missing"},
    /* rules */
    {"\"confirm\": [", "\"confirmed\": [", "rule \"confirmed\" is of no booking"},
    {"\"confirm\": [", "\"confirm\": {}, \"suspend2\": [", "rule \"confirm\" expected a list of 2 to 8 entries"},
    {"{\"account\": \"clearing\", \"side\": \"debit\", \"amount\": \"received\"},", "",
     "rule \"confirm\" expected a list of 2"},
    {"{\"account\": \"clearing\", \"side\": \"debit\", \"amount\": \"received\"},",
     "{\"account\": \"clearing\", \"side\": \"debit\", \"amount\": \"received\"},"
     "{\"account\": \"clearing\", \"side\": \"debit\", \"amount\": \"received\"},",
     "rule \"confirm\" does not balance: debits 2 x received, credits 1 x received"},
    {"\"side\": \"debit\"", "\"side\": \"credit\"",
     "rule \"confirm\" does not balance: debits 0 x received, credits 2 x received"},
    {"\"side\": \"debit\"", "\"side\": \"left\"", "rule \"confirm\": entry 1 has the side \"left\""},
    {"\"amount\": \"received\"", "\"amount\": \"refunded\"",
     "rule \"confirm\": entry 1 has the amount \"refunded\"; expected received"},
    {"\"amount\": \"received\"", "\"amount\": 7", "rule \"confirm\": entry 1 expected exactly"},
    {"\"amount\": \"received\"", "\"amount\": \"received\", \"note\": \"\"",
     "rule \"confirm\": entry 1 expected exactly"},
    {"\"account\": \"clearing\"", "\"account\": \"cash\"", "rule \"confirm\": entry 1 names the account \"cash\""},
    {"\"account\": \"clearing\"", "\"account\": \"order\"", "debit 1 and credit 1 are the same account"},
    {"\"account\": \"order\"", "\"account\": \"suspense\"", "rule \"confirm\" moves order +0 and suspense +1"},
};

Test(posting, every_mistake_is_named)
{
    for (size_t i = 0; i < ARRAY_SIZE(MISTAKES); i++) {
        struct posting p;
        struct err err = {.text = ""};
        char *text CLEANUP(freep) = changed(MISTAKES[i].from, MISTAKES[i].to);
        cr_expect_eq(parse(text, &p, &err), RC_FATAL, "%zu: %s", i, MISTAKES[i].to);
        cr_expect(err_is_config(&err), "%zu", i);
        cr_expect(strncmp(err.text, "my.json: ", 9) == 0, "%zu: %s", i, err.text);
        cr_expect_not_null(strstr(err.text, MISTAKES[i].expected), "%zu: %s, expected %s", i, err.text,
                           MISTAKES[i].expected);
    }
}

Test(posting, a_rule_that_is_missing_is_named)
{
    struct posting p;
    struct err err;
    const char *text = builtin()->text;
    const char *from = strstr(text, "    \"refund\": [");
    const char *to = strstr(text, "    \"refund_suspense\": [");
    char *without CLEANUP(freep) = xasprintf("%.*s%s", (int)(from - text), text, to);

    cr_assert_eq(parse(without, &p, &err), RC_FATAL);
    cr_expect_str_eq(err.text, "my.json: rule \"refund\" is missing");
}

Test(posting, money_may_pass_through_another_account)
{
    struct posting p;
    struct err err;
    char *rule CLEANUP(freep) =
        changed("\"confirm\": [", "\"confirm\": ["
                                  "{\"account\": \"fees\", \"side\": \"credit\", \"amount\": \"received\"},"
                                  "{\"account\": \"fees\", \"side\": \"debit\", \"amount\": \"received\"},");
    const char *at = strstr(rule, "\"clearing\": \"");
    char *text CLEANUP(freep) = xasprintf("%.*s\"fees\": \"fees:{currency}\", %s", (int)(at - rule), rule, at);

    cr_assert_eq(parse(text, &p, &err), RC_FATAL, "fees would pay itself");
    cr_expect_not_null(strstr(err.text, "same account"), "%s", err.text);
    /* clearing -> fees, fees -> order */
    char *two CLEANUP(freep) = changed("{\"account\": \"order\", \"side\": \"credit\", \"amount\": \"received\"}",
                                       "{\"account\": \"fees\", \"side\": \"credit\", \"amount\": \"received\"},"
                                       "{\"account\": \"fees\", \"side\": \"debit\", \"amount\": \"received\"},"
                                       "{\"account\": \"order\", \"side\": \"credit\", \"amount\": \"received\"}");
    at = strstr(two, "\"clearing\": \"");
    char *good CLEANUP(freep) = xasprintf("%.*s\"fees\": \"fees:{currency}\", %s", (int)(at - two), two, at);
    cr_assert_eq(parse(good, &p, &err), RC_OK, "%s", err.text);
    cr_assert_eq(p.rules[BOOK_CONFIRM].n, 2);
    expect_id(&p, p.rules[BOOK_CONFIRM].pairs[0].debit, "clearing:wechat:CNY");
    expect_id(&p, p.rules[BOOK_CONFIRM].pairs[0].credit, "fees:CNY");
    expect_id(&p, p.rules[BOOK_CONFIRM].pairs[1].debit, "fees:CNY");
    expect_id(&p, p.rules[BOOK_CONFIRM].pairs[1].credit, "u1");
}

Test(posting, a_file_is_read_and_its_name_is_in_the_message)
{
    struct posting p;
    struct err err;
    char path[] = "posting-test-XXXXXX";
    int fd = mkstemp(path);
    const struct embedded *file = builtin();

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, file->text, file->size), (ssize_t)file->size);
    cr_expect_eq(posting_load(path, NULL, 0, &p, &err), RC_OK, "%s", err.text);
    cr_assert_eq(ftruncate(fd, 10), 0);
    cr_expect_eq(posting_load(path, NULL, 0, &p, &err), RC_FATAL);
    cr_expect(strncmp(err.text, path, strlen(path)) == 0 && err_is_config(&err), "%s", err.text);
    cr_assert_eq(ftruncate(fd, (off_t)POSTING_BYTES_MAX + 1), 0);
    cr_expect_eq(posting_load(path, NULL, 0, &p, &err), RC_FATAL);
    cr_expect_not_null(strstr(err.text, "more than 65536 bytes"), "%s", err.text);
    (void)close(fd);
    (void)unlink(path);
    cr_expect_eq(posting_load(path, NULL, 0, &p, &err), RC_FATAL);
    cr_expect(err_is_config(&err) && strstr(err.text, "No such file") != NULL, "%s", err.text);
}
