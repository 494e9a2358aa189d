/* SPDX-License-Identifier: Apache-2.0 */
/* How many calls each endpoint has under way; an endpoint without any takes no memory. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/engine_internal.h"

static size_t bucket_of(const char *s)
{
    uint64_t h = 14695981039346656037U; /* FNV-1a */
    for (; *s != '\0'; s++) {
        h = (h ^ (unsigned char)*s) * 1099511628211U;
    }
    return (size_t)(h ^ h >> 32) & (ENDPOINT_BUCKETS - 1);
}

struct endpoint *endpoint_find(const struct http_engine *engine, const struct target *target)
{
    struct endpoint *e = engine->endpoints[bucket_of(target->endpoint)];
    while (e != NULL && strcmp(e->target.endpoint, target->endpoint) != 0) {
        e = e->next;
    }
    return e;
}

struct endpoint *endpoint_enter(struct http_engine *engine, const struct target *target)
{
    struct endpoint *e = endpoint_find(engine, target);
    if (e == NULL) {
        struct endpoint **bucket = &engine->endpoints[bucket_of(target->endpoint)];
        e = xcalloc(1, sizeof *e);
        *e = (struct endpoint){.next = *bucket, .target = *target};
        *bucket = e;
    }
    e->in_flight++;
    return e;
}

void endpoint_leave(struct http_engine *engine, struct endpoint *endpoint)
{
    if (--endpoint->in_flight > 0) {
        return;
    }
    struct endpoint **at = &engine->endpoints[bucket_of(endpoint->target.endpoint)];
    while (*at != endpoint) {
        at = &(*at)->next;
    }
    *at = endpoint->next;
    free(endpoint);
}
