/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/apple.h"

#include <stdio.h>

enum rc apple_read_root(struct account_reader *r, const char *path, const struct chain_rules *rules,
                        struct chain_trust **out_trust, struct err *err)
{
    CLEANUP(buf_done) struct buf text;
    TRY(account_file(r, "root_file", path, false, &text, err));
    enum rc rc = chain_trust_create(buf_str(&text), text.len, rules, out_trust, err);
    return rc == RC_OK ? RC_OK : account_wrap(r, "root_file", path, err);
}

enum channel_reason apple_refuse_chain(struct verdict *v, enum chain_verdict chain, const char *where, const char *why)
{
    static const enum channel_reason REASONS[] = {
        [CHAIN_INVALID] = REASON_CHAIN_INVALID,
        [CHAIN_OID] = REASON_CHAIN_OID,
        [CHAIN_EXPIRED] = REASON_CHAIN_EXPIRED,
    };
    return verdict_refuse(v, REASONS[chain], "%s: %s", where, why);
}

enum channel_reason apple_malformed(struct verdict *v, const char *where, const struct problem *problem)
{
    return verdict_refuse(v, REASON_BODY_MALFORMED, "%s%s%.150s", where, where[0] == '\0' ? "" : ": ", problem->detail);
}

void apple_check_root(const struct account *account, const struct chain_trust *trust, int64_t now_s,
                      account_finding_fn say, void *opaque)
{
    char text[160];
    const char *fault = chain_trust_fault(trust);
    if (fault != NULL) {
        (void)snprintf(text, sizeof text, "root_file: %s; every call will be refused", fault);
        say(opaque, account, true, text);
    }
    account_check_until(account, "root_file", chain_trust_until_s(trust), now_s, say, opaque);
}
