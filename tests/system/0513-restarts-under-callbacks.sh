#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: PostgreSQL and Kafka may be killed and restarted under the whole road; relay, callback and sink wait and go on,
# the same processes, and the books agree as in 0511.
#
# How it could break: a commit whose answer was lost is taken for failed (doubled) or for done (lost); a slot or a position
# that is not taken again; a process that ends where it should wait.

. "$(dirname "$0")/lib.sh"
# shellcheck source=callbacks.sh
. "$(dirname "$0")/callbacks.sh"
events=${SLUICE_TEST_EVENTS:-$(t_size 1000 20000)}
t_begin "callbacks outlive restarts of PostgreSQL and Kafka" bare
t_program
own_pg "recovery_init_sync_method = syncfs"
own_kafka 1
t_migrate
cb_begin

cb_small 6000
# Long: a producer is given up before the partitions are lost.
! t_is_long || export SLUICE_DELIVERY_TXN_TIMEOUT_MS=3000 SLUICE_DELIVERY_SESSION_TIMEOUT_MS=30000
roles=(relay callback sink)
start_roles "${roles[@]}"

# under_load WHAT COMMAND...: in the middle of callbacks, and they go on afterwards.
part=0
under_load() {
    local what=$1 before role
    shift
    before=$(answered)
    cb_insert $((part * each + 1)) $(((part + 1) * each))
    part=$((part + 1))
    wait_until 60 "(( \$(answered) > $before ))"
    cb_cut server "$@"
    before=$(answered)
    cb_insert $((1000000 + part)) $((1000000 + part))
    wait_until 120 "(( \$(answered) > $before ))"
    for role in "${roles[@]}"; do
        proc_alive "$role" || t_fail "$role has ended: $what"
    done
    t_ok "$what: callbacks go on"
}
kafka_killed() { own_kafka_kill9 && sleep 1 && own_kafka_start; }
kafka_stopped() { own_kafka_stop && own_kafka_start; }
pg_killed() { own_pg_kill9 && own_pg_start; }
pg_stopped() { own_pg_stop && own_pg_start; }
both_killed() { own_pg_kill9 && own_kafka_kill9 && own_kafka_start && own_pg_start; }
both_stopped() { own_kafka_stop && own_pg_stop && own_pg_start && own_kafka_start; }
# The broker falls silent in the middle of transactions, until the callback role has given its producer up and does not know
# what became of one.
anew() { grep -c 'area=delivery msg="the producer is made anew"' "$(proc_log callback)" || true; }
kafka_frozen() {
    local before
    before=$(anew)
    kill -STOP "$(pid_of "$OWN_KAFKA/1/pid")"
    wait_until 90 "(( \$(anew) > $before ))"
    kill -CONT "$(pid_of "$OWN_KAFKA/1/pid")"
}
turns=(kafka_killed pg_killed both_stopped)
! t_is_long || turns=(kafka_killed pg_killed kafka_stopped pg_stopped both_killed both_stopped kafka_frozen kafka_killed pg_killed)
each=$((events / ${#turns[@]}))
for turn in "${turns[@]}"; do
    under_load "${turn/_/ }" "$turn"
done

cb_settle 200
cb_judge
cb_repeated "$CB_HELD" 'server|callback'
resolved=$(role_metric callback 'sluice_delivery_txn_resolved_total{role="callback"}')
((resolved > 0)) || ! t_is_long || t_fail "no commit with an unknown result was looked up: this proves nothing about them"
t_ok "commits whose result was unknown and was looked up: $resolved"
stop_roles "${roles[@]}"
