/* SPDX-License-Identifier: Apache-2.0 */
/* Reads templates, strictly. */
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/names.h"
#include "base/option.h"
#include "notify/template_internal.h"
#include "schemas/embedded.h"

#define CARRIERS_MAX 1000

static const char *const VARIABLE_NAMES[VARIABLES] = {"tracking_no", "carrier", "status", "context"};
static const char *const AUD_NAMES[NOTIFY_AUDS] = {"user", "merchant"};

/* Where the reading is, for messages. */
struct place {
    const char *origin, *locale, *part, *key;
    struct err *err;
};

const char *notify_aud_name(enum notify_aud aud)
{
    return AUD_NAMES[aud];
}

#define BAD(p, ...) return bad((p), __VA_ARGS__)

static enum rc PRINTF_LIKE(2, 3) bad(const struct place *p, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    rc_ignore(err_setv(p->err, RC_FATAL, __FILE__, __LINE__, fmt, ap));
    va_end(ap);
    const char *const parts[] = {p->key, p->part, p->locale};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (parts[i] != NULL) {
            rc_ignore(err_prefix(p->err, "%.64s", parts[i]));
        }
    }
    rc_ignore(err_prefix(p->err, "%s", p->origin));
    return err_code(p->err, ERR_CONFIG);
}

/* ---- What a text may be ---- */

int template_variable_at(const char *s, size_t *out_len)
{
    const char *end = strchr(s, '}');

    if (end == NULL) {
        return -1;
    }
    *out_len = (size_t)(end - s) + 1;
    for (int i = 0; i < VARIABLES; i++) {
        if (strlen(VARIABLE_NAMES[i]) == *out_len - 2 && strncmp(s + 1, VARIABLE_NAMES[i], *out_len - 2) == 0) {
            return i;
        }
    }
    return -1;
}

static enum rc check_text(const struct place *p, const char *name, const char *text, size_t n)
{
    if (utf8_is_blank(text, n)) {
        BAD(p, "\"%s\" is empty; expected text", name);
    }
    if (n > TEMPLATE_TEXT_MAX || strlen(text) != n) {
        BAD(p, "\"%s\" has %zu bytes; expected at most %d, without NUL", name, n, TEMPLATE_TEXT_MAX);
    }
    for (const char *s = text; *s != '\0'; s++) {
        size_t len = 0;
        if ((unsigned char)*s < 0x20 && *s != '\n') {
            BAD(p, "\"%s\" has a control character", name);
        }
        if (*s == '{' && template_variable_at(s, &len) < 0) {
            BAD(p, "\"%s\" has an unknown variable \"%.24s\"; expected {tracking_no}, {carrier}, {status} or {context}",
                name, s);
        }
    }
    return RC_OK;
}

/* ---- Reading ---- */

static enum rc get_object(const struct place *p, const json_t *root, const char *key, const json_t **out)
{
    *out = json_object_get(root, key);
    if (!json_is_object(*out)) {
        BAD(p, "key \"%s\": expected an object", key);
    }
    return RC_OK;
}

/* No key but these. */
static enum rc check_keys(const struct place *p, const json_t *object, const char *const *keys, int n)
{
    const char *key = NULL;
    json_t *v = NULL;

    json_object_foreach((json_t *)(uintptr_t)object, key, v)
    {
        if (names_find(keys, n, key) < 0) {
            BAD(p, "unknown key \"%.64s\"", key);
        }
    }
    return RC_OK;
}

static enum rc get_word(const struct place *p, const json_t *v, const char *name, const char **out)
{
    *out = json_string_value(v);
    if (*out == NULL || utf8_is_blank(*out, strlen(*out)) || json_string_length(v) > TEMPLATE_WORD_MAX ||
        strlen(*out) != json_string_length(v)) {
        BAD(p, "\"%.64s\": expected a text of 1 to %d bytes", name, TEMPLATE_WORD_MAX);
    }
    return RC_OK;
}

static enum rc get_text(const struct place *p, const json_t *pair, const char *name, const char **out)
{
    const json_t *v = json_object_get(pair, name);

    if (!json_is_string(v)) {
        BAD(p, "key \"%s\": expected a text", name);
    }
    *out = json_string_value(v);
    return check_text(p, name, *out, json_string_length(v));
}

/* Of statuses, without "unknown": of that nobody is told. */
static enum rc check_statuses(const struct place *p, const json_t *object)
{
    const char *names[EXPRESS_STATUSES - 1];

    for (int i = 1; i < EXPRESS_STATUSES; i++) {
        names[i - 1] = express_status_name((enum express_status)i);
    }
    return check_keys(p, object, names, EXPRESS_STATUSES - 1);
}

static enum rc read_audience(struct place p, const json_t *root, enum notify_aud aud, struct locale *out)
{
    static const char *const keys[] = {"title", "body"};
    const json_t *object = NULL;
    const json_t *pair = NULL;

    TRY(get_object(&p, root, AUD_NAMES[aud], &object));
    p.part = AUD_NAMES[aud];
    TRY(check_statuses(&p, object));
    for (int i = 1; i < EXPRESS_STATUSES; i++) {
        struct text_pair *texts = &out->texts[aud][i];
        p.key = NULL;
        TRY(get_object(&p, object, express_status_name((enum express_status)i), &pair));
        p.key = express_status_name((enum express_status)i);
        TRY(check_keys(&p, pair, keys, ARRAY_SIZE(keys)));
        TRY(get_text(&p, pair, "title", &texts->title));
        TRY(get_text(&p, pair, "body", &texts->body));
    }
    return RC_OK;
}

void template_carrier_key(const char *code, char out[TEMPLATE_WORD_MAX + 1])
{
    size_t n = 0;

    for (; n < TEMPLATE_WORD_MAX && code[n] != '\0'; n++) {
        out[n] = (char)tolower((unsigned char)code[n]);
    }
    out[n] = '\0';
}

/* The file's carriers are replaced with the same by lower case: carriers write their codes in either. */
static enum rc read_carriers(struct place p, json_t *root, struct locale *out)
{
    const json_t *written = json_object_get(root, "carriers");
    const char *code = NULL;
    const char *word = NULL;
    char key[TEMPLATE_WORD_MAX + 1];
    json_t *v = NULL;

    if (written == NULL) {
        return RC_OK;
    }
    TRY(get_object(&p, root, "carriers", &written));
    if (json_object_size(written) > CARRIERS_MAX) {
        BAD(&p, "key \"carriers\" has more than %d", CARRIERS_MAX);
    }
    p.part = "carriers";
    CLEANUP(json_decrefp) json_t *folded = json_object();
    json_object_foreach((json_t *)(uintptr_t)written, code, v)
    {
        TRY(get_word(&p, v, code, &word));
        template_carrier_key(code, key);
        if (json_object_get(folded, key) != NULL) {
            BAD(&p, "\"%.64s\" stands there twice, in other letters", code);
        }
        (void)json_object_set(folded, key, v);
    }
    out->carriers = folded;
    (void)json_object_set(root, "carriers", folded); /* owns it from here on */
    return RC_OK;
}

static enum rc read_words(struct place p, json_t *root, struct locale *out)
{
    const json_t *statuses = NULL;

    TRY(get_word(&p, json_object_get(root, "carrier"), "carrier", &out->carrier));
    TRY(get_object(&p, root, "status", &statuses));
    TRY(read_carriers(p, root, out));
    p.part = "status";
    TRY(check_statuses(&p, statuses));
    for (int i = 1; i < EXPRESS_STATUSES; i++) {
        const char *name = express_status_name((enum express_status)i);
        TRY(get_word(&p, json_object_get(statuses, name), name, &out->status[i]));
    }
    return RC_OK;
}

static bool is_locale(const char *s)
{
    size_t n = strlen(s);

    return n >= 2 && n < TEMPLATE_LOCALE_BYTES && isalpha((unsigned char)s[0]) &&
           strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static enum rc read_locale(struct place p, const char *name, json_t *root, struct templates *t)
{
    static const char *const keys[] = {"carrier", "carriers", "status", "user", "merchant"};

    p.locale = name;
    if (!is_locale(name)) {
        BAD(&p, "expected a language's name such as zh-CN or en");
    }
    if (!json_is_object(root)) {
        BAD(&p, "expected an object");
    }
    if (t->n == TEMPLATE_LOCALES_MAX) {
        BAD(&p, "more than %d languages", TEMPLATE_LOCALES_MAX);
    }
    struct locale *out = &t->locales[t->n++];
    out->name = name;
    TRY(check_keys(&p, root, keys, ARRAY_SIZE(keys)));
    TRY(read_words(p, root, out));
    TRY(read_audience(p, root, NOTIFY_USER, out));
    return read_audience(p, root, NOTIFY_MERCHANT, out);
}

static enum rc read_all(const struct place *p, struct templates *t)
{
    static const char *const keys[] = {"version", "locales"};
    const json_t *locales = NULL;
    const char *name = NULL;
    json_t *v = NULL;

    if (!json_is_object(t->json)) {
        BAD(p, "expected an object");
    }
    TRY(check_keys(p, t->json, keys, ARRAY_SIZE(keys)));
    if (json_integer_value(json_object_get(t->json, "version")) != 1) {
        BAD(p, "key \"version\": expected 1");
    }
    TRY(get_object(p, t->json, "locales", &locales));
    json_object_foreach((json_t *)(uintptr_t)locales, name, v)
    {
        TRY(read_locale(*p, name, v, t));
    }
    if (t->n == 0) {
        BAD(p, "key \"locales\": expected at least one language");
    }
    return RC_OK;
}

enum rc templates_load(const char *origin, const char *text, size_t n, struct templates **out, struct err *err)
{
    const struct place p = {.origin = origin, .err = err};
    json_error_t why;
    struct templates *t = xcalloc(1, sizeof(*t));

    t->json = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    enum rc rc = t->json != NULL ? read_all(&p, t) : bad(&p, "line %d: %s", why.line, why.text);
    if (rc != RC_OK) {
        templates_free(t);
        return rc;
    }
    *out = t;
    return RC_OK;
}

enum rc templates_open(const char *path, struct templates **out, struct err *err)
{
    char *text CLEANUP(freep) = NULL;

    if (path[0] == '\0') {
        const struct embedded *file = embedded_find(SCHEMAS_JSON, SCHEMAS_JSON_n, "templates.json");
        return templates_load("built-in templates", file->text, file->size, out, err);
    }
    if (config_read_file(path, TEMPLATE_FILE_MAX, &text, err) != RC_OK) {
        rc_ignore(err_prefix(err, "notify.templates.file"));
        return err_code(err, ERR_CONFIG);
    }
    return templates_load(path, text, strlen(text), out, err);
}

struct templates *templates_free(struct templates *t)
{
    if (t != NULL) {
        json_decref(t->json);
        free(t);
    }
    return NULL;
}
