/* SPDX-License-Identifier: Apache-2.0 */
/* What calls of channels need: accounts, keys for what is kept; and gauges of both. */
#include "base/log.h"
#include "base/mem.h"
#include "gateway/callback.h"
#include "gateway/callback_keys.h"
#include "gateway/gateway_internal.h"

/* What channels send is kept encrypted, so there has to be a key: the configured ones, or one that is made. */
static enum rc read_keys(struct gateway *g, const char *configured, const char *accounts, struct err *err)
{
    CLEANUP(freep) char *path = configured[0] == '\0' ? raw_keys_beside(accounts) : xstrdup(configured);
    bool made = false;
    if ((configured[0] == '\0' && raw_keys_make(path, &made, err) != RC_OK) ||
        raw_keys_read(path, &g->raw_keys, err) != RC_OK) {
        return err_prefix(err, "option gateway.raw.keys.file");
    }
    if (made) {
        log_warn("gateway", "a key was made for what channels send; keep a copy, and give it to all instances",
                 KV_S("file", path), KV_S("key", raw_keys_current(g->raw_keys)));
    }
    return RC_OK;
}

/* Accounts need keys; without them calls of carriers are kept encrypted where keys are configured. */
static enum rc read_accounts(struct gateway *g, const struct config *cfg, struct err *err)
{
    const char *path = config_str(cfg, "gateway.accounts");
    const char *keys = config_str(cfg, "gateway.raw.keys.file");
    if (path[0] == '\0') {
        return g->takes_express && keys[0] != '\0' ? read_keys(g, keys, "", err) : RC_OK;
    }
    if (accounts_read(path, &g->accounts, err) != RC_OK) {
        return err_prefix(err, "option gateway.accounts");
    }
    TRY(read_keys(g, keys, path, err));
    TRY(callback_keys_start(g->ctx, cfg, g->accounts, &g->keys, err));
    log_info("gateway", "calls of channels are taken", KV_I("accounts", (int64_t)accounts_count(g->accounts)),
             KV_S("key", raw_keys_current(g->raw_keys)));
    return RC_OK;
}

enum rc callbacks_setup(struct gateway *g, const struct config *cfg, struct err *err)
{
    g->takes_express = front_wanted(cfg, FRONT_EXPRESS);
    g->raw_keep_days = config_int(cfg, "gateway.raw.keep.days");
    g->clock_skew_ms = config_int(cfg, "gateway.clock.skew.ms");
    g->express = (struct express_rules){.nodes_max = config_int(cfg, "express.notify.nodes.max"),
                                        .keep_days = config_int(cfg, "express.parked.keep.days")};
    g->express_bytes_max = (size_t)config_int(cfg, "express.pending.bytes.max");
    TRY(read_accounts(g, cfg, err));
    if (g->accounts != NULL || g->takes_express) {
        g->n_verifiers = (size_t)config_int(cfg, "gateway.verifiers");
    }
    return RC_OK;
}

void callbacks_done(struct gateway *g)
{
    g->keys = callback_keys_stop(g->keys);
    g->accounts = accounts_free(g->accounts);
    g->raw_keys = raw_keys_free(g->raw_keys);
}

/* Also before anybody calls: a certificate that runs out while nothing happens is the one that is not noticed. */
static void watch_expiry(const struct gateway *g)
{
    int64_t now_s = g->now_us() / 1000000;
    for (size_t i = 0; i < accounts_count(g->accounts); i++) {
        const struct account *a = accounts_at(g->accounts, i);
        int64_t expires_s = CHANNEL_OPS[a->channel].expires_s(a);
        if (expires_s != 0) {
            metric_set(metric_gauge("sluice_gateway_certificate_expiry_seconds",
                                    "Seconds until the last of what the account verifies with runs out.",
                                    "channel=\"%s\",account=\"%s\"", channel_name(a->channel), a->name),
                       (double)(expires_s - now_s));
        }
    }
}

void callbacks_watch(struct gateway *g)
{
    if (g->n_verifiers == 0) {
        return;
    }
    if (g->accounts != NULL) {
        watch_expiry(g);
    }
    metric_set(metric_gauge("sluice_gateway_verify_queue_depth", "Calls of channels that wait to be verified.", NULL),
               (double)job_queue_length(&g->verifies));
}
