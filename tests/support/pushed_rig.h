/* SPDX-License-Identifier: Apache-2.0 */
/* For integration tests of what becomes of notifications: outcomes, put into the tables without Kafka. */
#ifndef SLUICE_TESTS_PUSHED_RIG_H
#define SLUICE_TESTS_PUSHED_RIG_H

#include "delivery_state/push_apply.h"
#include "support/stack.h"

#define T "push_deliveries"
#define N "express_notifications"
#define D "push_devices"
#define ID1 "11111111-1111-1111-1111-111111111111"
#define ID2 "22222222-2222-2222-2222-222222222222"
#define ID3 "33333333-3333-3333-3333-333333333333"
#define AT INT64_C(1700000000000001)
#define AT_TEXT "2023-11-14 22:13:20.000001+00"

struct pushed_rig {
    struct stack st;
    PGconn *db; /* the stack's, with the settings of the role's session */
    struct err err;
    struct pushed_batch batch;
    struct pushed_counts counts; /* of the last batch */
};

/* Of the test that runs. */
extern struct pushed_rig rig;

/* .init and .fini of a suite. */
void rig_open(void);
void rig_close(void);

/* A delivery of a notification to a device of the application a; both are made where they are not there. */
void rig_insert(const char *id, const char *message, const char *cid, int generation);

/* An outcome at AT of a push to c1 by getui; add: into the batch. */
struct pushed rig_make(const char *id, int64_t seq, enum pushed_kind kind);
void rig_add(const char *id, int64_t seq, enum pushed_kind kind);
/* The batch, in a transaction of its own; it is empty then. */
void rig_apply(void);
/* A batch of one. */
void rig_one(const char *id, int64_t seq, enum pushed_kind kind);
/* The same with a retry of ID1, which says that of its device as of then. */
void rig_say(enum pushed_device device, int64_t at_us);

/* "status attempt_count round_attempts last_error", "-" for none. */
void rig_expect_row(const char *id, const char *want);
/* "send_status reason last_error" */
void rig_expect_message(const char *message, const char *want);
/* Of c1: "is_active|strikes|inactive_reason|year of inactive_at" */
void rig_expect_device(const char *want);

#endif
