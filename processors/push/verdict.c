/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from a verdict. */
#include "push/verdict.h"

#include <stddef.h>

#include "base/mem.h"

/*
 * THROTTLED and AUTH are parked: nothing is wrong with the message, so none of its budget is used up, and there is no
 * dead letter however long it takes. PROVIDER_DOWN is parked, too, as soon as the provider's circuit is open
 * (decide.h).
 */
const struct push_verdict_row PUSH_VERDICTS_TABLE[PUSH_VERDICTS] = {
    [PUSH_SENT] = {.name = "sent", .outcome = PUSH_DELIVERED, .device = PUSH_DEVICE_OK, .was_request = true},
    [PUSH_SENT_ONLINE] = {.name = "sent_online",
                          .outcome = PUSH_DELIVERED,
                          .device = PUSH_DEVICE_OK,
                          .was_request = true},
    [PUSH_SENT_OFFLINE] = {.name = "sent_offline",
                           .outcome = PUSH_DELIVERED,
                           .device = PUSH_DEVICE_OK,
                           .was_request = true},
    [PUSH_IGNORED] = {.name = "ignored", .outcome = PUSH_FAILED, .device = PUSH_DEVICE_KEEP, .was_request = true},
    [PUSH_INVALID_TARGET] = {.name = "invalid_target",
                             .outcome = PUSH_FAILED,
                             .device = PUSH_DEVICE_GONE,
                             .was_request = true},
    [PUSH_SUSPECT] = {.name = "suspect", .outcome = PUSH_FAILED, .device = PUSH_DEVICE_STRIKE, .was_request = true},
    [PUSH_THROTTLED] = {.name = "throttled", .outcome = PUSH_PARKED, .device = PUSH_DEVICE_KEEP},
    [PUSH_AUTH] =
        {.name = "auth", .outcome = PUSH_PARKED, .device = PUSH_DEVICE_KEEP, .opens = true, .opens_at_once = true},
    [PUSH_PAYLOAD] = {.name = "payload", .outcome = PUSH_DEAD_LETTER, .device = PUSH_DEVICE_KEEP, .was_request = true},
    [PUSH_PROVIDER_DOWN] = {.name = "provider_down",
                            .outcome = PUSH_RETRY,
                            .device = PUSH_DEVICE_KEEP,
                            .was_request = true,
                            .opens = true},
    [PUSH_EMPTY] = {.name = "empty", .outcome = PUSH_DEAD_LETTER, .device = PUSH_DEVICE_KEEP},
    [PUSH_EXPIRED] = {.name = "expired", .outcome = PUSH_FAILED, .device = PUSH_DEVICE_KEEP},
    [PUSH_NO_PROVIDER] = {.name = "no_provider", .outcome = PUSH_DEAD_LETTER, .device = PUSH_DEVICE_KEEP},
};

const char *push_outcome_name(enum push_outcome outcome)
{
    static const char *const names[PUSH_OUTCOMES] = {[PUSH_DELIVERED] = "delivered",
                                                     [PUSH_FAILED] = "failed",
                                                     [PUSH_RETRY] = "retry",
                                                     [PUSH_PARKED] = "parked",
                                                     [PUSH_DEAD_LETTER] = "dead_letter"};

    return (size_t)outcome < ARRAY_SIZE(names) ? names[outcome] : "unknown";
}

const char *push_device_name(enum push_device device)
{
    static const char *const names[PUSH_DEVICES] = {[PUSH_DEVICE_KEEP] = "keep",
                                                    [PUSH_DEVICE_OK] = "ok",
                                                    [PUSH_DEVICE_STRIKE] = "strike",
                                                    [PUSH_DEVICE_GONE] = "gone"};

    return (size_t)device < ARRAY_SIZE(names) ? names[device] : "unknown";
}
