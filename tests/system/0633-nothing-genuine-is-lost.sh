#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: what is genuine and does not fit is acknowledged, kept, and kept from the ledger: an unknown order's notification runs
# by itself when the order appears, a contradiction waits for a person, once. What was sent can be judged again years later,
# whatever became of the keys, and finds what somebody has changed meanwhile; what is too old is erased.
#
# How it could break: a contradiction taken for a repetition, so that nobody looks at it; an order that appears between the look
# and the COMMIT; a release that is run twice; bytes that are readable in the table, or by nobody any more.

. "$(dirname "$0")/lib.sh"
# shellcheck source=gateway.sh
. "$(dirname "$0")/gateway.sh"
# shellcheck source=channel.sh
. "$(dirname "$0")/channel.sh"
t_begin "nothing genuine is lost"
S=$SLUICE_BIN
channel_keys
gw_start g
gw_ready
start_roles relay account
order() { # ID CHANNEL AMOUNT
    gw POST /v1/payments "{\"payment_id\": \"$1\", \"account_id\": \"u1\", \"channel\": \"$2\", \"amount\": $3, \"currency\": \"CNY\"}"
    [[ $GW_STATUS == 201 ]] || t_fail "the order $1: $GW_STATUS $GW_BODY"
}
open_of() { t_db "SELECT string_agg(payment_id || ' ' || code, ', ' ORDER BY payment_id, code) FROM payment_quarantine WHERE settled_at IS NULL"; }
succeeded() { t_db "SELECT count(*) FROM payment_outbox WHERE partition_key = '$1' AND event_type = 'payment.succeeded'"; }
state() { t_db "SELECT state FROM payment_transactions WHERE payment_id = '$1'"; }
t_db "INSERT INTO account_command_outbox (partition_key, command, payload) VALUES ('u1', 'open', '{\"account_id\": \"u1\", \"currency\": \"CNY\"}')"

# ---- unknown orders: stored once, and run when the order appears, by whatever way

for i in 1 2 3; do
    ch_make wechat "u$i" "order=late$i" amount=500 "id=late$i"
done
ch_make alipay u4 order=late4 amount=500
for i in 1 2 3; do
    ch_expect "an order nobody knows" wechat unknown_order "u$i"
done
ch_expect "an order nobody knows" alipay unknown_order u4
ch_expect "the very bytes again" wechat replay u1
ch_make wechat u1again order=late1 amount=500 id=late1
ch_expect "and signed anew" wechat duplicate u1again
t_eq "rows of inbox, quarantine and outbox" "4 4 0" "$(ch_rows)"
order late1 wechat 500
t_db "INSERT INTO payment_transactions (payment_id, account_id, channel, amount, currency) VALUES ('late2', 'u1', 'wechat', 500, 'CNY'), ('late4', 'u1', 'alipay', 500, 'CNY')"
order late3 wechat 501
wait_until 30 '[[ $(state late1) == CONFIRMED && $(state late2) == CONFIRMED && $(state late4) == CONFIRMED ]]'
t_ok "they run by themselves, by POST /v1/payments and by SQL"
wait_until 20 '[[ $(open_of) == "late3 conflict" ]]'
t_ok "an order that appears with another amount is a contradiction"
t_eq "each once" "1 1 0 1" "$(succeeded late1) $(succeeded late2) $(succeeded late3) $(succeeded late4)"
ch_expect "again" wechat replay u1
ch_make wechat u1third order=late1 amount=500
ch_expect "under another id" wechat duplicate u1third
t_eq "rows of inbox and quarantine" "4 4" "$(ch_rows | cut -d' ' -f1,2)"

# Orders and notifications at the same time: whoever is first.
races=$(t_size 30 3000)
for ((i = 1; i <= races; i++)); do
    printf 'wechat race%s order=race%s amount=700\n' "$i" "$i"
done | ch_make -
# shellcheck disable=SC2046
ch_send -c 4 $(seq -f 'race%g' "$races") >/dev/null &
for ((i = 1; i <= races; i++)); do
    printf "INSERT INTO payment_transactions (payment_id, account_id, channel, amount, currency) VALUES ('race%s', 'u1', 'wechat', 700, 'CNY');\n" "$i"
done | t_db
wait $!
wait_until 30 "[[ \$(t_db \"SELECT count(*) FROM payment_transactions WHERE payment_id LIKE 'race%' AND state = 'CONFIRMED'\") == $races ]]"
t_eq "each told once" "$races" "$(t_db "SELECT count(*) FROM payment_outbox WHERE partition_key LIKE 'race%' AND event_type = 'payment.succeeded'")"

# ---- contradictions

order c1 wechat 1200
order c2 wechat 1200
order c3 alipay 1200
ch_make wechat c1 order=c1 amount=1200 id=c1
ch_expect "a payment" wechat ok c1
ch_make wechat c1other order=c1 amount=1300 id=c1
ch_expect "the same notification, another amount" wechat conflict c1other
ch_make wechat c1id order=c1 amount=1100
ch_expect "the same transaction under another id, another amount" wechat conflict c1id
ch_make wechat c2 order=c2 amount=1
ch_expect "an order of another amount" wechat conflict c2
ch_make wechat c2currency order=c2 amount=1200 currency=USD txn=42c2usd
ch_expect "an order of another currency" wechat conflict c2currency
ch_make alipay c3 order=c3 amount=1201
ch_expect "an order of another amount" alipay conflict c3
ch_make wechat c3 order=c3 amount=1200
ch_expect "an order of another channel" wechat conflict c3
before=$(ch_rows)
ch_expect "a contradiction again, byte for byte" wechat replay c2
ch_make wechat c1third order=c1 amount=1300 id=c1
ch_expect "and signed anew" wechat duplicate c1third
t_eq "rows of inbox, quarantine and outbox" "$before" "$(ch_rows)"
t_eq "in quarantine" "c1 conflict, c1 conflict, c2 conflict, c2 conflict, c3 conflict, c3 conflict, late3 conflict" "$(open_of)"
t_eq "the ledger was told of none" "1 0 0" "$(succeeded c1) $(succeeded c2) $(succeeded c3)"
t_eq "an alarm for each" 7 "$(log_count g 'level=error.*contradicts')"

# ---- what was sent, at rest

t_eq "readable in the table" 0 "$(t_db "SELECT count(*) FROM payment_callbacks WHERE position('ciphertext'::bytea IN raw_body) > 0 OR position('total_amount'::bytea IN raw_body) > 0 OR position('Wechatpay'::bytea IN raw_headers) > 0")"
t_eq "of them with bytes" "$(t_db "SELECT count(*) FROM payment_callbacks")" "$(t_db "SELECT count(*) FROM payment_callbacks WHERE length(raw_body) > 0 AND length(raw_headers) > 0 AND key_id = 'raw1'")"

t_exit "sluice account check" 0 "$S" account check
stop_roles g account relay
