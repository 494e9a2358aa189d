/* SPDX-License-Identifier: Apache-2.0 */
/* Reads an Alipay account, and says what is wrong or about to be. */
#include "channel/alipay_account.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "channel/channels.h"
#include "channel/event_text.h"

#define WINDOW_S_MAX 86400

void alipay_free(void *opaque)
{
    struct alipay_account *own = opaque;
    if (own != NULL) {
        for (size_t i = 0; i < own->n_certs; i++) {
            (void)rsa_unref(own->certs[i].key);
        }
        (void)rsa_unref(own->public_key);
        (void)rsa_unref(own->app_private_key);
        free(own);
    }
}

/* ------------------------------------------------------------------------------------------------------ reading */

struct alipay_members {
    const char *public_key_file;
    const char *app_private_key_file;
    struct body_value *certs; /* object of file names; NULL = there is none */
};

static bool rule_ok(const char *rule)
{
    return strcmp(rule, "V1") == 0 || strcmp(rule, "V2") == 0;
}

static bool url_ok(const char *url)
{
    return (strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0) && strpbrk(url, " #@") == NULL;
}

static void copy(char *to, size_t size, const char *text)
{
    (void)snprintf(to, size, "%s", text == NULL ? "" : text);
}

/* Looks at every member, opens nothing. */
static enum rc read_members(struct account_reader *r, struct alipay_account *own, struct alipay_members *m,
                            struct err *err)
{
    struct fields *f = &r->fields;
    own->window_s = ALIPAY_WINDOW_S;
    copy(own->app_id, sizeof own->app_id,
         field_text(f, "app_id", FIELD_REQUIRED, ALIPAY_ID_MAX, event_id_ok, "the app's number"));
    copy(own->seller_id, sizeof own->seller_id,
         field_text(f, "seller_id", FIELD_OPTIONAL, ALIPAY_ID_MAX, event_id_ok, "the seller's number"));
    m->public_key_file = account_path(r, "public_key_file", FIELD_OPTIONAL);
    const char *rule = field_text(f, "sign_rule", FIELD_OPTIONAL, 2, rule_ok, "V1 or V2");
    own->rule = rule != NULL && strcmp(rule, "V2") == 0 ? ALIPAY_RULE_V2 : ALIPAY_RULE_V1;
    (void)field_int(f, "window_s", FIELD_OPTIONAL, 1, WINDOW_S_MAX, &own->window_s);
    m->certs = field_find(f, "certs", FIELD_OPTIONAL);
    m->app_private_key_file = account_path(r, "app_private_key_file", FIELD_OPTIONAL);
    const char *url = field_text(f, "gateway_url", FIELD_OPTIONAL, ALIPAY_URL_MAX, url_ok, "a URL");
    copy(own->gateway_url, sizeof own->gateway_url, url == NULL ? ALIPAY_GATEWAY_URL : url);
    return account_members_end(r, err);
}

static enum rc read_cert(struct account_reader *r, const struct body_value *v, struct alipay_account *own,
                         struct err *err)
{
    char member[PROBLEM_FIELD_MAX];
    struct alipay_cert cert = {0};
    struct rsa_certificate facts = {0};
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 0);
    (void)snprintf(member, sizeof member, "certs.%.100s", v->key);
    if (v->type != BODY_STRING || v->n == 0 || v->n > ACCOUNT_PATH_MAX) {
        return account_fail(r, member, err, "expected the name of a certificate's file");
    }
    if (!event_id_ok(v->key) || own->n_certs == ALIPAY_CERTS_MAX) {
        return account_fail(r, member, err, "expected at most %d certificates, named by their SN", ALIPAY_CERTS_MAX);
    }
    TRY(account_file(r, member, v->text, false, &text, err));
    if (account_rsa(r, &text, &cert.key, &facts, err) != RC_OK) {
        return account_wrap(r, member, v->text, err);
    }
    copy(cert.sn, sizeof cert.sn, v->key);
    cert.not_after_s = facts.not_after_s;
    if (!alipay_sn(buf_str(&text), text.len, cert.computed_sn)) {
        cert.computed_sn[0] = '\0';
    }
    own->certs[own->n_certs++] = cert;
    return RC_OK;
}

static enum rc read_keys(struct account_reader *r, const struct alipay_members *m, struct alipay_account *own,
                         struct err *err)
{
    struct rsa_certificate facts;
    if (m->certs != NULL && m->certs->type != BODY_OBJECT) {
        return account_fail(r, "certs", err, "expected an object: SN to certificate file");
    }
    for (const struct body_value *v = m->certs == NULL ? NULL : m->certs->first; v != NULL; v = v->next) {
        TRY(read_cert(r, v, own, err));
    }
    if (m->public_key_file != NULL) {
        TRY(account_public_key(r, "public_key_file", m->public_key_file, &own->public_key, &facts, err));
    } else if (own->n_certs == 0) {
        return account_fail(r, "public_key_file", err, "expected it, or certs: nothing to verify with otherwise");
    }
    if (m->app_private_key_file != NULL) {
        TRY(account_private_key(r, "app_private_key_file", m->app_private_key_file, &own->app_private_key, err));
    }
    return RC_OK;
}

enum rc alipay_read(struct account_reader *r, void **out_own, struct err *err)
{
    struct alipay_account *own = xcalloc(1, sizeof *own);
    struct alipay_members m = {0};
    enum rc rc = read_members(r, own, &m, err);
    if (rc == RC_OK) {
        rc = read_keys(r, &m, own, err);
    }
    if (rc != RC_OK) {
        alipay_free(own);
        return rc;
    }
    *out_own = own;
    return RC_OK;
}

/* ------------------------------------------------------------------------------------------------------ findings */

static void check_cert(const struct account *account, const struct alipay_cert *cert, int64_t now_s,
                       account_finding_fn say, void *opaque)
{
    char text[ALIPAY_SN_MAX + 160];
    if (cert->computed_sn[0] != '\0' && strcmp(cert->sn, cert->computed_sn) != 0) {
        (void)snprintf(text, sizeof text, "certs.%s: the file's certificate has the SN %s", cert->sn,
                       cert->computed_sn);
        say(opaque, account, true, text);
    }
    if (cert->not_after_s == 0) {
        return;
    }
    (void)snprintf(text, sizeof text, "certs.%s", cert->sn);
    account_check_until(account, text, cert->not_after_s, now_s, say, opaque);
}

void alipay_check(const struct account *account, int64_t now_s, account_finding_fn say, void *opaque)
{
    const struct alipay_account *own = account->own;
    for (size_t i = 0; i < own->n_certs; i++) {
        check_cert(account, &own->certs[i], now_s, say, opaque);
    }
    if (own->seller_id[0] == '\0') {
        say(opaque, account, false, "seller_id: not given, so that payments to every seller of the app are taken");
    }
}

int64_t alipay_expires_s(const struct account *account)
{
    const struct alipay_account *own = account->own;
    int64_t last = 0;
    for (size_t i = 0; i < own->n_certs && own->public_key == NULL; i++) {
        int64_t end = own->certs[i].not_after_s;
        if (end == 0) {
            return 0;
        }
        last = end > last ? end : last;
    }
    return last;
}
