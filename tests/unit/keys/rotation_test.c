/* SPDX-License-Identifier: Apache-2.0 */
/* A change of certificates from the first day to the last, and what is remembered over restarts. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "keys/expiry.h"
#include "keys/wechat_store.h"

#define ROOT "\"root_file\": \"root.pem\", "

TestSuite(wechat_rotation, .init = keys_open, .fini = keys_close, .timeout = 100);

static char *file_name(void)
{
    return xasprintf("%s/wechat-" PLATFORM_MCHID, fx.store);
}

static void restart(void)
{
    keys_accounts(ROOT, "");
    keys_manage(true);
}

static const char *both(void)
{
    static char text[64];
    (void)snprintf(text, sizeof text, "%s %s", keys_state(SERIAL_A), keys_state(SERIAL_B));
    return text;
}

static void expect_day(int day, const char *states, enum channel_reason a, enum channel_reason b)
{
    cr_expect_str_eq(both(), states, "day %d: %s", day, both());
    cr_expect_eq(keys_payment(SERIAL_A, RIG_KEY_A), a, "day %d: A", day);
    cr_expect_eq(keys_payment(SERIAL_B, RIG_KEY_B), b, "day %d: B", day);
}

/* B begins on day 25 and is listed from day 20 on; it begins to sign on day 100; A ends on day 200. */
static void live_day(int day, X509 *b)
{
    if (day == 20) {
        platform_list(&fx.platform, b, SERIAL_B, ITEM_GOOD);
    }
    if (day >= 100 && day < 110) {
        cr_expect_eq(keys_payment(SERIAL_B, RIG_KEY_B), REASON_OK, "day %d", day); /* grey release */
    }
    if (day == 110) {
        platform_clear(&fx.platform);
        platform_list(&fx.platform, b, SERIAL_B, ITEM_GOOD);
        platform_sign_with(&fx.platform, SERIAL_B, RIG_KEY_B);
    }
    keys_advance(RIG_DAY_S);
    if (day % 30 == 29) {
        restart(); /* nothing depends on what is in memory */
    }
}

Test(wechat_rotation, day_by_day)
{
    X509 *b =
        rig_certificate(RIG_CA, rig_pkey(RIG_KEY_B), SERIAL_B, RIG_NOW_S + 25 * RIG_DAY_S, RIG_NOW_S + 400 * RIG_DAY_S);
    platform_list(&fx.platform, fx.a, SERIAL_A, ITEM_GOOD);
    restart();
    keys_advance(0);
    for (int day = 0; day <= 235; day++) {
        if (day == 10 || day == 19) {
            expect_day(day, "active ", REASON_OK, REASON_SERIAL_UNKNOWN);
        } else if (day == 22) {
            cr_expect_str_eq(both(), "active preparing");
            cr_expect(keys_has(SERIAL_B), "also before its first day");
        } else if (day == 99) {
            cr_expect_str_eq(both(), "active preparing");
        } else if (day == 101 || day == 112 || day == 199) {
            expect_day(day, "deprecated active", REASON_OK, REASON_OK);
        } else if (day == 201 || day == 229) {
            expect_day(day, "expired active", REASON_CERT_EXPIRED, REASON_OK);
        } else if (day == 233) {
            expect_day(day, " active", REASON_SERIAL_UNKNOWN, REASON_OK);
        }
        live_day(day, b);
    }
    X509_free(b);
}

Test(wechat_rotation, restart_while_the_platform_is_away)
{
    struct stat st;
    CLEANUP(freep) char *path = file_name();
    platform_list(&fx.platform, fx.a, SERIAL_A, ITEM_GOOD);
    restart();
    keys_advance(0);
    cr_assert_eq(stat(path, &st), 0);
    cr_expect_eq(st.st_mode & 07777, 0600);
    cr_assert_eq(stat(fx.store, &st), 0);
    cr_expect_eq(st.st_mode & 07777, 0700);
    fx.platform.manner = PLATFORM_CLOSED;
    restart();
    cr_expect_eq(keys_payment(SERIAL_A, RIG_KEY_A), REASON_OK, "before anybody was asked");
    keys_advance(10);
    cr_expect_eq(keys_payment(SERIAL_A, RIG_KEY_A), REASON_OK);
    cr_expect_str_eq(keys_state(SERIAL_A), "active", "what was seen signing was");
}

/* ---------------------------------------------------------------------------------------------------- the file */

static char *slurp(const char *path, size_t *out_n)
{
    char *text = xcalloc(STORE_FILE_BYTES_MAX, 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, STORE_FILE_BYTES_MAX - 1);
    cr_assert_gt(n, 0);
    (void)close(fd);
    *out_n = (size_t)n;
    return text;
}

static void spit(const char *path, const char *text, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert_eq(write(fd, text, n), (ssize_t)n);
    (void)close(fd);
}

/* A file with A and B in it, made by the manager; the platform is away from then on. */
static char *make_file(size_t *out_n)
{
    CLEANUP(freep) char *path = file_name();
    platform_list(&fx.platform, fx.a, SERIAL_A, ITEM_GOOD);
    platform_list(&fx.platform, fx.b, SERIAL_B, ITEM_GOOD);
    restart();
    keys_advance(0);
    fx.platform.manner = PLATFORM_CLOSED;
    return slurp(path, out_n);
}

Test(wechat_rotation, a_file_that_was_changed_is_refused)
{
    size_t n = 0;
    CLEANUP(freep) char *path = file_name();
    CLEANUP(freep) char *text = make_file(&n);
    for (size_t at = 0; at < n; at += 97) {
        text[at] ^= 1;
        spit(path, text, n);
        restart();
        cr_expect_not(keys_has(SERIAL_A), "byte %zu", at);
        cr_expect_not(keys_has(SERIAL_B), "byte %zu", at);
        text[at] ^= 1;
    }
    for (size_t cut = 0; cut < n; cut += 501) {
        spit(path, text, cut);
        restart();
        cr_expect_not(keys_has(SERIAL_A), "cut at %zu", cut);
    }
    spit(path, text, n);
    restart();
    cr_expect(keys_has(SERIAL_A));
    fx.platform.manner = PLATFORM_BEHAVES;
    spit(path, "hello", 5);
    restart();
    keys_advance(0);
    cr_expect(keys_has(SERIAL_A), "the rest goes on");
    restart();
    cr_expect(keys_has(SERIAL_A), "and the file is made anew");
}

Test(wechat_rotation, a_file_of_others_is_refused)
{
    size_t n = 0;
    CLEANUP(freep) char *path = file_name();
    CLEANUP(freep) char *aside = xasprintf("%s.aside", path);
    free(make_file(&n));
    cr_assert_eq(chmod(path, 0640), 0);
    restart();
    cr_expect_not(keys_has(SERIAL_A), "others may read it");
    cr_assert_eq(chmod(path, 0600), 0);
    restart();
    cr_expect(keys_has(SERIAL_A));
    cr_assert_eq(rename(path, aside), 0);
    cr_assert_eq(symlink(aside, path), 0);
    restart();
    cr_expect_not(keys_has(SERIAL_A), "a link");
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(mkfifo(path, 0600), 0);
    restart();
    cr_expect_not(keys_has(SERIAL_A), "no file, and nobody waits for it");
}

Test(wechat_rotation, a_file_of_another_key_or_merchant_is_refused)
{
    static const unsigned char OTHER[] = "ffffffffffffffffffffffffffffffff";
    struct wechat_certs certs = {0};
    struct err err = {0};
    size_t n = 0;
    size_t bad = 0;
    CLEANUP(freep) char *text = make_file(&n);
    CLEANUP(freep) char *stolen = xasprintf("%s/wechat-1900000002", fx.store);
    struct wechat_store store = {.directory = fx.store, .mchid = PLATFORM_MCHID, .apiv3_key = OTHER};
    cr_expect_eq(wechat_store_read(&store, NULL, RIG_NOW_S, &certs, &bad, &err), RC_REJECT);
    cr_expect_not_null(strstr(err.text, "APIv3"), "%s", err.text);
    spit(stolen, text, n);
    store.apiv3_key = (const unsigned char *)RIG_APIV3_KEY;
    store.mchid = "1900000002";
    cr_expect_eq(wechat_store_read(&store, NULL, RIG_NOW_S, &certs, &bad, &err), RC_REJECT);
    cr_expect_eq(certs.n, 0);
}

Test(wechat_rotation, what_is_remembered_must_still_come_from_the_roots)
{
    struct wechat_certs certs = {0};
    struct err err = {0};
    struct wechat_store store = {
        .directory = fx.store, .mchid = PLATFORM_MCHID, .apiv3_key = (const unsigned char *)RIG_APIV3_KEY};
    X509 *foreign = rig_certificate(RIG_OTHER_CA, rig_pkey(RIG_KEY_B), SERIAL_C, RIG_NOW_S, RIG_NOW_S + RIG_DAY_S);
    cr_assert_eq(wechat_store_prepare(fx.store, &err), RC_OK);
    const struct {
        X509 *x509;
        const char *serial;
    } GIVEN[] = {{fx.a, SERIAL_A}, {foreign, SERIAL_C}};
    for (size_t i = 0; i < ARRAY_SIZE(GIVEN); i++) {
        CLEANUP(freep) char *pem = rig_certificate_pem(GIVEN[i].x509);
        cr_assert_eq(wechat_cert_read(pem, strlen(pem), GIVEN[i].serial, NULL, RIG_NOW_S, &certs.all[i], &err), RC_OK);
        certs.n++;
    }
    cr_assert_eq(wechat_store_write(&store, &certs, &err), RC_OK, "%s", err.text);
    wechat_certs_done(&certs);
    restart();
    cr_expect(keys_has(SERIAL_A), "the rest is taken");
    cr_expect_not(keys_has(SERIAL_C));
    X509_free(foreign);
}

Test(wechat_rotation, directories_of_no_use_are_told_at_once)
{
    struct err err = {0};
    CLEANUP(freep) char *file = xasprintf("%s/root.pem", fx.directory);
    CLEANUP(freep) char *deep = xasprintf("%s/a/b", fx.directory);
    CLEANUP(freep) char *open_to_all = xasprintf("%s/open", fx.directory);
    cr_assert_eq(mkdir(open_to_all, 0700), 0);
    cr_assert_eq(chmod(open_to_all, 0777), 0);
    const char *const NAMES[] = {file, deep, open_to_all};
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
        cr_expect_eq(wechat_store_prepare(NAMES[i], &err), RC_FATAL, "%s", NAMES[i]);
        cr_expect(err_is_config(&err));
    }
}

/* ---------------------------------------------------------------------------------------------------- alarm */

Test(wechat_rotation, alarm_rings_before_the_last_key_ends)
{
    keys_accounts("\"keys\": {\"" SERIAL_A "\": \"a.pem\"}, ",
                  ", \"shop2\": {\"mchid\": \"2\", \"apiv3_key_file\": \"apiv3.key\", \"keys\": {\"PUB_KEY_ID_1\": "
                  "\"public.pem\", \"" SERIAL_A "\": \"a.pem\"}}");
    struct expiry *x = expiry_create(fx.accounts);
    int64_t end_s = RIG_NOW_S + 200 * RIG_DAY_S;
    cr_expect_eq(expiry_look(x, RIG_NOW_S), 0);
    cr_expect_eq(expiry_look(x, end_s - KEYS_ALARM_S - 1), 0);
    cr_expect_eq(expiry_look(x, end_s - KEYS_ALARM_S), 1, "shop1, not shop2 with its public key");
    cr_expect_eq(expiry_look(x, end_s + RIG_DAY_S), 1);
    x = expiry_free(x);
    keys_accounts(ROOT, "");
    x = expiry_create(fx.accounts);
    cr_expect_eq(expiry_look(x, RIG_NOW_S), 1, "nothing to verify with at all");
    x = expiry_free(x);
}
