/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of the gateway, from the request's check to its answer; and the queues in which it waits for a thread.
 */
#ifndef SLUICE_GATEWAY_JOB_H
#define SLUICE_GATEWAY_JOB_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"
#include "http/call.h"
#include "http/page.h"

enum job_kind {
    /* a row of account_command_outbox */
    JOB_TRANSFER,
    JOB_TRY,
    JOB_CONFIRM,
    JOB_CANCEL,
    JOB_LINKED,
    JOB_OPEN,
    JOB_SET,
    /* rows of payment_transactions and payment_outbox */
    JOB_PAYMENT,
    /* a row of payment_callbacks, with one of payment_outbox or payment_quarantine */
    JOB_CALLBACK,
    /* rows of express_callbacks, express_nodes, express_parked and notify_queue */
    JOB_EXPRESS,
    /* a row of push_devices */
    JOB_DEVICE,
    /* a question */
    JOB_SHOW_TRANSFER,
    JOB_SHOW_ACCOUNT,
    JOB_SHOW_FLOWS,
    JOB_SHOW_PAYMENT,
    JOB_SHOW_DEVICES,
    JOB_KINDS
};
/* As in account_command_outbox.command; NULL for those that are no commands. */
extern const char *const JOB_COMMANDS[JOB_KINDS];

struct callback;
struct device;

struct job_flows {
    struct page page;
    const char *from, *to; /* RFC 3339; NULL = none */
    bool csv;
};

/* Lives in the call's arena, and as long as the call. */
struct job {
    struct job *next;
    struct http_call *call;
    struct arena *arena; /* the call's */
    enum job_kind kind;
    char id[UUID_TEXT_LEN + 1]; /* of the row, chosen by us: so that it can be looked for */
    const char *caller;
    const char *key;         /* partition_key: debit account, account, payment */
    const char *subject;     /* id of the transfer (of a set: its first), account or payment */
    const char *payload;     /* JSON, in one form: the same content is the same text */
    const char *traceparent; /* NULL = none */
    int wait_s;              /* Prefer: wait; -1 = none */
    int64_t wait_until_ms;   /* monotonic */
    struct job_flows flows;
    unsigned lane;             /* of its queue; below JOB_LANES */
    struct callback *callback; /* of JOB_CALLBACK, callback.h, and JOB_EXPRESS, express.h */
    struct device *device;     /* of JOB_DEVICE and JOB_SHOW_DEVICES, device.h */

    /* What came of a payment. */
    enum { PAYMENT_CREATED, PAYMENT_REPEATED, PAYMENT_OTHER_CONTENT, PAYMENT_OTHER_CALLER } result;
    const char *shown; /* JSON */
};

/* Everybody uses the first lane but calls of channels, which have one for each channel, and phones, who have the last.
 */
#define JOB_LANES 7

struct job_lane {
    struct job *first, *last;
    size_t n;
};

/* Each lane is first in, first out, and bounded; the lanes take turns, so that a flood in one holds up no other. */
struct job_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job_lane lanes[JOB_LANES];
    unsigned turn; /* the lane that is looked at next */
    size_t n, max; /* in all lanes; of one lane */
    bool closed;
};

void job_queue_init(struct job_queue *q, size_t max);
void job_queue_done(struct job_queue *q);
/* False: its lane is full, or the queue closed. The job is the queue's afterwards. */
bool job_queue_put(struct job_queue *q, struct job *job);
/* Up to max jobs; waits for the first at most wait_ms. */
size_t job_queue_take(struct job_queue *q, struct job **out, size_t max, int64_t wait_ms);
/* Nothing more is taken in; what is in there can still be taken out. */
void job_queue_close(struct job_queue *q);
/* Closed, and nothing left. */
bool job_queue_over(struct job_queue *q);
size_t job_queue_length(struct job_queue *q);

#endif
