/* SPDX-License-Identifier: Apache-2.0 */
/* `sign express` and `verify express`: what is made is accepted in every form, by its own account only. */
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
#define VERIFY "sluice verify express --headers h --body b --at " AT

static void put(const char *name, const char *text, mode_t mode)
{
    FILE *f = fopen(name, "w");
    cr_assert_not_null(f);
    cr_assert_geq(fputs(text, f), 0);
    cr_assert_eq(fclose(f), 0);
    cr_assert_eq(chmod(name, mode), 0);
}

/* As `sluice sign init` makes it, as far as carriers go. */
static void setup(void)
{
    cr_redirect_stdout();
    cr_redirect_stderr();
    cli_enter();
    cr_assert_eq(mkdir("kit", 0700), 0);
    put("kit/salt", "abc\n", 0600);
    put("kit/other", "xyz\n", 0600);
    put("kit/accounts.json",
        "{\"express\":{\"kuaidi100\":{\"form\":\"kuaidi100\",\"salt_file\":\"salt\"},"
        "\"other\":{\"form\":\"kuaidi100\",\"salt_file\":\"other\"},\"kdniao\":{\"form\":\"kdniao\",\"salt_file\":"
        "\"salt\"},"
        "\"cainiao\":{\"form\":\"cainiao\",\"salt_file\":\"salt\"},\"sf\":{\"form\":\"sf\"},\"json\":{\"form\":"
        "\"json\"}}}",
        0600);
}

TestSuite(sign_express, .init = setup, .fini = cli_leave, .timeout = 100);

Test(sign_express, what_is_made_is_accepted_in_every_form)
{
    static const char *const FORMS[] = {"json", "kuaidi100", "sf", "sf --xml", "kdniao", "cainiao", "cainiao --xml"};
    for (size_t i = 0; i < ARRAY_SIZE(FORMS); i++) {
        cr_expect_eq(
            cli_run("sluice sign express --dir kit --form %s --tracking-no YT1 --status delivered --nodes 3" FILES,
                    FORMS[i]),
            EXIT_DONE, "%s", FORMS[i]);
        cr_expect_eq(
            cli_run(VERIFY " --accounts kit/accounts.json --account %.*s", (int)strcspn(FORMS[i], " "), FORMS[i]),
            EXIT_DONE, "%s", FORMS[i]);
    }
    const char *all = cli_printed();
    size_t lines = 0;
    for (const char *line = all; *line != '\0'; line = strchr(line, '\n') + 1, lines++) {
        cr_expect(strncmp(line, "{\"verdict\": \"accept\", \"reason\": \"ok\"", 36) == 0, "%.200s", line);
        const char *node = strstr(line, "\"at\": \"2027-01-15T08:00:00.000000Z\", \"status\": \"delivered\"");
        cr_expect(node != NULL && node < strchr(line, '\n'), "%.500s", line);
    }
    cr_expect_eq(lines, ARRAY_SIZE(FORMS));
}

Test(sign_express, the_route_without_an_account_takes_our_own_form)
{
    cr_assert_eq(cli_run("sluice sign express --form json --tracking-no YT1 --carrier ems --code 3" FILES), EXIT_DONE);
    cr_expect_eq(cli_run(VERIFY), EXIT_DONE);
    const char *said = cli_printed();
    cr_expect_not_null(
        strstr(said, "\"answer\": {\"status\": 200, \"body\": \"{\\\"ok\\\":true}\"}, \"event\": {\"reports\": "
                     "[{\"tracking_no\": \"YT1\", \"carrier\": \"ems\", \"full\": false, \"whole\": false, "
                     "\"nodes\": [{"),
        "%s", said);
    cr_expect_not_null(strstr(said, "\"status\": \"delivered\", \"code\": \"3\", \"context\": \"node 1\""), "%s", said);
}

Test(sign_express, another_salt_is_rejected)
{
    cr_assert_eq(cli_run("sluice sign express --dir kit --form kuaidi100 --account other --tracking-no YT1" FILES),
                 EXIT_DONE);
    cr_expect_eq(cli_run(VERIFY " --accounts kit/accounts.json --account other"), EXIT_DONE);
    cr_expect_eq(cli_run(VERIFY " --accounts kit/accounts.json --account kuaidi100"), EXIT_REJECTED);
    cr_assert_eq(cli_run("sluice sign express --unsigned --form kuaidi100 --tracking-no YT1" FILES), EXIT_DONE);
    cr_expect_eq(cli_run(VERIFY " --accounts kit/accounts.json --account kuaidi100"), EXIT_REJECTED);
    const char *said = cli_printed();
    cr_expect_not_null(strstr(said, "\"sig_invalid\", \"detail\": \"sign: does not fit"), "%s", said);
    cr_expect_not_null(strstr(said, "\"sig_invalid\", \"detail\": \"sign: missing"), "%s", said);
}

Test(sign_express, contents_may_be_given_and_updateall_said)
{
    put("event", "{\"status\":\"polling\"}", 0600);
    cr_assert_eq(cli_run("sluice sign express --dir kit --form kuaidi100 --event event" FILES), EXIT_DONE);
    cr_expect_eq(cli_run(VERIFY " --accounts kit/accounts.json --account kuaidi100"), EXIT_DONE);
    cr_assert_eq(cli_run("sluice sign express --dir kit --form kuaidi100 --tracking-no YT1 --whole" FILES), EXIT_DONE);
    cr_expect_eq(cli_run(VERIFY " --accounts kit/accounts.json --account kuaidi100"), EXIT_DONE);
    const char *said = cli_printed();
    cr_expect_not_null(strstr(said, "\"event\": {\"reports\": []}"), "%s", said);
    cr_expect_not_null(strstr(said, "\"full\": true, \"whole\": true"), "%s", said);
}

Test(sign_express, what_cannot_be_said_is_refused)
{
    static const struct {
        const char *flags;
        int code;
    } ROWS[] = {
        {"--tracking-no YT1" FILES, EXIT_USAGE},
        {"--form ups --tracking-no YT1" FILES, EXIT_USAGE},
        {"--form json" FILES, EXIT_USAGE},
        {"--form json --tracking-no YT1 --status lost" FILES, EXIT_USAGE},
        {"--form json --tracking-no YT1 --nodes 1001" FILES, EXIT_USAGE},
        {"--form json --tracking-no YT1 --headers h", EXIT_USAGE},
        {"--form json --tracking-no YT1 --send nowhere", EXIT_USAGE},
        {"--form kuaidi100 --tracking-no YT1" FILES, EXIT_USAGE},
        {"--form kuaidi100 --tracking-no YT1 --dir kit --unsigned" FILES, EXIT_USAGE},
        {"--form kdniao --tracking-no YT1 --dir kit --xml" FILES, EXIT_USAGE},
        {"--form kuaidi100 --tracking-no YT1 --dir kit --account kdniao" FILES, EXIT_REJECTED},
        {"--form kuaidi100 --tracking-no YT1 --dir kit --account nobody" FILES, EXIT_REJECTED},
        {"--form kuaidi100 --tracking-no YT1 --dir nowhere" FILES, EXIT_CONFIG},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        cr_expect_eq(cli_run("sluice sign express %s", ROWS[i].flags), ROWS[i].code, "%s", ROWS[i].flags);
    }
    cr_expect_eq(cli_run("sluice verify express --body b"), EXIT_USAGE);
    cr_expect_eq(cli_run(VERIFY " --account kuaidi100"), EXIT_USAGE);
    put("h", "", 0600);
    put("b", "", 0600);
    cr_expect_eq(cli_run(VERIFY " --accounts kit/accounts.json --account nobody"), EXIT_NOT_FOUND);
}

static char seen[4096];

static enum stand_in_end answer(void *opaque, const char *request, struct buf *bytes)
{
    (void)opaque;
    (void)snprintf(seen, sizeof seen, "%s", request);
    stand_in_answer(bytes, 200, "", "{\"ok\":true}", 11);
    return STAND_IN_CLOSE;
}

Test(sign_express, calls_are_sent)
{
    struct stand_in *server = stand_in_start(answer, NULL);
    cr_expect_eq(cli_run("sluice sign express --dir kit --form kuaidi100 --tracking-no YT1 --send "
                         "http://127.0.0.1:%d/webhook/express/status/kuaidi100",
                         stand_in_port(server)),
                 EXIT_DONE);
    server = stand_in_stop(server);
    cr_expect_eq(strncmp(seen, "POST /webhook/express/status/kuaidi100 HTTP/1.1\r\n", 49), 0, "%s", seen);
    cr_expect_not_null(strstr(seen, "\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"), "%s",
                       seen);
    cr_expect_not_null(strstr(seen, "\r\n\r\nparam=%7B%22status%22"), "%s", seen);
}
