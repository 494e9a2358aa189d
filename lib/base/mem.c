/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation that aborts instead of failing, and the arena that holds the memory of one batch. */
#include "base/mem.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void out_of_memory(size_t size)
{
    (void)fprintf(stderr, "sluice: out of memory: %zu bytes\n", size);
    abort();
}

void *xcalloc(size_t n, size_t size)
{
    size_t bytes = 0;
    if (__builtin_mul_overflow(n, size, &bytes)) {
        out_of_memory(SIZE_MAX);
    }
    void *p = calloc(bytes == 0 ? 1 : bytes, 1);
    if (p == NULL) {
        out_of_memory(bytes);
    }
    return p;
}

void *xrealloc(void *p, size_t size)
{
    void *grown = realloc(p, size == 0 ? 1 : size);
    if (grown == NULL) {
        out_of_memory(size);
    }
    return grown;
}

char *xstrdup(const char *s)
{
    return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *copy = xcalloc(len + 1, 1);
    memcpy(copy, s, len);
    return copy;
}

char *xvasprintf(const char *fmt, va_list ap)
{
    char *text = NULL;
    if (vasprintf(&text, fmt, ap) < 0) {
        out_of_memory(0);
    }
    return text;
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);
    va_end(ap);
    return text;
}

void freep(void *pointer_to_pointer)
{
    void **p = pointer_to_pointer;
    free(*p);
    *p = NULL;
}

struct arena_chunk {
    struct arena_chunk *next;
    size_t size; /* bytes behind this header */
    size_t used;
    max_align_t data[];
};

static struct arena_chunk *chunk_create(size_t size)
{
    if (size > SIZE_MAX / 2) {
        out_of_memory(size);
    }
    struct arena_chunk *c = xrealloc(NULL, sizeof *c + size);
    *c = (struct arena_chunk){.size = size};
    return c;
}

static void chunks_free(struct arena_chunk *c)
{
    while (c != NULL) {
        struct arena_chunk *next = c->next;
        free(c);
        c = next;
    }
}

void arena_init(struct arena *a, size_t chunk_bytes)
{
    *a = (struct arena){.chunk_bytes = chunk_bytes};
}

/* A chunk with room for size bytes, from the spare ones when an ordinary one will do. */
static struct arena_chunk *arena_grow(struct arena *a, size_t size)
{
    struct arena_chunk *c = NULL;
    if (size <= a->chunk_bytes && a->spare != NULL) {
        c = a->spare;
        a->spare = c->next;
    } else {
        c = chunk_create(size > a->chunk_bytes ? size : a->chunk_bytes);
    }
    c->next = a->head;
    a->head = c;
    return c;
}

void *arena_alloc(struct arena *a, size_t size)
{
    const size_t align = _Alignof(max_align_t);
    if (size > SIZE_MAX / 2) {
        out_of_memory(size);
    }
    size_t rounded = size == 0 ? align : (size + align - 1) / align * align;
    struct arena_chunk *c = a->head;
    if (c == NULL || c->size - c->used < rounded) {
        c = arena_grow(a, rounded);
    }
    void *p = (char *)c->data + c->used;
    c->used += rounded;
    a->used_bytes += rounded;
    return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    char *copy = arena_alloc(a, n + 1);
    if (n > 0) {
        memcpy(copy, s, n);
    }
    copy[n] = '\0';
    return copy;
}

void arena_reset(struct arena *a)
{
    size_t kept_bytes = 0;
    for (const struct arena_chunk *c = a->spare; c != NULL; c = c->next) {
        kept_bytes += c->size;
    }
    struct arena_chunk *c = a->head;
    while (c != NULL) {
        struct arena_chunk *next = c->next;
        if (c->size == a->chunk_bytes && kept_bytes + c->size <= ARENA_KEEP_BYTES) {
            kept_bytes += c->size;
            c->used = 0;
            c->next = a->spare;
            a->spare = c;
        } else {
            free(c);
        }
        c = next;
    }
    a->head = NULL;
    a->used_bytes = 0;
}

void arena_done(struct arena *a)
{
    chunks_free(a->head);
    chunks_free(a->spare);
    *a = (struct arena){.chunk_bytes = a->chunk_bytes};
}
