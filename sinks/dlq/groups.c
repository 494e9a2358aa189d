/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of dead letters. */
#include "dlq/groups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct group *find(struct groups *g, const struct letter *l)
{
    for (size_t i = 0; i < g->n; i++) {
        struct group *at = &g->list[i];
        if (strcmp(at->topic, l->topic) == 0 && strcmp(at->class, l->class) == 0 &&
            strcmp(at->platform, l->platform) == 0) {
            return at;
        }
    }
    return NULL;
}

static struct group *make(struct groups *g, const struct letter *l)
{
    if (g->n == GROUPS_MAX) {
        return NULL;
    }
    if (g->n == g->cap) {
        g->cap = g->cap == 0 ? 16 : g->cap * 2;
        g->list = xrealloc(g->list, g->cap * sizeof(*g->list));
    }
    struct group *made = &g->list[g->n++];
    *made = (struct group){.n = 0};
    memcpy(made->topic, l->topic, sizeof(made->topic));
    memcpy(made->class, l->class, sizeof(made->class));
    memcpy(made->platform, l->platform, sizeof(made->platform));
    return made;
}

static void add_sample(struct group *at, const struct letter *l)
{
    if (at->n_samples == GROUP_SAMPLES) {
        return;
    }
    struct group_sample *s = &at->samples[at->n_samples++];
    *s = (struct group_sample){.dlq = l->dlq, .partition = l->at_partition, .offset = l->at_offset};
    (void)snprintf(s->id, sizeof(s->id), "%s", l->event_id[0] != '\0' ? l->event_id : l->id);
    letter_text(l->message, strlen(l->message), s->message, sizeof(s->message));
}

void groups_add(struct groups *g, const struct letter *l)
{
    struct group *at = find(g, l);
    g->total++;
    at = at != NULL ? at : make(g, l);
    if (at == NULL) {
        g->others++;
        return;
    }
    at->n++;
    if (l->last_us > 0) {
        at->first_us = at->first_us == 0 || l->last_us < at->first_us ? l->last_us : at->first_us;
        at->last_us = l->last_us > at->last_us ? l->last_us : at->last_us;
    }
    add_sample(at, l);
}

static int larger_first(const void *a, const void *b)
{
    const struct group *x = a;
    const struct group *y = b;
    if (x->n != y->n) {
        return x->n > y->n ? -1 : 1;
    }
    int by_topic = strcmp(x->topic, y->topic);
    int by_class = by_topic != 0 ? by_topic : strcmp(x->class, y->class);
    return by_class != 0 ? by_class : strcmp(x->platform, y->platform);
}

void groups_sort(struct groups *g)
{
    if (g->n > 1) {
        qsort(g->list, g->n, sizeof(*g->list), larger_first);
    }
}

void groups_done(struct groups *g)
{
    free(g->list);
    *g = (struct groups){.list = NULL};
}
