/* SPDX-License-Identifier: Apache-2.0 */
/* Reads templates, strictly, and renders them. */
#include "notify/template.h"

#include <ctype.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/names.h"
#include "base/option.h"
#include "schemas/embedded.h"

#define CARRIERS_MAX 1000
#define WORD_MAX 64 /* bytes of a language's word */
#define RENDERED_MAX ((size_t)64 << 10)
#define ELLIPSIS "…"

enum variable { V_TRACKING_NO, V_CARRIER, V_STATUS, V_CONTEXT, VARIABLES };
static const char *const VARIABLE_NAMES[VARIABLES] = {"tracking_no", "carrier", "status", "context"};
static const char *const AUD_NAMES[NOTIFY_AUDS] = {"user", "merchant"};

struct text_pair {
    const char *title, *body; /* belong to the JSON */
};
struct locale {
    const char *name;
    const char *carrier;
    const json_t *carriers; /* NULL = none */
    const char *status[EXPRESS_STATUSES];
    struct text_pair texts[NOTIFY_AUDS][EXPRESS_STATUSES];
};
struct templates {
    json_t *json;
    struct locale locales[TEMPLATE_LOCALES_MAX];
    size_t n;
};

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

/* Blank characters that count: space, tab, newline and the ideographic space. */
static size_t blank_at(const char *s, size_t n)
{
    if (n >= 1 && isspace((unsigned char)s[0])) {
        return 1;
    }
    return n >= 3 && memcmp(s, "\xe3\x80\x80", 3) == 0 ? 3 : 0;
}

static bool is_blank(const char *s)
{
    size_t n = strlen(s);
    size_t i = 0;

    for (size_t k = blank_at(s, n); k > 0; k = blank_at(s + i, n - i)) {
        i += k;
    }
    return i == n;
}

/* The variable that begins at s, which is a brace. -1: unknown. */
static int variable_at(const char *s, size_t *out_len)
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
    if (n == 0 || is_blank(text)) {
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
        if (*s == '{' && variable_at(s, &len) < 0) {
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
    if (*out == NULL || is_blank(*out) || json_string_length(v) > WORD_MAX || strlen(*out) != json_string_length(v)) {
        BAD(p, "\"%.64s\": expected a text of 1 to %d bytes", name, WORD_MAX);
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

static enum rc read_words(struct place p, const json_t *root, struct locale *out)
{
    const json_t *statuses = NULL;
    const char *code = NULL;
    const char *word = NULL;
    json_t *v = NULL;

    TRY(get_word(&p, json_object_get(root, "carrier"), "carrier", &out->carrier));
    TRY(get_object(&p, root, "status", &statuses));
    out->carriers = json_object_get(root, "carriers");
    if (out->carriers != NULL) {
        TRY(get_object(&p, root, "carriers", &out->carriers));
        if (json_object_size(out->carriers) > CARRIERS_MAX) {
            BAD(&p, "key \"carriers\" has more than %d", CARRIERS_MAX);
        }
        p.part = "carriers";
        json_object_foreach((json_t *)(uintptr_t)out->carriers, code, v)
        {
            TRY(get_word(&p, v, code, &word));
        }
    }
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

static enum rc read_locale(struct place p, const char *name, const json_t *root, struct templates *t)
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

/* ---- Languages ---- */

static bool same_locale(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char x = a[i] == '_' ? '-' : (char)tolower((unsigned char)a[i]);
        char y = b[i] == '_' ? '-' : (char)tolower((unsigned char)b[i]);
        if (x != y || x == '\0') {
            return x == y;
        }
    }
    return true;
}

int templates_find(const struct templates *t, const char *locale)
{
    if (locale == NULL || locale[0] == '\0') {
        return -1;
    }
    size_t language = strcspn(locale, "-_");
    for (int way = 0; way < 3; way++) {
        for (size_t i = 0; i < t->n; i++) {
            const char *name = t->locales[i].name;
            bool plain = strlen(name) == language;
            bool longer = strlen(name) > language && name[language] == '-';
            if (way == 0 ? same_locale(name, locale, TEMPLATE_LOCALE_BYTES)
                         : (way == 1 ? plain : longer) && same_locale(name, locale, language)) {
                return (int)i;
            }
        }
    }
    return -1;
}

const char *templates_locale(const struct templates *t, int locale)
{
    return t->locales[locale].name;
}

const char *templates_status(const struct templates *t, int locale, enum express_status status)
{
    return t->locales[locale].status[status];
}

/* ---- Rendering ---- */

const char *template_cut(struct arena *a, const char *text, size_t n, size_t max)
{
    size_t start = 0;
    size_t end = 0;
    size_t before_last = 0;
    size_t characters = 0;

    for (size_t k = blank_at(text, n); k > 0; k = blank_at(text + start, n - start)) {
        start += k;
    }
    char *out = arena_alloc(a, n - start + sizeof(ELLIPSIS));
    for (size_t i = start; i < n;) {
        size_t len = utf8_sequence(text + i, n - i);
        if (characters == max) {
            memcpy(out + before_last, ELLIPSIS, sizeof(ELLIPSIS));
            return out;
        }
        before_last = end;
        if (len == 0 || ((unsigned char)text[i] < 0x20 && text[i] != '\n') || text[i] == 0x7f) {
            out[end] = ' ';
            len = 1;
        } else {
            memcpy(out + end, text + i, len);
        }
        i += len;
        end += len;
        characters++;
    }
    while (end > 0 && (isspace((unsigned char)out[end - 1]) || (end >= 3 && blank_at(out + end - 3, 3) == 3))) {
        end -= isspace((unsigned char)out[end - 1]) ? 1 : 3;
    }
    out[end] = '\0';
    return out;
}

static const char *render(const char *template, const char *const *values, size_t max, struct arena *a)
{
    CLEANUP(buf_done) struct buf out;

    buf_init(&out, RENDERED_MAX);
    for (const char *s = template; *s != '\0';) {
        size_t plain = strcspn(s, "{");
        buf_add(&out, s, plain);
        s += plain;
        if (*s == '{') {
            size_t len = 0;
            int v = variable_at(s, &len);
            buf_puts(&out, values[v]);
            s += len;
        }
    }
    return template_cut(a, buf_str(&out), out.len, max);
}

static const char *carrier_name(const struct locale *l, const char *code)
{
    if (code == NULL || is_blank(code)) {
        return l->carrier;
    }
    char lower[WORD_MAX + 1];
    size_t n = 0;
    for (; n < WORD_MAX && code[n] != '\0'; n++) {
        lower[n] = (char)tolower((unsigned char)code[n]);
    }
    lower[n] = '\0';
    const char *name = l->carriers != NULL ? json_string_value(json_object_get(l->carriers, lower)) : NULL;
    return name != NULL ? name : code;
}

void templates_render(const struct templates *t, int locale, enum notify_aud aud, enum express_status status,
                      const struct template_values *v, size_t title_max, size_t body_max, struct arena *a,
                      struct rendered *out)
{
    const struct locale *l = &t->locales[locale];
    const struct text_pair *texts = &l->texts[aud][status];
    const char *const values[VARIABLES] = {
        [V_TRACKING_NO] = v->tracking_no,
        [V_CARRIER] = carrier_name(l, v->carrier),
        [V_STATUS] = l->status[status],
        [V_CONTEXT] = v->context != NULL && !is_blank(v->context) ? v->context : l->status[status],
    };

    out->title = render(texts->title, values, title_max, a);
    out->body = render(texts->body, values, body_max, a);
}
