/* SPDX-License-Identifier: Apache-2.0 */
/* Messages by request_id. */
#include "receiver/pushes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void pushes_init(struct pushes *p, size_t ids_max)
{
    *p = (struct pushes){0};
    names_init(&p->names, ids_max);
}

static void forget(struct pushes *p)
{
    for (size_t i = 0; i < p->names.n; i++) {
        free(p->ids[i].cid);
        free(p->ids[i].title);
    }
}

void pushes_done(struct pushes *p)
{
    forget(p);
    names_done(&p->names);
    free(p->ids);
}

void pushes_clear(struct pushes *p)
{
    forget(p);
    names_clear(&p->names);
    p->requests = p->refused = p->messages = p->accepted = p->doubled = p->overflow = 0;
}

size_t pushes_begin(struct pushes *p, const char *request_id, const char *cid, const char *title)
{
    size_t before = p->names.n;
    size_t number = names_add(&p->names, request_id);

    p->messages++;
    if (number == NAMES_NONE) {
        p->overflow++;
        return number;
    }
    if (p->names.cap > p->cap) {
        p->cap = p->names.cap;
        p->ids = xrealloc(p->ids, p->cap * sizeof *p->ids);
    }
    if (p->names.n > before) {
        p->ids[number] = (struct pushes_id){.cid = xstrndup(cid, strnlen(cid, PUSHES_TEXT_MAX)),
                                            .title = xstrndup(title, strnlen(title, PUSHES_TEXT_MAX))};
    }
    p->ids[number].attempts++;
    p->doubled += p->ids[number].accepted > 0 ? 1 : 0;
    return number;
}

void pushes_accept(struct pushes *p, size_t number)
{
    if (number < p->names.n) {
        p->accepted += p->ids[number].accepted++ == 0 ? 1 : 0;
    }
}

static void ids_json(const struct pushes *p, struct buf *out)
{
    (void)buf_puts(out, ", \"by_id\": {");
    for (size_t i = 0; i < p->names.n; i++) {
        const struct pushes_id *id = &p->ids[i];
        (void)buf_puts(out, i == 0 ? "\n  " : ",\n  ");
        (void)buf_json_string(out, p->names.names[i], strlen(p->names.names[i]));
        (void)buf_printf(out, ": {\"attempts\": %" PRIu32 ", \"accepted\": %" PRIu32 ", \"cid\": ", id->attempts,
                         id->accepted);
        (void)buf_json_string(out, id->cid, strlen(id->cid));
        (void)buf_puts(out, ", \"title\": ");
        (void)buf_json_string(out, id->title, strlen(id->title));
        (void)buf_putc(out, '}');
    }
    (void)buf_puts(out, "\n}");
}

void pushes_json(const struct pushes *p, bool with_ids, struct buf *out)
{
    (void)buf_printf(out,
                     "{\"requests\": %" PRIu64 ", \"refused\": %" PRIu64 ", \"messages\": %" PRIu64
                     ", \"ids\": %zu, \"accepted\": %" PRIu64 ", \"doubled\": %" PRIu64 ", \"ids_overflow\": %" PRIu64,
                     p->requests, p->refused, p->messages, p->names.n, p->accepted, p->doubled, p->overflow);
    if (with_ids) {
        ids_json(p, out);
    }
    (void)buf_putc(out, '}');
}
