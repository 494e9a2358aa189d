/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of `sluice sign`. */
#include "tree_sign.h"

#include "base/mem.h"
#include "commands.h"

#define FLAGS(rows) .flags = (rows), .n_flags = ARRAY_SIZE(rows)
#define FIRST_FLAGS                                                                                                    \
    {"dir", "DIR", "What `sluice sign init` has made; needed."},                                                       \
        {"account", "NAME", "In its accounts.json, e.g. shop1; needed."},                                              \
        {"payment", "ID", "The order; needed without --event."}, {"currency", "CODE", "Of the amount (default CNY)."}, \
        {"at", "UNIX_SECONDS", "When it is signed, and happened (default now)."},                                      \
        {"headers", "FILE", "Where headers go, one `Name: value` a line; - = stdout."},                                \
        {"body", "FILE", "Where the body goes, byte for byte."},                                                       \
    {                                                                                                                  \
        "send", "URL", "Post it there and print the answer; exit code 3 when it is no success."                        \
    }
#define NOTICE_FLAGS                                                                         \
    {"notification", "ID", "The notification's id (default a new one)."},                    \
        {"refund", "ID", "It tells of this refund instead of the payment."},                 \
    {                                                                                        \
        "txn", "ID", "The channel's number of the payment (default made of the order's id)." \
    }

static const struct command_flag SIGN_WEBHOOK_FLAGS[] = {
    {"secret-file", "FILE", "Keys (whsec_..., whsk_...), one or several; needed."},
    {"id", "ID", "The webhook-id; needed."},
    {"body", "FILE", "The request's body, byte for byte, - for stdin; needed."},
    {"at", "UNIX_SECONDS", "The webhook-timestamp (default now)."},
};
static const struct command_flag WECHAT_FLAGS[] = {
    FIRST_FLAGS,
    NOTICE_FLAGS,
    {"amount", "MINOR", "Of the payment, or of the refund (default 100)."},
    {"total", "MINOR", "With --refund: what was paid (default the amount)."},
    {"type", "TYPE", "event_type (default TRANSACTION.SUCCESS, with --refund REFUND.SUCCESS)."},
    {"key", "NAME", "Sign with this key of the account (default its certificate)."},
    {"event", "FILE", "The resource before it is encrypted, instead of one that is made."},
};
static const struct command_flag ALIPAY_FLAGS[] = {
    FIRST_FLAGS,
    NOTICE_FLAGS,
    {"amount", "MINOR", "Of the payment; with --refund: of all refunds until now (default 100)."},
    {"total", "MINOR", "With --refund: what was paid (default the amount)."},
    {"type", "STATUS", "trade_status (default TRADE_SUCCESS)."},
    {"event", "FILE", "Lines NAME=VALUE, instead of parameters that are made."},
};
static const struct command_flag APPSTORE_FLAGS[] = {
    FIRST_FLAGS,
    NOTICE_FLAGS,
    {"amount", "MINOR", "The price (default 100)."},
    {"type", "TYPE", "notificationType (default ONE_TIME_CHARGE, with --refund REFUND)."},
    {"event", "FILE", "The payload as JSON, instead of one that is made."},
};
static const struct command_flag APPLEPAY_FLAGS[] = {
    FIRST_FLAGS,
    {"txn", "HEX", "The token's transactionId (default made of the order's id)."},
    {"amount", "MINOR", "Of the payment (default 100)."},
    {"event", "FILE", "The payment data before it is encrypted, instead of one that is made."},
    {"token-file", "FILE", "With --send: the caller's token."},
};
static const struct command_flag EXPRESS_FLAGS[] = {
    {"form", "FORM", "json, kuaidi100, sf, kdniao or cainiao; needed."},
    {"dir", "DIR", "What `sluice sign init` has made; needed where the form has a signature."},
    {"account", "NAME", "In its accounts.json (default the form's name)."},
    {"unsigned", NULL, "Without a signature, instead of --dir."},
    {"tracking-no", "NO", "The parcel; needed without --event."},
    {"carrier", "CODE", "The carrier (default left out)."},
    {"status", "STATUS", "Of the newest node: collected, in_transit, customs, ... (default in_transit)."},
    {"code", "CODE", "Its code as the carrier calls it (default the form's usual one)."},
    {"context", "TEXT", "Its text (default made)."},
    {"nodes", "N", "So many nodes, an hour between them (default 1; json has one)."},
    {"whole", NULL, "Everything is said anew: kuaidi100's updateall."},
    {"xml", NULL, "As XML, where the form may be (sf, cainiao)."},
    {"event", "FILE", "The content before it is signed, instead of one that is made."},
    {"at", "UNIX_SECONDS", "When it happened (default now)."},
    {"headers", "FILE", "Where headers go, one `Name: value` a line; - = stdout."},
    {"body", "FILE", "Where the body goes, byte for byte."},
    {"send", "URL", "Post it there and print the answer; exit code 3 when it is no success."},
};
static const struct command_flag INIT_FLAGS[] = {
    {"at", "UNIX_SECONDS", "Certificates are good for ten years from here (default now)."},
};

const struct command SIGN_CHILDREN[SIGN_CHILDREN_N] = {
    {.name = "init",
     .args = "DIR",
     .help = "Keys and certificates of your own for every channel, and an accounts.json that verifies with them.",
     .more = "Accounts: wechat, alipay and applepay shop1, appstore game1, express\n"
             "kuaidi100, kdniao and cainiao. DIR/signing has the private keys that are the\n"
             "platforms' in earnest, DIR/raw.keys is for gateway.raw.keys.file. Nothing is overwritten.",
     FLAGS(INIT_FLAGS),
     .args_min = 1,
     .args_max = 1,
     .run = cmd_sign_init,
     .no_config = true},
    {.name = "wechat",
     .help = "A notification of WeChat Pay, API v3.",
     FLAGS(WECHAT_FLAGS),
     .run = cmd_sign_wechat,
     .no_config = true},
    {.name = "alipay",
     .help = "A notification of Alipay.",
     FLAGS(ALIPAY_FLAGS),
     .run = cmd_sign_alipay,
     .no_config = true},
    {.name = "appstore",
     .help = "An App Store Server Notification, version 2.",
     FLAGS(APPSTORE_FLAGS),
     .run = cmd_sign_appstore,
     .no_config = true},
    {.name = "applepay",
     .help = "An Apple Pay payment token, with its order.",
     FLAGS(APPLEPAY_FLAGS),
     .run = cmd_sign_applepay,
     .no_config = true},
    {.name = "express",
     .help = "A carrier's call about a parcel, in its form.",
     FLAGS(EXPRESS_FLAGS),
     .run = cmd_sign_express,
     .no_config = true},
    {.name = "webhook",
     .help = "The three headers of Standard Webhooks for a body.",
     FLAGS(SIGN_WEBHOOK_FLAGS),
     .run = cmd_sign_webhook,
     .no_config = true},
};
