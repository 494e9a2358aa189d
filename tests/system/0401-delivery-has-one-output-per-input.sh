#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a delivery processor publishes one output for each record, in the order of each key, while its processes are
# killed at random, come and go. Outputs of transactions that were cut off exist, and only read_uncommitted sees them.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/delivery.sh"
t_begin "killed delivery processors publish one output per input"
probe_setup

records=${RECORDS:-$(t_size 3000 12000)} kills=${KILLS:-$(t_size 4 14)}
seed=${SLUICE_TEST_SEED:-$RANDOM}
RANDOM=$((seed % 32768))
t_ok "seed $seed"
feed 1 $((records / 2))
feed 1 20 retry
feed 1 20 reject
small=(SLUICE_DELIVERY_COMMIT_LINGER_MS=5 SLUICE_DELIVERY_COMMIT_RECORDS_MAX=40 SLUICE_DELIVERY_INFLIGHT_MAX=20
    SLUICE_DELIVERY_SESSION_TIMEOUT_MS=6000 SLUICE_PROBE_SLEEP_MS=40 SLUICE_DELIVERY_RETRY_BASE_MS=20)
start_probe a "${small[@]}"
wait_until 40 '[[ $(ends a) -gt 50 ]]'
start_probe b "${small[@]}"
for ((i = 1; i <= kills; i++)); do
    sleep "0.$((RANDOM % 900 + 100))"
    name=a
    ((RANDOM % 2)) || name=b
    if proc_alive $name; then
        kill_role $name
    fi
    ((i % 4)) || feed $((records / 2 + (i - 4) * records / 2 / kills + 1)) $((records / 2 + i * records / 2 / kills))
    start_probe $name "${small[@]}"
done
proc_alive a || start_probe a "${small[@]}"
want=$(topic_count callback.events)
wait_until 120 '[[ $(topic_count callback.outcomes) -ge $want ]]'
sleep 1
stop_role a 30
t_eq "exit code of a drained process" 0 "$T_RC"
stop_role b 30
check_exactly_once
t_eq "dead letters" 20 "$(topic_count callback.dlq)"
t_match "a dead letter says why" 'errors.class=test' "$(topic_records callback.dlq)"
all=$(topic_count callback.outcomes read_uncommitted)
((all > want)) || ! t_is_long || t_fail "no aborted outputs: the test proves nothing"
t_ok "aborted outputs: $((all - want)) of $all"
