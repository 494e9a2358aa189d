#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: PostgreSQL or Kafka being away, even killed in the middle of the work, is waited out and shown in /readyz by
# a sink that stays; afterwards every outcome has had its effect once. Kafka is killed in the long form only (t_is_long).
#
# How it could break: a COMMIT whose answer was lost counts as failed (or as done); a session that is lost while idle; a
# client that does not find back.

. "$(dirname "$0")/lib.sh"
# shellcheck source=outcomes.sh
. "$(dirname "$0")/outcomes.sh"

t_begin "a sink waits for its servers" bare
t_seed
t_program
t_addresses
own_pg
! t_is_long || own_kafka
t_migrate
export SLUICE_SINK_BATCH_ROWS_MAX=2 SLUICE_SINK_SESSION_TIMEOUT_MS=3000

id=$(outcome_row)
start_role s1 sink
wait_role sink 40
pid=$(proc_pid s1)
# many FIRST LAST: numbered retries of the row, in one transaction.
many() {
    local i
    for ((i = $1; i <= $2; i++)); do
        printf '%s\t%s\n' "$id" "$(outcome_json "$id" 1 retry "$i")"
    done | outcome_kcat -K $'\t'
}
ready() { curl -s "http://$(role_http s1)/readyz"; }

own_pg_stop
many 1 10
wait_until 20 '[[ $(ready) == *\"database\",\ \"ready\":\ false* ]]'
t_ok "/readyz says that the database is away"
own_pg_start
wait_until 30 '[[ $(attempts) == 10 ]]'

rounds=$(t_size 1 3)
for ((round = 1; round <= rounds; round++)); do
    many $((round * 100 - 89)) $((round * 100 + 10))
    sleep "0.$((RANDOM % 4 + 1))"
    own_pg_kill9
    sleep 0.5
    own_pg_start
done
sent=$((rounds * 100 + 10))
wait_until 40 '[[ $(attempts) == "$sent" ]]'
t_ok "the postmaster killed in the middle of the work, times: $rounds"

if t_is_long; then
    many 311 400
    own_kafka_kill9
    wait_until 30 '[[ $(ready) == *\"kafka\",\ \"ready\":\ false* ]]'
    t_ok "/readyz says that Kafka is away"
    own_kafka_start
    many 401 410
    sent=410
    wait_until 90 '[[ $(attempts) == 410 ]]'
fi

t_eq "attempts that are not what the topic says at that number" 0 "$(t_db "SELECT count(*)
    FROM cs_platform_event_delivery_attempts WHERE error_message <> attempt_no::text")"
t_eq "the row" "retrying $sent $sent" "$(t_db "SELECT status, attempt_count, round_attempts FROM cs_platform_event_outbox" -F ' ')"
t_eq "the process is the same" "$pid" "$(proc_pid s1)"
stop_role s1
t_eq "the sink's end" 0 "$T_RC"
