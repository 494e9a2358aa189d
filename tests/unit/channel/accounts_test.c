/* SPDX-License-Identifier: Apache-2.0 */
/* The accounts file: what is read, and which account and member is named when something is wrong. */
#include <criterion/criterion.h>
#include <openssl/ec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "channel/account_file.h"
#include "channel/alipay_account.h"
#include "channel/wechat_account.h"
#include "support/channel_rig.h"
#include "support/test_keys.h"

static struct rig rig;

static void setup(void)
{
    rig_begin(&rig);
}

static void teardown(void)
{
    rig_done(&rig);
}

TestSuite(accounts, .init = setup, .fini = teardown);

/* NULL: it is read. Otherwise what the error says behind the file's name. */
static const char *problem_of(const char *json)
{
    static struct err err;
    struct accounts *accounts = NULL;
    rig_put(&rig, "accounts.json", json, 0644);
    const char *path = rig_path(&rig, "accounts.json");
    enum rc rc = accounts_read(path, &accounts, &err);
    accounts = accounts_free(accounts);
    if (rc == RC_OK) {
        return NULL;
    }
    cr_expect(err_is_config(&err) && rc == RC_FATAL, "%s", err.text);
    cr_assert_eq(strncmp(err.text, path, strlen(path)), 0, "%s", err.text);
    return err.text + strlen(path) + 2;
}

struct row {
    const char *json;
    const char *says; /* how the error begins */
};

static void expect(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *got = problem_of(rows[i].json);
        cr_expect(got != NULL && strncmp(got, rows[i].says, strlen(rows[i].says)) == 0, "%s: got \"%s\", not \"%s\"",
                  rows[i].json, got == NULL ? "(read)" : got, rows[i].says);
    }
}

#define EXPECT(rows) expect((rows), ARRAY_SIZE(rows))
#define WECHAT(members) "{\"wechat\":{\"shop\":{" members "}}}"
#define ALIPAY(members) "{\"alipay\":{\"shop\":{" members "}}}"
#define USUAL_WECHAT "\"mchid\":\"1\",\"apiv3_key_file\":\"apiv3\",\"keys\":{\"S1\":\"a.pem\"}"
#define USUAL_ALIPAY "\"app_id\":\"1\",\"public_key_file\":\"bare\""

Test(accounts, each_mistake_names_account_and_member)
{
    static const struct row ROWS[] = {
        {"", "expected a JSON value"},
        {"[]", "expected a JSON object"},
        {"{\"wechat\":{},\"wechat\":{}}", "wechat: the member stands there twice"},
        {"{\"wechta\":{}}", "wechta: expected wechat, alipay, appstore, applepay or express; did you mean wechat?"},
        {"{\"wechat\":[]}", "wechat: expected an object"},
        {"{\"wechat\":{\"shop\":1}}", "wechat.shop: expected an object"},
        {"{\"wechat\":{\"sh op\":{}}}", "wechat.sh op: expected an account's name"},
        {"{\"wechat\":{\"\":{}}}", "wechat.: expected an account's name"},
        {WECHAT(""), "wechat.shop.mchid: the member is missing"},
        {WECHAT("\"mchid\":1"), "wechat.shop.mchid: expected the merchant's number"},
        {WECHAT("\"mchid\":\"1\""), "wechat.shop.apiv3_key_file: the member is missing"},
        {WECHAT(USUAL_WECHAT ",\"windows_s\":1"), "wechat.shop.windows_s: there is no such member here"},
        {WECHAT(USUAL_WECHAT ",\"window_s\":0"), "wechat.shop.window_s: expected a whole number from 1 to 86400"},
        {WECHAT(USUAL_WECHAT ",\"window_s\":1.5"), "wechat.shop.window_s: expected a whole number"},
        {WECHAT(USUAL_WECHAT ",\"window_s\":99999999999999999999"), "wechat.shop.window_s: expected a whole number"},
        {WECHAT("\"mchid\":\"1\",\"apiv3_key_file\":\"nowhere\""), "wechat.shop.apiv3_key_file: nowhere: No such file"},
        {WECHAT("\"mchid\":\"1\",\"apiv3_key_file\":\".\""), "wechat.shop.apiv3_key_file: . is not a file"},
        {WECHAT("\"mchid\":\"1\",\"apiv3_key_file\":\"private.pem\""),
         "wechat.shop.apiv3_key_file: private.pem has 17"},
        {WECHAT("\"mchid\":\"1\",\"apiv3_key_file\":\"apiv3\""),
         "wechat.shop.keys: expected a certificate or public key"},
        {WECHAT("\"mchid\":\"1\",\"apiv3_key_file\":\"apiv3\",\"keys\":[]"), "wechat.shop.keys: expected an object"},
        {WECHAT("\"mchid\":\"1\",\"apiv3_key_file\":\"apiv3\",\"keys\":{\"S\":1}"),
         "wechat.shop.keys.S: expected the name of a"},
        {WECHAT("\"mchid\":\"1\",\"apiv3_key_file\":\"apiv3\",\"keys\":{\"S 1\":\"a.pem\"}"),
         "wechat.shop.keys.S 1: expected a certificate's serial number"},
        {WECHAT("\"mchid\":\"1\",\"apiv3_key_file\":\"apiv3\",\"keys\":{\"S\":\"apiv3\"}"),
         "wechat.shop.keys.S: apiv3: expected a certificate or a public key"},
        {WECHAT("\"mchid\":\"1\",\"apiv3_key_file\":\"apiv3\",\"keys\":{\"S\":\"weak.pem\"}"),
         "wechat.shop.keys.S: weak.pem: the RSA key has 1024 bits"},
        {WECHAT("\"mchid\":\"1\",\"apiv3_key_file\":\"apiv3\",\"keys\":{\"S\":\"ec.pem\"}"),
         "wechat.shop.keys.S: ec.pem: the key is not an RSA key"},
        {WECHAT(USUAL_WECHAT ",\"merchant_serial\":\"AB\""), "wechat.shop.merchant_key_file: merchant_serial and"},
        {WECHAT(USUAL_WECHAT ",\"merchant_key_file\":\"private.pem\""),
         "wechat.shop.merchant_serial: merchant_serial and"},
        {WECHAT(USUAL_WECHAT ",\"merchant_serial\":\"AB\",\"merchant_key_file\":\"a.pem\""),
         "wechat.shop.merchant_key_file: a.pem holds a secret and has the mode 644"},
        {WECHAT(USUAL_WECHAT ",\"api_base\":\"https://x/\""), "wechat.shop.api_base: expected https://HOST"},
        {WECHAT(USUAL_WECHAT ",\"ip_policy\":\"allow\""), "wechat.shop.ip_policy: expected enforce or report"},
        {WECHAT(USUAL_WECHAT ",\"ip_policy\":\"enforce\""), "wechat.shop.ip_policy: enforce needs ip_allow_file"},
        {WECHAT(USUAL_WECHAT ",\"ip_allow_file\":\"bad_nets\""), "wechat.shop.ip_allow_file: bad_nets: "},
        {ALIPAY(""), "alipay.shop.app_id: the member is missing"},
        {ALIPAY("\"app_id\":\"1\""), "alipay.shop.public_key_file: expected it, or certs"},
        {ALIPAY(USUAL_ALIPAY ",\"sign_rule\":\"V3\""), "alipay.shop.sign_rule: expected V1 or V2"},
        {ALIPAY(USUAL_ALIPAY ",\"certs\":{\"1\":\"private.pem\"}"),
         "alipay.shop.certs.1: private.pem: expected a cert"},
        {ALIPAY(USUAL_ALIPAY ",\"app_private_key_file\":\"bare\""),
         "alipay.shop.app_private_key_file: bare holds a sec"},
        {ALIPAY(USUAL_ALIPAY ",\"gateway_url\":\"ftp://x\""), "alipay.shop.gateway_url: expected a URL"},
    };
    EVP_PKEY *weak_key = test_key(TEST_KEY_WEAK);
    EVP_PKEY *ec_key = EVP_EC_gen("P-256");
    CLEANUP(freep) char *weak = test_public_pem(weak_key);
    CLEANUP(freep) char *ec = test_public_pem(ec_key);
    EVP_PKEY_free(weak_key);
    EVP_PKEY_free(ec_key);
    rig_put(&rig, "weak.pem", weak, 0644);
    rig_put(&rig, "ec.pem", ec, 0644);
    rig_put(&rig, "bad_nets", "10.0.0.1/8\n", 0644);
    EXPECT(ROWS);
}

Test(accounts, secrets_are_for_their_owner_only)
{
    static const unsigned OPEN[] = {0640, 0604, 0660, 0644, 0602, 0620};
    for (size_t i = 0; i < ARRAY_SIZE(OPEN); i++) {
        rig_put(&rig, "apiv3", RIG_APIV3_KEY, OPEN[i]);
        const char *got = problem_of(WECHAT(USUAL_WECHAT));
        cr_assert_not_null(got, "%o", OPEN[i]);
        cr_expect_not_null(strstr(got, "wechat.shop.apiv3_key_file: apiv3 holds a secret"), "%s", got);
        cr_expect_null(strstr(got, RIG_APIV3_KEY));
    }
    cr_assert_eq(chmod(rig_path(&rig, "apiv3"), 0400), 0);
    cr_expect_null(problem_of(WECHAT(USUAL_WECHAT)));
    rig_put(&rig, "short", "0123456789abcdef0123456789abcde\n", 0600);
    const char *got = problem_of(WECHAT("\"mchid\":\"1\",\"apiv3_key_file\":\"short\""));
    cr_expect_str_eq(got, "wechat.shop.apiv3_key_file: short has 31 bytes, expected the 32 of the APIv3 key");
}

/* `sluice verify` reads one account, and says what is wrong with a call before what is wrong with the file. */
Test(accounts, one_account_is_read_alone_and_leniently)
{
    struct err err = {0};
    struct accounts *accounts = NULL;
    EVP_PKEY *weak_key = test_key(TEST_KEY_WEAK);
    CLEANUP(freep) char *weak = test_public_pem(weak_key);
    rig_put(&rig, "weak.pem", weak, 0644);
    rig_put(&rig, "apiv3", RIG_APIV3_KEY, 0644);
    rig_put(&rig, "accounts.json",
            "{\"wechat\":{\"bad\":{},\"shop\":{\"mchid\":\"1\",\"apiv3_key_file\":\"apiv3\",\"keys\":{\"W\":\"weak."
            "pem\"}}},"
            "\"alipay\":{\"shop\":{\"app_id\":\"1\",\"public_key_file\":\"weak.pem\"}}}",
            0644);
    CLEANUP(freep) char *path = xstrdup(rig_path(&rig, "accounts.json"));
    cr_assert_eq(accounts_read(path, &accounts, &err), RC_FATAL);
    cr_assert_eq(accounts_read_one(path, CHANNEL_WECHAT, "shop", &rig.accounts, &err), RC_OK, "%s", err.text);
    cr_assert_eq(accounts_count(rig.accounts), 1);
    EVP_PKEY_free(rig.key_a);
    rig.key_a = weak_key;
    struct call call;
    wechat_call_make(&rig, &(struct wechat_call){.serial = "W"}, &call);
    cr_expect_eq(rig_verify(&rig, CHANNEL_WECHAT, "shop", &call.capture, RIG_NOW), REASON_POLICY_WEAK_ALG);
    call_done(&call);
    rig.accounts = accounts_free(rig.accounts);
    cr_assert_eq(accounts_read_one(path, CHANNEL_ALIPAY, "shop", &rig.accounts, &err), RC_OK, "%s", err.text);
    alipay_call_make(&rig, &(struct alipay_call){0}, &call);
    cr_expect_eq(rig_verify(&rig, CHANNEL_ALIPAY, "shop", &call.capture, RIG_NOW), REASON_POLICY_WEAK_ALG);
    call_done(&call);
}

Test(accounts, what_is_too_large_is_refused)
{
    CLEANUP(freep) char *large = xcalloc(ACCOUNTS_FILE_BYTES_MAX + 2, 1);
    memset(large, ' ', ACCOUNTS_FILE_BYTES_MAX + 1);
    cr_expect_str_eq(problem_of(large), "more than 1048576 bytes");
    large[ACCOUNT_FILE_BYTES_MAX + 1] = '\0';
    rig_put(&rig, "a.pem", large, 0644);
    const char *got = problem_of(WECHAT(USUAL_WECHAT));
    cr_expect_str_eq(got, "wechat.shop.keys.S1: a.pem has more than 65536 bytes");
    CLEANUP(freep) char *deep = xcalloc(20001, 1);
    memset(deep, '[', 10000);
    cr_expect_not_null(strstr(problem_of(deep), "nested too deep"));
}

static struct accounts *read_ok(const char *json)
{
    struct err err = {0};
    struct accounts *accounts = NULL;
    rig_put(&rig, "accounts.json", json, 0644);
    cr_assert_eq(accounts_read(rig_path(&rig, "accounts.json"), &accounts, &err), RC_OK, "%s", err.text);
    return accounts;
}

Test(accounts, members_have_their_defaults)
{
    struct accounts *accounts = read_ok(
        "{\"wechat\":{\"z\":{" USUAL_WECHAT "},\"a.b-c_1\":{\"mchid\":\"7\",\"appid\":\"wx\",\"apiv3_key_file\":"
        "\"apiv3\",\"window_s\":300,\"merchant_serial\":\"AB12\",\"merchant_key_file\":\"private.pem\","
        "\"api_base\":\"http://127.0.0.1:1\",\"ip_allow_file\":\"nets\"}},\"express\":{\"kuaidi100\":{\"form\":"
        "\"kuaidi100\"}},\"alipay\":{\"z\":{" USUAL_ALIPAY "}}}");
    cr_assert_eq(accounts_count(accounts), 4);
    cr_expect_null(accounts_find(accounts, CHANNEL_WECHAT, "x"));
    cr_expect_null(accounts_find(accounts, CHANNEL_APPLEPAY, "z"));
    const struct account *usual = accounts_find(accounts, CHANNEL_WECHAT, "z");
    const struct account *set = accounts_find(accounts, CHANNEL_WECHAT, "a.b-c_1");
    const struct wechat_account *w = usual->own;
    cr_expect_eq(w->window_s, 180);
    cr_expect_str_eq(w->api_base, "https://api.mch.weixin.qq.com");
    cr_expect(w->merchant_key == NULL && !usual->has_list && !usual->enforce);
    cr_expect_arr_eq(w->apiv3_key, RIG_APIV3_KEY, 32);
    w = set->own;
    cr_expect_eq(w->window_s, 300);
    cr_expect_str_eq(w->merchant_serial, "AB12");
    cr_expect_str_eq(w->api_base, "http://127.0.0.1:1");
    cr_expect(rsa_can_sign(w->merchant_key) && set->has_list && !set->enforce);
    const struct alipay_account *a = accounts_find(accounts, CHANNEL_ALIPAY, "z")->own;
    cr_expect(a->rule == ALIPAY_RULE_V1 && a->window_s == 180 && a->n_certs == 0);
    cr_expect_str_eq(a->gateway_url, "https://openapi.alipay.com/gateway.do");
    accounts = accounts_free(accounts);
}

Test(accounts, there_may_be_as_many_as_the_ceiling_says)
{
    CLEANUP(buf_done) struct buf json;
    buf_init(&json, ACCOUNTS_FILE_BYTES_MAX);
    (void)buf_puts(&json, "{\"alipay\":{");
    for (int i = 0; i < ACCOUNTS_MAX; i++) {
        (void)buf_printf(&json, "%s\"n%d\":{" USUAL_ALIPAY "}", i == 0 ? "" : ",", i);
    }
    CLEANUP(freep) char *most = xasprintf("%s}}", buf_str(&json));
    CLEANUP(freep) char *more = xasprintf("%s,\"more\":{" USUAL_ALIPAY "}}}", buf_str(&json));
    struct accounts *accounts = read_ok(most);
    cr_expect_eq(accounts_count(accounts), ACCOUNTS_MAX);
    for (int i = 0; i < ACCOUNTS_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "n%d", i);
        cr_expect_not_null(accounts_find(accounts, CHANNEL_ALIPAY, name));
    }
    accounts = accounts_free(accounts);
    cr_expect_not_null(strstr(problem_of(more), "too many members"));
}

/* ------------------------------------------------------------------------------------------------------ findings */

struct said {
    char text[4096];
    size_t wrong;
};

static void say(void *opaque, const struct account *account, bool wrong, const char *text)
{
    struct said *said = opaque;
    size_t n = strlen(said->text);
    (void)snprintf(said->text + n, sizeof said->text - n, "%s %s\n", account->name, text);
    said->wrong += wrong;
}

static struct said check(const char *json, int64_t now_s)
{
    struct said said = {.wrong = 0};
    struct accounts *accounts = read_ok(json);
    for (size_t i = 0; i < accounts_count(accounts); i++) {
        const struct account *account = accounts_at(accounts, i);
        CHANNEL_OPS[account->channel].check(account, now_s, say, &said);
    }
    accounts = accounts_free(accounts);
    return said;
}

#define WITH_KEY(serial, file) \
    WECHAT("\"mchid\":\"1\",\"appid\":\"w\",\"apiv3_key_file\":\"apiv3\",\"keys\":{\"" serial "\":\"" file "\"}")

Test(accounts, what_will_go_wrong_is_said_before)
{
    cr_expect_str_eq(check(WITH_KEY(RIG_SERIAL, "a.pem"), RIG_NOW).text, "");
    cr_expect_str_eq(check(WITH_KEY("PUB_KEY_ID_1", "b.pem"), RIG_NOW).text, "");
    struct said said = check(WITH_KEY("A0B0C0D0E0F101112131415161718191A1B1C1D", "a.pem"), RIG_NOW);
    cr_expect(said.wrong == 1 && strstr(said.text, "the platform writes it as " RIG_SERIAL) != NULL, "%s", said.text);
    said = check(WITH_KEY("77", "a.pem"), RIG_NOW);
    cr_expect(said.wrong == 1 && strstr(said.text, "has the serial number " RIG_SERIAL) != NULL, "%s", said.text);
    said = check(WITH_KEY(RIG_SERIAL_OLD, "old.pem"), RIG_NOW);
    cr_expect(said.wrong == 1 && strstr(said.text, "has expired") != NULL, "%s", said.text);
    said = check(WITH_KEY(RIG_SERIAL, "a.pem"), RIG_NOW + 390 * 86400);
    cr_expect(said.wrong == 0 && strstr(said.text, "expires in 10 days") != NULL, "%s", said.text);
    said = check(ALIPAY("\"app_id\":\"1\",\"seller_id\":\"2\",\"certs\":{\"x\":\"a.pem\"}"), RIG_NOW);
    cr_expect(said.wrong == 1 && strstr(said.text, "has the SN ") != NULL, "%s", said.text);
    said = check(ALIPAY("\"app_id\":\"1\",\"seller_id\":\"2\",\"certs\":{\"x\":\"a.pem\"}"), RIG_NOW + 390 * 86400);
    cr_expect(said.wrong == 1 && strstr(said.text, "certs.x: the certificate expires in 10 days") != NULL, "%s",
              said.text);
    said = check(ALIPAY(USUAL_ALIPAY), RIG_NOW);
    cr_expect(said.wrong == 0 && strstr(said.text, "seller_id: not given") != NULL, "%s", said.text);
}
