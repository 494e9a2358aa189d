/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the platform certificates of WeChat Pay's merchants up to date: asks for them by timer, and sooner when a call
 * names a serial number that is not known; hands what verifies to the accounts; remembers it in files; says so in time
 * when an account will have nothing left to verify with.
 *
 * Whatever goes wrong, what verified before goes on verifying: an error, an empty list and a certificate that is not
 * believed take nothing away. Only its expiry does, or an operator (the account's member `revoked`). What stands in the
 * accounts file stays in any case.
 *
 * Accounts with the same mchid share their certificates and the asking.
 *
 * Thread: one of its own does everything that waits. wechat_manager_ask() from any thread, never waits.
 */
#ifndef SLUICE_KEYS_WECHAT_MANAGER_H
#define SLUICE_KEYS_WECHAT_MANAGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "channel/account.h"
#include "keys/wechat_list.h"

#define WECHAT_ASK_EVERY_S 300 /* at most, for one merchant, when asked to */

struct wechat_manager_options {
    const struct accounts *accounts; /* outlives the manager; all channels' are looked at for the alarm */
    int64_t poll_s;                  /* between two askings that went well, give or take a tenth */
    int64_t timeout_ms;              /* of one asking */
    const char *directory;           /* for files; "" = nothing is remembered */
    void (*tick)(void *opaque); /* each turn of its thread, which takes at most timeout_ms and a bit; may be NULL */
    /* Of tests; NULL = the machine's. */
    int64_t (*utc_s)(void *opaque);
    int64_t (*mono_ms)(void *opaque);
    void *opaque; /* for all three */
};

struct wechat_manager;

/* Reads the files and gives what they hold to the accounts. FATAL with ERR_CONFIG: the directory is of no use. */
enum rc wechat_manager_create(const struct wechat_manager_options *opt, struct wechat_manager **out_manager,
                              struct err *err) MUST_USE;
/* Begins its thread. FATAL: there is none to be had. */
enum rc wechat_manager_start(struct wechat_manager *m, struct err *err) MUST_USE;
/* Ends the thread at once, also while it waits for an answer. Accepts NULL, returns NULL. */
struct wechat_manager *wechat_manager_free(struct wechat_manager *m);

/*
 * A call for this account named a serial number that is not known. True: it will be asked for as soon as the limit
 * allows, because of this call; false: that is so already, or nothing can be asked for.
 */
bool wechat_manager_ask(struct wechat_manager *m, const struct account *account, const char *serial);

/* One turn of what the thread does: everything that is due now. Instead of wechat_manager_start(), for tests. */
void wechat_manager_turn(struct wechat_manager *m);
/* Milliseconds until something is due. */
int64_t wechat_manager_due_ms(struct wechat_manager *m);
/* What is known of a certificate; false: nothing. */
bool wechat_manager_state(struct wechat_manager *m, const char *mchid, const char *serial, enum cert_state *out_state);

#endif
