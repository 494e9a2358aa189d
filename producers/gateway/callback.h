/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call of a channel, from its capture to its answer.
 *
 *     capture (service's thread) -> verdict (a verifier) -> stored, with its event (a writer) -> answer
 *
 * What is refused is answered by the verifier and stores nothing. Only a genuine call that came too late goes on to the
 * writers all the same: where the very same bytes are stored, their sender did not get our answer, and gets it now.
 */
#ifndef SLUICE_GATEWAY_CALLBACK_H
#define SLUICE_GATEWAY_CALLBACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "channel/account.h"
#include "channel/channel.h"

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
};

struct job;
struct gateway;
struct config;

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
