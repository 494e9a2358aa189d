/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by decide.c (events) and decide_message.c (messages). */
#ifndef SLUICE_NOTIFY_DECIDE_INTERNAL_H
#define SLUICE_NOTIFY_DECIDE_INTERNAL_H

#include "notify/decide.h"

/* Memory of the batch for n things, and for one more, so that there always is some. */
void *notify_batch_zeroed(struct notify_batch *b, size_t n, size_t size);
/* A text that lives as long as the batch. */
const char *notify_batch_text(struct notify_batch *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
