/* SPDX-License-Identifier: Apache-2.0 */
/* What is signed with keys of one's own is what the verdict accepts, with either rule and no other. */
#include "channel/alipay_sign.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "support/wechat_rig.h"

static char *directory;
static struct accounts *accounts;
static struct arena arena;
static struct err err;
static struct buf body;

static const struct alipay_notice PAID = {.notify_id = "n1",
                                          .app_id = "2021000000000001",
                                          .seller_id = "2088000000000001",
                                          .payment_id = "o1",
                                          .txn_id = "t1",
                                          .status = "TRADE_SUCCESS",
                                          .amount = 10001,
                                          .at_s = RIG_NOW_S};

static void setup(void)
{
    directory = rig_directory();
    arena_init(&arena, 4096);
    buf_init(&body, 65536);
    CLEANUP(freep) char *pem = rig_public_pem(RIG_KEY_B);
    rig_write(directory, "alipay.pem", pem);
    accounts = rig_accounts(
        directory, "{\"alipay\": {\"v1\": {\"app_id\": \"2021000000000001\", \"public_key_file\": \"alipay.pem\"}, "
                   "\"v2\": {\"app_id\": \"2021000000000001\", \"public_key_file\": \"alipay.pem\", "
                   "\"sign_rule\": \"V2\"}}}");
}

static void teardown(void)
{
    accounts = accounts_free(accounts);
    rig_directory_remove(directory);
    arena_done(&arena);
    buf_done(&body);
}

TestSuite(alipay_sign, .init = setup, .fini = teardown);

static enum channel_reason verdict(const char *account, struct verdict *out)
{
    static const struct header_line FORM[] = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
    const struct capture c = {.headers = FORM, .n_headers = 1, .body = body.data, .body_n = body.len};
    return channel_verify(accounts_find(accounts, CHANNEL_ALIPAY, account), &c, RIG_NOW_S, &arena, out);
}

static void sign(bool v2, const struct alipay_notice *notice)
{
    buf_clear(&body);
    cr_assert_eq(alipay_sign(rig_rsa(RIG_KEY_B), v2, notice, &body, &err), RC_OK);
}

Test(alipay_sign, payments_are_accepted_by_their_rule)
{
    struct verdict v;
    sign(false, &PAID);
    cr_assert_eq(verdict("v1", &v), REASON_OK, "%s", v.detail);
    cr_expect_eq(v.event.effect, EFFECT_SUCCEEDED);
    cr_expect_eq(v.event.amount, 10001);
    cr_expect_str_eq(v.event.payment_id, "o1");
    cr_expect_eq(verdict("v2", &v), REASON_SIG_INVALID);
    sign(true, &PAID);
    cr_expect_eq(verdict("v2", &v), REASON_OK, "%s", v.detail);
    cr_expect_eq(verdict("v1", &v), REASON_SIG_INVALID);
}

Test(alipay_sign, refunds_say_the_total)
{
    struct alipay_notice refund = PAID;
    struct verdict v;
    refund.refund_id = "r1";
    refund.refunded = 305;
    sign(false, &refund);
    cr_assert_eq(verdict("v1", &v), REASON_OK, "%s", v.detail);
    cr_expect_eq(v.event.effect, EFFECT_REFUNDED);
    cr_expect_eq(v.event.amount, 305);
    cr_expect(v.event.amount_is_total);
    cr_expect_str_eq(v.event.refund_id, "r1");
}

Test(alipay_sign, all_bytes_survive_the_form)
{
    const struct alipay_param params[] = {
        {"notify_id", "n1"},  {"notify_time", "2027-01-15 16:00:00"},       {"app_id", "2021000000000001"},
        {"charset", "utf-8"}, {"subject", "a&b=c+d%20 \xe4\xb8\xad\"\\~*"}, {"empty", ""}};
    struct verdict v;
    for (int v2 = 0; v2 < 2; v2++) {
        buf_clear(&body);
        cr_assert_eq(alipay_sign_params(rig_rsa(RIG_KEY_B), v2 == 1, params, ARRAY_SIZE(params),
                                        v2 == 1 ? NULL : "RSA2", &body, &err),
                     RC_OK);
        (void)verdict(v2 == 1 ? "v2" : "v1", &v);
        cr_expect(v.genuine, "%s", v.detail);
    }
}
