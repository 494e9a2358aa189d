/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel/wechat_sign.h"

struct keys_fixture fx;

static int64_t utc_s(void *unused)
{
    (void)unused;
    return fx.now_s;
}

static int64_t mono_ms(void *unused)
{
    (void)unused;
    return (fx.now_s - RIG_NOW_S) * 1000 + 1;
}

void keys_open(void)
{
    fx = (struct keys_fixture){.directory = rig_directory(), .now_s = RIG_NOW_S};
    fx.store = xasprintf("%s/certificates", fx.directory);
    platform_start(&fx.platform);
    fx.a = rig_certificate(RIG_CA, rig_pkey(RIG_KEY_A), SERIAL_A, RIG_NOW_S - 100 * RIG_DAY_S,
                           RIG_NOW_S + 200 * RIG_DAY_S);
    fx.b = rig_certificate(RIG_CA, rig_pkey(RIG_KEY_B), SERIAL_B, RIG_NOW_S - RIG_DAY_S, RIG_NOW_S + 400 * RIG_DAY_S);
    platform_sign_with(&fx.platform, SERIAL_A, RIG_KEY_A);
    CLEANUP(freep) char *root = rig_certificate_pem(rig_root(RIG_CA));
    CLEANUP(freep) char *other = rig_certificate_pem(rig_root(RIG_OTHER_CA));
    CLEANUP(freep) char *a = rig_certificate_pem(fx.a);
    CLEANUP(freep) char *public_b = rig_public_pem(RIG_KEY_B);
    rig_write(fx.directory, "root.pem", root);
    rig_write(fx.directory, "other-root.pem", other);
    rig_write(fx.directory, "a.pem", a);
    rig_write(fx.directory, "public.pem", public_b);
}

void keys_close(void)
{
    fx.manager = wechat_manager_free(fx.manager);
    fx.accounts = accounts_free(fx.accounts);
    platform_stop(&fx.platform);
    X509_free(fx.a);
    X509_free(fx.b);
    free(fx.store);
    rig_directory_remove(fx.directory);
}

void keys_accounts(const char *members, const char *others)
{
    char base[64];
    fx.manager = wechat_manager_free(fx.manager);
    fx.accounts = accounts_free(fx.accounts);
    platform_api_base(&fx.platform, base);
    CLEANUP(freep)
    char *json =
        xasprintf("{\"wechat\": {\"shop1\": {%s\"mchid\": \"" PLATFORM_MCHID "\", \"apiv3_key_file\": \"apiv3.key\", "
                  "\"merchant_serial\": \"" PLATFORM_MERCHANT_SERIAL "\", \"merchant_key_file\": \"merchant.pem\", "
                  "\"api_base\": \"%s\"}%s}}",
                  members, base, others);
    fx.accounts = rig_accounts(fx.directory, json);
}

void keys_manage(bool remembers)
{
    struct err err = {0};
    const struct wechat_manager_options opt = {.accounts = fx.accounts,
                                               .poll_s = 21600,
                                               .timeout_ms = 600000,
                                               .directory = remembers ? fx.store : "",
                                               .utc_s = utc_s,
                                               .mono_ms = mono_ms};
    fx.manager = wechat_manager_free(fx.manager);
    cr_assert_eq(wechat_manager_create(&opt, &fx.manager, &err), RC_OK, "%s", err.text);
}

const struct account *keys_shop1(void)
{
    return accounts_find(fx.accounts, CHANNEL_WECHAT, "shop1");
}

bool keys_has(const char *serial)
{
    CLEANUP(wechat_keys_unrefp) struct wechat_keys *keys = wechat_account_keys(keys_shop1());
    return wechat_keys_find(keys, serial) != NULL;
}

void keys_advance(int64_t seconds)
{
    fx.now_s += seconds;
    fx.platform.now_s = fx.now_s;
    wechat_manager_turn(fx.manager);
}

const char *keys_state(const char *serial)
{
    enum cert_state state = CERT_PREPARING;
    return wechat_manager_state(fx.manager, PLATFORM_MCHID, serial, &state) ? cert_state_name(state) : "";
}

enum channel_reason keys_payment(const char *serial, enum rig_key key)
{
    const struct wechat_notice notice = {.id = "n1",
                                         .type = "TRANSACTION.SUCCESS",
                                         .mchid = PLATFORM_MCHID,
                                         .payment_id = "o1",
                                         .txn_id = "t1",
                                         .amount = 100,
                                         .currency = "CNY",
                                         .at_s = fx.now_s};
    struct err err = {0};
    struct arena arena;
    struct verdict verdict;
    CLEANUP(buf_done) struct buf body;
    CLEANUP(buf_done) struct buf headers;
    CLEANUP(header_file_done) struct header_file lines = {0};
    arena_init(&arena, 4096);
    buf_init(&body, 65536);
    buf_init(&headers, 65536);
    wechat_notice_body(&notice, (const unsigned char *)RIG_APIV3_KEY, &body);
    cr_assert_eq(wechat_sign_headers(rig_rsa(key), serial, fx.now_s, NULL, body.data, body.len, &headers, &err), RC_OK);
    cr_assert_eq(header_file_parse(buf_str(&headers), headers.len, &lines, &err), RC_OK);
    const struct capture c = {.headers = lines.lines, .n_headers = lines.n, .body = body.data, .body_n = body.len};
    enum channel_reason reason = channel_verify(keys_shop1(), &c, fx.now_s, &arena, &verdict);
    arena_done(&arena);
    return reason;
}
