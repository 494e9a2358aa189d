/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the kind apns; only for its files. */
#ifndef SLUICE_PUSH_PROVIDER_APNS_H
#define SLUICE_PUSH_PROVIDER_APNS_H

#include "push/code_table.h"

extern const struct push_code APNS_REASONS[];

void apns_reply(const void *self, const struct push_message *const *m, size_t n, const struct http_result *r,
                int64_t now_us, struct push_result *out);

#endif
