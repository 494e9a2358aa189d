/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of an event, the same way for all channels. */
#ifndef SLUICE_CHANNEL_EVENT_TEXT_H
#define SLUICE_CHANNEL_EVENT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

#define EVENT_ID_MAX 128
#define EVENT_ID_WHAT "1 to 128 visible ASCII characters"
#define EVENT_CURRENCY_WHAT "three capital letters"

/* 1 to EVENT_ID_MAX visible ASCII characters. */
bool event_id_ok(const char *text);
bool event_currency_ok(const char *text);
/* "a/b/c", without what is NULL; lives in the arena. */
const char *event_key(struct arena *arena, const char *a, const char *b, const char *c);
/* "88.88" with two digits behind the point is 8888. False: not written so, more digits than digits, or too large. */
bool event_amount(const char *text, int digits, int64_t *out_minor);

#endif
