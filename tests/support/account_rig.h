/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For integration tests of the account role: its processor on a session of its own, with some partitions of
 * account.commands (and of payment.events), driven batch by batch by the runtime's own code, without Kafka.
 */
#ifndef SLUICE_TESTS_ACCOUNT_RIG_H
#define SLUICE_TESTS_ACCOUNT_RIG_H

#include "runtime/dbproc_internal.h"
#include "runtime/role_ctx.h"
#include "support/stack.h"

#define RIG_PREFIX "p."
#define RIG_GROUP "p.sluice-account"
#define RIG_TOPIC "p.account.commands"
#define RIG_PAYMENTS "p.payment.events"

struct rig {
    struct dbproc_processor proc;
    struct config *cfg;
    struct dbproc d;
    struct watch watch;
    PGconn *conn;
    struct err err;
};

/* Owns partitions [first, first + n). options: "name=value", NULL behind the last one; or NULL. */
void rig_open(struct rig *r, const struct stack *st, int32_t first, int32_t n, const char *const *options);
void rig_close(struct rig *r);
/* A partition of payment.events too; returns its place among ours. */
uint32_t rig_own_payments(struct rig *r, int32_t partition);

/* One record for the next batch. part: 0 is the first of ours. issued_us 0: now. */
void rig_add(struct rig *r, uint32_t part, const char *event_id, const char *command, const char *payload,
             int64_t issued_us);
/* A value of any bytes. */
void rig_add_value(struct rig *r, uint32_t part, const char *value);
void rig_transfer(struct rig *r, uint32_t part, const char *id, const char *debit, const char *credit, int64_t amount);
/* One batch to its end, as the runtime does it. RETRY: the records are still there. */
enum rc rig_run(struct rig *r);
/* The same, which must work; asked again after RETRY at most `times` times. */
void rig_must(struct rig *r, int times);

/* BEGIN, positions and apply; then rig_commit, or ROLLBACK, after which the records are still there. */
enum rc rig_apply(struct rig *r);
void rig_commit(struct rig *r);

#endif
