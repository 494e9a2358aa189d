/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a carrier's account, and says what is wrong or about to be. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel/channels.h"
#include "channel/express.h"
#include "crypto/md5.h"

#define FORMS_WHAT "json, kuaidi100, sf, kdniao or cainiao"

void express_free(void *opaque)
{
    struct express_account *own = opaque;
    if (own != NULL) {
        OPENSSL_cleanse(own->salt, sizeof own->salt);
        free(own);
    }
}

const struct account *channel_express_own(void)
{
    static struct express_account own = {.form = CARRIER_JSON};
    static const struct account ACCOUNT = {.channel = CHANNEL_EXPRESS, .own = &own};
    return &ACCOUNT;
}

enum carrier_form express_form(const struct account *account)
{
    const struct express_account *own = account->own;
    return own->form;
}

/* ------------------------------------------------------------------------------------------------------ reading */

static bool form_ok(const char *name)
{
    return carrier_form_find(name) >= 0;
}

static bool charset_ok(const char *name)
{
    return charset_find(name) != CHARSET_UNKNOWN;
}

static enum rc read_salt(struct account_reader *r, const char *path, struct express_account *own, struct err *err)
{
    static const struct sha256_part NOTHING = {"", 0};
    unsigned char md5[MD5_BYTES];
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 0);
    if (carrier_facts(own->form)->signature == NULL) {
        return account_fail(r, "salt_file", err, "the form %s has no signatures, expected ip_allow_file instead",
                            carrier_form_name(own->form));
    }
    if (!md5_of_parts(&NOTHING, 1, md5)) {
        return account_fail(r, "salt_file", err, "this machine's libcrypto has no MD5, and carriers sign with it");
    }
    TRY(account_file(r, "salt_file", path, true, &text, err));
    size_t n = account_line(&text);
    bool good = n > 0 && n <= EXPRESS_SALT_MAX && memchr(buf_str(&text), '\n', n) == NULL;
    if (good) {
        memcpy(own->salt, buf_str(&text), n);
        own->salt_n = n;
    }
    account_wipe(&text);
    return good ? RC_OK
                : account_fail(r, "salt_file", err, "%s: expected one line of 1 to %d bytes", path, EXPRESS_SALT_MAX);
}

static enum rc read_all(struct account_reader *r, struct express_account *own, struct err *err)
{
    struct fields *f = &r->fields;
    const char *form = field_text(f, "form", FIELD_REQUIRED, 16, form_ok, FORMS_WHAT);
    const char *salt = account_path(r, "salt_file", FIELD_OPTIONAL);
    const char *charset = field_text(f, "charset", FIELD_OPTIONAL, 16, charset_ok, "UTF-8, GBK or GB18030");
    TRY(account_members_end(r, err));
    own->form = (enum carrier_form)carrier_form_find(form);
    own->charset = charset == NULL ? CHARSET_UNKNOWN : charset_find(charset);
    return salt == NULL ? RC_OK : read_salt(r, salt, own, err);
}

enum rc express_read(struct account_reader *r, void **out_own, struct err *err)
{
    struct express_account *own = xcalloc(1, sizeof *own);
    enum rc rc = read_all(r, own, err);
    if (rc != RC_OK) {
        express_free(own);
        return rc;
    }
    *out_own = own;
    return RC_OK;
}

/* ------------------------------------------------------------------------------------------------------ findings */

void express_check(const struct account *account, int64_t now_s, account_finding_fn say, void *opaque)
{
    const struct express_account *own = account->own;
    (void)now_s;
    if (own->salt_n == 0 && carrier_facts(own->form)->signature != NULL) {
        say(opaque, account, false, "salt_file: not given, so that no signature is looked at");
    }
    if (own->salt_n == 0 && !account->enforce) {
        say(opaque, account, false, "ip_policy: without a signature and without enforce, anybody may call");
    }
}

int64_t express_expires_s(const struct account *account)
{
    (void)account;
    return 0;
}
