/* SPDX-License-Identifier: Apache-2.0 */
#include "tree_gateway.h"

#include "base/mem.h"
#include "commands.h"

#define FLAGS(rows) .flags = (rows), .n_flags = ARRAY_SIZE(rows)
#define CHILDREN(rows) .children = (rows), .n_children = ARRAY_SIZE(rows)

static const struct command_flag ACCOUNTS_CHECK_FLAGS[] = {
    {"at", "UNIX_SECONDS", "As of this time (default now)."},
};
static const struct command ACCOUNTS_CHILDREN[] = {
    {.name = "check",
     .args = "FILE",
     .help = "Read an accounts file with all it names, and say what is wrong or will be.",
     .more = "One finding a line: wrong, or warning (a certificate that expires within 30 days, a check that is left\n"
             "out). Exit code 3 when something is wrong, 78 when the gateway would not start with the file.",
     FLAGS(ACCOUNTS_CHECK_FLAGS),
     .args_min = 1,
     .args_max = 1,
     .run = cmd_gateway_accounts_check,
     .no_config = true},
};
const struct command GATEWAY_CHILDREN[GATEWAY_CHILDREN_N] = {
    {.name = "accounts", .help = "Merchants' accounts at the channels.", CHILDREN(ACCOUNTS_CHILDREN)},
};

static const struct command_flag VERIFY_CHANNEL_FLAGS[] = {
    {"accounts", "FILE", "The accounts file (gateway.accounts.file); needed."},
    {"account", "NAME", "The account in it; needed."},
    {"headers", "FILE", "The request's headers, one `Name: value` a line, - for stdin; needed."},
    {"body", "FILE", "The request's body, byte for byte, - for stdin; needed."},
    {"at", "UNIX_SECONDS", "When it came (default now)."},
    {"address", "IP", "Who called, for the account's list of addresses; left out: the list is not looked at."},
};
static const struct command_flag VERIFY_WEBHOOK_FLAGS[] = {
    {"secret-file", "FILE", "Keys (whsec_..., whpk_..., whsk_...), one or several; needed."},
    {"headers", "FILE", "The request's headers, one `Name: value` a line, - for stdin; needed."},
    {"body", "FILE", "The request's body, byte for byte, - for stdin; needed."},
    {"at", "UNIX_SECONDS", "When it came (default now)."},
    {"tolerance", "SECONDS", "Between webhook-timestamp and --at (default 300)."},
};

#define VERDICT_MORE                                                                                                 \
    "The verdict that the gateway would give, from the bytes alone: neither database nor network. Prints one line\n" \
    "of JSON: verdict, reason, detail, answer (what the channel would be told), event when it is accepted."

const struct command VERIFY_CHILDREN[VERIFY_CHILDREN_N] = {
    {.name = "alipay",
     .help = "An Alipay notification. Exit code 0 for accept, 3 for reject.",
     .more = VERDICT_MORE,
     FLAGS(VERIFY_CHANNEL_FLAGS),
     .run = cmd_verify_alipay,
     .no_config = true},
    {.name = "applepay",
     .help = "An Apple Pay payment token. Exit code 0 for accept, 3 for reject.",
     .more = VERDICT_MORE,
     FLAGS(VERIFY_CHANNEL_FLAGS),
     .run = cmd_verify_applepay,
     .no_config = true},
    {.name = "appstore",
     .help = "An App Store Server Notification V2. Exit code 0 for accept, 3 for reject.",
     .more = VERDICT_MORE,
     FLAGS(VERIFY_CHANNEL_FLAGS),
     .run = cmd_verify_appstore,
     .no_config = true},
    {.name = "webhook",
     .help = "Is it one of our callbacks? Exit code 0 for accept, 3 for reject.",
     .more = "Prints {\"verdict\", \"reason\", \"answer\", \"event\"} as one line of JSON.",
     FLAGS(VERIFY_WEBHOOK_FLAGS),
     .run = cmd_verify_webhook,
     .no_config = true},
    {.name = "wechat",
     .help = "A WeChat Pay v3 notification. Exit code 0 for accept, 3 for reject.",
     .more = VERDICT_MORE,
     FLAGS(VERIFY_CHANNEL_FLAGS),
     .run = cmd_verify_wechat,
     .no_config = true},
};
