/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by store.c (session), store_read.c (what is there) and store_write.c (what was decided). */
#ifndef SLUICE_NOTIFY_STORE_INTERNAL_H
#define SLUICE_NOTIFY_STORE_INTERNAL_H

#include "base/buf.h"
#include "notify/store.h"
#include "notify/types.h"
#include "pg/binary.h"
#include "pg/conn.h"

#define STORE_COLUMNS 16
#define STORE_BYTES_MAX ((size_t)256 << 20)

enum store_type {
    T_TRACKING,
    T_QUEUE,
    T_ORDER,
    T_ORDER_USER,
    T_ORDER_MERCHANT,
    T_DEVICE_USER,
    T_DEVICE_MERCHANT,
    T_NOTIFICATION,
    T_RECIPIENT,
    T_LEFT_OUT,
    STORE_TYPES
};

struct notify_store {
    size_t devices_max;
    bool lock;
    bool check_index;     /* a batch found no index to go by: look again, and say so */
    bool function_ready;  /* its statement is prepared in this session */
    bool function_there;  /* in the present batch: it exists, and */
    bool function_usable; /* this role may execute it */
    struct column_type types[STORE_TYPES];
    struct buf column[STORE_COLUMNS];
};

/* Names of prepared statements. */
#define S_NOW "notify_now"
#define S_WAYBILLS "notify_waybills"
#define S_ROWS "notify_rows"
#define S_ORDERS "notify_orders"
#define S_ORDERS_FUNCTION "notify_orders_function"
#define S_DEVICES "notify_devices"
#define S_MUTES "notify_mutes"
#define S_KNOWN "notify_known"
#define S_COUNTS "notify_counts"
#define S_BEYOND "notify_beyond"
#define S_NOTIFICATIONS "notify_notifications"
#define S_DELIVERIES "notify_deliveries"
#define S_QUEUE "notify_queue_rows"
#define S_TOLD "notify_waybills_told"

/* Prepares sql, which is freed. */
enum rc store_prepare_notify(PGconn *conn, const char *name, char *sql, struct err *err) MUST_USE;
enum rc store_prepare_reads(struct notify_store *s, PGconn *conn, struct err *err) MUST_USE;
enum rc store_prepare_writes(struct notify_store *s, PGconn *conn, struct err *err) MUST_USE;

/* The first n columns begin and end as arrays of text, which are what all but times and numbers travel as. */
void store_texts_begin(struct notify_store *s, size_t n);
void store_texts_end(struct notify_store *s, size_t n, size_t rows);

#endif
