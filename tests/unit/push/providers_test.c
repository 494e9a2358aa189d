/* SPDX-License-Identifier: Apache-2.0 */
/* The providers file: who sends for whom, and mistakes in it by name. */
#include "push/providers.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/sluice-providers-XXXXXX";
static char path[64], secret[64];

static void put(const char *name, const char *text, mode_t mode)
{
    FILE *f = fopen(name, "w");
    cr_assert(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0 && chmod(name, mode) == 0);
}

static void setup(void)
{
    cr_assert(mkdtemp(directory) != NULL);
    (void)snprintf(path, sizeof path, "%s/providers.json", directory);
    (void)snprintf(secret, sizeof secret, "%s/cloud.secret", directory);
    put(secret, "shared\n", 0600);
}

static void teardown(void)
{
    (void)unlink(path);
    (void)unlink(secret);
    (void)rmdir(directory);
}

TestSuite(providers, .init = setup, .fini = teardown);

static enum rc load(const char *file_text, struct providers *p, struct err *err)
{
    const struct providers_options opt = {
        .file = file_text == NULL ? "" : path, .cloud_url = "", .cloud_secret = "", .streams = 10, .timeout_ms = 1000};
    if (file_text != NULL) {
        put(path, file_text, 0644);
    }
    return providers_load(&opt, p, err);
}

static const char *chosen(const struct providers *p, const char *appid, const char *platform)
{
    const struct provider *row = providers_choose(p, appid, platform);
    return row == NULL ? "-" : row->name;
}

#define TWO                                                                                                \
    "\"providers\":{\"one\":{\"kind\":\"cloud\",\"url\":\"https://a/\",\"secret_file\":\"cloud.secret\"}," \
    "\"two\":{\"kind\":\"mock\",\"rate\":7,\"streams\":3,\"timeout_ms\":500}}"

Test(providers, are_chosen_by_app_and_platform)
{
    struct providers p;
    struct err err = {0};
    cr_assert_eq(load("{" TWO ",\"apps\":{\"A\":{\"android\":\"one\",\"*\":\"two\"},\"B\":\"one\","
                      "\"C\":{\"ios\":\"two\"}}}",
                      &p, &err),
                 RC_OK, "%s", err.text);
    cr_assert_str_eq(chosen(&p, "A", "android"), "one");
    cr_assert_str_eq(chosen(&p, "A", "ios"), "two");
    cr_assert_str_eq(chosen(&p, "A", NULL), "two");
    cr_assert_str_eq(chosen(&p, "B", "ios"), "one");
    cr_assert_str_eq(chosen(&p, "C", "ios"), "two");
    cr_assert_str_eq(chosen(&p, "C", "android"), "-");
    cr_assert_str_eq(chosen(&p, "unknown", "android"), "-");
    cr_assert_str_eq(chosen(&p, "selftest", NULL), "selftest");
    const struct provider *two = providers_choose(&p, "A", "ios");
    cr_assert(two->rate == 7 && two->streams == 3 && two->timeout_ms == 500 && two->batch == 1);
    providers_done(&p);

    cr_assert_eq(load("{" TWO ",\"apps\":{\"C\":{\"ios\":\"two\"}},\"default\":\"one\"}", &p, &err), RC_OK);
    cr_assert_str_eq(chosen(&p, "unknown", NULL), "one");
    cr_assert_str_eq(chosen(&p, "C", "android"), "one");
    providers_done(&p);
}

Test(providers, without_a_file_the_cloud_function_sends_for_every_app)
{
    struct providers_options opt = {.file = "", .cloud_url = "https://f/", .cloud_secret = "s", .streams = 10};
    struct providers p;
    struct err err;
    cr_assert_eq(providers_load(&opt, &p, &err), RC_OK);
    cr_assert_str_eq(chosen(&p, "any", NULL), "cloud");
    cr_assert_str_eq(chosen(&p, "selftest", NULL), "selftest");
    providers_done(&p);
    opt.cloud_url = "";
    cr_assert_eq(providers_load(&opt, &p, &err), RC_OK);
    cr_assert_str_eq(chosen(&p, "any", NULL), "-");
    providers_done(&p);
}

static void wrong(const char *text, const char *named)
{
    struct providers p;
    struct err err = {0};
    cr_assert_neq(load(text, &p, &err), RC_OK, "taken: %s", text);
    cr_assert(err_is_config(&err), "%s: %s", named, err.text);
    cr_assert(strstr(err.text, named) != NULL && strstr(err.text, "providers.json") != NULL, "%s: not named in: %s",
              named, err.text);
    cr_assert(strstr(err.text, "shared") == NULL);
    providers_done(&p);
}

#define WITH(members) "{\"providers\":{\"p\":{" members "}}}"

Test(providers, mistakes_are_named)
{
    wrong("", "JSON object");
    wrong("[]", "JSON object");
    wrong("{\"providers\":{}}", "member providers");
    wrong("{\"providers\":[]}", "member providers");
    wrong(WITH(""), "providers.p: member kind");
    wrong(WITH("\"kind\":\"pigeon\""), "webhook");
    wrong(WITH("\"kind\":\"cloud\""), "providers.p: member url");
    wrong(WITH("\"kind\":\"cloud\",\"url\":5"), "member url");
    wrong(WITH("\"kind\":\"cloud\",\"url\":\"https://a/\",\"colour\":1"), "member colour");
    wrong(WITH("\"kind\":\"cloud\",\"url\":\"https://a/\",\"form\":\"round\""), "member form");
    wrong(WITH("\"kind\":\"cloud\",\"url\":\"https://a/\",\"secret_file\":\"none\""), "member secret_file");
    wrong(WITH("\"kind\":\"cloud\",\"url\":\"https://a/\",\"secret_env\":\"SLUICE_TEST_NO_SUCH\""), "secret_env");
    wrong(WITH("\"kind\":\"cloud\",\"url\":\"https://a/\",\"secret\":\"here\""), "member secret");
    wrong(WITH("\"kind\":\"mock\",\"rate\":-1"), "member rate");
    wrong(WITH("\"kind\":\"mock\",\"streams\":0"), "member streams");
    wrong(WITH("\"kind\":\"mock\",\"batch\":2"), "member batch");
    wrong(WITH("\"kind\":\"webhook\",\"url\":\"https://a/\""), "member secret_file");
    wrong(WITH("\"kind\":\"webhook\",\"url\":\"https://a/\",\"secret_file\":\"cloud.secret\""), "member secret");
    wrong("{\"providers\":{\"a b\":{\"kind\":\"mock\"}}}", "providers.a b");
    wrong("{\"providers\":{\"selftest\":{\"kind\":\"mock\"}}}", "providers.selftest");
    wrong("{" TWO ",\"apps\":[]}", "member apps");
    wrong("{" TWO ",\"apps\":{\"A\":\"three\"}}", "apps.A");
    wrong("{" TWO ",\"apps\":{\"A\":{\"ios\":\"three\"}}}", "apps.A.ios");
    wrong("{" TWO ",\"default\":\"three\"}", "member default");
    wrong("{" TWO ",\"defalt\":\"one\"}", "member defalt");
    put(secret, "shared\n", 0644);
    wrong(WITH("\"kind\":\"cloud\",\"url\":\"https://a/\",\"secret_file\":\"cloud.secret\""), "member secret_file");
}
