/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: what a service reads of a request: the body's JSON, the path and its parameters, a page's cursor. The first
 * byte chooses.
 *
 * Claims: OK or REJECT; a refusal has a status and a code; texts are terminated, without NUL, and UTF-8; a cursor that
 * is taken is written again as it was.
 */
#include <string.h>

#include "base/buf.h"
#include "fuzz.h"
#include "http/body.h"
#include "http/field.h"
#include "http/page.h"
#include "http/route.h"

static void check_text(const char *s, size_t n)
{
    CLAIM(strlen(s) == n);
    while (n > 0) {
        size_t k = utf8_sequence(s, n);
        CLAIM(k > 0);
        s += k;
        n -= k;
    }
}

static void walk(struct body_value *v)
{
    size_t members = 0;
    if (v->type == BODY_STRING || v->type == BODY_NUMBER) {
        check_text(v->text, v->n);
        return;
    }
    for (struct body_value *m = v->first; m != NULL; m = m->next) {
        CLAIM((m->key != NULL) == (v->type == BODY_OBJECT));
        members++;
        walk(m);
    }
    CLAIM(v->type < BODY_ARRAY || members == v->n);
}

static void body(const char *text, size_t n, struct arena *a)
{
    struct problem problem = {0};
    struct body_value *value = NULL;
    struct fields f;
    int64_t number = 0;
    bool flag = false;
    enum rc rc = body_parse(text, n, a, &value, &problem);
    CLAIM(rc == RC_OK || rc == RC_REJECT);
    CLAIM((rc == RC_OK) == (problem.status == 0));
    if (rc == RC_REJECT) {
        CLAIM(problem.status == 400 && problem.code[0] != '\0');
        return;
    }
    walk(value);
    fields_begin(&f, value, "", &problem);
    (void)field_text(&f, "a", FIELD_OPTIONAL, 10, NULL, "text");
    if (field_int(&f, "b", FIELD_OPTIONAL, -5, INT64_MAX, &number)) {
        CLAIM(number >= -5);
    }
    (void)field_bool(&f, "c", FIELD_OPTIONAL, &flag);
    (void)field_time(&f, "d", FIELD_OPTIONAL, &number);
    fields_end(&f);
    CLAIM(problem.status == 0 || problem.status == 422);
}

static void target(const char *text, struct arena *a)
{
    struct route_target t;
    struct problem problem = {0};
    struct page page;
    const char *ids[TARGET_SEGMENTS_MAX];
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, (size_t)64 << 10);
    if (!route_target_parse(text, a, &t)) {
        return;
    }
    for (size_t i = 0; i < t.n_segments; i++) {
        check_text(t.segments[i], strlen(t.segments[i]));
    }
    (void)route_match("/v1/{id}/x/{id}", &t, ids, TARGET_SEGMENTS_MAX);
    if (page_parse(&t, &page, &problem) && page.has_after) {
        page_cursor(page.after, &out);
        CLAIM(strcmp(buf_str(&out), route_parameter(&t, "cursor")) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_done) struct arena a;
    arena_init(&a, 4096);
    if (size > 0 && data[0] % 2 == 0) {
        body((const char *)data + 1, size - 1, &a);
    } else if (size > 0) {
        target(arena_strndup(&a, (const char *)data + 1, size - 1), &a);
    }
    return 0;
}
