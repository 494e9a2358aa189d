/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cainiao LINK: what is new. The envelope is the same for all kinds of messages, the content differs by msg_type and
 * partner; what they have in common is read:
 *
 *     {"mailNo": "YTO100", "cpCode": "YTO", "logisticsStatus": "SIGN", "logisticsGmtModified": "2021-12-10 10:00:00",
 *      "lastLogisticDetail": "..."}
 *     {"mailNo": "YTO100", "cpCode": "YTO", "traces": [{"time": "...", "action": "GOT", "desc": "..."}]}
 *     {"traces": [{"mailNo": "YTO100", "cpCode": "YTO", "time": "...", "action": "GOT", "desc": "..."}]}
 *
 * or the same as XML, perhaps within request, logisticsEvent and eventBody; several parcels in a list.
 */
#include <stdio.h>
#include <string.h>

#include "carrier/forms.h"
#include "carrier/shape.h"
#include "carrier/status.h"

#define WRAPPED_MAX 4

static const char *const WRAPPERS[] = {"request", "logisticsEvent", "eventBody", "logisticsDetail", NULL};
static const char *const PARCELS[] = {"parcels", "packages", "packageList", "logisticsDetails", "waybills", NULL};
static const char *const TRACES[] = {"traces", "traceList", "traceDetails", "fullTraceDetail", "detailList", NULL};
static const char *const WITHIN[] = {"trace", "traceDetail", "parcel", "package", "waybill", "detail", NULL};
static const char *const NUMBERS[] = {"mailNo", "mailno", "waybillNo", "waybillCode", "trackingNumber", NULL};
static const char *const CARRIERS[] = {"cpCode", "logisticsCompanyCode", "companyCode", "resCode", NULL};
static const char *const TIMES[] = {"time",      "logisticsGmtModified", "occurTime", "opTime",
                                    "eventTime", "acceptTime",           NULL};
static const char *const CODES[] = {"action", "actionCode", "logisticsStatus", "status", NULL};
static const char *const TEXTS[] = {"standerdDesc", "desc", "lastLogisticDetail", "content", "remark", NULL};

static const struct body_value *first_member(const struct body_value *object, const char *const *names)
{
    const struct body_value *v = NULL;
    for (size_t i = 0; names[i] != NULL && v == NULL; i++) {
        v = reading_member(object, names[i]);
    }
    return v;
}

static const struct body_value *unwrap(const struct body_value *v)
{
    for (int i = 0; i < WRAPPED_MAX; i++) {
        const struct body_value *inner = first_member(v, WRAPPERS);
        if (inner == NULL || inner->type != BODY_OBJECT) {
            break;
        }
        v = inner;
    }
    return v;
}

/* The list, in XML perhaps within an element for each. */
static struct list items_of(const struct body_value *v)
{
    const struct body_value *within = v == NULL || v->type != BODY_OBJECT ? NULL : first_member(v, WITHIN);
    return list_of(within == NULL ? v : within);
}

static const char *either(const struct body_value *item, const struct body_value *parcel, const char *const *names)
{
    const char *text = reading_first(item, names);
    return text != NULL ? text : reading_first(parcel, names);
}

static struct event event_of(const struct body_value *item, const struct body_value *parcel, size_t place)
{
    const char *code = reading_first(item, CODES);
    const char *text = reading_first(item, TEXTS);
    return (struct event){.tracking_no = either(item, parcel, NUMBERS),
                          .tracking_where = "mailNo",
                          .carrier = either(item, parcel, CARRIERS),
                          .told = {.list = "traces",
                                   .place = place,
                                   .member = "time",
                                   .time = reading_first(item, TIMES),
                                   .code = code,
                                   .text = text,
                                   .status = status_of_event(CARRIER_CAINIAO, code, text)}};
}

/* Of the parcel's nodes; without a list of them the parcel is one itself. */
static struct list nodes_of(const struct body_value *parcel)
{
    const struct body_value *traces = first_member(parcel, TRACES);
    return traces == NULL ? list_of(parcel) : items_of(traces);
}

static size_t count(const struct list *parcels)
{
    size_t n = 0;
    const struct body_value *parcel = parcels->first;
    for (size_t i = 0; i < parcels->n; i++, parcel = parcel->next) {
        n += nodes_of(parcel).n;
    }
    return n;
}

bool cainiao_read(struct reading *r, const struct carrier_content *content)
{
    const struct body_value *root = reading_document(r, "logistics_interface", content, NULL);
    if (root == NULL) {
        return false;
    }
    const struct body_value *body = unwrap(root);
    const struct body_value *listed = first_member(body, PARCELS);
    const struct list parcels = listed == NULL ? list_of(body) : items_of(listed);
    size_t n = count(&parcels);
    struct event *events = events_new(r, "traces", n);
    size_t k = 0;
    const struct body_value *parcel = parcels.first;
    for (size_t i = 0; events != NULL && i < parcels.n; i++, parcel = parcel->next) {
        const struct list nodes = nodes_of(parcel);
        const struct body_value *item = nodes.first;
        for (size_t j = 0; j < nodes.n; j++, item = item->next) {
            events[k] = event_of(item, parcel, k);
            k++;
        }
    }
    return events != NULL && reading_events(r, "traces", events, k);
}

const char *cainiao_answer(bool stored, const struct carrier_echo *echo, struct arena *arena)
{
    (void)arena;
    if (echo->xml) {
        return stored ? "<response><success>true</success><errorCode></errorCode><errorMsg></errorMsg></response>"
                      : "<response><success>false</success><errorCode>S07</errorCode><errorMsg>refused</errorMsg>"
                        "</response>";
    }
    return stored ? "{\"success\":true,\"errorCode\":\"\",\"errorMsg\":\"\"}"
                  : "{\"success\":false,\"errorCode\":\"S07\",\"errorMsg\":\"refused\"}";
}
