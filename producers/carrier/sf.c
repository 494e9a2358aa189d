/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SF, RoutePushService: what is new, at most ten nodes a call as they say.
 *
 *     {"Body": {"WaybillRoute": [{"mailno": "SF100", "acceptTime": "2019-05-09 10:11:26", "acceptAddress": "深圳市",
 *                                 "remark": "...", "opCode": "50", "id": "1", "orderid": "..."}]}}
 *     <Request service="RoutePushService"><Body><WaybillRoute mailno="SF100" .../></Body></Request>
 *
 * There is no signature: the account's allow-list says who may call.
 */
#include <string.h>

#include "carrier/forms.h"
#include "carrier/shape.h"
#include "carrier/status.h"

#define SERVICE "RoutePushService"
#define LIST "WaybillRoute"

static struct event event_of(const struct body_value *route, size_t place)
{
    static const char *const TEXTS[] = {"remark", "acceptAddress", NULL};
    const char *code = reading_text(route, "opCode");
    const char *text = reading_first(route, TEXTS);
    return (struct event){.tracking_no = reading_text(route, "mailno"),
                          .tracking_where = LIST ": mailno",
                          .told = {.list = LIST,
                                   .place = place,
                                   .member = "acceptTime",
                                   .time = reading_text(route, "acceptTime"),
                                   .code = code,
                                   .text = text,
                                   .status = status_of_event(CARRIER_SF, code, text)}};
}

bool sf_read(struct reading *r, const struct carrier_content *content)
{
    const struct body_value *root = reading_document(r, "content", content, "Request");
    if (root == NULL) {
        return false;
    }
    const char *service = reading_text(root, "service");
    if (service != NULL && strcmp(service, SERVICE) != 0) {
        return reading_refuse(r, "service: expected " SERVICE);
    }
    const struct body_value *body = reading_member(root, "Body");
    const struct list routes = list_of(reading_member(body == NULL ? root : body, LIST));
    if (routes.n == 0) {
        return reading_refuse(r, LIST ": missing, expected nodes of parcels");
    }
    struct event *events = events_new(r, LIST, routes.n);
    const struct body_value *route = routes.first;
    for (size_t i = 0; events != NULL && i < routes.n; i++, route = route->next) {
        events[i] = event_of(route, i);
    }
    return events != NULL && reading_events(r, LIST, events, routes.n);
}

const char *sf_answer(bool stored, const struct carrier_echo *echo, struct arena *arena)
{
    (void)arena;
    if (echo->xml) {
        return stored ? "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response service=\"" SERVICE
                        "\"><Head>OK</Head></Response>"
                      : "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response service=\"" SERVICE
                        "\"><Head>ERR</Head><ERROR code=\"4001\">系统发生数据错误或运行时异常</ERROR></Response>";
    }
    return stored ? "{\"return_code\":\"0000\",\"return_msg\":\"成功\"}"
                  : "{\"return_code\":\"1000\",\"return_msg\":\"系统异常\"}";
}
