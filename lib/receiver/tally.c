/* SPDX-License-Identifier: Apache-2.0 */
/* Counts requests by id and key. */
#include "receiver/tally.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void tally_init(struct tally *l, size_t ids_max)
{
    *l = (struct tally){0};
    names_init(&l->id_names, ids_max);
    names_init(&l->key_names, ids_max);
}

void tally_done(struct tally *l)
{
    for (size_t i = 0; i < l->id_names.n; i++) {
        free(l->ids[i].times_ms);
    }
    names_done(&l->id_names);
    names_done(&l->key_names);
    free(l->ids);
    free(l->keys);
}

void tally_clear(struct tally *l)
{
    size_t max = l->id_names.max;
    uint64_t generation = l->generation + 1;
    tally_done(l);
    tally_init(l, max);
    l->generation = generation;
}

static struct tally_id *id_of(struct tally *l, const char *name, size_t *out_number)
{
    size_t before = l->id_names.n;
    *out_number = name == NULL ? NAMES_NONE : names_add(&l->id_names, name);
    if (*out_number == NAMES_NONE) {
        return NULL;
    }
    if (l->id_names.cap > l->ids_cap) {
        l->ids_cap = l->id_names.cap;
        l->ids = xrealloc(l->ids, l->ids_cap * sizeof *l->ids);
    }
    if (l->id_names.n > before) {
        l->ids[*out_number] = (struct tally_id){.key = NAMES_NONE};
    }
    return &l->ids[*out_number];
}

static struct tally_key *key_of(struct tally *l, const char *name, size_t *out_number)
{
    size_t before = l->key_names.n;
    *out_number = name == NULL ? NAMES_NONE : names_add(&l->key_names, name);
    if (*out_number == NAMES_NONE) {
        return NULL;
    }
    if (l->key_names.cap > l->keys_cap) {
        l->keys_cap = l->key_names.cap;
        l->keys = xrealloc(l->keys, l->keys_cap * sizeof *l->keys);
    }
    if (l->key_names.n > before) {
        l->keys[*out_number] = (struct tally_key){.highest_seq = -1};
    }
    return &l->keys[*out_number];
}

static void note_time(struct tally_id *id, int64_t now_ms)
{
    if (id->attempts <= TALLY_TIMES_MAX) {
        size_t n = id->attempts;
        id->times_ms = xrealloc(id->times_ms, n * sizeof *id->times_ms);
        id->times_ms[n - 1] = now_ms;
    }
}

struct tally_mark tally_begin(struct tally *l, const char *id, const char *key, int64_t seq, int64_t now_ms)
{
    struct tally_mark mark = {.attempt = 1, .generation = l->generation};
    struct tally_id *entry = id_of(l, id, &mark.id);
    struct tally_key *lane = key_of(l, key, &mark.key);
    l->requests++;
    l->in_flight++;
    if (lane != NULL) {
        l->overlaps += lane->in_flight > 0 ? 1 : 0;
        lane->in_flight++;
    }
    if (entry == NULL) {
        l->overflow += id != NULL ? 1 : 0;
        return mark;
    }
    if (lane != NULL && entry->attempts == 0 && seq >= 0) {
        l->disorder += seq < lane->highest_seq ? 1 : 0;
        lane->highest_seq = seq > lane->highest_seq ? seq : lane->highest_seq;
    }
    entry->key = mark.key;
    mark.attempt = ++entry->attempts;
    mark.duplicate = entry->ok > 0;
    l->duplicates += mark.duplicate ? 1 : 0;
    note_time(entry, now_ms);
    return mark;
}

void tally_answered(struct tally *l, const struct tally_mark *mark, unsigned status)
{
    if (mark->generation != l->generation) {
        return;
    }
    l->statuses[status < TALLY_STATUS_MAX ? status : 0]++;
    if (mark->id != NAMES_NONE && status >= 200 && status < 300) {
        l->delivered += l->ids[mark->id].ok++ == 0 ? 1 : 0;
    }
}

void tally_end(struct tally *l, const struct tally_mark *mark)
{
    if (mark->generation != l->generation) {
        return;
    }
    l->in_flight--;
    if (mark->key != NAMES_NONE) {
        l->keys[mark->key].in_flight--;
    }
}

static void ids_json(const struct tally *l, struct buf *out)
{
    (void)buf_puts(out, ", \"by_id\": {");
    for (size_t i = 0; i < l->id_names.n; i++) {
        const struct tally_id *id = &l->ids[i];
        (void)buf_puts(out, i == 0 ? "\n  " : ",\n  ");
        (void)buf_json_string(out, l->id_names.names[i], strlen(l->id_names.names[i]));
        (void)buf_printf(out, ": {\"attempts\": %" PRIu32 ", \"ok\": %" PRIu32 ", \"key\": ", id->attempts, id->ok);
        const char *key = id->key == NAMES_NONE ? NULL : l->key_names.names[id->key];
        (void)(key == NULL ? buf_puts(out, "null") : buf_json_string(out, key, strlen(key)));
        (void)buf_puts(out, ", \"times_ms\": [");
        for (uint32_t k = 0; k < id->attempts && k < TALLY_TIMES_MAX; k++) {
            (void)buf_printf(out, "%s%" PRId64, k == 0 ? "" : ", ", id->times_ms[k]);
        }
        (void)buf_puts(out, "]}");
    }
    (void)buf_puts(out, "\n}");
}

void tally_json(const struct tally *l, bool with_ids, struct buf *out)
{
    (void)buf_printf(out,
                     "{\"requests\": %" PRIu64 ", \"ids\": %zu, \"ids_delivered\": %" PRIu64
                     ", \"duplicates\": %" PRIu64 ", \"ids_overflow\": %" PRIu64
                     ", \"keys\": %zu, \"disorder\": %" PRIu64 ", \"overlaps\": %" PRIu64 ", \"in_flight\": %" PRIu64
                     ", \"abandoned\": %" PRIu64 ", \"unverified\": %" PRIu64 ", \"verdicts\": {",
                     l->requests, l->id_names.n, l->delivered, l->duplicates, l->overflow, l->key_names.n, l->disorder,
                     l->overlaps, l->in_flight, l->abandoned, l->unverified);
    const char *sep = "";
    for (size_t i = 0; i < WEBHOOK_REASONS_N; i++) {
        if (l->verdicts[i] > 0) {
            (void)buf_printf(out, "%s\"%s\": %" PRIu64, sep, webhook_reason_name((enum webhook_reason)i),
                             l->verdicts[i]);
            sep = ", ";
        }
    }
    (void)buf_puts(out, "}, \"statuses\": {");
    sep = "";
    for (size_t i = 0; i < TALLY_STATUS_MAX; i++) {
        if (l->statuses[i] > 0) {
            (void)buf_printf(out, "%s\"%zu\": %" PRIu64, sep, i, l->statuses[i]);
            sep = ", ";
        }
    }
    (void)buf_putc(out, '}');
    if (with_ids) {
        ids_json(l, out);
    }
    (void)buf_puts(out, "}\n");
}
