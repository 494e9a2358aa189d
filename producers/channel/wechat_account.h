/* SPDX-License-Identifier: Apache-2.0 */
/* A merchant at WeChat Pay: what account->own is for CHANNEL_WECHAT. Constant but for the table of keys. */
#ifndef SLUICE_CHANNEL_WECHAT_ACCOUNT_H
#define SLUICE_CHANNEL_WECHAT_ACCOUNT_H

#include <pthread.h>

#include "channel/wechat_keys.h"
#include "crypto/aes_gcm.h"
#include "crypto/cert_roots.h"

#define WECHAT_ID_MAX 64
#define WECHAT_URL_MAX 256
#define WECHAT_WINDOW_S 180
#define WECHAT_REVOKED_MAX 32
#define WECHAT_API_BASE "https://api.mch.weixin.qq.com"

struct wechat_account {
    char mchid[WECHAT_ID_MAX + 1];
    char appid[WECHAT_ID_MAX + 1]; /* "" = not looked at */
    unsigned char apiv3_key[AES_GCM_KEY_BYTES];
    int64_t window_s; /* between Wechatpay-Timestamp and the clock; the limit itself is accepted */
    /* For requests to the platform: both or neither. */
    char merchant_serial[WECHAT_SERIAL_MAX];
    struct rsa_key *merchant_key;
    char api_base[WECHAT_URL_MAX + 1]; /* without a slash at its end */
    struct cert_roots *roots;          /* what downloaded certificates must come from; NULL = not given */
    /* An operator's last word: these verify nothing, wherever they come from. */
    char revoked[WECHAT_REVOKED_MAX][WECHAT_SERIAL_MAX];
    size_t n_revoked;
    /* The table of keys: wechat_account_keys() and wechat_account_set_keys() only. */
    pthread_mutex_t mutex;
    struct wechat_keys *keys;
};

bool wechat_account_revoked(const struct wechat_account *own, const char *serial);

#endif
