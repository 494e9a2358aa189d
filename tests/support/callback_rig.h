/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of channels as a verifier has left them, for tests of what is stored of them. Nothing is signed here: the
 * verdict is the test's.
 */
#ifndef SLUICE_TESTS_CALLBACK_RIG_H
#define SLUICE_TESTS_CALLBACK_RIG_H

#include "gateway/callback.h"
#include "gateway/gateway_internal.h"
#include "support/stack.h"

struct callback_rig {
    struct gateway g; /* keys only */
    char keys_path[64];
    struct account accounts[CHANNELS_N];
    struct arena arena;
    struct session_options options;
    struct session session;
};

/* Of the test that runs: a migrated database, and a gateway's session with it. */
extern struct stack st;
extern struct callback_rig rig;

/* .init and .fini of a suite, or part of them. */
void callback_rig_open(void);
void callback_rig_close(void);

/* WeChat Pay says that the order was paid: transaction 42-PAYMENT, 100 CNY. */
struct job *callback_paid(const char *notification, const char *payment);
/* ... or that amount of it was given back as refund. */
struct job *callback_refund(const char *notification, const char *payment, const char *refund, int64_t amount);
/* After members of its event were changed: hashes, payload and what is kept of it are made anew. */
void callback_ready(struct job *job);
/* The same notification as the channel sends it again: other signature, other bytes. */
struct job *callback_again(const struct job *job);

/* Stores them, in one transaction; fails the test when that fails. */
void callback_store(struct job **jobs, size_t n);
/* The same for one; returns what came of it. */
enum channel_reason callback_store_one(struct job *job);

/* An order of 100 CNY, as SQL puts it there. */
void callback_order(const char *payment, const char *channel, int64_t amount, const char *currency);

/* Stores one, and fails the test when something else comes of it. */
void callback_came(struct job *job, enum channel_reason want, const char *what);

/* Rows of inbox, events besides payment.created, and what is open in quarantine. */
void callback_rows(int64_t inbox, int64_t events, int64_t open, const char *what);

#endif
