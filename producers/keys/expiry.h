/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An alarm KEYS_ALARM_S before the last key of an account ends: a gauge, and once a day a line in the log. For all
 * channels.
 *
 * Thread: one at a time.
 */
#ifndef SLUICE_KEYS_EXPIRY_H
#define SLUICE_KEYS_EXPIRY_H

#include <stddef.h>
#include <stdint.h>

#include "channel/account.h"

#define KEYS_ALARM_S ((int64_t)72 * 3600)

struct expiry;

struct expiry *expiry_create(const struct accounts *accounts) MUST_USE;
struct expiry *expiry_free(struct expiry *x); /* accepts NULL, returns NULL */
/* How many accounts are in alarm. */
size_t expiry_look(struct expiry *x, int64_t now_s);

#endif
