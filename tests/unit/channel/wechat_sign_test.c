/* SPDX-License-Identifier: Apache-2.0 */
/* What is signed with keys of one's own is what the verdict accepts. */
#include "channel/wechat_sign.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "support/wechat_rig.h"

static char *directory;
static struct accounts *accounts;
static struct arena arena;
static struct err err;
static struct buf headers, body;

static const struct wechat_notice PAID = {.id = "n1",
                                          .type = "TRANSACTION.SUCCESS",
                                          .mchid = "1900000001",
                                          .appid = "wx1",
                                          .payment_id = "o1",
                                          .txn_id = "t1",
                                          .amount = 10000,
                                          .currency = "CNY",
                                          .at_s = RIG_NOW_S};

static void setup(void)
{
    directory = rig_directory();
    arena_init(&arena, 4096);
    buf_init(&headers, 65536);
    buf_init(&body, 65536);
    CLEANUP(freep) char *pem = rig_public_pem(RIG_KEY_B);
    rig_write(directory, "public.pem", pem);
    accounts =
        rig_accounts(directory, "{\"wechat\": {\"shop1\": {\"mchid\": \"1900000001\", \"appid\": \"wx1\", "
                                "\"apiv3_key_file\": \"apiv3.key\", \"keys\": {\"PUB_KEY_ID_1\": \"public.pem\"}}}}");
}

static void teardown(void)
{
    accounts = accounts_free(accounts);
    rig_directory_remove(directory);
    arena_done(&arena);
    buf_done(&headers);
    buf_done(&body);
}

TestSuite(wechat_sign, .init = setup, .fini = teardown);

static enum channel_reason verdict(int64_t now_s, struct verdict *out)
{
    CLEANUP(header_file_done) struct header_file lines = {0};
    cr_assert_eq(header_file_parse(buf_str(&headers), headers.len, &lines, &err), RC_OK, "%s", err.text);
    const struct capture c = {.headers = lines.lines, .n_headers = lines.n, .body = body.data, .body_n = body.len};
    return channel_verify(accounts_find(accounts, CHANNEL_WECHAT, "shop1"), &c, now_s, &arena, out);
}

static void sign(const struct wechat_notice *notice)
{
    buf_clear(&headers);
    buf_clear(&body);
    wechat_notice_body(notice, (const unsigned char *)RIG_APIV3_KEY, &body);
    cr_assert_eq(
        wechat_sign_headers(rig_rsa(RIG_KEY_B), "PUB_KEY_ID_1", RIG_NOW_S, NULL, body.data, body.len, &headers, &err),
        RC_OK);
}

Test(wechat_sign, payments_are_accepted)
{
    struct verdict v;
    sign(&PAID);
    cr_assert_eq(verdict(RIG_NOW_S + 180, &v), REASON_OK, "%s", v.detail);
    cr_expect_eq(v.event.effect, EFFECT_SUCCEEDED);
    cr_expect_str_eq(v.event.notification_id, "n1");
    cr_expect_str_eq(v.event.payment_id, "o1");
    cr_expect_str_eq(v.event.channel_txn_id, "t1");
    cr_expect_eq(v.event.amount, 10000);
    cr_expect_str_eq(v.event.currency, "CNY");
    cr_expect_eq(v.event.at_us, RIG_NOW_S * 1000000);
}

Test(wechat_sign, refunds_are_accepted)
{
    struct wechat_notice refund = PAID;
    struct verdict v;
    refund.type = "REFUND.SUCCESS";
    refund.refund_id = "r1";
    refund.amount = 300;
    refund.total = 10000;
    sign(&refund);
    cr_assert_eq(verdict(RIG_NOW_S, &v), REASON_OK, "%s", v.detail);
    cr_expect_eq(v.event.effect, EFFECT_REFUNDED);
    cr_expect_str_eq(v.event.refund_id, "r1");
    cr_expect_eq(v.event.amount, 300);
    cr_expect_not(v.event.amount_is_total);
}

Test(wechat_sign, changed_bytes_are_refused)
{
    struct verdict v;
    sign(&PAID);
    body.data[body.len - 1] = ' ';
    cr_expect_eq(verdict(RIG_NOW_S, &v), REASON_SIG_INVALID);
}
