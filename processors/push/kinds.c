/* SPDX-License-Identifier: Apache-2.0 */
/* The table of kinds. */
#include "push/kinds.h"

const struct provider_kind *const PROVIDER_KINDS[] = {&provider_cloud, &provider_getui,   &provider_fcm,
                                                      &provider_apns,  &provider_webhook, &provider_mock};
const size_t PROVIDER_KINDS_N = ARRAY_SIZE(PROVIDER_KINDS);
