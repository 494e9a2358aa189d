/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a push provider's answer means: one list for all providers, and one table that says what follows from each.
 * Names are in push_deliveries.verdict and in metrics, and are never changed.
 */
#ifndef SLUICE_PUSH_VERDICT_H
#define SLUICE_PUSH_VERDICT_H

#include <stdbool.h>

enum push_verdict {
    PUSH_SENT,           /* accepted; the provider does not say whether the device is online */
    PUSH_SENT_ONLINE,    /* accepted, handed to a device that is connected */
    PUSH_SENT_OFFLINE,   /* accepted, kept for later or given to the phone's vendor */
    PUSH_IGNORED,        /* "accepted" and dropped: the device has been away for too long (Getui successed_ignore) */
    PUSH_INVALID_TARGET, /* the device's address is no more: app removed, token replaced */
    PUSH_SUSPECT,        /* perhaps a wrong address, perhaps the wrong environment: a strike, three deactivate */
    PUSH_THROTTLED,      /* too much: again at the provider's time, and less of it */
    PUSH_AUTH,           /* our credential is refused: the provider's circuit opens, nothing is used up */
    PUSH_PAYLOAD,        /* this message can never be sent: too big, a bad parameter */
    PUSH_PROVIDER_DOWN,  /* no answer, 5xx: again with the same id; the circuit opens after some in a row */
    PUSH_EMPTY,          /* refused by us: no text, or no target. An empty target reaches every device there is */
    PUSH_EXPIRED,        /* too old to be sent */
    PUSH_NO_PROVIDER,    /* no provider for this app and platform */
    PUSH_VERDICTS
};

/* As in notification_outcome.avsc. */
enum push_outcome { PUSH_DELIVERED, PUSH_FAILED, PUSH_RETRY, PUSH_PARKED, PUSH_DEAD_LETTER, PUSH_OUTCOMES };
enum push_device { PUSH_DEVICE_KEEP, PUSH_DEVICE_OK, PUSH_DEVICE_STRIKE, PUSH_DEVICE_GONE, PUSH_DEVICES };

struct push_verdict_row {
    const char *name; /* "sent_online" */
    enum push_outcome outcome;
    enum push_device device;
    bool was_request; /* counts as an attempt */
    bool opens;       /* the provider's circuit: 0 = no, else it counts towards it */
    bool opens_at_once;
};
extern const struct push_verdict_row PUSH_VERDICTS_TABLE[PUSH_VERDICTS];

const char *push_outcome_name(enum push_outcome outcome); /* static */
const char *push_device_name(enum push_device device);    /* static */

#endif
