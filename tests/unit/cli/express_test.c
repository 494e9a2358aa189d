/* SPDX-License-Identifier: Apache-2.0 */
/* What people type about parcels and phones: taken as it is meant, or refused with a reason, before anything is asked.
 */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "carrier/carrier.h"
#include "cli/commands.h"
#include "cli/devices.h"
#include "cli/doctor.h"
#include "cli/express.h"

static struct err err;

Test(express, tracking_numbers_are_what_carriers_use)
{
    char long_one[66];

    memset(long_one, 'A', sizeof long_one - 1);
    long_one[65] = '\0';
    cr_assert(carrier_tracking_ok("TEST_YT_20260206_0007"));
    cr_assert(carrier_tracking_ok("SF-1.2"));
    cr_assert(carrier_tracking_ok(long_one + 1));
    cr_assert_not(carrier_tracking_ok(long_one));
    cr_assert_not(carrier_tracking_ok(""));
    cr_assert_not(carrier_tracking_ok("A B"));
    cr_assert_not(carrier_tracking_ok("A,B"), "numbers are put into an array as they are");
    cr_assert_not(carrier_tracking_ok("A}"));
    cr_assert_not(carrier_tracking_ok("\xe5\x8f\xb7"));
}

Test(express, a_device_is_an_app_and_a_cid_or_a_row)
{
    struct device d;

    cr_assert_eq(device_parse("default/cid/with/slashes", &d, &err), RC_OK);
    cr_assert_str_eq(d.appid, "default");
    cr_assert_str_eq(d.cid, "cid/with/slashes");
    cr_assert_null(d.id);
    cr_assert_eq(device_parse("01930e2a-1111-7abc-8def-0123456789ab", &d, &err), RC_OK);
    cr_assert_str_eq(d.id, "01930e2a-1111-7abc-8def-0123456789ab");
    cr_assert_eq(device_parse("cid-alone", &d, &err), RC_REJECT);
    cr_assert_eq(device_parse("/cid", &d, &err), RC_REJECT);
    cr_assert_eq(device_parse("app/", &d, &err), RC_REJECT);
    cr_assert_eq(device_parse("app/c\x01", &d, &err), RC_REJECT);
    char *app CLEANUP(freep) = xasprintf("%0200d/cid", 1);
    cr_assert_eq(device_parse(app, &d, &err), RC_REJECT);
    cr_assert_not_null(strstr(err.text, "expected APPID/CID"));
}

static char *no_env[] = {NULL};
static char nobody[] = "DATABASE_URL=postgresql://127.0.0.1:1/x";
static char *some_env[] = {nobody, NULL};
static char **env = no_env;

static int run(const char *const *words, int n)
{
    char *argv[12] = {0};

    for (int i = 0; i < n; i++) {
        argv[i] = xstrdup(words[i]);
    }
    cr_redirect_stderr();
    int code = cli_main(&ROOT_COMMAND, n, argv, env);
    for (int i = 0; i < n; i++) {
        free(argv[i]);
    }
    return code;
}

#define RUN(...) \
    run((const char *const[]){"sluice", __VA_ARGS__}, (int)ARRAY_SIZE(((const char *const[]){"sluice", __VA_ARGS__})))

Test(express, devices_of_one_of_three)
{
    cr_assert_eq(RUN("devices", "ls"), EXIT_USAGE);
    cr_assert_eq(RUN("devices", "ls", "--user", "u", "--cid", "c"), EXIT_USAGE);
    cr_assert_eq(RUN("devices", "ls", "--user", ""), EXIT_USAGE);
    cr_assert_eq(RUN("devices", "ls", "--user", "u"), EXIT_CONFIG, "only the database is missing");
}

Test(express, deactivating_needs_a_reason)
{
    cr_assert_eq(RUN("devices", "deactivate", "a/c", "--yes"), EXIT_USAGE);
    cr_assert_eq(RUN("devices", "deactivate", "a/c", "--yes", "--reason", "lost"), EXIT_CONFIG);
}

Test(express, what_is_parked_has_no_status)
{
    cr_assert_eq(RUN("waybills", "ls", "--parked", "--status", "delivered"), EXIT_USAGE);
    cr_assert_eq(RUN("waybills", "ls", "--status", "lost"), EXIT_USAGE);
    cr_assert_eq(RUN("waybills", "ls", "--status", "delivered"), EXIT_CONFIG);
    cr_assert_eq(RUN("waybills", "link", "NO", ""), EXIT_USAGE);
    cr_assert_eq(RUN("waybills", "rematch", "A", "B C"), EXIT_USAGE);
}

Test(express, selftest_tells_real_people_only_when_it_may)
{
    cr_assert_eq(RUN("selftest", "express", "--url", "http://example.org:7201"), EXIT_USAGE);
    cr_assert_eq(RUN("selftest", "express", "--timeout", "0"), EXIT_USAGE);
    env = some_env;
    cr_assert_eq(RUN("selftest", "express", "--tracking-no", "X"), EXIT_USAGE, "there is no terminal to ask at");
    cr_assert_eq(RUN("selftest", "express", "--tracking-no", "X", "--yes"), EXIT_UNAVAILABLE);
    cr_assert_eq(RUN("selftest", "express"), EXIT_UNAVAILABLE);
}

Test(express, doctor_judges_clocks)
{
    static const struct {
        int64_t off_ms;
        enum doctor_state state;
        const char *text;
    } ROWS[] = {{0, DOCTOR_OK, "0 ms ahead of"},
                {30000, DOCTOR_OK, "30000 ms ahead of"},
                {-30001, DOCTOR_WARN, "30001 ms behind"},
                {300000, DOCTOR_WARN, "300000 ms ahead of"},
                {-300001, DOCTOR_FAIL, "300001 ms behind"}};
    struct doctor d = {.list = xcalloc(DOCTOR_CHECKS_MAX, sizeof(struct doctor_check))};

    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        doctor_clock(&d, ROWS[i].off_ms, 30000);
        cr_assert_eq(d.list[i].state, ROWS[i].state, "%s", d.list[i].text);
        cr_assert_not_null(strstr(d.list[i].text, ROWS[i].text), "%s", d.list[i].text);
        cr_assert_eq(d.list[i].hint[0] != '\0', ROWS[i].state != DOCTOR_OK);
    }
    free(d.list);
}

Test(express, doctor_fails_without_servers_and_says_what_to_do)
{
    struct doctor d = {.list = xcalloc(DOCTOR_CHECKS_MAX, sizeof(struct doctor_check))};

    for (int i = 0; i < DOCTOR_CHECKS_MAX + 3; i++) {
        doctor_say(&d, "x", DOCTOR_FAIL, "%d", i);
    }
    cr_assert_eq(d.n, DOCTOR_CHECKS_MAX);
    free(d.list);
    cr_redirect_stdout();
    cr_assert_eq(RUN("doctor"), EXIT_REJECTED);
    (void)fflush(stdout);
    cr_assert_stdout_neq_str("");
}
