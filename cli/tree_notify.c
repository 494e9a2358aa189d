/* SPDX-License-Identifier: Apache-2.0 */
#include "tree_notify.h"

#include "base/mem.h"
#include "commands.h"

#define FLAGS(rows) .flags = (rows), .n_flags = ARRAY_SIZE(rows)

static const struct command_flag PREVIEW_FLAGS[] = {
    {"tracking-no", "NO", "Of an event that is not there: this parcel's, with --status."},
    {"status", "STATUS", "What it says: in_transit, delivered, ..."},
    {"carrier", "CARRIER", "Of which carrier."},
    {"context", "TEXT", "The carrier's words."},
};
static const struct command_flag RESEND_FLAGS[] = {
    {"tracking-no", "NO", "All notifications about this parcel, instead of naming them."},
    {"all", NULL, "Also to devices that have accepted it before."},
    {"force", NULL, "Also what has expired; it may then be sent for notify.ttl.s from now on."},
    {"operator", "NAME", "Who does it, for the log (default user@host)."},
};

const struct command NOTIFY_CHILDREN[NOTIFY_CHILDREN_N] = {
    {.name = "preview",
     .args = "[EVENT]",
     .help = "Who would be told of an event, on which devices, in which words, or why nobody; nothing is written.",
     .more =
         "EVENT is the id of a row of notify_queue, handled or not; or the event is described by --tracking-no and\n"
         "--status. The same rules as those of the role, in a transaction that only reads. Exit code 0 when\n"
         "somebody would be told, 3 when nobody, 4 when there is no such row.",
     FLAGS(PREVIEW_FLAGS),
     .args_max = 1,
     .run = cmd_notify_preview},
    {.name = "resend",
     .args = "[NOTIFICATION...]",
     .help = "Send notifications again: a new generation, which providers do not take for what they have seen.",
     .more =
         "NOTIFICATION is an id of express_notifications or a message_id. Devices that have accepted it or that it\n"
         "is under way to are left out, and who has muted such things is not told. --dry-run shows what would be\n"
         "sent; without a terminal it needs --yes.\n"
         "Exit code 3 when some have expired, are muted or have no device to go to, 4 for an unknown one, 75 when\n"
         "somebody else was faster.",
     FLAGS(RESEND_FLAGS),
     .args_max = -1,
     .run = cmd_notify_resend},
};
