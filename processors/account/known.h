/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accounts that were seen without a limit, so that bookings may go to a slot beside slot 0. A guess that saves waiting:
 * what holds is read under the lock of the slot, which carries the settings; whoever is not in here books in slot 0,
 * which is always right.
 *
 * Bounded: KNOWN_MAX entries, a newer account takes the place of an older one. An account counts after it was booked
 * KNOWN_AFTER times, so that those that nobody meets at keep their one slot. Thread: one at a time.
 */
#ifndef SLUICE_ACCOUNT_KNOWN_H
#define SLUICE_ACCOUNT_KNOWN_H

#include <stdbool.h>

#include "base/err.h"

#define KNOWN_MAX 65536
#define KNOWN_AFTER 3

struct known;

struct known *known_create(void) MUST_USE;
struct known *known_free(struct known *k); /* accepts NULL, returns NULL */

/* Slot 0 was locked and has no limit. */
void known_seen(struct known *k, const char *account_id);
/* It has one, or a slot is not there: book in slot 0 until it was seen again. */
void known_forget(struct known *k, const char *account_id);
bool known_without_limit(const struct known *k, const char *account_id);

/* Slots 1 to 63 whose rows were read; a row that is there stays. */
bool known_slot(const struct known *k, const char *account_id, int slot);
void known_slot_is_there(struct known *k, const char *account_id, int slot);

#endif
