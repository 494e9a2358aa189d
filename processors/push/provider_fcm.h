/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the kind fcm; only for its files. */
#ifndef SLUICE_PUSH_PROVIDER_FCM_H
#define SLUICE_PUSH_PROVIDER_FCM_H

#include "push/code_table.h"

extern const struct push_code FCM_ERRORS[];   /* errorCode of an FcmError */
extern const struct push_code FCM_STATUSES[]; /* status of google.rpc, where there is no FcmError */

void fcm_reply(const void *self, const struct push_message *const *m, size_t n, const struct http_result *r,
               int64_t now_us, struct push_result *out);
enum rc fcm_token_reply(const void *self, const struct http_result *r, int64_t now_us, struct push_token *out,
                        struct err *err);

#endif
