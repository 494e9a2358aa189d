/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/xml.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define NAME_FIRST "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
#define NAME_CHARS NAME_FIRST "0123456789.:-"
#define NAME_MAX_BYTES 64
#define MEMBERS_MAX 128

struct parser {
    const char *from, *at, *end;
    struct arena *arena;
    char *why;
    char *texts; /* of the elements that are open, one behind the other: never more than was read */
    size_t texts_n;
    int depth;
    size_t values;
};

static bool malformed(const struct parser *p, const char *what)
{
    if (p->why[0] == '\0') {
        (void)snprintf(p->why, XML_WHY_MAX, "XML, at byte %zu: %s", (size_t)(p->at - p->from), what);
    }
    return false;
}

static void skip_blanks(struct parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\r' || *p->at == '\n')) {
        p->at++;
    }
}

static bool take(struct parser *p, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) != 0) {
        return false;
    }
    p->at += n;
    return true;
}

/* Up to and behind the word. */
static bool skip_past(struct parser *p, const char *word)
{
    while (p->at < p->end) {
        if (take(p, word)) {
            return true;
        }
        p->at++;
    }
    return malformed(p, "something is not closed");
}

static bool has(const char *set, char c)
{
    return c != '\0' && strchr(set, c) != NULL;
}

/* NULL: there is none. */
static const char *parse_name(struct parser *p)
{
    const char *from = p->at;
    while (p->at < p->end && has(p->at == from ? NAME_FIRST : NAME_CHARS, *p->at)) {
        p->at++;
    }
    size_t n = (size_t)(p->at - from);
    if (n == 0 || n > NAME_MAX_BYTES) {
        (void)malformed(p, "expected a name");
        return NULL;
    }
    return arena_strndup(p->arena, from, n);
}

static struct body_value *value_new(struct parser *p, enum body_type type, const char *key)
{
    struct body_value *v = arena_alloc(p->arena, sizeof *v);
    *v = (struct body_value){.type = type, .key = key, .text = ""};
    p->values++;
    return v;
}

/* -------------------------------------------------------------------------------------------------------- texts */

static size_t put_utf8(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | (c >> 6));
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | (c >> 12));
        out[1] = (char)(0x80 | ((c >> 6) & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | (c >> 18));
    out[1] = (char)(0x80 | ((c >> 12) & 0x3f));
    out[2] = (char)(0x80 | ((c >> 6) & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static int digit_of(char c, int base)
{
    static const char DIGITS[] = "0123456789abcdef";
    char low = (char)(c >= 'A' && c <= 'F' ? c | 0x20 : c);
    const char *found = c == '\0' ? NULL : strchr(DIGITS, low);
    return found != NULL && found - DIGITS < base ? (int)(found - DIGITS) : -1;
}

/* &#20013; or &#x4e2d; behind its "&#". 0 = none that is allowed. */
static uint32_t parse_number(struct parser *p)
{
    int base = take(p, "x") ? 16 : 10;
    uint32_t c = 0;
    int n = 0;
    for (; p->at < p->end && digit_of(*p->at, base) >= 0 && n < 8; p->at++, n++) {
        c = c * (uint32_t)base + (uint32_t)digit_of(*p->at, base);
        if (c > 0x10ffff) {
            return 0;
        }
    }
    bool control = c < 0x20 && c != '\t' && c != '\n' && c != '\r';
    bool surrogate = c >= 0xd800 && c <= 0xdfff;
    return n == 0 || control || surrogate || !take(p, ";") ? 0 : c;
}

/* Bytes written to out; 0: malformed. What is written is never longer than what was read. */
static size_t parse_reference(struct parser *p, char *out)
{
    static const struct {
        const char *name;
        char c;
    } NAMED[] = {{"amp;", '&'}, {"lt;", '<'}, {"gt;", '>'}, {"quot;", '"'}, {"apos;", '\''}};
    if (take(p, "#")) {
        uint32_t c = parse_number(p);
        return c == 0 ? 0 : put_utf8(c, out);
    }
    for (size_t i = 0; i < ARRAY_SIZE(NAMED); i++) {
        if (take(p, NAMED[i].name)) {
            out[0] = NAMED[i].c;
            return 1;
        }
    }
    return 0;
}

/* Until the character, which stays. */
static bool parse_text(struct parser *p, char stop, char *out, size_t *n)
{
    while (p->at < p->end && *p->at != stop) {
        char c = *p->at;
        bool control = (unsigned char)c < 0x20 && c != '\t' && c != '\n' && c != '\r';
        if (control || c == '<') {
            return malformed(p, "a character that is not allowed in a text");
        }
        if (c != '&') {
            out[(*n)++] = c;
            p->at++;
            continue;
        }
        p->at++;
        size_t written = parse_reference(p, out + *n);
        if (written == 0) {
            return malformed(p, "a reference that is none of &amp; &lt; &gt; &quot; &apos; &#N;");
        }
        *n += written;
    }
    return p->at < p->end || malformed(p, "something is not closed");
}

/* ----------------------------------------------------------------------------------------------------- elements */

static struct body_value *child_of(const struct body_value *box, const char *name)
{
    struct body_value *v = box->first;
    while (v != NULL && strcmp(v->key, name) != 0) {
        v = v->next;
    }
    return v;
}

/* An element's content on its way. */
struct content {
    struct body_value *element;
    struct body_value *last;         /* of its members */
    struct body_value *last_of_list; /* of the array that was added to last */
    struct body_value *list;
    size_t from; /* of its text */
};

static bool link_last(const struct parser *p, struct content *c, struct body_value *v)
{
    if (c->element->n == MEMBERS_MAX) {
        return malformed(p, "too many members in one element");
    }
    if (c->last == NULL) {
        c->element->first = v;
    } else {
        c->last->next = v;
    }
    c->last = v;
    c->element->n++;
    c->element->type = BODY_OBJECT;
    return true;
}

/* A second one of a name makes an array of both, in the first one's place. */
static bool add_child(struct parser *p, struct content *c, struct body_value *v)
{
    struct body_value *old =
        c->list != NULL && strcmp(c->list->key, v->key) == 0 ? c->list : child_of(c->element, v->key);
    if (old == NULL) {
        return link_last(p, c, v);
    }
    if (old->type == BODY_ARRAY && old != c->list) {
        return malformed(p, "elements of one name that do not follow one another");
    }
    if (old->type != BODY_ARRAY) {
        struct body_value *first = value_new(p, old->type, NULL);
        *first = *old;
        first->key = NULL;
        first->next = NULL;
        *old = (struct body_value){
            .type = BODY_ARRAY, .key = v->key, .text = "", .n = 1, .first = first, .next = old->next};
        c->list = old;
        c->last_of_list = first;
    }
    c->last_of_list->next = v;
    c->last_of_list = v;
    v->key = NULL;
    old->n++;
    return true;
}

static bool parse_attributes(struct parser *p, struct content *c)
{
    for (;;) {
        const char *before = p->at;
        skip_blanks(p);
        if (p->at >= p->end || *p->at == '>' || *p->at == '/') {
            return true;
        }
        const char *name = p->at > before ? parse_name(p) : NULL;
        if (name == NULL) {
            return malformed(p, "expected an attribute");
        }
        skip_blanks(p);
        bool equals = take(p, "=");
        skip_blanks(p);
        char quote = p->at < p->end ? *p->at : '\0';
        if (!equals || (quote != '"' && quote != '\'')) {
            return malformed(p, "expected an attribute's value in quotes");
        }
        if (child_of(c->element, name) != NULL) {
            return malformed(p, "an attribute stands there twice");
        }
        const char *close = memchr(p->at + 1, quote, (size_t)(p->end - p->at - 1));
        if (close == NULL || p->values >= XML_VALUES_MAX) {
            return malformed(p, close == NULL ? "something is not closed" : "too many values");
        }
        struct body_value *v = value_new(p, BODY_STRING, name);
        char *text = arena_alloc(p->arena, (size_t)(close - p->at));
        p->at++;
        if (!parse_text(p, quote, text, &v->n)) {
            return false;
        }
        p->at++;
        text[v->n] = '\0';
        v->text = text;
        if (!link_last(p, c, v)) {
            return false;
        }
    }
}

static bool parse_element(struct parser *p, struct body_value **out);

static bool parse_cdata(struct parser *p)
{
    const char *from = p->at;
    if (!skip_past(p, "]]>")) {
        return false;
    }
    size_t n = (size_t)(p->at - from) - strlen("]]>");
    if (memchr(from, '\0', n) != NULL) {
        return malformed(p, "a character that is not allowed in a text");
    }
    memcpy(p->texts + p->texts_n, from, n);
    p->texts_n += n;
    return true;
}

/* Everything up to the closing tag, which stays. */
static bool parse_content(struct parser *p, struct content *c)
{
    while (!(p->end - p->at >= 2 && p->at[0] == '<' && p->at[1] == '/')) {
        struct body_value *child = NULL;
        if (p->at >= p->end) {
            return malformed(p, "an element is not closed");
        }
        if (take(p, "<!--")) {
            if (!skip_past(p, "-->")) {
                return false;
            }
        } else if (take(p, "<![CDATA[")) {
            if (!parse_cdata(p)) {
                return false;
            }
        } else if (*p->at == '<') {
            if (!parse_element(p, &child) || !add_child(p, c, child)) {
                return false;
            }
        } else if (!parse_text(p, '<', p->texts, &p->texts_n)) {
            return false;
        }
    }
    return true;
}

/* The text of a string, without blanks at its ends. */
static void end_text(struct parser *p, const struct content *c)
{
    const char *text = p->texts + c->from;
    size_t n = p->texts_n - c->from;
    while (n > 0 && has(" \t\r\n", text[n - 1])) {
        n--;
    }
    while (n > 0 && has(" \t\r\n", *text)) {
        text++;
        n--;
    }
    if (c->element->type == BODY_STRING) {
        c->element->text = arena_strndup(p->arena, text, n);
        c->element->n = n;
    }
    p->texts_n = c->from;
}

static bool parse_element(struct parser *p, struct body_value **out)
{
    if (p->values >= XML_VALUES_MAX) {
        return malformed(p, "too many values");
    }
    const char *name = take(p, "<") ? parse_name(p) : NULL;
    if (name == NULL || ++p->depth > XML_DEPTH_MAX) {
        return malformed(p, name == NULL ? "expected an element" : "nested too deep");
    }
    struct content c = {.element = value_new(p, BODY_STRING, name), .from = p->texts_n};
    *out = c.element;
    if (!parse_attributes(p, &c)) {
        return false;
    }
    if (take(p, "/>")) {
        p->depth--;
        return true;
    }
    if (!take(p, ">")) {
        return malformed(p, "expected >");
    }
    if (!parse_content(p, &c)) {
        return false;
    }
    p->depth--;
    end_text(p, &c);
    p->at += 2;
    const char *closed = parse_name(p);
    if (closed == NULL || strcmp(closed, name) != 0) {
        return malformed(p, "a closing tag of another element");
    }
    skip_blanks(p);
    return take(p, ">") || malformed(p, "expected >");
}

struct body_value *xml_parse(const char *text, size_t n, struct arena *arena, char why[XML_WHY_MAX])
{
    struct parser p = {.from = text, .at = text, .end = text + n, .arena = arena, .why = why};
    struct body_value *root = NULL;
    why[0] = '\0';
    p.texts = arena_alloc(arena, n + 1);
    skip_blanks(&p);
    if (take(&p, "<?xml") && !skip_past(&p, "?>")) {
        return NULL;
    }
    for (skip_blanks(&p); take(&p, "<!--"); skip_blanks(&p)) {
        if (!skip_past(&p, "-->")) {
            return NULL;
        }
    }
    if (!parse_element(&p, &root)) {
        return NULL;
    }
    for (skip_blanks(&p); take(&p, "<!--"); skip_blanks(&p)) {
        if (!skip_past(&p, "-->")) {
            return NULL;
        }
    }
    if (p.at != p.end) {
        (void)malformed(&p, "something stands behind the end");
        return NULL;
    }
    return root;
}
