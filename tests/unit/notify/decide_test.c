/* SPDX-License-Identifier: Apache-2.0 */
/* The rules, as tables; what the tables of the database would say is put in by hand. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "notify/decide.h"

#define NOW INT64_C(1770000000000000)
#define HOUR INT64_C(3600000000)

static struct notify_batch b;
static struct notify_rules rules;
static struct templates *t;

static void setup(void)
{
    struct err err;

    cr_assert_eq(templates_open("", &t, &err), RC_OK, "%s", err.text);
    rules = (struct notify_rules){.templates = t,
                                  .locale = templates_find(t, "zh-CN"),
                                  .age_max_us = 72 * HOUR,
                                  .ttl_us = 72 * HOUR,
                                  .devices_max = 20,
                                  .title_max = 50,
                                  .body_max = 256};
    notify_batch_init(&b);
}

static void teardown(void)
{
    notify_batch_done(&b);
    templates_free(t);
}

TestSuite(notify_decide, .init = setup, .fini = teardown);

/* An event of parcel "P" hours before now. */
static void add(enum express_status status, int64_t hours)
{
    char *id = arena_strndup(&b.arena, "00000000-0000-4000-8000-000000000000", 36);

    (void)snprintf(id + 24, 13, "%012zu", b.n);
    const struct notify_event ev = {.event_id = id,
                                    .queue_seq = 7,
                                    .tracking_no = "P",
                                    .status_text = express_status_name(status),
                                    .status = status,
                                    .node_us = NOW - hours * HOUR,
                                    .created_us = NOTIFY_NO_TIME};
    notify_batch_add(&b, &ev);
}

/* Everything is there: a waybill with an order of user u and merchant m, each with one device. */
static void until_orders(void)
{
    b.now_us = NOW;
    notify_decide_waybills(&b);
    for (size_t i = 0; i < b.tracking.n; i++) {
        b.waybills[i] = (struct notify_waybill){.found = true, .order_id = "o", .told_us = NOTIFY_NO_TIME};
    }
    for (size_t i = 0; i < b.rows_keys.n; i++) {
        b.rows[i] = (struct notify_row){.found = true, .open = true, .queue_seq = 7};
    }
}

static void until_events(void)
{
    notify_decide_orders(&b);
    for (size_t i = 0; i < b.order_keys.n; i++) {
        b.orders[i] = (struct notify_order){.found = true, .user_id = "u", .merchant_id = "m"};
    }
}

static void until_messages(void)
{
    const struct notify_device d = {.appid = "default", .cid = "c"};

    notify_decide_events(&b, &rules);
    for (size_t i = 0; i < b.recipient_keys.n; i++) {
        cr_assert(notify_recipient_add(&b, &b.recipients[i], &d, 20));
    }
}

static void expect(size_t i, enum notify_result result, const char *error)
{
    const struct notify_item *it = &b.items[i];
    const char *got = it->last_error != NULL ? it->last_error : "";

    cr_expect_eq(it->result, result, "%zu: %s %s", i, notify_result_name(it->result), got);
    cr_expect_str_eq(got, error);
}

static void all(void)
{
    until_orders();
    until_events();
    until_messages();
    notify_decide_notifications(&b, &rules);
}

Test(notify_decide, both_are_told)
{
    add(EXPRESS_DELIVERED, 1);
    all();
    expect(0, NOTIFY_QUEUED, "");
    cr_assert_eq(b.items[0].n_messages, 2);
    cr_expect(b.items[0].messages[0].writes && b.items[0].messages[1].writes);
    cr_expect_str_neq(b.items[0].messages[0].id, b.items[0].messages[1].id);
    cr_expect(b.waybills[0].changed && b.waybills[0].told == EXPRESS_DELIVERED && b.waybills[0].told_us == NOW - HOUR);
}

/* event_text_safe is then the status, as where the carrier says nothing. */
Test(notify_decide, words_of_blanks_alone_are_none)
{
    add(EXPRESS_DELIVERED, 1);
    add(EXPRESS_DELIVERED, 1);
    b.items[0].ev.context = "\xe3\x80\x80 \xc2\xa0";
    b.items[1].ev.context = "\xe3\x80\x80 a 13812345678";
    all();
    cr_expect_null(b.items[0].context);
    cr_expect_str_eq(b.items[1].context, "a 138****5678");
}

/* What people were told last, what comes then, and whether they hear of it. */
Test(notify_decide, superseded)
{
    static const struct {
        enum express_status told, next;
        int64_t later_h; /* than what was told */
        bool heard;
    } table[] = {
        {EXPRESS_IN_TRANSIT, EXPRESS_OUT_FOR_DELIVERY, 1, true},
        {EXPRESS_IN_TRANSIT, EXPRESS_OUT_FOR_DELIVERY, -1, false},
        {EXPRESS_IN_TRANSIT, EXPRESS_IN_TRANSIT, 0, true},
        {EXPRESS_OUT_FOR_DELIVERY, EXPRESS_IN_TRANSIT, 1, false},
        {EXPRESS_DELIVERED, EXPRESS_COLLECTED, 1, false},
        {EXPRESS_DELIVERED, EXPRESS_EXCEPTION, 1, true},
        {EXPRESS_DELIVERED, EXPRESS_EXCEPTION, -1, false},
        {EXPRESS_DELIVERED, EXPRESS_RETURNED, 1, true},
        {EXPRESS_RETURNED, EXPRESS_DELIVERED, 1, false},
        {EXPRESS_EXCEPTION, EXPRESS_IN_TRANSIT, 1, true},
        {EXPRESS_EXCEPTION, EXPRESS_COLLECTED, 1, false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        notify_batch_clear(&b);
        add(table[i].next, 10);
        until_orders();
        b.waybills[0].told = table[i].told;
        b.waybills[0].told_us = NOW - (10 + table[i].later_h) * HOUR;
        until_events();
        until_messages();
        notify_decide_notifications(&b, &rules);
        cr_expect_eq(b.items[0].result, table[i].heard ? NOTIFY_QUEUED : NOTIFY_SKIPPED, "row %zu", i);
        cr_expect_eq(b.items[0].reason, table[i].heard ? NOTIFY_NO_REASON : NOTIFY_SUPERSEDED, "row %zu", i);
    }
}

Test(notify_decide, events_of_one_parcel_in_a_batch_are_decided_one_behind_the_other)
{
    add(EXPRESS_OUT_FOR_DELIVERY, 3);
    add(EXPRESS_DELIVERED, 1);
    add(EXPRESS_OUT_FOR_DELIVERY, 2);
    add(EXPRESS_RETURNED, 0);
    all();
    expect(0, NOTIFY_QUEUED, "");
    expect(1, NOTIFY_QUEUED, "");
    expect(2, NOTIFY_SKIPPED, "superseded: delivered of 2026-02-02T01:40:00.000000Z was told already");
    expect(3, NOTIFY_QUEUED, "");
    cr_expect_eq(b.waybills[0].told, EXPRESS_RETURNED);
}

Test(notify_decide, age)
{
    add(EXPRESS_COLLECTED, 73);
    add(EXPRESS_COLLECTED, 72);
    all();
    expect(0, NOTIFY_SKIPPED, "too old: it happened at 2026-01-30T01:40:00.000000Z, more than 72 h ago");
    expect(1, NOTIFY_QUEUED, "");
    notify_batch_clear(&b);
    rules.ttl_us = 10 * HOUR; /* what would be born expired is too old */
    add(EXPRESS_COLLECTED, 11);
    all();
    expect(0, NOTIFY_SKIPPED, "too old: it happened at 2026-02-01T15:40:00.000000Z, more than 10 h ago");
}

Test(notify_decide, times_that_are_missing_or_absurd_count_as_now)
{
    add(EXPRESS_COLLECTED, -24 * 365 * 900);
    add(EXPRESS_COLLECTED, -20);
    add(EXPRESS_COLLECTED, 0);
    b.items[2].ev.node_us = NOTIFY_NO_TIME;
    b.items[2].ev.created_us = NOW - HOUR;
    all();
    cr_expect_eq(b.items[0].node_us, NOW);
    cr_expect_eq(b.items[1].node_us, NOW + 20 * HOUR); /* a carrier's clock, or its zone */
    cr_expect_eq(b.items[2].node_us, NOW - HOUR);
}

Test(notify_decide, rows_that_wait_for_something_else_are_late)
{
    for (int way = 0; way < 4; way++) {
        notify_batch_clear(&b);
        add(EXPRESS_DELIVERED, 1);
        until_orders();
        b.rows[0].found = way != 0;
        b.rows[0].open = way != 1;
        b.rows[0].queue_seq = way != 2 ? 7 : 8;
        b.rows[0].taken = way == 3;
        until_events();
        until_messages();
        notify_decide_notifications(&b, &rules);
        expect(0, NOTIFY_LATE, "");
        cr_expect_eq(b.n_messages, 0);
        cr_expect_not(b.waybills[0].changed);
    }
}

Test(notify_decide, what_is_missing_or_hidden)
{
    add(EXPRESS_DELIVERED, 1);
    until_orders();
    b.waybills[0].found = false;
    notify_decide_orders(&b);
    until_messages();
    expect(0, NOTIFY_SKIPPED, "waybill not found: P");

    notify_batch_clear(&b);
    add(EXPRESS_DELIVERED, 1);
    until_orders();
    until_events();
    b.orders[0].found = false;
    b.orders_hidden = "rows hidden by row-level security: table ml_orders";
    until_messages();
    expect(0, NOTIFY_FAILED, "rows hidden by row-level security: table ml_orders");
    cr_expect_eq(b.items[0].reason, NOTIFY_ROWS_HIDDEN);

    notify_batch_clear(&b);
    add(EXPRESS_DELIVERED, 1);
    until_orders();
    until_events();
    b.orders[0].user_id = "";
    b.orders[0].merchant_id = NULL;
    until_messages();
    expect(0, NOTIFY_SKIPPED, "no recipients: order o has neither user nor merchant");
    cr_expect_not(b.waybills[0].changed);

    notify_batch_clear(&b);
    add(EXPRESS_UNKNOWN, 1);
    all();
    expect(0, NOTIFY_SKIPPED, "unknown status: unknown");
}

Test(notify_decide, one_audience_may_have_muted_it)
{
    add(EXPRESS_DELIVERED, 1);
    until_orders();
    until_events();
    until_messages();
    b.recipients[0].muted = 1u << EXPRESS_DELIVERED;
    b.recipients[1].muted = 1u << EXPRESS_RETURNED;
    notify_decide_notifications(&b, &rules);
    expect(0, NOTIFY_QUEUED, "");
    for (size_t k = 0; k < 2; k++) {
        const struct notify_message *m = &b.items[0].messages[k];
        cr_expect(m->writes && m->muted == (m->recipient == 0) && m->sends == (m->recipient == 1));
        cr_expect_eq(m->reason, m->recipient == 0 ? NOTIFY_MUTED : NOTIFY_NO_REASON);
        cr_expect(m->muted ? m->payload == NULL && strcmp(m->last_error, "muted") == 0 : m->last_error == NULL);
    }

    notify_batch_clear(&b);
    add(EXPRESS_DELIVERED, 1);
    until_orders();
    until_events();
    until_messages();
    b.recipients[0].muted = b.recipients[1].muted = 1;
    notify_decide_notifications(&b, &rules);
    expect(0, NOTIFY_SKIPPED, "muted");
    cr_expect(!b.items[0].messages[0].writes && !b.items[0].messages[1].writes);
    cr_expect(!b.items[0].messages[0].sends && !b.items[0].messages[1].sends);
}

/* A second run while one of them has muted it: what stands of his stays, also how it has failed. */
Test(notify_decide, a_mute_undoes_nothing_that_stands)
{
    static const struct {
        const char *send_status;
        bool writes;
    } table[] = {{"pending", false}, {"success", false}, {"failed", false}, {"no-targets", true}};

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        notify_batch_clear(&b);
        add(EXPRESS_DELIVERED, 1);
        until_orders();
        until_events();
        until_messages();
        b.recipients[0].muted = 1;
        struct notify_message *m = b.messages[b.messages[0]->recipient == 0 ? 0 : 1];
        m->known = (struct notify_known){.found = true, .id = "old-id", .send_status = table[i].send_status};
        notify_decide_notifications(&b, &rules);
        expect(0, NOTIFY_QUEUED, "");
        cr_expect_eq(m->writes, table[i].writes, "%s", table[i].send_status);
        cr_expect_not(m->sends);
    }
}

Test(notify_decide, what_stands_from_before)
{
    static const struct {
        const char *send_status;
        bool writes;
    } table[] = {{"pending", false}, {"success", false}, {"failed", true}, {"no-targets", true}};

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        notify_batch_clear(&b);
        add(EXPRESS_DELIVERED, 1);
        until_orders();
        until_events();
        until_messages();
        b.items[0].messages[0].known =
            (struct notify_known){.found = true, .id = "old-id", .send_status = table[i].send_status, .generation = 3};
        notify_decide_notifications(&b, &rules);
        expect(0, NOTIFY_QUEUED, "");
        cr_expect_eq(b.items[0].messages[0].writes, table[i].writes, "%s", table[i].send_status);
        cr_expect_str_eq(b.items[0].messages[0].notification_id, "old-id");
        cr_expect(b.items[0].messages[1].writes);
    }
}

Test(notify_decide, the_language_is_that_of_the_device_seen_last_that_has_one)
{
    static const char *const locales[] = {NULL, "fr", "en-GB", "zh"};
    static const char *const cids[] = {"c1", "c2", "c3", "c4"};

    add(EXPRESS_DELIVERED, 1);
    until_orders();
    until_events();
    notify_decide_events(&b, &rules);
    for (size_t i = 0; i < ARRAY_SIZE(locales); i++) {
        const struct notify_device d = {.appid = "a", .cid = cids[i], .locale = locales[i]};
        (void)notify_recipient_add(&b, &b.recipients[0], &d, 20);
        (void)notify_recipient_add(&b, &b.recipients[0], &d, 20);
        cr_expect_eq(b.recipients[0].n_devices, i + 1, "one phone counts once");
    }
    notify_decide_notifications(&b, &rules);
    for (size_t k = 0; k < 2; k++) {
        const struct notify_message *m = &b.items[0].messages[k];
        cr_expect_str_eq(templates_locale(t, m->locale), m->recipient == 0 ? "en" : "zh-CN");
    }
}

Test(notify_decide, ids_follow_from_what_they_stand_for)
{
    char one[NOTIFY_MESSAGE_ID_LEN + 1];
    char two[NOTIFY_MESSAGE_ID_LEN + 1];
    char first[UUID_TEXT_LEN + 1];
    char second[UUID_TEXT_LEN + 1];

    notify_message_id("e", "user", "u", one);
    /* sha256("e|user|u|express"), the first 16 bytes: ids are in people's tables, and never change */
    cr_expect_str_eq(one, "c6dc45f8adaa89430c6840080ad73e22");
    notify_message_id("e", "merchant", "u", two);
    cr_expect_str_neq(one, two);
    notify_delivery_id(one, "a", "c", 0, first);
    notify_delivery_id(one, "a", "c", 1, second);
    cr_expect_str_neq(first, second);
    cr_expect(uuid_check(first, UUID_TEXT_LEN) && first[14] == '8');
}
