/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A number for this process among the processes of one role, so that its transactional id and its static member id are
 * those of its predecessor: then the broker knows at once who has gone, and replicas need no configuration.
 *
 * The number is an advisory lock in PostgreSQL, held by a direct session of its own that sends a heartbeat each second
 * and has idle_session_timeout, so that a frozen process loses it. A process that loses the session keeps its number
 * and asks for that one only: until PostgreSQL is back nothing else changes. If another process has it by then, this
 * one must end (SLOT_TAKEN).
 *
 * Thread: the session lives in a thread of its own, which waits for nothing but PostgreSQL. The functions here may be
 * called from any thread.
 */
#ifndef SLUICE_RUNTIME_DELIVERY_SLOT_H
#define SLUICE_RUNTIME_DELIVERY_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define SLOTS_MAX 64

enum slot_state {
    SLOT_SEARCHING, /* no number yet: PostgreSQL is away, or all are taken */
    SLOT_OWNED,
    SLOT_UNSURE, /* the session is lost; the number is kept */
    SLOT_TAKEN,  /* another process has the number: end */
    SLOT_FAILED  /* cannot work like this: configuration */
};
const char *slot_state_name(enum slot_state state);

struct slot_options {
    const char *url;
    const char *app;               /* application_name */
    const char *name;              /* what the number belongs to, "t1.sluice-callback" */
    int64_t lock_timeout_ms;       /* idle_session_timeout */
    void (*changed)(void *opaque); /* called in the slot's thread after each change of state */
    void *opaque;
};

struct slot;

enum rc slot_start(const struct slot_options *opt, struct slot **out_slot, struct err *err) MUST_USE;
struct slot *slot_stop(struct slot *s); /* gives the number back; accepts NULL, returns NULL */

/* *out_number -1 while there is none; *out_why says what stands in the way (when not OWNED). Both may be NULL. */
enum slot_state slot_state(struct slot *s, int *out_number, struct err *out_why);
/* Has PostgreSQL confirmed after since_ms (clock_mono_ms) that the number is ours? */
bool slot_confirmed_since(struct slot *s, int64_t since_ms);

#endif
