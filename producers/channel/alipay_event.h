/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in a genuine call of Alipay. */
#ifndef SLUICE_CHANNEL_ALIPAY_EVENT_H
#define SLUICE_CHANNEL_ALIPAY_EVENT_H

#include "channel/alipay_account.h"
#include "channel/form.h"

/* notify_time, in Beijing's time, or utc_timestamp in milliseconds: when this call was sent, in microseconds since
 * 1970. False: neither, or malformed. */
bool alipay_sent_us(const struct form *form, int64_t *out_us);
/* Turns all values into UTF-8 as charset says, and fills v->event. */
enum channel_reason alipay_read_form(const struct alipay_account *own, struct form *form, struct arena *arena,
                                     struct verdict *v);

#endif
