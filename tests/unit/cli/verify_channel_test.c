/* SPDX-License-Identifier: Apache-2.0 */
/* `verify wechat`, `verify alipay` and `gateway accounts check` from files to exit codes. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "rig.h"
#include "support/channel_rig.h"

#define VERIFY(channel, account) \
    "sluice verify " channel " --accounts accounts.json --account " account " --headers headers --body body"
#define AT " --at 1700000000"

static struct rig rig;
static char output[8192];

static void setup(void)
{
    rig_begin_accounts(&rig);
    cr_assert_eq(chdir(rig.directory), 0);
}

static void teardown(void)
{
    rig_done(&rig);
}

TestSuite(verify_channel, .init = setup, .fini = teardown);
TestSuite(accounts_check, .init = setup, .fini = teardown);

static const char *read_all(FILE *f)
{
    size_t n = fread(output, 1, sizeof output - 1, f);
    output[n] = '\0';
    return output;
}

/* Writes headers and body of the call, and ends it. */
static void capture(struct call *call)
{
    FILE *f = fopen("headers", "w");
    cr_assert_not_null(f);
    for (size_t i = 0; i < call->n_headers; i++) {
        (void)fprintf(f, "%s: %s\r\n", call->headers[i].name, call->headers[i].value);
    }
    (void)fclose(f);
    f = fopen("body", "w");
    cr_assert_not_null(f);
    cr_assert_eq(fwrite(call->body, 1, call->body_n, f), call->body_n);
    (void)fclose(f);
    call_done(call);
}

static void capture_wechat(const struct wechat_call *w)
{
    struct call call;
    wechat_call_make(&rig, w, &call);
    capture(&call);
}

Test(verify_channel, a_genuine_call_of_wechat_is_accepted)
{
    capture_wechat(&(struct wechat_call){0});
    cr_redirect_stdout();
    cr_assert_eq(cli_run(VERIFY("wechat", "shop") AT), EXIT_DONE);
    cr_assert_str_eq(
        cli_printed(),
        "{\"verdict\": \"accept\", \"reason\": \"ok\", \"detail\": \"\", \"answer\": {\"status\": 200, \"body\": "
        "\"{\\\"code\\\":\\\"SUCCESS\\\",\\\"message\\\":\\\"\\\"}\"}, \"event\": {\"merchant\": \"1900000001\", "
        "\"notification_id\": \"EV-0001\", \"business_key\": \"4200000000202311150000000001/TRANSACTION.SUCCESS\", "
        "\"type\": \"TRANSACTION.SUCCESS\", \"state\": \"SUCCESS\", \"payment_id\": \"order-1\", \"channel_txn_id\": "
        "\"4200000000202311150000000001\", \"effect\": \"payment.succeeded\", \"amount\": 8888, \"currency\": \"CNY\", "
        "\"at\": \"2023-11-14T22:13:19.000000Z\"}}\n");
}

Test(verify_channel, a_genuine_call_of_alipay_is_accepted)
{
    struct call call;
    alipay_call_make(&rig, &(struct alipay_call){.set = {{"refund_fee", "1.50"}, {"out_biz_no", "r-1"}}}, &call);
    capture(&call);
    cr_redirect_stdout();
    cr_assert_eq(cli_run(VERIFY("alipay", "shop") AT), EXIT_DONE);
    cr_assert_str_eq(
        cli_printed(),
        "{\"verdict\": \"accept\", \"reason\": \"ok\", \"detail\": \"\", \"answer\": {\"status\": 200, \"body\": "
        "\"success\"}, \"event\": {\"merchant\": \"2021000000000001\", \"notification_id\": "
        "\"2023111500222061319000000000000001\", \"business_key\": \"2023111522001400000000000001/TRADE_SUCCESS/r-1\", "
        "\"type\": \"trade_status_sync\", \"state\": \"TRADE_SUCCESS\", \"payment_id\": \"order-1\", "
        "\"channel_txn_id\": \"2023111522001400000000000001\", \"refund_id\": \"r-1\", \"effect\": "
        "\"payment.refunded\", \"refunded_total\": 150, \"currency\": \"CNY\", \"at\": "
        "\"2023-11-14T22:13:20.000000Z\", \"safe\": {\"subject\": \"a+b \\\\\\\" \xe5\xa4\xa7\"}}}\n");
}

Test(verify_channel, a_refusal_says_why_and_has_no_event)
{
    capture_wechat(&(struct wechat_call){.signature = "WECHATPAY/SIGNTEST/x"});
    cr_redirect_stdout();
    cr_assert_eq(cli_run(VERIFY("wechat", "shop") AT), EXIT_REJECTED);
    cr_assert_str_eq(cli_printed(),
                     "{\"verdict\": \"reject\", \"reason\": \"sig_probe\", \"detail\": \"the platform tests whether "
                     "signatures are looked at\", \"answer\": {\"status\": 401, \"body\": "
                     "\"{\\\"code\\\":\\\"FAIL\\\",\\\"message\\\":\\\"refused\\\"}\"}}\n");
}

Test(verify_channel, the_clock_and_the_address_are_those_that_are_given)
{
    capture_wechat(&(struct wechat_call){0});
    cr_redirect_stdout();
    cr_expect_eq(cli_run(VERIFY("wechat", "shop")), EXIT_REJECTED, "now is later");
    cr_expect_eq(cli_run(VERIFY("wechat", "shop") " --at 1700000181"), EXIT_REJECTED);
    cr_expect_eq(cli_run(VERIFY("wechat", "listed") " --at 1700000300"), EXIT_DONE, "its window is wider");
    cr_expect_eq(cli_run(VERIFY("wechat", "listed") AT " --address 203.0.113.1"), EXIT_DONE);
    cr_expect_eq(cli_run(VERIFY("wechat", "listed") AT " --address 203.0.114.1"), EXIT_REJECTED);
    const char *text = cli_printed();
    cr_expect_not_null(strstr(text, "\"ts_stale\""));
    cr_expect_not_null(strstr(text, "\"ip_refused\""));
}

Test(verify_channel, a_body_of_any_size_gets_a_verdict)
{
    struct call call = {.body_n = (size_t)1 << 20};
    call.body = xcalloc(call.body_n, 1);
    memset(call.body, 'a', call.body_n);
    capture(&call);
    cr_redirect_stdout();
    cr_expect_eq(cli_run(VERIFY("alipay", "shop") AT), EXIT_REJECTED);
    cr_expect_not_null(strstr(cli_printed(), "\"too_large\""));
}

Test(verify_channel, headers_that_are_none_get_a_verdict)
{
    capture_wechat(&(struct wechat_call){0});
    rig_put(&rig, "headers", "no header\n", 0644);
    cr_redirect_stdout();
    cr_expect_eq(cli_run(VERIFY("wechat", "shop") AT), EXIT_REJECTED);
    cr_expect_not_null(strstr(cli_printed(), "\"header_malformed\""));
}

Test(verify_channel, without_a_verdict_the_code_is_another)
{
    capture_wechat(&(struct wechat_call){0});
    cr_redirect_stdout();
    cr_redirect_stderr();
    cr_expect_eq(cli_run(VERIFY("wechat", "nobody") AT), EXIT_NOT_FOUND);
    cr_expect_eq(cli_run(VERIFY("alipay", "listed") AT), EXIT_NOT_FOUND, "an account of another channel");
    cr_expect_eq(cli_run(VERIFY("wechat", "shop") " --at yesterday"), EXIT_USAGE);
    cr_expect_eq(cli_run(VERIFY("wechat", "shop") " --address example.com"), EXIT_USAGE);
    cr_expect_eq(cli_run("sluice verify wechat --accounts accounts.json --account shop --headers headers"), EXIT_USAGE);
    cr_expect_eq(cli_run("sluice verify wechat --accounts nowhere --account shop --headers headers --body body"),
                 EXIT_CONFIG);
    cr_expect_eq(
        cli_run("sluice verify wechat --accounts accounts.json --account shop --headers headers --body nowhere"),
        EXIT_FAILED);
    rig_put(&rig, "accounts.json", "{\"wechat\":{\"shop\":{\"mchid\":1}}}", 0644);
    cr_expect_eq(cli_run(VERIFY("wechat", "shop") AT), EXIT_CONFIG);
    (void)fclose(stderr);
    const char *said = read_all(cr_get_redirected_stderr());
    cr_expect_not_null(strstr(said, "sluice: verify wechat: there is no wechat.nobody in the accounts file"), "%s",
                       said);
    cr_expect_not_null(
        strstr(said, "sluice: verify wechat: accounts.json: wechat.shop.mchid: expected the merchant's number"), "%s",
        said);
}

/* -------------------------------------------------------------------------------------------------------- check */

Test(accounts_check, each_finding_is_a_line)
{
    cr_redirect_stdout();
    cr_assert_eq(cli_run("sluice gateway accounts check accounts.json" AT), EXIT_REJECTED);
    const char *text = cli_printed();
    cr_expect_not_null(strstr(text, "wrong    wechat.shop.keys." RIG_SERIAL_OLD ": the certificate has expired\n"),
                       "%s", text);
    cr_expect_not_null(strstr(text, "warning  wechat.listed.appid: not given"), "%s", text);
    cr_expect_not_null(strstr(text, "wrong    alipay.certs.certs.sn-a: the file's certificate has the SN "), "%s",
                       text);
    cr_expect_not_null(strstr(text, "5 accounts read, "), "%s", text);
}

Test(accounts_check, json_is_one_document)
{
    cr_redirect_stdout();
    rig_put(&rig, "accounts.json",
            "{\"wechat\":{\"shop\":{\"mchid\":\"1\",\"apiv3_key_file\":\"apiv3\",\"keys\":{\"P\":\"b.pem\"}}}}", 0644);
    cr_assert_eq(cli_run("sluice gateway accounts check accounts.json --json" AT), EXIT_DONE, "warnings are not wrong");
    cr_expect_str_eq(cli_printed(),
                     "{\"accounts\": 1, \"findings\": [{\"account\": \"wechat.shop\", \"wrong\": false, "
                     "\"finding\": \"appid: not given, so that payments of every app of the merchant are "
                     "taken\"}], \"wrong\": 0}\n");
}

Test(accounts_check, a_file_the_gateway_would_not_start_with_is_78)
{
    cr_redirect_stderr();
    cr_expect_eq(cli_run("sluice gateway accounts check nowhere"), EXIT_CONFIG);
    rig_put(&rig, "apiv3", RIG_APIV3_KEY, 0644);
    cr_expect_eq(cli_run("sluice gateway accounts check accounts.json"), EXIT_CONFIG);
    cr_expect_eq(cli_run("sluice gateway accounts check"), EXIT_USAGE);
    (void)fclose(stderr);
    const char *said = read_all(cr_get_redirected_stderr());
    cr_expect_not_null(strstr(said, "sluice: gateway accounts check: accounts.json: wechat.shop.apiv3_key_file: apiv3 "
                                    "holds a secret and has the mode 644, expected 600 or 400"),
                       "%s", said);
}
