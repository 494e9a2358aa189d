/* SPDX-License-Identifier: Apache-2.0 */
/* The runbook's environment names: defaults, values, refusals. */
#include "callback/platform.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define P "AI_CS_PLATFORM_"

static struct platforms platforms;
static struct err err;

static void teardown(void)
{
    platforms_done(&platforms);
}

TestSuite(platform, .fini = teardown);

static enum rc load(const char *a, const char *b)
{
    platforms_done(&platforms);
    char first[512];
    char second[512];
    (void)snprintf(first, sizeof first, "%s", a);
    (void)snprintf(second, sizeof second, "%s", b == NULL ? "HOME=/" : b);
    char *envp[] = {first, second, NULL};
    return platforms_load(&platforms, envp, &err);
}

Test(platform, defaults_are_the_runbooks)
{
    cr_assert_eq(load(P "SUB2API_CALLBACK_SECRET=" SECRET, NULL), RC_OK, "%s", err.text);
    const struct platform *row = platforms_find(&platforms, "sub2api");
    cr_assert_not_null(row);
    cr_assert(row->timeout_ms == 3000 && row->max_retries == 5 && row->poll_interval_ms == 5000);
    cr_assert(row->batch_size == 20 && row->schedule.n == 5);
    static const int64_t steps[] = {10000, 30000, 60000, 300000, 900000};
    cr_assert_arr_eq(row->schedule.steps_ms, steps, sizeof steps);
    cr_assert_null(platforms_find(&platforms, "newapi"), "no secret");
    cr_assert_null(platforms_find(&platforms, "other"));
    cr_assert_null(platforms_find(&platforms, ""));
}

Test(platform, any_name_with_a_secret_is_one)
{
    cr_assert_eq(load(P "NEW_API_CALLBACK_SECRET=" SECRET, P "NEW_API_CALLBACK_RETRY_SCHEDULE_SEC=1,2"), RC_OK);
    const struct platform *row = platforms_find(&platforms, "New-Api");
    cr_assert_not_null(row);
    cr_assert(row->schedule.n == 2 && row->schedule.steps_ms[1] == 2000);
    cr_assert_eq(load(P "X_CALLBACK_Y_CALLBACK_SECRET=" SECRET, P "X_CALLBACK_Y_CALLBACK_MAX_RETRIES=0"), RC_OK);
    cr_assert_not_null(platforms_find(&platforms, "x_callback_y"));
    cr_assert_eq(platforms_find(&platforms, "x_callback_y")->max_retries, 0);
}

Test(platform, absurd_values_are_refused_by_name)
{
    static const char *const bad[] = {
        P "SUB2API_CALLBACK_TIMEOUT_MS=0",
        P "SUB2API_CALLBACK_TIMEOUT_MS=3s",
        P "SUB2API_CALLBACK_TIMEOUT_MS=9999999",
        P "SUB2API_CALLBACK_MAX_RETRIES=-1",
        P "SUB2API_CALLBACK_MAX_RETRIES=1e3",
        P "SUB2API_CALLBACK_POLL_INTERVAL_MS=1",
        P "SUB2API_CALLBACK_BATCH_SIZE=0",
        P "SUB2API_CALLBACK_RETRY_SCHEDULE_SEC=0",
        P "SUB2API_CALLBACK_RETRY_SCHEDULE_SEC=10,",
        P "SUB2API_CALLBACK_RETRY_SCHEDULE_SEC=,10",
        P "SUB2API_CALLBACK_RETRY_SCHEDULE_SEC=10,,20",
        P "SUB2API_CALLBACK_RETRY_SCHEDULE_SEC=10, 20",
        P "SUB2API_CALLBACK_RETRY_SCHEDULE_SEC=-5",
        P "SUB2API_CALLBACK_RETRY_SCHEDULE_SEC=604801",
        P "SUB2API_CALLBACK_RETRY_SCHEDULE_SEC=99999999999999999999",
        P "SUB2API_CALLBACK_RETRY_SCHEDULE_SEC=1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1",
        P "SUB2API_CALLBACK_SECRET=hunter2",
        P "SUB2API_CALLBACK_SECRET=whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        P "SUB2API_CALLBACK_SECRET_FILE=/nonexistent",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        cr_assert_eq(load(bad[i], NULL), RC_FATAL, "%s", bad[i]);
        cr_assert(err_is_config(&err), "%s", bad[i]);
        cr_assert_not_null(strstr(err.text, "AI_CS_PLATFORM_SUB2API_CALLBACK_"), "%s", err.text);
        cr_assert_null(strstr(err.text, "hunter2"));
    }
    cr_assert_eq(load(P "SUB2API_CALLBACK_SECRET=" SECRET, P "SUB2API_CALLBACK_SECRET_FILE=/x"), RC_FATAL);
    cr_assert_not_null(strstr(err.text, "another secret"));
}
