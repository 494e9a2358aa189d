/* SPDX-License-Identifier: Apache-2.0 */
#include "tree_express.h"

#include "base/mem.h"
#include "commands.h"

#define FLAGS(rows) .flags = (rows), .n_flags = ARRAY_SIZE(rows)

static const struct command_flag WAYBILLS_LS_FLAGS[] = {
    {"parked", NULL, "Numbers that carriers speak of and no waybill has, and until when they are looked for."},
    {"all", NULL, "With --parked: also those that are not looked for any more."},
    {"status", "STATUS", "Only waybills that stand there: in_transit, delivered, ..."},
    {"tracking-no", "NO", "Only this one."},
    {"limit", "N", "At most so many (default 100)."},
};
static const struct command_flag WAYBILLS_LINK_FLAGS[] = {
    {"carrier", "CARRIER", "The waybill's carrier; left out: as it is."},
};
const struct command WAYBILLS_CHILDREN[WAYBILLS_CHILDREN_N] = {
    {.name = "ls",
     .help = "Waybills, those with the newest news first; or what is parked.",
     .more =
         "There is no index over the status, on purpose: on a large table this reads all of it. UNTIL goes by this\n"
         "environment's express.parked.keep.days; give it the gateway's.",
     FLAGS(WAYBILLS_LS_FLAGS),
     .run = cmd_waybills_ls},
    {.name = "show",
     .args = "NO",
     .help = "The whole story of a parcel: what carriers said, who was told what, on which phone, and why not.",
     .more = "Waybill and order, nodes with what was decided of each, rows of notify_queue with their reasons,\n"
             "notifications, deliveries to devices with the provider's verdicts. Exit code 4: nobody has heard of it.",
     .args_min = 1,
     .args_max = 1,
     .run = cmd_waybills_show},
    {.name = "link",
     .args = "NO ORDER",
     .help = "Make the waybill, or give it this order, and run what waits for that.",
     .more = "Parked calls are due at once, and rows of notify_queue that were skipped because waybill or order was\n"
             "not found go back on the road. A waybill that has another order is asked about first (--yes). Exit code\n"
             "4: there is no such order; 3: somebody else was faster.",
     FLAGS(WAYBILLS_LINK_FLAGS),
     .args_min = 2,
     .args_max = 2,
     .run = cmd_waybills_link},
    {.name = "rematch",
     .args = "[NO...]",
     .help = "Run what waits for a waybill or an order that is there by now; without numbers, all of it.",
     .more = "--dry-run counts; without a terminal it needs --yes. Exit code 3: nothing waits for the numbers given.\n"
             "Without numbers both tables are read, by their indexes, a thousand rows and a transaction at a time.",
     .args_max = -1,
     .run = cmd_waybills_rematch},
};

static const struct command_flag DEVICES_LS_FLAGS[] = {
    {"user", "ID", "Of this user."},
    {"merchant", "ID", "Of this merchant."},
    {"cid", "CID", "With this address at the provider, of every app."},
    {"all", NULL, "Also those that are inactive."},
    {"limit", "N", "At most so many (default 100)."},
};
static const struct command_flag DEVICES_DEACTIVATE_FLAGS[] = {
    {"reason", "TEXT", "Why; needed."},
};
static const struct command_flag DEVICES_TEST_FLAGS[] = {
    {"wait", "SECONDS", "How long to wait for the provider's verdict (default 30)."},
};
const struct command DEVICES_CHILDREN[DEVICES_CHILDREN_N] = {
    {.name = "ls",
     .help = "Devices of somebody, those seen last first; needs one of --user, --merchant, --cid.",
     FLAGS(DEVICES_LS_FLAGS),
     .run = cmd_devices_ls},
    {.name = "show",
     .args = "APPID/CID|ID",
     .help = "One device, and the last messages to it.",
     .args_min = 1,
     .args_max = 1,
     .run = cmd_devices_show},
    {.name = "deactivate",
     .args = "APPID/CID|ID",
     .help = "Send nothing more to a device until it registers again.",
     .more = "Exit code 3 when it is inactive already, 4 when there is none.",
     FLAGS(DEVICES_DEACTIVATE_FLAGS),
     .args_min = 1,
     .args_max = 1,
     .run = cmd_devices_deactivate},
    {.name = "test",
     .args = "APPID/CID|ID",
     .help = "Send a real message to a device, and say what its provider answers.",
     .more = "A row of push_deliveries like any other: it needs a relay, a push role and a sink. Exit code 0 when the\n"
             "provider has accepted it, else 1.",
     FLAGS(DEVICES_TEST_FLAGS),
     .args_min = 1,
     .args_max = 1,
     .run = cmd_devices_test},
};

static const struct command_flag SELFTEST_FLAGS[] = {
    {"tracking-no", "NO", "This waybill instead of one that is made; its real recipients are told."},
    {"timeout", "SECONDS", "How long a stage may stay silent (default 30)."},
    {"url", "URL", "The gateway's address for carriers (default by express.listen)."},
    {"device-url", "URL", "The gateway's address for phones (default by device.listen)."},
};
const struct command SELFTEST_CHILDREN[SELFTEST_CHILDREN_N] = {
    {.name = "express",
     .help = "A parcel through the running road, from the carrier's call to the provider's verdict.",
     .more =
         "Makes an order with user and merchant, a waybill, a phone for each of both (app selftest, whose provider\n"
         "is always mock), sends the carrier's call to the running gateway and follows it through notify_queue,\n"
         "express_notifications, push_deliveries and send_status. Stops at the first stage that stays silent and\n"
         "says who is. What was made is removed at the end. Exit code 1 when it has stopped.",
     FLAGS(SELFTEST_FLAGS),
     .run = cmd_selftest_express},
};
