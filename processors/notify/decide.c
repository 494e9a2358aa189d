/* SPDX-License-Identifier: Apache-2.0 */
/* The rules for events: which of them people hear of. */
#include "notify/decide.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "notify/decide_internal.h"

#define ARENA_BYTES ((size_t)256 << 10)

/* ---- Keys ---- */

static void keys_add(struct keys *k, const char *text)
{
    if (k->n == k->max) {
        k->max = k->max > 0 ? 2 * k->max : 64;
        k->list = xrealloc(k->list, k->max * sizeof(*k->list));
    }
    k->list[k->n++] = text;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void keys_seal(struct keys *k)
{
    size_t n = 0;

    if (k->n > 1) {
        qsort(k->list, k->n, sizeof(*k->list), by_text);
    }
    for (size_t i = 0; i < k->n; i++) {
        if (n == 0 || strcmp(k->list[n - 1], k->list[i]) != 0) {
            k->list[n++] = k->list[i];
        }
    }
    k->n = n;
}

size_t notify_keys_find(const struct keys *k, const char *text)
{
    const char **at = k->n > 0 ? bsearch(&text, k->list, k->n, sizeof(*k->list), by_text) : NULL;

    assert(at != NULL);
    return (size_t)(at - k->list);
}

/* ---- The batch ---- */

void *notify_batch_zeroed(struct notify_batch *b, size_t n, size_t size)
{
    void *p = arena_alloc(&b->arena, (n + 1) * size);

    memset(p, 0, (n + 1) * size);
    return p;
}

void notify_batch_init(struct notify_batch *b)
{
    *b = (struct notify_batch){.items = NULL};
    arena_init(&b->arena, ARENA_BYTES);
}

void notify_batch_done(struct notify_batch *b)
{
    arena_done(&b->arena);
    free(b->items);
    free(b->messages);
    free(b->tracking.list);
    free(b->rows_keys.list);
    free(b->order_keys.list);
    free(b->recipient_keys.list);
}

void notify_batch_clear(struct notify_batch *b)
{
    arena_reset(&b->arena);
    b->n = b->n_messages = 0;
    b->tracking.n = b->rows_keys.n = b->order_keys.n = b->recipient_keys.n = 0;
    b->waybills_hidden = b->orders_hidden = b->devices_hidden = NULL;
    b->preview = false;
}

void notify_batch_add(struct notify_batch *b, const struct notify_event *ev)
{
    if (b->n == b->max) {
        b->max = b->max > 0 ? 2 * b->max : 64;
        b->items = xrealloc(b->items, b->max * sizeof(*b->items));
    }
    b->items[b->n++] = (struct notify_item){.ev = *ev};
    keys_add(&b->tracking, ev->tracking_no);
    keys_add(&b->rows_keys, ev->event_id);
}

void notify_decide_waybills(struct notify_batch *b)
{
    keys_seal(&b->tracking);
    keys_seal(&b->rows_keys);
    b->waybills = notify_batch_zeroed(b, b->tracking.n, sizeof(*b->waybills));
    b->rows = notify_batch_zeroed(b, b->rows_keys.n, sizeof(*b->rows));
    for (size_t i = 0; i < b->tracking.n; i++) {
        b->waybills[i].told_us = NOTIFY_NO_TIME;
    }
}

static struct notify_waybill *waybill_of(struct notify_batch *b, const struct notify_item *it)
{
    return &b->waybills[notify_keys_find(&b->tracking, it->ev.tracking_no)];
}

void notify_decide_orders(struct notify_batch *b)
{
    for (size_t i = 0; i < b->tracking.n; i++) {
        if (b->waybills[i].found && b->waybills[i].order_id != NULL) {
            keys_add(&b->order_keys, b->waybills[i].order_id);
        }
    }
    keys_seal(&b->order_keys);
    b->orders = notify_batch_zeroed(b, b->order_keys.n, sizeof(*b->orders));
}

/* ---- Events ---- */

const char *notify_batch_text(struct notify_batch *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *text CLEANUP(freep) = xvasprintf(fmt, ap);
    va_end(ap);
    return arena_strndup(&b->arena, text, strlen(text));
}

static void end_item(struct notify_batch *b, struct notify_item *it, enum notify_reason reason, const char *more)
{
    it->reason = reason;
    it->result = notify_reason_result(reason);
    it->last_error =
        more == NULL ? notify_reason_text(reason) : notify_batch_text(b, "%s: %s", notify_reason_text(reason), more);
}

/* Rows that are hidden say so instead; the text has the reason in front already. */
static void end_missing(struct notify_batch *b, struct notify_item *it, enum notify_reason reason, const char *more,
                        const char *hidden)
{
    end_item(b, it, hidden != NULL ? NOTIFY_ROWS_HIDDEN : reason, more);
    if (hidden != NULL) {
        it->last_error = hidden;
    }
}

/* Is it this queueing that the row waits for? The second event of one queueing in a batch is late too. */
static bool is_late(struct notify_batch *b, const struct notify_item *it)
{
    struct notify_row *row = &b->rows[notify_keys_find(&b->rows_keys, it->ev.event_id)];

    if (b->preview) {
        return false;
    }
    if (!row->found || !row->open || row->taken || row->queue_seq != it->ev.queue_seq) {
        return true;
    }
    row->taken = true;
    return false;
}

static int64_t node_time(const struct notify_event *ev, int64_t now_us)
{
    int64_t at = ev->node_us != NOTIFY_NO_TIME ? ev->node_us : ev->created_us;

    return at == NOTIFY_NO_TIME || at > now_us + NOTIFY_AHEAD_US ? now_us : at;
}

static bool is_superseded(struct notify_batch *b, struct notify_item *it, const struct notify_waybill *w)
{
    char at[CLOCK_RFC3339_MAX];
    bool behind =
        it->ev.status != EXPRESS_EXCEPTION && express_status_rank(it->ev.status) < express_status_rank(w->told);

    if (w->told_us == NOTIFY_NO_TIME || (it->node_us >= w->told_us && !behind)) {
        return false;
    }
    clock_rfc3339(w->told_us, at);
    end_item(b, it, NOTIFY_SUPERSEDED,
             notify_batch_text(b, "%s of %s was told already", express_status_name(w->told), at));
    return true;
}

static bool is_too_old(struct notify_batch *b, struct notify_item *it, const struct notify_rules *rules)
{
    int64_t limit = rules->age_max_us < rules->ttl_us ? rules->age_max_us : rules->ttl_us;
    char at[CLOCK_RFC3339_MAX];

    if (b->now_us - it->node_us <= limit) {
        return false;
    }
    clock_rfc3339(it->node_us, at);
    end_item(b, it, NOTIFY_TOO_OLD,
             notify_batch_text(b, "it happened at %s, more than %lld h ago", at, (long long)(limit / 3600000000)));
    return true;
}

static const struct notify_order *order_of(struct notify_batch *b, const struct notify_waybill *w)
{
    return w->order_id == NULL ? NULL : &b->orders[notify_keys_find(&b->order_keys, w->order_id)];
}

static void add_recipient(struct notify_batch *b, struct notify_item *it, enum notify_aud aud, const char *id)
{
    if (id == NULL || id[0] == '\0') {
        return;
    }
    /* The audience's number in front: one recipient each, and the key says whose it is. */
    const char *key = notify_batch_text(b, "%d%s", (int)aud, id);
    struct notify_message *m = &it->messages[it->n_messages++];
    *m = (struct notify_message){.text.title = key}; /* until recipients have their numbers */
    notify_message_id(it->ev.event_id, notify_aud_name(aud), id, m->id);
    notify_notification_id(m->id, m->notification_id);
    keys_add(&b->recipient_keys, key);
    if (b->n_messages == b->max_messages) {
        b->max_messages = b->max_messages > 0 ? 2 * b->max_messages : 128;
        b->messages = xrealloc(b->messages, b->max_messages * sizeof(struct notify_message *));
    }
    b->messages[b->n_messages++] = m;
}

static void decide_event(struct notify_batch *b, struct notify_item *it, const struct notify_rules *rules)
{
    struct notify_waybill *w = waybill_of(b, it);

    it->node_us = node_time(&it->ev, b->now_us);
    if (is_late(b, it)) {
        it->result = NOTIFY_LATE;
        return;
    }
    if (it->ev.malformed != NULL) {
        end_item(b, it, NOTIFY_MALFORMED, it->ev.malformed);
        return;
    }
    if (it->ev.status == EXPRESS_UNKNOWN) {
        end_item(b, it, NOTIFY_UNKNOWN_STATUS, it->ev.status_text);
        return;
    }
    if (!w->found) {
        end_missing(b, it, NOTIFY_WAYBILL_NOT_FOUND, it->ev.tracking_no, b->waybills_hidden);
        return;
    }
    if (is_too_old(b, it, rules) || is_superseded(b, it, w)) {
        return;
    }
    const struct notify_order *order = order_of(b, w);
    if (order == NULL) {
        end_item(b, it, NOTIFY_ORDER_NOT_FOUND, "the waybill names none");
        return;
    }
    if (!order->found) {
        end_missing(b, it, NOTIFY_ORDER_NOT_FOUND, w->order_id, b->orders_hidden);
        return;
    }
    it->messages = notify_batch_zeroed(b, NOTIFY_AUDS, sizeof(*it->messages));
    add_recipient(b, it, NOTIFY_USER, order->user_id);
    add_recipient(b, it, NOTIFY_MERCHANT, order->merchant_id);
    if (it->n_messages == 0) {
        end_item(b, it, NOTIFY_NO_RECIPIENTS,
                 notify_batch_text(b, "order %.64s has neither user nor merchant", w->order_id));
        return;
    }
    /* Also when both have muted it: what comes behind it is measured by it all the same. */
    w->told = it->ev.status;
    w->told_us = it->node_us;
    w->changed = true;
}

void notify_decide_events(struct notify_batch *b, const struct notify_rules *rules)
{
    for (size_t i = 0; i < b->n; i++) {
        decide_event(b, &b->items[i], rules);
    }
    keys_seal(&b->recipient_keys);
    b->recipients = notify_batch_zeroed(b, b->recipient_keys.n, sizeof(*b->recipients));
    for (size_t i = 0; i < b->recipient_keys.n; i++) {
        b->recipients[i].aud = (enum notify_aud)(b->recipient_keys.list[i][0] - '0');
        b->recipients[i].id = b->recipient_keys.list[i] + 1;
    }
    for (size_t i = 0; i < b->n_messages; i++) {
        b->messages[i]->recipient = notify_keys_find(&b->recipient_keys, b->messages[i]->text.title);
        b->messages[i]->text.title = NULL;
    }
}
