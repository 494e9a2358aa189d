/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway: HTTP for services that do not write outbox rows themselves. It checks what is asked, makes it durable as
 * a row of account_command_outbox or payment_transactions and payment_outbox, and only then answers. It never touches
 * accounts or transfers: those are the account role's.
 */
#ifndef SLUICE_GATEWAY_GATEWAY_H
#define SLUICE_GATEWAY_GATEWAY_H

#include "base/option.h"
#include "http/service.h"
#include "runtime/role.h"

extern const struct role gateway_role;
extern const struct option_table gateway_options;

/* What is served; docs/openapi.json says the same, and a test compares them. */
extern const struct service_route GATEWAY_ROUTES[];
extern const size_t GATEWAY_ROUTES_N;

#endif
