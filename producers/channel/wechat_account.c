/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a WeChat Pay account, and says what is wrong or about to be. */
#include "channel/wechat_account.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "channel/channels.h"
#include "channel/event_text.h"
#include "http/fetch.h"

#define WINDOW_S_MAX 86400

struct wechat_keys *wechat_account_keys(const struct account *account)
{
    struct wechat_account *own = account->own;
    (void)pthread_mutex_lock(&own->mutex);
    struct wechat_keys *keys = wechat_keys_ref(own->keys);
    (void)pthread_mutex_unlock(&own->mutex);
    return keys;
}

void wechat_account_set_keys(const struct account *account, struct wechat_keys *keys)
{
    struct wechat_account *own = account->own;
    (void)wechat_keys_ref(keys);
    (void)pthread_mutex_lock(&own->mutex);
    struct wechat_keys *old = own->keys;
    own->keys = keys;
    (void)pthread_mutex_unlock(&own->mutex);
    (void)wechat_keys_unref(old);
}

bool wechat_account_revoked(const struct wechat_account *own, const char *serial)
{
    for (size_t i = 0; i < own->n_revoked; i++) {
        if (strcmp(own->revoked[i], serial) == 0) {
            return true;
        }
    }
    return false;
}

void wechat_free(void *opaque)
{
    struct wechat_account *own = opaque;
    if (own != NULL) {
        (void)wechat_keys_unref(own->keys);
        (void)rsa_unref(own->merchant_key);
        (void)cert_roots_free(own->roots);
        (void)pthread_mutex_destroy(&own->mutex);
        OPENSSL_cleanse(own->apiv3_key, sizeof own->apiv3_key);
        free(own);
    }
}

/* ------------------------------------------------------------------------------------------------------ reading */

struct wechat_members {
    const char *apiv3_key_file;
    const char *merchant_key_file;
    const char *root_file;
    struct body_value *keys;    /* object of file names; NULL = there is none */
    struct body_value *revoked; /* array of serial numbers; NULL = there is none */
};

static bool url_ok(const char *url)
{
    struct err err;
    return fetch_url_check(url, &err) == RC_OK && strpbrk(url, " ?#") == NULL && url[strlen(url) - 1] != '/';
}

static void copy(char *to, size_t size, const char *text)
{
    (void)snprintf(to, size, "%s", text == NULL ? "" : text);
}

/* Looks at every member, opens nothing. */
static enum rc read_members(struct account_reader *r, struct wechat_account *own, struct wechat_members *m,
                            struct err *err)
{
    struct fields *f = &r->fields;
    own->window_s = WECHAT_WINDOW_S;
    copy(own->mchid, sizeof own->mchid,
         field_text(f, "mchid", FIELD_REQUIRED, WECHAT_ID_MAX, wechat_serial_ok, "the merchant's number"));
    copy(own->appid, sizeof own->appid,
         field_text(f, "appid", FIELD_OPTIONAL, WECHAT_ID_MAX, event_id_ok, "the app's id"));
    m->apiv3_key_file = account_path(r, "apiv3_key_file", FIELD_REQUIRED);
    (void)field_int(f, "window_s", FIELD_OPTIONAL, 1, WINDOW_S_MAX, &own->window_s);
    m->keys = field_find(f, "keys", FIELD_OPTIONAL);
    copy(own->merchant_serial, sizeof own->merchant_serial,
         field_text(f, "merchant_serial", FIELD_OPTIONAL, WECHAT_SERIAL_MAX - 1, wechat_serial_ok,
                    "the serial number of the merchant's certificate"));
    m->merchant_key_file = account_path(r, "merchant_key_file", FIELD_OPTIONAL);
    m->root_file = account_path(r, "root_file", FIELD_OPTIONAL);
    m->revoked = field_find(f, "revoked", FIELD_OPTIONAL);
    const char *base = field_text(f, "api_base", FIELD_OPTIONAL, WECHAT_URL_MAX, url_ok,
                                  "https://HOST without a slash at its end, or http:// to a loopback address");
    copy(own->api_base, sizeof own->api_base, base == NULL ? WECHAT_API_BASE : base);
    TRY(account_members_end(r, err));
    if ((own->merchant_serial[0] == '\0') != (m->merchant_key_file == NULL)) {
        return account_fail(r, m->merchant_key_file == NULL ? "merchant_key_file" : "merchant_serial", err,
                            "merchant_serial and merchant_key_file go together, and one is missing");
    }
    return RC_OK;
}

static enum rc read_apiv3_key(struct account_reader *r, const char *path, struct wechat_account *own, struct err *err)
{
    CLEANUP(buf_done) struct buf text;
    TRY(account_file(r, "apiv3_key_file", path, true, &text, err));
    size_t n = account_line(&text);
    bool fits = n == AES_GCM_KEY_BYTES;
    if (fits) {
        memcpy(own->apiv3_key, text.data, AES_GCM_KEY_BYTES);
    }
    account_wipe(&text);
    if (!fits) {
        return account_fail(r, "apiv3_key_file", err, "%s has %zu bytes, expected the 32 of the APIv3 key", path, n);
    }
    return RC_OK;
}

static enum rc read_key(struct account_reader *r, const struct body_value *v, struct wechat_account *own,
                        struct err *err)
{
    char member[PROBLEM_FIELD_MAX];
    struct wechat_key key = {.configured = true};
    struct rsa_certificate cert;
    CLEANUP(rsa_unrefp) struct rsa_key *rsa = NULL;
    (void)snprintf(member, sizeof member, "keys.%.100s", v->key);
    if (v->type != BODY_STRING || v->n == 0 || v->n > ACCOUNT_PATH_MAX) {
        return account_fail(r, member, err, "expected the name of a certificate's or public key's file");
    }
    if (!wechat_serial_ok(v->key)) {
        return account_fail(r, member, err, "expected a certificate's serial number or PUB_KEY_ID_...");
    }
    TRY(account_public_key(r, member, v->text, &rsa, &cert, err));
    key.key = rsa;
    key.not_before_s = cert.not_before_s;
    key.not_after_s = cert.not_after_s;
    copy(key.serial, sizeof key.serial, v->key);
    copy(key.certificate_serial, sizeof key.certificate_serial, cert.serial);
    if (!wechat_account_revoked(own, key.serial) && !wechat_keys_add(own->keys, &key)) {
        return account_fail(r, member, err, "expected at most %d keys", WECHAT_KEYS_MAX);
    }
    return RC_OK;
}

static enum rc read_revoked(struct account_reader *r, const struct body_value *list, struct wechat_account *own,
                            struct err *err)
{
    bool good = list == NULL || (list->type == BODY_ARRAY && list->n <= WECHAT_REVOKED_MAX);
    for (const struct body_value *v = list == NULL || !good ? NULL : list->first; v != NULL && good; v = v->next) {
        good = v->type == BODY_STRING && wechat_serial_ok(v->text);
        copy(own->revoked[own->n_revoked++], WECHAT_SERIAL_MAX, v->text);
    }
    return good ? RC_OK
                : account_fail(r, "revoked", err, "expected an array of at most %d serial numbers", WECHAT_REVOKED_MAX);
}

static enum rc read_roots(struct account_reader *r, const char *path, struct wechat_account *own, struct err *err)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 0);
    if (path == NULL) {
        return RC_OK;
    }
    TRY(account_file(r, "root_file", path, false, &text, err));
    return cert_roots_read(buf_str(&text), text.len, &own->roots, err) == RC_OK
               ? RC_OK
               : account_wrap(r, "root_file", path, err);
}

static enum rc read_keys(struct account_reader *r, const struct wechat_members *m, struct wechat_account *own,
                         struct err *err)
{
    if (m->keys != NULL && m->keys->type != BODY_OBJECT) {
        return account_fail(r, "keys", err, "expected an object: serial number to file");
    }
    for (const struct body_value *v = m->keys == NULL ? NULL : m->keys->first; v != NULL; v = v->next) {
        TRY(read_key(r, v, own, err));
    }
    if (wechat_keys_count(own->keys) == 0 && own->merchant_key == NULL) {
        return account_fail(r, "keys", err,
                            "expected a certificate or public key to verify with, or merchant_serial and "
                            "merchant_key_file to ask for certificates with");
    }
    return RC_OK;
}

static enum rc read_merchant_key(struct account_reader *r, const char *path, struct wechat_account *own,
                                 struct err *err)
{
    return path == NULL ? RC_OK : account_private_key(r, "merchant_key_file", path, &own->merchant_key, err);
}

static enum rc read_all(struct account_reader *r, struct wechat_account *own, struct err *err)
{
    struct wechat_members m = {0};
    TRY(read_members(r, own, &m, err));
    TRY(read_apiv3_key(r, m.apiv3_key_file, own, err));
    TRY(read_merchant_key(r, m.merchant_key_file, own, err));
    TRY(read_roots(r, m.root_file, own, err));
    TRY(read_revoked(r, m.revoked, own, err));
    return read_keys(r, &m, own, err);
}

enum rc wechat_read(struct account_reader *r, void **out_own, struct err *err)
{
    struct wechat_account *own = xcalloc(1, sizeof *own);
    own->keys = wechat_keys_new();
    (void)pthread_mutex_init(&own->mutex, NULL);
    enum rc rc = read_all(r, own, err);
    if (rc != RC_OK) {
        wechat_free(own);
        return rc;
    }
    *out_own = own;
    return RC_OK;
}

/* ------------------------------------------------------------------------------------------------------ findings */

/* Leading zeros count in the table, but not in what a certificate's number is. */
static bool same_number(const char *a, const char *b)
{
    return strcasecmp(a + strspn(a, "0"), b + strspn(b, "0")) == 0;
}

static void check_key(const struct account *account, const struct wechat_key *key, int64_t now_s,
                      account_finding_fn say, void *opaque)
{
    char text[2 * WECHAT_SERIAL_MAX + 160];
    if (key->certificate_serial[0] == '\0') {
        return; /* a public key */
    }
    if (!same_number(key->serial, key->certificate_serial)) {
        (void)snprintf(text, sizeof text, "keys.%s: the file's certificate has the serial number %s", key->serial,
                       key->certificate_serial);
        say(opaque, account, true, text);
    } else if (strcmp(key->serial, key->certificate_serial) != 0) {
        (void)snprintf(text, sizeof text, "keys.%s: the platform writes it as %s, and names it exactly so in its calls",
                       key->serial, key->certificate_serial);
        say(opaque, account, true, text);
    }
    (void)snprintf(text, sizeof text, "keys.%s", key->serial);
    account_check_until(account, text, key->not_after_s, now_s, say, opaque);
}

void wechat_check(const struct account *account, int64_t now_s, account_finding_fn say, void *opaque)
{
    const struct wechat_account *own = account->own;
    CLEANUP(wechat_keys_unrefp) struct wechat_keys *keys = wechat_account_keys(account);
    for (size_t i = 0; i < wechat_keys_count(keys); i++) {
        check_key(account, wechat_keys_at(keys, i), now_s, say, opaque);
    }
    if (own->appid[0] == '\0') {
        say(opaque, account, false, "appid: not given, so that payments of every app of the merchant are taken");
    }
    if (wechat_keys_count(keys) == 0 && own->roots != NULL) {
        say(opaque, account, false, "keys: none yet; certificates are asked for when the gateway starts");
    } else if (wechat_keys_count(keys) == 0) {
        say(opaque, account, true, "keys: none, and without root_file no list of certificates can be believed");
    }
}

/* The last certificate's end: until then something of what is there verifies. Nothing there has ended long ago. */
int64_t wechat_expires_s(const struct account *account)
{
    CLEANUP(wechat_keys_unrefp) struct wechat_keys *keys = wechat_account_keys(account);
    int64_t last = 1;
    for (size_t i = 0; i < wechat_keys_count(keys); i++) {
        int64_t end = wechat_keys_at(keys, i)->not_after_s;
        if (end == 0) {
            return 0; /* a public key */
        }
        last = end > last ? end : last;
    }
    return last;
}
