/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kuaidi100: every call has the parcel's whole history, the newest first.
 *
 *     {"status": "polling", "autoCheck": "1", "comOld": "yuantong", "comNew": "ems",
 *      "lastResult": {"com": "yuantong", "nu": "V030344422", "state": "5", "data":
 *          [{"context": "...", "time": "2012-08-28 16:33:19", "ftime": "...", "status": "在途", "statusCode":
 * "1002"}]}, "destResult": {...}}
 *
 * status: polling, shutdown and abort (they stop looking), updateall (everything is said anew). autoCheck with comNew:
 * they found out that another carrier has the parcel. destResult is the same parcel in the country it goes to, under
 * that carrier's number perhaps: its nodes belong to the parcel of lastResult, which is the one that was asked for.
 * Nodes have a status of their own where the subscription asked for it; else state is that of the newest.
 */
#include <stdio.h>
#include <string.h>

#include "carrier/forms.h"
#include "carrier/status.h"

static const char *const TIMES[] = {"ftime", "time", NULL};
static const char *const CODES[] = {"statusCode", "status", NULL};

/* Its code, or the words beside it. */
static enum express_status own_status(const struct body_value *item)
{
    enum express_status status = EXPRESS_UNKNOWN;
    if (!status_find(CARRIER_KUAIDI100, reading_text(item, "statusCode"), &status)) {
        (void)status_find(CARRIER_KUAIDI100, reading_text(item, "status"), &status);
    }
    return status;
}

/* False: the node was left out. */
static bool add_node(struct reading *r, struct carrier_report *report, const struct body_value *item, const char *list,
                     size_t place)
{
    const char *text = reading_text(item, "context");
    struct told told = {.list = list,
                        .place = place,
                        .member = reading_text(item, "ftime") != NULL ? "ftime" : "time",
                        .time = reading_first(item, TIMES),
                        .code = reading_first(item, CODES),
                        .text = text};
    told.status = told.code != NULL ? own_status(item) : status_of_text(text == NULL ? "" : text);
    return report_add(r, report, &told) != NULL;
}

/* A result: lastResult or destResult. */
static bool read_result(struct reading *r, struct carrier_report *report, const struct body_value *result,
                        const char *name)
{
    char list[32];
    const struct body_value *data = reading_member(result, "data");
    const char *state = reading_text(result, "state");
    size_t from = report->n_nodes;
    size_t place = 0;
    bool newest_there = false;
    (void)snprintf(list, sizeof list, "%s.data", name);
    if (data == NULL) {
        return true;
    }
    if (data->type != BODY_ARRAY) {
        return reading_refuse(r, "%s: expected a list of nodes", list);
    }
    if (!report_room(r, report, list, data->n)) {
        return false;
    }
    for (const struct body_value *item = data->first; item != NULL; item = item->next, place++) {
        if (item->type != BODY_OBJECT) {
            return reading_refuse(r, "%s[%zu]: expected an object", list, place);
        }
        bool there = add_node(r, report, item, list, place);
        newest_there = place == 0 ? there : newest_there;
    }
    report_reverse(report, from);
    report_state(r, report, from, newest_there, CARRIER_KUAIDI100, state);
    return true;
}

/* The carrier that it is now. */
static const char *carrier_of(const struct body_value *root, const struct body_value *result, const char **out_where)
{
    const char *checked = reading_text(root, "autoCheck");
    const char *now = reading_text(root, "comNew");
    if (now != NULL && checked != NULL && strcmp(checked, "1") == 0) {
        *out_where = "comNew";
        return now;
    }
    *out_where = "lastResult.com";
    return reading_text(result, "com");
}

bool kuaidi100_read(struct reading *r, const struct carrier_content *content)
{
    const char *carrier_where = NULL;
    const struct body_value *root = reading_json(r, "param", content->text, content->n);
    if (root == NULL) {
        return false;
    }
    const struct body_value *last = reading_member(root, "lastResult");
    const struct body_value *dest = reading_member(root, "destResult");
    const char *status = reading_text(root, "status");
    if (last == NULL) { /* some say that they stopped without saying what they know */
        return status != NULL || reading_refuse(r, "lastResult: missing, expected what is known of the parcel");
    }
    if (last->type != BODY_OBJECT || (dest != NULL && dest->type != BODY_OBJECT)) {
        return reading_refuse(r, "%s: expected an object", last->type != BODY_OBJECT ? "lastResult" : "destResult");
    }
    const char *carrier = carrier_of(root, last, &carrier_where);
    struct carrier_report *report =
        !reading_reports(r, "lastResult", 1)
            ? NULL
            : reading_report(r, "lastResult.nu", reading_text(last, "nu"), carrier_where, carrier);
    if (report == NULL || !read_result(r, report, last, "lastResult") || !read_result(r, report, dest, "destResult")) {
        return false;
    }
    report->full = true;
    report->whole = status != NULL && strcmp(status, "updateall") == 0;
    report_end(r, report);
    return true;
}

const char *kuaidi100_answer(bool stored, const struct carrier_echo *echo, struct arena *arena)
{
    (void)echo;
    (void)arena;
    return stored ? "{\"result\":true,\"returnCode\":\"200\",\"message\":\"成功\"}"
                  : "{\"result\":false,\"returnCode\":\"500\",\"message\":\"失败\"}";
}
