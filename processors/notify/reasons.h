/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why nobody was told, or not on any phone: one list for tables, metrics, commands and documentation. Codes and texts
 * are part of the data contract and are never changed.
 */
#ifndef SLUICE_NOTIFY_REASONS_H
#define SLUICE_NOTIFY_REASONS_H

#include <stdbool.h>

/* What becomes of an event's row: notify_queue.process_status. */
enum notify_result {
    NOTIFY_QUEUED,  /* a notification stands for it */
    NOTIFY_SKIPPED, /* nobody is to be told */
    NOTIFY_FAILED,  /* somebody should have been told */
    NOTIFY_LATE,    /* the row is gone, queued once more, or has been handled: nothing is written */
    NOTIFY_RESULTS
};

enum notify_reason {
    NOTIFY_NO_REASON,
    /* of an event */
    NOTIFY_WAYBILL_NOT_FOUND,
    NOTIFY_ORDER_NOT_FOUND,
    NOTIFY_ROWS_HIDDEN, /* of a notification too: devices may be hidden */
    NOTIFY_NO_RECIPIENTS,
    NOTIFY_SUPERSEDED,
    NOTIFY_TOO_OLD,
    NOTIFY_MUTED, /* of a notification too: beside one that is told */
    NOTIFY_UNKNOWN_STATUS,
    NOTIFY_EMPTY_TEXT,
    NOTIFY_MALFORMED, /* its record is a dead letter */
    /* of a notification without targets */
    NOTIFY_NO_DEVICE_ROWS,
    NOTIFY_ONLY_INACTIVE,
    NOTIFY_OTHER_IDENTITY,
    NOTIFY_REASONS
};

const char *notify_result_name(enum notify_result result); /* "queued"; static */
const char *notify_reason_code(enum notify_reason reason); /* "order_not_found"; "" for none; static */
/* With what last_error begins: "order not found for waybill"; more may follow behind ": ". Static. */
const char *notify_reason_text(enum notify_reason reason);
/* May a notification have it? */
bool notify_reason_is_of_notification(enum notify_reason reason);
/* What an event with this reason becomes. */
enum notify_result notify_reason_result(enum notify_reason reason);

#endif
