/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every role has in common: start-up order, health, metrics, signals, watchdog.
 *
 * A role is one process in the foreground. The runtime sets up logging, opens the operator endpoints
 * (/livez /readyz /metrics), records itself in the runtime directory, then calls role->run on the main
 * thread. run() returns RC_OK after a clean drain. The runtime turns its result into the exit code:
 * OK 0, RETRY and FENCED 75, REJECT and FATAL 1; an error with code ERR_CONFIG 78, after which a supervisor does not
 * try again.
 *
 * First SIGTERM or SIGINT: role_stopping() becomes true and role_stop_fd() readable; run() finishes what
 * it has begun and returns. Second one: the process exits at once with 130. SIGPIPE is ignored.
 *
 * Thread: role_* functions may be called from any thread unless said otherwise.
 */
#ifndef SLUICE_RUNTIME_ROLE_H
#define SLUICE_RUNTIME_ROLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/option.h"

struct role_ctx;

struct role {
    const char *name;   /* "relay" */
    const char *help;   /* one line */
    uint16_t http_port; /* default port of /livez /readyz /metrics; the next free one is taken when it is in use */
    const struct option_table *options;
    enum rc (*run)(struct role_ctx *ctx, struct err *err);
};

#define ROLE_PARTS_MAX 32   /* named parts of readiness; more are a programming error */
#define ROLE_WATCHES_MAX 64 /* loops watched at once */

/* Runs the role to its end; returns the exit code of the process. Call once, from the main thread. */
int role_main(const struct role *role, const struct config *cfg);

const struct config *role_config(const struct role_ctx *ctx);
/* "host:pid:starttime" or what SLUICE_INSTANCE says; stable while the process lives. */
const char *role_instance(const struct role_ctx *ctx);

bool role_stopping(const struct role_ctx *ctx);
int role_stop_fd(const struct role_ctx *ctx); /* readable for ever once stopping; for poll() */
/* Waits up to ms milliseconds; returns early and true when stopping. */
bool role_wait_ms(const struct role_ctx *ctx, int64_t ms);
/* The role itself asks for the end (used by a thread that failed); the first error given is what the process reports.
 */
void role_stop(struct role_ctx *ctx, const struct err *why);

/*
 * Readiness: /readyz is 200 when every named part (at most 95 bytes of name) is ready. Parts appear when first set;
 * detail (copied, short, no secrets) is shown. At least one part must be set before the role counts as ready. Changes
 * are logged once.
 */
void role_ready(struct role_ctx *ctx, const char *part, bool ready, const char *detail);

/*
 * Watchdog: each loop registers once and ticks on every turn. A loop that has not ticked for limit_ms makes
 * /livez answer 503 and is logged; after twice that time the process aborts, so that a supervisor restarts it.
 * Time is counted in turns of the watchdog's own loop, so a process that was stopped and continued is not killed.
 */
struct watch;
struct watch *role_watch(struct role_ctx *ctx, const char *name, int64_t limit_ms);
void role_tick(struct watch *w);
void role_unwatch(struct role_ctx *ctx, struct watch *w);

#endif
