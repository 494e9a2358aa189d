/* SPDX-License-Identifier: Apache-2.0 */
/* An outbox of the kind process: which statement puts a row of notify_queue on the road, and which does not. */
#include <criterion/criterion.h>

#include "base/mem.h"
#include "pg/conn.h"
#include "support/stack.h"

#define ID "'11111111-1111-1111-1111-111111111111'"
#define ROW "(id, tracking_no, status) VALUES (" ID ", 'TEST_YT_20260206_0007', 'collected')"
/* As the users' document has it. */
#define RUN_AGAIN                  \
    "UPDATE public.notify_queue\n" \
    "SET processed_at = NULL,\n"   \
    "    process_status = NULL,\n" \
    "    last_error = NULL\n"      \
    "WHERE id = " ID ";"

static struct stack st;
static PGconn *db;

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    db = st.conn;
}

static void teardown(void)
{
    stack_close(&st);
}

TestSuite(process_queue, .init = setup, .fini = teardown);

/* Runs it; true when it gave the row a new number and its own transaction. */
static bool queued(const char *sql)
{
    int64_t before = stack_int(db, "SELECT coalesce(max(queue_seq), 0) FROM notify_queue");
    stack_sql(db, "BEGIN");
    stack_sql(db, "%s", sql);
    bool ours = stack_int(db, "SELECT count(*) FROM notify_queue WHERE queue_txid = pg_current_xact_id()") == 1;
    stack_sql(db, "COMMIT");
    bool moved = stack_int(db, "SELECT coalesce(max(queue_seq), 0) FROM notify_queue") > before;
    cr_expect_eq(ours, moved, "a number without a transaction, or the other way round: %s", sql);
    return ours && moved;
}

Test(process_queue, a_new_row_is_on_the_road_at_once)
{
    cr_expect(queued("INSERT INTO notify_queue " ROW));
    cr_expect_eq(stack_int(db, "SELECT queue_seq FROM notify_queue"), 1);
}

Test(process_queue, a_row_that_is_handled_already_is_not)
{
    static const char *const values[] = {"NULL, now()", "'queued', now()", "'queued', NULL", "'skipped', now()"};
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        stack_sql(db,
                  "INSERT INTO notify_queue (tracking_no, status, process_status, processed_at)"
                  " VALUES ('YT', 'collected', %s)",
                  values[i]);
    }
    cr_expect_eq(stack_int(db, "SELECT count(*) FROM notify_queue WHERE queue_seq IS NULL AND queue_txid IS NULL"), 4);
}

Test(process_queue, the_documents_statement_runs_a_row_again_whatever_has_come_of_it)
{
    static const char *const ends[] = {
        "process_status = 'failed', processed_at = now(), last_error = 'rows hidden by row-level security'",
        "process_status = 'skipped', processed_at = now(), last_error = 'order not found for waybill'",
        "process_status = 'queued', processed_at = now()", "last_error = 'never ran, and nobody knows why'"};
    stack_sql(db, "INSERT INTO notify_queue " ROW);
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        stack_sql(db, "UPDATE notify_queue SET %s", ends[i]);
        cr_expect(queued(RUN_AGAIN), "after %s", ends[i]);
        cr_expect(queued(RUN_AGAIN), "and again, though nothing has come of the first time");
        cr_expect_eq(stack_int(db, "SELECT count(*) FROM notify_queue WHERE process_status IS NULL"
                                   " AND processed_at IS NULL AND last_error IS NULL"),
                     1);
    }
}

Test(process_queue, a_row_that_was_handled_when_it_was_inserted_runs_when_somebody_wants_it)
{
    stack_sql(db, "INSERT INTO notify_queue (id, tracking_no, status, process_status, processed_at)"
                  " VALUES (" ID ", 'YT', 'collected', 'skipped', now())");
    cr_expect(queued(RUN_AGAIN));
}

Test(process_queue, other_statements_leave_it_where_it_is)
{
    static const char *const updates[] = {"last_error = 'x'",
                                          "context = 'somewhere else'",
                                          "tracking_no = 'YT2', carrier = 'sf'",
                                          "status = 'delivered', node_at = now()",
                                          "created_at = now()",
                                          "traceparent = NULL"};
    stack_sql(db, "INSERT INTO notify_queue " ROW);
    for (int handled = 0; handled < 2; handled++) {
        for (size_t i = 0; i < ARRAY_SIZE(updates); i++) {
            char *sql CLEANUP(freep) = xasprintf("UPDATE notify_queue SET %s", updates[i]);
            cr_expect_not(queued(sql), "%s", sql);
        }
        stack_sql(db, "UPDATE notify_queue SET process_status = 'queued', processed_at = now()");
    }
    cr_expect_eq(stack_int(db, "SELECT queue_seq FROM notify_queue"), 1);
}

Test(process_queue, what_the_role_writes_is_no_wish_to_run_again)
{
    static const char *const ends[] = {"process_status = 'queued', processed_at = now()",
                                       "process_status = 'skipped', processed_at = now(), last_error = 'superseded'",
                                       "process_status = 'failed', last_error = 'x'",
                                       "process_status = NULL, processed_at = now()", "processed_at = now()"};
    stack_sql(db, "INSERT INTO notify_queue " ROW);
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        char *sql CLEANUP(freep) = xasprintf("UPDATE notify_queue SET %s", ends[i]);
        cr_expect_not(queued(sql), "%s", sql);
    }
}
