/* SPDX-License-Identifier: Apache-2.0 */
/* The partitions the group has given us: taking their rows, and the named states in which row and log do not fit. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/dbproc_internal.h"
#include "runtime/dbproc_position.h"

#define HALTED_LOOK_MS 5000

static const char *const STATE_NAMES[] = {[PART_WANTED] = "wanted", [PART_OWNED] = "owned", [PART_HALTED] = "halted"};

static int by_name(const void *a, const void *b)
{
    const struct dbproc_part *x = a;
    const struct dbproc_part *y = b;
    int order = strcmp(x->source->name, y->source->name);

    return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

static const struct dbproc_source *find_source(const struct dbproc *d, const char *topic)
{
    for (size_t i = 0; i < d->n_sources; i++) {
        if (strcmp(d->sources[i].name, topic) == 0) {
            return &d->sources[i];
        }
    }
    return NULL;
}

void dbproc_parts_set(struct dbproc *d, const rd_kafka_topic_partition_list_t *list)
{
    dbproc_parts_clear(d);
    if ((size_t)list->cnt > d->parts_max) {
        d->parts_max = (size_t)list->cnt;
        d->parts = xrealloc(d->parts, d->parts_max * sizeof(*d->parts));
    }
    for (int i = 0; i < list->cnt; i++) {
        const struct dbproc_source *source = find_source(d, list->elems[i].topic);
        if (source == NULL) {
            continue; /* not subscribed to */
        }
        struct dbproc_part *p = &d->parts[d->n_parts++];
        *p = (struct dbproc_part){.source = source, .partition = list->elems[i].partition, .group_offset = -1};
        p->lag = metric_gauge("kafka_consumergroup_lag", "Records of the topic that are not handled yet.",
                              "group=\"%s\",topic=\"%s\",partition=\"%d\"", d->group, source->name, (int)p->partition);
    }
    if (d->n_parts > 1) {
        qsort(d->parts, d->n_parts, sizeof(*d->parts), by_name);
    }
}

void dbproc_parts_clear(struct dbproc *d)
{
    for (size_t i = 0; i < d->n_parts; i++) {
        metric_set(d->parts[i].lag, 0); /* somebody else's now */
    }
    d->n_parts = 0;
    d->hit = 0;
    d->parts_changed = true;
    dbproc_batch_clear(&d->batch);
}

struct dbproc_part *dbproc_parts_find(struct dbproc *d, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < d->n_parts; i++) {
        size_t at = (d->hit + i) % d->n_parts;
        if (d->parts[at].partition == partition && strcmp(d->parts[at].source->name, topic) == 0) {
            d->hit = at;
            return &d->parts[at];
        }
    }
    return NULL;
}

void dbproc_part_set(struct dbproc *d, struct dbproc_part *p, enum dbproc_part_state state, int64_t wait_ms,
                     const char *why)
{
    if (state != p->state || strcmp(why, p->why) != 0) {
        enum log_level level = state == PART_HALTED ? LOG_ERROR : LOG_INFO;
        log_write(level, d->proc->role, state == PART_HALTED ? "partition halted" : "partition",
                  KV_S("topic", p->source->name), KV_I("partition", p->partition), KV_S("was", STATE_NAMES[p->state]),
                  KV_S("state", STATE_NAMES[state]), KV_I("epoch", p->epoch), KV_I("next_offset", p->next_offset),
                  KV_S("text", why), KV_END);
    }
    d->assign_due = d->assign_due || p->state == PART_OWNED || state == PART_OWNED;
    d->parts_changed = true;
    p->state = state;
    p->retry_at_ms = clock_mono_ms() + wait_ms;
    (void)snprintf(p->why, sizeof(p->why), "%s", why);
}

void dbproc_parts_lost(struct dbproc *d, const char *why)
{
    dbproc_batch_clear(&d->batch);
    for (size_t i = 0; i < d->n_parts; i++) {
        if (d->parts[i].state == PART_OWNED) {
            dbproc_part_set(d, &d->parts[i], PART_WANTED, 0, why);
        }
    }
}

static bool is_due(const struct dbproc_part *p, int64_t now)
{
    return p->state != PART_OWNED && now >= p->retry_at_ms;
}

bool dbproc_parts_due(const struct dbproc *d)
{
    int64_t now = clock_mono_ms();

    for (size_t i = 0; i < d->n_parts; i++) {
        if (is_due(&d->parts[i], now)) {
            return true;
        }
    }
    return false;
}

/* Kafka's copy ahead of the row: the database was restored from a backup. The row rules, its effects are as old. */
static void compare_copy(const struct dbproc *d, const struct dbproc_part *p, bool first)
{
    if (p->group_offset > p->next_offset) {
        log_warn(d->proc->role, "the group's offset is ahead of the position row: a restored database? The row rules",
                 KV_S("topic", p->source->name), KV_I("partition", p->partition), KV_I("next_offset", p->next_offset),
                 KV_I("group_offset", p->group_offset), KV_S("row", first ? "made now" : "found"));
    }
}

static enum rc take(struct dbproc *d, struct dbproc_part *p, struct err *err)
{
    int64_t start = 0;
    int64_t end = 0;
    char why[sizeof(p->why)];
    struct dbproc_taken row;

    TRY(dbproc_consumer_log(d, p, &start, &end, err));
    TRY(dbproc_position_take(d->conn, d->group, p->source->name, p->partition, start, role_instance(d->ctx), &row,
                             err));
    p->epoch = row.epoch;
    p->next_offset = row.next_offset;
    p->read_end = row.next_offset;
    compare_copy(d, p, row.first);
    dbproc_position_judge(p->next_offset, start, end, why, sizeof(why));
    if (why[0] != '\0') {
        dbproc_part_set(d, p, PART_HALTED, HALTED_LOOK_MS, why);
    } else {
        dbproc_part_set(d, p, PART_OWNED, 0, row.first ? "first start" : "");
    }
    return RC_OK;
}

enum rc dbproc_parts_take(struct dbproc *d, struct err *err)
{
    int64_t now = clock_mono_ms();

    TRY(dbproc_consumer_committed(d, err));
    for (size_t i = 0; i < d->n_parts; i++) {
        struct dbproc_part *p = &d->parts[i];
        if (is_due(p, now)) {
            role_tick(d->watch);
            TRY(take(d, p, err));
        }
    }
    return RC_OK;
}

void dbproc_parts_ready(struct dbproc *d)
{
    char detail[200] = "";
    size_t owned = 0;
    const struct dbproc_part *odd = NULL;

    for (size_t i = 0; i < d->n_parts; i++) {
        owned += d->parts[i].state == PART_OWNED ? 1 : 0;
        odd = d->parts[i].state != PART_OWNED && (odd == NULL || d->parts[i].state == PART_HALTED) ? &d->parts[i] : odd;
    }
    if (odd != NULL) {
        (void)snprintf(detail, sizeof(detail), "%s/%d %s: %.100s", odd->source->topic->name, (int)odd->partition,
                       STATE_NAMES[odd->state], odd->why);
    } else {
        (void)snprintf(detail, sizeof(detail), "%zu owned", owned);
    }
    role_ready(d->ctx, "partitions", d->joined && odd == NULL, d->joined ? detail : "joining the group");
    d->parts_changed = false;
}
