#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: of many transfers through the whole road each ends as its id says: posted, or refused for the reason that its id
# stands for; and the balances are those that can be computed from the ids alone.
#
# How it could break: a refusal that touches its neighbours in the batch; a sum that is kept wrongly over many batches; an
# account of which two slots are mixed up.

. "$(dirname "$0")/lib.sh"
# shellcheck source=bank.sh
. "$(dirname "$0")/bank.sh"

n=$(t_size 20000 1000000) part=$(t_size 10000 100000)
t_begin "outcomes follow from ids"
bank_begin 6000 2000
start_role relay relay
start_role a1 account
start_role a2 account

accounts=1000
t_db "INSERT INTO account_command_outbox (partition_key, command, payload)
      SELECT a, 'open', jsonb_build_object('account_id', a, 'currency', c) || more FROM (
          SELECT 'u:' || g AS a, 'CNY' AS c, '{\"max_balance\": 1000000000000}'::jsonb AS more FROM generate_series(0, $accounts - 1) g
          UNION ALL VALUES ('poor', 'CNY', '{\"no_negative\": true}'::jsonb), ('usd', 'USD', '{}'), ('shop', 'CNY', '{\"kind\": \"merchant\"}')) x"
wait_until 60 "[[ \$(t_db 'SELECT count(*) FROM accounts') == $((accounts + 3)) ]]"

# Of twenty: sixteen are good, half of those go to one merchant; the others are each refused for a reason of their own.
t_db "CREATE VIEW plan AS
      SELECT g, 'n' || g AS transfer_id, 1 + g * 7919 % 100 AS good,
          CASE WHEN g % 20 = 16 THEN 'poor' ELSE 'u:' || g * 31 % $accounts END AS debit,
          CASE WHEN g % 20 = 17 THEN 'usd' WHEN g % 20 = 18 THEN 'nobody' WHEN g % 2 = 0 THEN 'shop'
               ELSE 'u:' || (g * 31 + 1 + g % 97) % $accounts END AS credit,
          CASE g % 20 WHEN 16 THEN 'insufficient_funds' WHEN 17 THEN 'currency_mismatch' WHEN 18 THEN 'credit_account_not_found'
               WHEN 19 THEN 'amount_not_positive' END AS code
      FROM generate_series(1::bigint, $n) g"
for ((from = 1; from <= n; from += part)); do
    t_db "INSERT INTO account_command_outbox (partition_key, command, payload)
          SELECT debit, 'transfer', jsonb_build_object('transfer_id', transfer_id, 'debit', debit, 'credit', credit, 'currency', 'CNY',
              'amount', CASE code WHEN 'amount_not_positive' THEN 0 ELSE good END)
          FROM plan WHERE g BETWEEN $from AND $((from + part - 1)) ORDER BY g"
done
wait_until 1500 "(( \$(bank_journal records) >= $n + $accounts + 3 ))"
t_eq "records, and how they ended" "$((n + accounts + 3)) 0 0" "$(t_db "SELECT sum(records), sum(duplicates), sum(dead) FROM account_journal" | tr '|' ' ')"
t_eq "transfers that did not end as their ids say" 0 "$(t_db "SELECT count(*) FROM plan p LEFT JOIN account_transfers t USING (transfer_id)
    WHERE (t.state, t.code) IS DISTINCT FROM (CASE WHEN p.code IS NULL THEN 'posted' ELSE 'rejected' END, p.code)")"
t_eq "balances that do not follow from the ids" 0 "$(t_db "SELECT count(*) FROM (
    SELECT a, sum(v) AS v FROM (SELECT credit AS a, good AS v FROM plan WHERE code IS NULL UNION ALL SELECT debit, -good FROM plan WHERE code IS NULL) x GROUP BY a) w
    FULL JOIN (SELECT account_id AS a, balance FROM accounts) b USING (a) WHERE coalesce(w.v, 0) <> coalesce(b.balance, 0)")"
slots=$(t_db "SELECT count(*) FROM account_slots WHERE account_id = 'shop' AND version > 0")
((slots > 1)) || t_fail "the merchant has $slots slot: this proves nothing about slots"
t_ok "slots of the merchant: $slots"
t_exit "sluice account check" 0 "$SLUICE_BIN" account check
bank_states
stop_roles a1 a2 relay
