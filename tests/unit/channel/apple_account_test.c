/* SPDX-License-Identifier: Apache-2.0 */
/* Apple's sections of the accounts file: what is read, what is refused, what is warned of. */
#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apple_fixture.h"
#include "channel/applepay_account.h"
#include "channel/appstore_account.h"
#include "channel/appstore_sign.h"

#define DIR_MAX 64
#define FILES_MAX 16

static char directory[DIR_MAX];
static char files[FILES_MAX][2 * DIR_MAX];
static size_t n_files;
static struct authority apple;

static const char *write_file(const char *name, const void *bytes, size_t n, mode_t mode)
{
    char path[2 * DIR_MAX];
    size_t at = 0;
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    while (at < n_files && strcmp(files[at], path) != 0) {
        at++;
    }
    n_files += at == n_files;
    cr_assert_lt(at, FILES_MAX);
    (void)snprintf(files[at], sizeof files[at], "%s", path);
    FILE *f = fopen(path, "wb");
    cr_assert(f != NULL && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
    cr_assert_eq(chmod(path, mode), 0);
    return files[at];
}

static void write_certificate(const char *name, X509 *certificate)
{
    struct err err;
    CLEANUP(buf_done) struct buf pem;
    buf_init(&pem, 1 << 16);
    cr_assert_eq(ca_write_certificate(certificate, &pem, &err), RC_OK);
    (void)write_file(name, pem.data, pem.len, 0644);
}

static void write_key(const char *name, EVP_PKEY *key, mode_t mode)
{
    struct err err;
    CLEANUP(buf_done) struct buf pem;
    buf_init(&pem, 1 << 16);
    cr_assert_eq(ca_write_key(key, &pem, &err), RC_OK);
    (void)write_file(name, pem.data, pem.len, mode);
}

static void write_merchant(const char *certificate, const char *key, const char *id, const char *kind)
{
    struct err err;
    X509 *x = NULL;
    EVP_PKEY *k = NULL;
    cr_assert_eq(ca_merchant_make(id, kind, NOW, &x, &k, &err), RC_OK);
    write_certificate(certificate, x);
    write_key(key, k, 0600);
    X509_free(x);
    EVP_PKEY_free(k);
}

static void setup(void)
{
    unsigned char *der = NULL;
    (void)snprintf(directory, sizeof directory, "/tmp/sluice-apple-XXXXXX");
    cr_assert_not_null(mkdtemp(directory));
    authority_make(CA_APPSTORE, NULL, &apple);
    write_certificate("root.pem", apple.chain.root);
    int n = i2d_X509(apple.chain.root, &der);
    (void)write_file("root.der", der, (size_t)n, 0644);
    OPENSSL_free(der);
    write_merchant("m.pem", "m.key", "merchant.com.example", "P-256");
    write_merchant("wide.pem", "wide.key", "merchant.com.example", "P-384");
    write_key("open.key", apple.chain.key, 0644);
    (void)write_file("text", "hello\n", 6, 0600);
}

static void teardown(void)
{
    for (size_t i = 0; i < n_files; i++) {
        (void)unlink(files[i]);
    }
    (void)rmdir(directory);
    authority_done(&apple);
    fixture_done();
}

TestSuite(apple_account, .init = setup, .fini = teardown);

static enum rc read_json(const char *json, struct accounts **out, struct err *err)
{
    return accounts_read(write_file("accounts.json", json, strlen(json), 0600), out, err);
}

static struct accounts *good(const char *json)
{
    struct err err;
    struct accounts *accounts = NULL;
    cr_assert_eq(read_json(json, &accounts, &err), RC_OK, "%s: %s", json, err.text);
    return accounts;
}

#define STORE(rest) "{\"appstore\":{\"game1\":{\"bundle_id\":\"com.example.game\"," rest "}}}"
#define PAY(rest) "{\"applepay\":{\"shop1\":{\"root_file\":\"root.pem\"," rest "}}}"
#define MERCHANT "\"merchant_certificate_file\":\"m.pem\",\"merchant_key_file\":\"m.key\""

Test(apple_account, an_app_is_read)
{
    struct accounts *accounts =
        good(STORE("\"app_apple_id\":7,\"environment\":\"Production\",\"root_file\":\"root.pem\""));
    const struct account *account = accounts_find(accounts, CHANNEL_APPSTORE, "game1");
    const struct appstore_account *own = account->own;
    cr_assert_str_eq(own->bundle_id, "com.example.game");
    cr_assert(own->production && own->app_apple_id == 7 && !own->effective_now);
    cr_assert_eq(CHANNEL_OPS[CHANNEL_APPSTORE].expires_s(account), NOW + 1000 * (int64_t)DAY);
    accounts = accounts_free(accounts);
    accounts = good(STORE("\"environment\":\"Sandbox\",\"root_file\":\"root.der\",\"strict_extensions\":false,"
                          "\"effective_date\":\"now\""));
    own = accounts_find(accounts, CHANNEL_APPSTORE, "game1")->own;
    cr_assert(!own->production && own->effective_now);
    (void)accounts_free(accounts);
}

/* The members that change how chains are checked do so. */
Test(apple_account, strictness_and_effective_date_come_from_the_file)
{
    static const struct {
        const char *json;
        enum channel_reason odd, late;
    } rows[] = {
        {STORE("\"environment\":\"Sandbox\",\"root_file\":\"odd.pem\""), REASON_CHAIN_INVALID, REASON_CHAIN_INVALID},
        {STORE("\"environment\":\"Sandbox\",\"root_file\":\"odd.pem\",\"strict_extensions\":true"),
         REASON_CHAIN_INVALID, REASON_CHAIN_INVALID},
        {STORE("\"environment\":\"Sandbox\",\"root_file\":\"odd.pem\",\"strict_extensions\":false"), REASON_OK,
         REASON_OK},
        {STORE("\"environment\":\"Sandbox\",\"root_file\":\"odd.pem\",\"strict_extensions\":false,"
               "\"effective_date\":\"now\""),
         REASON_OK, REASON_CHAIN_EXPIRED},
    };
    CLEANUP(authority_done) struct authority odd;
    CLEANUP(buf_done) struct buf body;
    struct err err;
    const struct appstore_notice notice = {.uuid = "1",
                                           .type = "TEST",
                                           .bundle_id = "com.example.game",
                                           .environment = "Sandbox",
                                           .signed_ms = NOW * 1000};
    authority_make(CA_APPSTORE, &(struct oddity){.without_key_ids = true}, &odd);
    write_certificate("odd.pem", odd.chain.root);
    buf_init(&body, 1 << 17);
    cr_assert_eq(appstore_sign(&odd.chain, &notice, &body, &err), RC_OK);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct accounts *accounts = good(rows[i].json);
        const struct account *account = accounts_find(accounts, CHANNEL_APPSTORE, "game1");
        expect_reason(CHANNEL_APPSTORE, verdict_on(account, buf_str(&body), body.len, NOW), rows[i].odd, rows[i].json);
        expect_reason(CHANNEL_APPSTORE, verdict_on(account, buf_str(&body), body.len, NOW + 20 * (int64_t)DAY),
                      rows[i].late, rows[i].json);
        (void)accounts_free(accounts);
    }
}

Test(apple_account, a_merchant_is_read)
{
    write_merchant("rsa.pem", "rsa.key", "merchant.com.example", "RSA");
    struct accounts *accounts = good(PAY(MERCHANT));
    const struct applepay_account *own = accounts_find(accounts, CHANNEL_APPLEPAY, "shop1")->own;
    cr_assert_eq(own->window_s, 300);
    cr_assert_null(own->rsa.key);
    cr_assert_eq(strlen(own->merchant), 64);
    accounts = accounts_free(accounts);
    accounts = good(PAY(MERCHANT ",\"rsa_certificate_file\":\"rsa.pem\",\"rsa_key_file\":\"rsa.key\",\"window_s\":60,"
                                 "\"merchant_id\":\"merchant.com.example\""));
    own = accounts_find(accounts, CHANNEL_APPLEPAY, "shop1")->own;
    cr_assert_eq(own->window_s, 60);
    cr_assert_not_null(own->rsa.key);
    cr_assert_eq(CHANNEL_OPS[CHANNEL_APPLEPAY].expires_s(accounts_at(accounts, 0)), NOW + 1000 * (int64_t)DAY);
    (void)accounts_free(accounts);
}

Test(apple_account, mistakes_are_one_message_with_the_member_s_name)
{
    static const struct {
        const char *json, *message;
    } rows[] = {
        {STORE("\"environment\":\"Sandbox\""), "appstore.game1.root_file"},
        {STORE("\"root_file\":\"root.pem\""), "appstore.game1.environment"},
        {STORE("\"environment\":\"sandbox\",\"root_file\":\"root.pem\""), "expected Production or Sandbox"},
        {STORE("\"environment\":\"Production\",\"root_file\":\"root.pem\""), "appstore.game1.app_apple_id"},
        {STORE("\"environment\":\"Production\",\"app_apple_id\":\"7\",\"root_file\":\"root.pem\""),
         "appstore.game1.app_apple_id"},
        {STORE("\"environment\":\"Sandbox\",\"root_file\":\"none.pem\""), "none.pem"},
        {STORE("\"environment\":\"Sandbox\",\"root_file\":\"text\""), "root_file: text: expected a certificate"},
        {STORE("\"environment\":\"Sandbox\",\"root_file\":\"root.pem\",\"strict\":false"), "appstore.game1.strict"},
        {STORE("\"environment\":\"Sandbox\",\"root_file\":\"root.pem\",\"strict_extensions\":\"no\""),
         "strict_extensions: expected true or false"},
        {STORE("\"environment\":\"Sandbox\",\"root_file\":\"root.pem\",\"effective_date\":\"yesterday\""),
         "expected signed or now"},
        {"{\"appstore\":{\"game1\":{\"bundle_id\":\"com "
         "example\",\"environment\":\"Sandbox\",\"root_file\":\"root.pem\"}}}",
         "bundle_id"},
        {PAY("\"merchant_key_file\":\"m.key\""), "applepay.shop1.merchant_certificate_file"},
        {PAY("\"merchant_certificate_file\":\"m.pem\",\"merchant_key_file\":\"open.key\""), "has the mode 644"},
        {PAY("\"merchant_certificate_file\":\"m.pem\",\"merchant_key_file\":\"text\""), "expected a private key"},
        {PAY("\"merchant_certificate_file\":\"m.pem\",\"merchant_key_file\":\"wide.key\""),
         "wide.key is not the key of the certificate in m.pem"},
        {PAY("\"merchant_certificate_file\":\"wide.pem\",\"merchant_key_file\":\"wide.key\""),
         "expected a key on P-256"},
        {PAY("\"merchant_certificate_file\":\"text\",\"merchant_key_file\":\"m.key\""),
         "merchant_certificate_file: text: expected a certificate"},
        {PAY(MERCHANT ",\"rsa_key_file\":\"rsa.key\""), "rsa_certificate_file and rsa_key_file go together"},
        {PAY(MERCHANT ",\"rsa_certificate_file\":\"m.pem\",\"rsa_key_file\":\"m.key\""), "expected an RSA key"},
        {PAY(MERCHANT ",\"merchant_id\":\"merchant.other\""), "the certificate is another merchant's"},
        {PAY(MERCHANT ",\"window_s\":0"), "applepay.shop1.window_s"},
        {PAY(MERCHANT ",\"window_s\":86401"), "applepay.shop1.window_s"},
    };
    write_merchant("rsa.pem", "rsa.key", "merchant.com.example", "RSA");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct err err = {0};
        struct accounts *accounts = NULL;
        cr_assert_eq(read_json(rows[i].json, &accounts, &err), RC_FATAL, "%s", rows[i].json);
        cr_assert(err_is_config(&err));
        cr_assert_not_null(strstr(err.text, rows[i].message), "%s: %s", rows[i].json, err.text);
        cr_assert_null(strstr(err.text, "PRIVATE"), "%s", err.text);
    }
}

/* A certificate without the merchant's hash is one for something else. */
Test(apple_account, a_merchant_s_certificate_has_the_hash_of_his_id)
{
    struct err err = {0};
    struct accounts *accounts = NULL;
    write_certificate("leaf.pem", apple.chain.leaf);
    write_key("leaf.key", apple.chain.key, 0600);
    cr_assert_eq(read_json(PAY("\"merchant_certificate_file\":\"leaf.pem\",\"merchant_key_file\":\"leaf.key\""),
                           &accounts, &err),
                 RC_FATAL);
    cr_assert_not_null(strstr(err.text, OID_APPLEPAY_MERCHANT), "%s", err.text);
}

struct findings {
    char text[1024];
    int wrong, warned;
};

static void note(void *opaque, const struct account *account, bool wrong, const char *text)
{
    struct findings *f = opaque;
    (void)account;
    f->wrong += wrong;
    f->warned += !wrong;
    (void)snprintf(f->text + strlen(f->text), sizeof f->text - strlen(f->text), "%s\n", text);
}

Test(apple_account, what_will_go_wrong_is_told)
{
    struct accounts *accounts = good(
        "{\"appstore\":{\"game1\":{\"bundle_id\":\"b\",\"app_apple_id\":1,\"environment\":\"Production\",\"root_file\":"
        "\"root.pem\"}},\"applepay\":{\"shop1\":{\"root_file\":\"m.pem\"," MERCHANT "}}}");
    const struct account *store = accounts_find(accounts, CHANNEL_APPSTORE, "game1");
    const struct account *pay = accounts_find(accounts, CHANNEL_APPLEPAY, "shop1");
    static const int64_t END = NOW + 1000 * (int64_t)DAY;
    struct findings f = {0};
    CHANNEL_OPS[CHANNEL_APPSTORE].check(store, NOW, note, &f);
    cr_assert_str_eq(f.text, "");
    CHANNEL_OPS[CHANNEL_APPSTORE].check(store, END - 29 * (int64_t)DAY, note, &f);
    cr_assert_str_eq(f.text, "root_file: the certificate expires in 29 days\n");
    cr_assert_eq(f.warned, 1);
    f = (struct findings){0};
    CHANNEL_OPS[CHANNEL_APPSTORE].check(store, END, note, &f);
    cr_assert(f.wrong == 1 && strstr(f.text, "has expired") != NULL, "%s", f.text);
    f = (struct findings){0};
    CHANNEL_OPS[CHANNEL_APPLEPAY].check(pay, NOW, note, &f);
    cr_assert(f.wrong == 1 && strstr(f.text, "root_file: it is not the certificate of a CA") != NULL, "%s", f.text);
    f = (struct findings){0};
    CHANNEL_OPS[CHANNEL_APPLEPAY].check(pay, NOW + 3645 * (int64_t)DAY, note, &f);
    cr_assert_not_null(strstr(f.text, "merchant_certificate_file: the certificate expires in 5 days"), "%s", f.text);
    (void)accounts_free(accounts);
}

/* What `sluice sign` keeps can be read again, and signs the same way. */
Test(apple_account, a_chain_is_written_and_read_again)
{
    struct err err;
    CLEANUP(buf_done) struct buf text;
    CLEANUP(ca_chain_done) struct ca_chain made = {0};
    CLEANUP(ca_chain_done) struct ca_chain again = {0};
    buf_init(&text, 1 << 16);
    cr_assert_eq(ca_chain_make(CA_APPSTORE, NOW, &made, &err), RC_OK);
    cr_assert_eq(ca_chain_write(&made, &text, &err), RC_OK);
    cr_assert_eq(ca_chain_read(buf_str(&text), text.len, &again, &err), RC_OK, "%s", err.text);
    cr_assert(X509_cmp(made.leaf, again.leaf) == 0 && X509_cmp(made.ca, again.ca) == 0 &&
              X509_cmp(made.root, again.root) == 0 && EVP_PKEY_eq(made.key, again.key) == 1);
    struct chain_trust *trust = trust_in(again.root, CA_APPSTORE, true, false, 0);
    cr_assert_null(chain_trust_fault(trust));
    (void)chain_trust_free(trust);
    const char *third = strstr(strstr(strstr(buf_str(&text), "END CERT") + 1, "END CERT") + 1, "-----BEGIN");
    struct ca_chain none = {0};
    cr_assert_eq(ca_chain_read(buf_str(&text), (size_t)(third - buf_str(&text)), &none, &err), RC_FATAL);
    cr_assert_eq(ca_chain_read("x", 1, &none, &err), RC_FATAL);
    cr_assert(err_is_config(&err));
}
