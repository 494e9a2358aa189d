/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys that channels' calls are verified with, kept up to date beside the calls: nothing here waits for the network
 * but the manager's own thread.
 */
#ifndef SLUICE_GATEWAY_CALLBACK_KEYS_H
#define SLUICE_GATEWAY_CALLBACK_KEYS_H

#include "base/err.h"
#include "base/option.h"
#include "runtime/role.h"

struct account;
struct accounts;
struct capture;
struct callback_keys;

/*
 * Remembered certificates are in the accounts when it returns, and the manager's thread runs. accounts outlives it.
 * FATAL; ERR_CONFIG where an option is of no use.
 */
enum rc callback_keys_start(struct role_ctx *ctx, const struct config *cfg, const struct accounts *accounts,
                            struct callback_keys **out_keys, struct err *err) MUST_USE;
struct callback_keys *callback_keys_stop(struct callback_keys *keys); /* at once; accepts NULL, returns NULL */

/*
 * A call named a key that the account does not have. It is refused all the same: by the time the channel sends it again
 * the key may be there. Thread: any; keys may be NULL.
 */
void callback_keys_unknown(struct callback_keys *keys, const struct account *account, const struct capture *c);

#endif
