/* SPDX-License-Identifier: Apache-2.0 */
/* Which dead letters are meant, what they are counted as, and how often an event has died. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dlq/deaths.h"
#include "dlq/filter.h"
#include "dlq/groups.h"
#include "dlq/redrive.h"

#define ID "0189f7ea-ae2c-7809-8aeb-b819cf5e9e7f"

static struct letter make(const char *topic, const char *class, const char *platform, int64_t last_us)
{
    struct letter l = {.dlq = "callback.dlq", .at_partition = 1, .at_offset = 2, .last_us = last_us};
    (void)snprintf(l.topic, sizeof(l.topic), "%s", topic);
    (void)snprintf(l.class, sizeof(l.class), "%s", class);
    (void)snprintf(l.platform, sizeof(l.platform), "%s", platform);
    (void)snprintf(l.id, sizeof(l.id), "the-id");
    (void)snprintf(l.event_id, sizeof(l.event_id), "%s", ID);
    return l;
}

static bool meant(const struct dlq_filter *f, const struct letter *l)
{
    return dlq_filter_letter(f, l) && dlq_filter_platform(f, l);
}

Test(dlq_filter, every_condition_must_hold)
{
    static const char *const ids[] = {"nothing", "0189F7EA-AE2C-7809-8AEB-B819CF5E9E7F"};
    static const char *const dlq_ids[] = {"the-id"};
    static const char *const no_ids[] = {"another"};
    const struct {
        struct dlq_filter f;
        bool want;
    } rows[] = {
        {{.topic = NULL}, true},
        {{.topic = "callback.events"}, true},
        {{.topic = "callback.event"}, false},
        {{.class = "timeout"}, true},
        {{.class = "time"}, false},
        {{.platform = "demo"}, true},
        {{.platform = "Demo"}, false},
        {{.ids = ids, .n_ids = 2}, true},
        {{.ids = ids, .n_ids = 1}, false},
        {{.ids = dlq_ids, .n_ids = 1}, true},
        {{.ids = no_ids, .n_ids = 1}, false},
        {{.since_us = 100}, true},
        {{.since_us = 101}, false},
        {{.until_us = 101}, true},
        {{.until_us = 100}, false},
        {{.topic = "callback.events", .class = "timeout", .platform = "demo", .since_us = 1, .until_us = 200}, true},
        {{.topic = "callback.events", .class = "timeout", .platform = "other", .since_us = 1}, false},
    };
    const struct letter l = make("callback.events", "timeout", "demo", 100);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        cr_expect_eq(meant(&rows[i].f, &l), rows[i].want, "row %zu", i);
        cr_expect_eq(dlq_filter_any(&rows[i].f), i > 0, "row %zu", i);
    }
}

Test(dlq_filter, an_unknown_time_is_in_no_range)
{
    const struct letter l = make("t", "c", "p", 0);
    cr_expect_not(meant(&(struct dlq_filter){.until_us = 1000}, &l));
    cr_expect_not(meant(&(struct dlq_filter){.since_us = 1}, &l));
}

Test(dlq_filter, the_text_is_bounded)
{
    char small[16];
    char text[256];
    const struct dlq_filter f = {.topic = "callback.events", .class = "c", .since_us = 1};
    dlq_filter_text(&f, small, sizeof(small));
    cr_expect_str_eq(small, "topic=callback.");
    dlq_filter_text(&f, text, sizeof(text));
    cr_expect_str_eq(text, "topic=callback.events class=c since=1970-01-01T00:00:00.000001Z");
    dlq_filter_text(&(struct dlq_filter){.topic = NULL}, text, sizeof(text));
    cr_expect_str_eq(text, "everything");
}

Test(dlq_groups, count_by_topic_class_and_platform)
{
    struct groups g = {.list = NULL};
    for (int i = 0; i < 7; i++) {
        struct letter l = make("t", "a", "p", 100 - i);
        groups_add(&g, &l);
    }
    struct letter other = make("t", "a", "q", 0);
    groups_add(&g, &other);
    groups_sort(&g);
    cr_expect_eq(g.n, 2);
    cr_expect_eq(g.total, 8);
    cr_expect_eq(g.list[0].n, 7);
    cr_expect_eq(g.list[0].first_us, 94);
    cr_expect_eq(g.list[0].last_us, 100);
    cr_expect_eq(g.list[0].n_samples, GROUP_SAMPLES);
    cr_expect_str_eq(g.list[0].samples[0].id, ID);
    cr_expect_str_eq(g.list[1].platform, "q");
    cr_expect_eq(g.list[1].first_us, 0);
    groups_done(&g);
}

Test(dlq_groups, too_many_are_counted_together)
{
    struct groups g = {.list = NULL};
    char name[24];
    for (int i = 0; i < GROUPS_MAX + 5; i++) {
        (void)snprintf(name, sizeof(name), "c%d", i);
        struct letter l = make("t", name, "p", 1);
        groups_add(&g, &l);
    }
    cr_expect_eq(g.n, GROUPS_MAX);
    cr_expect_eq(g.others, 5);
    cr_expect_eq(g.total, GROUPS_MAX + 5);
    groups_done(&g);
}

Test(deaths, each_event_is_counted_by_itself)
{
    struct deaths *d = deaths_create();
    char id[40];
    for (int round = 1; round <= 3; round++) {
        for (unsigned i = 0; i < 5000; i++) { /* more than the table's first size */
            (void)snprintf(id, sizeof(id), "%08x-0000-4000-8000-%012x", i, i * 7);
            cr_assert_eq(deaths_add(d, id), round);
        }
    }
    cr_expect_eq(deaths_of(d, "00000001-0000-4000-8000-000000000007"), 3);
    cr_expect_eq(deaths_of(d, "00000001-0000-4000-8000-000000000008"), 0);
    cr_expect_eq(deaths_add(d, "0000000A-0000-4000-8000-000000000046"), 4, "upper case is the same event");
    deaths_free(d);
}

static struct redrive_counts counts;

/* Is this open letter held back, and counted as that only? */
static bool holds(const struct redrive_options *opt, const struct letter *l, const int64_t *count)
{
    counts = (struct redrive_counts){.redriven = 0};
    bool wants = redrive_wants(opt, l, &counts);
    int64_t all = counts.held + counts.expired + counts.inactive + counts.already + counts.no_route + counts.unsettled;
    cr_expect_eq(all, wants ? 0 : 1);
    cr_expect_eq(*count, wants ? 0 : 1);
    return !wants;
}

Test(redrive, what_has_died_too_often_is_held_back)
{
    struct letter l = make("t", "c", "p", 1);
    struct deaths *d = deaths_create();
    struct redrive_options opt = {.rate = 1};
    l.deaths = REDRIVE_DEATHS_MAX - 1;
    cr_expect_not(holds(&opt, &l, &counts.held));
    l.deaths = REDRIVE_DEATHS_MAX;
    cr_expect(holds(&opt, &l, &counts.held), "by its attempts");
    opt.force = true;
    cr_expect_not(holds(&opt, &l, &counts.held));
    opt.force = false;
    l.deaths = 0;
    opt.deaths = d;
    for (int i = 0; i < REDRIVE_DEATHS_MAX; i++) {
        cr_expect_not(holds(&opt, &l, &counts.held));
        (void)deaths_add(d, ID);
    }
    cr_expect(holds(&opt, &l, &counts.held), "by the topics");
    opt.deaths = NULL;
    l.redrive_count = REDRIVE_DEATHS_MAX;
    cr_expect(holds(&opt, &l, &counts.held), "by its header");
    deaths_free(d);
}

Test(redrive, what_is_too_old_goes_by_force_and_to_a_device_that_is_gone_nothing_goes)
{
    struct letter l = make("t", "c", "p", 1);
    struct redrive_options opt = {.rate = 1};
    l.expired = true;
    cr_expect(holds(&opt, &l, &counts.expired));
    opt.force = true;
    cr_expect_not(holds(&opt, &l, &counts.expired));
    l.idle = true;
    cr_expect(holds(&opt, &l, &counts.inactive));
    opt.force = false;
    cr_expect(holds(&opt, &l, &counts.inactive), "that is said first");
}

Test(redrive, every_state_but_open_is_counted)
{
    const struct redrive_options opt = {.rate = 1, .force = true};
    const struct {
        enum letter_state state;
        const int64_t *count;
    } rows[] = {{LETTER_NO_ROW, &counts.no_route},
                {LETTER_UNSETTLED, &counts.unsettled},
                {LETTER_REQUEUED, &counts.already},
                {LETTER_CLOSED, &counts.already},
                {LETTER_GONE, &counts.no_route}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct letter l = make("t", "c", "p", 1);
        l.state = rows[i].state;
        cr_expect(holds(&opt, &l, rows[i].count), "%s", LETTER_STATE_NAMES[l.state]);
    }
}
