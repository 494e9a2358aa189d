/* SPDX-License-Identifier: Apache-2.0 */
/* The road as two tables: the topics, and who moves what from where to where. */
#include "schemas/topology.h"

#include <string.h>

#include "base/mem.h"

#define DAYS_MS(n) ((int64_t)(n)*24 * 3600 * 1000)
#define KIB(n) ((int64_t)(n)*1024)
#define RECORD_MAX KIB(1024)
#define DEAD_LETTER_MAX (RECORD_MAX + KIB(64)) /* the record as it was, and the headers that say why */

/* Ordinary topics: ordered by key, kept for a week, which exceeds the longest outage to be survived. */
#define STREAM .partitions = 6, .retention_ms = DAYS_MS(7), .max_message_bytes = RECORD_MAX
#define DEAD_LETTERS \
    .partitions = 3, .retention_ms = DAYS_MS(30), .max_message_bytes = DEAD_LETTER_MAX, .key = "as in the topic it was"
#define STATE .retention_ms = -1, .compacted = true, .max_message_bytes = RECORD_MAX

const struct topic_spec TOPICS[] = {
    {.name = "callback.events",
     STREAM,
     .schema = "callback_event",
     .key = "partition_key of the outbox row",
     .help = "Events to be sent to partner platforms."},
    {.name = "callback.outcomes",
     STREAM,
     .schema = "callback_outcome",
     .key = "event id",
     .help = "What became of each delivery attempt."},
    {.name = "callback.dlq", DEAD_LETTERS, .help = "Callbacks that cannot be published or delivered."},

    {.name = "express.events",
     STREAM,
     .schema = "express_event",
     .key = "tracking number",
     .help = "Carrier status changes."},
    {.name = "express.dlq", DEAD_LETTERS, .help = "Carrier events that cannot be handled."},

    {.name = "notification.pushes",
     STREAM,
     .schema = "notification_push",
     .key = "recipient",
     .help = "Notifications to be pushed to devices."},
    {.name = "notification.outcomes",
     STREAM,
     .schema = "notification_outcome",
     .key = "recipient",
     .help = "What became of each push."},
    {.name = "notification.dlq", DEAD_LETTERS, .help = "Notifications that cannot be published or pushed."},

    {.name = "payment.events",
     STREAM,
     .schema = "payment_event",
     .key = "payment_id",
     .help = "Orders to be paid and what the channels say of them."},
    {.name = "account.commands",
     STREAM,
     .schema = "account_command",
     .key = "debit account",
     .help = "Transfers, holds, releases, reversals."},
    {.name = "account.flows",
     .partitions = 6,
     .retention_ms = -1, /* the ledger's log: `account rebuild` needs all of it */
     .max_message_bytes = RECORD_MAX,
     .schema = "account_flow",
     .key = "account id",
     .help = "Bookings and decisions, as they were committed."},
    {.name = "account.dlq", DEAD_LETTERS, .help = "Payment events and account commands that cannot be booked."},
    {.name = "reconciliation.differences",
     STREAM,
     .key = "payment_id",
     .help = "Differences between the ledger and the channels' statements."},

    {.name = "sluice.relay.positions",
     STATE,
     .partitions = 8,
     .key = "source",
     .help = "How far the relay has read each source; written in the transaction of the records."},
    {.name = "sluice.dlq.actions",
     STATE,
     .partitions = 1,
     .key = "topic, partition, segment",
     .help = "Which dead letters have been redriven or discarded."},
};
const size_t TOPICS_N = ARRAY_SIZE(TOPICS);

const struct road_step TOPOLOGY[] = {
    {"business transaction", "SQL", "cs_platform_event_outbox", NULL},
    {"business transaction", "SQL", "payment_outbox", NULL},
    {"business transaction", "SQL", "notify_queue", NULL},
    {"https: channels, carriers, services", "gateway", "payment_outbox", NULL},
    {"https: channels, carriers, services", "gateway", "account_command_outbox", NULL},
    {"https: channels, carriers, services", "gateway", "payment_transactions", NULL},
    {"account_transfers", "account", "account_command_outbox", NULL}, /* holds that have expired */
    {"payment_transactions", "account", "payment_outbox", NULL},      /* orders that have expired */
    {"https: channels, carriers, services", "gateway", "notify_queue", NULL},
    {"https: phones", "gateway", "push_devices", NULL},

    {"cs_platform_event_outbox", "relay", "callback.events", "callback.dlq"},
    {"cs_platform_event_outbox", "relay", "callback.outcomes", "callback.dlq"}, /* of rows that cannot be published */
    {"callback.events", "callback", "https: partner platforms", "callback.dlq"},
    {"callback.events", "callback", "callback.outcomes", "callback.dlq"},
    {"callback.outcomes", "sink", "cs_platform_event_outbox", "dead_letter_outbox"},
    {"callback.outcomes", "sink", "cs_platform_event_delivery_attempts", "dead_letter_outbox"},
    {"callback.outcomes", "sink", "cs_platform_event_dead_letters", "dead_letter_outbox"},

    {"notify_queue", "relay", "express.events", "express.dlq"},
    {"express.events", "notify", "express_notifications", "dead_letter_outbox"},
    {"express.events", "notify", "push_deliveries", "dead_letter_outbox"},
    {"express.events", "notify", "notify_queue", "dead_letter_outbox"},
    {"push_deliveries", "relay", "notification.pushes", "notification.dlq"},
    {"push_deliveries", "relay", "notification.outcomes", "notification.dlq"}, /* of rows that cannot be published */
    {"notification.pushes", "push", "https: push provider", "notification.dlq"},
    {"notification.pushes", "push", "notification.outcomes", "notification.dlq"},
    {"notification.outcomes", "sink", "express_notifications", "dead_letter_outbox"},
    {"notification.outcomes", "sink", "push_deliveries", "dead_letter_outbox"},
    {"notification.outcomes", "sink", "push_devices", "dead_letter_outbox"},

    {"payment_outbox", "relay", "payment.events", "account.dlq"},
    {"account_command_outbox", "relay", "account.commands", "account.dlq"},
    {"payment.events", "account", "payment_transactions", "dead_letter_outbox"},
    {"payment.events", "account", "account_flows", "dead_letter_outbox"},
    {"payment.events", "account", "cs_platform_event_outbox", "dead_letter_outbox"},
    {"account.commands", "account", "account_slots", "dead_letter_outbox"},
    {"account.commands", "account", "account_transfers", "dead_letter_outbox"},
    {"account.commands", "account", "account_flows", "dead_letter_outbox"},
    {"account.commands", "account", "account_decisions", "dead_letter_outbox"},
    {"account_flows", "relay", "account.flows", "account.dlq"},
    {"account_decisions", "relay", "account.flows", "account.dlq"},
    {"account.flows", "reconcile", "reconciliation_differences", "dead_letter_outbox"},
    {"account.flows", "reconcile", "account_command_outbox", "dead_letter_outbox"},
    {"reconciliation_differences", "relay", "reconciliation.differences", "account.dlq"},
    {"reconciliation.differences", "people", "reconciliation_reviews", NULL},

    {"dead_letter_outbox", "relay", "callback.dlq", NULL},
    {"dead_letter_outbox", "relay", "express.dlq", NULL},
    {"dead_letter_outbox", "relay", "notification.dlq", NULL},
    {"dead_letter_outbox", "relay", "account.dlq", NULL},
    {"callback.dlq", "dlq", "cs_platform_event_outbox", NULL},
    {"express.dlq", "dlq", "notify_queue", NULL},
    {"notification.dlq", "dlq", "push_deliveries", NULL},
    {"account.dlq", "dlq", "payment.events", NULL},
    {"account.dlq", "dlq", "account.commands", NULL},

    {"sluice.relay.positions", "relay", "sluice.relay.positions", NULL},
    {"sluice.dlq.actions", "dlq", "sluice.dlq.actions", NULL},
};
const size_t TOPOLOGY_N = ARRAY_SIZE(TOPOLOGY);

const struct topic_spec *topic_spec_find(const char *name)
{
    for (size_t i = 0; i < TOPICS_N; i++) {
        if (strcmp(TOPICS[i].name, name) == 0) {
            return &TOPICS[i];
        }
    }
    return NULL;
}
