/* SPDX-License-Identifier: Apache-2.0 */
/* A message as JSON, for receivers of our own form. Thread: any. */
#ifndef SLUICE_PUSH_MESSAGE_JSON_H
#define SLUICE_PUSH_MESSAGE_JSON_H

#include "base/buf.h"
#include "push/provider.h"

/*
 * {"request_id", "message_id", "appid", "push_clientid", "platform", "title", "content", "payload": {...},
 *  "force_notification": true, "settings": {"ttl": ms}}: the names are those of uniCloud's sendMessage.
 */
void message_json_add(struct buf *out, const struct push_message *m, int64_t now_us);
/* The same alone, in arena memory with a NUL behind. */
const char *message_json(const struct push_message *m, int64_t now_us, struct arena *a, size_t *out_n);

#endif
