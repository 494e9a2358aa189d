/* SPDX-License-Identifier: Apache-2.0 */
/* The flush rule: a snapshot may be published when the WAL it stands on is on the disk. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/mem.h"
#include "relay/wal.h"
#include "support/window_bench.h"

TestSuite(wal, .init = window_bench_open, .fini = window_bench_close);

static const char LSN[] = "SELECT pg_current_wal_insert_lsn()";

Test(wal, what_is_written_but_not_flushed_is_flushed)
{
    stack_sql(db, "SET synchronous_commit = on; SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000))");
    char *lsn CLEANUP(freep) = stack_text(db, "%s", LSN);
    OK(wal_wait_flushed(relay, lsn, &err));
    cr_expect_eq(stack_int(db, "SELECT (pg_current_wal_flush_lsn() >= '%s'::pg_lsn)::int", lsn), 1);
}

/* Bytes of WAL from the insert position to the end of its page. */
static int64_t rest_of_page(void)
{
    return stack_int(db, "SELECT 8192 - (pg_current_wal_insert_lsn() - '0/0'::pg_lsn) %% 8192");
}

/*
 * At the end of a page the insert position stands behind the header of the next one, and no flush gets there until
 * something more is written. Others write too: tried until the position is exactly there.
 */
Test(wal, the_end_of_a_page_is_not_waited_for_for_ever)
{
    for (int i = 0; i < 200; i++) {
        int64_t rest = rest_of_page();
        /* A record is its header and lengths, 24 + 2 or 24 + 5 bytes, the message's header, 24, and "x\0". */
        if (rest < 500) {
            stack_sql(db, "SELECT pg_logical_emit_message(false, 'x', repeat('x', 600))");
            continue;
        }
        stack_sql(db, "SELECT pg_logical_emit_message(false, 'x', repeat('x', %d))", (int)(rest - 24 - 5 - 24 - 2));
        char *lsn CLEANUP(freep) = stack_text(db, "%s", LSN);
        stack_sql(db, "SELECT pg_sleep(0.25)"); /* the WAL writer flushes what it can */
        if (stack_int(
                db,
                "SELECT (('%s'::pg_lsn - '0/0'::pg_lsn) %% 8192 IN (24, 40)"
                " AND pg_current_wal_insert_lsn() = '%s'::pg_lsn AND pg_current_wal_flush_lsn() < '%s'::pg_lsn)::int",
                lsn, lsn, lsn) == 1) {
            OK(wal_wait_flushed(relay, lsn, &err));
            cr_expect_eq(stack_int(db, "SELECT (pg_current_wal_flush_lsn() >= '%s'::pg_lsn)::int", lsn), 1);
            return;
        }
    }
    cr_assert_fail("the WAL never stood at the end of a page");
}
