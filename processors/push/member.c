/* SPDX-License-Identifier: Apache-2.0 */
/* Members of a provider. */
#include "push/member.h"

#include <assert.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/option.h"

void members_begin(struct members *m, const struct json_t *object, const char *directory, struct err *err)
{
    *m = (struct members){.object = object, .directory = directory, .err = err};
}

void members_refuse(struct members *m, const char *name, const char *fmt, ...)
{
    va_list ap;

    if (m->failed) {
        return;
    }
    m->failed = true;
    va_start(ap, fmt);
    (void)err_setv(m->err, RC_FATAL, __FILE__, __LINE__, fmt, ap);
    va_end(ap);
    (void)err_prefix(m->err, "member %s", name);
    (void)err_code(m->err, ERR_CONFIG);
}

/* The member is known from now on. NULL: absent, null, or something was wrong before. */
static const json_t *find(struct members *m, const char *name, bool required)
{
    const json_t *v = json_object_get(m->object, name);

    assert(m->n < MEMBERS_MAX);
    (void)snprintf(m->asked[m->n++], MEMBER_NAME_MAX, "%s", name);
    if (required && (v == NULL || json_is_null(v))) {
        members_refuse(m, name, "it is missing");
    }
    return m->failed || json_is_null(v) ? NULL : v;
}

static bool plain(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

static const char *text_of(struct members *m, const char *name, const json_t *v, size_t max)
{
    const char *text = json_string_value(v);
    size_t n = text == NULL ? 0 : json_string_length(v);

    if (n == 0 || n > max || !plain(text, n)) {
        members_refuse(m, name, "expected a text of 1 to %zu bytes without control characters", max);
        return NULL;
    }
    return text;
}

const char *members_text(struct members *m, const char *name, bool required, size_t max)
{
    const json_t *v = find(m, name, required);

    return v == NULL ? NULL : text_of(m, name, v, max);
}

bool members_int(struct members *m, const char *name, int64_t min, int64_t max, int64_t *out)
{
    const json_t *v = find(m, name, false);

    if (v == NULL) {
        return false;
    }
    if (!json_is_integer(v) || json_integer_value(v) < min || json_integer_value(v) > max) {
        members_refuse(m, name, "expected a whole number in %lld..%lld", (long long)min, (long long)max);
        return false;
    }
    *out = json_integer_value(v);
    return true;
}

bool members_bool(struct members *m, const char *name, bool *out)
{
    const json_t *v = find(m, name, false);

    if (v == NULL) {
        return false;
    }
    if (!json_is_boolean(v)) {
        members_refuse(m, name, "expected true or false");
        return false;
    }
    *out = json_is_true(v);
    return true;
}

const struct json_t *members_object(struct members *m, const char *name)
{
    const json_t *v = find(m, name, false);

    if (v != NULL && !json_is_object(v)) {
        members_refuse(m, name, "expected an object");
        return NULL;
    }
    return v;
}

const struct json_t *members_texts(struct members *m, const char *name, size_t max)
{
    const json_t *v = find(m, name, false);
    bool good = json_is_array(v) && json_array_size(v) <= max;

    for (size_t i = 0; good && i < json_array_size(v); i++) {
        good = json_is_string(json_array_get(v, i));
    }
    if (v != NULL && !good) {
        members_refuse(m, name, "expected a list of at most %zu texts", max);
    }
    return m->failed ? NULL : v;
}

/* ----------------------------------------------------------------------------------------------------- secrets */

void members_wipe(char *secret)
{
    if (secret != NULL) {
        OPENSSL_cleanse(secret, strlen(secret));
        free(secret);
    }
}

static char *cut_line(char *text)
{
    size_t n = strlen(text);

    n -= n > 0 && text[n - 1] == '\n';
    n -= n > 0 && text[n - 1] == '\r';
    text[n] = '\0';
    return text;
}

static char *secret_of_file(struct members *m, const char *name, const char *path)
{
    bool absolute = path[0] == '/';
    CLEANUP(freep) char *full = xasprintf("%s%s%s", absolute ? "" : m->directory, absolute ? "" : "/", path);
    char *text = NULL;
    struct err err = {0};

    if (config_read_secret(full, MEMBER_SECRET_BYTES_MAX, &text, &err) != RC_OK) {
        members_refuse(m, name, "%s", err.text);
        return NULL;
    }
    return cut_line(text);
}

char *members_secret(struct members *m, const char *name, bool required)
{
    char names[2][MEMBER_NAME_MAX];

    (void)snprintf(names[0], sizeof names[0], "%s_file", name);
    (void)snprintf(names[1], sizeof names[1], "%s_env", name);
    const char *path = members_text(m, names[0], false, 4096);
    const char *variable = members_text(m, names[1], false, 128);
    if (m->failed || (path == NULL && variable == NULL)) {
        if (required) {
            members_refuse(m, names[0], "it is missing, and %s as well", names[1]);
        }
        return NULL;
    }
    if (path != NULL && variable != NULL) {
        members_refuse(m, names[0], "there is %s already", names[1]);
        return NULL;
    }
    const char *value = variable == NULL ? NULL : getenv(variable);
    if (variable != NULL && (value == NULL || value[0] == '\0')) {
        members_refuse(m, names[1], "the environment has no %s", variable);
        return NULL;
    }
    char *secret = path != NULL ? secret_of_file(m, names[0], path) : xstrdup(value);
    if (secret != NULL && secret[0] == '\0') {
        members_refuse(m, path != NULL ? names[0] : names[1], "the secret is empty");
        free(secret);
        return NULL;
    }
    return secret;
}

enum rc members_end(struct members *m)
{
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach((json_t *)(uintptr_t)m->object, key, value)
    {
        bool known = false;
        for (size_t i = 0; i < m->n; i++) {
            known = known || strcmp(m->asked[i], key) == 0;
        }
        if (!known) {
            members_refuse(m, key, "nobody knows it");
        }
    }
    return m->failed ? m->err->rc : RC_OK;
}
