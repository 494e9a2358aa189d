/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages by key: `?limit=100&cursor=...`. The cursor is opaque to clients; it holds the key of the last row that was
 * given. The next page is named by a header `Link: <...>; rel="next"`; none = that was the last one.
 */
#ifndef SLUICE_HTTP_PAGE_H
#define SLUICE_HTTP_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "http/problem.h"
#include "http/route.h"

#define PAGE_LIMIT_DEFAULT 100
#define PAGE_LIMIT_MAX 1000
#define PAGE_KEY_MAX 200

struct page {
    int limit;
    bool has_after;
    char after[PAGE_KEY_MAX + 1]; /* the key, as page_cursor() got it */
};

/* False: *problem says which parameter (400, code parameter_invalid). */
bool page_parse(const struct route_target *t, struct page *out, struct problem *problem);

/* Appends the cursor that stands for a key of 1 to PAGE_KEY_MAX bytes. */
void page_cursor(const char *key, struct buf *out);

/* The value of Link: this target with the cursor of key; its other parameters stay. */
void page_link(const struct route_target *t, const char *key, struct buf *out);

#endif
