/* SPDX-License-Identifier: Apache-2.0 */
/* A merchant, a platform and a clock of the test's own; the manager is turned by hand. */
#ifndef SLUICE_TESTS_KEYS_FIXTURE_H
#define SLUICE_TESTS_KEYS_FIXTURE_H

#include "channel/wechat_account.h"
#include "keys/wechat_manager.h"
#include "support/wechat_platform.h"

#define SERIAL_A "00AA00000000000000000000000000000000000A"
#define SERIAL_B "5BBB00000000000000000000000000000000000B"
#define SERIAL_C "6CCC00000000000000000000000000000000000C"

struct keys_fixture {
    struct platform platform;
    char *directory;
    char *store; /* directory of what is remembered */
    struct accounts *accounts;
    struct wechat_manager *manager;
    X509 *a, *b; /* of keys A and B, from RIG_CA; good for a year around RIG_NOW_S */
    _Atomic int64_t now_s;
};
extern struct keys_fixture fx;

void keys_open(void);
void keys_close(void);
/* members: of shop1, in front of the usual ones, "\"root_file\": \"root.pem\", "; others: more accounts. */
void keys_accounts(const char *members, const char *others);
/* A new manager over the accounts; what there was of one ends. */
void keys_manage(bool remembers);
const struct account *keys_shop1(void);
/* Does shop1 verify with a key of this name? */
bool keys_has(const char *serial);
/* The clock goes on, and everything due is done. */
void keys_advance(int64_t seconds);
/* "active", "" when it is not known. */
const char *keys_state(const char *serial);
/* The verdict on a payment signed now with this key under that name. */
enum channel_reason keys_payment(const char *serial, enum rig_key key);

#endif
