/* SPDX-License-Identifier: Apache-2.0 */
/* Types of columns that are the business's own: ids may be uuid, text or integers. */
#ifndef SLUICE_NOTIFY_TYPES_H
#define SLUICE_NOTIFY_TYPES_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "schemas/push_device.h"

#define COLUMN_TYPE_BYTES 40

enum column_class { COLUMN_TEXT, COLUMN_UUID, COLUMN_INTEGER };

struct column_type {
    const char *table, *column; /* in */
    bool optional;              /* in: the column may be missing */
    bool found;
    char name[COLUMN_TYPE_BYTES]; /* as it stands in SQL: "character varying" */
    enum column_class class;
    int64_t min, max; /* of an integer */
};

/* One statement. FATAL: a table or a column is missing; with code ERR_CONFIG a column is of another type. */
enum rc column_types_read(PGconn *conn, struct column_type *list, size_t n, struct err *err) MUST_USE;

/* Can the text be a value of that column? */
bool column_takes(const struct column_type *t, const char *text);

/* Rows d of push_devices that were not written by the gateway may have any text, or none: what is no cid, or does not
 * fit into an index, is no device. */
#define DEVICE_APPID PUSH_DEVICE_APPID("d")
#define DEVICE_USABLE \
    "octet_length(d.cid) BETWEEN 1 AND 512 AND octet_length(" DEVICE_APPID ") <= 512 AND " PUSH_DEVICE_COUNTS("d")

#endif
