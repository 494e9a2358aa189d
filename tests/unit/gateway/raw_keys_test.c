/* SPDX-License-Identifier: Apache-2.0 */
/* Keys for what channels have sent: the file, sealing, rotation. */
#include "gateway/raw_keys.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define K1 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define K2 "/v79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA="

static struct err err;

static enum rc read_text(const char *text, mode_t mode, struct raw_keys **out)
{
    char path[] = "/tmp/sluice-raw-keys.XXXXXX";
    int fd = mkstemp(path);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    cr_assert_eq(fchmod(fd, mode), 0);
    (void)close(fd);
    enum rc rc = raw_keys_read(path, out, &err);
    (void)unlink(path);
    return rc;
}

static struct raw_keys *good(const char *text)
{
    struct raw_keys *keys = NULL;
    cr_assert_eq(read_text(text, 0600, &keys), RC_OK, "%s", err.text);
    return keys;
}

Test(raw_keys, wrong_files_are_told_by_line_and_never_by_content)
{
    static const struct {
        const char *text, *says;
    } CASES[] = {
        {"", "no key in it"},
        {"# nothing\n\n", "no key in it"},
        {"k1\n", ":1: expected the key's id"},
        {"\nk1 " K1 " more\n", ":2: expected the key's id"},
        {"k/1 " K1 "\n", ":1: expected the key's id"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa " K1 "\n", ":1: expected the key's id"},
        {"k1 AAECAwQFBgcICQoLDA0ODw==\n", "not the base64 of 32 bytes"},
        {"k1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8AAAA=\n", "not the base64 of 32 bytes"},
        {"k1 " K1 "\nk2 secret-that-is-no-key\n", ":2: the key is not the base64"},
        {"k1 " K1 "\nk1 " K2 "\n", ":2: the id of this key stands in the file before"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct raw_keys *keys = NULL;
        cr_assert_eq(read_text(CASES[i].text, 0600, &keys), RC_FATAL, "%zu", i);
        cr_expect(err_is_config(&err));
        cr_expect_not_null(strstr(err.text, CASES[i].says), "%zu: %s", i, err.text);
        cr_expect_null(strstr(err.text, "AAEC"), "%s", err.text);
        cr_expect_null(strstr(err.text, "secret"), "%s", err.text);
    }
}

Test(raw_keys, a_file_that_others_can_read_is_refused)
{
    static const mode_t MODES[] = {0644, 0640, 0604, 0602};
    struct raw_keys *keys = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(MODES); i++) {
        cr_assert_eq(read_text("k1 " K1 "\n", MODES[i], &keys), RC_FATAL);
        cr_expect_not_null(strstr(err.text, "mode 0600"), "%s", err.text);
    }
    cr_assert_eq(raw_keys_read("/nonexistent/keys", &keys, &err), RC_FATAL);
    cr_expect(err_is_config(&err));
}

Test(raw_keys, a_first_key_is_made_once)
{
    char directory[] = "/tmp/sluice-raw-make.XXXXXX";
    CLEANUP(raw_keys_freep) struct raw_keys *one = NULL;
    CLEANUP(raw_keys_freep) struct raw_keys *two = NULL;
    struct stat st;
    bool made = false;
    cr_assert_not_null(mkdtemp(directory));
    CLEANUP(freep) char *accounts = xasprintf("%s/accounts.json", directory);
    CLEANUP(freep) char *path = raw_keys_beside(accounts);
    CLEANUP(freep) char *nowhere = xasprintf("%s/no/raw.keys", directory);
    cr_assert_eq(raw_keys_make(path, &made, &err), RC_OK, "%s", err.text);
    cr_assert(made);
    cr_assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    cr_assert_eq(raw_keys_read(path, &one, &err), RC_OK, "%s", err.text);
    cr_assert_eq(raw_keys_make(path, &made, &err), RC_OK);
    cr_assert(!made, "the one that is there stays");
    cr_assert_eq(raw_keys_read(path, &two, &err), RC_OK);
    cr_assert_str_eq(raw_keys_current(one), raw_keys_current(two));
    cr_assert_eq(raw_keys_make(nowhere, &made, &err), RC_FATAL);
    cr_expect(err_is_config(&err) && !made);
    cr_assert(unlink(path) == 0 && rmdir(directory) == 0, "and nothing else was left there");
    cr_assert_str_eq(raw_keys_current(two), raw_keys_current(one));
}

Test(raw_keys, the_first_encrypts_and_all_decrypt)
{
    CLEANUP(raw_keys_freep) struct raw_keys *old = good("# since March\nk1 " K1 "\r\n");
    CLEANUP(raw_keys_freep) struct raw_keys *new = good("k2\t" K2 " \nk1 " K1);
    unsigned char sealed[RAW_SEALED_BYTES(5)];
    unsigned char again[RAW_SEALED_BYTES(5)];
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 100);
    cr_assert_str_eq(raw_keys_current(old), "k1");
    cr_assert_str_eq(raw_keys_current(new), "k2");
    raw_seal(old, "row", "body", "hello", 5, sealed);
    raw_seal(old, "row", "body", "hello", 5, again);
    cr_assert_neq(memcmp(sealed, again, sizeof sealed), 0, "a nonce of its own each time");
    cr_assert_eq(raw_open(new, "k1", "row", "body", sealed, sizeof sealed, &out, &err), RC_OK, "%s", err.text);
    cr_assert_str_eq(buf_str(&out), "hello");
    cr_assert_eq(raw_open(new, "k2", "row", "body", sealed, sizeof sealed, &out, &err), RC_REJECT);
    cr_assert_eq(raw_open(old, "k2", "row", "body", sealed, sizeof sealed, &out, &err), RC_REJECT);
    cr_assert_eq(raw_open(old, "k1", "row2", "body", sealed, sizeof sealed, &out, &err), RC_REJECT);
    cr_assert_eq(raw_open(old, "k1", "row", "headers", sealed, sizeof sealed, &out, &err), RC_REJECT);
    cr_assert_str_eq(buf_str(&out), "hello", "nothing is added where it fails");
    for (size_t n = 0; n < sizeof sealed; n++) {
        cr_assert_eq(raw_open(old, "k1", "row", "body", sealed, n, &out, &err), RC_REJECT, "cut at %zu", n);
    }
}

Test(raw_keys, nothing_can_be_sealed_too)
{
    CLEANUP(raw_keys_freep) struct raw_keys *keys = good("k1 " K1 "\n");
    unsigned char sealed[RAW_SEALED_BYTES(0)];
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 0);
    raw_seal(keys, "row", "body", "", 0, sealed);
    cr_assert_eq(raw_open(keys, "k1", "row", "body", sealed, sizeof sealed, &out, &err), RC_OK, "%s", err.text);
    cr_assert_eq(out.len, 0);
}
