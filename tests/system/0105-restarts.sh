#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: PostgreSQL and Kafka may stop, crash and come back under load; the relay waits and goes on by itself, the same
# process, and every committed row is in its topic exactly once and in order.
#
# How it could break: a commit whose answer was lost is taken for failed (doubled) or for done (lost); a producer that
# never recovers; an error is taken for final that is not; the process ends where waiting was asked for.

. "$(dirname "$0")/lib.sh"
# shellcheck source=oracle.sh
. "$(dirname "$0")/oracle.sh"
t_begin "the relay outlives restarts of PostgreSQL and Kafka" bare
t_program
own_pg "recovery_init_sync_method = syncfs"
own_kafka 1
t_migrate
oracle_begin

start_role r relay
wait_until 30 'relay_owns r callback && relay_owns r payment'
oracle_stream writers 30
oracle_goes_on "the start"

oracle_await_commit true
own_kafka_kill9
sleep 1
own_kafka_start
oracle_goes_on "broker killed"

# The broker falls silent while it is asked to commit, the lane loses its session and gives the transaction up with its
# producer; then the broker goes on with what it was asked.
gave_up=$(grep -c 'lane starts over' "$(proc_log r)" || true)
oracle_await_commit "kill -STOP $(pid_of "$OWN_KAFKA/1/pid")"
sleep 1
own_pg_kill9
wait_until 20 "(( \$(grep -c 'lane starts over' $(proc_log r)) > $gave_up ))"
kill -CONT "$(pid_of "$OWN_KAFKA/1/pid")"
own_pg_start
oracle_goes_on "PostgreSQL killed while the broker did not answer"

own_kafka_stop
sleep 1
own_kafka_start
oracle_goes_on "broker stopped and started"

own_pg_stop
own_pg_start
oracle_goes_on "PostgreSQL stopped and started"

oracle_stop writers
oracle_settle
oracle_judge_all

# With nothing to publish nothing fails: the relay has to look by itself whether Kafka is there.
readiness() { "$SLUICE_BIN" health relay >/dev/null 2>&1 && echo ready || echo "not ready"; }
wait_until 20 '[[ $(readiness) == ready ]]'
own_kafka_stop
wait_until 30 '[[ $(readiness) == "not ready" ]]'
t_ok "Kafka away, relay idle: not ready"
own_kafka_start
wait_until 30 '[[ $(readiness) == ready ]]'
t_ok "Kafka back: ready"
stop_role r
t_eq "the relay's end" 0 "$T_RC"
