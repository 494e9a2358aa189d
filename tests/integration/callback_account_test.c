/* SPDX-License-Identifier: Apache-2.0 */
/* Orders that name the account through which they are paid. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "gateway/callback_sweep.h"
#include "support/callback_rig.h"

static struct err err;

TestSuite(callback_account, .init = callback_rig_open, .fini = callback_rig_close, .timeout = 100);

/* An order of 100 CNY, as the gateway takes it. */
static void order(const char *payment, const char *account)
{
    char payload[300];
    struct job job = {.arena = &rig.arena,
                      .kind = JOB_PAYMENT,
                      .caller = "shop",
                      .key = payment,
                      .subject = payment,
                      .payload = payload,
                      .wait_s = -1};
    struct job *jobs[] = {&job};
    uuid_make(job.id);
    (void)snprintf(payload, sizeof payload,
                   "{\"account_id\": \"m1\", \"channel\": \"wechat\", \"channel_account\": \"%s\", \"amount\": 100, "
                   "\"currency\": \"CNY\", \"exponent\": 2}",
                   account);
    callback_store(jobs, 1);
    cr_assert_eq(job.result, PAYMENT_CREATED);
    cr_assert_not_null(strstr(job.shown, account), "%s", job.shown);
}

static void ignore(void *opaque, const char *id, const char *payment_id, const char *against)
{
    (void)opaque;
    (void)id;
    cr_expect_not_null(strstr(against == NULL ? "" : against, "account_mismatch"), "%s", payment_id);
}

/* Two merchants behind one gateway: neither pays the other's orders, and the sweep knows that as well. */
Test(callback_account, another_accounts_payment_is_a_conflict)
{
    struct sweep_walk walk = {0};
    int looked = 0;
    order("A-1", "shop2");
    struct job *job = callback_paid("n1", "A-1");
    callback_came(job, REASON_CONFLICT, "shop1 pays");
    cr_expect_not_null(strstr(job->callback->detail, "account_mismatch"), "%s", job->callback->detail);
    callback_came(callback_refund("n2", "A-1", "r1", 40), REASON_CONFLICT, "shop1 gives back");
    callback_came(callback_paid("n3", "A-2"), REASON_UNKNOWN_ORDER, "before its order");
    order("A-2", "shop2");
    cr_assert_eq(callback_sweep_orders(&rig.session, &walk, &looked, ignore, NULL, &err), RC_OK, "%s", err.text);
    sweep_walk_done(&walk);
    stack_expect(st.conn, "nothing is told to the ledger",
                 "SELECT (SELECT count(*) FROM payment_outbox WHERE event_type <> 'payment.created') || ' ' || (SELECT "
                 "count(*) FROM payment_quarantine WHERE code = 'conflict' AND settled_at IS NULL)",
                 "0 3");
    order("A-3", "shop1");
    callback_came(callback_paid("n4", "A-3"), REASON_OK, "its own account");
}
