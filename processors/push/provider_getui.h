/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the kind getui; only for its files. */
#ifndef SLUICE_PUSH_PROVIDER_GETUI_H
#define SLUICE_PUSH_PROVIDER_GETUI_H

#include "push/code_table.h"

extern const struct push_code GETUI_CODES[];    /* of a whole answer */
extern const struct push_code GETUI_STATUSES[]; /* of one cid */

void getui_reply(const void *self, const struct push_message *const *m, size_t n, const struct http_result *r,
                 int64_t now_us, struct push_result *out);
enum rc getui_token_reply(const void *self, const struct http_result *r, int64_t now_us, struct push_token *out,
                          struct err *err);

#endif
