/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merchants' accounts at the channels, from one JSON file with secrets in files beside it (docs/channels.md has
 * the form). Keys are parsed once, here. Files with secrets must not be readable by others.
 */
#ifndef SLUICE_CHANNEL_ACCOUNT_H
#define SLUICE_CHANNEL_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "channel/channel.h"
#include "http/field.h"
#include "http/net.h"

#define ACCOUNTS_FILE_BYTES_MAX ((size_t)1 << 20)
#define ACCOUNTS_MAX 256    /* of a channel */
#define ACCOUNT_NAME_MAX 64 /* A-Z a-z 0-9 . _ - */

struct account {
    enum channel channel;
    char name[ACCOUNT_NAME_MAX + 1];
    bool has_list;
    bool enforce; /* ip_policy: refuse who is not on the list; otherwise it is only counted */
    struct net_list list;
    void *own; /* the channel's: struct wechat_account, ... */
};

struct accounts;

/* RC_FATAL with ERR_CONFIG: which account and member, and what was expected. Never a secret. */
enum rc accounts_read(const char *path, struct accounts **out_accounts, struct err *err) MUST_USE;
/*
 * One account alone, to judge a captured call by: the others are not looked at, and a secret that others may read is
 * only warned of. *out_accounts is empty when there is none of this name.
 */
enum rc accounts_read_one(const char *path, enum channel channel, const char *name, struct accounts **out_accounts,
                          struct err *err) MUST_USE;
struct accounts *accounts_free(struct accounts *accounts); /* accepts NULL, returns NULL */
/* NULL: there is none. */
struct account *accounts_find(const struct accounts *accounts, enum channel channel, const char *name);
size_t accounts_count(const struct accounts *accounts);
struct account *accounts_at(const struct accounts *accounts, size_t i);

/* What `gateway accounts check` says besides: warnings of what will go wrong one day. */
typedef void (*account_finding_fn)(void *opaque, const struct account *account, bool wrong, const char *text);

/*
 * A channel: one row of a table, channels.c. Each channel has its files: wechat_account.c and wechat.c, and so on.
 */
struct account_reader; /* account_file.h */
struct channel_ops {
    /* Reads the account's members into *out_own. */
    enum rc (*read)(struct account_reader *r, void **out_own, struct err *err);
    void (*free)(void *own);
    /* Fills *v up to event and fingerprint; size and address were looked at. */
    enum channel_reason (*verify)(const struct account *account, const struct capture *c, int64_t now_s,
                                  struct arena *arena, struct verdict *v);
    /* Certificates that run out and the like. */
    void (*check)(const struct account *account, int64_t now_s, account_finding_fn say, void *opaque);
    /* Until when what it verifies with is good, seconds since 1970; 0 = no end. For the metric. */
    int64_t (*expires_s)(const struct account *account);
};
extern const struct channel_ops CHANNEL_OPS[CHANNELS_N];

#endif
