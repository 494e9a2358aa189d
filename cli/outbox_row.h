/* SPDX-License-Identifier: Apache-2.0 */
/* One row of the callback outbox with its attempts and its dead letter, as text and JSON. */
#ifndef SLUICE_CLI_OUTBOX_ROW_H
#define SLUICE_CLI_OUTBOX_ROW_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "command.h"

/*
 * Where a row stands, as an SQL expression over the outbox as x; $1 is the prefix of topics. The copied position of the
 * relay is up to a second old.
 */
#define OUTBOX_STANDING                                                                                  \
    "CASE WHEN x.queue_seq IS NULL THEN 'unknown to sluice'"                                             \
    " WHEN x.status IN ('delivered', 'dead_letter') THEN 'at its end'"                                   \
    " WHEN x.status = 'retrying' OR x.queue_txid IS NULL THEN 'waits until it is due'"                   \
    " WHEN EXISTS (SELECT FROM sluice_relay_positions p WHERE p.table_name = 'cs_platform_event_outbox'" \
    "  AND p.topic_prefix = $1 AND (pg_visible_in_snapshot(x.queue_txid, p.snapshot_before)"             \
    "  OR (pg_visible_in_snapshot(x.queue_txid, p.snapshot_upto) AND x.queue_seq <= p.last_seq)))"       \
    " THEN 'published, waits for its outcome' ELSE 'not published yet' END"

/* A session for the commands of the outbox, with their time limit. As pg_open. */
enum rc outbox_open(const struct cli *cli, PGconn **out_conn, struct err *err) MUST_USE;

/* Appends it: as JSON the members "row", "attempts", "dead_letter" without braces around. *out_found false: no row. */
enum rc outbox_row_print(const struct cli *cli, PGconn *conn, const char *id, struct buf *out, bool *out_found,
                         struct err *err) MUST_USE;

#endif
