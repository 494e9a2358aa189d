#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: with two processors and most of the load on a few accounts, what the shapes of SmallBank and TPC-B keep is kept:
# totals of each kind of account agree with the transfers, nobody's money is lost, and the checker finds nothing.
#
# How it could break: slots of an account without limits that are added up wrongly; deadlocks that end a batch; amounts
# that come out of a fraction.

. "$(dirname "$0")/lib.sh"
# shellcheck source=bank.sh
. "$(dirname "$0")/bank.sh"

n=$(t_size 1500 20000)
t_begin "hot accounts keep their sums"
t_seed
bank_begin 3000 100
BANK_SEED=${SLUICE_TEST_SEED:-$RANDOM}
start_role relay relay
start_role a1 account
start_role a2 account

# SmallBank: customers with savings and checking; TPC-B: branches, tellers and accounts, all without limits.
customers=50
t_db "INSERT INTO account_command_outbox (partition_key, command, payload)
      SELECT a, 'open', jsonb_build_object('account_id', a, 'currency', 'CNY') || more FROM (
          SELECT k || ':' || g AS a, '{\"no_negative\": true}'::jsonb AS more FROM generate_series(1, $customers) g, (VALUES ('savings'), ('checking')) v(k)
          UNION ALL SELECT k, '{\"kind\": \"system\"}' FROM (VALUES ('world'), ('penalty'), ('tellers'), ('branch')) v(k)) x"
wait_until 60 "[[ \$(t_db 'SELECT count(*) FROM accounts') == $((2 * customers + 4)) ]]"
t_db "INSERT INTO account_command_outbox (partition_key, command, payload)
      SELECT 'world', 'transfer', jsonb_build_object('transfer_id', 'fund:' || k || g, 'debit', 'world', 'credit', k || ':' || g,
          'amount', 10000, 'currency', 'CNY') FROM generate_series(1, $customers) g, (VALUES ('savings'), ('checking')) v(k)"

# A quarter of SmallBank's customers are drawn from the first five. Amounts 1.30, 5.00, 20.20. A check that is not covered
# costs a penalty: two transfers, both or none.
t_db <<SQL
INSERT INTO account_command_outbox (partition_key, command, payload)
SELECT CASE WHEN op = 5 THEN 'checking:' || c ELSE one ->> 'debit' END, CASE WHEN op = 5 THEN 'linked' ELSE 'transfer' END,
    CASE WHEN op = 5 THEN jsonb_build_object('transfers', jsonb_build_array(one, one || jsonb_build_object('transfer_id', one ->> 'transfer_id' || 'p', 'credit', 'penalty', 'amount', 1)))
    ELSE one END
FROM (
    SELECT g, op, c, jsonb_build_object('transfer_id', 's' || g, 'currency', 'CNY',
        'amount', (ARRAY[130, 500, 2020])[1 + g % 3],
        'debit', CASE op WHEN 0 THEN 'savings:' || c WHEN 1 THEN 'world' WHEN 2 THEN 'checking:' || c WHEN 3 THEN 'savings:' || c WHEN 4 THEN 'tellers' ELSE 'checking:' || c END,
        'credit', CASE op WHEN 0 THEN 'checking:' || c WHEN 1 THEN 'checking:' || c WHEN 2 THEN 'checking:' || 1 + c % $customers WHEN 3 THEN 'world' WHEN 4 THEN 'branch' ELSE 'world' END) AS one
    FROM (SELECT g, $(bank_dice o 6) AS op,
            CASE WHEN $(bank_dice h 4) = 0 THEN 1 + $(bank_dice i 5) ELSE 1 + $(bank_dice j $customers) END AS c
          FROM generate_series(1, $n) g) r) r
ORDER BY g;
SQL
bank_settle 240
t_eq "sum of everything" 0 "$(t_db "SELECT sum(balance) FROM accounts")"
# What one kind of account has, against the transfers that were posted: written without the ledger's own sums.
by_transfers() {
    t_db "SELECT coalesce(sum(amount) FILTER (WHERE credit_account LIKE '$1'), 0) - coalesce(sum(amount) FILTER (WHERE debit_account LIKE '$1'), 0)
          FROM account_transfers WHERE state = 'posted'"
}
for kind in 'savings:%' 'checking:%' world penalty tellers branch; do
    t_eq "$kind" "$(by_transfers "$kind")" "$(t_db "SELECT sum(balance) FROM accounts WHERE account_id LIKE '$kind'")"
done
slots=$(t_db "SELECT max(n) FROM (SELECT count(*) n FROM account_slots WHERE version > 0 GROUP BY account_id) x")
((slots > 1)) || t_fail "no account has more than one slot: this proves nothing"
t_ok "most slots of an account: $slots"
t_eq "penalties without their check" 0 "$(t_db "SELECT count(*) FROM account_transfers p JOIN account_transfers s ON s.transfer_id = left(p.transfer_id, -1) WHERE p.transfer_id LIKE 's%p' AND p.state <> s.state")"
t_exit "sluice account check" 0 "$SLUICE_BIN" account check
bank_states
stop_roles a1 a2 relay
