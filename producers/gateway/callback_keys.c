/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/callback_keys.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "channel/account.h"
#include "keys/wechat_manager.h"

#define TURN_SLACK_MS 60000

struct callback_keys {
    struct role_ctx *ctx;
    struct watch *watch;
    struct wechat_manager *manager;
};

static void tick(void *opaque)
{
    struct callback_keys *k = opaque;
    role_tick(k->watch);
}

enum rc callback_keys_start(struct role_ctx *ctx, const struct config *cfg, const struct accounts *accounts,
                            struct callback_keys **out_keys, struct err *err)
{
    struct callback_keys *k = xcalloc(1, sizeof *k);
    const struct wechat_manager_options opt = {
        .accounts = accounts,
        .poll_s = config_int(cfg, "gateway.wechat.certificates.poll.s"),
        .timeout_ms = config_int(cfg, "gateway.wechat.certificates.timeout.ms"),
        .directory = config_str(cfg, "gateway.wechat.certificates.dir"),
        .tick = tick,
        .opaque = k,
    };
    enum rc rc = wechat_manager_create(&opt, &k->manager, err);
    if (rc != RC_OK) {
        free(k);
        return err_prefix(err, "option gateway.wechat.certificates.dir");
    }
    k->ctx = ctx;
    k->watch = role_watch(ctx, "certificates", opt.timeout_ms + TURN_SLACK_MS);
    *out_keys = k;
    return wechat_manager_start(k->manager, err);
}

struct callback_keys *callback_keys_stop(struct callback_keys *k)
{
    if (k != NULL) {
        k->manager = wechat_manager_free(k->manager);
        role_unwatch(k->ctx, k->watch);
        free(k);
    }
    return NULL;
}

void callback_keys_unknown(struct callback_keys *k, const struct account *account, const struct capture *c)
{
    const char *serial = NULL;
    if (k != NULL && account->channel == CHANNEL_WECHAT &&
        capture_header(c, "Wechatpay-Serial", &serial) == REASON_OK &&
        wechat_manager_ask(k->manager, account, serial)) {
        log_info("gateway", "a call named an unknown key: certificates are asked for", KV_S("account", account->name));
    }
}
