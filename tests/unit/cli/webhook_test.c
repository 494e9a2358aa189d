/* SPDX-License-Identifier: Apache-2.0 */
/* `sign webhook` and `verify webhook` from files to exit codes. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "rig.h"

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"
#define BODY "{\"test\": 2432232314}"
#define HEADERS                                                                                \
    "Host: x\r\nWebhook-Id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\nWebhook-Timestamp: 1614265330\r\n" \
    "Webhook-Signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n"

static void put(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    cr_assert_not_null(f);
    cr_assert_eq(fwrite(text, 1, strlen(text), f), strlen(text));
    cr_assert_eq(fclose(f), 0);
}

TestSuite(webhook_command, .init = cli_enter, .fini = cli_leave);

#define VERIFY "sluice verify webhook --secret-file secret --headers headers --body body --at "

Test(webhook_command, a_genuine_call_is_accepted)
{
    put("secret", SECRET);
    put("headers", HEADERS);
    put("body", BODY);
    cr_redirect_stdout();
    cr_assert_eq(cli_run(VERIFY "1614265400"), EXIT_DONE);
    cr_assert_str_eq(cli_printed(),
                     "{\"verdict\": \"accept\", \"reason\": \"ok\", \"answer\": {\"status\": 204, \"body\": "
                     "\"\"}, \"event\": {\"id\": \"msg_p5jXN8AQM9LWM0D4loKWxJek\", \"timestamp\": "
                     "\"1614265330\", \"body_bytes\": 20}}\n");
}

Test(webhook_command, a_changed_body_is_rejected)
{
    put("secret", SECRET);
    put("headers", HEADERS);
    put("body", BODY "\n");
    cr_redirect_stdout();
    cr_assert_eq(cli_run(VERIFY "1614265400"), EXIT_REJECTED);
    cr_assert_not_null(strstr(cli_printed(), "\"signature-wrong\""));
}

Test(webhook_command, an_old_call_is_rejected_unless_the_tolerance_says_so)
{
    put("secret", SECRET);
    put("headers", HEADERS);
    put("body", BODY);
    cr_redirect_stdout();
    cr_assert_eq(cli_run(VERIFY "1614266000"), EXIT_REJECTED);
    cr_assert_eq(cli_run(VERIFY "1614266000 --tolerance 1000"), EXIT_DONE);
    cr_assert_not_null(strstr(cli_printed(), "\"timestamp-too-old\""));
}

Test(webhook_command, a_header_twice_is_rejected)
{
    put("secret", SECRET);
    put("headers", HEADERS "webhook-id: other\n");
    put("body", BODY);
    cr_redirect_stdout();
    cr_assert_eq(cli_run(VERIFY "1614265400"), EXIT_REJECTED);
    cr_assert_not_null(strstr(cli_printed(), "\"header-twice\""));
}

Test(webhook_command, without_a_verdict_the_code_is_another)
{
    cr_redirect_stderr();
    cr_redirect_stdout();
    put("headers", HEADERS);
    put("body", BODY);
    cr_assert_eq(cli_run(VERIFY "1614265400"), EXIT_FAILED, "no secret file");
    put("secret", "hunter2");
    cr_assert_eq(cli_run(VERIFY "1614265400"), EXIT_CONFIG);
    put("secret", SECRET);
    put("headers", "no header\n");
    cr_assert_eq(cli_run(VERIFY "1614265400"), EXIT_FAILED);
    cr_assert_eq(cli_run(VERIFY "yesterday"), EXIT_USAGE);
    cr_assert_eq(cli_run("sluice verify webhook --secret-file secret --body body"), EXIT_USAGE);
    cr_assert_eq(cli_run("sluice sign webhook --secret-file secret --body body"), EXIT_USAGE);
    cr_assert_eq(cli_run("sluice sign webhook --secret-file secret --body body --id a.b"), EXIT_REJECTED);
}

Test(webhook_command, sign_prints_the_headers)
{
    put("secret", SECRET);
    put("body", BODY);
    cr_redirect_stdout();
    cr_assert_eq(cli_run("sluice sign webhook --secret-file secret --body body --id msg_p5jXN8AQM9LWM0D4loKWxJek --at "
                         "1614265330"),
                 EXIT_DONE);
    cr_assert_str_eq(cli_printed(), "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\nwebhook-timestamp: 1614265330\n"
                                    "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\n");
}
