/* SPDX-License-Identifier: Apache-2.0 */
/* The thread of the sweep: about once a second it does some of what there is to do. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway/callback.h"
#include "gateway/callback_clock.h"
#include "gateway/callback_sweep.h"
#include "gateway/express.h"
#include "gateway/gateway_internal.h"
#include "gateway/settle_express.h"
#include "pg/conn.h"

#define TURN_MS 1000
#define WINDOWS_MAX 10 /* of one turn: 10,000 that wait */
#define ERASED_MAX 500 /* rows of one statement */
#define ERASINGS_MAX 4 /* of one turn */
#define LOOK_MS 10000  /* between two looks at clocks and counts */
#define COUNT_MAX "100000"
#define PARKED_COUNT_MAX 100000
#define EXPRESS_STATEMENTS 9 /* of one window of parked numbers */
#define STATEMENTS_MAX ((2 + EXPRESS_STATEMENTS) * WINDOWS_MAX + 2 * ERASINGS_MAX + 4)

/* A counting that ends, however many there are. */
static const char OPEN_SQL[] =
    "SELECT code, count(*) FROM (SELECT code FROM payment_quarantine WHERE settled_at IS NULL LIMIT " COUNT_MAX
    ") q GROUP BY code";

struct keeper {
    struct gateway *g;
    struct session session;
    struct sweep_walk walk;
    int64_t looked_ms;
    bool skewed;
};

static void on_settled(void *opaque, const char *id, const char *payment_id, const char *against)
{
    (void)opaque;
    if (against == NULL) {
        log_info("gateway", "an order has appeared; its notification goes to the ledger", KV_S("id", id),
                 KV_S("payment", payment_id));
    } else {
        log_error("gateway", "an order has appeared that contradicts its notification; it stays in quarantine",
                  KV_S("id", id), KV_S("payment", payment_id), KV_S("why", against));
    }
}

static enum rc settle(struct keeper *k, struct err *err)
{
    int looked = SWEEP_WINDOW;
    for (int i = 0; i < WINDOWS_MAX && looked == SWEEP_WINDOW && !role_stopping(k->g->ctx); i++) {
        TRY(callback_sweep_orders(&k->session, &k->walk, &looked, on_settled, k, err));
    }
    return RC_OK;
}

static void on_parcel(void *opaque, const char *tracking_no, bool known, int64_t queued, int64_t history)
{
    (void)opaque;
    if (known) {
        express_count_settled((size_t)queued, (size_t)history);
        log_info("gateway", "a waybill has appeared; what its carrier said of it is told",
                 KV_S("tracking_no", tracking_no), KV_I("queued", queued), KV_I("history", history));
    }
}

/* Numbers that carriers named before their waybill was there. */
static enum rc settle_express(struct keeper *k, struct err *err)
{
    struct express_looked looked = {.numbers = EXPRESS_WINDOW};
    for (int i = 0; i < WINDOWS_MAX && looked.numbers == EXPRESS_WINDOW && !role_stopping(k->g->ctx); i++) {
        TRY(express_sweep(&k->session, &k->g->express, &looked, on_parcel, k, err));
        express_count_rest((size_t)looked.rest);
        if (looked.rest > 0) {
            log_warn("gateway",
                     "parked tracking numbers are not looked for any more; a call or their waybill wakes them",
                     KV_I("numbers", looked.rest), KV_S("why", "no waybill and no call for express.parked.keep.days"),
                     KV_I("days", k->g->express.keep_days));
        }
    }
    return RC_OK;
}

static enum rc erase(struct keeper *k, enum sweep_inbox inbox, struct err *err)
{
    int64_t erased = ERASED_MAX;
    int64_t all = 0;
    for (int i = 0; i < ERASINGS_MAX && erased == ERASED_MAX && k->g->raw_keep_days > 0; i++) {
        TRY(callback_sweep_erase(&k->session, inbox, k->g->raw_keep_days, ERASED_MAX, &erased, err));
        all += erased;
    }
    if (all > 0) {
        log_info("gateway", "headers and bodies of old calls are erased", KV_I("rows", all));
    }
    return RC_OK;
}

static enum rc look_at_clock(struct keeper *k, struct err *err)
{
    int64_t skew_us = 0;
    int64_t unsure_us = 0;
    char detail[CLOCK_DETAIL_MAX];
    TRY(callback_sweep_skew(&k->session, k->g->now_us, &skew_us, &unsure_us, err));
    k->skewed = callback_clock_tell(skew_us, unsure_us, k->g->clock_skew_ms, k->skewed, detail);
    role_ready(k->g->ctx, "clock", true, detail); /* whoever is refused is asked to send again */
    return RC_OK;
}

static enum rc count_open(struct keeper *k, struct err *err)
{
    static const char *const CODES[] = {"conflict", "unknown_order"};
    PGresult *res CLEANUP(pg_clearp) = NULL;
    TRY(session_query(&k->session, OPEN_SQL, 0, NULL, &res, err));
    for (size_t i = 0; i < ARRAY_SIZE(CODES); i++) {
        double n = 0;
        for (int row = 0; row < PQntuples(res); row++) {
            n = strcmp(pg_text(res, row, 0), CODES[i]) == 0 ? (double)pg_int(res, row, 1, 0) : n;
        }
        metric_set(metric_gauge("sluice_gateway_quarantine_open",
                                "Genuine notifications that the ledger has not been told of, at most " COUNT_MAX ".",
                                "code=\"%s\"", CODES[i]),
                   n);
    }
    return RC_OK;
}

static enum rc count_parked(struct keeper *k, struct err *err)
{
    int64_t n = 0;
    TRY(express_parked(&k->session, PARKED_COUNT_MAX, &n, err));
    metric_set(metric_gauge("express_parked", "Tracking numbers without a waybill, at most " COUNT_MAX ".", NULL),
               (double)n);
    return RC_OK;
}

static enum rc turn_payments(struct keeper *k, bool look, struct err *err)
{
    TRY(settle(k, err));
    TRY(erase(k, SWEEP_PAYMENTS, err));
    if (look) {
        TRY(look_at_clock(k, err));
        TRY(count_open(k, err));
    }
    return RC_OK;
}

static enum rc turn_express(struct keeper *k, bool look, struct err *err)
{
    TRY(settle_express(k, err));
    TRY(erase(k, SWEEP_EXPRESS, err));
    return look ? count_parked(k, err) : RC_OK;
}

static enum rc turn(struct keeper *k, struct err *err)
{
    bool look = clock_mono_ms() - k->looked_ms >= LOOK_MS;
    TRY(session_open(&k->session, err));
    if (k->g->accounts != NULL) {
        TRY(turn_payments(k, look, err));
    }
    if (k->g->takes_express) {
        TRY(turn_express(k, look, err));
    }
    k->looked_ms = look ? clock_mono_ms() : k->looked_ms;
    return RC_OK;
}

void *keeper_run(void *opaque)
{
    struct worker *w = opaque;
    struct gateway *g = w->g;
    struct keeper k = {.g = g, .session = {.opt = &g->session}, .looked_ms = clock_mono_ms() - LOOK_MS};
    struct watch *watch = role_watch(g->ctx, w->name, gateway_turn_ms(g, STATEMENTS_MAX));
    do {
        struct err err = {0};
        role_tick(watch);
        if (turn(&k, &err) != RC_OK) {
            log_warn("gateway", "stored calls cannot be looked through", KV_ERR(&err));
            session_close(&k.session);
        }
    } while (!atomic_load(&g->ending) && !role_wait_ms(g->ctx, TURN_MS));
    session_close(&k.session);
    sweep_walk_done(&k.walk);
    role_unwatch(g->ctx, watch);
    return NULL;
}
