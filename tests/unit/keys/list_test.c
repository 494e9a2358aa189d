/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of certificates as bytes: what is taken of them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "keys/wechat_list.h"

#define ROOT "\"root_file\": \"root.pem\", "

static struct list_outcome outcome;

static void setup(void)
{
    keys_open();
    keys_accounts(ROOT, "");
}

static void teardown(void)
{
    wechat_certs_done(&outcome.certs);
    keys_close();
}

TestSuite(wechat_list, .init = setup, .fini = teardown, .timeout = 100);

static enum list_result look(void)
{
    CLEANUP(wechat_keys_unrefp) struct wechat_keys *known = wechat_account_keys(keys_shop1());
    const struct list_trust trust = {.own = keys_shop1()->own, .known = known, .now_s = fx.now_s};
    struct fetch_answer answer;
    wechat_certs_done(&outcome.certs);
    platform_answer(&fx.platform, &answer);
    wechat_list_read(&answer, &trust, &outcome);
    fetch_answer_done(&answer);
    return outcome.result;
}

Test(wechat_list, one_serial_is_one_certificate)
{
    platform_list(&fx.platform, fx.a, SERIAL_A, ITEM_GOOD);
    platform_list(&fx.platform, fx.a, SERIAL_A, ITEM_GOOD);
    cr_expect_eq(look(), LIST_WHOLE, "%s", outcome.why.text);
    cr_expect_eq(outcome.certs.n, 1);
    X509 *twin = rig_certificate(RIG_CA, rig_pkey(RIG_KEY_B), SERIAL_A, RIG_NOW_S, RIG_NOW_S + RIG_DAY_S);
    platform_list(&fx.platform, twin, SERIAL_A, ITEM_GOOD);
    cr_expect_eq(look(), LIST_PARTIAL);
    cr_expect_eq(outcome.certs.n, 1);
    cr_expect_not_null(strstr(outcome.why.text, "same serial number"), "%s", outcome.why.text);
    X509_free(twin);
}

Test(wechat_list, serials_are_those_of_the_certificates)
{
    platform_sign_with(&fx.platform, SERIAL_B, RIG_KEY_B);
    platform_list(&fx.platform, fx.a, SERIAL_C, ITEM_GOOD);
    platform_list(&fx.platform, fx.b, SERIAL_B, ITEM_GOOD);
    cr_expect_eq(look(), LIST_PARTIAL);
    cr_expect_not_null(strstr(outcome.why.text, "another serial number"), "%s", outcome.why.text);
    cr_expect_eq(outcome.certs.n, 1);
}

Test(wechat_list, a_thousand_certificates_are_too_many)
{
    for (int i = 0; i < PLATFORM_ITEMS_MAX; i++) {
        platform_list(&fx.platform, fx.a, SERIAL_A, ITEM_GOOD);
    }
    cr_expect_eq(look(), LIST_MALFORMED);
    cr_expect_eq(outcome.certs.n, 0);
    fx.platform.n = CERTS_MAX + 1;
    cr_expect_eq(look(), LIST_MALFORMED);
    cr_expect_not_null(strstr(outcome.why.text, "at most 16"), "%s", outcome.why.text);
    fx.platform.n = CERTS_MAX;
    cr_expect_eq(look(), LIST_WHOLE, "%s", outcome.why.text);
    for (size_t i = CERTS_MAX; i < PLATFORM_ITEMS_MAX; i++) {
        X509_free(fx.platform.items[i].certificate);
    }
}

Test(wechat_list, weak_keys_are_left_out)
{
    EVP_PKEY *weak = EVP_RSA_gen(1024);
    EVP_PKEY *curve = EVP_EC_gen("P-256");
    X509 *w = rig_certificate(RIG_CA, weak, SERIAL_B, RIG_NOW_S, RIG_NOW_S + RIG_DAY_S);
    X509 *c = rig_certificate(RIG_CA, curve, SERIAL_C, RIG_NOW_S, RIG_NOW_S + RIG_DAY_S);
    X509 *absurd = rig_certificate(RIG_CA, rig_pkey(RIG_KEY_B), "0D", RIG_NOW_S, RIG_NOW_S - RIG_DAY_S);
    platform_list(&fx.platform, fx.a, SERIAL_A, ITEM_GOOD);
    platform_list(&fx.platform, w, SERIAL_B, ITEM_GOOD);
    platform_list(&fx.platform, c, SERIAL_C, ITEM_GOOD);
    platform_list(&fx.platform, absurd, "0D", ITEM_GOOD);
    cr_expect_eq(look(), LIST_PARTIAL);
    cr_expect_eq(outcome.bad, 3);
    cr_expect_eq(outcome.certs.n, 1);
    X509_free(w);
    X509_free(c);
    X509_free(absurd);
    EVP_PKEY_free(weak);
    EVP_PKEY_free(curve);
}

Test(wechat_list, an_expired_certificate_vouches_for_nothing)
{
    X509 *old = rig_certificate(RIG_CA, rig_pkey(RIG_KEY_A), SERIAL_C, RIG_NOW_S - 10 * RIG_DAY_S, RIG_NOW_S - 1);
    platform_list(&fx.platform, old, SERIAL_C, ITEM_GOOD);
    platform_list(&fx.platform, fx.b, SERIAL_B, ITEM_GOOD);
    platform_sign_with(&fx.platform, SERIAL_C, RIG_KEY_A);
    cr_expect_eq(look(), LIST_UNVERIFIED);
    cr_expect_not_null(strstr(outcome.why.text, "expired"), "%s", outcome.why.text);
    X509_free(old);
}

Test(wechat_list, all_undecryptable_says_so)
{
    platform_list(&fx.platform, fx.a, SERIAL_A, ITEM_OTHER_APIV3_KEY);
    cr_expect_eq(look(), LIST_MALFORMED);
    cr_expect_not_null(strstr(outcome.why.text, "APIv3 key"), "%s", outcome.why.text);
}
