/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often each event has died, as far as the dead-letter topics remember: the loop guard of the redrive. Memory is
 * bounded; events beyond DEATHS_EVENTS_MAX are not counted here, only by their attempts (state.h).
 */
#ifndef SLUICE_DLQ_DEATHS_H
#define SLUICE_DLQ_DEATHS_H

#include <stddef.h>
#include <stdint.h>

#define DEATHS_EVENTS_MAX ((size_t)1 << 20)

struct deaths;

struct deaths *deaths_create(void);
void deaths_free(struct deaths *d); /* accepts NULL */
void deaths_freep(struct deaths **d);
/* One more of this event (a UUID); returns how many there were, this one included, or 0 = not counted. */
int64_t deaths_add(struct deaths *d, const char *event_id);
int64_t deaths_of(const struct deaths *d, const char *event_id); /* 0 = none known */

#endif
