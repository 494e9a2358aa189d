#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: whatever dies, each outcome has one attempt row, the numbers have no gaps and follow the topic's order, and
# each row ends in the state its last outcome says.
#
# How it could break: a position that is committed before or after the effects and not with them; a position taken from
# the group's offsets; a sink that was overtaken and still writes; numbers drawn outside of the row's lock.
#
# The seed (SLUICE_TEST_SEED) fixes who is killed, stopped or started and when, not where in its work that hits it.

. "$(dirname "$0")/lib.sh"
# shellcheck source=outcomes.sh
. "$(dirname "$0")/outcomes.sh"

seed=${SLUICE_TEST_SEED:-$((RANDOM * 32768 + RANDOM))}
kills=${SLUICE_TEST_KILLS:-$(t_size 5 14)}
rows=500 each=$(t_size 5 10)
RANDOM=$((seed % 32768))
t_begin "a killed sink counts each outcome once"
t_ok "seed $seed"

# Small batches, so that kills hit many transactions; short sessions, so that the group notices soon.
export SLUICE_SINK_BATCH_ROWS_MAX=4 SLUICE_SINK_SESSION_TIMEOUT_MS=1500

t_db "INSERT INTO cs_platform_event_outbox (id, platform, event_type, partition_key, callback_target, payload)
      SELECT md5(g::text)::uuid, 'demo', 'order.changed', g::text, 'https://127.0.0.1:1/', '{}'
      FROM generate_series(1, $rows) g"

# outcomes NUMBER: that outcome of every row, as key and JSON. The last one decides: a quarter each ends as delivered,
# dead_letter, retry and parked; all before are retries.
outcomes() {
    t_db <<SQL
SELECT id || E'\t' || jsonb_build_object('event_id', id, 'queue_seq', queue_seq, 'platform', platform,
    'event_type', event_type, 'callback_target', callback_target, 'outcome', kind, 'was_request', kind <> 'parked',
    'response_status', CASE WHEN kind <> 'parked' THEN 500 END, 'error_message', 'attempt $1',
    'duration_ms', $1, 'delay_ms', 86400000, 'happened_at', 1700000000000000 + $1)
FROM (SELECT *, CASE WHEN $1 < $each THEN 'retry'
                ELSE (ARRAY['delivered', 'dead_letter', 'retry', 'parked'])[1 + partition_key::int % 4] END AS kind
      FROM cs_platform_event_outbox) o ORDER BY id;
SQL
}

# One transaction each.
send() { outcomes "$1" | outcome_kcat -K $'\t'; }

declare -A up=()
sink_up() {
    [[ -z ${up[$1]:-} ]] || return 0
    start_role "$1" sink
    up[$1]=yes
}
sink_kill() {
    [[ -n ${up[$1]:-} ]] || return 0
    proc_alive "$1" || t_fail "$1 has ended by itself"
    kill_role "$1"
    up[$1]=''
}

sink_up s1
for ((i = 1; i <= each; i++)); do
    send "$i"
    sleep 1.5
done &
writer=$!

parked=$((rows / 4))
wanted=$((rows * each - parked))

hits=0
for ((done_kills = 0; done_kills < kills; done_kills++)); do
    sink_up s1
    ((RANDOM % 2 != 0)) || sink_up s2
    sleep "$((RANDOM % 2)).$((RANDOM % 10))"
    before=$(attempts)
    victim=s$((1 + RANDOM % 2))
    [[ -n ${up[$victim]:-} ]] || victim=s1
    case $((RANDOM % 6)) in
        0 | 4)
            # A frozen one, overtaken by the other, goes on as if nothing had been.
            sink_up s2
            kill_role "$victim" STOP
            sleep "2.$((RANDOM % 10))"
            kill_role "$victim" CONT
            ;;
        1)
            stop_role "$victim"
            t_eq "$victim's end" 0 "$T_RC"
            up[$victim]=''
            ;;
        *) sink_kill "$victim" ;;
    esac
    ((before == 0 || before == wanted)) || hits=$((hits + 1))
done
wait "$writer" || t_fail "the writer: $(tail -n 3 "$T_DIR/kcat.log")"
t_ok "$done_kills times killed, stopped or frozen, $hits of them in the middle of the work"
((hits > 0)) || t_fail "the work was done before anything happened: this proves nothing"
t_eq "records" $((rows * each)) "$(topic_count callback.outcomes)"

sink_up s1
lag() { t_db "SELECT count(*) FROM cs_platform_event_outbox WHERE status = 'pending'"; }
wait_until 60 '(($(attempts) >= wanted)) && [[ $(lag) == 0 ]]'
# All of the topic is done: the last marker is stepped over too.
partitions=()
for p in 0 1 2 3 4 5; do
    partitions+=(-t "${SLUICE_TOPIC_PREFIX}callback.outcomes:$p:-1")
done
ends() { kcat -Q -b "$KAFKA_BROKERS" "${partitions[@]}" | sort | sed 's/.*offset //'; }
positions() { t_db "SELECT next_offset FROM sluice_positions WHERE topic LIKE '%callback.outcomes' ORDER BY partition"; }
wait_until 30 '[[ "$(positions)" == "$(ends)" ]]'
t_ok "positions are at the ends of the partitions"

t_eq "attempt rows" $wanted "$(attempts)"
t_eq "attempts that are not what the topic says at that number" 0 "$(t_db "SELECT count(*)
    FROM cs_platform_event_delivery_attempts WHERE error_message <> 'attempt ' || attempt_no OR duration_ms <> attempt_no")"
t_eq "rows with a gap, or whose counter is another" 0 "$(t_db "SELECT count(*) FROM cs_platform_event_outbox o
    LEFT JOIN (SELECT event_id, count(*) n, max(attempt_no) last FROM cs_platform_event_delivery_attempts GROUP BY 1) a
    ON a.event_id = o.id WHERE a.n IS DISTINCT FROM a.last OR a.n IS DISTINCT FROM o.attempt_count
    OR a.n IS DISTINCT FROM o.round_attempts OR a.n <> CASE partition_key::int % 4 WHEN 3 THEN $each - 1 ELSE $each END")"
t_eq "rows in the wrong state" 0 "$(t_db "SELECT count(*) FROM cs_platform_event_outbox WHERE status <>
    (ARRAY['delivered', 'dead_letter', 'retrying', 'retrying'])[1 + partition_key::int % 4]
    OR (status = 'delivered') <> (last_error IS NULL)
    OR (status = 'retrying' AND next_attempt_at NOT BETWEEN now() + interval '23 hours' AND now() + interval '24 hours')")"
t_eq "dead-letter rows" "$((rows / 4))" "$(t_db "SELECT count(*) FROM cs_platform_event_dead_letters d
    JOIN cs_platform_event_outbox o ON o.id = d.event_id AND o.status = 'dead_letter' AND d.queue_seq = o.queue_seq
    WHERE d.attempt_count = $each AND d.final_error = 'attempt $each'")"
t_eq "dead letters of the sink" 0 "$(t_db "SELECT count(*) FROM dead_letter_outbox")"
fenced=$(cat "$T_DIR"/s*.log | grep -c 'msg=fenced') || true
t_ok "times somebody was fenced: $fenced"
stop_role s1
t_eq "the sink's end" 0 "$T_RC"
