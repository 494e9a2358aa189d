/* SPDX-License-Identifier: Apache-2.0 */
/* `sign webhook` and `verify webhook` from files to exit codes. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/commands.h"

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"
#define BODY "{\"test\": 2432232314}"
#define HEADERS                                                                                \
    "Host: x\r\nWebhook-Id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\nWebhook-Timestamp: 1614265330\r\n" \
    "Webhook-Signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n"

static char dir[64];
static char output[4096];

static void setup(void)
{
    (void)snprintf(dir, sizeof dir, "/tmp/sluice-webhook-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    cr_assert_eq(chdir(dir), 0);
}

static void teardown(void)
{
    (void)unlink("secret");
    (void)unlink("headers");
    (void)unlink("body");
    (void)rmdir(dir);
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    cr_assert_not_null(f);
    cr_assert_eq(fwrite(text, 1, strlen(text), f), strlen(text));
    cr_assert_eq(fclose(f), 0);
}

static int run(const char *line)
{
    static char words[512];
    char *argv[24];
    char *envp[] = {NULL};
    int argc = 0;
    char *rest = words;
    (void)snprintf(words, sizeof words, "%s", line);
    for (char *word = strsep(&rest, " "); word != NULL; word = strsep(&rest, " ")) {
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    return cli_main(&ROOT_COMMAND, argc, argv, envp);
}

static const char *printed(void)
{
    (void)fclose(stdout);
    FILE *f = cr_get_redirected_stdout();
    size_t n = fread(output, 1, sizeof output - 1, f);
    output[n] = '\0';
    return output;
}

TestSuite(webhook_command, .init = setup, .fini = teardown);

#define VERIFY "sluice verify webhook --secret-file secret --headers headers --body body --at "

Test(webhook_command, a_genuine_call_is_accepted)
{
    put("secret", SECRET);
    put("headers", HEADERS);
    put("body", BODY);
    cr_redirect_stdout();
    cr_assert_eq(run(VERIFY "1614265400"), EXIT_DONE);
    cr_assert_str_eq(printed(), "{\"verdict\": \"accept\", \"reason\": \"ok\", \"answer\": {\"status\": 204, \"body\": "
                                "\"\"}, \"event\": {\"id\": \"msg_p5jXN8AQM9LWM0D4loKWxJek\", \"timestamp\": "
                                "\"1614265330\", \"body_bytes\": 20}}\n");
}

Test(webhook_command, a_changed_body_is_rejected)
{
    put("secret", SECRET);
    put("headers", HEADERS);
    put("body", BODY "\n");
    cr_redirect_stdout();
    cr_assert_eq(run(VERIFY "1614265400"), EXIT_REJECTED);
    cr_assert_not_null(strstr(printed(), "\"signature-wrong\""));
}

Test(webhook_command, an_old_call_is_rejected_unless_the_tolerance_says_so)
{
    put("secret", SECRET);
    put("headers", HEADERS);
    put("body", BODY);
    cr_redirect_stdout();
    cr_assert_eq(run(VERIFY "1614266000"), EXIT_REJECTED);
    cr_assert_eq(run(VERIFY "1614266000 --tolerance 1000"), EXIT_DONE);
    cr_assert_not_null(strstr(printed(), "\"timestamp-too-old\""));
}

Test(webhook_command, a_header_twice_is_rejected)
{
    put("secret", SECRET);
    put("headers", HEADERS "webhook-id: other\n");
    put("body", BODY);
    cr_redirect_stdout();
    cr_assert_eq(run(VERIFY "1614265400"), EXIT_REJECTED);
    cr_assert_not_null(strstr(printed(), "\"header-twice\""));
}

Test(webhook_command, without_a_verdict_the_code_is_another)
{
    cr_redirect_stderr();
    cr_redirect_stdout();
    put("headers", HEADERS);
    put("body", BODY);
    cr_assert_eq(run(VERIFY "1614265400"), EXIT_FAILED, "no secret file");
    put("secret", "hunter2");
    cr_assert_eq(run(VERIFY "1614265400"), EXIT_CONFIG);
    put("secret", SECRET);
    put("headers", "no header\n");
    cr_assert_eq(run(VERIFY "1614265400"), EXIT_FAILED);
    cr_assert_eq(run(VERIFY "yesterday"), EXIT_USAGE);
    cr_assert_eq(run("sluice verify webhook --secret-file secret --body body"), EXIT_USAGE);
    cr_assert_eq(run("sluice sign webhook --secret-file secret --body body"), EXIT_USAGE);
    cr_assert_eq(run("sluice sign webhook --secret-file secret --body body --id a.b"), EXIT_REJECTED);
}

Test(webhook_command, sign_prints_the_headers)
{
    put("secret", SECRET);
    put("body", BODY);
    cr_redirect_stdout();
    cr_assert_eq(run("sluice sign webhook --secret-file secret --body body --id msg_p5jXN8AQM9LWM0D4loKWxJek --at "
                     "1614265330"),
                 EXIT_DONE);
    cr_assert_str_eq(printed(), "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\nwebhook-timestamp: 1614265330\n"
                                "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\n");
}
