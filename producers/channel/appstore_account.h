/* SPDX-License-Identifier: Apache-2.0 */
/* An app in the App Store: what account->own is for CHANNEL_APPSTORE. Constant but for the chains it remembers. */
#ifndef SLUICE_CHANNEL_APPSTORE_ACCOUNT_H
#define SLUICE_CHANNEL_APPSTORE_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/chain.h"

#define APPSTORE_BUNDLE_MAX 255

struct appstore_account {
    char bundle_id[APPSTORE_BUNDLE_MAX + 1];
    bool production;      /* environment: Production, otherwise Sandbox */
    int64_t app_apple_id; /* looked at in Production */
    bool effective_now;   /* chains must be valid now; otherwise when the thing was signed, as it says */
    struct chain_trust *trust;
};

const char *appstore_environment(bool production); /* "Production"; static */

#endif
