/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of payments, for one batch within the account role's transaction: orders FOR UPDATE in the order of their
 * ids, what was booked before under the numbers that the batch names, and what the batch has made of them.
 *
 * Orders are written by compare-and-set on their version. Thread: one at a time.
 */
#ifndef SLUICE_ACCOUNT_PAYMENT_ROWS_H
#define SLUICE_ACCOUNT_PAYMENT_ROWS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "payment/decide.h"
#include "payment/posting.h"

#define PAYMENT_REFUND_ID_BYTES 40

/* Money that came under one number of the channel. */
struct payment_receipt {
    struct payment_receipt *next;
    const char *channel_txn_id;
    int64_t amount;
    bool suspense;         /* place */
    const char *refund_id; /* under which its refund was asked for; NULL = it was not */
    int64_t paid_us;
    const char *event_id;
    bool made; /* by this batch */
};

struct payment_refund {
    struct payment_refund *next;
    const char *refund_id;
    const char *channel_txn_id; /* NULL = the event did not say */
    int64_t amount;
    const char *currency;
    bool suspense; /* origin */
    const char *event_id;
    bool made;
};

/* A row of history that this batch writes, and what the merchant is told. */
struct payment_step {
    struct payment_step *next;
    enum payment_state from, to;
    int64_t version;
    const char *event_id, *event_type;
    const char *note; /* NULL = none */
    const char *tells;
    const char *told; /* JSON; NULL = the order has no callback_target */
};

struct payment_row {
    struct payment_order o;
    int64_t version_read;
    const char *callback_platform, *callback_target; /* NULL = nobody is told */
    struct payment_receipt *receipts;                /* those that the batch names, and those it made */
    struct payment_refund *refunds;
    struct payment_step *steps, *last_step;
    bool missing[POSTING_ACCOUNTS_MAX]; /* posting accounts that are not there yet */
};

/* What a person has to look at. */
struct payment_review_row {
    struct payment_review_row *next;
    const char *payment_id, *event_id, *event_type;
    enum payment_review code;
    const char *detail;
    const char *event; /* JSON */
};

/* A request to give money in suspense back. */
struct payment_request {
    struct payment_request *next;
    const char *payment_id, *payload;
};

/* What the batch names: parallel to its events; txn and refund may be NULL. */
struct payment_names {
    const char *payment_id, *channel_txn_id, *refund_id, *event_id;
};

struct payment_rows {
    struct arena *arena;       /* the batch's */
    struct payment_row **list; /* ascending by payment_id */
    size_t n, max;
    struct payment_review_row *reviews;  /* made by this batch */
    struct payment_review_row *reviewed; /* events of the batch that have one from before: ids only */
    struct payment_request *requests;
};

/* Locks and reads, or only reads (what is read so must not be written). names may have an order several times. */
enum rc payment_rows_load(struct payment_rows *rows, PGconn *conn, bool lock, const struct posting *posting,
                          const struct payment_names *names, size_t n, struct err *err) MUST_USE;
/* NULL: there is no such order. */
struct payment_row *payment_rows_find(const struct payment_rows *rows, const char *payment_id);

/* Has the event led to a review before, in this batch or before it? Then that is its answer for good. */
bool payment_rows_reviewed(const struct payment_rows *rows, const struct payment_event *e);

/* What was booked before under the numbers of the event, by this batch or before it. */
void payment_rows_seen(const struct payment_row *row, const struct payment_event *e, struct payment_seen *out);

/* Everything the batch has made of them. */
enum rc payment_rows_write(struct payment_rows *rows, PGconn *conn, struct err *err) MUST_USE;

/* The number under which the refund of this money is asked for: sus- and 32 hexadecimal digits of a hash. */
void payment_refund_number(const char *payment_id, const char *channel_txn_id, char out[PAYMENT_REFUND_ID_BYTES]);
/* The first 16 bytes of SHA-256 over both, as hexadecimal digits. */
void payment_digest(const char *a, const char *b, char out[33]);

#endif
