/* SPDX-License-Identifier: Apache-2.0 */
/* Elements and their attributes, as a tree of JSON's kind. */
#include <string.h>

#include "base/mem.h"
#include "carrier/xml_internal.h"

#define NAME_FIRST "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
#define NAME_CHARS NAME_FIRST "0123456789.:-"
#define NAME_MAX_BYTES 64
#define MEMBERS_MAX 128

static bool has(const char *set, char c)
{
    return c != '\0' && strchr(set, c) != NULL;
}

/* NULL: there is none. */
static const char *parse_name(struct xml_parser *p)
{
    const char *from = p->at;
    while (p->at < p->end && has(p->at == from ? NAME_FIRST : NAME_CHARS, *p->at)) {
        p->at++;
    }
    size_t n = (size_t)(p->at - from);
    if (n == 0 || n > NAME_MAX_BYTES) {
        (void)xml_malformed(p, "expected a name");
        return NULL;
    }
    return arena_strndup(p->arena, from, n);
}

static struct body_value *value_new(struct xml_parser *p, enum body_type type, const char *key)
{
    struct body_value *v = arena_alloc(p->arena, sizeof *v);
    *v = (struct body_value){.type = type, .key = key, .text = ""};
    p->values++;
    return v;
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

static bool link_last(const struct xml_parser *p, struct content *c, struct body_value *v)
{
    if (c->element->n == MEMBERS_MAX) {
        return xml_malformed(p, "too many members in one element");
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
static bool add_child(struct xml_parser *p, struct content *c, struct body_value *v)
{
    struct body_value *old =
        c->list != NULL && strcmp(c->list->key, v->key) == 0 ? c->list : child_of(c->element, v->key);
    if (old == NULL) {
        return link_last(p, c, v);
    }
    if (old->type == BODY_ARRAY && old != c->list) {
        return xml_malformed(p, "elements of one name that do not follow one another");
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

static bool parse_attributes(struct xml_parser *p, struct content *c)
{
    for (;;) {
        const char *before = p->at;
        xml_skip_blanks(p);
        if (p->at >= p->end || *p->at == '>' || *p->at == '/') {
            return true;
        }
        const char *name = p->at > before ? parse_name(p) : NULL;
        if (name == NULL) {
            return xml_malformed(p, "expected an attribute");
        }
        xml_skip_blanks(p);
        bool equals = xml_take(p, "=");
        xml_skip_blanks(p);
        char quote = p->at < p->end ? *p->at : '\0';
        if (!equals || (quote != '"' && quote != '\'')) {
            return xml_malformed(p, "expected an attribute's value in quotes");
        }
        if (child_of(c->element, name) != NULL) {
            return xml_malformed(p, "an attribute stands there twice");
        }
        const char *close = memchr(p->at + 1, quote, (size_t)(p->end - p->at - 1));
        if (close == NULL || p->values >= XML_VALUES_MAX) {
            return xml_malformed(p, close == NULL ? "something is not closed" : "too many values");
        }
        struct body_value *v = value_new(p, BODY_STRING, name);
        char *text = arena_alloc(p->arena, (size_t)(close - p->at));
        p->at++;
        if (!xml_text(p, quote, text, &v->n)) {
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

static bool parse_element(struct xml_parser *p, struct body_value **out);

static bool parse_cdata(struct xml_parser *p)
{
    const char *from = p->at;
    if (!xml_skip_past(p, "]]>")) {
        return false;
    }
    size_t n = (size_t)(p->at - from) - strlen("]]>");
    if (memchr(from, '\0', n) != NULL) {
        return xml_malformed(p, "a character that is not allowed in a text");
    }
    memcpy(p->texts + p->texts_n, from, n);
    p->texts_n += n;
    return true;
}

/* Everything up to the closing tag, which stays. */
static bool parse_content(struct xml_parser *p, struct content *c)
{
    while (!(p->end - p->at >= 2 && p->at[0] == '<' && p->at[1] == '/')) {
        struct body_value *child = NULL;
        if (p->at >= p->end) {
            return xml_malformed(p, "an element is not closed");
        }
        if (xml_take(p, "<!--")) {
            if (!xml_skip_past(p, "-->")) {
                return false;
            }
        } else if (xml_take(p, "<![CDATA[")) {
            if (!parse_cdata(p)) {
                return false;
            }
        } else if (*p->at == '<') {
            if (!parse_element(p, &child) || !add_child(p, c, child)) {
                return false;
            }
        } else if (!xml_text(p, '<', p->texts, &p->texts_n)) {
            return false;
        }
    }
    return true;
}

/* The text of a string, without blanks at its ends. */
static void end_text(struct xml_parser *p, const struct content *c)
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

static bool parse_element(struct xml_parser *p, struct body_value **out)
{
    if (p->values >= XML_VALUES_MAX) {
        return xml_malformed(p, "too many values");
    }
    const char *name = xml_take(p, "<") ? parse_name(p) : NULL;
    if (name == NULL || ++p->depth > XML_DEPTH_MAX) {
        return xml_malformed(p, name == NULL ? "expected an element" : "nested too deep");
    }
    struct content c = {.element = value_new(p, BODY_STRING, name), .from = p->texts_n};
    *out = c.element;
    if (!parse_attributes(p, &c)) {
        return false;
    }
    if (xml_take(p, "/>")) {
        p->depth--;
        return true;
    }
    if (!xml_take(p, ">")) {
        return xml_malformed(p, "expected >");
    }
    if (!parse_content(p, &c)) {
        return false;
    }
    p->depth--;
    end_text(p, &c);
    p->at += 2;
    const char *closed = parse_name(p);
    if (closed == NULL || strcmp(closed, name) != 0) {
        return xml_malformed(p, "a closing tag of another element");
    }
    xml_skip_blanks(p);
    return xml_take(p, ">") || xml_malformed(p, "expected >");
}

struct body_value *xml_parse(const char *text, size_t n, struct arena *arena, char why[XML_WHY_MAX])
{
    struct xml_parser p = {.from = text, .at = text, .end = text + n, .arena = arena, .why = why};
    struct body_value *root = NULL;
    why[0] = '\0';
    p.texts = arena_alloc(arena, n + 1);
    xml_skip_blanks(&p);
    if (xml_take(&p, "<?xml") && !xml_skip_past(&p, "?>")) {
        return NULL;
    }
    for (xml_skip_blanks(&p); xml_take(&p, "<!--"); xml_skip_blanks(&p)) {
        if (!xml_skip_past(&p, "-->")) {
            return NULL;
        }
    }
    if (!parse_element(&p, &root)) {
        return NULL;
    }
    for (xml_skip_blanks(&p); xml_take(&p, "<!--"); xml_skip_blanks(&p)) {
        if (!xml_skip_past(&p, "-->")) {
            return NULL;
        }
    }
    if (p.at != p.end) {
        (void)xml_malformed(&p, "something stands behind the end");
        return NULL;
    }
    return root;
}
