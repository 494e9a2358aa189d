/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation and the arena. */
#include "base/mem.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

Test(mem, copies_and_formats)
{
    CLEANUP(freep) char *a = xstrdup("abc");
    CLEANUP(freep) char *b = xstrndup("abcdef", 3);
    CLEANUP(freep) char *c = xasprintf("%s-%d", a, 5);
    cr_assert_str_eq(a, b);
    cr_assert_str_eq(c, "abc-5");
}

Test(mem, freep_leaves_no_dangling_pointer)
{
    char *p = xstrdup("x");
    freep(&p);
    cr_assert_null(p);
}

Test(mem, calloc_overflow_aborts, .signal = SIGABRT)
{
    void *p = xcalloc(SIZE_MAX / 2, 4);
    freep(&p);
}

Test(arena, gives_aligned_memory_that_does_not_overlap)
{
    CLEANUP(arena_done) struct arena a;
    arena_init(&a, 256);
    char *last = NULL;
    for (size_t i = 1; i < 200; i++) {
        char *p = arena_alloc(&a, i);
        cr_assert_eq((uintptr_t)p % 16, 0);
        memset(p, (int)(i & 0xff), i);
        if (last != NULL) {
            cr_assert_eq((unsigned char)last[0], (i - 1) & 0xff);
        }
        last = p;
    }
}

Test(arena, a_large_request_gets_a_chunk_of_its_own)
{
    CLEANUP(arena_done) struct arena a;
    arena_init(&a, 64);
    char *p = arena_alloc(&a, 100000);
    memset(p, 1, 100000);
    cr_assert_geq(a.used_bytes, 100000);
}

Test(arena, reset_makes_ordinary_chunks_reusable_and_frees_large_ones)
{
    CLEANUP(arena_done) struct arena a;
    arena_init(&a, 1024);
    void *first = arena_alloc(&a, 1000);
    cr_assert_str_eq(arena_strndup(&a, "large", 5), "large");
    void *large = arena_alloc(&a, 50000);
    cr_assert_not_null(large);
    arena_reset(&a);
    cr_assert_eq(a.used_bytes, 0);
    cr_assert_null(a.head);
    cr_assert_not_null(a.spare);
    void *again[2] = {arena_alloc(&a, 1000), arena_alloc(&a, 1000)};
    cr_assert(again[0] == first || again[1] == first);
    cr_assert_null(a.spare);
}

Test(arena, reset_keeps_no_more_than_its_ceiling)
{
    CLEANUP(arena_done) struct arena a;
    arena_init(&a, ARENA_KEEP_BYTES / 2);
    for (int i = 0; i < 5; i++) {
        memset(arena_alloc(&a, ARENA_KEEP_BYTES / 2), 0, 16);
    }
    arena_reset(&a);
    (void)memset(arena_alloc(&a, 16), 0, 16);
    (void)memset(arena_alloc(&a, ARENA_KEEP_BYTES / 2), 0, 16);
    cr_assert_null(a.spare);
}

Test(arena, copies_of_nothing_are_empty_strings)
{
    CLEANUP(arena_done) struct arena a;
    arena_init(&a, 64);
    cr_assert_str_eq(arena_strndup(&a, NULL, 0), "");
    cr_assert_str_eq(arena_strndup(&a, "a\0b", 3), "a");
}
