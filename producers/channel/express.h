/* SPDX-License-Identifier: Apache-2.0 */
/* Carriers' accounts: which form they call in, and what they sign with. */
#ifndef SLUICE_CHANNEL_EXPRESS_H
#define SLUICE_CHANNEL_EXPRESS_H

#include "carrier/carrier.h"
#include "channel/account.h"
#include "channel/charset.h"

#define EXPRESS_SALT_MAX 256

struct express_account {
    enum carrier_form form;
    enum charset charset; /* of the content; CHARSET_UNKNOWN = as the content says, or UTF-8 */
    char salt[EXPRESS_SALT_MAX + 1];
    size_t salt_n; /* 0: there is none, and no signature is looked at */
};

/* Of the route without an account: our own form, called "", known by its address. Static. */
const struct account *channel_express_own(void);
/* The form of an account of CHANNEL_EXPRESS, for tables and logs. */
enum carrier_form express_form(const struct account *account);

#endif
