#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: whatever channels say of an order, how often, in which order and at the same time, and whichever account processor
# dies over it: the order goes a legal way, the money is booked once, the merchant hears once of each step, and the checker
# finds nothing.
#
# How it could break: state and booking in two transactions; a success that meets an expiry; a refund that is added twice;
# a callback for a step that was rolled back.

. "$(dirname "$0")/lib.sh"
# shellcheck source=bank.sh
. "$(dirname "$0")/bank.sh"

orders=$(t_size 300 5000) kills=$(t_size 4 40)
t_begin "payments are booked once"
t_seed
bank_begin
roles=(relay a1 a2)
start_role relay relay
start_role a1 account
start_role a2 account
t_db "INSERT INTO account_command_outbox (partition_key, command, payload)
      SELECT a, 'open', jsonb_build_object('account_id', a, 'currency', 'CNY', 'no_negative', true) FROM (SELECT 'player:' || g AS a FROM generate_series(0, 19) g) x"
wait_until 60 "[[ \$(t_db \"SELECT count(*) FROM accounts\") == 20 ]]"

# Of ten orders: five are paid, one is paid and given back in two parts, one expires and is paid then, one is paid with
# another amount, one is taken back by its channel, one is asked to expire, paid and given back at once. Each thing is said
# twice; order 7 of 20 is for an account that does not exist.
make() {
    t_db <<SQL
BEGIN;
INSERT INTO payment_transactions (payment_id, account_id, channel, amount, currency, callback_platform, callback_target)
SELECT 'o' || g, 'player:' || CASE WHEN g % 20 = 7 THEN 99 ELSE g % 20 END, 'wechat', 1000 + g, 'CNY', 'demo', 'https://shop.invalid/paid'
FROM generate_series($1, $2) g;
INSERT INTO payment_outbox (partition_key, event_type, payload)
SELECT 'o' || g, 'payment.' || what, CASE what
    WHEN 'succeeded' THEN jsonb_build_object('channel', 'wechat', 'channel_txn_id', 'wx' || g, 'amount', 1000 + g - CASE WHEN kind = 7 THEN 1 ELSE 0 END,
        'currency', 'CNY', 'paid_at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
    WHEN 'refunded' THEN jsonb_build_object('refund_id', 'r' || part, 'amount', CASE part WHEN 1 THEN 400 ELSE 600 + g END,
        'currency', 'CNY', 'refunded_at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
    ELSE '{}' END
FROM (SELECT g, g % 10 AS kind FROM generate_series($1, $2) g) o
JOIN (VALUES ('created', 0, 1, '{0,1,2,3,4,5,6,7,8,9}'::int[]), ('expired', 0, 2, '{6,9}'), ('succeeded', 0, 3, '{0,1,2,3,4,5,6,7,8,9}'),
    ('refunded', 1, 4, '{5,9}'), ('refunded', 2, 5, '{5,9}'), ('revoked', 0, 6, '{8}')) w(what, part, step, kinds) ON kind = ANY (kinds)
CROSS JOIN generate_series(1, 2) twice
ORDER BY CASE WHEN kind = 9 THEN md5(g || what || part) END, step, g;
COMMIT;
SQL
}
handled() { t_db "SELECT coalesce(sum(records), 0) FROM account_journal WHERE topic LIKE '%payment.events'"; }
each=$((orders / kills))
for ((k = 0; k < kills; k++)); do
    before=$(handled) victim=a$((1 + RANDOM % 2))
    make $((k * each)) $(((k + 1) * each - 1))
    wait_until 90 "(( \$(handled) > $before + RANDOM % 50 ))"
    proc_alive "$victim" || t_fail "$victim has ended by itself"
    kill_role "$victim"
    start_role "$victim" account
done
wait_until 120 "[[ \$(handled) == \$(topic_count payment.events) && \$(topic_count payment.events) == \$(t_db 'SELECT count(*) FROM payment_outbox') ]]"

n=$((kills * each))
states() { t_db "SELECT string_agg(state || ' ' || n, ', ' ORDER BY state) FROM (SELECT state, count(*) n FROM payment_transactions WHERE $1 GROUP BY 1) x"; }
of() { t_db "SELECT count(*) FROM generate_series(0, $((n - 1))) g WHERE g % 10 IN ($1)"; }
kind='right(payment_id, 1)::int'
t_eq "paid orders" "CONFIRMED $(of 0,1,2,3,4)" "$(states "$kind IN (0, 1, 2, 3, 4)")"
t_eq "paid and given back in two parts" "REFUNDED $(of 5)" "$(states "$kind = 5")"
t_eq "paid too late" "REVOKED $(of 6)" "$(states "$kind = 6")"
t_eq "paid with another amount" "PENDING $(of 7)" "$(states "$kind = 7")"
t_eq "taken back" "REVOKED $(of 8)" "$(states "$kind = 8")"
t_eq "everything at once, ends that are none" 0 "$(t_db "SELECT count(*) FROM payment_transactions WHERE $kind = 9 AND state NOT IN ('REFUNDED', 'REVOKED', 'CONFIRMED')")"
t_eq "steps and callbacks of merchants, per order" 0 "$(t_db "SELECT count(*) FROM payment_transactions p WHERE version <> (SELECT count(*) FROM payment_state_transitions t WHERE t.payment_id = p.payment_id)
    OR version <> (SELECT count(*) FROM cs_platform_event_outbox o WHERE o.partition_key = p.payment_id)")"
t_eq "refunds asked for of what was paid too late" "$(of 6)" "$(t_db "SELECT count(*) FROM payment_outbox WHERE event_type = 'payment.refund_requested' AND right(partition_key, 1) = '6'")"
t_eq "reviews of another amount" "$(of 7)" "$(t_db "SELECT count(DISTINCT payment_id) FROM payment_reviews WHERE code = 'amount_mismatch'")"
# Independent of flows and transfers: what players have is what the orders say.
t_eq "players" "$(t_db "SELECT coalesce(sum(amount - refunded_amount), 0) FROM payment_transactions WHERE state = 'CONFIRMED' AND account_id <> 'player:99'")" \
    "$(t_db "SELECT sum(balance) FROM accounts WHERE kind = 'user'")"
t_eq "sum of everything" 0 "$(t_db "SELECT sum(balance) FROM accounts")"
t_eq "dead letters" 0 "$(t_db "SELECT count(*) FROM dead_letter_outbox")"
t_exit "sluice account check" 0 "$SLUICE_BIN" account check
t_ok "orders: $(states true)"
stop_roles "${roles[@]}"
