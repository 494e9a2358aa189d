#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: `outbox replay` puts a row back on the road once, whatever its end; a row between two attempts keeps its round;
# a row that is on the road is left alone unless it is stuck.
#
# How it could break: a replay that gives a waiting row a new budget, queues one twice that is only slow, or moves a row
# that has changed since it was looked at.

. "$(dirname "$0")/lib.sh"
t_begin "outbox rows are replayed"

replay() { "$SLUICE_BIN" outbox replay --yes "$@"; }
row() { t_db "SELECT concat_ws(' ', status, round_attempts, CASE WHEN queue_txid IS NULL THEN 'waits' ELSE 'road' END) FROM cs_platform_event_outbox WHERE id = '$1'"; }
number() { t_db "SELECT queue_seq FROM cs_platform_event_outbox WHERE id = '$1'"; }
seq() { t_db "SELECT last_value FROM sluice_queue_seq"; }
for i in 1 2 3 4 5; do
    ids[i]=$i$i$i$i$i$i$i$i-0000-4000-8000-000000000000
done
t_db "INSERT INTO cs_platform_event_outbox (id, platform, event_type, callback_target, payload)
      SELECT (repeat(i::text, 8) || '-0000-4000-8000-000000000000')::uuid, 'p' || i, 'e', 'https://x/', '{\"secret\": \"of a person\"}'
      FROM generate_series(1, 5) i;
      UPDATE cs_platform_event_outbox SET status = 'delivered', round_attempts = 2 WHERE platform = 'p1';
      UPDATE cs_platform_event_outbox SET status = 'dead_letter', round_attempts = 6, last_error = 'x' WHERE platform = 'p2';
      INSERT INTO cs_platform_event_dead_letters (event_id, platform, event_type, callback_target, attempt_count)
        SELECT id, platform, event_type, callback_target, 6 FROM cs_platform_event_outbox WHERE platform = 'p2';
      UPDATE cs_platform_event_outbox SET status = 'retrying', round_attempts = 3, next_attempt_at = now() + interval '1 hour' WHERE platform = 'p3';
      INSERT INTO cs_platform_event_outbox (id, platform, event_type, callback_target, payload, next_attempt_at)
        VALUES ('66666666-0000-4000-8000-000000000000', 'p6', 'e', 'https://x/', '{}', now() + interval '1 hour')"
t_eq "queueings" 6 "$(seq)"

# ------------------------------------------------------------------------------------------------------- looking
t_eq "ls leaves out what is delivered" 5 "$("$SLUICE_BIN" outbox ls --json | grep -c '"id"')"
t_match "ls of a state" '22222222-0000-4000-8000-000000000000 +p2 +dead_letter ' "$("$SLUICE_BIN" outbox ls --status dead_letter)"
t_eq "ls of a platform" 1 "$("$SLUICE_BIN" outbox ls --status all --platform p1 --json | grep -c '"id"')"
t_eq "ls shows no payload" 0 "$("$SLUICE_BIN" outbox ls --status all | grep -c 'of a person' || true)"
t_match "show does" 'of a person' "$("$SLUICE_BIN" outbox show "${ids[2]}")"
t_match "where it stands" 'waits until it is due' "$("$SLUICE_BIN" outbox show "${ids[3]}")"
t_match "and where another one does" 'not published yet' "$("$SLUICE_BIN" outbox show "${ids[4]}")"
t_exit "show without a row" 4 "$SLUICE_BIN" outbox show 99999999-0000-4000-8000-000000000000
t_exit "show of what is no id" 2 "$SLUICE_BIN" outbox show x
"$SLUICE_BIN" outbox show "${ids[2]}" --json | python3 -c 'import json, sys; d = json.load(sys.stdin); assert d["row"]["status"] == "dead_letter" and d["dead_letter"]["attempt_count"] == 6' || t_fail "show --json"
t_db "UPDATE cs_platform_event_outbox SET last_error = E'HTTP 500: \\x1b[2Jgone' WHERE id = '${ids[2]}'"
for command in "ls --status all" "show ${ids[2]}"; do
    # shellcheck disable=SC2086 # words
    T_OUT=$("$SLUICE_BIN" outbox $command)
    t_match "what a partner says, in $command" 'HTTP 500: \?\[2Jgone' "$T_OUT"
    [[ $T_OUT != *$'\x1b'* ]] || t_fail "$command: a control character reaches the terminal"
done

# ------------------------------------------------------------------------------------------------------- replaying
t_exit "neither --id nor --stuck" 2 replay
t_exit "both" 2 replay --stuck --id "${ids[1]}"
t_exit "not asked, not told" 2 "$SLUICE_BIN" outbox replay --id "${ids[1]}"
t_exit "dry run" 0 replay --dry-run --id "${ids[1]},${ids[2]}"
t_eq "queueings" 6 "$(seq)"
t_exit "one that is not there" 4 replay --id 99999999-0000-4000-8000-000000000000
t_exit "five rows" 0 replay --id "${ids[1]}" --id "${ids[2]},${ids[3]}" --id "${ids[4]}" --id 66666666-0000-4000-8000-000000000000
t_eq "queueings: all but the one that was on the road" 10 "$(seq)"
t_eq "delivered" "pending 0 road" "$(row "${ids[1]}")"
t_match "its new number is printed" "${ids[1]} +delivered +put back +queue_seq $(number "${ids[1]}")" "$T_OUT"
t_eq "dead" "pending 0 road" "$(row "${ids[2]}")"
t_eq "its dead letter" 0 "$(t_db "SELECT count(*) FROM cs_platform_event_dead_letters")"
t_eq "retrying keeps its round" "pending 3 road" "$(row "${ids[3]}")"
t_eq "on the road" "pending 0 road 4" "$(row "${ids[4]}") $(number "${ids[4]}")"
t_match "is said" "${ids[4]} +pending +on the road already" "$T_OUT"
t_eq "delayed" "pending 0 road" "$(row 66666666-0000-4000-8000-000000000000)"
t_exit "again" 0 replay --id "${ids[1]},${ids[2]},${ids[3]}"
t_eq "queueings" 10 "$(seq)"

# ---------------------------------------------------------------------------------------------------------- stuck
t_exit "nothing is published" 0 replay --stuck --older 1s
t_match "so nothing is stuck" 'no row is stuck' "$T_OUT"
start_role r1 relay
wait_until 40 '[[ $(topic_count callback.events) == 6 ]]'
wait_until 20 '[[ $("$SLUICE_BIN" outbox ls --json | grep -c "published, waits for its outcome") == 6 ]]'
t_exit "not for so long" 0 replay --stuck
t_eq "queueings" 10 "$(seq)"
t_db "UPDATE cs_platform_event_outbox SET created_at = now() - interval '3 hours', updated_at = now() - interval '2 hours',
        next_attempt_at = now() - interval '2 hours' WHERE platform IN ('p4', 'p5');
      UPDATE cs_platform_event_outbox SET status = 'delivered' WHERE platform = 'p1'"
wait_until 40 '[[ $(topic_count callback.events) == 8 ]]'
t_db "UPDATE cs_platform_event_outbox SET updated_at = now() - interval '2 hours' WHERE platform IN ('p4', 'p5')"
wait_until 20 '[[ $("$SLUICE_BIN" outbox ls --json | grep -c "published, waits for its outcome") == 5 ]]'
count=$(seq)
t_exit "of one platform" 0 replay --stuck --platform p5
t_exit "the others" 0 replay --stuck
t_match "only what is old" "${ids[4]} +pending +put back" "$T_OUT"
t_eq "queueings" $((count + 2)) "$(seq)"
t_exit "no database" 69 env DATABASE_URL=postgresql://x@127.0.0.1:1/x "$SLUICE_BIN" outbox ls
stop_role r1
