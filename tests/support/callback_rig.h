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

void callback_rig_open(struct callback_rig *rig, const struct stack *st);
void callback_rig_close(struct callback_rig *rig);

/* WeChat Pay says that the order was paid: transaction 42-PAYMENT, 100 CNY. */
struct job *callback_paid(struct callback_rig *rig, const char *notification, const char *payment);
/* ... or that amount of it was given back as refund. */
struct job *callback_refund(struct callback_rig *rig, const char *notification, const char *payment, const char *refund,
                            int64_t amount);
/* After members of its event were changed: hashes, payload and what is kept of it are made anew. */
void callback_ready(struct callback_rig *rig, struct job *job);
/* The same notification as the channel sends it again: other signature, other bytes. */
struct job *callback_again(struct callback_rig *rig, const struct job *job);

/* Stores them, in one transaction; fails the test when that fails. */
void callback_store(struct callback_rig *rig, struct job **jobs, size_t n);
/* The same for one; returns what came of it. */
enum channel_reason callback_store_one(struct callback_rig *rig, struct job *job);

/* An order of 100 CNY, as SQL puts it there. */
void callback_order(const struct stack *st, const char *payment, const char *channel, int64_t amount,
                    const char *currency);

#endif
