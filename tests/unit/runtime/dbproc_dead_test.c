/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of a dead letter, and what becomes of the records of a batch that are dropped. */
#include "runtime/dbproc_dead.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"
#include "runtime/dbproc_batch.h"

#define REASON                                                                                                     \
    "[\"__dlq.errors.topic\", \"p.t\"], [\"__dlq.errors.partition\", \"3\"], [\"__dlq.errors.offset\", \"42\"], "  \
    "[\"__dlq.errors.group\", \"g\"], [\"__dlq.errors.delivery.count\", \"1\"], [\"__dlq.errors.message\", \"bad " \
    "\\\"x\\\"\"], [\"__dlq.errors.class\", \"malformed\"], [\"__dlq.errors.stage\", \"sink\"], "                  \
    "[\"__dlq.errors.app\", \"sluice/" SLUICE_VERSION "\"], "

static const struct dbproc_death WHY = {
    .dlq = "d", .group = "g", .stage = "sink", .class = "malformed", .text = "bad \"x\""};

static void expect(const struct producer_header *headers, size_t n, const char *sha256, const char *want)
{
    const struct dbproc_event ev = {
        .topic = "p.t", .partition = 3, .offset = 42, .headers = headers, .n_headers = n, .value_len = 70000};
    struct buf b CLEANUP(buf_done);

    buf_init(&b, 1 << 16);
    dbproc_dead_headers(&ev, &WHY, "NOW", sha256, &b);
    cr_expect_str_eq(buf_str(&b), want);
}

Test(dbproc_dead, a_record_without_headers_is_known_by_its_place)
{
    expect(NULL, 0, NULL,
           "[" REASON "[\"__dlq.errors.first.ts\", \"NOW\"], [\"__dlq.errors.last.ts\", \"NOW\"], "
           "[\"__dlq.errors.redrive.count\", \"0\"], [\"__dlq.errors.id\", \"p.t-3-42\"]]");
}

Test(dbproc_dead, headers_stay_as_they_were_whatever_they_hold)
{
    static const struct producer_header headers[] = {
        {"a", "1", 1}, {"ce_id", "the-id", 6}, {"a", NULL, 0}, {"bin", "\0\xff", 2}, {"empty", "", 0}};

    expect(headers, ARRAY_SIZE(headers), NULL,
           "[[\"a\", \"1\"], [\"ce_id\", \"the-id\"], [\"a\", null], [\"bin\", {\"hex\": \"00ff\"}], [\"empty\", "
           "\"\"], " REASON "[\"__dlq.errors.first.ts\", \"NOW\"], [\"__dlq.errors.last.ts\", \"NOW\"], "
           "[\"__dlq.errors.redrive.count\", \"0\"], [\"__dlq.errors.id\", \"the-id\"]]");
}

Test(dbproc_dead, a_second_death_replaces_the_first_and_remembers_when_it_was)
{
    static const struct producer_header headers[] = {{"__dlq.errors.message", "old", 3},
                                                     {"__dlq.errors.first.ts", "THEN", 4},
                                                     {"__dlq.errors.redrive.count", "2", 1},
                                                     {"__dlq.other", "x", 1}};

    expect(headers, ARRAY_SIZE(headers), NULL,
           "[" REASON "[\"__dlq.errors.first.ts\", \"THEN\"], [\"__dlq.errors.last.ts\", \"NOW\"], "
           "[\"__dlq.errors.redrive.count\", \"2\"], [\"__dlq.errors.id\", \"p.t-3-42\"]]");
}

Test(dbproc_dead, what_is_cut_says_how_long_it_was)
{
    expect(NULL, 0, "abc",
           "[" REASON "[\"__dlq.errors.first.ts\", \"NOW\"], [\"__dlq.errors.last.ts\", \"NOW\"], "
           "[\"__dlq.errors.redrive.count\", \"0\"], [\"__dlq.errors.id\", \"p.t-3-42\"], [\"__dlq.truncated\", "
           "\"true\"], [\"__dlq.truncated.length\", \"70000\"], [\"__dlq.truncated.sha256\", \"abc\"]]");
}

/* ---- The batch ---- */

Test(dbproc_batch, dropping_a_partition_keeps_the_order_and_what_is_done)
{
    struct dbproc_batch b CLEANUP(dbproc_batch_done);
    static const uint32_t parts[] = {0, 1, 0, 1, 2, 1};

    dbproc_batch_init(&b, 6);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        b.events[i].offset = (int64_t)i;
        b.part[i] = parts[i];
    }
    b.n = 6;
    b.done = 2;
    cr_expect(dbproc_batch_full(&b, 1000));
    dbproc_batch_drop(&b, 1);
    cr_assert_eq(b.n, 4);
    cr_expect_eq(b.events[1].offset, 1, "done before");
    cr_expect_eq(b.events[2].offset, 2);
    cr_expect_eq(b.events[3].offset, 4);
    cr_expect_eq(b.part[3], 2);
    dbproc_batch_clear(&b);
    cr_expect_eq(b.done, 0);
    cr_expect(dbproc_batch_full(&b, 0));
}

Test(dbproc_batch, the_first_verdict_over_a_record_counts)
{
    struct arena a;
    struct dbproc_verdict list[2] = {{.class = NULL}};
    struct dbproc_verdicts v = {.arena = &a, .list = list, .n = 2};
    char text[] = "first";

    arena_init(&a, 100);
    dbproc_reject(&v, 1, "malformed", text);
    text[0] = 'x';
    dbproc_reject(&v, 1, "other", "second");
    cr_expect_null(list[0].class);
    cr_expect_str_eq(list[1].class, "malformed");
    cr_expect_str_eq(list[1].text, "first");
    arena_done(&a);
}
