/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the runtime: what role.c, health.c and keeper.c share. Roles see only role.h. */
#ifndef SLUICE_RUNTIME_ROLE_CTX_H
#define SLUICE_RUNTIME_ROLE_CTX_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "http/server.h"
#include "runtime/role.h"

#define KEEPER_TURN_MS 250

#define ROLE_NAME_MAX 96 /* of a part or a watch, with its NUL */

struct part {
    char name[ROLE_NAME_MAX];
    char detail[400];
    bool ready;
};

struct watch {
    char name[ROLE_NAME_MAX];
    int64_t limit_ms;
    _Atomic uint64_t ticks;
    uint64_t seen_ticks;     /* the keeper's */
    _Atomic int64_t idle_ms; /* written by the keeper, shown by /livez */
    _Atomic bool used;
    bool said; /* the keeper has logged that it is late */
};

struct role_ctx {
    const struct role *role;
    const struct config *cfg;
    char *instance;
    int64_t started_utc_ms;

    int stop_fd; /* eventfd, written once */
    _Atomic bool stopping;

    pthread_mutex_t lock; /* parts, ready, why, and taking or leaving a watch */
    struct part parts[ROLE_PARTS_MAX];
    size_t n_parts;
    bool ready;
    bool said_ready; /* to systemd */
    struct err why;
    bool has_why;

    struct watch watches[ROLE_WATCHES_MAX];
    pthread_t keeper;
    int signal_fd;
    int quit_fd; /* ends the keeper */

    struct http_server *http;
    char *record_dir;
};

/* keeper.c: the thread that takes signals and watches the loops. SIGTERM and SIGINT must be blocked before. */
enum rc keeper_start(struct role_ctx *ctx, struct err *err) MUST_USE;
void keeper_stop(struct role_ctx *ctx);
/* One turn of the watchdog. True: a loop has been stuck for twice its limit. */
bool keeper_check(struct role_ctx *ctx, int64_t turn_ms);

/* health.c */
extern const struct http_route HEALTH_ROUTES[];
extern const size_t HEALTH_ROUTES_N;
bool health_is_live(const struct role_ctx *ctx);

/* role.c: makes stopping true and wakes everybody. */
void role_begin_stop(struct role_ctx *ctx);

#endif
