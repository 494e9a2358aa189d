/* SPDX-License-Identifier: Apache-2.0 */
/* Ids that follow from what they stand for, and where those of one time lie. */
#include <criterion/criterion.h>
#include <string.h>

#include "notify/ids.h"

#define EARLY "0190a0b1-c2d3-7abc-8def-000000000001"
#define LATE "0190A0B1-C2D4-7abc-8def-000000000001"
#define HASHED "0190a0b1-c2d3-4abc-8def-000000000001"

static void make(const char *event_id, char message[NOTIFY_MESSAGE_ID_LEN + 1], char row[UUID_TEXT_LEN + 1],
                 char delivery[UUID_TEXT_LEN + 1])
{
    notify_message_id(event_id, "user", "u", message);
    notify_notification_id(message, row);
    notify_delivery_id(message, "a", "c", 0, delivery);
    cr_expect_eq(strlen(message), (size_t)NOTIFY_MESSAGE_ID_LEN);
    cr_expect(uuid_check(row, strlen(row)), "%s", row);
    cr_expect(uuid_check(delivery, strlen(delivery)), "%s", delivery);
    cr_expect_eq(row[14], '8');
    cr_expect_eq(delivery[14], '8');
    cr_expect_str_neq(row, delivery);
}

Test(notify_ids, begin_with_the_time_that_the_event_begins_with)
{
    char message[2][NOTIFY_MESSAGE_ID_LEN + 1];
    char row[2][UUID_TEXT_LEN + 1];
    char delivery[2][UUID_TEXT_LEN + 1];

    make(EARLY, message[0], row[0], delivery[0]);
    make(LATE, message[1], row[1], delivery[1]);
    cr_expect_eq(strncmp(message[0], "0190a0b1c2d3", 12), 0, "%s", message[0]);
    cr_expect_eq(strncmp(message[1], "0190a0b1c2d4", 12), 0, "%s", message[1]);
    cr_expect_eq(strncmp(row[0], "0190a0b1-c2d3-", 14), 0, "%s", row[0]);
    cr_expect_eq(strncmp(delivery[1], "0190a0b1-c2d4-", 14), 0, "%s", delivery[1]);
    cr_expect_eq(strncmp(message[0] + 12, "7000", 4), 0, "%s", message[0]);
    cr_expect_str_neq(message[0] + 16, message[1] + 16, "the rest is a hash of all of it");
}

Test(notify_ids, of_another_version_says_no_time)
{
    char message[NOTIFY_MESSAGE_ID_LEN + 1];
    char row[UUID_TEXT_LEN + 1];
    char delivery[UUID_TEXT_LEN + 1];

    make(HASHED, message, row, delivery);
    cr_expect_neq(strncmp(message, "0190a0b1c2d3", 12), 0);
    make("no uuid", message, row, delivery);
}

/* Rows that are there already are found by these. */
Test(notify_ids, of_an_event_without_a_time_are_what_they_were)
{
    char message[NOTIFY_MESSAGE_ID_LEN + 1];
    char row[UUID_TEXT_LEN + 1];
    char delivery[UUID_TEXT_LEN + 1];

    make(HASHED, message, row, delivery);
    cr_expect_str_eq(message, "12caf42ee3235e272b207ccc37a3ac0a");
    cr_expect_str_eq(row, "75c71632-ec40-854c-905c-9a02d163687c");
    cr_expect_str_eq(delivery, "b03386ab-c3d8-819c-b6b3-71b38e6c4767");
}

Test(notify_ids, of_messages_that_are_not_ours_are_hashes)
{
    char one[UUID_TEXT_LEN + 1];
    char two[UUID_TEXT_LEN + 1];

    notify_delivery_id("ORDER-4711", "a", "c", 0, one);
    notify_delivery_id("ORDER-4711", "a", "d", 0, two);
    cr_expect_neq(strncmp(one, two, 8), 0);
    notify_delivery_id("", "a", "c", 0, one);
    cr_expect(uuid_check(one, strlen(one)));
    notify_delivery_id("0190a0b1c2", "a", "c", 0, two); /* ends before its time does */
    cr_expect_neq(strncmp(two, "0190a0b1", 8), 0);
}
