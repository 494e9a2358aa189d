/* SPDX-License-Identifier: Apache-2.0 */
/* The channels. A row without functions is not served: its section of the accounts file is refused. */
#include "channel/channels.h"

const struct channel_ops CHANNEL_OPS[CHANNELS_N] = {
    [CHANNEL_WECHAT] = {.read = wechat_read,
                        .free = wechat_free,
                        .verify = wechat_verify,
                        .check = wechat_check,
                        .expires_s = wechat_expires_s},
    [CHANNEL_ALIPAY] = {.read = alipay_read,
                        .free = alipay_free,
                        .verify = alipay_verify,
                        .check = alipay_check,
                        .expires_s = alipay_expires_s},
    [CHANNEL_APPSTORE] = {.read = appstore_read,
                          .free = appstore_free,
                          .verify = appstore_verify,
                          .check = appstore_check,
                          .expires_s = appstore_expires_s},
    [CHANNEL_APPLEPAY] = {.read = applepay_read,
                          .free = applepay_free,
                          .verify = applepay_verify,
                          .check = applepay_check,
                          .expires_s = applepay_expires_s},
    [CHANNEL_EXPRESS] = {.read = express_read,
                         .free = express_free,
                         .verify = express_verify,
                         .check = express_check,
                         .expires_s = express_expires_s},
};
