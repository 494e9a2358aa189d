#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: who waits gets the ledger's decision, from whichever gateway, and gets the same one for the same request again.
#
# How it could break: an answer of another command; a conflict answered as a repetition; a wait that only the instance that
# stored the command can end; a decision before the command was accepted.

. "$(dirname "$0")/lib.sh"
# shellcheck source=gateway.sh
. "$(dirname "$0")/gateway.sh"
t_begin "the gateway answers what the ledger decides"

cat >"$T_DIR/callers" <<'EOF'
shop     shop-token-0123456789abcdef
billing  @billing.token
EOF
printf 'billing-token-0123456789\n' >"$T_DIR/billing.token"
shop=(-H 'Authorization: Bearer shop-token-0123456789abcdef')
billing=(-H 'Authorization: Bearer billing-token-0123456789')
waits=(-H 'Prefer: wait=20')

gw_start g1 SLUICE_GATEWAY_TOKENS_FILE="$T_DIR/callers"
one=$GW_URL
gw_start g2 SLUICE_GATEWAY_TOKENS_FILE="$T_DIR/callers"
two=$GW_URL
at() { GW_URL=$1; }
wait_role gateway

transfer() { printf '{"transfer_id": "%s", "debit": "%s", "credit": "%s", "amount": %s, "currency": "CNY"%s}' "$1" "$2" "$3" "$4" "${5:-}"; }

# ---- accepted, and nobody decides yet

at "$one"
gw POST /v1/accounts/alice '{"currency": "CNY", "no_negative": true}' "${shop[@]}"
gw_expect "opening an account" 202 '"state": "pending"'
at "$two"
gw GET /v1/accounts/alice - "${shop[@]}"
gw_expect "the other gateway knows that it is accepted" 200 '"state" : "pending"'
at "$one"
gw POST /v1/transfers "$(transfer early bank alice 1 ', "mode": "post"')" "${shop[@]}" -H 'Prefer: wait=1'
gw_expect "nobody decides within a second" 202
t_match "which was waited for" 'Preference-Applied: wait=1' "$GW_HEADERS"
t_match "its place" "Location: /v1/transfers/early" "$GW_HEADERS"
at "$two"
gw GET /v1/transfers/early - "${shop[@]}"
gw_expect "a transfer that is accepted" 200 '"state" : "pending"'
gw GET /v1/transfers/early - "${billing[@]}"
gw_expect "is not there for another caller" 404 transfer_not_found

# ---- the ledger runs

start_roles relay account
at "$one"
gw POST /v1/accounts/bank '{"currency": "CNY", "kind": "system"}' "${shop[@]}" "${waits[@]}"
gw_expect "an account is opened while its client waits" 200 '"account_id":"bank".*"balance":0'
gw POST /v1/accounts/bank '{"currency": "CNY", "kind": "system"}' "${shop[@]}" "${waits[@]}"
gw_expect "again" 200 '"account_id":"bank"'
gw POST /v1/accounts/bank '{"currency": "USD"}' "${shop[@]}" "${waits[@]}"
gw_expect "as another one" 422 account_exists_with_different_content
gw POST /v1/accounts/shop '{"currency": "CNY", "kind": "merchant"}' "${shop[@]}" "${waits[@]}"
gw_expect "one more" 200
wait_until 30 'gw GET /v1/transfers/early - "${shop[@]}" && [[ ! $GW_BODY =~ pending ]]'
gw_expect "what was accepted before is decided: there was no bank then" 200 '"state":"rejected","code":"debit_account_not_found"'
gw POST /v1/transfers "$(transfer fund bank alice 1000 ', "mode": "post"')" "${shop[@]}" "${waits[@]}"
gw_expect "posted" 200 '"state":"posted"'

# ---- try, confirm, cancel; each of them twice, at either gateway

gw POST /v1/transfers "$(transfer t1 alice shop 300 ', "timeout_s": 3600, "reference": "order 1"')" "${shop[@]}" "${waits[@]}"
gw_expect "tried" 200 '"state":"held"'
at "$two"
gw POST /v1/transfers "$(transfer t1 alice shop 300 ', "timeout_s": 3600, "reference": "order 1"')" "${shop[@]}" "${waits[@]}"
gw_expect "the same again" 200 '"state":"held"'
gw POST /v1/transfers "$(transfer t1 alice shop 300 ', "timeout_s": 3601, "reference": "order 1"')" "${shop[@]}" "${waits[@]}"
gw_expect "other content" 422 exists_with_different_content
gw POST /v1/transfers "$(transfer t1 alice shop 300 ', "timeout_s": 3600, "reference": "order 1"')" "${billing[@]}" "${waits[@]}"
gw_expect "another caller" 422 exists_for_another_caller
gw GET /v1/accounts/alice - "${shop[@]}"
gw_expect "what is held" 200 '"balance":1000,"frozen":300,"incoming":0,"available":700'
gw POST /v1/transfers/t1/confirm '{"amount": 200}' "${shop[@]}" "${waits[@]}"
gw_expect "a confirmation without its debit" 422 '"field": "debit"'
gw POST /v1/transfers/t1/confirm '{"debit": "bank"}' "${shop[@]}" "${waits[@]}"
gw_expect "with another debit" 422 debit_account_mismatch
gw POST /v1/transfers/t1/confirm '{"debit": "alice"}' "${billing[@]}" "${waits[@]}"
gw_expect "of another caller" 422 exists_for_another_caller
gw POST /v1/transfers/t1/confirm '{"debit": "alice", "amount": 301}' "${shop[@]}" "${waits[@]}"
gw_expect "of more than is held" 422 amount_exceeds_hold
gw POST /v1/transfers/t1/confirm '{"debit": "alice", "amount": 200}' "${shop[@]}" "${waits[@]}"
gw_expect "confirmed" 200 '"state":"confirmed".*"confirmed_amount":200'
at "$one"
gw POST /v1/transfers/t1/confirm '{"debit": "alice", "amount": 200}' "${shop[@]}" "${waits[@]}"
gw_expect "again" 200 '"state":"confirmed"'
gw POST /v1/transfers/t1/confirm '{"debit": "alice"}' "${shop[@]}" "${waits[@]}"
gw_expect "with another amount" 422 hold_confirmed_with_different_amount
gw POST /v1/transfers/t1/cancel '{"debit": "alice"}' "${shop[@]}" "${waits[@]}"
gw_expect "cancelled too late" 422 hold_confirmed
gw POST /v1/transfers "$(transfer t1 alice shop 300 ', "timeout_s": 3600, "reference": "order 1"')" "${shop[@]}" "${waits[@]}"
gw_expect "the try once more, long after it" 200 '"state":"confirmed"'
gw POST /v1/transfers/t2/cancel '{"debit": "alice"}' "${shop[@]}" "${waits[@]}"
gw_expect "cancelled before it was tried" 200 '"state":"cancelled_empty"'
gw POST /v1/transfers/t2/cancel '{"debit": "alice"}' "${shop[@]}" "${waits[@]}"
gw_expect "again" 200 '"state":"cancelled_empty"'
gw POST /v1/transfers "$(transfer t2 alice shop 10)" "${shop[@]}" "${waits[@]}"
gw_expect "a try that comes late" 422 cancelled_before_try
gw POST /v1/transfers/t3/confirm '{"debit": "alice"}' "${shop[@]}" "${waits[@]}"
gw_expect "a confirmation of nothing" 422 transfer_not_found
gw POST /v1/transfers "$(transfer t4 alice shop 801)" "${shop[@]}" "${waits[@]}"
gw_expect "too much" 422 insufficient_funds
gw POST /v1/transfers "$(transfer t4 alice shop 801)" "${shop[@]}" "${waits[@]}"
gw_expect "the same rejection again" 422 insufficient_funds
gw GET /v1/transfers/t4 - "${shop[@]}"
gw_expect "which is remembered" 200 '"state":"rejected","code":"insufficient_funds"'
gw POST /v1/transfers '{"debit": "alice", "credit": "shop", "amount": 5, "currency": "CNY", "mode": "post"}' "${shop[@]}" "${waits[@]}" \
    -H 'Idempotency-Key: "key-7"'
gw_expect "the id from the header" 200 '"transfer_id":"key-7","state":"posted"'

# ---- sets

set='{"transfers": ['$(transfer l1 alice shop 1)', '$(transfer l2 shop bank 1)']}'
gw POST /v1/transfers "$set" "${shop[@]}" "${waits[@]}"
gw_expect "a set" 200 '"transfer_id":"l1".*"transfer_id":"l2"'
gw POST /v1/transfers "$set" "${shop[@]}" "${waits[@]}"
gw_expect "again" 200 '"transfer_id":"l2"'
gw POST /v1/transfers '{"transfers": ['"$(transfer l3 alice shop 1)"', '"$(transfer l4 alice nobody 1)"']}' "${shop[@]}" "${waits[@]}"
gw_expect "a set of which one fails" 422 credit_account_not_found
gw GET /v1/transfers/l3 - "${shop[@]}"
gw_expect "none of it is booked" 200 '"state":"rejected","code":"linked_failed"'

# ---- settings

gw POST /v1/accounts/alice '{"status": "frozen"}' "${shop[@]}" "${waits[@]}"
gw_expect "an account is frozen" 200 '"status":"frozen"'
gw POST /v1/transfers "$(transfer t5 alice shop 1)" "${shop[@]}" "${waits[@]}"
gw_expect "and refuses" 422 debit_account_frozen
gw POST /v1/accounts/alice '{"status": "closed"}' "${shop[@]}" "${waits[@]}"
gw_expect "not empty" 422 account_not_empty

# ---- many at once, at both gateways: each gets its own

for ((i = 1; i <= 60; i++)); do
    ((i == 1)) || printf 'next\n'
    printf 'silent\nurl = "%s/v1/transfers"\nheader = "Content-Type: application/json"\nheader = "Prefer: wait=25"\n' \
        "$( ((i % 2)) && printf '%s' "$one" || printf '%s' "$two")"
    printf 'header = "Authorization: Bearer shop-token-0123456789abcdef"\ndata = "%s"\noutput = "%s/many.%s"\n' \
        "$(transfer "many$i" bank shop "$i" ', "mode": "post"' | sed 's/"/\\"/g')" "$T_DIR" "$i"
done >"$T_DIR/many"
curl -s --parallel --parallel-max 60 -K "$T_DIR/many"
for ((i = 1; i <= 60; i++)); do
    [[ $(cat "$T_DIR/many.$i") =~ \"transfer_id\":\"many$i\",\"state\":\"posted\".*\"amount\":$i, ]] || t_fail "many$i: $(cat "$T_DIR/many.$i")"
done
t_ok "60 at once, each with its own answer"

# ---- flows: all pages together are the table, in JSON and in CSV

t_db "COPY (SELECT slot, version, amount FROM account_flows WHERE account_id = 'shop' ORDER BY slot, version) TO STDOUT CSV" >"$T_DIR/flows.want"
follow() {
    local next=$1 format=$2
    while [[ -n $next ]]; do
        gw GET "$next" - "${shop[@]}"
        [[ $GW_STATUS == 200 ]] || t_fail "a page of flows: $GW_STATUS $GW_BODY"
        if [[ $format == csv ]]; then
            tr -d '\r' <<<"$GW_BODY" | tail -n +2 | cut -d, -f2,3,5
        else
            python3 -c 'import json,sys
for f in json.load(sys.stdin)["flows"]: print(f["slot"], f["version"], f["amount"], sep=",")' <<<"$GW_BODY"
        fi
        next=$(sed -nE 's/^Link: <(.*)>; rel="next"$/\1/p' <<<"$GW_HEADERS")
    done
}
follow '/v1/accounts/shop/flows?limit=7' json >"$T_DIR/flows.json"
follow '/v1/accounts/shop/flows?limit=9&format=csv' csv >"$T_DIR/flows.csv"
t_eq "flows in JSON" "" "$(diff "$T_DIR/flows.want" "$T_DIR/flows.json")"
t_eq "flows in CSV" "" "$(diff "$T_DIR/flows.want" "$T_DIR/flows.csv")"
t_ok "$(wc -l <"$T_DIR/flows.want") flows"
gw GET '/v1/accounts/shop/flows?to=2000-01-01T00:00:00Z' - "${shop[@]}" -H 'Accept: text/csv'
gw_expect "none before 2000" 200 '^account_id,slot,version,kind,'
t_eq "only a header" 1 "$(wc -l <<<"$GW_BODY")"
gw GET '/v1/accounts/shop/flows?from=2000-01-01T00:00:00Z&limit=1000' - "${shop[@]}"
t_eq "all since 2000" "$(wc -l <"$T_DIR/flows.want")" "$(grep -c '"version"' <<<"$GW_BODY")"
gw GET /v1/accounts/nobody/flows - "${shop[@]}"
gw_expect "of no account" 404 account_not_found

# ---- orders

order='{"payment_id": "p1", "account_id": "shop", "channel": "wechat", "amount": 100, "currency": "CNY", "timeout_s": 600}'
gw POST /v1/payments "$order" "${shop[@]}"
gw_expect "an order" 201 '"payment_id":"p1"'
gw POST /v1/payments "$order" "${shop[@]}"
gw_expect "again" 200 '"payment_id":"p1"'
gw POST /v1/payments "${order/100/101}" "${shop[@]}"
gw_expect "with other content" 409 exists_with_different_content
gw POST /v1/payments "$order" "${billing[@]}"
gw_expect "of another caller" 409 exists_for_another_caller
gw GET /v1/payments/p1 - "${billing[@]}"
gw_expect "which is not there for it" 404 payment_not_found
gw GET /v1/payments/p1 - "${shop[@]}"
gw_expect "and for its own" 200 '"refunds": \[\]'
t_eq "its event, once" 1 "$(t_db "SELECT count(*) FROM payment_outbox WHERE partition_key = 'p1' AND event_type = 'payment.created'")"

gw_declared g1
gw_declared g2
t_exit "the ledger is right" 0 "$SLUICE_BIN" account check
stop_roles g1 g2 account relay
