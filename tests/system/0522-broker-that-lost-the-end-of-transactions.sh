#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a broker that is killed, stays away for longer than a transaction may take and then tells no partition how the
# transactions under way have ended, makes nobody lose or double an outcome: the books agree as in 0511.
#
# How it could break: records of an aborted transaction hang in their partitions and become visible with the next commit
# of the same producer; offsets of a committed one hang, so nobody can take their partitions any more; or they are given
# up and the calls are made again, with a second outcome.

. "$(dirname "$0")/lib.sh"
# shellcheck source=callbacks.sh
. "$(dirname "$0")/callbacks.sh"
# shellcheck source=lost_ends.sh
. "$(dirname "$0")/lost_ends.sh"
kills_max=$(t_size 4 40)
each=$(t_size 300 1000)
t_begin "no outcome is lost or doubled when a broker loses the end of transactions" bare
t_program
own_pg
ends_kafka
t_migrate
cb_begin
cb_small 6000
# The producer is given up before the partitions are.
export SLUICE_DELIVERY_TXN_TIMEOUT_MS=2000 SLUICE_DELIVERY_SESSION_TIMEOUT_MS=40000
roles=(relay callback sink)
start_roles "${roles[@]}"

kills=0
# until_hung DECISION [COMMAND]: kills brokers in the middle of callbacks, after the command, until that has hung.
until_hung() {
    local before first=$kills
    while (($(ends_hung callback "$1") == 0)); do
        ((kills - first < kills_max)) || break
        before=$(answered)
        cb_insert $((kills * each + 1)) $(((kills + 1) * each))
        kills=$((kills + 1))
        wait_until 60 "(( \$(answered) > $before + 20 ))"
        cb_cut server eval "${2:+$2; sleep 2;} ends_broker_killed"
        cb_settle 120
    done
    ends_report callback "$1"
}
until_hung abort
until_hung commit ends_untold

# One event, and nothing follows it: so nothing but the look at what hangs can bring its outcome.
t_db "INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload)
      VALUES ('demo', 'slow', 'http://$CB_RECEIVER/slow/3000', '{}')"
wait_until 60 '[[ $(receiver_stat in_flight) == 1 ]]'
ends_untold
wait_until 60 '[[ $(receiver_stat in_flight) == 0 ]]'
sleep 2
t_eq "rows that wait for their outcome when the broker is killed" 1 "$(cb_unsettled)"
cb_cut server ends_broker_killed
cb_settle 120
t_ok "the last outcome has come by itself"

cb_judge
t_eq "dead letters listed" "$(t_db "SELECT count(*) FROM letters")" "$("$SLUICE_BIN" dlq ls --all --limit 100000 --json 2>/dev/null | jq .shown)"
cb_repeated "$CB_HELD" 'server|callback'
for role in "${roles[@]}"; do
    proc_alive "$role" || t_fail "$role has ended"
done
stop_roles "${roles[@]}"
