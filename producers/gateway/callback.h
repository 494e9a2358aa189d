/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call of a channel, from its capture to its answer.
 *
 *     capture (service's thread) -> verdict (a verifier) -> stored, with its event (a writer) -> answer
 *
 * What is refused is answered by the verifier and stores nothing. Only a genuine call that came too late goes on to the
 * writers all the same: where the very same bytes are stored, their sender did not get our answer, and gets it now.
 *
 * Calls of carriers go the same way (express.h says what is different).
 */
#ifndef SLUICE_GATEWAY_CALLBACK_H
#define SLUICE_GATEWAY_CALLBACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "channel/account.h"
#include "channel/channel.h"
#include "gateway/job.h"
#include "http/service.h"

/* Of a call of a carrier. */
struct callback_express {
    const char *form;        /* carrier_form_name() */
    int64_t nodes_max;       /* of one number that are queued by one call, see settle_express.h */
    size_t weight;           /* bytes that it holds ... */
    _Atomic size_t *room;    /* ... of the gateway's room; NULL = none. See express.h */
    size_t nodes, new_nodes; /* what came, and what of it was not there yet */
    size_t bad;              /* nodes that were left out */
    size_t queued, history;  /* what became of undecided nodes: those of the whole batch, at one of its calls */
    bool unknown;            /* some number has no waybill */
};

/* Lives in the call's arena. */
struct callback {
    enum channel channel;
    const struct account *account;
    struct capture capture;
    int64_t received_us;           /* UTC: when it was complete */
    int64_t began_us, verified_us; /* monotonic */
    struct verdict verdict;

    /* Of what is accepted: */
    char event_id[UUID_TEXT_LEN + 1];   /* of its row of payment_outbox, chosen before */
    const char *payload;                /* of that row; NULL: it has no effect */
    const char *key_id;                 /* with which the following were encrypted */
    const char *raw_headers, *raw_body; /* as PostgreSQL reads bytea */

    /* What came of it in the transaction; counts once that is committed. */
    enum channel_reason result;
    const char *detail; /* the arena's */

    struct callback_express express;
};

struct gateway;
struct config;
struct http_call;

/*
 * The first steps of a call that names an account: captured, looked at as far as that needs no channel, and handed to a
 * verifier. kind: JOB_CALLBACK or JOB_EXPRESS.
 */
enum call_next callback_take(struct gateway *g, struct http_call *call, enum job_kind kind,
                             const struct account *account);
/* 404: there is no account of that name. */
enum call_next callback_no_account(struct http_call *call, enum channel channel);

/* callback_setup.c: accounts and keys, as the options say; OK without accounts. */
enum rc callbacks_setup(struct gateway *g, const struct config *cfg, struct err *err) MUST_USE;
void callbacks_done(struct gateway *g);
/* Gauges that follow the time. From the role's main loop. */
void callbacks_watch(struct gateway *g);

/* callback_verify.c: a verifier's thread, opaque is the struct worker; and what it does with one job. */
void *verifier_run(void *opaque);
void callback_verify(struct gateway *g, struct job *job);
/* The payload of its event in payment.events: JSON of the job's arena, NULL where it has no effect. */
const char *callback_payload(const struct job *job);
/* Headers and body, encrypted for the job's row. */
void callback_keep(const struct gateway *g, struct job *job);

/* callback_keeper.c: the thread of the sweep; opaque is the struct worker. */
void *keeper_run(void *opaque);

/* callback_answer.c: complete answers; they finish parked calls. */
void callback_stored(struct job *job);
void callback_refused(struct job *job);
void callback_unavailable(struct job *job, const char *detail);
/* The verdict becomes the answer, and is counted and logged; for calls that are not parked. */
void callback_answer(struct job *job);
/* For calls that the service itself has refused. */
void callback_count(enum channel channel, enum channel_reason reason);

#endif
