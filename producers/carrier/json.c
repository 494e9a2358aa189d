/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own form: one node of one parcel.
 *
 *     {"tracking_no": "SF100", "carrier": "sf", "status": "delivered", "context": "...", "time": "2026-11-22 20:37:20"}
 *
 * status is a name of schemas/express_status.h, one of the words of status.c, or a number as kuaidi100 counts. Without
 * a time it is now. Members that we have no use for are passed over: senders have more of them.
 */
#include <string.h>

#include "base/buf.h"
#include "carrier/date.h"
#include "carrier/forms.h"
#include "carrier/status.h"

#define MICROS ((int64_t)1000000)

/* NULL and true: it is not there. */
static bool text_of(struct reading *r, const struct body_value *root, const char *name, size_t max, const char **out)
{
    const struct body_value *v = reading_member(root, name);
    *out = NULL;
    if (v == NULL) {
        return true;
    }
    if ((v->type != BODY_STRING && v->type != BODY_NUMBER) || v->n > max) {
        return reading_refuse(r, "%s: expected a text of at most %zu bytes", name, max);
    }
    *out = v->n == 0 ? NULL : v->text;
    return true;
}

static enum express_status status_of(const char *status)
{
    enum express_status found = EXPRESS_UNKNOWN;
    if (!status_find(CARRIER_JSON, status, &found)) {
        (void)status_find(CARRIER_KUAIDI100, status, &found);
    }
    return found;
}

static bool time_ok(struct reading *r, const char *time)
{
    int64_t at_us = 0;
    if (!date_read(time, &at_us)) {
        return reading_refuse(r, "time: " DATE_WHAT ", or seconds or milliseconds since 1970");
    }
    if (!date_believable(at_us, r->now_s)) {
        return reading_refuse(r, "time: expected one from %d on, and at most a day ahead", CARRIER_YEAR_MIN);
    }
    return true;
}

bool json_read(struct reading *r, const struct carrier_content *content)
{
    char now[DATE_TEXT_MAX];
    const char *tracking = NULL;
    const char *carrier = NULL;
    const char *status = NULL;
    const char *context = NULL;
    const char *time = NULL;
    const struct body_value *root = reading_json(r, "", content->text, content->n);
    if (root == NULL || !text_of(r, root, "tracking_no", CARRIER_TRACKING_MAX, &tracking) ||
        !text_of(r, root, "carrier", CARRIER_NAME_MAX, &carrier) ||
        !text_of(r, root, "status", CARRIER_CODE_MAX, &status) || !text_of(r, root, "context", content->n, &context) ||
        !text_of(r, root, "time", 64, &time) || !reading_reports(r, "", 1)) {
        return false;
    }
    struct carrier_report *report = reading_report(r, "tracking_no", tracking, "carrier", carrier);
    if (report == NULL) {
        return false;
    }
    if (status == NULL) {
        return reading_refuse(r, "status: missing, expected how far the parcel is, such as \"delivered\"");
    }
    if ((time != NULL && !time_ok(r, time)) || !report_room(r, report, "", 1)) {
        return false;
    }
    date_text(r->now_s, now);
    const struct told told = {.list = "",
                              .member = "time",
                              .time = time == NULL ? now : time,
                              .code = status,
                              .text = context,
                              .status = status_of(status)};
    (void)report_add(r, report, &told);
    return true;
}

const char *json_answer(bool stored, const struct carrier_echo *echo, struct arena *arena)
{
    (void)echo;
    (void)arena;
    return stored ? "{\"ok\":true}" : "{\"ok\":false}";
}
