/* SPDX-License-Identifier: Apache-2.0 */
/* Finds a language, and renders a text in it. */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "notify/template_internal.h"

#define RENDERED_MAX ((size_t)64 << 10)
#define ELLIPSIS "…"

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

/* Bytes of the blanks at the end of text. */
static size_t blanks_behind(const char *text, size_t n)
{
    size_t end = n;

    for (size_t last = 1; last <= 3 && last <= end; last++) {
        if (utf8_blank(text + end - last, last) == last) {
            end -= last;
            last = 0;
        }
    }
    return n - end;
}

const char *template_cut(struct arena *a, const char *text, size_t n, size_t max)
{
    size_t start = 0;
    size_t end = 0;
    size_t before_last = 0;
    size_t characters = 0;

    for (size_t k = utf8_blank(text, n); k > 0; k = utf8_blank(text + start, n - start)) {
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
    end -= blanks_behind(out, end);
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
            int v = template_variable_at(s, &len);
            buf_puts(&out, values[v]);
            s += len;
        }
    }
    return template_cut(a, buf_str(&out), out.len, max);
}

static const char *carrier_name(const struct locale *l, const char *code)
{
    if (code == NULL || utf8_is_blank(code, strlen(code))) {
        return l->carrier;
    }
    char key[TEMPLATE_WORD_MAX + 1];
    template_carrier_key(code, key);
    const char *name = json_string_value(json_object_get(l->carriers, key));
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
        [V_CONTEXT] =
            v->context != NULL && !utf8_is_blank(v->context, strlen(v->context)) ? v->context : l->status[status],
    };

    out->title = render(texts->title, values, title_max, a);
    out->body = render(texts->body, values, body_max, a);
}
