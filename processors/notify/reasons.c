/* SPDX-License-Identifier: Apache-2.0 */
#include "notify/reasons.h"

static const char *const RESULTS[NOTIFY_RESULTS] = {
    [NOTIFY_QUEUED] = "queued", [NOTIFY_SKIPPED] = "skipped", [NOTIFY_FAILED] = "failed", [NOTIFY_LATE] = "late"};

#define NO_DEVICES "no active devices"
static const struct {
    const char *code, *text;
    enum notify_result result;
} TABLE[NOTIFY_REASONS] = {
    [NOTIFY_NO_REASON] = {"", "", NOTIFY_QUEUED},
    [NOTIFY_WAYBILL_NOT_FOUND] = {"waybill_not_found", "waybill not found", NOTIFY_SKIPPED},
    [NOTIFY_ORDER_NOT_FOUND] = {"order_not_found", "order not found for waybill", NOTIFY_SKIPPED},
    [NOTIFY_ROWS_HIDDEN] = {"rows_hidden", "rows hidden by row-level security", NOTIFY_FAILED},
    [NOTIFY_NO_RECIPIENTS] = {"no_recipients", "no recipients", NOTIFY_SKIPPED},
    [NOTIFY_SUPERSEDED] = {"superseded", "superseded", NOTIFY_SKIPPED},
    [NOTIFY_TOO_OLD] = {"too_old", "too old", NOTIFY_SKIPPED},
    [NOTIFY_MUTED] = {"muted", "muted", NOTIFY_SKIPPED},
    [NOTIFY_UNKNOWN_STATUS] = {"unknown_status", "unknown status", NOTIFY_SKIPPED},
    [NOTIFY_EMPTY_TEXT] = {"empty_text", "empty text", NOTIFY_FAILED},
    [NOTIFY_MALFORMED] = {"malformed", "malformed record", NOTIFY_FAILED},
    [NOTIFY_NO_DEVICE_ROWS] = {"no_device_rows", NO_DEVICES, NOTIFY_QUEUED},
    [NOTIFY_ONLY_INACTIVE] = {"only_inactive", NO_DEVICES, NOTIFY_QUEUED},
    [NOTIFY_OTHER_IDENTITY] = {"registered_under_other_identity", NO_DEVICES, NOTIFY_QUEUED},
};

const char *notify_result_name(enum notify_result result)
{
    return RESULTS[result];
}

const char *notify_reason_code(enum notify_reason reason)
{
    return TABLE[reason].code;
}

const char *notify_reason_text(enum notify_reason reason)
{
    return TABLE[reason].text;
}

bool notify_reason_is_of_notification(enum notify_reason reason)
{
    return reason >= NOTIFY_NO_DEVICE_ROWS || reason == NOTIFY_ROWS_HIDDEN || reason == NOTIFY_MUTED;
}

enum notify_result notify_reason_result(enum notify_reason reason)
{
    return TABLE[reason].result;
}
