#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: PostgreSQL and Kafka may be killed and restarted under the ledger; the same processes wait and go on, each command
# is applied or rejected once, and the checker finds nothing.
#
# How it could break: a commit whose answer was lost is repeated, or taken for done; a process that ends where it should wait.

. "$(dirname "$0")/lib.sh"
# shellcheck source=bank.sh
. "$(dirname "$0")/bank.sh"

t_begin "the ledger outlives restarts of PostgreSQL and Kafka" bare
t_program
own_pg "recovery_init_sync_method = syncfs"
own_kafka 1
t_migrate
bank_begin 6000
roles=(relay a1 a2)
start_role relay relay
start_role a1 account
start_role a2 account
bank_open 8 1000
bank_watch

kafka_killed() { own_kafka_kill9 && sleep 1 && own_kafka_start; }
kafka_stopped() { own_kafka_stop && own_kafka_start; }
# Killed when the COMMIT of a batch is durable and its answer is still to come: PostgreSQL waits for a standby that there is not.
commits_of_batches() {
    t_db "SELECT count(*) FROM pg_stat_activity a JOIN pg_locks l USING (pid) WHERE a.wait_event = 'SyncRep'
          AND l.relation = 'account_journal'::regclass AND l.mode = 'RowExclusiveLock'"
}
pg_killed() {
    t_admin -c "ALTER SYSTEM SET synchronous_standby_names = 'nobody'" -c "SELECT pg_reload_conf()" >/dev/null
    PGOPTIONS='-c synchronous_commit=local' bank_commands $((part * each + 1)) $((part * each + 100))
    part=$((part + 1))
    wait_until 60 '[[ $(commits_of_batches) != 0 ]]'
    own_pg_kill9
    sed -i '/^synchronous_standby_names/d' "$(pg_datadir "$OWN_PG")/postgresql.auto.conf"
    own_pg_start
}
pg_stopped() { own_pg_stop && own_pg_start; }
turns=(pg_killed kafka_killed)
! t_is_long || turns=(pg_killed kafka_killed pg_stopped kafka_stopped pg_killed kafka_killed pg_killed pg_killed kafka_stopped pg_stopped)
each=$(t_size 300 2000) part=0
for turn in "${turns[@]}"; do
    before=$(bank_journal records)
    bank_commands $((part * each + 1)) $(((part + 1) * each))
    part=$((part + 1))
    wait_until 90 "(( \$(bank_journal records) > $before ))"
    "$turn"
    wait_until 120 "(( \$(bank_journal records 2>/dev/null || echo 0) >= $before + $each / 2 ))"
    for role in "${roles[@]}"; do
        proc_alive "$role" || t_fail "$role has ended: $turn"
    done
    t_ok "${turn/_/ }: commands go on"
done
bank_settle 180
bank_judge
bank_published 90
stop_roles "${roles[@]}"
