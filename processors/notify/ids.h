/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids that follow from what they stand for, so that whoever makes them again makes the same. They begin with the time
 * that the event's id begins with, where that is of version 7 (RFC 9562): millions of them in an index are then filled
 * at its end, and a page is read and logged once instead of again and again.
 */
#ifndef SLUICE_NOTIFY_IDS_H
#define SLUICE_NOTIFY_IDS_H

#include <stdint.h>

#include "base/uuid.h"

#define NOTIFY_MESSAGE_ID_LEN 32

/* 32 hexadecimal digits: of a hash of event, audience, recipient and kind; if its id
 * says when it was, 12 digits of that and "7000" come first. */
void notify_message_id(const char *event_id, const char *aud, const char *recipient,
                       char out[NOTIFY_MESSAGE_ID_LEN + 1]);
/* Of a notification's row: one for each message. Begins with the time that the message's id says, if it does. */
void notify_notification_id(const char *message_id, char out[UUID_TEXT_LEN + 1]);
/* Of one message to one device, begun in the same way. */
void notify_delivery_id(const char *message_id, const char *appid, const char *cid, int64_t generation,
                        char out[UUID_TEXT_LEN + 1]);

#endif
