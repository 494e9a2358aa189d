#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a delivery process that was stopped for longer than the group waits starts nothing and commits nothing when
# it goes on, until it has partitions again.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/delivery.sh"
t_begin "a frozen delivery process commits nothing"
probe_setup

vars=(SLUICE_DELIVERY_SESSION_TIMEOUT_MS=3000 SLUICE_DELIVERY_INFLIGHT_MAX=10 SLUICE_PROBE_SLEEP_MS=100
    SLUICE_DELIVERY_COMMIT_LINGER_MS=20)
records=900
feed 1 $records
start_probe a "${vars[@]}"
wait_until 30 '[[ $(ends a) -gt 100 ]]'
kill_role a STOP
start_probe b "${vars[@]}"
wait_until 30 'grep -q "start " "$(proc_log b)"'
sleep 2
lines=$(wc -l <"$(proc_log a)")
kill_role a CONT
wait_until 20 'tail -n +$((lines + 1)) "$(proc_log a)" | grep -q "partitions lost\|partitions revoked"'
# What ran when it was stopped may still end; nothing may start before there is a new assignment.
t_eq "records started between waking up and the loss" 0 \
    "$(tail -n +$((lines + 1)) "$(proc_log a)" | sed '/partitions lost\|partitions revoked/q' | grep -c '^start ' || true)"
wait_until 90 '[[ $(topic_count callback.outcomes) -ge $records ]]'
sleep 1
stop_role a 30
stop_role b 30
check_exactly_once
