/* SPDX-License-Identifier: Apache-2.0 */
/* Members of a body by name and type. */
#include "http/field.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/option.h"

#define TIME_WHAT "a time such as 2026-11-22T20:37:20.5Z, with a zone"

void field_refuse(struct fields *f, const char *name, const char *code, const char *what)
{
    char path[2 * PROBLEM_FIELD_MAX];
    size_t n = strlen(f->path);
    (void)snprintf(path, sizeof path, "%s%.100s", f->path, name);
    if (name[0] == '\0' && n > 0) {
        path[n - 1] = '\0'; /* without the point: the object itself */
    }
    path[PROBLEM_FIELD_MAX - 1] = '\0';
    problem_set(f->problem, 422, code, path, "%s%s%s", path, path[0] == '\0' ? "" : ": ", what);
}

void fields_begin(struct fields *f, struct body_value *value, const char *path, struct problem *problem)
{
    *f = (struct fields){.object = value, .problem = problem};
    (void)snprintf(f->path, sizeof f->path, "%s", path);
    if (value->type != BODY_OBJECT) {
        field_refuse(f, "", "field_type", "expected a JSON object");
        f->object = NULL;
    }
}

void fields_end(struct fields *f)
{
    struct body_value *v = f->object == NULL ? NULL : f->object->first;
    for (; v != NULL; v = v->next) {
        if (!v->asked) {
            field_refuse(f, v->key, "field_unknown", "there is no such member here");
        }
    }
}

static struct body_value *member(const struct fields *f, const char *name)
{
    struct body_value *v = f->object == NULL ? NULL : f->object->first;
    while (v != NULL && strcmp(v->key, name) != 0) {
        v = v->next;
    }
    return v;
}

bool field_has(const struct fields *f, const char *name)
{
    return member(f, name) != NULL;
}

struct body_value *field_find(struct fields *f, const char *name, enum field_need need)
{
    struct body_value *v = member(f, name);
    if (v != NULL) {
        v->asked = true;
    }
    if (need == FIELD_REQUIRED && v == NULL && f->object != NULL) {
        field_refuse(f, name, "field_missing", "the member is missing");
    }
    bool absent = v == NULL || (need == FIELD_OPTIONAL && v->type == BODY_NULL);
    return absent || f->problem->status != 0 ? NULL : v;
}

bool field_is_null(struct fields *f, const char *name)
{
    struct body_value *v = member(f, name);
    if (v == NULL || v->type != BODY_NULL) {
        return false;
    }
    v->asked = true;
    return true;
}

static bool no_control(const char *s)
{
    for (; *s != '\0'; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f) {
            return false;
        }
    }
    return true;
}

const char *field_text(struct fields *f, const char *name, enum field_need need, size_t max, bool (*ok)(const char *),
                       const char *what)
{
    char expected[160];
    const struct body_value *v = field_find(f, name, need);
    if (v == NULL) {
        return NULL;
    }
    (void)snprintf(expected, sizeof expected, "expected %s", what);
    if (v->type != BODY_STRING) {
        field_refuse(f, name, "field_type", expected);
        return NULL;
    }
    if (v->n == 0 || v->n > max || !no_control(v->text) || (ok != NULL && !ok(v->text))) {
        field_refuse(f, name, "field_invalid", expected);
        return NULL;
    }
    return v->text;
}

bool field_int(struct fields *f, const char *name, enum field_need need, int64_t min, int64_t max, int64_t *out)
{
    char expected[120];
    const struct body_value *v = field_find(f, name, need);
    if (v == NULL) {
        return false;
    }
    (void)snprintf(expected, sizeof expected, "expected a whole number from %" PRId64 " to %" PRId64, min, max);
    if (v->type != BODY_NUMBER || strpbrk(v->text, ".eE") != NULL) {
        field_refuse(f, name, "field_type", expected);
        return false;
    }
    if (!option_parse_int(v->text, min, max, out)) {
        field_refuse(f, name, "field_invalid", expected);
        return false;
    }
    return true;
}

bool field_bool(struct fields *f, const char *name, enum field_need need, bool *out)
{
    const struct body_value *v = field_find(f, name, need);
    if (v == NULL) {
        return false;
    }
    if (v->type != BODY_TRUE && v->type != BODY_FALSE) {
        field_refuse(f, name, "field_type", "expected true or false");
        return false;
    }
    *out = v->type == BODY_TRUE;
    return true;
}

bool field_time(struct fields *f, const char *name, enum field_need need, int64_t *out_us)
{
    const char *text = field_text(f, name, need, 40, NULL, TIME_WHAT);
    if (text == NULL) {
        return false;
    }
    if (!clock_rfc3339_parse(text, out_us)) {
        field_refuse(f, name, "field_invalid", "expected " TIME_WHAT);
        return false;
    }
    return true;
}
