/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of `sluice account`. */
#include "tree_account.h"

#include "base/mem.h"
#include "commands.h"

#define FLAGS(rows) .flags = (rows), .n_flags = ARRAY_SIZE(rows)
#define CHILDREN(rows) .children = (rows), .n_children = ARRAY_SIZE(rows)
#define WAIT_FLAG                                                                                        \
    {                                                                                                    \
        "wait", "SECONDS", "Wait so long for the decision; exit code 3 when refused, 75 when none came." \
    }

static const struct command_flag LS_FLAGS[] = {
    {"kind", "KIND", "Only user, merchant, clearing, suspense, fee or system."},
    {"currency", "CURRENCY", "Only this currency."},
    {"after", "ID", "Only accounts behind this one, in the order of their bytes."},
    {"limit", "N", "At most so many (default 100)."},
};
static const struct command_flag FLOWS_FLAGS[] = {
    {"from", "WHEN", "Only what was booked at or after: RFC 3339, or 30m, 12h, 7d before now."},
    {"to", "WHEN", "Only what was booked before."},
    {"limit", "N", "At most so many, the newest (default 100)."},
    {"csv", NULL, "As CSV, the oldest first, all of them unless --limit says less."},
};
static const struct command_flag CHECK_FLAGS[] = {
    {"only", "NAMES", "Only these invariants, e.g. I2,I9."},
};
static const struct command_flag OPEN_FLAGS[] = {
    {"currency", "CURRENCY", "1 to 12 letters and digits; needed."},
    {"exponent", "N", "Digits behind the point, 0 to 4 (default 2)."},
    {"kind", "KIND", "user (default), merchant, clearing, suspense, fee, system."},
    {"no-negative", NULL, "The balance without what is frozen stays at zero or above."},
    {"credit-only", NULL, "It only takes."},
    {"debit-only", NULL, "It only gives."},
    {"max-balance", "N", "The balance and what is on its way stay at or below N minor units."},
    WAIT_FLAG,
};
static const struct command_flag SET_FLAGS[] = {
    {"status", "STATUS", "open, frozen or closed."}, {"no-negative", "BOOL", "true or false."},
    {"credit-only", "BOOL", "true or false."},       {"debit-only", "BOOL", "true or false."},
    {"max-balance", "N", "Minor units, or none."},   WAIT_FLAG,
};

static const struct command_flag DIGEST_FLAGS[] = {
    {"balances", NULL, "Only accounts, transfers and decisions."},
};
static const struct command_flag REBUILD_FLAGS[] = {
    {"into", "URL", "A database that `sluice migrate` has made and nobody has used; needed."},
    {"alone", NULL, "There is no live database to compare with: it is lost."},
};
static const struct command_flag PROPOSE_FLAGS[] = {
    {"debit", "ID", "The account that gives; needed."},
    {"credit", "ID", "The account that takes; needed."},
    {"amount", "N", "Minor units, 1 or more; needed."},
    {"currency", "CURRENCY", "That of both accounts; needed."},
    {"reason", "TEXT", "Why, up to 256 bytes; becomes the transfer's reference; needed."},
    {"as", "NAME", "Who proposes it; needed."},
};
static const struct command_flag APPROVE_FLAGS[] = {
    {"as", "NAME", "Who approves it, somebody else than its proposer; needed."},
    {"note", "TEXT", "Kept with the decision."},
    WAIT_FLAG,
};
static const struct command_flag REFUSE_FLAGS[] = {
    {"as", "NAME", "Who refuses it; the proposer withdraws it so; needed."},
    {"note", "TEXT", "Kept with the decision."},
};
static const struct command_flag ADJUST_LS_FLAGS[] = {
    {"state", "STATE", "proposed, approved, refused or all (default proposed)."},
};
static const struct command ADJUST_CHILDREN[] = {
    {.name = "propose",
     .help = "Propose a booking; nothing is booked yet.",
     FLAGS(PROPOSE_FLAGS),
     .run = cmd_account_adjust_propose},
    {.name = "approve",
     .args = "ID",
     .help = "Approve somebody else's proposal: the transfer adjust:ID is asked for.",
     FLAGS(APPROVE_FLAGS),
     .args_min = 1,
     .args_max = 1,
     .run = cmd_account_adjust_approve},
    {.name = "refuse",
     .args = "ID",
     .help = "Refuse a proposal.",
     FLAGS(REFUSE_FLAGS),
     .args_min = 1,
     .args_max = 1,
     .run = cmd_account_adjust_refuse},
    {.name = "ls",
     .help = "Proposals, the newest first, and what became of them.",
     FLAGS(ADJUST_LS_FLAGS),
     .run = cmd_account_adjust_ls},
};

static const struct command_flag REVIEWS_FLAGS[] = {
    {"all", NULL, "Also those that are resolved."},
    {"code", "CODE", "Only these, such as amount_mismatch."},
    {"limit", "N", "At most so many, the newest (default 100)."},
};
static const struct command_flag RESOLVE_FLAGS[] = {
    {"as", "NAME", "Who has looked at it; needed."},
    {"note", "TEXT", "What was done about it; needed."},
};
static const struct command REVIEWS_CHILDREN[] = {
    {.name = "ls", .help = "Open reviews, the newest first.", FLAGS(REVIEWS_FLAGS), .run = cmd_account_reviews_ls},
    {.name = "resolve",
     .args = "ID",
     .help = "Somebody has looked at it; nothing is booked by this.",
     .more = "Exit code 3 when it was resolved before, 4 when there is none of that id.",
     FLAGS(RESOLVE_FLAGS),
     .args_min = 1,
     .args_max = 1,
     .run = cmd_account_reviews_resolve},
    {.name = "retry",
     .args = "ID",
     .help = "The event once more, now that its reason is mended; resolves the review.",
     .more = "Harmless for what was booked meanwhile. Exit code 3 when it was resolved before, 4 when there is none.",
     FLAGS(RESOLVE_FLAGS),
     .args_min = 1,
     .args_max = 1,
     .run = cmd_account_reviews_retry},
};

const struct command ACCOUNT_CHILDREN[ACCOUNT_CHILDREN_N] = {
    {.name = "ls", .help = "Accounts with their balances, by id.", FLAGS(LS_FLAGS), .run = cmd_account_ls},
    {.name = "show",
     .args = "ID",
     .help = "An account: balance, frozen, on its way, available, limits, slots, open holds.",
     .more =
         "Amounts are shown with the currency's digits, in JSON as whole minor units. Exit code 4: no such account.",
     .args_min = 1,
     .args_max = 1,
     .run = cmd_account_show},
    {.name = "flows",
     .args = "ID",
     .help = "What was booked on an account, the newest first.",
     .more = "References are text of others and may begin with = + - @: a spreadsheet takes that for a formula, so\n"
             "import the columns of --csv as text.",
     FLAGS(FLOWS_FLAGS),
     .args_min = 1,
     .args_max = 1,
     .run = cmd_account_flows},
    {.name = "transfer",
     .args = "ID",
     .help = "A transfer: state, flows, decisions, and the commands that asked for it.",
     .args_min = 1,
     .args_max = 1,
     .run = cmd_account_transfer},
    {.name = "check",
     .help = "Is the ledger right? Checks the invariants on the live database; exit code 3 with the first offenders.",
     .more = "Reads all of the ledger in one snapshot, whatever goes on meanwhile, in memory for one account.\n\n"
             "I1   every transfer and every currency sum up to zero\n"
             "I2   balances follow from their flows, versions have no gap\n"
             "I3   limits hold at every flow; frozen and incoming are the open holds\n"
             "I4   transfers have the flows of their state; a hold is resolved once\n"
             "I5   every record was counted once, as what became of it\n"
             "I6   every flow and decision is in the outbox exactly once\n"
             "I7   payments walked legally through their states; refunds add up\n"
             "I8   what was refused has moved nothing\n"
             "I9   the hash chain of each slot\n"
             "I12  suspense holds what payments say that it holds\n\n"
             "docs/ledger.md says what an offender means and what to do.",
     FLAGS(CHECK_FLAGS),
     .run = cmd_account_check},
    {.name = "digest",
     .help = "SHA-256 sums of the ledger: equal sums, equal ledgers.",
     .more = "accounts, transfers and decisions do not depend on the order in which instances booked; slots, flows\n"
             "(with their hash chains) and places (the slots of transfers) do. Times of booking are in none.",
     FLAGS(DIGEST_FLAGS),
     .run = cmd_account_digest},
    {.name = "rebuild",
     .help = "The ledger again from the topic account.flows, into an empty database, and compared with the live one.",
     .more =
         "Nothing is decided anew. Nothing may be booked meanwhile: stop the role account, leave the relay until all\n"
         "is published. Exit code 3 when the log has lost something or the two differ, with the first ten places;\n"
         "75 when the live ledger went on, or has not published everything. Payments, positions and the journal are\n"
         "not in that topic. --dry-run looks at log and databases.",
     FLAGS(REBUILD_FLAGS),
     .run = cmd_account_rebuild},
    {.name = "open",
     .args = "ID",
     .help = "Ask for a new account.",
     FLAGS(OPEN_FLAGS),
     .args_min = 1,
     .args_max = 1,
     .run = cmd_account_open},
    {.name = "set",
     .args = "ID",
     .help = "Ask for other limits of an account, freeze it, close it.",
     .more = "What is not named stays. Freezing stops new transfers and tries; open holds may still be confirmed and\n"
             "cancelled. Closing needs an account without balance and holds.",
     FLAGS(SET_FLAGS),
     .args_min = 1,
     .args_max = 1,
     .run = cmd_account_set},
    {.name = "explain",
     .args = "EVENT",
     .help = "What an event of payments books and why, and what it has booked.",
     .more =
         "EVENT is the id of an event, the id of a payment (all that happened to it), or a file, - for stdin: a JSON\n"
         "object with event_type, payment_id and the payload's fields, or the payload under \"payload\". It is looked\n"
         "at beside the order as it is now; nothing is changed. Exit code 4: there is no such event or payment.",
     .args_min = 1,
     .args_max = 1,
     .run = cmd_account_explain},
    {.name = "reviews", .help = "Payment events that need a person (docs/payments.md).", CHILDREN(REVIEWS_CHILDREN)},
    {.name = "adjust",
     .help = "Bookings by hand: one person proposes, another one approves.",
     CHILDREN(ADJUST_CHILDREN)},
};
