#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: delivery processes wait for PostgreSQL and Kafka to come back, keep their slot meanwhile, and one whose slot
# is taken by another drains and exits 75. Kafka's restart runs in the long form only (t_is_long).

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/delivery.sh"
t_begin "delivery processes survive restarts of their servers, and leave when their slot is taken" bare
t_program
t_addresses
own_pg
! t_is_long || own_kafka
t_migrate
probe_setup

vars=(SLUICE_DELIVERY_SESSION_TIMEOUT_MS=6000 SLUICE_PROBE_SLEEP_MS=200 SLUICE_DELIVERY_INFLIGHT_MAX=45)
records=$(t_size 1300 6000)
feed 1 "$records"
start_probe a "${vars[@]}"
wait_until 40 '[[ $(ends a) -gt 100 ]]'
own_pg_kill9
# shellcheck disable=SC2034 # in the condition below
seen=$(ends a)
wait_until 20 '[[ $(ends a) -gt $((seen + 500)) ]]'
t_ok "goes on without PostgreSQL"
own_pg_start
if t_is_long; then
    own_kafka_kill9
    sleep 3
    own_kafka_start
fi
wait_until 90 '[[ $(topic_count callback.outcomes) -ge $records ]]'
wait_until 20 '[[ $(grep "part=slot" "$(proc_log a)" | tail -1) == *"msg=ready"* ]]'
t_match "the same slot" '"?owned 0' "$(grep 'part=slot' "$(proc_log a)" | tail -1)"

# Somebody waits for the lock and gets it when the session ends.
lock="hashtext('sluice'), hashtext('${SLUICE_TOPIC_PREFIX}sluice-probe-0')"
start_proc rival psql -qAtX "$DATABASE_URL" -c "SELECT pg_advisory_lock($lock), pg_sleep(60)"
sleep 0.5
t_admin "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sluice probe'" >/dev/null
role_exit a 30
t_eq "exit code of the one whose slot is taken" 75 "$T_RC"
check_exactly_once
