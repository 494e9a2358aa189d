/* SPDX-License-Identifier: Apache-2.0 */
/* What App Store and Apple Pay have in common: a pinned root, and verdicts on chains. */
#ifndef SLUICE_CHANNEL_APPLE_H
#define SLUICE_CHANNEL_APPLE_H

#include <openssl/types.h>

#include "channel/account_file.h"
#include "crypto/chain.h"

/* The root that root_file names. */
enum rc apple_read_root(struct account_reader *r, const char *path, const struct chain_rules *rules,
                        struct chain_trust **out_trust, struct err *err) MUST_USE;
/* where: what the detail begins with, "x5c". */
enum channel_reason apple_refuse_chain(struct verdict *v, enum chain_verdict chain, const char *where, const char *why);
/* JSON or a member of it is not as expected. where: put in front, may be "". */
enum channel_reason apple_malformed(struct verdict *v, const char *where, const struct problem *problem);
void apple_check_root(const struct account *account, const struct chain_trust *trust, int64_t now_s,
                      account_finding_fn say, void *opaque);

#endif
