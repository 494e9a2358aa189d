#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: however often, in which order and over how many connections a channel says the same thing, it is acknowledged each
# time, stored once, booked once, and the merchant hears of it once; refunds of a payment are not the payment said again.
#
# How it could break: two copies at once that both find nothing; one notification under two ids; a refund taken for a
# duplicate, because it has the payment's order and transaction; a refund's total booked as one more refund; a replay refused
# because its time is over, so that the platform sends on for a day.

. "$(dirname "$0")/lib.sh"
# shellcheck source=gateway.sh
. "$(dirname "$0")/gateway.sh"
# shellcheck source=channel.sh
. "$(dirname "$0")/channel.sh"

rounds=$(t_size 1 25)
t_begin "the same payment has one effect"
channel_keys
gw_start g
one=$GW_URL
gw_start g2
two=$GW_URL
GW_URL=$one
start_roles relay account
wait_role gateway
t_db "INSERT INTO account_command_outbox (partition_key, command, payload)
      VALUES ('u1', 'open', '{\"account_id\": \"u1\", \"currency\": \"CNY\", \"no_negative\": true}')"
wait_until 60 "[[ \$(t_db \"SELECT count(*) FROM accounts WHERE account_id = 'u1'\") == 1 ]]" # else its money is in suspense
order() { # ID CHANNEL AMOUNT
    gw POST /v1/payments "{\"payment_id\": \"$1\", \"account_id\": \"u1\", \"channel\": \"$2\", \"amount\": $3, \"currency\": \"CNY\",
        \"callback_platform\": \"demo\", \"callback_target\": \"https://shop.invalid/paid\"}"
    [[ $GW_STATUS == 201 ]] || t_fail "the order $1: $GW_STATUS $GW_BODY"
}
inbox() { t_db "SELECT count(*) FROM payment_callbacks WHERE payment_id = '$1'"; }
events() { t_db "SELECT string_agg(event_type || ' ' || n, ', ' ORDER BY event_type) FROM (SELECT event_type, count(*) n FROM payment_outbox WHERE partition_key = '$1' GROUP BY 1) x"; }
state() { t_db "SELECT state || ' ' || refunded_amount FROM payment_transactions WHERE payment_id = '$1'"; }
# send_both NAME...: all of them to both gateways at once, over four connections each; all must be acknowledged.
send_both() {
    local n=$((2 * $#)) other
    python3 "$T_LIB/channel_client.py" send "$two" "$CH_CALLS" -c 4 "$@" >"$T_DIR/second" &
    other=$!
    ch_send -c 4 "$@"
    wait "$other"
    CH_OUT+=$'\n'$(cat "$T_DIR/second")
    t_eq "$# calls to both gateways at once" "200 x $n" "$(ch_status)"
}

# It comes again when its time is over.
order old wechat 100
ch_make wechat old order=old amount=100
old_made=$(date +%s)
ch_expect "a call in time" wechat ok old

# ---- a payment: signed anew, byte for byte, under another id

for ((r = 1; r <= rounds; r++)); do
    order "w$r" wechat 1200
    order "a$r" alipay 1200
    uuid=$(printf '%08x-0000-4000-8000-000000000000' "$r")
    order "$uuid" appstore 600
    {
        for i in 1 2 3 4 5; do
            printf 'wechat w%s order=w%s amount=1200 id=wechat-%s-again key=%s\n' "$i" "$r" "$r" "$( ((i % 2)) && echo wechat1 || echo wechatpub)"
            printf 'alipay a%s order=a%s amount=1200 id=alipay-%s-again ts=-%s\n' "$i" "$r" "$r" "$i"
            printf 'appstore s%s order=%s amount=600 id=%s txn=70%s\n' "$i" "$uuid" "${uuid/0000-4000/9999-4000}" "$r"
        done
        printf 'wechat w6 order=w%s amount=1200\nalipay a6 order=a%s amount=1200\n' "$r" "$r"
    } | ch_make -
    send_both w1 w2 w3 w4 w5 w1 w6
    send_both a1 a2 a3 a4 a5 a1 a6
    t_eq "each answer to Alipay is its word" 14 "$(grep -c ' 200 success$' <<<"$CH_OUT")"
    send_both s1 s2 s3 s4 s5 s1
    t_eq "rows of the inbox" "1 1 1" "$(inbox "w$r") $(inbox "a$r") $(inbox "$uuid")"
    t_eq "events" "payment.created 1, payment.succeeded 1; payment.created 1, payment.succeeded 1; payment.created 1, payment.succeeded 1" \
        "$(events "w$r"); $(events "a$r"); $(events "$uuid")"

    # ---- refunds: in parts, and all of the rest; Alipay says what was refunded in all, the later one first
    {
        for i in 1 2; do
            printf 'wechat r1%s event=REFUND.SUCCESS order=w%s amount=1200 refund=300 refund_id=w%s-1 id=r-%s-1\n' "$i" "$r" "$r" "$r"
            printf 'wechat r2%s event=REFUND.SUCCESS order=w%s amount=1200 refund=400 refund_id=w%s-2\n' "$i" "$r" "$r"
            printf 'alipay t2%s order=a%s amount=1200 refunded=700 out_biz_no=a%s-2 id=t-%s-2\n' "$i" "$r" "$r" "$r"
            printf 'alipay t1%s order=a%s amount=1200 refunded=300 out_biz_no=a%s-1 id=t-%s-1\n' "$i" "$r" "$r" "$r"
        done
        printf 'wechat r3 event=REFUND.SUCCESS order=w%s amount=1200 refund=500 refund_id=w%s-3\n' "$r" "$r"
        printf 'alipay t3 order=a%s amount=1200 refunded=1200 out_biz_no=a%s-3 trade_status=TRADE_CLOSED\n' "$r" "$r"
    } | ch_make -
    send_both r11 r12 r21 r22 t21 t22
    wait_until 60 "[[ \$(state w$r) == 'CONFIRMED 700' && \$(state a$r) == 'CONFIRMED 700' ]]"
    t_ok "parts of both are given back"
    send_both t11 t12
    t_eq "rows of the inbox" "3 3" "$(inbox "w$r") $(inbox "a$r")"
    send_both r3 t3 r11 t12 w2 a2
    wait_until 60 "[[ \$(state w$r) == 'REFUNDED 1200' && \$(state a$r) == 'REFUNDED 1200' ]]"
    t_ok "all of both is given back"
    t_eq "rows of the inbox" "4 4" "$(inbox "w$r") $(inbox "a$r")"
    t_eq "events" "payment.created 1, payment.refunded 3, payment.succeeded 1; payment.created 1, payment.refunded 3, payment.succeeded 1" \
        "$(events "w$r"); $(events "a$r")"
done

# ---- after its time

# For a gateway that takes nothing older than a second.
ch_accounts '.wechat.shop1.window_s = 1'
CH_ROLE=g3
gw_start g3
gw_ready
wait_until 20 "((\$(date +%s) - $old_made > 2))"
ch_expect "the very bytes, after their time" wechat replay old
ch_make wechat late order=old amount=100 ts=-182
ch_expect "a copy signed anew with a time that is over" wechat ts_stale late
t_eq "rows of the inbox" 1 "$(inbox old)"

# ---- what came of it

handled() { t_db "SELECT coalesce(sum(records), 0) FROM account_journal WHERE topic LIKE '%payment.events'"; }
n=$(t_db "SELECT count(*) FROM payment_outbox")
t_eq "events in all" $((rounds * 12 + 2)) "$n"
wait_until 60 "[[ \$(handled) == $n ]]"
t_eq "records of payment.events, each once" "$n $n" "$(topic_count payment.events) $(topic_kcat payment.events read_committed '%h\n' | grep -o 'ce_id=[^,]*' | sort -u | wc -l)"
t_eq "quarantine" 0 "$(t_db "SELECT count(*) FROM payment_quarantine")"
t_eq "reviews and dead letters" "0 0" "$(t_db "SELECT (SELECT count(*) FROM payment_reviews) || ' ' || (SELECT count(*) FROM dead_letter_outbox)")"
t_eq "states" "CONFIRMED $((rounds + 1)), REFUNDED $((2 * rounds))" \
    "$(t_db "SELECT string_agg(state || ' ' || n, ', ' ORDER BY state) FROM (SELECT state, count(*) n FROM payment_transactions GROUP BY 1) x")"
t_eq "balance of the player" $((rounds * 600 + 100)) "$(t_db "SELECT balance FROM accounts WHERE account_id = 'u1'")"
t_eq "merchants told of other than each transition once" 0 "$(t_db "SELECT count(*) FROM payment_transactions p
    WHERE version <> (SELECT count(*) FROM cs_platform_event_outbox o WHERE o.partition_key = p.payment_id)")"
t_eq "and they were told" true "$(t_db "SELECT count(*) >= 3 FROM cs_platform_event_outbox" | sed 's/^t$/true/')"
t_exit "sluice account check" 0 "$SLUICE_BIN" account check
t_ok "counted at one: $(ch_counts g)"
t_ok "at the other: $(ch_counts g2)"
sum() { echo $(($(ch_counted g "$1" "$2") + $(ch_counted g2 "$1" "$2"))); }
t_eq "counted ok" "$((4 * rounds + 1)) $((4 * rounds)) $rounds" "$(sum wechat ok) $(sum alipay ok) $(sum appstore ok)"
stop_roles g g2 g3 account relay
