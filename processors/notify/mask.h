/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carriers' words without what belongs to persons: telephone numbers, and names behind words like "courier". It goes by
 * how such texts look, and hides rather too much; the parcel's own number stays.
 */
#ifndef SLUICE_NOTIFY_MASK_H
#define SLUICE_NOTIFY_MASK_H

#include <stddef.h>

#include "base/buf.h"

/* Appends text (n bytes of UTF-8) to out. keep: the tracking number, or NULL. Control characters become spaces. */
void notify_mask(const char *text, size_t n, const char *keep, struct buf *out);

#endif
