/* SPDX-License-Identifier: Apache-2.0 */
/* One mchid: its accounts, its certificates, and one asking for news. Belongs to the manager's thread. */
#ifndef SLUICE_KEYS_WECHAT_MERCHANT_H
#define SLUICE_KEYS_WECHAT_MERCHANT_H

#include "channel/wechat_account.h"
#include "http/fetch.h"
#include "keys/wechat_list.h"
#include "keys/wechat_store.h"

struct wechat_merchant {
    const struct account **accounts; /* that have this mchid */
    size_t n_accounts;
    const struct account *asker;      /* the first of them with a key to ask with */
    const struct wechat_account *own; /* the asker's */
    const char *directory;            /* "" = nothing is remembered */
    struct wechat_certs certs;
    bool unsaved; /* the file does not say what certs do */
};

/* Reads its file, which may be missing, and installs. What is wrong with it is logged. */
void wechat_merchant_load(struct wechat_merchant *m, int64_t now_s);
/* Gives every account what verifies: its configured keys, and the certificates, less what is revoked. */
void wechat_merchant_install(struct wechat_merchant *m);
/* One GET, at most timeout_ms; certificates join, accounts and file follow. */
enum list_result wechat_merchant_download(struct wechat_merchant *m, struct fetcher *fetcher, int64_t timeout_ms,
                                          int64_t now_s);
/* What verifiers have seen since, and what has been over for long. */
void wechat_merchant_look(struct wechat_merchant *m, int64_t now_s);
void wechat_merchant_gauges(const struct wechat_merchant *m, int64_t now_s);
void wechat_merchant_done(struct wechat_merchant *m);

#endif
