/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/shape.h"

#include <string.h>

#include "carrier/status.h"
#include "carrier/xml.h"

static const struct body_value *read_xml(struct reading *r, const char *name, const struct carrier_content *content,
                                         const char *root_name)
{
    char why[XML_WHY_MAX];
    const struct body_value *root = xml_parse(content->text, content->n, r->arena, why);
    if (root == NULL) {
        (void)reading_refuse(r, "%s: %s", name, why);
        return NULL;
    }
    if (root->type != BODY_OBJECT || (root_name != NULL && strcmp(root->key, root_name) != 0)) {
        (void)reading_refuse(r, "%s: expected an element%s%s with others in it", name, root_name == NULL ? "" : " ",
                             root_name == NULL ? "" : root_name);
        return NULL;
    }
    return root;
}

const struct body_value *reading_document(struct reading *r, const char *name, const struct carrier_content *content,
                                          const char *root_name)
{
    size_t blanks = strspn(content->text, " \t\r\n");
    if (blanks < content->n && content->text[blanks] == '<') {
        return read_xml(r, name, content, root_name);
    }
    return reading_json(r, name, content->text, content->n);
}

struct list list_of(const struct body_value *v)
{
    if (v == NULL) {
        return (struct list){NULL, 0};
    }
    return v->type == BODY_ARRAY ? (struct list){v->first, v->n} : (struct list){v, 1};
}

struct event *events_new(struct reading *r, const char *where, size_t n)
{
    if (n > CARRIER_NODES_MAX) {
        (void)reading_refuse(r, "%s: %zu nodes, expected at most %d in one call", where, n, CARRIER_NODES_MAX);
        return NULL;
    }
    return arena_alloc(r->arena, (n + 1) * sizeof(struct event));
}

enum express_status status_of_event(enum carrier_form form, const char *code, const char *text)
{
    enum express_status status = EXPRESS_UNKNOWN;
    if (code == NULL) {
        return status_of_text(text == NULL ? "" : text);
    }
    if (!status_find(form, code, &status) && text != NULL) {
        (void)status_in_text(text, &status);
    }
    return status;
}
