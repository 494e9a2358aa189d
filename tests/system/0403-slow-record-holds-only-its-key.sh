#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a record that takes for ever holds up its key and nothing else. What is done above it is not done again after
# a kill -9, nor by the next owner of the partition; it is cut at the deadline when the partition goes, and when the
# process ends.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/delivery.sh"
t_begin "a slow record holds up its key only, and what is done above it stays done"
probe_setup

vars=(SLUICE_DELIVERY_SESSION_TIMEOUT_MS=6000 SLUICE_PROBE_SLEEP_MS=2 SLUICE_DELIVERY_REVOKE_MS=500
    SLUICE_DELIVERY_DRAIN_MS=500)
feed 7 7 hang
feed 57 57
feed 1 2000
held=$(probe_inputs | awk '$3 == "k7"' | wc -l)
want=$((2002 - held))
start_probe a "${vars[@]}"
wait_until 30 '[[ $(topic_count callback.outcomes) -ge $want ]]'
t_eq "outputs beside the held key" "$want" "$(topic_count callback.outcomes)"
sleep 0.5
kill_role a

start_probe a2 "${vars[@]}"
wait_until 30 '[[ $(starts a2) -ge 1 ]]'
sleep 1
t_eq "records started again after kill -9" 1 "$(starts a2)"
start_probe b "${vars[@]}"
wait_until 30 'grep -q "partitions assigned" "$(proc_log b)"'
wait_until 30 '[[ $(grep -c "partitions assigned" "$(proc_log a2)") -ge 2 ]]'
t_match "the call was cut at the deadline" 'cut at the deadline' "$(<"$(proc_log a2)")"
wait_until 30 '[[ $(($(starts a2) + $(starts b))) -ge 2 ]]'
sleep 1
t_eq "records started again by the rebalance" 2 "$(($(starts a2) + $(starts b)))"
stop_role a2 10
t_eq "exit code" 0 "$T_RC"
stop_role b 10
t_eq "outputs in the end" "$want" "$(topic_count callback.outcomes)"
