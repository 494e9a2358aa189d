#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: whoever changes a row of a real ledger by SQL is found out by `sluice account check`, which names invariant and
# row, exits with 3, and finds nothing before and after.
#
# How it could break: a check that follows the rules of the code that books, and its mistakes; a check that needs the roles to
# stand still. Each single rule is tried in tests/integration/ledger_check_test.c, on a ledger that is made of SQL.

. "$(dirname "$0")/lib.sh"
# shellcheck source=bank.sh
. "$(dirname "$0")/bank.sh"

t_begin "account check finds tampering"
bank_begin
start_roles relay account
bank_open 6 100000
bank_commands 1 300
# While bookings go on: the snapshot is one.
t_exit "check while it books" 0 "$SLUICE_BIN" account check
bank_settle 60
t_exit "check at rest" 0 "$SLUICE_BIN" account check
t_exit "as JSON" 0 "$SLUICE_BIN" account check --json
t_eq "clean" true "$(jq -r .clean <<<"$T_OUT")"
t_eq "flows looked at" "$(t_db 'SELECT count(*) FROM account_flows')" "$(jq -r .flows <<<"$T_OUT")"
stop_roles account relay

# tamper INVARIANT WHERE DO UNDO: the check names both, and nothing when it was undone.
tamper() {
    t_admin "SET session_replication_role = replica; $3"
    t_exit "$1 after: ${3:0:60}" 3 "$SLUICE_BIN" account check --json --only "$1"
    t_eq "$1 names" "$2" "$(jq -r --arg i "$1" --arg w "$2" '.invariants[] | select(.name == $i) | [.first[].where | select(. == $w)][0]' <<<"$T_OUT")"
    t_admin "$4"
}
where="account_id = 'bank:1' AND slot = 0 AND version = 2"
held=$(t_db "SELECT transfer_id FROM account_transfers WHERE state = 'confirmed' ORDER BY 1 LIMIT 1")
refused=$(t_db "SELECT transfer_id FROM account_transfers WHERE state = 'rejected' ORDER BY 1 LIMIT 1")
tamper I1 "transfer fund:1" "UPDATE account_flows SET amount = amount + 1 WHERE account_id = 'bank:1' AND transfer_id = 'fund:1'" \
    "UPDATE account_flows SET amount = amount - 1 WHERE account_id = 'bank:1' AND transfer_id = 'fund:1'"
tamper I2 "account bank:1 slot 0" "UPDATE account_slots SET balance = balance + 5 WHERE account_id = 'bank:1'" \
    "UPDATE account_slots SET balance = balance - 5 WHERE account_id = 'bank:1'"
tamper I2 "account bank:1 slot 0 version 3" "CREATE TABLE kept AS SELECT * FROM account_flows WHERE $where; DELETE FROM account_flows WHERE $where" \
    "INSERT INTO account_flows SELECT * FROM kept"
tamper I3 "account bank:1 slot 0" "UPDATE account_slots SET max_balance = 2000000 WHERE account_id = 'bank:1'" \
    "UPDATE account_slots SET max_balance = 1000000 WHERE account_id = 'bank:1'"
tamper I4 "transfer $held" "UPDATE account_transfers SET state = 'held' WHERE transfer_id = '$held'" \
    "UPDATE account_transfers SET state = 'confirmed' WHERE transfer_id = '$held'"
tamper I5 "topic account.commands" "UPDATE account_journal SET applied = applied - 1, duplicates = duplicates + 1 WHERE ctid = (SELECT ctid FROM account_journal WHERE applied > 0 LIMIT 1)" \
    "UPDATE account_journal SET applied = applied + 1, duplicates = duplicates - 1 WHERE duplicates = 1"
tamper I6 "account bank:1 slot 0 version 2" "UPDATE account_flows SET queue_seq = NULL WHERE $where" \
    "UPDATE account_flows SET queue_seq = (SELECT queue_seq FROM kept) WHERE $where"
tamper I8 "transfer $refused" "UPDATE account_decisions SET transfer_id = 'x' WHERE transfer_id = '$refused'" \
    "UPDATE account_decisions SET transfer_id = '$refused' WHERE transfer_id = 'x'"
tamper I9 "account bank:1 slot 0 version 2" "UPDATE account_flows SET reference = 'x', event_id = 'x' WHERE $where" \
    "UPDATE account_flows SET reference = (SELECT reference FROM kept), event_id = (SELECT event_id FROM kept) WHERE $where"
t_exit "check after all was undone" 0 "$SLUICE_BIN" account check
t_exit "an invariant that is none" 2 "$SLUICE_BIN" account check --only I10
