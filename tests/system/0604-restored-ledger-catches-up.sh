#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a ledger whose database was restored from an older base backup says so, reads what is missing from Kafka, and has
# the same accounts and transfers again.
#
# How it could break: a position that is kept apart from the balances; decisions that depend on when they are made; a start
# that says nothing.

. "$(dirname "$0")/lib.sh"
# shellcheck source=bank.sh
. "$(dirname "$0")/bank.sh"

t_begin "a restored ledger catches up" bare
t_program
own_pg "recovery_init_sync_method = syncfs"
own_kafka 1
t_migrate
bank_begin
# Of this workload the ends do not depend on the order between partitions: nobody runs out of funds.
start_role relay relay
start_role a1 account
bank_open 8 100000
bank_commands 1 300
bank_settle 60
stop_roles a1 relay

own_pg_stop
cp -a "$OWN_PG" "$T_DIR/backup"
own_pg_start
start_role relay relay
start_role a1 account
bank_commands 301 900
bank_settle 60
stop_roles a1 relay
digests() {
    "$SLUICE_BIN" account digest --balances
    t_db "SELECT 'transfers', count(*), md5(string_agg(concat_ws(' ', transfer_id, state, code, amount, confirmed_amount, debit_account,
        credit_account), ',' ORDER BY transfer_id)) FROM account_transfers"
}
after=$(digests)
records=$(bank_journal records)

own_pg_stop
rm -rf "$OWN_PG"
cp -a "$T_DIR/backup" "$OWN_PG"
own_pg_start
t_ok "restored: $(bank_journal records) of $records records"
[[ $(digests) != "$after" ]] || t_fail "the backup is not older: this proves nothing"
start_role a2 account
wait_until 60 "[[ \$(bank_journal records) == $records ]]"
t_match "it says so" 'restored|ahead' "$(grep -iE 'restored|ahead' "$(proc_log a2)" || true)"
t_eq "digests" "$after" "$(digests)"
t_exit "sluice account check" 0 "$SLUICE_BIN" account check
stop_roles a2
