/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For integration tests of the notify role: its processor on a session of its own, with partition 0 of express.events,
 * driven batch by batch by the runtime's own code, without Kafka.
 */
#ifndef SLUICE_TESTS_NOTIFY_RIG_H
#define SLUICE_TESTS_NOTIFY_RIG_H

#include "runtime/dbproc_internal.h"
#include "runtime/role_ctx.h"
#include "support/stack.h"

#define NOTIFY_RIG_TOPIC "p.express.events"

struct notify_rig {
    struct dbproc_processor proc;
    struct config *cfg;
    struct dbproc d;
    struct watch watch;
    PGconn *conn;
    struct err err;
};

/* A session at url. options: "name=value", NULL behind the last one; or NULL. The session callback's verdict is in err;
 * RC_OK or that. */
enum rc notify_rig_open(struct notify_rig *r, const char *url, const char *const *options);
void notify_rig_close(struct notify_rig *r);

/* The record that the relay makes of this row of notify_queue as it stands, read through db, for the next batch. */
void notify_rig_row(struct notify_rig *r, PGconn *db, const char *id);
/* All rows that are on the road (not handled), in the order of queue_seq. */
void notify_rig_rows(struct notify_rig *r, PGconn *db);
void notify_rig_value(struct notify_rig *r, const char *value);
/* One batch to its end, as the runtime does it. */
enum rc notify_rig_run(struct notify_rig *r);
void notify_rig_must(struct notify_rig *r);

#endif
