/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in a genuine call of WeChat Pay. */
#ifndef SLUICE_CHANNEL_WECHAT_RESOURCE_H
#define SLUICE_CHANNEL_WECHAT_RESOURCE_H

#include "channel/wechat_account.h"

/* Decrypts the resource and fills v->event. */
enum channel_reason wechat_read_body(const struct wechat_account *own, const struct capture *c, struct arena *arena,
                                     struct verdict *v);

#endif
