/* SPDX-License-Identifier: Apache-2.0 */
/* Asking for certificates: what is believed, what is kept whatever the platform does, and how often it is asked. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/metric.h"
#include "fixture.h"

#define ROOT "\"root_file\": \"root.pem\", "
#define CALLERS 8

TestSuite(wechat_manager, .init = keys_open, .fini = keys_close, .timeout = 100);

static int requests(void)
{
    return stand_in_requests(fx.platform.server);
}

static double results(const char *result)
{
    return metric_value(metric_counter("sluice_gateway_certificate_downloads_total",
                                       "Askings for WeChat Pay's certificates, by what came of them.",
                                       "mchid=\"%s\",result=\"%s\"", PLATFORM_MCHID, result));
}

/* A and B are listed, A signs. */
static void open_with(const char *members)
{
    keys_accounts(members, "");
    keys_manage(false);
    platform_list(&fx.platform, fx.a, SERIAL_A, ITEM_GOOD);
    platform_list(&fx.platform, fx.b, SERIAL_B, ITEM_GOOD);
}

Test(wechat_manager, first_list_is_believed_by_its_roots)
{
    open_with(ROOT);
    keys_advance(0);
    cr_expect_eq(requests(), 1);
    cr_expect_eq(fx.platform.genuine, 1, "the request is signed by the merchant");
    cr_expect_str_eq(keys_state(SERIAL_A), "active");
    cr_expect_str_eq(keys_state(SERIAL_B), "preparing");
    cr_expect_eq(keys_payment(SERIAL_A, RIG_KEY_A), REASON_OK);
    cr_expect_eq(keys_payment(SERIAL_B, RIG_KEY_B), REASON_OK, "what is preparing verifies");
    cr_expect_eq(keys_payment(SERIAL_B, RIG_KEY_A), REASON_SIG_INVALID);
    cr_expect_eq(keys_payment("AA00000000000000000000000000000000000A", RIG_KEY_A), REASON_SERIAL_UNKNOWN,
                 "zeros in front count");
    cr_expect_eq(results("whole"), 1);
}

Test(wechat_manager, without_roots_only_a_known_key_vouches)
{
    open_with("");
    keys_advance(0);
    cr_expect_eq(results("unverified"), 1);
    cr_expect_not(keys_has(SERIAL_A));
    cr_expect_not(keys_has(SERIAL_B));
    keys_accounts("\"keys\": {\"" SERIAL_A "\": \"a.pem\"}, ", "");
    keys_manage(false);
    keys_advance(0);
    cr_expect_eq(results("whole"), 1);
    cr_expect(keys_has(SERIAL_B));
}

Test(wechat_manager, request_that_cannot_be_signed_is_not_sent)
{
    struct err err = {0};
    struct rsa_certificate unused;
    CLEANUP(freep) char *pem = rig_public_pem(RIG_KEY_B);
    keys_accounts(ROOT, "");
    keys_manage(false);
    struct wechat_account *own = keys_shop1()->own;
    own->merchant_key = rsa_unref(own->merchant_key);
    cr_assert_eq(rsa_read_public(pem, strlen(pem), &own->merchant_key, &unused, &err), RC_OK, "%s", err.text);
    keys_advance(0);
    cr_expect_eq(requests(), 0);
    cr_expect_eq(results("unreachable"), 1);
}

Test(wechat_manager, certificates_of_another_ca_are_left_out)
{
    X509 *foreign = rig_certificate(RIG_OTHER_CA, rig_pkey(RIG_KEY_B), SERIAL_C, RIG_NOW_S, RIG_NOW_S + RIG_DAY_S);
    open_with(ROOT);
    platform_list(&fx.platform, foreign, SERIAL_C, ITEM_GOOD);
    keys_advance(0);
    cr_expect_eq(results("partial"), 1);
    cr_expect(keys_has(SERIAL_A));
    cr_expect_not(keys_has(SERIAL_C));
    platform_sign_with(&fx.platform, SERIAL_C, RIG_KEY_B);
    platform_clear(&fx.platform);
    platform_list(&fx.platform, foreign, SERIAL_C, ITEM_GOOD);
    keys_advance(21600 * 2);
    cr_expect_eq(results("whole"), 0);
    cr_expect_not(keys_has(SERIAL_C), "nor does it vouch for itself");
    X509_free(foreign);
}

/* Whatever it does, what verified goes on verifying. */
Test(wechat_manager, nothing_is_lost_when_the_platform_misbehaves)
{
    open_with(ROOT);
    keys_advance(0);
    cr_assert(keys_has(SERIAL_A) && keys_has(SERIAL_B));
    X509 *other = rig_certificate(RIG_CA, rig_pkey(RIG_KEY_B), SERIAL_C, RIG_NOW_S, RIG_NOW_S + 300 * RIG_DAY_S);
    platform_clear(&fx.platform);
    platform_list(&fx.platform, fx.a, SERIAL_A, ITEM_GOOD);
    platform_list(&fx.platform, other, SERIAL_C, ITEM_GOOD);
    int before = requests();
    for (int manner = PLATFORM_BEHAVES + 1; manner < PLATFORM_MANNERS_N; manner++) {
        if (manner == PLATFORM_HANGS) {
            continue; /* has a test of its own */
        }
        fx.platform.manner = (enum platform_manner)manner;
        keys_advance(22000 * 2);
        cr_expect_eq(requests(), before + 1, "manner %d", manner);
        before = requests();
        cr_expect(keys_has(SERIAL_A) && keys_has(SERIAL_B), "manner %d", manner);
        cr_expect_not(keys_has(SERIAL_C), "manner %d", manner);
        cr_expect_str_eq(keys_state(SERIAL_B), "preparing", "manner %d", manner);
    }
    cr_expect_eq(results("unverified"), 5);
    cr_expect_eq(results("probe"), 1);
    cr_expect_eq(results("unreachable"), 2);
    cr_expect_eq(results("malformed"), 3);
    cr_expect_eq(results("refused"), 3);
    cr_expect_eq(results("empty"), 1);
    cr_expect_eq(results("none"), 1);
    fx.platform.manner = PLATFORM_BEHAVES;
    keys_advance(22000 * 2);
    cr_expect(keys_has(SERIAL_C));
    cr_expect_str_eq(keys_state(SERIAL_B), "deprecated", "it is no longer on the list, and verifies");
    cr_expect_eq(keys_payment(SERIAL_B, RIG_KEY_B), REASON_OK);
    X509_free(other);
}

Test(wechat_manager, certificates_that_cannot_be_read_are_left_out)
{
    keys_accounts(ROOT, "");
    keys_manage(false);
    for (int fault = ITEM_GOOD + 1; fault < ITEM_FAULTS_N; fault++) {
        platform_clear(&fx.platform);
        platform_list(&fx.platform, fx.b, SERIAL_B, (enum platform_fault)fault);
        platform_list(&fx.platform, fx.a, SERIAL_A, ITEM_GOOD);
        keys_advance(22000 * 2);
        cr_expect_eq(results("partial"), fault, "fault %d", fault);
        cr_expect(keys_has(SERIAL_A), "fault %d", fault);
        cr_expect_not(keys_has(SERIAL_B), "fault %d", fault);
    }
}

Test(wechat_manager, public_keys_alone_are_no_error)
{
    keys_accounts("\"keys\": {\"PUB_KEY_ID_1\": \"public.pem\"}, ", "");
    keys_manage(false);
    for (int i = 0; i < 2; i++) {
        fx.platform.manner = i == 0 ? PLATFORM_EMPTY : PLATFORM_NOT_FOUND;
        keys_advance(22000 * 2);
        cr_expect_eq(requests(), i + 1);
        cr_expect_geq(wechat_manager_due_ms(fx.manager), (int64_t)21600 * 900, "asked again when it is time");
        cr_expect_eq(keys_payment("PUB_KEY_ID_1", RIG_KEY_B), REASON_OK);
    }
}

Test(wechat_manager, certificates_and_public_keys_verify_at_once)
{
    open_with("\"keys\": {\"PUB_KEY_ID_1\": \"public.pem\"}, " ROOT);
    keys_advance(0);
    cr_expect_eq(keys_payment("PUB_KEY_ID_1", RIG_KEY_B), REASON_OK);
    cr_expect_eq(keys_payment(SERIAL_A, RIG_KEY_A), REASON_OK);
    cr_expect_eq(keys_payment(SERIAL_B, RIG_KEY_B), REASON_OK);
    platform_sign_with(&fx.platform, "PUB_KEY_ID_1", RIG_KEY_B);
    keys_advance(22000 * 2);
    cr_expect_eq(results("whole"), 2, "the public key vouches for a list, too");
}

Test(wechat_manager, configured_keys_stay)
{
    X509 *usurper = rig_certificate(RIG_CA, rig_pkey(RIG_KEY_B), SERIAL_A, RIG_NOW_S, RIG_NOW_S + RIG_DAY_S);
    keys_accounts("\"keys\": {\"" SERIAL_A "\": \"a.pem\"}, " ROOT, "");
    keys_manage(false);
    platform_list(&fx.platform, usurper, SERIAL_A, ITEM_GOOD);
    keys_advance(0);
    cr_expect_eq(results("whole"), 1);
    cr_expect_eq(keys_payment(SERIAL_A, RIG_KEY_A), REASON_OK);
    cr_expect_eq(keys_payment(SERIAL_A, RIG_KEY_B), REASON_SIG_INVALID, "nobody takes a configured name");
    X509_free(usurper);
}

Test(wechat_manager, kept_certificates_are_not_replaced)
{
    X509 *usurper = rig_certificate(RIG_CA, rig_pkey(RIG_KEY_A), SERIAL_B, RIG_NOW_S, RIG_NOW_S + RIG_DAY_S);
    open_with(ROOT);
    keys_advance(0);
    platform_clear(&fx.platform);
    platform_list(&fx.platform, fx.a, SERIAL_A, ITEM_GOOD);
    platform_list(&fx.platform, usurper, SERIAL_B, ITEM_GOOD);
    keys_advance(22000 * 2);
    cr_expect_eq(keys_payment(SERIAL_B, RIG_KEY_B), REASON_OK);
    cr_expect_eq(keys_payment(SERIAL_B, RIG_KEY_A), REASON_SIG_INVALID);
    X509_free(usurper);
}

Test(wechat_manager, what_is_revoked_verifies_nothing)
{
    open_with("\"revoked\": [\"" SERIAL_A "\"], " ROOT);
    keys_advance(0);
    cr_expect_eq(results("unverified"), 1, "nor does it vouch for a list");
    platform_sign_with(&fx.platform, SERIAL_B, RIG_KEY_B);
    keys_advance(22000);
    cr_expect_not(keys_has(SERIAL_A));
    cr_expect(keys_has(SERIAL_B));
    keys_accounts("\"revoked\": [\"" SERIAL_A "\"], \"keys\": {\"" SERIAL_A "\": \"a.pem\"}, ", "");
    cr_expect_not(keys_has(SERIAL_A), "not even where it is configured");
}

Test(wechat_manager, accounts_of_one_merchant_share)
{
    keys_accounts(ROOT, ", \"shop2\": {\"mchid\": \"" PLATFORM_MCHID "\", \"apiv3_key_file\": \"apiv3.key\", "
                        "\"keys\": {\"PUB_KEY_ID_1\": \"public.pem\"}}");
    keys_manage(false);
    platform_list(&fx.platform, fx.a, SERIAL_A, ITEM_GOOD);
    keys_advance(0);
    CLEANUP(wechat_keys_unrefp)
    struct wechat_keys *keys = wechat_account_keys(accounts_find(fx.accounts, CHANNEL_WECHAT, "shop2"));
    cr_expect_not_null(wechat_keys_find(keys, SERIAL_A));
    cr_expect_not_null(wechat_keys_find(keys, "PUB_KEY_ID_1"));
    cr_expect_eq(requests(), 1);
}

/* ---------------------------------------------------------------------------------------------------- how often */

Test(wechat_manager, unknown_serials_ask_once_in_five_minutes)
{
    open_with(ROOT);
    keys_advance(0);
    cr_expect(wechat_manager_ask(fx.manager, keys_shop1(), SERIAL_C));
    cr_expect_not(wechat_manager_ask(fx.manager, keys_shop1(), SERIAL_C), "that is so already");
    keys_advance(WECHAT_ASK_EVERY_S - 1);
    cr_expect_eq(requests(), 1, "not before the five minutes are over");
    keys_advance(1);
    cr_expect_eq(requests(), 2);
    for (int i = 0; i < 1000; i++) {
        (void)wechat_manager_ask(fx.manager, keys_shop1(), SERIAL_C);
        keys_advance(0);
    }
    cr_expect_eq(requests(), 2);
    keys_advance(WECHAT_ASK_EVERY_S);
    cr_expect_eq(requests(), 3);
    keys_advance(WECHAT_ASK_EVERY_S);
    cr_expect_eq(requests(), 3, "nobody asked again");
}

Test(wechat_manager, an_unknown_serial_brings_news)
{
    open_with(ROOT);
    keys_advance(0);
    X509 *fresh = rig_certificate(RIG_CA, rig_pkey(RIG_KEY_B), SERIAL_C, RIG_NOW_S, RIG_NOW_S + RIG_DAY_S);
    platform_list(&fx.platform, fresh, SERIAL_C, ITEM_GOOD);
    keys_advance(3600);
    cr_expect_eq(keys_payment(SERIAL_C, RIG_KEY_B), REASON_SERIAL_UNKNOWN);
    cr_expect(wechat_manager_ask(fx.manager, keys_shop1(), SERIAL_C));
    keys_advance(0);
    cr_expect_eq(keys_payment(SERIAL_C, RIG_KEY_B), REASON_OK, "WeChat Pay sends it again");
    X509_free(fresh);
}

Test(wechat_manager, what_no_list_can_have_asks_for_nothing)
{
    static const char *const NAMES[] = {"PUB_KEY_ID_0114232134912410000000000000", "", "hello", SERIAL_A SERIAL_A,
                                        "..%2f"};
    open_with("\"revoked\": [\"" SERIAL_C "\"], " ROOT);
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
        cr_expect_not(wechat_manager_ask(fx.manager, keys_shop1(), NAMES[i]), "%s", NAMES[i]);
    }
    cr_expect_not(wechat_manager_ask(fx.manager, keys_shop1(), SERIAL_C), "revoked");
}

Test(wechat_manager, failures_are_tried_again_with_patience)
{
    open_with(ROOT);
    fx.platform.manner = PLATFORM_STATUS_500;
    int64_t waits_ms[12];
    for (size_t i = 0; i < ARRAY_SIZE(waits_ms); i++) {
        keys_advance(22000 * 2);
        waits_ms[i] = wechat_manager_due_ms(fx.manager);
    }
    cr_expect_geq(waits_ms[0], 54000);
    cr_expect_leq(waits_ms[0], 66000);
    for (size_t i = 1; i < ARRAY_SIZE(waits_ms); i++) {
        cr_expect_geq(waits_ms[i], waits_ms[i - 1] * 3 / 4, "longer and longer");
        cr_expect_leq(waits_ms[i], (int64_t)21600 * 1100, "but not for ever");
    }
    cr_expect_geq(waits_ms[11], (int64_t)21600 * 900);
    fx.platform.manner = PLATFORM_BEHAVES;
    keys_advance(22000 * 2);
    cr_expect(keys_has(SERIAL_A));
}

/* ---------------------------------------------------------------------------------------------------- its thread */

static void *ask_often(void *unused)
{
    for (int i = 0; i < 500; i++) {
        (void)wechat_manager_ask(fx.manager, keys_shop1(), SERIAL_C);
    }
    return unused;
}

static bool wait_for_key(const char *serial)
{
    int64_t deadline_ms = clock_mono_ms() + 20000;
    while (!keys_has(serial)) {
        if (clock_mono_ms() > deadline_ms) {
            return false;
        }
        clock_sleep_ms(2);
    }
    return true;
}

Test(wechat_manager, many_callers_make_one_request)
{
    pthread_t threads[CALLERS];
    struct err err = {0};
    open_with(ROOT);
    cr_assert_eq(wechat_manager_start(fx.manager, &err), RC_OK);
    cr_assert(wait_for_key(SERIAL_B));
    X509 *fresh = rig_certificate(RIG_CA, rig_pkey(RIG_KEY_B), SERIAL_C, RIG_NOW_S, RIG_NOW_S + RIG_DAY_S);
    platform_list(&fx.platform, fresh, SERIAL_C, ITEM_GOOD);
    fx.now_s += 301;
    fx.platform.now_s = fx.now_s;
    for (int i = 0; i < CALLERS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, ask_often, NULL), 0);
    }
    for (int i = 0; i < CALLERS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    cr_expect(wait_for_key(SERIAL_C));
    fx.manager = wechat_manager_free(fx.manager);
    cr_expect_eq(requests(), 2);
    X509_free(fresh);
}

Test(wechat_manager, ends_while_it_waits_for_an_answer)
{
    struct err err = {0};
    open_with(ROOT);
    fx.platform.manner = PLATFORM_HANGS;
    cr_assert_eq(wechat_manager_start(fx.manager, &err), RC_OK);
    cr_assert(stand_in_wait(fx.platform.server, 1));
    cr_expect_eq(keys_payment(SERIAL_A, RIG_KEY_A), REASON_SERIAL_UNKNOWN, "callers are not held up");
    cr_expect(wechat_manager_ask(fx.manager, keys_shop1(), SERIAL_A));
    fx.manager = wechat_manager_free(fx.manager);
}
