/* SPDX-License-Identifier: Apache-2.0 */
#include "notify/ids.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/sha256.h"

#define CLASS "express"
#define PART(s)          \
    {                    \
        (s), strlen((s)) \
    }

/* Hexadecimal digits of the milliseconds that an id of version 7 begins with (RFC 9562). What follows says that they
 * are a time: ids of messages whose event says none are all hash, and stay what they are, with those of their
 * deliveries. */
#define TIME_DIGITS 12
#define TIME_MARK "7000"

static bool time_of_event(const char *event_id, char out[TIME_DIGITS + 1])
{
    if (!uuid_check(event_id, strlen(event_id)) || event_id[14] != '7') {
        return false;
    }
    (void)snprintf(out, TIME_DIGITS + 1, "%.8s%.4s", event_id, event_id + 9);
    for (size_t i = 0; i < TIME_DIGITS; i++) {
        out[i] = (char)(out[i] >= 'A' && out[i] <= 'F' ? out[i] + ('a' - 'A') : out[i]);
    }
    return true;
}

void notify_message_id(const char *event_id, const char *aud, const char *recipient,
                       char out[NOTIFY_MESSAGE_ID_LEN + 1])
{
    const struct sha256_part parts[] = {PART(event_id),  PART("|"), PART(aud),  PART("|"),
                                        PART(recipient), PART("|"), PART(CLASS)};
    unsigned char hash[SHA256_BYTES];

    sha256_of_parts(parts, ARRAY_SIZE(parts), hash);
    sha256_hex(hash, NOTIFY_MESSAGE_ID_LEN / 2, out);
    char time[TIME_DIGITS + 1];
    if (time_of_event(event_id, time)) {
        (void)memcpy(out, time, TIME_DIGITS);
        (void)memcpy(out + TIME_DIGITS, TIME_MARK, sizeof(TIME_MARK) - 1);
    }
}

/* Half a byte, or -1. */
static int digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Rows of a message lie behind those of earlier ones, where its id says when it was. */
static void begin_as(const char *message_id, unsigned char h[SHA256_BYTES])
{
    unsigned char first[TIME_DIGITS / 2];

    if (strlen(message_id) != NOTIFY_MESSAGE_ID_LEN ||
        strncmp(message_id + TIME_DIGITS, TIME_MARK, sizeof(TIME_MARK) - 1) != 0) {
        return;
    }
    for (size_t i = 0; i < sizeof(first); i++) {
        int high = digit(message_id[2 * i]);
        int low = digit(message_id[2 * i + 1]);
        if (high < 0 || low < 0) {
            return; /* not one of ours */
        }
        first[i] = (unsigned char)(high << 4 | low);
    }
    (void)memcpy(h, first, sizeof(first));
}

/* RFC 9562, version 8: bits of one's own. */
static void uuid_of(const char *message_id, const struct sha256_part *parts, size_t n, char out[UUID_TEXT_LEN + 1])
{
    unsigned char h[SHA256_BYTES];

    sha256_of_parts(parts, n, h);
    begin_as(message_id, h);
    h[6] = (unsigned char)((h[6] & 0x0f) | 0x80);
    h[8] = (unsigned char)((h[8] & 0x3f) | 0x80);
    (void)snprintf(out, UUID_TEXT_LEN + 1, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", h[0],
                   h[1], h[2], h[3], h[4], h[5], h[6], h[7], h[8], h[9], h[10], h[11], h[12], h[13], h[14], h[15]);
}

void notify_notification_id(const char *message_id, char out[UUID_TEXT_LEN + 1])
{
    const struct sha256_part parts[] = {PART("notification|"), PART(message_id)};

    uuid_of(message_id, parts, ARRAY_SIZE(parts), out);
}

void notify_delivery_id(const char *message_id, const char *appid, const char *cid, int64_t generation,
                        char out[UUID_TEXT_LEN + 1])
{
    char number[24];
    (void)snprintf(number, sizeof(number), "%" PRId64, generation);
    const struct sha256_part parts[] = {PART(message_id), PART("|"), PART(appid), PART("|"),
                                        PART(cid),        PART("|"), PART(number)};

    uuid_of(message_id, parts, ARRAY_SIZE(parts), out);
}
