/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is to be told of what: a batch of events and what the tables say go in, notifications, deliveries and what
 * becomes of the rows come out. Neither database nor clock.
 *
 *     notify_batch_add()             each event, in the order of the log
 *     notify_decide_waybills()       -> waybills and rows to be looked up
 *     notify_decide_orders()         -> orders to be looked up
 *     notify_decide_events()         each event: told, skipped or failed; -> recipients and messages to be looked up
 *     notify_decide_notifications()  each message: its text and devices, or why there are none
 *
 * Between them somebody fills what was asked for (store.h). Events of one waybill are decided one behind the other, as
 * if each had its own batch: a waybill carries what people were told last.
 *
 * Rules of an event, the first one that holds:
 *     its row is gone, waits for another queueing or was handled     late, nothing is written
 *     its record is malformed                                        failed
 *     status that we do not know, no waybill, too old                skipped
 *     superseded: older than what people were told last, or behind it on the way (a difficulty may come at any time)
 *     its order is not there (or hidden), has neither user nor merchant
 *     else each of the two is told. Whoever has muted this status gets a notification without targets, unless nobody
 *     is left to be told: then the row is skipped
 *
 * Thread: one at a time.
 */
#ifndef SLUICE_NOTIFY_DECIDE_H
#define SLUICE_NOTIFY_DECIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "notify/event.h"
#include "notify/ids.h"
#include "notify/reasons.h"
#include "notify/template.h"

#define NOTIFY_AHEAD_US (INT64_C(86400) * 1000000) /* a node's time further ahead is none: it counts as now */

struct notify_rules {
    const struct templates *templates;
    int locale; /* where a recipient's devices say nothing */
    int64_t age_max_us, ttl_us;
    size_t devices_max, title_max, body_max;
};

/* Distinct texts, each with a number once they are sealed. */
struct keys {
    const char **list;
    size_t n, max;
};

struct notify_waybill {
    bool found;
    const char *order_id;     /* NULL = it names none */
    enum express_status told; /* what people were told last; EXPRESS_UNKNOWN = nothing yet */
    int64_t told_us;          /* the node's own time; NOTIFY_NO_TIME with nothing */
    bool changed;             /* by this batch */
};
/* A row of notify_queue. */
struct notify_row {
    bool found;
    bool open; /* it was not handled yet */
    int64_t queue_seq;
    bool taken; /* by an event of this batch */
};
struct notify_order {
    bool found;
    const char *user_id, *merchant_id; /* NULL or "" = none */
};
struct notify_device {
    const char *appid, *cid, *platform, *locale; /* the last two may be NULL */
};
struct notify_recipient {
    enum notify_aud aud;
    const char *id;
    struct notify_device *devices; /* active ones, the one seen last first; at most devices_max */
    size_t n_devices, max_devices;
    int64_t left_out;        /* active ones beyond devices_max */
    uint32_t muted;          /* bit s: status s; bit 0: all */
    int64_t inactive, other; /* without active devices: how many inactive ones, how many known by the other identity */
};
/* A notification that is there from before. */
struct notify_known {
    bool found;
    const char *id, *send_status;
    int64_t generation;
};

struct notify_message {
    char id[NOTIFY_MESSAGE_ID_LEN + 1];
    char notification_id[UUID_TEXT_LEN + 1]; /* what it gets, or has */
    size_t recipient;                        /* number */
    bool muted;
    bool writes; /* false: all have muted it, or it stands from before */
    bool sends;  /* of one that is written: to the devices of its recipient. false: it says why not */
    struct notify_known known;
    int locale;
    struct rendered text;
    const char *payload; /* JSON for the app; NULL without devices */
    enum notify_reason reason;
    const char *last_error; /* NULL = none */
};

struct notify_item {
    struct notify_event ev;
    int64_t node_us; /* as it counts: never missing, never absurd */
    enum notify_result result;
    enum notify_reason reason;
    const char *last_error; /* NULL = none */
    const char *context;    /* masked; NULL = the event has none */
    struct notify_message *messages;
    size_t n_messages;
};

struct notify_batch {
    struct arena arena; /* until the batch is cleared */
    struct notify_item *items;
    size_t n, max;
    bool preview;   /* of an event without row: it is never late */
    int64_t now_us; /* set before notify_decide_events */
    struct keys tracking, rows_keys, order_keys, recipient_keys;
    struct notify_waybill *waybills; /* by the number of their key */
    struct notify_row *rows;
    struct notify_order *orders;
    struct notify_recipient *recipients;
    struct notify_message **messages; /* of all items, one behind the other */
    size_t n_messages, max_messages;
    /* Set by who looks up and does not find: why rows may be there and not be seen. NULL = they are not there. */
    const char *waybills_hidden, *orders_hidden, *devices_hidden;
};

void notify_batch_init(struct notify_batch *b);
void notify_batch_done(struct notify_batch *b);
void notify_batch_clear(struct notify_batch *b);
/* The event's texts live in b->arena. */
void notify_batch_add(struct notify_batch *b, const struct notify_event *ev);

void notify_decide_waybills(struct notify_batch *b);
void notify_decide_orders(struct notify_batch *b);
void notify_decide_events(struct notify_batch *b, const struct notify_rules *rules);
void notify_decide_notifications(struct notify_batch *b, const struct notify_rules *rules);

/* One more device of a recipient; false: it has as many as it may have, and one is left out. */
bool notify_recipient_add(struct notify_batch *b, struct notify_recipient *r, const struct notify_device *d,
                          size_t max);

/* The number of a text that was added; it must be there. */
size_t notify_keys_find(const struct keys *k, const char *text);

#endif
