/* SPDX-License-Identifier: Apache-2.0 */
/* The answer is the protocol: for every channel and every reason, what is acknowledged and what must never be. */
#include <criterion/criterion.h>
#include <string.h>
#include <strings.h>

#include "channel/express.h"

static struct arena arena;

static void setup(void)
{
    arena_init(&arena, 4096);
}

static void teardown(void)
{
    arena_done(&arena);
}

TestSuite(answer, .init = setup, .fini = teardown);

static struct express_account own; /* of CHANNEL_EXPRESS: our own form, see express_test.c for the others */

static struct channel_answer answer_of(enum channel channel, enum channel_reason reason, const char *safe)
{
    struct channel_answer answer = {0};
    struct verdict v = {.reason = reason, .detail = "\"success\" is not what this says", .event.safe = safe};
    if (channel != CHANNEL_APPLEPAY) { /* whose answer has it: a merchant's own service reads it */
        v.event.safe = NULL;
    } else {
        v.detail[0] = '\0';
    }
    const struct account account = {.channel = channel, .own = &own};
    channel_answer(&account, &v, &arena, &answer);
    return answer;
}

static bool contains(const char *text, const char *word)
{
    for (; *text != '\0'; text++) {
        if (strncasecmp(text, word, strlen(word)) == 0) {
            return true;
        }
    }
    return false;
}

Test(answer, no_refusal_has_a_status_or_a_word_of_success)
{
    for (int channel = 0; channel < CHANNELS_N; channel++) {
        for (int reason = REASON_ACKNOWLEDGED_LAST + 1; reason < REASONS_N; reason++) {
            struct channel_answer a = answer_of((enum channel)channel, (enum channel_reason)reason, NULL);
            cr_expect(a.status >= 400 && a.status <= 599, "%s %s: %u", channel_name((enum channel)channel),
                      reason_name((enum channel_reason)reason), a.status);
            const char *word = channel == CHANNEL_EXPRESS ? "\"ok\":true" : "success";
            cr_expect_not(contains(a.body, word), "%s %s: %s", channel_name((enum channel)channel),
                          reason_name((enum channel_reason)reason), a.body);
        }
    }
}

Test(answer, what_is_stored_is_acknowledged_as_each_channel_wants_it)
{
    static const char *const BODIES[CHANNELS_N] = {
        [CHANNEL_WECHAT] = "{\"code\":\"SUCCESS\",\"message\":\"\"}",
        [CHANNEL_ALIPAY] = "success",
        [CHANNEL_APPSTORE] = "{}",
        [CHANNEL_APPLEPAY] = "{\"safe\":1}",
        [CHANNEL_EXPRESS] = "{\"ok\":true}",
    };
    for (int channel = 0; channel < CHANNELS_N; channel++) {
        for (int reason = 0; reason <= REASON_ACKNOWLEDGED_LAST; reason++) {
            struct channel_answer a = answer_of((enum channel)channel, (enum channel_reason)reason, "{\"safe\":1}");
            if (channel == CHANNEL_APPLEPAY && reason == REASON_CONFLICT) { /* a token that paid for something else */
                cr_expect(a.status == 409 && strstr(a.body, "\"verified\":false") != NULL);
                continue;
            }
            cr_expect_eq(a.status, 200);
            cr_expect_str_eq(a.body, BODIES[channel]);
            cr_expect_str_eq(a.content_type, channel == CHANNEL_ALIPAY ? "text/plain" : "application/json");
        }
    }
}

Test(answer, wechat_is_told_fail_and_alipay_fail)
{
    cr_expect_str_eq(answer_of(CHANNEL_WECHAT, REASON_SIG_PROBE, NULL).body,
                     "{\"code\":\"FAIL\",\"message\":\"refused\"}");
    cr_expect_eq(answer_of(CHANNEL_WECHAT, REASON_SIG_PROBE, NULL).status, 401);
    cr_expect_str_eq(answer_of(CHANNEL_ALIPAY, REASON_SIG_INVALID, NULL).body, "fail");
    cr_expect_eq(answer_of(CHANNEL_APPSTORE, REASON_UNAVAILABLE, NULL).status, 503, "400 would not come again");
    cr_expect_str_eq(answer_of(CHANNEL_APPLEPAY, REASON_CHAIN_OID, NULL).body,
                     "{\"verified\":false,\"reason\":\"chain_oid\",\"detail\":\"\"}");
}

Test(answer, reasons_and_channels_have_names_of_their_own)
{
    for (int i = 0; i < REASONS_N; i++) {
        cr_assert_not_null(reason_name((enum channel_reason)i));
        cr_expect_eq(reason_find(reason_name((enum channel_reason)i)), i);
    }
    for (int i = 0; i < CHANNELS_N; i++) {
        cr_expect_eq(channel_find(channel_name((enum channel)i)), i);
    }
    cr_expect_eq(reason_find("nothing"), -1);
    cr_expect_eq(channel_find("carrier"), -1);
}
