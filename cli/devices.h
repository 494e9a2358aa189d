/* SPDX-License-Identifier: Apache-2.0 */
/* Which device is meant, for the commands `sluice devices ...`. */
#ifndef SLUICE_CLI_DEVICES_H
#define SLUICE_CLI_DEVICES_H

#include <libpq-fe.h>

#include "command.h"
#include "schemas/push_device.h"

struct device {
    const char *text; /* as it was typed */
    const char *id;   /* of the row; NULL: appid and cid are given */
    char appid[129];
    const char *cid;
};

/* SQL: the row of push_devices, as `row`, that device_query()'s $1 to $3 mean. */
#define DEVICE_WHICH(row)                                                                                        \
    "($1::text IS NULL OR " row ".id::text = lower($1::text)) AND ($1::text IS NOT NULL OR (" PUSH_DEVICE_APPID( \
        row) " = $2::text AND " row ".cid = $3::text AND " PUSH_DEVICE_COUNTS(row) "))"

/* APPID/CID or the id of a row. REJECT: neither. *out points into text. */
enum rc device_parse(const char *text, struct device *out, struct err *err) MUST_USE;
/* With id, appid and cid as $1 to $3, and more, if it is not NULL, as $4. As pg_query. */
enum rc device_query(PGconn *conn, const char *sql, const struct device *d, const char *more, PGresult **out_res,
                     struct err *err) MUST_USE;
/* Says so; EXIT_NOT_FOUND. */
int device_missing(const char *command, const struct device *d);

#endif
