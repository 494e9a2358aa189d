#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a sink whose partitions are taken, given back and fenced without pause never ends by itself, and each outcome
# still has one attempt row.
#
# How it could break: partitions are assigned again while librdkafka still stops reading them; when the group then takes
# them away it stops them twice and aborts (docs/decisions/0010).

. "$(dirname "$0")/lib.sh"
# shellcheck source=outcomes.sh
. "$(dirname "$0")/outcomes.sh"

rounds=${SLUICE_TEST_ROUNDS:-$(t_size 8 100)}
rows=60
t_begin "a sink survives constant rebalances"

# Short sessions and small batches: many chances to be fenced, and a group that notices soon who is gone.
export SLUICE_SINK_BATCH_ROWS_MAX=4 SLUICE_SINK_SESSION_TIMEOUT_MS=1500

t_db "INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload)
      SELECT 'demo', 'e', 'https://127.0.0.1:1/', '{}' FROM generate_series(1, $rows)"
ids=$(t_db "SELECT id FROM cs_platform_event_outbox ORDER BY id")

# One outcome of every row.
send_round() {
    local id
    while read -r id; do
        printf '%s\t%s\n' "$id" "$(outcome_json "$id" 1 retry "round $1")"
    done <<<"$ids" | kcat -P -q -b "$KAFKA_BROKERS" -t "${SLUICE_TOPIC_PREFIX}callback.outcomes" -K $'\t' \
        -X partitioner=murmur2_random 2>>"$T_DIR/kcat.log" || t_fail "kcat: $(tail -n 3 "$T_DIR/kcat.log")"
}

# Somebody takes the rows of all partitions, again and again: whoever holds them is fenced at its next batch.
printf '%s\n\\watch 0.03\n' "UPDATE sluice_positions SET epoch = epoch + 1" >"$T_DIR/fence.sql"
start_role s1 sink
wait_until 30 '(($(log_count s1 "callback.outcomes .*state=owned") == 6))'
start_proc fencer psql -qAtX -v ON_ERROR_STOP=0 "$DATABASE_URL" -f "$T_DIR/fence.sql"

# metric NAME METRIC: of that process; 0 while it does not say. The log leaves out what repeats.
metric() {
    local value
    value=$(curl -fsS --max-time 5 "http://$(role_http "$1")/metrics" 2>/dev/null | awk -v m="$2" 'index($1, m "{") == 1 { print $2 }') || true
    printf '%.0f' "${value:-0}"
}
gained() { metric "$1" sluice_processor_rebalances_total; }

# has_gained NAME MORE_THAN: waits until the group has given it partitions that often; the process must live.
has_gained() {
    wait_until 30 "! proc_alive $1 || ((\$(gained $1) > $2))"
    proc_alive "$1" || t_fail "$1 has ended by itself: $(tail -n 1 "$(proc_log "$1")")"
}

# Each coming and going takes partitions from s1 and gives them back.
for ((i = 1; i <= rounds; i++)); do
    send_round "$i"
    before=$(gained s1)
    start_role "s2_$i" sink
    has_gained "s2_$i" 0
    has_gained s1 "$before"
    before=$(gained s1)
    stop_role "s2_$i"
    [[ $T_RC == 0 ]] || t_fail "the other one's end in round $i: exit $T_RC: $(tail -n 1 "$(proc_log "s2_$i")")"
    has_gained s1 "$before"
done
kill_role fencer
fenced=$(metric s1 sluice_processor_fenced_total)
t_ok "times s1 got partitions: $(gained s1), partitions it was fenced at: $fenced"
((fenced > 0)) || t_fail "nobody was fenced: this proves nothing"

wait_until 60 '(($(attempts) >= rows * rounds))'
t_eq "attempts" $((rows * rounds)) "$(attempts)"
t_eq "attempts in another order than the topic's" 0 "$(t_db "SELECT count(*)
    FROM cs_platform_event_delivery_attempts WHERE error_message <> 'round ' || attempt_no")"
stop_role s1
t_eq "the sink's end" 0 "$T_RC"
