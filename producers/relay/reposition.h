/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking at and rewriting a source's position by hand: after a restore, a failover or the loss of the position topic.
 *
 * Rewriting goes through the same door as a relay: lock, init_transactions, one Kafka transaction. It is refused while
 * a relay owns the source.
 */
#ifndef SLUICE_RELAY_REPOSITION_H
#define SLUICE_RELAY_REPOSITION_H

#include <stdbool.h>

#include "base/option.h"
#include "relay/position.h"
#include "relay/source.h"

struct position_report {
    struct position kafka; /* valid when found; position_done by the caller */
    bool found;
    struct db_identity db;    /* of the database at hand */
    char owner[128];          /* as PostgreSQL's copy says; "" = no copy */
    int64_t copied;           /* published rows by the copy, -1 = no copy */
    char state[ERR_TEXT_MAX]; /* "" = the relay would go on; else why not */
};

enum rc reposition_show(const struct config *cfg, const struct source *src, struct position_report *out,
                        struct err *err) MUST_USE;

enum reposition_to {
    REPOSITION_START,    /* every queued row is published again; rows restored from a dump too */
    REPOSITION_NOW,      /* what is not published yet is skipped; rows restored from a dump too */
    REPOSITION_ACCEPT,   /* the same snapshot, declared to belong to this database */
    REPOSITION_SNAPSHOT, /* what is visible in the snapshot given counts as published */
};

/* FENCED: a relay owns the source. REJECT: the snapshot is none, or there is no position to accept. */
enum rc reposition_set(const struct config *cfg, const struct source *src, enum reposition_to to, const char *snapshot,
                       struct position *out, struct err *err) MUST_USE;

#endif
