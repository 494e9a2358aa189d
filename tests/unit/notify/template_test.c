/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: every text has words whatever the event lacks, and a bad file is refused by name. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "notify/template.h"
#include "schemas/embedded.h"

static struct templates *t;
static struct arena a;
static struct err err;

static void setup(void)
{
    arena_init(&a, 65536);
    cr_assert_eq(templates_open("", &t, &err), RC_OK, "%s", err.text);
}

static void teardown(void)
{
    templates_free(t);
    arena_done(&a);
}

TestSuite(notify_template, .init = setup, .fini = teardown);

static struct rendered render(const char *locale, enum express_status status, const struct template_values *v,
                              size_t title_max, size_t body_max)
{
    struct rendered out = {NULL, NULL};
    int at = templates_find(t, locale);

    cr_assert_geq(at, 0);
    templates_render(t, at, NOTIFY_USER, status, v, title_max, body_max, &a, &out);
    return out;
}

Test(notify_template, no_text_is_empty_whatever_is_missing)
{
    const struct template_values poor = {.tracking_no = "1"};

    for (int locale = 0; locale < 2; locale++) {
        for (int aud = 0; aud < NOTIFY_AUDS; aud++) {
            for (int s = 1; s < EXPRESS_STATUSES; s++) {
                struct rendered out;
                templates_render(t, locale, (enum notify_aud)aud, (enum express_status)s, &poor, 50, 256, &a, &out);
                cr_expect(strlen(out.title) > 3 && strlen(out.body) > 3 && strchr(out.body, '{') == NULL);
            }
        }
    }
}

Test(notify_template, values)
{
    const struct template_values v = {.tracking_no = "YT1", .carrier = "YuanTong", .context = "到达上海"};
    const struct template_values poor = {.tracking_no = "YT1", .carrier = "acme", .context = " \n"};

    cr_expect_str_eq(render("zh-CN", EXPRESS_IN_TRANSIT, &v, 50, 256).body, "圆通速递 YT1：到达上海");
    cr_expect_str_eq(render("en", EXPRESS_IN_TRANSIT, &v, 50, 256).body, "YTO YT1: 到达上海");
    cr_expect_str_eq(render("en", EXPRESS_IN_TRANSIT, &poor, 50, 256).body, "acme YT1: in transit");
}

/* A blank of another script is none of a phone's texts either: the push role would refuse the message. */
Test(notify_template, blanks_of_other_scripts_are_no_words)
{
    static const char *const blanks[] = {"\xc2\xa0", "\xe2\x80\x83", "\xe3\x80\x80 \xef\xbb\xbf"};

    for (size_t i = 0; i < ARRAY_SIZE(blanks); i++) {
        const struct template_values v = {.tracking_no = "YT1", .carrier = blanks[i], .context = blanks[i]};
        cr_expect_str_eq(render("en", EXPRESS_IN_TRANSIT, &v, 50, 256).body, "Parcel YT1: in transit");
    }
    cr_expect_str_eq(template_cut(&a, "\xc2\xa0 a\xe2\x80\x83\xc2\xa0", 8, 10), "a");
    cr_expect_str_eq(template_cut(&a, " \xe3\x80\x80", 4, 10), "");
}

/* What stands in a value is text: it is not looked at for variables again, and has no more room than there is. */
Test(notify_template, values_are_not_templates)
{
    char *huge = xcalloc(200001, 1);
    const struct template_values v = {.tracking_no = "{context}", .carrier = "{", .context = "{tracking_no}{x"};
    const struct template_values more = {.tracking_no = "YT1", .carrier = "sf", .context = huge};

    cr_expect_str_eq(render("en", EXPRESS_IN_TRANSIT, &v, 50, 256).body, "{ {context}: {tracking_no}{x");
    memset(huge, 'x', 200000);
    cr_expect_str_eq(render("en", EXPRESS_IN_TRANSIT, &more, 5, 16).title, "Your…");
    cr_expect_gt(strlen(render("en", EXPRESS_IN_TRANSIT, &more, 5, 16).body), 0);
    free(huge);
}

Test(notify_template, texts_are_cut_between_characters)
{
    const struct template_values v = {.tracking_no = "YT1", .carrier = "sf", .context = "到达上海转运中心"};

    cr_expect_str_eq(render("zh-CN", EXPRESS_IN_TRANSIT, &v, 5, 13).title, "您的包裹…");
    cr_expect_str_eq(render("zh-CN", EXPRESS_IN_TRANSIT, &v, 5, 13).body, "顺丰速运 YT1：到达上…");
    cr_expect_str_eq(template_cut(&a, "　 a\tb\x7f ", strlen("　 a\tb\x7f "), 10), "a b");
    cr_expect_str_eq(template_cut(&a, "abc", 3, 3), "abc");
    cr_expect_str_eq(template_cut(&a, "abcd", 4, 3), "ab…");
}

Test(notify_template, languages_are_found)
{
    static const struct {
        const char *asked, *found; /* NULL = none */
    } table[] = {{"zh-CN", "zh-CN"}, {"zh_cn", "zh-CN"}, {"zh", "zh-CN"},   {"zh-Hant-TW", "zh-CN"},
                 {"EN_us", "en"},    {"en", "en"},       {"english", NULL}, {"fr", NULL},
                 {"", NULL},         {NULL, NULL}};

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        int at = templates_find(t, table[i].asked);
        cr_expect((at < 0) == (table[i].found == NULL), "%s", table[i].asked);
        if (at >= 0 && table[i].found != NULL) {
            cr_expect_str_eq(templates_locale(t, at), table[i].found, "%s", table[i].asked);
        }
    }
}

/* What is built in with one value put elsewhere: path "en.user.delivered.body"; value is JSON, NULL = left out. */
static void refused(const char *path, const char *value, const char *want)
{
    const struct embedded *file = embedded_find(SCHEMAS_JSON, SCHEMAS_JSON_n, "templates.json");
    json_t *root = json_loadb(file->text, file->size, 0, NULL);
    json_t *at = root;
    char *names = xstrdup(path);
    struct templates *out = NULL;
    char *last = NULL;

    char *rest = NULL;
    for (char *name = strtok_r(names, ".", &rest); name != NULL; name = strtok_r(NULL, ".", &rest)) {
        at = last != NULL ? json_object_get(at, last) : at;
        last = name;
    }
    if (value != NULL) {
        json_object_set_new(at, last, json_loads(value, JSON_DECODE_ANY, NULL));
    } else {
        json_object_del(at, last);
    }
    char *text = json_dumps(root, 0);
    cr_assert_eq(templates_load("x.json", text, strlen(text), &out, &err), RC_FATAL, "%s", path);
    cr_expect_str_eq(err.text, want);
    cr_expect(err_is_config(&err));
    free(text);
    free(names);
    json_decref(root);
}

/* Some carriers write their codes in capitals, and so do files. */
Test(notify_template, carriers_are_found_in_any_case)
{
    const struct embedded *file = embedded_find(SCHEMAS_JSON, SCHEMAS_JSON_n, "templates.json");
    json_t *root = json_loadb(file->text, file->size, 0, NULL);
    struct rendered out;
    struct templates *own = NULL;

    json_object_set_new(json_object_get(json_object_get(json_object_get(root, "locales"), "en"), "carriers"), "ACME",
                        json_string("Acme Parcels"));
    char *text = json_dumps(root, 0);
    cr_assert_eq(templates_load("x.json", text, strlen(text), &own, &err), RC_OK, "%s", err.text);
    const struct template_values v = {.tracking_no = "A1", .carrier = "Acme", .context = "here"};
    templates_render(own, templates_find(own, "en"), NOTIFY_USER, EXPRESS_DELIVERED, &v, 50, 256, &a, &out);
    cr_expect_str_eq(out.body, "Acme Parcels A1: here");
    templates_free(own);
    free(text);
    json_decref(root);
}

Test(notify_template, a_bad_file_is_refused_by_name)
{
    struct templates *out = NULL;

    refused(
        "locales.en.user.delivered.body", "\"Hello {name}\"",
        "x.json: en: user: delivered: \"body\" has an unknown variable \"{name}\"; expected {tracking_no}, {carrier},"
        " {status} or {context}");
    refused(
        "locales.en.user.delivered.body", "\"open {carrier\"",
        "x.json: en: user: delivered: \"body\" has an unknown variable \"{carrier\"; expected {tracking_no}, {carrier},"
        " {status} or {context}");
    refused("locales.en.user.delivered.title", "\" 　 \"",
            "x.json: en: user: delivered: \"title\" is empty; expected text");
    refused("locales.en.user.delivered.title", "\"\\u00a0\\u2003\"",
            "x.json: en: user: delivered: \"title\" is empty; expected text");
    refused("locales.en.carriers.YTO", "\"Y\"", "x.json: en: carriers: \"YTO\" stands there twice, in other letters");
    refused("locales.en.merchant.customs.title", NULL, "x.json: en: merchant: customs: key \"title\": expected a text");
    refused("locales.en.merchant.customs", NULL, "x.json: en: merchant: key \"customs\": expected an object");
    refused("locales.en.merchant.unknown", "{\"title\": \"a\", \"body\": \"b\"}",
            "x.json: en: merchant: unknown key \"unknown\"");
    refused("locales.zh-CN.status.returned", "\"\"",
            "x.json: zh-CN: status: \"returned\": expected a text of 1 to 64 bytes");
    refused("locales.zh-CN.carriers.yto", "5", "x.json: zh-CN: carriers: \"yto\": expected a text of 1 to 64 bytes");
    refused("locales.n o", "{}", "x.json: n o: expected a language's name such as zh-CN or en");
    refused("locales", "{}", "x.json: key \"locales\": expected at least one language");
    refused("version", "2", "x.json: key \"version\": expected 1");
    refused("more", "2", "x.json: unknown key \"more\"");
    cr_expect_eq(templates_load("x.json", "{", 1, &out, &err), RC_FATAL);
    cr_expect_eq(templates_open("/nonexistent/templates", &out, &err), RC_FATAL);
    cr_expect(err_is_config(&err) && strstr(err.text, "notify.templates.file") != NULL, "%s", err.text);
}
