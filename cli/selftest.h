/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sluice selftest express`: one parcel of its own through the running road, stage after stage, until the first that
 * stays silent.
 *
 * Thread: main.
 */
#ifndef SLUICE_CLI_SELFTEST_H
#define SLUICE_CLI_SELFTEST_H

#include <libpq-fe.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/uuid.h"
#include "command.h"
#include "http/fetch.h"

#define SELFTEST_APPID "selftest" /* its provider is always mock */
#define SELFTEST_STAGES_MAX 16
#define SELFTEST_TEXT_MAX 400
#define SELFTEST_URL_MAX 512
#define SELFTEST_NUMBER_MAX 65

struct selftest_stage {
    const char *name; /* static */
    bool ok;
    int64_t ms; /* since the stage before */
    char text[SELFTEST_TEXT_MAX];
    char hint[SELFTEST_TEXT_MAX];
};

struct selftest {
    const struct cli *cli;
    PGconn *conn;
    struct fetcher *fetcher;
    int64_t timeout_ms; /* of each stage */
    char webhook_url[SELFTEST_URL_MAX], device_url[SELFTEST_URL_MAX];
    bool own; /* order, waybill and devices are made, and removed at the end */
    bool made;
    char number[SELFTEST_NUMBER_MAX];
    char order_id[UUID_TEXT_LEN + 1], user_id[UUID_TEXT_LEN + 1], merchant_id[UUID_TEXT_LEN + 1];
    char cids[2][UUID_TEXT_LEN + 1]; /* of the user, of the merchant */
    char context[80];                /* what the carrier says: tells this node from others */
    char queue_id[UUID_TEXT_LEN + 1];
    const volatile sig_atomic_t *stop;
    int64_t began_ms;
    struct selftest_stage stages[SELFTEST_STAGES_MAX];
    size_t n_stages;
};

/* The next stage's result. text: what was seen. */
void selftest_ok(struct selftest *t, const char *stage, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The hint: what to look at. Returns false, so that the caller can return it. */
bool selftest_fail(struct selftest *t, const char *stage, const char *hint, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* selftest_make.c: order, waybill, devices; the carrier's call. False: failed, and was said. */
bool selftest_make(struct selftest *t);
bool selftest_send(struct selftest *t);
/* Removes what was made; what cannot be removed is said on stderr. */
void selftest_clean(struct selftest *t);

/* selftest_watch.c: notify_queue, express_notifications, push_deliveries, send_status. */
bool selftest_watch(struct selftest *t);

#endif
