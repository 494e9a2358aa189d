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
wait_until 60 "[[ \$(t_db \"SELECT count(*) FROM accounts WHERE account_id = 'u1'\") == 1 ]]" # else its money is in suspense

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
wait_until 60 '[[ $(state late1) == CONFIRMED && $(state late2) == CONFIRMED && $(state late4) == CONFIRMED ]]'
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
wait_until 60 "[[ \$(t_db \"SELECT count(*) FROM payment_transactions WHERE payment_id LIKE 'race%' AND state = 'CONFIRMED'\") == $races ]]"
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
# These fit their order, and not what was stored of the same thing.
ch_make wechat c4 order=c4 amount=1200 id=c4
ch_make wechat c4txn order=c4 amount=1200 id=c4 txn=42other
ch_make wechat c4refund event=REFUND.SUCCESS order=c4 amount=1200 refund=300 refund_id=c4-1
ch_make wechat c4more event=REFUND.SUCCESS order=c4 amount=1200 refund=400 refund_id=c4-1
ch_make wechat c4same event=REFUND.SUCCESS order=c4 amount=1200 refund=300 refund_id=c4-2
order c4 wechat 1200
ch_expect "a payment" wechat ok c4
ch_expect "the same notification, another transaction" wechat conflict c4txn
ch_expect "a refund" wechat ok c4refund
ch_expect "the same refund, another amount" wechat conflict c4more
ch_expect "another refund of the same amount" wechat ok c4same
before=$(ch_rows)
ch_expect "a contradiction again, byte for byte" wechat replay c2
ch_make wechat c1third order=c1 amount=1300 id=c1
ch_expect "and signed anew" wechat duplicate c1third
t_eq "rows of inbox, quarantine and outbox" "$before" "$(ch_rows)"
t_eq "in quarantine" "c1 conflict, c1 conflict, c2 conflict, c2 conflict, c3 conflict, c3 conflict, c4 conflict, c4 conflict, late3 conflict" "$(open_of)"
t_eq "the ledger was told of none" "1 0 0" "$(succeeded c1) $(succeeded c2) $(succeeded c3)"
wait_until 20 '[[ $(log_count g "level=error.*contradicts") == 9 ]]'
t_ok "an alarm for each"

# ---- people settle them, each once

id_of() { t_db "SELECT q.id FROM payment_quarantine q JOIN payment_callbacks c USING (id) WHERE $1"; }
t_exit "what is open" 0 "$S" gateway quarantine ls --json
t_eq "of which payments" "c1 c1 c2 c2 c3 c3 c4 c4 late3" "$(jq -r '[.quarantine[].payment_id] | sort | join(" ")' <<<"$T_OUT")"
t_eq "with nothing of what was sent" 0 "$(grep -cE 'raw_body|ciphertext' <<<"$T_OUT" || true)"
late3=$(id_of "q.payment_id = 'late3'") c2=$(id_of "q.payment_id = 'c2' AND c.amount = 1")
t_exit "show" 0 "$S" gateway quarantine show "$late3"
t_match "says what stands against it" 'amount' "$T_OUT"
t_exit "release without a name" 2 "$S" gateway quarantine release "$late3" --note x
t_exit "release, dry" 0 "$S" gateway quarantine release "$late3" --as anna --note 'the channel is right' --dry-run
t_exit "release" 0 "$S" gateway quarantine release "$late3" --as anna --note 'the channel is right'
t_exit "a second time" 3 "$S" gateway quarantine release "$late3" --as bob --note 'me too'
t_match "who was first" 'anna' "$T_OUT"
t_exit "dismiss" 0 "$S" gateway quarantine dismiss "$c2" --as bob --note 'given back at the channel'
t_exit "and release that" 3 "$S" gateway quarantine release "$c2" --as anna --note 'no'
t_exit "one that is not there" 4 "$S" gateway quarantine dismiss 00000000-0000-4000-8000-000000000000 --as bob --note x
# Two at once.
c1=$(id_of "q.payment_id = 'c1' AND c.amount = 1300")
"$S" gateway quarantine release "$c1" --as anna --note one >"$T_DIR/one" 2>&1 &
"$S" gateway quarantine release "$c1" --as bob --note two >"$T_DIR/two" 2>&1 || true
wait $! || true
t_eq "two people release the same at once" 1 "$(cat "$T_DIR/one" "$T_DIR/two" | grep -c '^released')"
t_eq "told once" "1 2 0" "$(succeeded late3) $(succeeded c1) $(succeeded c2)"
wait_until 30 '[[ $(t_db "SELECT count(DISTINCT payment_id) FROM payment_reviews WHERE payment_id IN ('"'late3', 'c1'"')") == 2 ]]'
t_ok "the ledger has looked at them itself"
t_eq "open" "c1 conflict, c2 conflict, c3 conflict, c3 conflict, c4 conflict, c4 conflict" "$(open_of)"

# ---- what was sent, at rest

rows=$(t_db "SELECT count(*) FROM payment_callbacks")
t_eq "readable in the table" 0 "$(t_db "SELECT count(*) FROM payment_callbacks WHERE position('ciphertext'::bytea IN raw_body) > 0
    OR position('total_amount'::bytea IN raw_body) > 0 OR position('Wechatpay'::bytea IN raw_headers) > 0")"
t_eq "rows with bytes and their key" "$rows" "$(t_db "SELECT count(*) FROM payment_callbacks WHERE length(raw_body) > 0 AND length(raw_headers) > 0 AND key_id = 'raw1'")"

# A new key in front: what is written from now on; the old one still opens what it has closed.
stop_roles g
(umask 077 && { printf 'raw2 %s\n' "$(head -c 32 /dev/urandom | base64 -w 0)" && cat "$CH_KEYS/raw.keys"; } >"$CH_KEYS/raw.new" && mv "$CH_KEYS/raw.new" "$CH_KEYS/raw.keys")
gw_start g
gw_ready
wait_until 20 'grep -qx "sluice_gateway_quarantine_open{code=\"conflict\"} 6" <(gw_metrics g)'
t_ok "what is open is counted"
ch_make alipay new order=new amount=5
ch_expect "with a new key" alipay unknown_order new
t_eq "keys of the rows" "raw1 $rows, raw2 1" "$(t_db "SELECT string_agg(key_id || ' ' || n, ', ' ORDER BY key_id) FROM (SELECT key_id, count(*) n FROM payment_callbacks GROUP BY 1) x")"
t_exit "every one of them is still what it was" 0 "$S" gateway reverify
t_match "looked at" "^$((rows + 1)) calls looked at, 0 changed, 0 unreadable" "$T_OUT"

# differs WHAT PAYMENT...: reverify finds the rows of these payments, and no other.
differs() {
    local what=$1
    shift
    t_exit "$what" 3 "$S" gateway reverify --json
    t_eq "and nothing else" "$(t_db "SELECT string_agg(id::text, ' ' ORDER BY id::text) FROM payment_callbacks WHERE payment_id = ANY (string_to_array('$*', ' '))")" \
        "$(jq -r '[.differences[].id] | unique | join(" ")' <<<"$T_OUT")"
}
tamper() { t_db "UPDATE payment_callbacks SET $2 WHERE id = (SELECT id FROM payment_callbacks WHERE payment_id = '$1' ORDER BY received_at LIMIT 1)"; }
t_db "CREATE TABLE kept AS SELECT * FROM payment_callbacks"
back() { t_db "UPDATE payment_callbacks c SET raw_body = k.raw_body, raw_headers = k.raw_headers, key_id = k.key_id, amount = k.amount FROM kept k WHERE k.id = c.id AND c.erased_at IS NULL"; }
tamper late1 "raw_body = set_byte(raw_body, 40, get_byte(raw_body, 40) # 1)"
tamper late2 "key_id = 'raw2'"
tamper race1 "amount = 70000"
tamper late4 "raw_body = (SELECT raw_body FROM kept WHERE payment_id = 'new')"
differs "bytes, a key's name and an amount that somebody has changed" late1 late2 race1 late4
back
t_exit "put back" 0 "$S" gateway reverify
cp "$CH_KEYS/accounts.json" "$CH_KEYS/accounts.good"
ch_accounts '.alipay.shop1.public_key_file = "stranger.pem"'
openssl pkey -in "$CH_KEYS/stranger.key" -pubout -out "$CH_KEYS/stranger.pem"
t_exit "the key of an account is another one" 3 "$S" gateway reverify --json
t_eq "all of that account, and nothing else" "$(t_db "SELECT string_agg(id::text, ' ' ORDER BY id::text) FROM payment_callbacks WHERE channel = 'alipay'")" \
    "$(jq -r '[.differences[].id] | unique | join(" ")' <<<"$T_OUT")"
mv "$CH_KEYS/accounts.good" "$CH_KEYS/accounts.json"

# ---- erased by command and by age

t_exit "erase, dry" 0 "$S" gateway erase --payment late1 --dry-run
t_exit "erase" 0 "$S" gateway erase --payment late1 --yes
t_db "UPDATE payment_callbacks SET received_at = now() - interval '181 days' WHERE payment_id IN ('late2', 'race2')"
gone() { t_db "SELECT string_agg(payment_id, ' ' ORDER BY payment_id) FROM payment_callbacks WHERE raw_body IS NULL AND raw_headers IS NULL AND key_id IS NULL AND erased_at IS NOT NULL"; }
wait_until 20 '[[ $(gone) == "late1 late2 race2" ]]'
t_ok "one by command, two by age"
ch_make wechat u1fourth order=late1 amount=500 id=late1
ch_expect "what is erased is still known" wechat duplicate u1fourth
t_eq "rows" $((rows + 1)) "$(t_db "SELECT count(*) FROM payment_callbacks")"
t_exit "sluice account check" 0 "$S" account check
stop_roles g account relay
