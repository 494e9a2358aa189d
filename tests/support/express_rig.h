/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of carriers as a verifier has left them, for tests of what is stored of them. */
#ifndef SLUICE_TESTS_EXPRESS_RIG_H
#define SLUICE_TESTS_EXPRESS_RIG_H

#include "carrier/carrier.h"
#include "gateway/callback.h"
#include "gateway/gateway_internal.h"
#include "support/stack.h"

#define EXPRESS_RIG_NOW INT64_C(1790000000) /* times of nodes are counted from here, in seconds */

struct express_rig {
    struct gateway g;
    struct account carrier; /* the account "kd", of the form kuaidi100 */
    struct arena arena;
    struct session_options options;
    struct session session;
};

void express_rig_open(struct express_rig *rig, const struct stack *st);
void express_rig_close(struct express_rig *rig);

struct express_said {
    int at_s; /* behind EXPRESS_RIG_NOW */
    enum express_status status;
    const char *text;
};

/* A call of kd about one parcel; the body is of that text. */
struct job *express_call(struct express_rig *rig, const char *body, const char *tracking_no,
                         const struct express_said *said, size_t n);
/* The same on our own route: one node. */
struct job *express_own_call(struct express_rig *rig, const char *body, const char *tracking_no,
                             struct express_said said);
/* One more parcel in the same call. */
void express_also(struct express_rig *rig, struct job *job, const char *tracking_no, const struct express_said *said,
                  size_t n);

/* Stores them in one transaction; fails the test when that fails. */
void express_put(struct express_rig *rig, struct job **jobs, size_t n);
/* The same for one; returns what came of it. */
enum channel_reason express_put_one(struct express_rig *rig, struct job *job);

#endif
