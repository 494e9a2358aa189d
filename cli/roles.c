/* SPDX-License-Identifier: Apache-2.0 */
/* The table of roles. A new role is one line here. */
#include "roles.h"

#include <string.h>

#include "account/account.h"
#include "base/mem.h"
#include "callback/callback.h"
#include "delivery_state/sink.h"
#include "gateway/gateway.h"
#include "notify/notify.h"
#include "push/push.h"
#include "relay/relay.h"
#include "runtime/core_options.h"
#include "runtime/delivery.h"

const struct role *const ROLES[] = {&relay_role, &gateway_role, &callback_role, &notify_role,
                                    &push_role,  &account_role, &sink_role};
const size_t ROLES_N = ARRAY_SIZE(ROLES);

const struct role *role_find(const char *name)
{
    for (size_t i = 0; i < ROLES_N; i++) {
        if (strcmp(ROLES[i]->name, name) == 0) {
            return ROLES[i];
        }
    }
    return NULL;
}

size_t option_tables(const struct option_table *out[OPTION_TABLES_MAX])
{
    size_t n = 0;
    out[n++] = &CORE_OPTIONS;
    out[n++] = &delivery_options;
    for (size_t i = 0; i < ROLES_N && n < OPTION_TABLES_MAX; i++) {
        if (ROLES[i]->options != NULL) {
            out[n++] = ROLES[i]->options;
        }
    }
    return n;
}
