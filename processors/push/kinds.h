/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds there are, one file each: provider_cloud.c and so on. */
#ifndef SLUICE_PUSH_KINDS_H
#define SLUICE_PUSH_KINDS_H

#include "push/provider.h"

extern const struct provider_kind provider_apns, provider_cloud, provider_fcm, provider_getui, provider_mock,
    provider_webhook;

#endif
