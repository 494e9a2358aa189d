/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rows stand behind the records of a topic, and what has to be known to tell how they are and to put them back on
 * the road: one table of data for dead letters, their redrive and the commands of the outboxes. Ids are UUIDs.
 *
 * SQL is over the table as x. All texts are static.
 */
#ifndef SLUICE_DELIVERY_STATE_ROW_KIND_H
#define SLUICE_DELIVERY_STATE_ROW_KIND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define ROW_STATES_MAX 6

struct row_kind {
    const char *source;      /* as in sources.json: "callback" */
    const char *topic;       /* of its records, without prefix */
    const char *schema;      /* of its records, which name the row by event_id and queue_seq */
    const char *about_field; /* of them, a string: whom it is about */
    const char *table;

    const char *dead[ROW_STATES_MAX]; /* states in which a dead letter of its queueing is open */
    const char *done[ROW_STATES_MAX]; /* in which it is closed; in any other its outcome is still to come */

    const char *state;   /* SQL: its state, never NULL */
    const char *ended;   /* SQL list: states in which nothing more comes of it */
    const char *waits;   /* SQL: it is not on the road now and will be */
    const char *about;   /* SQL: whom it is about, for people */
    const char *deaths;  /* SQL: how often it has died, as far as the tables know */
    const char *closed;  /* SQL: its dead letter is closed whatever its state */
    const char *expired; /* SQL: too old to be sent */
    const char *idle;    /* SQL: nobody is there to get it */

    /* Putting it back: ready.renew says that it gets a new round, ready.late that what has expired is sent as well. */
    const char *reset;     /* what the update sets */
    const char *returning; /* further columns of `back`, each with a comma before it */
    const char *after;     /* further steps WITH back, each with a comma before it */
};

extern const struct row_kind ROW_KINDS[];
extern const size_t ROW_KINDS_N;

/* NULL when there is none. */
const struct row_kind *row_kind_of_topic(const char *topic);
const struct row_kind *row_kind_of_source(const char *source);

/*
 * For a statement over its table that failed: where ids are of another type than uuid there is no comparison with what
 * letters and commands name them by, and the error says so instead. Returns err->rc.
 */
enum rc row_kind_failed(const struct row_kind *kind, struct err *err);

/* Is the state in that list? */
bool row_state_in(const char *const list[ROW_STATES_MAX], const char *state);

#endif
