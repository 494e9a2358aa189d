#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a broker that is killed, stays away for longer than a transaction may take and then tells no partition how the
# transactions under way have ended, makes the relay neither lose nor double a row, and it goes on by itself.
#
# How it could break: records of an aborted transaction become visible with the next commit; a committed position hangs,
# so it can be read by nobody; or it is given up while the records it stands for are kept, or the other way round.

. "$(dirname "$0")/lib.sh"
# shellcheck source=oracle.sh
. "$(dirname "$0")/oracle.sh"
# shellcheck source=lost_ends.sh
. "$(dirname "$0")/lost_ends.sh"
kills_max=$(t_size 4 40)
t_begin "no row is lost or doubled when a broker loses the end of transactions" bare
t_program
# A flush takes its time, and the relay waits for that of an asynchronous commit inside of its transaction.
own_pg "commit_delay = 100000" "commit_siblings = 0"
ends_kafka
t_migrate
oracle_begin
export SLUICE_RELAY_TXN_TIMEOUT_MS=2000

start_role r relay
wait_until 30 'relay_owns r callback && relay_owns r payment'
oracle_stream writers 10
oracle_goes_on "the start"

kills=0
# until_hung DECISION COMMAND: kills brokers with that command until it has hung.
until_hung() {
    local first=$kills
    while (($(ends_hung r "$1") == 0)); do
        ((kills - first < kills_max)) || break
        kills=$((kills + 1))
        "$2"
    done
    ends_report r "$1"
}

killed_in_transaction() {
    t_db "SET synchronous_commit = off; SELECT write_event(1, 1)"
    oracle_await "state = 'active' AND query LIKE '%pg_logical_emit_message%'" "kill -9 $(pid_of "$OWN_KAFKA/1/pid")"
    ends_broker_killed
    oracle_goes_on "kill $kills"
}
until_hung abort killed_in_transaction
oracle_stop writers

# Nothing is written afterwards, so nothing but the look at what hangs can bring this row.
killed_after_commit() {
    local id
    ends_untold
    id=$(oracle_mark)
    sleep 1
    ends_broker_killed
    wait_until 60 "oracle_has callback.events $id"
}
until_hung commit killed_after_commit
oracle_goes_on "kill $kills"

oracle_settle
oracle_judge_all
stop_role r
t_eq "the relay's end" 0 "$T_RC"
