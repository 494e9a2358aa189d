# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The money of ./dev demo: an order is paid, by a channel that says so five times; the player's account is credited once, the
# shop hears of it once; then the player buys something by try and confirm. Every number is looked up where it stands.

money_url() { printf 'http://127.0.0.1:%s\n' "$(gateway_port 1)"; }

# money_api METHOD PATH [BODY]: the answer on stdout; other than 2xx ends the demo.
money_api() {
    local args=(-fsS -m 30 -X "$1" -H 'Content-Type: application/json' -H 'Prefer: wait=20')
    (($# < 3)) || args+=(-d "$3")
    curl "${args[@]}" "$(money_url)$2"
}

# money_check TEXT EXPECTED FOUND
money_check() {
    local mark=ok
    DEMO_CHECKS=$((DEMO_CHECKS + 1))
    [[ $2 == "$3" ]] || { mark=WRONG && DEMO_WRONG+=("$1: expected $2, found $3"); }
    printf '  %-62s %14s  %s\n' "$1" "$3" "$mark"
}

money_balance() { money_api GET "/v1/accounts/$1" | jq -r '"\(.balance) \(.frozen)"'; }
money_payment() { money_api GET "/v1/payments/$1" | jq -r .state; }
money_callbacks() {
    demo_sql -v key="$1" <<'SQL'
SELECT count(*) FROM cs_platform_event_outbox WHERE partition_key = :'key' AND status = 'delivered';
SQL
}
money_callback_there() { [[ $(money_callbacks "$1") -ge $2 ]]; }

# What the channel says of a payment, as the gateway will store it when it has verified the channel's call.
money_channel_says() {
    local i
    for ((i = 0; i < $3; i++)); do
        demo_sql -v id="$1" -v event="$2" -v payload="$4" <<'SQL' >/dev/null
INSERT INTO payment_outbox (partition_key, event_type, payload) VALUES (:'id', :'event', :'payload'::jsonb);
SQL
    done
}

demo_money() {
    local player=player:$DEMO_RUN shop=shop:$DEMO_RUN order=$DEMO_RUN-order paid hold=$DEMO_RUN-hold
    step "an order is paid, the ledger books it, and the player spends some of it"
    say "    \$ curl -d '{\"payment_id\": \"$order\", \"account_id\": \"$player\", \"channel\": \"wechat\", \"amount\": 10000, ...}' $(money_url)/v1/payments"
    money_api POST "/v1/accounts/$player" '{"currency": "CNY", "no_negative": true}' >/dev/null
    money_api POST "/v1/accounts/$shop" '{"currency": "CNY", "kind": "merchant"}' >/dev/null
    money_api POST /v1/payments "{\"payment_id\": \"$order\", \"account_id\": \"$player\", \"channel\": \"wechat\", \"amount\": 10000,
        \"currency\": \"CNY\", \"callback_platform\": \"demo\", \"callback_target\": \"$(receiver_url)/$DEMO_RUN/paid\"}" >/dev/null
    wait_for 60 money_callback_there "$order" 1 || true
    paid="{\"channel\": \"wechat\", \"channel_txn_id\": \"wx-$DEMO_RUN\", \"amount\": 10000, \"currency\": \"CNY\", \"paid_at\": \"$(date -u +%FT%TZ)\"}"
    money_channel_says "$order" payment.succeeded 5 "$paid"
    money_channel_says "$order" payment.succeeded 1 "${paid/10000/9900}"
    wait_for 60 money_callback_there "$order" 2 || true
    money_api POST /v1/transfers "{\"transfer_id\": \"$hold\", \"debit\": \"$player\", \"credit\": \"$shop\", \"amount\": 3000, \"currency\": \"CNY\"}" >/dev/null
    say "    \$ curl -d '{\"transfer_id\": \"$hold\", \"debit\": \"$player\", \"credit\": \"$shop\", \"amount\": 3000, ...}' $(money_url)/v1/transfers"
    printf '\n'
    money_check "player after the try, balance and frozen" "10000 3000" "$(money_balance "$player")"
    money_api POST "/v1/transfers/$hold/confirm" "{\"debit\": \"$player\", \"amount\": 2500}" >/dev/null
    money_check "player after 2500 of it were confirmed" "7500 0" "$(money_balance "$player")"
    money_check "shop" "2500 0" "$(money_balance "$shop")"
    money_check "payment, paid five times over and once with another amount" CONFIRMED "$(money_payment "$order")"
    money_check "callbacks to the shop: pending, confirmed" 2 "$(money_callbacks "$order")"
    money_check "for people to look at: the other amount" 1 "$(demo_sql -v id="$order" <<<"SELECT count(*) FROM payment_reviews WHERE payment_id = :'id';")"
    demo_money_checker
}

demo_money_checker() {
    local rc=0
    say "    \$ sluice account check"
    "$(sluice_bin)" account check </dev/null >"$DEMO_DIR/check" 2>&1 || rc=$?
    sed 's/^/    /' "$DEMO_DIR/check"
    money_check "sluice account check" 0 "$rc"
}
