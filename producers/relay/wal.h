/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flush rule: a snapshot may be remembered only when all WAL up to it is flushed.
 *
 * PostgreSQL uses transaction ids again after a crash when nothing of them had reached the disk (an aborted
 * transaction is enough). A remembered snapshot would count rows of their second use as seen.
 */
#ifndef SLUICE_RELAY_WAL_H
#define SLUICE_RELAY_WAL_H

#include <libpq-fe.h>

#include "base/err.h"

/*
 * lsn: pg_current_wal_insert_lsn() read once, after the snapshot. Waits some milliseconds for the flush, then forces it
 * with a committed message. (At a page boundary the insert position stands past the page header, where a flush gets
 * only when more WAL is written: the message brings it there.)
 */
enum rc wal_wait_flushed(PGconn *conn, const char *lsn, struct err *err) MUST_USE;

#endif
