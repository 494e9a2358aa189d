/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Partner platforms and how each is called, from the environment names of the runbook:
 *
 *     AI_CS_PLATFORM_<PLATFORM>_CALLBACK_TIMEOUT_MS           3000
 *     AI_CS_PLATFORM_<PLATFORM>_CALLBACK_MAX_RETRIES          5, so six attempts
 *     AI_CS_PLATFORM_<PLATFORM>_CALLBACK_POLL_INTERVAL_MS     5000
 *     AI_CS_PLATFORM_<PLATFORM>_CALLBACK_BATCH_SIZE           20
 *     AI_CS_PLATFORM_<PLATFORM>_CALLBACK_RETRY_SCHEDULE_SEC   10,30,60,300,900
 *     AI_CS_PLATFORM_<PLATFORM>_CALLBACK_SECRET               Standard Webhooks keys, or
 *     AI_CS_PLATFORM_<PLATFORM>_CALLBACK_SECRET_FILE          a file with them
 *
 * <PLATFORM> is the platform's name in upper case with _ for -. A platform without a secret is unknown.
 */
#ifndef SLUICE_CALLBACK_PLATFORM_H
#define SLUICE_CALLBACK_PLATFORM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "crypto/webhook.h"
#include "runtime/retry_schedule.h"

#define PLATFORMS_MAX 256
#define PLATFORM_NAME_MAX 64

struct platform {
    char name[PLATFORM_NAME_MAX]; /* as in the environment: SUB2API, NEW_API */
    int64_t timeout_ms, max_retries, poll_interval_ms, batch_size;
    struct retry_schedule schedule;
    struct webhook_keys *keys; /* NULL = no secret */
};

struct platforms {
    struct platform rows[PLATFORMS_MAX];
    size_t n;
};

/* out is large: heap. RC_FATAL with ERR_CONFIG names the variable; secrets are not shown. Say done in any case. */
enum rc platforms_load(struct platforms *out_platforms, char *const *envp, struct err *err) MUST_USE;
void platforms_done(struct platforms *platforms);

/* The platform of that name ("sub2api", "new-api") when it has a secret, else NULL. */
struct platform *platforms_find(struct platforms *platforms, const char *name);

#endif
