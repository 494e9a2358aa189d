/* SPDX-License-Identifier: Apache-2.0 */
/* The file of callers. */
#include "http/caller.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

static char dir[64];
static char path[96];
static struct callers *callers;
static struct err err;

static void put(const char *name, const char *text, size_t n)
{
    char at[128];
    (void)snprintf(at, sizeof at, "%s/%s", dir, name);
    FILE *file = fopen(at, "w");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(text, 1, n, file), n);
    cr_assert_eq(fclose(file), 0);
}

static enum rc read_list(const char *text)
{
    callers = callers_free(callers);
    put("callers", text, strlen(text));
    return callers_read(path, &callers, &err);
}

static void setup(void)
{
    (void)snprintf(dir, sizeof dir, "/tmp/sluice-callers.XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/callers", dir);
}

static void teardown(void)
{
    char at[128];
    callers = callers_free(callers);
    (void)unlink(path);
    (void)snprintf(at, sizeof at, "%s/token", dir);
    (void)unlink(at);
    (void)rmdir(dir);
}

TestSuite(caller, .init = setup, .fini = teardown);

Test(caller, each_token_has_its_caller)
{
    put("token", "file-token-0123456789\n", 22);
    cr_assert_eq(
        read_list("# a comment\n\n  shop   shop-token-0123456789\r\nshop\tshop-token-next-0123\nbill.ing @token\n"),
        RC_OK, "%s", err.text);
    cr_assert_eq(callers_count(callers), 3);
    cr_assert_str_eq(callers_find(callers, "Bearer shop-token-0123456789"), "shop");
    cr_assert_str_eq(callers_find(callers, "bearer  shop-token-next-0123"), "shop");
    cr_assert_str_eq(callers_find(callers, "Bearer file-token-0123456789"), "bill.ing");
    static const char *const wrong[] = {
        "Bearer shop-token-012345678", "Bearer shop-token-01234567890", "Bearer ", "Bearer", "",
        "Basic shop-token-0123456789", "shop-token-0123456789"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        cr_assert_null(callers_find(callers, wrong[i]), "row %zu", i);
    }
    cr_assert_null(callers_find(callers, NULL));
}

Test(caller, what_is_wrong_is_named_without_the_token)
{
    static const char *const bad[] = {"",
                                      "# only\n",
                                      "shop\n",
                                      "Shop shop-token-0123456789\n",
                                      "shop short-token\n",
                                      "shop two words-0123456789\n",
                                      "shop @missing\n",
                                      "shop shop-token-0123456789\nbilling shop-token-0123456789\n"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        cr_assert_eq(read_list(bad[i]), RC_FATAL, "row %zu", i);
        cr_assert(err_is_config(&err));
        cr_assert_not_null(strstr(err.text, dir));
        cr_assert_null(strstr(err.text, "token-"), "%s", err.text);
    }
    cr_assert_not_null(strstr(err.text, ":2:"), "%s", err.text);
    cr_assert_eq(callers_read("/nonexistent/callers", &callers, &err), RC_FATAL);
}
