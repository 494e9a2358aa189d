# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The money of ./dev demo: an order is paid through signed calls of a channel that says so five times, once with another
# amount, and once somebody forges it; the player's account is credited once, the shop hears of it once; then the player
# buys something by try and confirm. Every number is looked up where it stands.

MONEY_ORDER=''

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

# money_pay AMOUNT NOTIFICATION: WeChat Pay says that the order was paid. Prints what it was answered.
money_pay() {
    local out rc=0
    out=$("$(sluice_bin)" sign wechat --dir "$DEV_CHANNELS" --account shop1 --payment "$MONEY_ORDER" --amount "$1" --notification "$2" \
        --send "$(money_url)/callbacks/wechat/shop1" 2>&1 </dev/null) || rc=$?
    ((rc == 0)) || { err "sluice sign wechat --send: $out" && return 1; }
    printf '%s\n' "$out"
}

# The same by somebody who has no key: what was signed is of another payment. Prints the status.
money_forge() {
    "$(sluice_bin)" sign wechat --dir "$DEV_CHANNELS" --account shop1 --payment "$MONEY_ORDER-other" --headers "$DEMO_DIR/headers" \
        --body "$DEMO_DIR/other" </dev/null || return 1
    "$(sluice_bin)" sign wechat --dir "$DEV_CHANNELS" --account shop1 --payment "$MONEY_ORDER" --amount 1000000 --headers "$DEMO_DIR/unused" \
        --body "$DEMO_DIR/body" </dev/null || return 1
    curl -sS -m 30 -o /dev/null -w '%{http_code}\n' -H "@$DEMO_DIR/headers" --data-binary "@$DEMO_DIR/body" "$(money_url)/callbacks/wechat/shop1"
}

money_rows() { demo_sql -v id="$MONEY_ORDER" -v verdict="$1" <<<"SELECT count(*) FROM payment_callbacks WHERE payment_id = :'id' AND verdict = :'verdict';"; }

demo_money() {
    local player=player:$DEMO_RUN shop=shop:$DEMO_RUN order=$DEMO_RUN-order hold=$DEMO_RUN-hold i forged
    MONEY_ORDER=$order
    step "an order is paid through WeChat Pay, the ledger books it, and the player spends some of it"
    say "    \$ curl -d '{\"payment_id\": \"$order\", \"account_id\": \"$player\", \"channel\": \"wechat\", \"amount\": 10000, ...}' $(money_url)/v1/payments"
    money_api POST "/v1/accounts/$player" '{"currency": "CNY", "no_negative": true}' >/dev/null
    money_api POST "/v1/accounts/$shop" '{"currency": "CNY", "kind": "merchant"}' >/dev/null
    money_api POST /v1/payments "{\"payment_id\": \"$order\", \"account_id\": \"$player\", \"channel\": \"wechat\", \"amount\": 10000,
        \"currency\": \"CNY\", \"callback_platform\": \"demo\", \"callback_target\": \"$(receiver_url)/$DEMO_RUN/paid\"}" >/dev/null
    wait_for 60 money_callback_there "$order" 1 || true
    say "    \$ sluice sign wechat --dir ${DEV_CHANNELS#"$PWD/"} --account shop1 --payment $order --amount 10000 --send $(money_url)/callbacks/wechat/shop1"
    for i in 1 1 2 3 4; do
        money_pay 10000 "$order-$i" >/dev/null || die "the channel's call was not acknowledged (see above)"
    done
    money_pay 9900 "$order-5" >/dev/null || die "the channel's call was not acknowledged (see above)"
    forged=$(money_forge) || die "a forged call could not be made"
    wait_for 60 money_callback_there "$order" 2 || true
    money_api POST /v1/transfers "{\"transfer_id\": \"$hold\", \"debit\": \"$player\", \"credit\": \"$shop\", \"amount\": 3000, \"currency\": \"CNY\"}" >/dev/null
    say "    \$ curl -d '{\"transfer_id\": \"$hold\", \"debit\": \"$player\", \"credit\": \"$shop\", \"amount\": 3000, ...}' $(money_url)/v1/transfers"
    printf '\n'
    money_check "player after the try, balance and frozen" "10000 3000" "$(money_balance "$player")"
    money_api POST "/v1/transfers/$hold/confirm" "{\"debit\": \"$player\", \"amount\": 2500}" >/dev/null
    money_check "player after 2500 of it were confirmed" "7500 0" "$(money_balance "$player")"
    money_check "shop" "2500 0" "$(money_balance "$shop")"
    money_check "payment, which the channel has told of five times" CONFIRMED "$(money_payment "$order")"
    money_check "  of that stored" 1 "$(money_rows ok)"
    money_check "a forged call, which says 1000000" 401 "$forged"
    money_check "callbacks to the shop: pending, confirmed" 2 "$(money_callbacks "$order")"
    money_check "in quarantine: the channel's word of another amount" 1 "$(money_rows conflict)"
    demo_money_checker
}

demo_money_checker() {
    local rc=0
    say "    \$ sluice account check"
    "$(sluice_bin)" account check </dev/null >"$DEMO_DIR/check" 2>&1 || rc=$?
    sed 's/^/    /' "$DEMO_DIR/check"
    money_check "sluice account check" 0 "$rc"
}
