/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands `sluice gateway ...` share. */
#ifndef SLUICE_CLI_GATEWAY_H
#define SLUICE_CLI_GATEWAY_H

#include <libpq-fe.h>

#include "command.h"

/* A session whose database has the tables of channels' calls. RETRY, FATAL as pg_open; FATAL: tables are missing. */
enum rc gateway_db(const struct cli *cli, const char *app, PGconn **out_conn, struct err *err) MUST_USE;

#endif
