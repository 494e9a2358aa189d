/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/wechat_merchant.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "keys/wechat_request.h"

#define PATH "/v3/certificates"

/* ---------------------------------------------------------------------------------------------------- accounts */

static void add_certificate(struct wechat_keys *keys, const struct wechat_account *own, const struct wechat_cert *cert)
{
    struct wechat_key key = {.not_before_s = cert->begins_s, .not_after_s = cert->ends_s};
    CLEANUP(rsa_unrefp) struct rsa_key *rsa = NULL;
    struct err err = {0};
    if (wechat_account_revoked(own, cert->serial) || wechat_keys_find(keys, cert->serial) != NULL) {
        return; /* what is configured under this name stands */
    }
    if (wechat_cert_key(cert, &rsa, &err) != RC_OK) {
        log_warn("gateway", "a certificate's key cannot be used", KV_S("serial", cert->serial), KV_ERR(&err));
        return;
    }
    key.key = rsa;
    memcpy(key.serial, cert->serial, sizeof cert->serial);
    memcpy(key.certificate_serial, cert->serial, sizeof key.certificate_serial);
    if (!wechat_keys_add(keys, &key)) {
        log_warn("gateway", "an account has too many keys: a certificate is left out", KV_S("serial", cert->serial));
    }
}

static void install(const struct account *account, const struct wechat_certs *certs)
{
    CLEANUP(wechat_keys_unrefp) struct wechat_keys *before = wechat_account_keys(account);
    CLEANUP(wechat_keys_unrefp) struct wechat_keys *after = wechat_keys_new();
    for (size_t i = 0; i < wechat_keys_count(before); i++) {
        const struct wechat_key *key = wechat_keys_at(before, i);
        if (key->configured && !wechat_keys_add(after, key)) {
            return; /* cannot be: there were no more before */
        }
    }
    for (size_t i = 0; i < certs->n; i++) {
        add_certificate(after, account->own, &certs->all[i]);
    }
    wechat_account_set_keys(account, after);
}

void wechat_merchant_install(struct wechat_merchant *m)
{
    for (size_t i = 0; i < m->n_accounts; i++) {
        install(m->accounts[i], &m->certs);
    }
}

/* ---------------------------------------------------------------------------------------------------- the file */

static struct wechat_store store_of(const struct wechat_merchant *m)
{
    return (struct wechat_store){.directory = m->directory, .mchid = m->own->mchid, .apiv3_key = m->own->apiv3_key};
}

void wechat_merchant_load(struct wechat_merchant *m, int64_t now_s)
{
    const struct wechat_store store = store_of(m);
    struct err err = {0};
    size_t bad = 0;
    if (m->directory[0] == '\0') {
        return;
    }
    enum rc rc = wechat_store_read(&store, m->own->roots, now_s, &m->certs, &bad, &err);
    if (rc != RC_OK || bad > 0) {
        log_warn("gateway", "remembered certificates are refused", KV_S("mchid", m->own->mchid),
                 KV_I("taken", (int64_t)m->certs.n), KV_ERR(&err));
    }
    wechat_merchant_install(m);
}

static void save(struct wechat_merchant *m)
{
    const struct wechat_store store = store_of(m);
    struct err err = {0};
    if (!m->unsaved || m->directory[0] == '\0') {
        return;
    }
    if (wechat_store_write(&store, &m->certs, &err) == RC_OK) {
        m->unsaved = false;
    } else {
        log_warn("gateway", "certificates cannot be remembered", KV_S("mchid", m->own->mchid), KV_ERR(&err));
    }
}

/* ---------------------------------------------------------------------------------------------------- asking */

static enum rc get(struct wechat_merchant *m, struct fetcher *fetcher, int64_t timeout_ms, int64_t now_s,
                   struct fetch_answer *out, struct err *err)
{
    char nonce[WECHAT_NONCE_CHARS + 1];
    CLEANUP(buf_done) struct buf authorization;
    CLEANUP(freep) char *url = xasprintf("%s" PATH, m->own->api_base);
    buf_init(&authorization, (size_t)8 << 10);
    wechat_nonce(nonce);
    TRY(wechat_authorize(m->own, "GET", url, NULL, 0, now_s, nonce, &authorization, err));
    const struct header_line headers[] = {{"Authorization", buf_str(&authorization)}, {"Accept", "application/json"}};
    const struct fetch_request request = {.method = "GET",
                                          .url = url,
                                          .headers = headers,
                                          .n_headers = ARRAY_SIZE(headers),
                                          .timeout_ms = timeout_ms,
                                          .answer_bytes_max = WECHAT_LIST_BYTES_MAX};
    return fetch(fetcher, &request, out, err);
}

static void report(const struct wechat_merchant *m, const struct list_outcome *outcome)
{
    const char *result = list_result_name(outcome->result);
    metric_inc(metric_counter("sluice_gateway_certificate_downloads_total",
                              "Askings for WeChat Pay's certificates, by what came of them.",
                              "mchid=\"%s\",result=\"%s\"", m->own->mchid, result));
    if (outcome->result == LIST_WHOLE || outcome->result == LIST_EMPTY || outcome->result == LIST_NONE) {
        log_info("gateway", "asked for certificates", KV_S("mchid", m->own->mchid), KV_S("result", result),
                 KV_I("certificates", (int64_t)outcome->items));
    } else {
        log_warn("gateway", "asked for certificates", KV_S("mchid", m->own->mchid), KV_S("result", result),
                 KV_I("certificates", (int64_t)outcome->items), KV_I("not_taken", (int64_t)outcome->bad),
                 KV_ERR(&outcome->why));
    }
}

static void mark(struct wechat_merchant *m, const char *serial, int64_t at_s)
{
    struct wechat_cert *cert = wechat_certs_find(&m->certs, serial);
    if (cert != NULL && cert->seen_s == 0) {
        cert->seen_s = at_s;
        m->unsaved = true;
    }
}

enum list_result wechat_merchant_download(struct wechat_merchant *m, struct fetcher *fetcher, int64_t timeout_ms,
                                          int64_t now_s)
{
    struct fetch_answer answer = {0}; /* nothing is fetched where the request cannot be signed */
    struct list_outcome *outcome = xcalloc(1, sizeof *outcome);
    CLEANUP(wechat_keys_unrefp) struct wechat_keys *known = wechat_account_keys(m->asker);
    const struct list_trust trust = {.own = m->own, .known = known, .now_s = now_s};
    wechat_merchant_look(m, now_s);
    enum rc rc = get(m, fetcher, timeout_ms, now_s, &answer, &outcome->why);
    if (rc == RC_OK) {
        wechat_list_read(&answer, &trust, outcome);
    } else {
        outcome->result = rc == RC_REJECT ? LIST_MALFORMED : LIST_UNREACHABLE;
    }
    if (outcome->result == LIST_WHOLE || outcome->result == LIST_PARTIAL) {
        m->unsaved |= wechat_certs_join(&m->certs, &outcome->certs, outcome->result == LIST_WHOLE, now_s);
        mark(m, outcome->signer, now_s);
        wechat_merchant_install(m);
        save(m);
    }
    report(m, outcome);
    enum list_result result = outcome->result;
    wechat_certs_done(&outcome->certs);
    fetch_answer_done(&answer);
    free(outcome);
    return result;
}

/* ---------------------------------------------------------------------------------------------------- in between */

void wechat_merchant_look(struct wechat_merchant *m, int64_t now_s)
{
    for (size_t i = 0; i < m->n_accounts; i++) {
        CLEANUP(wechat_keys_unrefp) struct wechat_keys *keys = wechat_account_keys(m->accounts[i]);
        for (size_t k = 0; k < wechat_keys_count(keys); k++) {
            int64_t at_s = wechat_keys_marked_s(keys, k);
            if (at_s != 0) {
                mark(m, wechat_keys_at(keys, k)->serial, at_s);
            }
        }
    }
    if (wechat_certs_forget(&m->certs, now_s)) {
        m->unsaved = true;
        wechat_merchant_install(m);
    }
    save(m);
}

void wechat_merchant_gauges(const struct wechat_merchant *m, int64_t now_s)
{
    double counts[CERT_STATES_N] = {0};
    for (size_t i = 0; i < m->certs.n; i++) {
        counts[wechat_certs_state(&m->certs, &m->certs.all[i], now_s)]++;
    }
    for (int s = 0; s < CERT_STATES_N; s++) {
        metric_set(metric_gauge("sluice_gateway_certificates", "WeChat Pay's downloaded certificates, by state.",
                                "mchid=\"%s\",state=\"%s\"", m->own->mchid, cert_state_name((enum cert_state)s)),
                   counts[s]);
    }
}

void wechat_merchant_done(struct wechat_merchant *m)
{
    wechat_certs_done(&m->certs);
    free(m->accounts);
}
