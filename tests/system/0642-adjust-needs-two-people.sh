#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a booking by hand is booked once, and only after a second person has approved it; who did what stays on record.
#
# How it could break: the proposer approves under another spelling; two approve at the same time, and it is booked twice; an
# approval whose command is lost, or a command whose approval is.

. "$(dirname "$0")/lib.sh"
# shellcheck source=bank.sh
. "$(dirname "$0")/bank.sh"

t_begin "adjustments need two people"
bank_begin
adjust() { "$SLUICE_BIN" account adjust "$@"; }
propose() { adjust propose --debit bank:1 --credit bank:2 --amount "$1" --currency CNY --reason "counted twice" --as li.wei --json | jq -r .id; }
balance() { t_db "SELECT balance FROM accounts WHERE account_id = '$1'"; }

start_roles relay account
bank_open 2 100000
id=$(propose 1250)
t_eq "nothing is booked yet" "100000 0" "$(balance bank:1) $(t_db "SELECT count(*) FROM account_command_outbox WHERE payload->>'transfer_id' LIKE 'adjust:%'")"
t_exit "the proposer approves" 3 adjust approve "$id" --as li.wei --yes
t_exit "the proposer approves in capitals" 3 adjust approve "$id" --as LI.Wei --yes
t_exit "nobody approves" 2 adjust approve "$id" --yes
t_exit "without --yes and a terminal" 2 adjust approve "$id" --as zhang.min
t_exit "one that is not there" 4 adjust approve 00000000-0000-0000-0000-000000000000 --as zhang.min --yes
t_eq "still proposed" proposed "$(t_db "SELECT state FROM account_adjustments")"
rc=0
psql -qAtX "$DATABASE_URL" -c "UPDATE account_adjustments SET state = 'approved', decided_by = proposed_by" 2>"$T_DIR/constraint" || rc=$?
t_match "the table forbids it too" account_adjustments_two_people "$(cat "$T_DIR/constraint")"
rc=0
psql -qAtX "$DATABASE_URL" -c "UPDATE account_adjustments SET state = 'approved', decided_by = upper(proposed_by)" 2>"$T_DIR/constraint" || rc=$?
t_match "in capitals, too" account_adjustments_two_people "$(cat "$T_DIR/constraint")"

t_exit "somebody else approves" 0 adjust approve "$id" --as zhang.min --note "looked at it" --yes --wait 30
t_eq "booked" "98750 101250" "$(balance bank:1) $(balance bank:2)"
t_eq "the transfer" "posted||counted twice" "$(t_db "SELECT state, caller, reference FROM account_transfers WHERE transfer_id = 'adjust:$id'")"
t_exit "approved again" 3 adjust approve "$id" --as wang.fang --yes
t_exit "refused afterwards" 3 adjust refuse "$id" --as wang.fang --yes
t_eq "on record" "approved|li.wei|zhang.min|looked at it|t" "$(t_db "SELECT state, proposed_by, decided_by, decision_note, proposed_session <> '' AND decided_session <> '' FROM account_adjustments WHERE id = '$id'")"

# Eight at the same time: one of them books.
id=$(propose 7)
for i in 1 2 3 4 5 6 7 8; do
    start_proc "approve$i" "$SLUICE_BIN" account adjust approve "$id" --as "person$i" --yes
done
good=0
for i in 1 2 3 4 5 6 7 8; do
    role_exit "approve$i" 60
    [[ $T_RC == 0 ]] && good=$((good + 1))
    [[ $T_RC == 0 || $T_RC == 3 ]] || t_fail "approve$i ended with $T_RC: $(cat "$(proc_log "approve$i")")"
done
t_eq "approvals that went through" 1 "$good"
t_eq "commands" 1 "$(t_db "SELECT count(*) FROM account_command_outbox WHERE payload->>'transfer_id' = 'adjust:$id'")"
wait_until 30 '[[ $(balance bank:2) == 101257 ]]'

# What the ledger refuses, and what is withdrawn.
id=$(propose 999999)
t_exit "beyond the limit" 3 adjust approve "$id" --as zhang.min --yes --wait 30
t_match "with its code" insufficient_funds "$T_OUT"
id=$(propose 5)
t_exit "withdrawn by its proposer" 0 adjust refuse "$id" --as li.wei --yes
t_eq "the record" "approved approved approved refused" "$(adjust ls --state all --json | jq -r '[.adjustments[].state] | sort | join(" ")')"
t_eq "what is left to decide" 0 "$(adjust ls --json | jq '.adjustments | length')"
t_exit "an account that is not there" 3 adjust propose --debit bank:1 --credit nobody --amount 1 --currency CNY --reason x --as li.wei
t_exit "another currency" 3 adjust propose --debit bank:1 --credit bank:2 --amount 1 --currency USD --reason x --as li.wei
t_exit "an amount with a point" 2 adjust propose --debit bank:1 --credit bank:2 --amount 1.5 --currency CNY --reason x --as li.wei
t_exit "sluice account check" 0 "$SLUICE_BIN" account check
stop_roles account relay
