/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/expiry.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"

#define SAY_AGAIN_S ((int64_t)86400)

struct expiry {
    const struct accounts *accounts;
    int64_t *said_s; /* by account: when the log was told; 0 = it is not in alarm */
};

struct expiry *expiry_create(const struct accounts *accounts)
{
    struct expiry *x = xcalloc(1, sizeof *x);
    x->accounts = accounts;
    x->said_s = xcalloc(accounts_count(accounts) + 1, sizeof *x->said_s);
    return x;
}

struct expiry *expiry_free(struct expiry *x)
{
    if (x != NULL) {
        free(x->said_s);
        free(x);
    }
    return NULL;
}

static void say(const struct account *account, int64_t end_s, int64_t now_s)
{
    char at[CLOCK_RFC3339_MAX];
    clock_rfc3339(end_s * 1000000, at);
    log_error("gateway",
              end_s < now_s ? "an account has nothing left to verify with" : "the last key of an account ends soon",
              KV_S("channel", channel_name(account->channel)), KV_S("account", account->name), KV_S("ends", at));
}

/* In alarm or not. */
static bool look(struct expiry *x, size_t i, int64_t now_s)
{
    const struct account *account = accounts_at(x->accounts, i);
    int64_t end_s = CHANNEL_OPS[account->channel].expires_s(account);
    bool alarm = end_s != 0 && end_s - now_s <= KEYS_ALARM_S;
    metric_set(metric_gauge("sluice_gateway_keys_end_soon",
                            "1 = the last key with which an account verifies ends within 72 hours, or has ended.",
                            "channel=\"%s\",account=\"%s\"", channel_name(account->channel), account->name),
               alarm ? 1 : 0);
    if (!alarm) {
        x->said_s[i] = 0;
    } else if (x->said_s[i] == 0 || now_s - x->said_s[i] >= SAY_AGAIN_S) {
        x->said_s[i] = now_s;
        say(account, end_s, now_s);
    }
    return alarm;
}

size_t expiry_look(struct expiry *x, int64_t now_s)
{
    size_t alarms = 0;
    for (size_t i = 0; i < accounts_count(x->accounts); i++) {
        alarms += look(x, i, now_s) ? 1 : 0;
    }
    return alarms;
}
