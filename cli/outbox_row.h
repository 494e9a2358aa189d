/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the outboxes for people: what their lists show, and one row with all that hangs on it, as text and JSON. */
#ifndef SLUICE_CLI_OUTBOX_ROW_H
#define SLUICE_CLI_OUTBOX_ROW_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "command.h"
#include "delivery_state/row_kind.h"

/* What the commands show of a kind of rows. SQL is over OUTBOX_FROM. */
struct outbox_view {
    const char *source;                             /* of its row_kind */
    const char *about_name, *type_name, *role_name; /* members of JSON; the first one is a column's title as well */
    const char *states[ROW_STATES_MAX];             /* that --status takes */
    const char *good;                               /* SQL list: what a list leaves out unless it is asked for */
    const char *attempts, *round, *next_at;         /* SQL; NULL in it: the kind has none */
    const char *type, *target, *error;              /* SQL */
    const char *touched;                            /* SQL: when something happened to the row last */
    const char *row;                                /* SQL: columns of one row, named as they are shown */
    const char *json;                               /* SQL: members of one row's JSON beside "row", named so */
    const char *detail; /* a query of lines to be shown below, by the id as $1; NULL = none */
};
extern const struct outbox_view OUTBOX_VIEWS[];
extern const size_t OUTBOX_VIEWS_N;

const struct outbox_view *outbox_view_of(const struct row_kind *kind);

/* --source, else the callback outbox. REJECT: the text names the flag and the sources. */
enum rc outbox_source(const struct cli *cli, const struct row_kind **out_kind, struct err *err) MUST_USE;

/*
 * The rows of a kind as x, in brackets: with state, stands, about, ended and waits beside the table's own columns; $1
 * is the prefix of topics. Heap memory. The copied position of the relay is up to a second old.
 */
char *outbox_from(const struct row_kind *kind) MUST_USE;

/* A session for the commands of the outbox, with their time limit. As pg_open. */
enum rc outbox_open(const struct cli *cli, PGconn **out_conn, struct err *err) MUST_USE;

/* Appends it: as JSON the members "row" and those of its view, without braces around. *out_found false: no row. */
enum rc outbox_row_print(const struct cli *cli, PGconn *conn, const struct row_kind *kind, const char *id,
                         struct buf *out, bool *out_found, struct err *err) MUST_USE;

#endif
