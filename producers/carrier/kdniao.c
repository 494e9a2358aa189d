/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KDNiao: the whole history of each of its parcels.
 *
 *     {"EBusinessID": "1151847", "PushTime": "2015-03-11 16:20:01", "Count": "1", "Data":
 *         [{"ShipperCode": "SF", "LogisticCode": "118954907573", "Success": true, "State": "2", "StateEx": "202",
 *           "Traces": [{"AcceptTime": "2015-03-06 21:16:58", "AcceptStation": "...", "Action": "202"}]}]}
 *
 * RequestType 101 is that, 102 the same with Action and StateEx; others (payment, orders) say nothing of where a
 * parcel is, and are acknowledged.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "carrier/date.h"
#include "carrier/forms.h"
#include "carrier/shape.h"
#include "carrier/status.h"

static bool add_traces(struct reading *r, struct carrier_report *report, const struct body_value *parcel,
                       const char *where)
{
    static const char *const STATES[] = {"StateEx", "State", NULL};
    const struct list traces = list_of(reading_member(parcel, "Traces"));
    const struct body_value *item = traces.first;
    bool newest_there = false;
    if (!report_room(r, report, where, traces.n)) {
        return false;
    }
    for (size_t i = 0; i < traces.n; i++, item = item->next) {
        const char *code = reading_text(item, "Action");
        const char *text = reading_text(item, "AcceptStation");
        const struct told told = {.list = where,
                                  .place = i,
                                  .member = "AcceptTime",
                                  .time = reading_text(item, "AcceptTime"),
                                  .code = code,
                                  .text = text,
                                  .status = code != NULL ? status_of_code(CARRIER_KDNIAO, code)
                                                         : status_of_text(text == NULL ? "" : text)};
        newest_there = report_add(r, report, &told) != NULL;
    }
    report_state(r, report, 0, newest_there, CARRIER_KDNIAO, reading_first(parcel, STATES));
    report_end(r, report);
    return true;
}

static bool read_parcel(struct reading *r, const struct body_value *parcel, size_t place)
{
    char where[64];
    char tracking_where[64];
    (void)snprintf(where, sizeof where, "Data[%zu].Traces", place);
    (void)snprintf(tracking_where, sizeof tracking_where, "Data[%zu].LogisticCode", place);
    if (parcel->type != BODY_OBJECT) {
        return reading_refuse(r, "Data[%zu]: expected an object", place);
    }
    struct carrier_report *report = reading_report(r, tracking_where, reading_text(parcel, "LogisticCode"),
                                                   "ShipperCode", reading_text(parcel, "ShipperCode"));
    if (report == NULL) {
        return false;
    }
    report->full = true;
    return add_traces(r, report, parcel, where);
}

bool kdniao_read(struct reading *r, const struct carrier_content *content)
{
    const struct body_value *root = reading_json(r, "RequestData", content->text, content->n);
    if (root == NULL) {
        return false;
    }
    if (content->kind != NULL && strcmp(content->kind, "101") != 0 && strcmp(content->kind, "102") != 0) {
        return true;
    }
    const struct body_value *data = reading_member(root, "Data");
    if (data == NULL) {
        return reading_refuse(r, "Data: missing, expected what is known of parcels");
    }
    const struct list parcels = list_of(data);
    if (!reading_reports(r, "Data", parcels.n)) {
        return false;
    }
    const struct body_value *parcel = parcels.first;
    for (size_t i = 0; i < parcels.n; i++, parcel = parcel->next) {
        if (!read_parcel(r, parcel, i)) {
            return false;
        }
    }
    return true;
}

const char *kdniao_answer(bool stored, const struct carrier_echo *echo, struct arena *arena)
{
    char at[DATE_TEXT_MAX];
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 256);
    date_text(echo->now_s, at);
    (void)buf_printf(&out, "{\"EBusinessID\":\"%s\",\"UpdateTime\":\"%s\",\"Success\":%s,\"Reason\":\"%s\"}",
                     echo->party == NULL ? "" : echo->party, at, stored ? "true" : "false", stored ? "" : "失败");
    return arena_strndup(arena, buf_str(&out), out.len);
}
