/* SPDX-License-Identifier: Apache-2.0 */
/* The command tree. A new command is one row here and one function in its family's file. */
#include "base/mem.h"
#include "commands.h"
#include "tree_account.h"
#include "tree_express.h"
#include "tree_gateway.h"
#include "tree_notify.h"
#include "tree_sign.h"

#define FLAGS(rows) .flags = (rows), .n_flags = ARRAY_SIZE(rows)
#define CHILDREN(rows) .children = (rows), .n_children = ARRAY_SIZE(rows)

static const struct command_flag MIGRATE_FLAGS[] = {
    {"print", NULL, "Print the SQL instead of running it."},
    {"print-role", NULL, "Print the SQL of a role with the least privileges that sluice needs."},
    {"rls-function", NULL,
     "Install the function that reads who an order belongs to where row-level security hides ml_orders from the role "
     "notify; --dry-run prints it."},
    {"role", "NAME",
     "With --rls-function: who may execute it (default sluice_run if it exists, else the session's role)."},
};

static const struct command_flag POSITION_SET_FLAGS[] = {
    {.name = "to", .value = "WHERE", .help = "start, now, accept or a snapshot (xmin:xmax:xip,...)."},
};
static const struct command POSITION_CHILDREN[] = {
    {.name = "show",
     .args = "[SOURCE]",
     .help =
         "Kafka's position of each source, PostgreSQL's copy, and whether the relay would go on; exit code 3 if not.",
     .args_max = 1,
     .run = cmd_relay_position_show},
    {.name = "set",
     .args = "SOURCE",
     .help = "Rewrite a position after a restore or failover; says what it means, does it with --yes.",
     .more = "start    every queued row is published again\n"
             "now      what is not published yet is skipped\n"
             "accept   the same snapshot, declared to belong to this database\n"
             "SNAPSHOT what is visible in it counts as published\n"
             "Refused while a relay owns the source.",
     FLAGS(POSITION_SET_FLAGS),
     .args_min = 1,
     .args_max = 1,
     .run = cmd_relay_position_set},
};
static const struct command RELAY_CHILDREN[] = {
    {.name = "position", .help = "Where a source stands; go on after a restore.", CHILDREN(POSITION_CHILDREN)},
};

static const struct command_flag GROUP_SET_FLAGS[] = {
    {"to", "WHERE", "earliest, latest, or an offset (with --partition); needed."},
    {"topic", "TOPIC", "Only this topic."},
    {"partition", "N", "Only this partition."},
    {"force", NULL, "Also while instances run: they are fenced and go on from there."},
};
static const struct command GROUP_CHILDREN[] = {
    {.name = "show",
     .args = "[GROUP]",
     .help = "Position rows, the log's ends, the group's copy; exit code 3 when a row does not fit its log.",
     .args_max = 1,
     .run = cmd_position_show},
    {.name = "set",
     .args = "GROUP",
     .help = "Move positions; says what it means, does it with --yes.",
     .more = "GROUP is a consumer group or the role, such as sink.\n\n"
             "earliest  the log's start: what is there is handled again\n"
             "latest    the log's end: what was not handled yet is skipped\n"
             "OFFSET    this one of a partition\n"
             "Refused while the group has members.",
     FLAGS(GROUP_SET_FLAGS),
     .args_min = 1,
     .args_max = 1,
     .run = cmd_position_set},
};

static const struct command TOPICS_CHILDREN[] = {
    {.name = "apply", .help = "Create and configure the topics.", .run = cmd_topics_apply},
    {.name = "diff", .help = "Say what differs; exit code 3 when something does.", .run = cmd_topics_diff},
    {.name = "acl", .help = "Print the rights that each role needs.", .run = cmd_topics_acl},
};

static const struct command_flag STATUS_FLAGS[] = {
    {"watch", "SECONDS", "Look again and again, with rates in between; Ctrl-C ends it."},
    {"stuck-after", "SECONDS", "A published row without outcome counts as stuck after this (default 900)."},
};

static const struct command_flag TAIL_FLAGS[] = {
    {"from", "WHERE",
     "beginning, end, an offset, -N (N offsets before the end), or @TIME in RFC 3339 (default beginning)."},
    {"until", "WHERE",
     "end (as it was at the start), an offset (not printed, at most the end), or never (default end)."},
    {"follow", NULL, "Same as --until never."},
    {"partition", "N", "Only this partition."},
    {"count", "N", "Stop after N records."},
    {"key", "KEY", "Only records with this key."},
    {"where", "FIELD=VALUE", "Only records whose decoded value has this in a top-level field."},
    {"uncommitted", NULL, "Also records of open and aborted transactions."},
    {"timeout-ms", "N", "Longest wait for an answer from Kafka in milliseconds (default 10000)."},
};

static const struct command_flag ENCODE_FLAGS[] = {
    {"raw", NULL, "All of stdin is one JSON text; write one value without a length before it."},
};

static const struct command_flag DECODE_FLAGS[] = {
    {"raw", NULL, "All of stdin is one value without a length before it."},
    {"max-bytes", "N", "Refuse values longer than this (default 67108864)."},
};

/* Which dead letters are meant. */
#define DLQ_FILTERS                                                                             \
    {"topic", "TOPIC", "Only of records of this topic, e.g. callback.events."},                 \
        {"class", "CLASS", "Only with this class of reason, e.g. timeout."},                    \
        {"platform", "PLATFORM", "Only events of this platform."},                              \
        {"id", "ID", "Only this event or dead letter; several times, or separated by commas."}, \
        {"since", "WHEN", "Only what died at or after: RFC 3339, or 30m, 12h, 7d before now."}, \
    {                                                                                           \
        "until", "WHEN", "Only what died before."                                               \
    }
static const struct command_flag DLQ_LS_FLAGS[] = {
    DLQ_FILTERS,
    {"all", NULL, "Also those that are not open."},
    {"limit", "N", "At most so many (default 1000)."},
};
static const struct command_flag DLQ_GROUPS_FLAGS[] = {
    DLQ_FILTERS,
    {"all", NULL, "Also those that are not open."},
};
static const struct command_flag DLQ_REDRIVE_FLAGS[] = {
    DLQ_FILTERS,
    {"everything", NULL, "All open dead letters, without a filter."},
    {"limit", "N", "At most so many."},
    {"rate", "N[/s]", "At most so many a second (default 200)."},
    {"wait", "SECONDS", "How long to wait for dead letters that are not settled (default 15)."},
    {"force", NULL, "Also those that have died three times or more."},
    {"operator", "NAME", "Who does it, for the log (default user@host)."},
};
static const struct command DLQ_CHILDREN[] = {
    {.name = "ls",
     .args = "[TOPIC|all]",
     .help = "Open dead letters, a line each.",
     .more =
         "States: open (its row is dead), no-row (a record without a row that has a status), not-settled (the sink\n"
         "has not recorded it yet), requeued (its row has been put back since), closed (somebody has set its row\n"
         "to delivered), row-gone. Open are the first two; --all shows the others too.",
     FLAGS(DLQ_LS_FLAGS),
     .args_max = 1,
     .run = cmd_dlq_ls},
    {.name = "groups",
     .args = "[TOPIC|all]",
     .help = "Open dead letters counted by topic, class and platform.",
     FLAGS(DLQ_GROUPS_FLAGS),
     .args_max = 1,
     .run = cmd_dlq_groups},
    {.name = "show",
     .args = "[TOPIC:]PARTITION:OFFSET|ID",
     .help = "Everything about a dead letter: headers, reason, value, the row behind it and its attempts.",
     .more = "Prints the payload. An id that has died several times shows each; exit code 4 when there is none.",
     .args_min = 1,
     .args_max = 1,
     .run = cmd_dlq_show},
    {.name = "redrive",
     .args = "[TOPIC|all]",
     .help = "Send open dead letters again: the rows behind them go back on the road, with their whole retry budget.",
     .more = "A row is put back only while it has the queue_seq of its dead letter and is dead, so that repeating the\n"
             "command, running it twice at a time, killing it and repairs in SQL do no harm. Needs a filter or\n"
             "--everything; --dry-run counts and shows samples; without a terminal it needs --yes. Exit code 75 when\n"
             "some are not settled, 3 when some have no row behind them or have died too often, 4 for an unknown --id.",
     FLAGS(DLQ_REDRIVE_FLAGS),
     .args_max = 1,
     .run = cmd_dlq_redrive},
};

#define SOURCE_FLAG                                                                                 \
    {                                                                                               \
        "source", "SOURCE", "callback (default), express (notify_queue) or push (push_deliveries)." \
    }
static const struct command_flag OUTBOX_SHOW_FLAGS[] = {
    {"source", "SOURCE", "Only in callback, express or push (default: wherever the id is)."},
};
static const struct command_flag OUTBOX_LS_FLAGS[] = {
    SOURCE_FLAG,
    {"status", "STATUS", "A state of that source, or all (default all but those with a good end)."},
    {"platform", "PLATFORM", "Only of this platform; carrier; app and provider as APP/PROVIDER."},
    {"older", "DURATION", "Only rows created longer ago: 30m, 12h, 7d."},
    {"limit", "N", "At most so many (default 100)."},
};
static const struct command_flag OUTBOX_REPLAY_FLAGS[] = {
    SOURCE_FLAG,
    {"id", "ID", "This row; several times, or separated by commas."},
    {"stuck", NULL, "Rows that are published and have had no outcome for long."},
    {"older", "DURATION", "With --stuck: for so long (default 1h)."},
    {"platform", "PLATFORM", "With --stuck: only of this platform, carrier, app and provider."},
    {"limit", "N", "With --stuck: at most so many (default 10000)."},
    {"operator", "NAME", "Who does it, for the log (default user@host)."},
};
static const struct command OUTBOX_CHILDREN[] = {
    {.name = "ls",
     .help = "Rows of an outbox by state, the oldest first; no payloads.",
     .more =
         "callback   pending, retrying, delivered, dead_letter\n"
         "express    null (on the road), queued, skipped, failed, processed (processed_at is set and process_status\n"
         "           is not: somebody has handled the row by hand)\n"
         "push       pending, retrying, delivered, failed, dead_letter\n\n"
         "There is no index over the status, on purpose: on a large table this reads all of it.",
     FLAGS(OUTBOX_LS_FLAGS),
     .run = cmd_outbox_ls},
    {.name = "show",
     .args = "ID",
     .help = "A row with its payload, where it stands, and what hangs on it: attempts, notifications, device.",
     FLAGS(OUTBOX_SHOW_FLAGS),
     .args_min = 1,
     .args_max = 1,
     .run = cmd_outbox_show},
    {.name = "replay",
     .help = "Put rows back on the road.",
     .more = "at its end              published again, with the whole retry budget; its dead letter goes\n"
             "retrying, waiting       due now, in the same round\n"
             "pending, on the road    left as it is, unless --stuck finds it\n\n"
             "A row moves only while it is as it was seen. --stuck sends rows again whose outcome is only late, too:\n"
             "look at `sluice status` first. Exit code 4 when there is no such row.",
     FLAGS(OUTBOX_REPLAY_FLAGS),
     .run = cmd_outbox_replay},
};

static const struct command_flag RECEIVE_FLAGS[] = {
    {"listen", "ADDRESS", "Where to listen (default 127.0.0.1:7601; port 0 = any free one)."},
    {"secret-file", "[PLATFORM=]FILE[,...]", "Keys to verify with, instead of those in the environment."},
    {"ids-max", "N", "Ids and keys that are remembered; later ones are only counted (default 100000)."},
    {"push-secret-file", "FILE", "Secret of /push, instead of CLOUD_FUNC_SECRET or CLOUD_FUNC_SECRET_FILE."},
};

static const struct command_flag TOPOLOGY_FLAGS[] = {
    {"mermaid", NULL, "As a Mermaid flow chart for Markdown."},
    {"states", NULL, "Instead the states of payments, as a Mermaid state diagram."},
};

static const struct command CONFIG_CHILDREN[] = {
    {.name = "check",
     .help = "Check file and environment; exit code 78 when something is wrong.",
     .run = cmd_config_check},
    {.name = "docs", .help = "Print docs/CONFIGURATION.md.", .run = cmd_config_docs, .no_config = true},
};

static const struct command_flag BENCH_RELAY_FLAGS[] = {
    {"rows", "N", "Rows to drain (default 300000)."},
    {"payload", "N", "Bytes of each payload (default 256)."},
    {"seconds", "N", "Length of the latency runs in seconds (default 10)."},
    {"rate", "N", "Rows per second of the latency runs (default 2000)."},
};

static const struct command_flag BENCH_CALLBACK_FLAGS[] = {
    {"events", "N", "Events of each run (default 40000)."},
    {"payload", "N", "Bytes of each payload (default 512)."},
    {"endpoints", "N", "Endpoints of the runs with many (default 100)."},
    {"in-flight", "N", "Requests under way at once (default 128)."},
    {"seconds", "N", "Length of the latency runs in seconds (default 8)."},
    {"rate", "N", "Rows per second to healthy endpoints in the latency runs (default 500)."},
};

static const struct command_flag BENCH_ACCOUNT_FLAGS[] = {
    {"transfers", "N", "Transfers of each pass (default 200000)."},
    {"accounts", "N", "Accounts they are drawn from (default 1000000)."},
    {"seconds", "N", "Length of the latency runs in seconds (default 8)."},
    {"http-rate", "N", "Requests per second in the run over HTTP (default 500)."},
};

static const struct command_flag BENCH_GATEWAY_FLAGS[] = {
    {"calls", "N", "Calls of the pass, all signed before it (default 40000)."},
    {"connections", "N", "Keep-alive connections (default 64)."},
    {"seconds", "N", "Length of the latency run in seconds (default 8)."},
    {"idle", "N", "Idle connections that are tried; 0 = none (default 10000)."},
};

static const struct command_flag BENCH_NOTIFY_FLAGS[] = {
    {"rows", "N", "Devices, notifications and deliveries that are in the tables before (default 1000000)."},
    {"calls", "N", "Calls of the pass over HTTP (default 40000)."},
    {"connections", "N", "Keep-alive connections (default 64)."},
    {"events", "N", "Events that notify works off, and its limit (default 100000)."},
    {"in-flight", "N", "Requests to the provider at once (default 100)."},
    {"rate", "N", "Calls per second in the run over the whole road (default 500)."},
    {"seconds", "N", "Length of that run in seconds (default 8)."},
};

static const struct command BENCH_CHILDREN[] = {
    {.name = "account",
     .help = "Commands in their topic to flows in account.flows, beside sets of the same rows in SQL.",
     .more = "Opens accounts by itself and books transfers between them: a database and topics of its own are needed\n"
             "(./dev bench account), and neither relay nor account may run. What was booked stays.",
     FLAGS(BENCH_ACCOUNT_FLAGS),
     .run = cmd_bench_account},
    {.name = "callback",
     .help = "Signed callbacks, role alone and end to end, beside bare libcurl with the same receiver.",
     .more =
         "Fills the callback outbox and delivers to a receiver of its own on 127.0.0.1: a database and topics that\n"
         "hold nothing else are needed (./dev bench callback), and none of the roles may run. Its rows are removed\n"
         "at the end, the records stay.",
     FLAGS(BENCH_CALLBACK_FLAGS),
     .run = cmd_bench_callback},
    {.name = "gateway",
     .help = "Notifications that become durable, beside libmicrohttpd that only verifies their signatures.",
     .more = "Makes keys, orders and signed notifications of WeChat Pay by itself and sends them to a gateway of its\n"
             "own on 127.0.0.1: a database without calls of channels is needed (./dev bench gateway), and no relay,\n"
             "account role or gateway may run there. Rows and keys are removed at the end.",
     FLAGS(BENCH_GATEWAY_FLAGS),
     .run = cmd_bench_gateway},
    {.name = "notify",
     .help = "A carrier's call to the request at a push provider, each part beside its limit.",
     .more = "Fills tables of devices, notifications and deliveries, and starts gateway, relay, notify, push and sink\n"
             "by itself, with a provider of its own on 127.0.0.1: a database and topics without orders, waybills,\n"
             "devices and events are needed (./dev bench notify), and none of the roles may run. Its rows are removed\n"
             "at the end, the records stay.",
     FLAGS(BENCH_NOTIFY_FLAGS),
     .run = cmd_bench_notify},
    {.name = "relay",
     .help = "Draining an outbox, and commit to visible, beside a bare transactional producer.",
     .more = "Fills the callback outbox, so the table must be empty (or --yes); its own rows and its own topic are\n"
             "removed at the end, the records it published stay. No other relay may run.",
     FLAGS(BENCH_RELAY_FLAGS),
     .run = cmd_bench_relay},
};

static const struct command COMMANDS[] = {
    {.name = "run",
     .args = "ROLE...",
     .help = "Run roles in the foreground; several roles are one supervised process each.",
     .more = "Stops cleanly on SIGTERM or Ctrl-C; a second one stops at once.",
     .args_min = 1,
     .args_max = -1,
     .run = cmd_run,
     .help_more = run_help},
    {.name = "migrate",
     .help = "Create or upgrade the tables; harmless when repeated.",
     FLAGS(MIGRATE_FLAGS),
     .run = cmd_migrate},
    {.name = "topics",
     .help = "Compare the topics with what they should be, create them, print their ACLs.",
     .more = "Without a command: diff.",
     CHILDREN(TOPICS_CHILDREN),
     .run = cmd_topics_diff},
    {.name = "relay", .help = "Positions of the relay's sources.", CHILDREN(RELAY_CHILDREN)},
    {.name = "position", .help = "Positions of the database processors.", CHILDREN(GROUP_CHILDREN)},
    {.name = "status",
     .help = "One screen: how far every stage is, what waits, what is dead.",
     .more =
         "Rows not published, records not handled (markers of transactions and what is done out of order are not\n"
         "counted), age of the oldest, rows by state, dead letters. Counting has ceilings: >N means more than N,\n"
         "? that it was not found out. Shows what it can when PostgreSQL or Kafka is away; the exit code is then 69.",
     FLAGS(STATUS_FLAGS),
     .run = cmd_status},
    {.name = "doctor",
     .help = "Can anything arrive at all? Servers, tables, privileges, hidden rows, topics, roles, ports.",
     .more = "One line a check, ok, warn or FAIL, and what to do where it is not ok. Looks and changes nothing. Exit "
             "code 3\nwhen something fails.",
     .run = cmd_doctor},
    {.name = "health",
     .args = "ROLE",
     .help = "Exit code 0 when every instance of the role on this machine is ready.",
     .args_min = 1,
     .args_max = 1,
     .run = cmd_health},
    {.name = "outbox",
     .help = "Rows of the outboxes of callbacks, parcels and pushes: look at them, send them again.",
     CHILDREN(OUTBOX_CHILDREN)},
    {.name = "dlq", .help = "Dead letters of every topic: look into them, send them again.", CHILDREN(DLQ_CHILDREN)},
    {.name = "account", .help = "The ledger: accounts, flows, transfers.", CHILDREN(ACCOUNT_CHILDREN)},
    {.name = "gateway",
     .help = "Calls of channels: accounts, quarantine, what is kept of them.",
     CHILDREN(GATEWAY_CHILDREN)},
    {.name = "waybills",
     .help = "Parcels: where they are, what waits for them, why somebody was not told.",
     CHILDREN(WAYBILLS_CHILDREN)},
    {.name = "notify", .help = "Who is told of what happened to a parcel.", CHILDREN(NOTIFY_CHILDREN)},
    {.name = "devices", .help = "Phones: whose they are, what reached them.", CHILDREN(DEVICES_CHILDREN)},
    {.name = "selftest", .help = "Try the running road, end to end.", CHILDREN(SELFTEST_CHILDREN)},
    {.name = "tail",
     .args = "TOPIC",
     .help = "Records of a topic as JSON lines.",
     .more =
         "One object a line: topic, partition, offset, timestamp, key, headers, value. Avro is decoded, JSON stays\n"
         "as it is, other text is a string, bytes that are no text are {\"base64\": ...}. A malformed record has\n"
         "error and value_base64 (its first KiB) instead of value, and the exit code is 3 at the end. Reads no\n"
         "consumer group and commits nothing; exit code 4 when there is no such topic.",
     FLAGS(TAIL_FLAGS),
     .args_min = 1,
     .args_max = 1,
     .run = cmd_tail},
    {.name = "encode",
     .args = "SCHEMA",
     .help = "JSON lines on stdin to Avro records on stdout, each with its length before it.",
     .more =
         "Strict: an unknown field, a missing one or a wrong type is said with the field's name, and the line is left\n"
         "out; the exit code is then 3. What it writes, `sluice decode` reads.",
     FLAGS(ENCODE_FLAGS),
     .args_min = 1,
     .args_max = 1,
     .run = cmd_encode,
     .no_config = true},
    {.name = "decode",
     .help = "Records on stdin, each with its length before it, to JSON lines on stdout.",
     .more =
         "kcat -C -t TOPIC -e -q -f '%R%s' | sluice decode\n\n"
         "The length is 4 bytes, most significant first; -1 is a record without value, printed as null. Avro is\n"
         "decoded, JSON stays as it is, other text becomes a string. A malformed value is a message on stderr, the\n"
         "others go on, and the exit code is 3.",
     FLAGS(DECODE_FLAGS),
     .run = cmd_decode,
     .no_config = true},
    {.name = "sign", .help = "A correctly signed call with a key of your own, for tests.", CHILDREN(SIGN_CHILDREN)},
    {.name = "verify", .help = "The verdict on a captured call, without network.", CHILDREN(VERIFY_CHILDREN)},
    {.name = "receive",
     .help = "A small receiver of callbacks: verifies, counts by webhook-id, misbehaves on demand.",
     .more =
         "POST /ok           200; also any path without one of these words\n"
         "     /slow/MS      200 after MS milliseconds\n"
         "     /fail/N       500 for the first N attempts of each webhook-id, then 200\n"
         "     /status/CODE  this status; ?retry-after=N or ?location=URL adds that header\n"
         "     /ratelimit/N  200 for N requests a second, 429 with Retry-After for the rest\n"
         "     /hang         no answer until POST /control {\"hang\": false}\n"
         "     /reset        the connection is reset\n"
         "     /drip/MS      a body that never ends, a byte every MS milliseconds\n"
         "     /endless      a body that never ends, as fast as it goes\n"
         "The words may stand behind others (/sub2api/fail/2) or in ?do=fail/2; ?platform=NAME names the keys.\n\n"
         "POST /push takes messages for devices as the cloud function of deploy/uniCloud does; words go behind it\n"
         "(/push/status/503). A request_id is taken once. A cid that begins with offline-, ignore- or gone- is\n"
         "answered so.\n\n"
         "GET /stats shows the counts, /stats?ids=1 each id; POST /control {\"clear\": true} forgets them, and\n"
         "{\"mended\": [\"/shop\"]} answers 200 on paths that begin so, until another list takes its place. One line\n"
         "of JSON a request on stdout, the counts at the end. Keys come from AI_CS_PLATFORM_NAME_CALLBACK_SECRET\n"
         "and ..._SECRET_FILE; without any, nothing is verified.",
     FLAGS(RECEIVE_FLAGS),
     .run = cmd_receive,
     .no_config = true},
    {.name = "bench",
     .help = "Measurements, each beside the limit of the machine in the same run.",
     CHILDREN(BENCH_CHILDREN)},
    {.name = "topology",
     .help = "The road: topics, and who moves what from where to where.",
     FLAGS(TOPOLOGY_FLAGS),
     .run = cmd_topology,
     .no_config = true},
    {.name = "config",
     .help = "Effective options and where each value came from, secrets masked.",
     CHILDREN(CONFIG_CHILDREN),
     .run = cmd_config},
    {.name = "version", .help = "Versions of the program and its libraries.", .run = cmd_version, .no_config = true},
};

const struct command ROOT_COMMAND = {
    .name = "sluice",
    .help = "sluice moves committed rows to Kafka and onwards, each exactly once.",
    .more = "A first run needs DATABASE_URL and KAFKA_BROKERS: `sluice migrate`, `sluice topics apply`, `sluice run "
            "relay`.",
    CHILDREN(COMMANDS),
};
