/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands about parcels and phones share: waybills, devices, selftest. */
#ifndef SLUICE_CLI_EXPRESS_H
#define SLUICE_CLI_EXPRESS_H

#include <libpq-fe.h>

#include "command.h"

#define EXPRESS_TYPE_MAX 64

/* A session whose database has the tables of parcels. RETRY, FATAL as pg_open; FATAL when tables are missing. */
enum rc express_db(const struct cli *cli, const char *app, PGconn **out_conn, struct err *err) MUST_USE;

/* The column's type as SQL says it: ids of the business may be uuid, numbers or text. FATAL: there is no such column.
 */
enum rc express_type(PGconn *conn, const char *table, const char *column, char out[EXPRESS_TYPE_MAX],
                     struct err *err) MUST_USE;

/*
 * The order of that id: user and merchant as text. REJECT, with a text for people: there is none, or row-level security
 * hides rows of ml_orders from us (code 42501).
 */
enum rc express_order(PGconn *conn, const char *order_id, PGresult **out_res, struct err *err) MUST_USE;

#endif
