/* SPDX-License-Identifier: Apache-2.0 */
/* The providers file. */
#include "push/providers.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/option.h"
#include "push/kinds.h"
#include "push/member.h"

#define RATE_MAX 1000000
#define STREAMS_MAX 1000
#define TIMEOUT_MS_MAX 60000
#define ANY_PLATFORM "*"

static enum rc config_error(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
static enum rc config_error(struct err *err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)err_setv(err, RC_FATAL, __FILE__, __LINE__, fmt, ap);
    va_end(ap);
    return err_code(err, ERR_CONFIG);
}

static const struct provider *find(const struct providers *p, const char *name)
{
    for (size_t i = 0; name != NULL && i < p->n; i++) {
        if (strcmp(p->rows[i].name, name) == 0) {
            return &p->rows[i];
        }
    }
    return NULL;
}

static const struct provider_kind *kind_of(const char *name)
{
    for (size_t i = 0; name != NULL && i < PROVIDER_KINDS_N; i++) {
        if (strcmp(PROVIDER_KINDS[i]->name, name) == 0) {
            return PROVIDER_KINDS[i];
        }
    }
    return NULL;
}

static bool name_ok(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    return name[n] == '\0' && n > 0 && n <= PROVIDER_NAME_MAX;
}

static struct provider *add(struct providers *p, const struct providers_options *opt, const char *name,
                            const struct provider_kind *kind)
{
    struct provider *row = &p->rows[p->n++];

    *row = (struct provider){.kind = kind,
                             .rate = opt->rate,
                             .streams = opt->streams,
                             .batch = (int64_t)kind->batch_max,
                             .timeout_ms = opt->timeout_ms};
    (void)snprintf(row->name, sizeof row->name, "%s", name);
    return row;
}

/* ---------------------------------------------------------------------------------------------------- the file */

/* The members that every kind has; they are taken out of config, so that the kind finds its own only. */
static enum rc read_common(struct provider *row, json_t *config, struct err *err)
{
    static const char *const names[] = {"rate", "streams", "batch", "timeout_ms"};
    struct members m;
    json_t *common = json_object();

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (json_object_get(config, names[i]) != NULL) {
            (void)json_object_set(common, names[i], json_object_get(config, names[i]));
            (void)json_object_del(config, names[i]);
        }
    }
    members_begin(&m, common, "", err);
    (void)members_int(&m, "rate", 0, RATE_MAX, &row->rate);
    (void)members_int(&m, "streams", 1, STREAMS_MAX, &row->streams);
    (void)members_int(&m, "batch", 1, (int64_t)row->kind->batch_max, &row->batch);
    (void)members_int(&m, "timeout_ms", 100, TIMEOUT_MS_MAX, &row->timeout_ms);
    enum rc rc = members_end(&m);
    json_decref(common);
    return rc;
}

static void say_kinds(char *out, size_t size)
{
    size_t at = 0;

    for (size_t i = 0; i < PROVIDER_KINDS_N && at < size; i++) {
        at += (size_t)snprintf(out + at, size - at, "%s%s", i > 0 ? ", " : "", PROVIDER_KINDS[i]->name);
    }
}

static enum rc read_provider(struct providers *p, const struct providers_options *opt, const char *name,
                             const json_t *value, const char *directory, struct err *err)
{
    char kinds[160];
    const char *kind_name = json_string_value(json_object_get(value, "kind"));
    const struct provider_kind *kind = kind_of(kind_name);

    if (!name_ok(name) || strcmp(name, PROVIDER_SELFTEST_APP) == 0) {
        return config_error(err, "expected a name of 1 to %d letters, digits, '.', '_' or '-', and not %s",
                            PROVIDER_NAME_MAX, PROVIDER_SELFTEST_APP);
    }
    if (kind == NULL) {
        say_kinds(kinds, sizeof kinds);
        return config_error(err, "member kind: expected one of %s", kinds);
    }
    if (p->n >= PROVIDERS_MAX - 1) { /* one place is the selftest's */
        return config_error(err, "more than %d providers", PROVIDERS_MAX - 1);
    }
    struct provider *row = add(p, opt, name, kind);
    json_t *config = json_copy((json_t *)(uintptr_t)value);
    (void)json_object_del(config, "kind");
    enum rc rc = read_common(row, config, err);
    rc = rc == RC_OK ? kind->open(config, directory, &row->self, err) : rc;
    json_decref(config);
    if (rc != RC_OK) {
        p->n--; /* there is nothing to close */
        return err_code(err, ERR_CONFIG);
    }
    return RC_OK;
}

static enum rc read_providers(struct providers *p, const struct providers_options *opt, const char *directory,
                              struct err *err)
{
    const json_t *list = json_object_get(p->file, "providers");
    const char *name = NULL;
    json_t *value = NULL;

    if (!json_is_object(list) || json_object_size(list) == 0) {
        return config_error(err, "member providers: expected an object with at least one provider");
    }
    json_object_foreach((json_t *)(uintptr_t)list, name, value)
    {
        if (read_provider(p, opt, name, value, directory, err) != RC_OK) {
            return err_prefix(err, "providers.%s", name);
        }
    }
    return RC_OK;
}

static enum rc check_name(const struct providers *p, const char *where, const json_t *value, struct err *err)
{
    if (find(p, json_string_value(value)) == NULL) {
        return config_error(err, "%s: expected the name of a provider of this file", where);
    }
    return RC_OK;
}

static enum rc check_app(const struct providers *p, const char *appid, const json_t *value, struct err *err)
{
    CLEANUP(freep) char *where = xasprintf("apps.%s", appid);
    const char *platform = NULL;
    json_t *name = NULL;

    if (!json_is_object(value)) {
        return check_name(p, where, value, err);
    }
    json_object_foreach((json_t *)(uintptr_t)value, platform, name)
    {
        CLEANUP(freep) char *member = xasprintf("apps.%s.%s", appid, platform);
        TRY(check_name(p, member, name, err));
    }
    return RC_OK;
}

static enum rc read_apps(struct providers *p, struct err *err)
{
    const json_t *apps = json_object_get(p->file, "apps");
    const json_t *fallback = json_object_get(p->file, "default");
    const char *key = NULL;
    json_t *value = NULL;

    if (apps != NULL && !json_is_object(apps)) {
        return config_error(err, "member apps: expected an object");
    }
    json_object_foreach((json_t *)(uintptr_t)apps, key, value)
    {
        TRY(check_app(p, key, value, err));
    }
    if (fallback != NULL) {
        TRY(check_name(p, "member default", fallback, err));
        p->fallback = find(p, json_string_value(fallback));
    }
    json_object_foreach(p->file, key, value)
    {
        if (strcmp(key, "providers") != 0 && strcmp(key, "apps") != 0 && strcmp(key, "default") != 0) {
            return config_error(err, "member %s: nobody knows it; expected providers, apps, default", key);
        }
    }
    return RC_OK;
}

static enum rc read_file(struct providers *p, const struct providers_options *opt, struct err *err)
{
    CLEANUP(freep) char *text = NULL;
    json_error_t why;

    TRY(config_read_file(opt->file, PROVIDERS_FILE_BYTES_MAX, &text, err));
    p->file = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(p->file)) {
        return config_error(err, "expected a JSON object: line %d: %s", p->file == NULL ? why.line : 1,
                            p->file == NULL ? why.text : "it is something else");
    }
    const char *slash = strrchr(opt->file, '/');
    CLEANUP(freep)
    char *directory =
        slash == NULL ? xstrdup(".") : xstrndup(opt->file, slash == opt->file ? 1 : (size_t)(slash - opt->file));
    TRY(read_providers(p, opt, directory, err));
    return read_apps(p, err);
}

/* ---------------------------------------------------------------------------------------------------- all */

enum rc providers_load(const struct providers_options *opt, struct providers *out, struct err *err)
{
    *out = (struct providers){0};
    if (opt->file[0] != '\0') {
        if (read_file(out, opt, err) != RC_OK) {
            (void)err_code(err, ERR_CONFIG);
            return err_prefix(err, "push.providers.file: %s", opt->file);
        }
    } else if (opt->cloud_url[0] != '\0') {
        struct provider *cloud = add(out, opt, "cloud", &provider_cloud);
        cloud->self = provider_cloud_make(opt->cloud_url, opt->cloud_secret);
        out->fallback = cloud;
    }
    out->selftest = add(out, opt, PROVIDER_SELFTEST_APP, &provider_mock);
    return RC_OK;
}

void providers_done(struct providers *p)
{
    for (size_t i = 0; i < p->n; i++) {
        p->rows[i].kind->close(p->rows[i].self);
    }
    json_decref(p->file);
    *p = (struct providers){0};
}

const struct provider *providers_choose(const struct providers *p, const char *appid, const char *platform)
{
    if (strcmp(appid, PROVIDER_SELFTEST_APP) == 0) {
        return p->selftest;
    }
    const json_t *app = json_object_get(json_object_get(p->file, "apps"), appid);
    const json_t *name = app;
    if (json_is_object(app)) {
        name = platform == NULL ? NULL : json_object_get(app, platform);
        name = name == NULL ? json_object_get(app, ANY_PLATFORM) : name;
    }
    const struct provider *found = find(p, json_string_value(name));
    return found != NULL ? found : p->fallback;
}
