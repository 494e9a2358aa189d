/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory: three lifetimes (process, batch, stack) and cleanup by attribute.
 *
 * Running out of memory aborts: restart and replay is the tested recovery path anyway, and checking
 * each allocation would double the branches. In exchange every length that comes from outside is
 * checked against a ceiling before it is allocated.
 */
#ifndef SLUICE_BASE_MEM_H
#define SLUICE_BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>

#include "base/err.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Zeroed memory, never NULL; n * size is checked for overflow. Free with free(). */
void *xcalloc(size_t n, size_t size) MUST_USE;
void *xrealloc(void *p, size_t size) MUST_USE;
char *xstrdup(const char *s) MUST_USE;
char *xstrndup(const char *s, size_t n) MUST_USE;
char *xasprintf(const char *fmt, ...) MUST_USE PRINTF_LIKE(1, 2);
char *xvasprintf(const char *fmt, va_list ap) MUST_USE PRINTF_LIKE(1, 0);

/* For CLEANUP(freep) on any heap pointer. */
void freep(void *pointer_to_pointer);

/*
 * Arena: memory of one batch. Nothing in it is freed singly; reset makes all of it reusable and keeps
 * ordinary chunks up to ARENA_KEEP_BYTES, so that batches of a usual size allocate nothing.
 */
#define ARENA_KEEP_BYTES ((size_t)4 << 20)

struct arena_chunk;
struct arena {
    struct arena_chunk *head;  /* newest chunk, NULL when empty */
    struct arena_chunk *spare; /* ordinary chunks kept by reset */
    size_t chunk_bytes;
    size_t used_bytes; /* given out since the last reset */
};

/* chunk_bytes: size of an ordinary chunk, e.g. 64 KiB; larger requests get a chunk of their own. */
void arena_init(struct arena *a, size_t chunk_bytes);
/* size bytes aligned for any type, uninitialised, never NULL. */
void *arena_alloc(struct arena *a, size_t size) MUST_USE;
/* A copy of n bytes of s with a NUL behind it; s may be NULL when n is 0. */
char *arena_strndup(struct arena *a, const char *s, size_t n) MUST_USE;
void arena_reset(struct arena *a);
void arena_done(struct arena *a);

#endif
