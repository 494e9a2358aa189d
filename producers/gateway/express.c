/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/express.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "channel/express.h"
#include "gateway/ask.h"

const struct service_route EXPRESS_ROUTES[] = {
    {{"POST", "/webhook/express/status"}, ask_express, NULL, EXPRESS_BODY_BYTES_MAX, true, true, NULL},
    {{"POST", "/webhook/express/status/{account}"}, ask_express, NULL, EXPRESS_BODY_BYTES_MAX, true, true, NULL},
};
const size_t EXPRESS_ROUTES_N = ARRAY_SIZE(EXPRESS_ROUTES);

/* ---------------------------------------------------------------------------------------------------- room */

static bool take_room(struct gateway *g, size_t n)
{
    size_t before = atomic_fetch_add(&g->express_bytes, n);
    if (before > 0 && before + n > g->express_bytes_max) {
        (void)atomic_fetch_sub(&g->express_bytes, n);
        return false;
    }
    return true;
}

void express_begin(struct gateway *g, struct callback *c)
{
    c->express.form = carrier_form_name(express_form(c->account));
    c->express.nodes_max = g->express.nodes_max;
    if (c->verdict.reason != REASON_OK) {
        return;
    }
    if (!take_room(g, c->capture.body_n)) {
        (void)verdict_refuse(&c->verdict, REASON_UNAVAILABLE, "too much is waiting to be stored");
        return;
    }
    c->express.weight = c->capture.body_n;
    c->express.room = &g->express_bytes;
}

/* ---------------------------------------------------------------------------------------------------- counts */

enum what { WHAT_NEW, WHAT_KNOWN, WHAT_BAD, WHAT_HISTORY, WHAT_QUEUED, WHATS };

static void count(enum what what, size_t n)
{
    static const char *const NAMES[WHATS] = {"new", "known", "bad", "history", "queued"};
    static _Atomic(struct metric *) series[WHATS]; /* asking the registry takes its lock */
    struct metric *m = atomic_load(&series[what]);
    if (m == NULL) {
        m = metric_counter(
            "express_nodes_total",
            "Nodes of parcels: new, known, bad (without a time that can be), and what became of new ones.",
            "what=\"%s\"", NAMES[what]);
        atomic_store(&series[what], m);
    }
    if (n > 0) {
        metric_add(m, (double)n);
    }
}

static void count_bad(const struct callback *c)
{
    for (size_t i = 0; c->verdict.express != NULL && i < c->verdict.express->n_reports; i++) {
        const struct carrier_report *r = &c->verdict.express->reports[i];
        count(WHAT_BAD, r->n_bad);
        if (r->n_bad > 0) {
            log_warn("gateway", "nodes of a parcel are left out", KV_S("account", c->account->name),
                     KV_S("tracking_no", r->tracking_no), KV_I("nodes", (int64_t)r->n_bad), KV_S("why", r->bad_detail));
        }
    }
}

void express_end(struct callback *c)
{
    const struct callback_express *e = &c->express;
    if (e->room != NULL) {
        (void)atomic_fetch_sub(e->room, e->weight);
    }
    if (!reason_acknowledged(c->verdict.reason)) {
        return;
    }
    count(WHAT_NEW, e->new_nodes);
    count(WHAT_KNOWN, e->nodes - e->new_nodes);
    count(WHAT_QUEUED, e->queued);
    count(WHAT_HISTORY, e->history);
    count_bad(c);
}

void express_count_rest(size_t n)
{
    metric_add(metric_counter("express_parked_rest_total",
                              "Tracking numbers that are no longer looked for: neither a waybill nor a call for "
                              "express.parked.keep.days.",
                              NULL),
               (double)n);
}

void express_count_settled(size_t queued, size_t history)
{
    count(WHAT_QUEUED, queued);
    count(WHAT_HISTORY, history);
}

/* ---------------------------------------------------------------------------------------------------- the route */

static enum call_next refuse_address(struct http_call *call)
{
    struct buf body;
    buf_init(&body, 256);
    (void)buf_puts(&body, "{\"ok\":false,\"message\":\"a bearer token is needed from this address\"}");
    call_set_header(call, "WWW-Authenticate", "Bearer");
    call_answer(call, 401, GATEWAY_JSON, &body);
    callback_count(CHANNEL_EXPRESS, REASON_IP_REFUSED);
    return CALL_ANSWERED;
}

enum call_next ask_express(struct http_call *call, void *opaque)
{
    struct gateway *g = opaque;
    const char *name = call_id(call, "account");
    if (name == NULL) {
        return access_ok(&g->express_access, call) ? callback_take(g, call, JOB_EXPRESS, channel_express_own())
                                                   : refuse_address(call);
    }
    const struct account *account = g->accounts == NULL ? NULL : accounts_find(g->accounts, CHANNEL_EXPRESS, name);
    return account == NULL ? callback_no_account(call, CHANNEL_EXPRESS) : callback_take(g, call, JOB_EXPRESS, account);
}
