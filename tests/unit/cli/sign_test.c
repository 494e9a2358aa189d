/* SPDX-License-Identifier: Apache-2.0 */
/* `sign init` and `sign CHANNEL`: what is signed is what `verify` accepts, on the same day and no other. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "rig.h"
#include "support/stand_in.h"

#define AT "1800000000"
#define FILES " --headers h --body b --at " AT
#define ACCOUNTS " --accounts kit/accounts.json --headers h --body b --at "

static void setup(void)
{
    cr_redirect_stdout();
    cr_redirect_stderr();
    cli_enter();
    cr_assert_eq(cli_run("sluice -q sign init kit --at " AT), EXIT_DONE);
}

TestSuite(sign_command, .init = setup, .fini = cli_leave, .timeout = 100);

Test(sign_command, what_is_signed_is_accepted)
{
    static const struct {
        const char *channel, *account, *said;
    } CASES[] = {
        {"wechat", "shop1", "--payment o1 --amount 10000"},
        {"wechat", "shop1", "--payment o1 --amount 10000 --key PUB_KEY_ID_0100000000000001"},
        {"wechat", "shop1", "--payment o1 --amount 300 --total 10000 --refund r1"},
        {"wechat", "shop1", "--payment o1 --type REFUND.CLOSED --refund r1"},
        {"alipay", "shop1", "--payment o1 --amount 10000 --notification n1 --txn t1"},
        {"alipay", "shop1", "--payment o1 --amount 300 --total 10000 --refund r1"},
        {"alipay", "shop1", "--payment o1 --type TRADE_CLOSED"},
        {"appstore", "game1", "--payment o1 --amount 600"},
        {"appstore", "game1", "--payment o1 --amount 600 --refund r1"},
        {"applepay", "shop1", "--payment o1 --amount 1200 --currency USD"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        cr_expect_eq(cli_run("sluice sign %s --dir kit --account %s" FILES " %s", CASES[i].channel, CASES[i].account,
                             CASES[i].said),
                     EXIT_DONE, "%zu", i);
        cr_expect_eq(cli_run("sluice verify %s --account %s" ACCOUNTS AT, CASES[i].channel, CASES[i].account),
                     EXIT_DONE, "%zu", i);
    }
}

Test(sign_command, times_are_what_at_says)
{
    cr_assert_eq(cli_run("sluice sign wechat --dir kit --account shop1 --payment o1" FILES), EXIT_DONE);
    cr_expect_eq(cli_run("sluice verify wechat --account shop1" ACCOUNTS "1800000180"), EXIT_DONE);
    cr_expect_eq(cli_run("sluice verify wechat --account shop1" ACCOUNTS "1800000181"), EXIT_REJECTED);
    cr_expect_not_null(strstr(cli_printed(), "\"ts_stale\""));
}

Test(sign_command, events_may_be_given)
{
    static const char RESOURCE[] =
        "{\"mchid\": \"1900000001\", \"appid\": \"another\", \"out_trade_no\": \"o1\", "
        "\"transaction_id\": \"t1\", \"trade_state\": \"SUCCESS\", \"amount\": {\"total\": 1}}";
    FILE *f = fopen("event", "w");
    cr_assert_not_null(f);
    cr_assert_gt(fputs(RESOURCE, f), 0);
    cr_assert_eq(fclose(f), 0);
    cr_assert_eq(cli_run("sluice sign wechat --dir kit --account shop1 --event event" FILES), EXIT_DONE);
    cr_expect_eq(cli_run("sluice verify wechat --account shop1" ACCOUNTS AT), EXIT_REJECTED);
    cr_expect_not_null(strstr(cli_printed(), "\"field_mismatch\""));
}

Test(sign_command, nobody_else_reads_what_is_made)
{
    static const char *const NAMES[] = {"kit/signing/alipay.key",
                                        "kit/signing/appstore.pem",
                                        "kit/signing/applepay.pem",
                                        "kit/signing/wechat-certificate.key",
                                        "kit/signing/wechat-public.key",
                                        "kit/wechat-apiv3.key",
                                        "kit/applepay-merchant.key",
                                        "kit/raw.keys",
                                        "kit/kuaidi100.salt",
                                        "kit/kdniao.salt",
                                        "kit/cainiao.salt"};
    struct stat st;
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
        cr_assert_eq(stat(NAMES[i], &st), 0, "%s", NAMES[i]);
        cr_expect_eq(st.st_mode & 07777, 0600, "%s", NAMES[i]);
    }
    cr_assert_eq(stat("kit", &st), 0);
    cr_expect_eq(st.st_mode & 07777, 0700);
    cr_expect_eq(cli_run("sluice sign init kit"), EXIT_REJECTED, "nothing is overwritten");
    cr_expect_eq(cli_run("sluice gateway accounts check kit/accounts.json --at " AT), EXIT_DONE);
}

Test(sign_command, what_cannot_be_said_is_refused)
{
    static const struct {
        const char *line;
        int code;
    } CASES[] = {
        {"sluice sign wechat --account shop1 --payment o1" FILES, EXIT_USAGE},
        {"sluice sign wechat --dir kit --payment o1" FILES, EXIT_USAGE},
        {"sluice sign wechat --dir kit --account shop1" FILES, EXIT_USAGE},
        {"sluice sign wechat --dir kit --account shop1 --payment o1 --headers h", EXIT_USAGE},
        {"sluice sign wechat --dir kit --account shop1 --payment o1 --amount 1.5" FILES, EXIT_USAGE},
        {"sluice sign wechat --dir kit --account shop1 --payment o1 --currency cny" FILES, EXIT_USAGE},
        {"sluice sign wechat --dir kit --account shop1 --payment o1 --send http://example.org/", EXIT_USAGE},
        {"sluice sign applepay --dir kit --account shop1 --payment o1 --refund r1" FILES, EXIT_USAGE},
        {"sluice sign wechat --dir kit --account shop2 --payment o1" FILES, EXIT_REJECTED},
        {"sluice sign wechat --dir kit --account shop1 --payment o1 --key OTHER" FILES, EXIT_REJECTED},
        {"sluice sign alipay --dir kit --account shop1 --payment o1 --currency USD" FILES, EXIT_REJECTED},
        {"sluice sign applepay --dir kit --account shop1 --payment o1 --currency XYZ" FILES, EXIT_REJECTED},
        {"sluice sign wechat --dir nowhere --account shop1 --payment o1" FILES, EXIT_CONFIG},
        {"sluice sign init", EXIT_USAGE},
        {"sluice sign init /proc/nowhere", EXIT_FAILED},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        cr_expect_eq(cli_run("%s", CASES[i].line), CASES[i].code, "%s", CASES[i].line);
    }
}

/* ---------------------------------------------------------------------------------------------------- sending */

static char seen[65536];
static int status;

static enum stand_in_end answer(void *opaque, const char *request, struct buf *bytes)
{
    (void)opaque;
    (void)snprintf(seen, sizeof seen, "%s", request);
    stand_in_answer(bytes, status, "", "so \"be\" it", 10);
    return STAND_IN_CLOSE;
}

Test(sign_command, calls_are_sent)
{
    struct stand_in *server = stand_in_start(answer, NULL);
    status = 200;
    cr_expect_eq(cli_run("sluice sign wechat --dir kit --account shop1 --payment o1 --send "
                         "http://127.0.0.1:%d/callbacks/wechat/shop1" FILES,
                         stand_in_port(server)),
                 EXIT_DONE);
    cr_expect_eq(strncmp(seen, "POST /callbacks/wechat/shop1 HTTP/1.1\r\n", 39), 0);
    cr_expect_not_null(strstr(seen, "\r\nWechatpay-Signature: "));
    cr_expect_not_null(strstr(seen, "\r\nContent-Type: application/json\r\n"));
    status = 401;
    cr_expect_eq(cli_run("sluice sign appstore --dir kit --account game1 --payment o1 --send http://127.0.0.1:%d/x",
                         stand_in_port(server)),
                 EXIT_REJECTED);
    cr_expect_not_null(strstr(seen, "{\"signedPayload\":\""));
    int port = stand_in_port(server);
    server = stand_in_stop(server);
    cr_expect_eq(cli_run("sluice sign wechat --dir kit --account shop1 --payment o1 --send http://127.0.0.1:%d/", port),
                 EXIT_UNAVAILABLE);
    cr_expect_str_eq(cli_printed(),
                     "{\"status\": 200, \"body\": \"so \\\"be\\\" it\"}\n{\"status\": 401, \"body\": \"so "
                     "\\\"be\\\" it\"}\n");
}
