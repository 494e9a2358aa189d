/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sluice_order_recipients(text[]): reads user_id and merchant_id of orders with the rights of its owner, so that
 * row-level security of ml_orders may stay as it is. It shows nothing else of an order, has a fixed search_path, and
 * only one role may execute it.
 */
#ifndef SLUICE_NOTIFY_ORDERS_FUNCTION_H
#define SLUICE_NOTIFY_ORDERS_FUNCTION_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

#define ORDERS_FUNCTION "sluice_order_recipients(text[])"
#define ORDERS_ROLE "sluice_run" /* as `sluice migrate --print-role` calls it */

/*
 * Appends the SQL that makes or replaces it, for the types that ml_orders has; one transaction. role NULL: ORDERS_ROLE
 * if there is one, else who the session is. schema is plain, not quoted.
 * REJECT: there is no such role, or policies would hide rows from the function too (its owner neither owns ml_orders
 * nor bypasses row-level security, or the table forces it). FATAL: ml_orders is missing.
 */
enum rc orders_function_sql(PGconn *conn, const char *schema, const char *role, struct buf *out,
                            struct err *err) MUST_USE;

#endif
