/* SPDX-License-Identifier: Apache-2.0 */
/* Problem documents. */
#include "http/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void problem_set(struct problem *p, unsigned status, const char *code, const char *field, const char *fmt, ...)
{
    va_list ap;
    if (p->status != 0) {
        return;
    }
    p->status = status;
    (void)snprintf(p->code, sizeof p->code, "%s", code);
    (void)snprintf(p->field, sizeof p->field, "%s", field == NULL ? "" : field);
    va_start(ap, fmt);
    (void)vsnprintf(p->detail, sizeof p->detail, fmt, ap);
    va_end(ap);
}

static void member(struct buf *out, const char *name, const char *value)
{
    (void)buf_printf(out, ", \"%s\": ", name);
    (void)buf_json_string(out, value, strlen(value));
}

void problem_json(const struct problem *p, const char *instance, struct buf *out)
{
    char title[PROBLEM_CODE_MAX];
    (void)snprintf(title, sizeof title, "%s", p->code);
    for (char *c = strchr(title, '_'); c != NULL; c = strchr(c, '_')) {
        *c = ' ';
    }
    (void)buf_printf(out, "{\"type\": \"urn:sluice:problem:%s\"", p->code);
    member(out, "title", title);
    (void)buf_printf(out, ", \"status\": %u", p->status);
    member(out, "code", p->code);
    if (p->detail[0] != '\0') {
        member(out, "detail", p->detail);
    }
    if (p->field[0] != '\0') {
        member(out, "field", p->field);
    }
    if (instance != NULL) {
        member(out, "instance", instance);
    }
    (void)buf_puts(out, "}\n");
}
