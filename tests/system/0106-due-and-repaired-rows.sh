#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a row that is due again, repaired by hand or replayed goes out again, as exactly one new queueing; nothing else
# does. A due retry keeps what is used of its retry budget, a repair gives the whole budget back.
#
# How it could break: a due row is swept twice or never, a locked one holds up the others or is forgotten, a reminder that
# is out of date puts a row on the road; rows that sluice was never told of are sent; updates of the sink end HOT.

. "$(dirname "$0")/lib.sh"
# shellcheck source=oracle.sh
. "$(dirname "$0")/oracle.sh"
t_begin "due and repaired rows go out again, once"
export SLUICE_VALUE_FORMAT=json SLUICE_RELAY_SWEEP_INTERVAL_MS=50
oracle_begin

# row [COLUMN VALUE]...: inserts one, prints its id.
row() {
    local columns='' values=''
    while (($#)); do
        columns+=", $1" values+=", $2"
        shift 2
    done
    t_db "INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload$columns)
        VALUES ('demo', 'order.paid', 'https://127.0.0.1:1/never', '{}'$values) RETURNING id"
}

# change ID ASSIGNMENTS: prints the row's queue_seq afterwards.
change() { t_db "UPDATE cs_platform_event_outbox SET $2 WHERE id = '$1' RETURNING queue_seq"; }

# Its queueings in the topic, in order: queue_seq/round_attempts.
queueings() {
    topic_kcat callback.events read_committed '%h\t%s\n' | grep -F "ce_id=$1" | cut -f 2- |
        jq -rs 'map("\(.queue_seq)/\(.round_attempts)") | join(" ")'
}
sent() { wait_until 20 "oracle_sent $1 $2"; }
oracle_sent() { (($(topic_kcat callback.events read_committed '%h\n' | grep -cF "ce_id=$1" || true) >= $2)); }

# What the sink writes, and what the runbook tells the operator to type.
readonly RETRY="status = 'retrying', attempt_count = attempt_count + 1, round_attempts = round_attempts + 1, last_error = 'HTTP 503', updated_at = now()"
readonly REPAIR="status='pending', next_attempt_at=NOW(), last_error=NULL"

seq_of() { t_db "SELECT queue_seq FROM cs_platform_event_outbox WHERE id = '$1'"; }

# Written before anything runs, so that every sweep meets them: rows as a table has them that sluice was put on later.
t_admin <<'SQL'
SET session_replication_role = replica;
INSERT INTO cs_platform_event_outbox (platform, event_type, partition_key, callback_target, payload, status, next_attempt_at)
SELECT 'demo', 'old', 'old', 'https://127.0.0.1:1/never', '{}', s, now() - interval '1 hour' FROM unnest('{retrying,pending,delivered}'::text[]) s;
SQL
start_role r relay
wait_until 30 'relay_owns r callback'

# ---- due later

later=$(row next_attempt_at "now() + interval '3 s'")
first=$(seq_of "$later")
sent "$(oracle_mark)" 1
if [[ $(t_db "SELECT now() < next_attempt_at - interval '1 s' FROM cs_platform_event_outbox WHERE id = '$later'") == t ]]; then
    t_eq "a row for later, before its time" "" "$(queueings "$later")"
fi
# The rest goes on meanwhile.

# ---- a retry that is due

retry=$(row)
sent "$retry" 1
before=$(seq_of "$retry")
t_eq "the sink's update leaves queue_seq alone" "$before" "$(change "$retry" "$RETRY, next_attempt_at = now() + interval '300 ms'")"
sent "$retry" 2
after=$(seq_of "$retry")
t_eq "a due retry" "$before/0 $after/1" "$(queueings "$retry")"
t_eq "its row" "pending|1|1|t" "$(t_db "SELECT status, attempt_count, round_attempts, queue_seq > $before FROM cs_platform_event_outbox WHERE id = '$retry'")"

# ---- repairs

for status in delivered dead_letter; do
    id=$(row)
    sent "$id" 1
    before=$(seq_of "$id")
    change "$id" "status = '$status', attempt_count = 6, round_attempts = 6, updated_at = now()" >/dev/null
    after=$(change "$id" "$REPAIR")
    sent "$id" 2
    t_eq "a repaired row ($status)" "$before/0 $after/0" "$(queueings "$id")"
done
repaired=$id

kill_role r STOP
between=$(change "$repaired" "status = 'delivered'")
t_eq "delivered again" "$after" "$between"
lost=$(change "$repaired" "$REPAIR")
last=$(change "$repaired" "$REPAIR")
((lost < last)) || t_fail "the second repair drew no new queue_seq: $lost, $last"
kill_role r CONT
sent "$repaired" 3
t_eq "two repairs before the relay looks" "$before/0 $after/0 $last/0" "$(queueings "$repaired")"

id=$(row)
sent "$id" 1
before=$(seq_of "$id")
after=$(change "$id" "next_attempt_at = now()")
sent "$id" 2
t_eq "pending and again pending at another time" "$before/0 $after/0" "$(queueings "$id")"
t_eq "pending, the time unchanged" "$after" "$(change "$id" "last_error = 'looked at', updated_at = now()")"

# For later, then at once: the reminder for later finds a row that does not wait any more.
id=$(row)
sent "$id" 1
before=$(seq_of "$id")
change "$id" "status = 'pending', next_attempt_at = now() + interval '1500 ms'" >/dev/null
after=$(change "$id" "$REPAIR")
sent "$id" 2
stale=$id stale_want="$before/0 $after/0"

# ---- a row that somebody holds while it becomes due

held=$(row)
free=$(row)
sent "$free" 1
session_open holder
before=$(seq_of "$held")
kill_role r STOP
change "$held" "$RETRY, next_attempt_at = now() - interval '1 s'" >/dev/null
change "$free" "$RETRY, next_attempt_at = now()" >/dev/null
session holder "BEGIN; SELECT FROM cs_platform_event_outbox WHERE id = '$held' FOR NO KEY UPDATE" >/dev/null
kill_role r CONT
sent "$free" 2
t_eq "a held row does not hold up another one; it waits" "$before/0" "$(queueings "$held")"
session holder "COMMIT"
sent "$held" 2
t_eq "the held row, when it is let go" "$before/0 $(seq_of "$held")/1" "$(queueings "$held")"

# ---- what was to come later, and what must never come

sent "$later" 1
t_eq "a row for later, in its time" "$(seq_of "$later")/0" "$(queueings "$later")"
t_eq "it is a new queueing, not before its time" "t|t" "$(t_db "SELECT queue_seq > $first, updated_at >= next_attempt_at FROM cs_platform_event_outbox WHERE id = '$later'")"
wait_until 20 "[[ \$(t_db 'SELECT count(*) FROM sluice_waiting') == 0 ]]"
t_ok "no reminder is left"
sent "$(oracle_mark)" 1
t_eq "a reminder out of date does nothing" "$stale_want" "$(queueings "$stale")"
t_eq "rows unknown to sluice" "3|0" "$(t_db "SELECT count(*), count(queue_seq) FROM cs_platform_event_outbox WHERE event_type = 'old' AND updated_at = created_at")"
t_eq "records of them" 0 "$(topic_records callback.events | cut -f 3 | grep -c '^old$' || true)"

# ---- the sink's updates stay HOT

id=$(row)
sent "$id" 1
t_db "VACUUM cs_platform_event_outbox"
t_eq "HOT updates by the sink, of 3" 3 "$(t_db <<SQL
CREATE TEMP TABLE before AS SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'cs_platform_event_outbox';
UPDATE cs_platform_event_outbox SET $RETRY, next_attempt_at = now() + interval '1 hour' WHERE id = '$id';
UPDATE cs_platform_event_outbox SET $RETRY, next_attempt_at = now() + interval '2 hours' WHERE id = '$id';
UPDATE cs_platform_event_outbox SET status = 'delivered', attempt_count = attempt_count + 1, updated_at = now() WHERE id = '$id';
DO \$\$ BEGIN PERFORM pg_stat_force_next_flush(); END \$\$;
SELECT s.n_tup_hot_upd - b.n_tup_hot_upd FROM pg_stat_user_tables s, before b WHERE s.relname = 'cs_platform_event_outbox';
SQL
)"
stop_role r
t_eq "the relay's end" 0 "$T_RC"
