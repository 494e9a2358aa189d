#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: whichever of three account processors dies, is frozen past its session or comes and goes, and whoever sends
# commands a second time: each command is applied or rejected once, the balances add up in every snapshot, and the checker
# finds nothing.
#
# How it could break: a batch that is repeated without a look at the epoch; a position committed apart from its effects; a frozen owner that writes after it was overtaken; an id
# that is only looked for within a batch or a partition; rows locked in different orders by different processes.
#
# The seed (SLUICE_TEST_SEED) fixes the commands and who is killed, not where in its work that hits it.

. "$(dirname "$0")/lib.sh"
# shellcheck source=bank.sh
. "$(dirname "$0")/bank.sh"

kills=$(t_size 6 65) # every fifth is a freeze
each=$(t_size 150 400)
t_begin "a killed ledger books each command once"
t_seed
bank_begin
start_role relay relay
start_role a1 account SLUICE_ACCOUNT_LOCK_TIMEOUT_MS=100
bank_open 8 1000
bank_watch

# Somebody holds the accounts: a1 repeats its batch in vain, and is frozen between two of the times, when no transaction of
# its own is open that PostgreSQL could end. The others do its work; then it goes on where it was.
session_open holder
session holder "BEGIN; SELECT FROM account_slots FOR UPDATE" >/dev/null
bank_commands 1 "$each"
wait_until 60 '(($(log_count a1 "repeated later.*lock timeout") >= 6))'
between_two_times() {
    kill_role a1 STOP
    [[ $(t_db "SELECT string_agg(DISTINCT state, ' ') FROM pg_stat_activity WHERE application_name = 'sluice account' AND datname = current_database()") != idle ]] || return 0
    kill_role a1 CONT
    return 1
}
wait_until 60 between_two_times
session holder COMMIT >/dev/null
for i in 2 3; do
    start_role "a$i" account
done
bank_settle 120
kill_role a1 CONT
wait_until 60 '(($(log_count a1 msg=fenced) >= 1))'
t_ok "a batch that others have done is fenced at the row"

for ((k = 0; k < kills; k++)); do
    victim=a$((1 + RANDOM % 3)) before=$(bank_journal records) some=$((RANDOM % each))
    bank_commands $(((k + 1) * each + 1)) $(((k + 2) * each))
    bank_again $((each / 10))
    wait_until 90 "(( \$(bank_journal records) > $before + $some / 2 ))"
    proc_alive "$victim" || t_fail "$victim has ended by itself"
    if ((k % 5 == 4)); then
        # Frozen beyond its session, with a transaction open or not; the others take over, then it wakes up.
        kill_role "$victim" STOP
        sleep 3
        kill_role "$victim" CONT
    else
        kill_role "$victim"
        start_role "$victim" account
    fi
done
bank_settle 180
bank_judge
bank_published 90
t_eq "flows that are in the topic twice" 0 "$("$SLUICE_BIN" tail account.flows --quiet --timeout-ms 60000 | jq -r '.value.flow_id // .value.decision_id' | sort | uniq -d | wc -l)"
t_ok "epochs: $(t_db "SELECT sum(epoch) FROM sluice_positions")"
stop_roles a1 a2 a3 relay
