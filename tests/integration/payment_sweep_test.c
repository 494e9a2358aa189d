/* SPDX-License-Identifier: Apache-2.0 */
/* Which orders are asked to expire first. */
#include <criterion/criterion.h>
#include <string.h>

#include "account/sweep.h"
#include "base/mem.h"
#include "pg/conn.h"
#include "support/stack.h"

static struct stack st;
static struct err err;

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
}

static void teardown(void)
{
    stack_close(&st);
}

TestSuite(payment_sweep, .init = setup, .fini = teardown, .timeout = 100);

static void expect_asked(const char *order)
{
    char *text CLEANUP(freep) =
        stack_text(st.conn, "SELECT string_agg(payload ->> 'payment_id', ' ' ORDER BY queue_seq) FROM payment_outbox"
                            " WHERE event_type = 'payment.expired' AND partition_key = payload ->> 'payment_id'");

    cr_expect_str_eq(text, order);
}

/* Events are behind, so that nothing that was asked for has happened when its time to be asked again has come. */
Test(payment_sweep, orders_that_were_never_asked_to_expire_do_not_starve_behind_older_ones)
{
    static const char *const order[] = {"p1 p2", "p1 p2 p3 p4", "p1 p2 p3 p4 p5 p3", "p1 p2 p3 p4 p5 p3 p1 p4"};
    static const struct sweep_options sweep = {.rows_max = 2, .again_s = 600};
    int64_t asked = 0;

    stack_sql(st.conn,
              "INSERT INTO payment_transactions (payment_id, account_id, channel, amount, currency, state,"
              " expires_at)"
              " SELECT 'p' || g, 'u1', 'wechat', 100, 'CNY', CASE WHEN g %% 2 = 0 THEN 'INIT' ELSE 'PENDING' END,"
              "  now() - (7 - g) * interval '1 h' FROM generate_series(1, 5) g");
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        cr_assert_eq(sweep_orders(st.conn, &sweep, &asked, &err), RC_OK, "%s", err.text);
        cr_expect_eq(asked, 2);
        expect_asked(order[i]);
        if (i < 2) { /* the pause is over for all; p3 was asked longest ago, p2 last */
            stack_sql(st.conn, "UPDATE payment_transactions SET expiry_asked_at = now() - CASE payment_id"
                               " WHEN 'p3' THEN interval '4 h' WHEN 'p1' THEN interval '3 h'"
                               " WHEN 'p4' THEN interval '2 h' ELSE interval '1 h' END"
                               " WHERE expiry_asked_at IS NOT NULL");
        }
    }
}

/* What was asked lately or is not due is not even looked at. */
Test(payment_sweep, a_sweep_reads_the_index_as_far_as_it_asks)
{
    static const struct sweep_options sweep = {.rows_max = 2, .again_s = 600};
    int64_t asked = 0;

    stack_sql(st.conn,
              "INSERT INTO payment_transactions (payment_id, account_id, channel, amount, currency, expires_at,"
              " expiry_asked_at)"
              " SELECT 'p' || g, 'u1', 'wechat', 100, 'CNY', now() - interval '1 h',"
              "  CASE WHEN g > 4 THEN now() END FROM generate_series(1, 20000) g;"
              "ANALYZE payment_transactions; SELECT pg_stat_force_next_flush()");
    int64_t before = stack_int(st.conn, "SELECT idx_tup_read FROM pg_stat_user_indexes"
                                        " WHERE indexrelname = 'payment_transactions_expiry'");
    cr_assert_eq(sweep_orders(st.conn, &sweep, &asked, &err), RC_OK, "%s", err.text);
    cr_expect_eq(asked, 2);
    stack_sql(st.conn, "SELECT pg_stat_force_next_flush()");
    stack_sql(st.conn, "SELECT pg_stat_clear_snapshot()");
    int64_t after = stack_int(st.conn, "SELECT idx_tup_read FROM pg_stat_user_indexes"
                                       " WHERE indexrelname = 'payment_transactions_expiry'");
    cr_expect(after > before && after - before < 100, "read %lld", (long long)(after - before));
}
