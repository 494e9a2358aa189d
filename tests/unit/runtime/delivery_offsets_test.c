/* SPDX-License-Identifier: Apache-2.0 */
/* What is done of a partition, written and read back; foreign metadata. */
#include "runtime/delivery_offsets.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

static struct err err;

static char *encode(const struct delivery_offsets *o, int64_t counter)
{
    struct buf b;

    buf_init(&b, 8192);
    cr_assert_eq(delivery_offsets_encode(o, counter, &b, &err), RC_OK, "%s", err.text);
    cr_assert_leq(b.len, DELIVERY_METADATA_MAX);
    return buf_take(&b);
}

/* Writes and reads back; both must mean the same. */
static void expect_round_trip(const struct delivery_offsets *o)
{
    char *text CLEANUP(freep) = encode(o, 77);
    struct delivery_offsets got;
    int64_t counter = 0;
    int64_t low = delivery_offsets_low(o);

    cr_assert_eq(delivery_offsets_decode(text, strlen(text), low, &got, &counter, &err), RC_OK, "%s: %s", text,
                 err.text);
    cr_assert_eq(counter, 77);
    cr_assert_eq(delivery_offsets_low(&got), low);
    size_t next = 0;
    for (int64_t at = low; at < o->top + 3; at++) {
        bool open = at >= o->top || (next < o->n_open && o->open[next] == at);
        next += open ? 1 : 0;
        cr_assert(delivery_offsets_see(&got, at) == open);
    }
    delivery_offsets_done(&got);
}

Test(delivery_offsets, nothing_done_above_writes_only_the_counter)
{
    struct delivery_offsets o;

    delivery_offsets_init(&o, 5);
    char *text CLEANUP(freep) = encode(&o, 0);
    cr_expect_str_eq(text, "1 0");
    cr_expect(delivery_offsets_see(&o, 5));
    cr_expect(delivery_offsets_see(&o, 6));
    char *open CLEANUP(freep) = encode(&o, 12);
    cr_expect_str_eq(open, "1 12");
    cr_expect_eq(delivery_offsets_low(&o), 5);
    delivery_offsets_done(&o);
}

Test(delivery_offsets, low_is_the_first_that_is_not_done)
{
    struct delivery_offsets o;

    delivery_offsets_init(&o, 10);
    for (int i = 10; i < 20; i++) {
        cr_assert(delivery_offsets_see(&o, i));
        cr_assert(!delivery_offsets_see(&o, i), "read twice");
    }
    delivery_offsets_complete(&o, 12);
    cr_expect_eq(delivery_offsets_low(&o), 10);
    delivery_offsets_complete(&o, 10);
    cr_expect_eq(delivery_offsets_low(&o), 11);
    expect_round_trip(&o);
    delivery_offsets_complete(&o, 11);
    cr_expect_eq(delivery_offsets_low(&o), 13);
    expect_round_trip(&o);
    for (int i = 13; i < 20; i++) {
        delivery_offsets_complete(&o, i);
    }
    cr_expect_eq(delivery_offsets_low(&o), 20);
    delivery_offsets_reach(&o, 23); /* control records to the end */
    cr_expect_eq(delivery_offsets_low(&o), 23);
    delivery_offsets_done(&o);
}

Test(delivery_offsets, control_records_in_between_count_as_done)
{
    struct delivery_offsets o;

    delivery_offsets_init(&o, 0);
    cr_assert(delivery_offsets_see(&o, 2));
    cr_expect_eq(delivery_offsets_low(&o), 2);
    cr_assert(delivery_offsets_see(&o, 1000000));
    delivery_offsets_complete(&o, 2);
    cr_expect_eq(delivery_offsets_low(&o), 1000000);
    delivery_offsets_done(&o);
}

/* An open record that retention has removed must not hold the partition for ever. */
Test(delivery_offsets, open_records_that_are_gone_are_passed)
{
    struct delivery_offsets o;
    struct delivery_offsets next;
    int64_t counter = 0;

    delivery_offsets_init(&o, 0);
    for (int i = 0; i < 10; i++) {
        (void)delivery_offsets_see(&o, i);
    }
    delivery_offsets_complete(&o, 5);
    delivery_offsets_complete(&o, 9);
    char *text CLEANUP(freep) = encode(&o, 1);
    cr_assert_eq(delivery_offsets_decode(text, strlen(text), 0, &next, &counter, &err), RC_OK);
    cr_expect(delivery_offsets_see(&next, 7));
    cr_expect_eq(delivery_offsets_low(&next), 7);
    cr_expect(delivery_offsets_see(&next, 8));
    cr_expect(!delivery_offsets_see(&next, 9));
    delivery_offsets_complete(&next, 7);
    delivery_offsets_complete(&next, 8);
    cr_expect_eq(delivery_offsets_low(&next), 10);
    delivery_offsets_done(&o);
    delivery_offsets_done(&next);
}

/* Records come until full(), some of them with gaps, and are done at random: it must always fit and mean the same. */
Test(delivery_offsets, whatever_is_done_fits_until_full)
{
    static const int done_percent[] = {1, 10, 50, 90, 99};

    for (int round = 0; round < 20; round++) {
        struct delivery_offsets o;
        int percent = done_percent[round % 5];
        bool gaps = round % 2 == 0;
        delivery_offsets_init(&o, 1000);
        int64_t at = 1000;
        for (int i = 0; i < 30000 && !delivery_offsets_full(&o); i++) {
            at += gaps && clock_random() % 10 == 0 ? 1 + (int64_t)(clock_random() % 5) : 1;
            cr_assert(delivery_offsets_see(&o, at));
            /* The first one stays open and holds the offset. */
            if (i > 0 && (int)(clock_random() % 100) < percent) {
                delivery_offsets_complete(&o, at);
            }
        }
        for (int i = 0; i < 8; i++) { /* some that were on their way */
            (void)delivery_offsets_see(&o, ++at);
        }
        expect_round_trip(&o);
        while (o.n_open > 2) {
            delivery_offsets_complete(&o, o.open[1 + clock_random() % (o.n_open - 1)]);
            if (clock_random() % 1000 == 0) {
                expect_round_trip(&o);
            }
        }
        delivery_offsets_done(&o);
    }
}

Test(delivery_offsets, one_slow_record_does_not_make_it_full)
{
    struct delivery_offsets o;

    delivery_offsets_init(&o, 0);
    (void)delivery_offsets_see(&o, 0);
    for (int64_t i = 1; i < 200000; i++) {
        (void)delivery_offsets_see(&o, i);
        delivery_offsets_complete(&o, i);
    }
    cr_expect(!delivery_offsets_full(&o));
    char *text CLEANUP(freep) = encode(&o, 3);
    cr_expect_lt(strlen(text), 20, "%s", text);
    delivery_offsets_done(&o);
}

static const struct {
    const char *text;
    enum rc rc;
} FOREIGN[] = {
    {"", RC_OK},
    {"1 0", RC_OK},
    {"1 9000000000000000000", RC_OK},
    {"1 5 r AQE=", RC_OK},
    {"1 5 b Ag==", RC_OK},
    {"2 5", RC_FATAL},
    {"10 5 z x", RC_FATAL},
    {"NO_METADATA", RC_REJECT},
    {"{\"node\":\"a\"}", RC_REJECT},
    {" 1 5", RC_REJECT},
    {"1", RC_REJECT},
    {"1 ", RC_REJECT},
    {"1 -5", RC_REJECT},
    {"1 05", RC_REJECT},
    {"1 99999999999999999999", RC_REJECT},
    {"1 5 ", RC_REJECT},
    {"1 5 r", RC_REJECT},
    {"1 5 r ", RC_REJECT},
    {"1 5 x AQE=", RC_REJECT},
    {"1 5  r AQE=", RC_REJECT},
    {"1 5 r AQE", RC_REJECT},
    {"1 5 r AQF=", RC_REJECT}, /* stray bits */
    {"1 5 r A=E=", RC_REJECT},
    {"1 5 r AQE= ", RC_REJECT},
    {"1 5 r AQ==", RC_REJECT}, /* half a pair */
    {"1 5 r AAE=", RC_REJECT}, /* a run of none */
    {"1 5 r AQA=", RC_REJECT},
    {"1 5 r gQAB", RC_REJECT}, /* 1 in two bytes */
    {"1 5 r ////////////", RC_REJECT},
    {"1 5 r /////w8B", RC_REJECT}, /* 2^32 open records */
    {"1 5 r Af///////////38B", RC_REJECT},
    {"1 5 r Af//////////fw==", RC_REJECT}, /* beyond every offset */
    {"1 5 b AQ==", RC_REJECT},             /* the committed offset itself is done */
    {"1 5 b AgA=", RC_REJECT},             /* nothing in the last byte */
    {"1 5 b AA==", RC_REJECT},
};

Test(delivery_offsets, foreign_metadata_is_refused)
{
    for (size_t i = 0; i < ARRAY_SIZE(FOREIGN); i++) {
        struct delivery_offsets o = {.seen = 4711};
        int64_t counter = -1;
        enum rc rc = delivery_offsets_decode(FOREIGN[i].text, strlen(FOREIGN[i].text), 100, &o, &counter, &err);
        cr_expect_eq(rc, FOREIGN[i].rc, "\"%s\": %s", FOREIGN[i].text, rc_name(rc));
        if (rc == RC_OK) {
            delivery_offsets_done(&o);
        } else {
            cr_expect_eq(o.seen, 4711);
        }
    }
}

/* No bytes whatever may do more than be refused; what is taken must be what we would have written. */
Test(delivery_offsets, noise_never_means_something_we_did_not_write)
{
    static const char letters[] = "1 0235rbABCgQ/=+9";

    for (int round = 0; round < 100000; round++) {
        char text[40];
        size_t n = clock_random() % sizeof(text);
        struct delivery_offsets o;
        int64_t counter = 0;
        memcpy(text, "1 5 r ", 6);
        text[4] = round % 2 == 0 ? 'r' : 'b';
        for (size_t i = round % 10 == 0 ? 0 : 6; i < n; i++) {
            text[i] = letters[clock_random() % (sizeof(letters) - 1)];
        }
        if (delivery_offsets_decode(text, n, 7, &o, &counter, &err) == RC_OK) {
            cr_assert_leq(o.n_open, DELIVERY_METADATA_MAX * 8);
            cr_assert_geq(delivery_offsets_low(&o), 7);
            delivery_offsets_done(&o);
        }
    }
    cr_expect_eq(delivery_offsets_decode("1 5\0", 4, 0, &(struct delivery_offsets){0}, &(int64_t){0}, &err), RC_REJECT);
}
