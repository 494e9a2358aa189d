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

static const struct command_flag QUARANTINE_LS_FLAGS[] = {
    {"all", NULL, "Also those that are settled."},
    {"code", "CODE", "Only conflict or unknown_order."},
    {"limit", "N", "At most so many, the newest (default 100)."},
};
static const struct command_flag SETTLE_FLAGS[] = {
    {"as", "NAME", "Who decides it; needed."},
    {"note", "TEXT", "Why; needed."},
};
static const struct command QUARANTINE_CHILDREN[] = {
    {.name = "ls",
     .help = "What is open, the newest first.",
     FLAGS(QUARANTINE_LS_FLAGS),
     .run = cmd_gateway_quarantine_ls},
    {.name = "show",
     .args = "ID",
     .help = "One notification: what it says, what stands against it.",
     .args_min = 1,
     .args_max = 1,
     .run = cmd_gateway_quarantine_show},
    {.name = "release",
     .args = "ID",
     .help = "Tell the ledger: its event goes to payment_outbox, under a new id.",
     .more = "The ledger compares it with the order once more. Exit code 3 when it is settled already or has no event, "
             "4 when\n"
             "there is none of this id.",
     FLAGS(SETTLE_FLAGS),
     .args_min = 1,
     .args_max = 1,
     .run = cmd_gateway_quarantine_release},
    {.name = "dismiss",
     .args = "ID",
     .help = "The ledger is not told; it is settled.",
     FLAGS(SETTLE_FLAGS),
     .args_min = 1,
     .args_max = 1,
     .run = cmd_gateway_quarantine_dismiss},
};

static const struct command_flag REVERIFY_FLAGS[] = {
    {"since", "WHEN", "Only what came at or after: RFC 3339, or 30m, 12h, 7d before now."},
    {"channel", "CHANNEL", "Only wechat, alipay, appstore or applepay."},
    {"account", "NAME", "Only of this account."},
    {"reason", "REASON", "Only what is ok, conflict or unknown_order."},
};
static const struct command_flag ERASE_FLAGS[] = {
    {"payment", "ID", "Of all calls about this payment."},
    {"before", "WHEN", "Of all calls that came before: RFC 3339, or 30m, 12h, 7d before now."},
};

const struct command GATEWAY_CHILDREN[GATEWAY_CHILDREN_N] = {
    {.name = "accounts", .help = "Merchants' accounts at the channels.", CHILDREN(ACCOUNTS_CHILDREN)},
    {.name = "quarantine",
     .help = "Genuine notifications that contradict what is stored, or have no order (docs/gateway.md).",
     CHILDREN(QUARANTINE_CHILDREN)},
    {.name = "reverify",
     .help = "Judge stored calls once more, by this build and the accounts as they are now.",
     .more =
         "Decrypts headers and bodies and verifies them as of the time they came. A line for each difference: what\n"
         "was stored, what it is now; \"unreadable\" where the account, the key or the bytes are missing. Nothing is\n"
         "changed. Needs gateway.accounts and the keys; exit code 3 when anything differs.",
     FLAGS(REVERIFY_FLAGS),
     .run = cmd_gateway_reverify},
    {.name = "erase",
     .help = "Erase headers and bodies of stored calls before gateway.raw.keep.days does.",
     .more =
         "What the calls said stays, so that repetitions are known and the ledger can be explained. Needs one of the\n"
         "two; --dry-run counts; without a terminal it needs --yes.",
     FLAGS(ERASE_FLAGS),
     .run = cmd_gateway_erase},
};

static const struct command_flag VERIFY_CHANNEL_FLAGS[] = {
    {"accounts", "FILE", "The accounts file (gateway.accounts, docs/channels.md); needed."},
    {"account", "NAME", "The account in it; needed."},
    {"headers", "FILE", "The request's headers, one `Name: value` a line, - for stdin; needed."},
    {"body", "FILE", "The request's body, byte for byte, - for stdin; needed."},
    {"at", "UNIX_SECONDS", "When it came (default now)."},
    {"address", "IP", "Who called, for the account's list of addresses; left out: the list is not looked at."},
};
static const struct command_flag VERIFY_EXPRESS_FLAGS[] = {
    {"accounts", "FILE", "The accounts file (gateway.accounts, docs/channels.md)."},
    {"account", "NAME", "The account in it; without both: the form of the route without an account."},
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
    {.name = "express",
     .help = "A carrier's call about parcels. Exit code 0 for accept, 3 for reject.",
     .more = VERDICT_MORE "\nHere the event has a report for each parcel, with its nodes, the oldest first.",
     FLAGS(VERIFY_EXPRESS_FLAGS),
     .run = cmd_verify_express,
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
