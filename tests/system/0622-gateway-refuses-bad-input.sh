#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: what can never be right is refused before anything is stored, with a status, a code and the member that is meant.
#
# How it could break: a number that a library rounds; a member that is passed over; a row of half a request.

. "$(dirname "$0")/lib.sh"
# shellcheck source=gateway.sh
. "$(dirname "$0")/gateway.sh"
t_begin "the gateway refuses bad input"

gw_start g SLUICE_GATEWAY_BODY_BYTES_MAX=2048 SLUICE_GATEWAY_REQUEST_TIMEOUT_MS=500
gw_ready

# bad STATUS CODE FIELD METHOD PATH BODY [CURL ARGUMENT]...
bad() {
    local status=$1 code=$2 field=$3
    shift 3
    gw "$@"
    [[ $GW_STATUS == "$status" && $GW_BODY == *"\"code\": \"$code\""* && ($field == - || $GW_BODY == *"\"field\": \"$field\""*) ]] ||
        t_fail "$* : expected $status $code $field, got $GW_STATUS: $GW_BODY"
    [[ $GW_HEADERS == *"Content-Type: application/problem+json"* ]] || t_fail "$*: not a problem document: $GW_HEADERS"
    count=$((count + 1))
}
count=0
T=/v1/transfers
ok='"transfer_id": "x", "debit": "a", "credit": "b", "currency": "CNY"'

bad 422 amount_not_positive amount POST $T "{$ok, \"amount\": 0}"
bad 422 amount_not_positive amount POST $T "{$ok, \"amount\": -1}"
bad 422 amount_too_large amount POST $T "{$ok, \"amount\": 9223372036854775808}"
bad 422 amount_too_large amount POST $T "{$ok, \"amount\": 1000000000000000000000000000000}"
bad 422 field_type amount POST $T "{$ok, \"amount\": 1.0}"
bad 422 field_type amount POST $T "{$ok, \"amount\": 1e2}"
bad 422 field_type amount POST $T "{$ok, \"amount\": \"1\"}"
bad 422 field_missing amount POST $T "{$ok}"
bad 422 field_missing debit POST $T '{"transfer_id": "x", "credit": "b", "amount": 1, "currency": "CNY"}'
bad 422 accounts_are_the_same credit POST $T '{"transfer_id": "x", "debit": "a", "credit": "a", "amount": 1, "currency": "CNY"}'
bad 422 field_invalid debit POST $T '{"transfer_id": "x", "debit": "a b", "credit": "b", "amount": 1, "currency": "CNY"}'
bad 422 field_invalid currency POST $T '{"transfer_id": "x", "debit": "a", "credit": "b", "amount": 1, "currency": "C-Y"}'
bad 422 field_invalid reference POST $T "{$ok, \"amount\": 1, \"reference\": \"a\\nb\"}"
bad 422 field_unknown ammount POST $T "{$ok, \"amount\": 1, \"ammount\": 1}"
bad 422 field_invalid mode POST $T "{$ok, \"amount\": 1, \"mode\": \"hold\"}"
bad 422 timestamp_out_of_range effective_at POST $T "{$ok, \"amount\": 1, \"effective_at\": \"1999-12-31T23:59:59Z\"}"
bad 422 timestamp_out_of_range effective_at POST $T "{$ok, \"amount\": 1, \"effective_at\": \"9999-01-01T00:00:00Z\"}"
bad 422 timestamp_out_of_range expires_at POST $T "{$ok, \"amount\": 1, \"expires_at\": \"9999-01-01T00:00:00Z\"}"
bad 422 field_invalid expires_at POST $T "{$ok, \"amount\": 1, \"expires_at\": \"tomorrow\"}"
bad 422 field_invalid timeout_s POST $T "{$ok, \"amount\": 1, \"timeout_s\": 0}"
bad 422 field_invalid timeout_s POST $T "{$ok, \"amount\": 1, \"timeout_s\": 5, \"expires_at\": \"2026-11-22T00:00:00Z\"}"
bad 422 field_unknown timeout_s POST $T "{$ok, \"amount\": 1, \"mode\": \"post\", \"timeout_s\": 5}"
bad 422 field_invalid transfer_id POST $T '{"transfer_id": "pay:o1:confirm", "debit": "a", "credit": "b", "amount": 1, "currency": "CNY"}'
bad 422 field_invalid transfer_id POST $T '{"debit": "a", "credit": "b", "amount": 1, "currency": "CNY"}' -H 'Idempotency-Key: merge:x'
bad 422 field_invalid transfer_id POST "$T/pay:o1:confirm/cancel" '{"debit": "a"}'
bad 422 field_invalid transfer_id POST "$T/adjust:1/cancel" '{"debit": "a"}'
bad 422 field_invalid debit POST $T '{"transfer_id": "x", "debit": "clearing:wechat:CNY", "credit": "b", "amount": 1, "currency": "CNY"}'
bad 422 field_invalid credit POST $T '{"transfer_id": "x", "debit": "a", "credit": "suspense:wechat:CNY", "amount": 1, "currency": "CNY", "mode": "post"}'
bad 422 field_invalid 'transfers[1].credit' POST $T "{\"transfers\": [{$ok, \"amount\": 1}, {\"transfer_id\": \"y\", \"debit\": \"a\", \"credit\": \"clearing:wechat:CNY\", \"amount\": 1, \"currency\": \"CNY\"}]}"
bad 422 field_invalid debit POST "$T/x/confirm" '{"debit": "clearing:wechat:CNY"}'
bad 422 field_invalid debit POST "$T/x/cancel" '{"debit": "suspense:wechat:CNY"}'
bad 400 transfer_id_missing transfer_id POST $T '{"debit": "a", "credit": "b", "amount": 1, "currency": "CNY"}'
bad 400 idempotency_key_invalid Idempotency-Key POST $T '{"debit": "a", "credit": "b", "amount": 1, "currency": "CNY"}' -H 'Idempotency-Key: a b'
bad 422 field_invalid transfers POST $T '{"transfers": []}'
bad 422 field_invalid transfers POST $T "{\"transfers\": [{$ok, \"amount\": 1}]}"
bad 422 linked_member_twice 'transfers[1].transfer_id' POST $T "{\"transfers\": [{$ok, \"amount\": 1}, {$ok, \"amount\": 1}]}"
bad 422 amount_not_positive 'transfers[1].amount' POST $T "{\"transfers\": [{$ok, \"amount\": 1}, {$ok, \"amount\": 0}]}"
bad 422 field_unknown mode POST $T "{\"mode\": \"try\", \"transfers\": [{$ok, \"amount\": 1}, {$ok, \"amount\": 0}]}"
bad 400 json_malformed - POST $T '{'
bad 400 json_malformed - POST $T '[1,]'
bad 422 field_type - POST $T '[]'
bad 400 field_twice amount POST $T "{$ok, \"amount\": 1, \"amount\": 2}"
bad 400 json_malformed currency POST $T '{"currency": "C\u0000Y"}'
bad 400 json_too_deep - POST $T "$(printf '[%.0s' {1..50})"
bad 413 body_too_large - POST $T "{\"reference\": \"$(printf 'a%.0s' {1..3000})\"}"
bad 415 media_type_unsupported - POST $T - -H 'Content-Type: text/plain' -d '{}'
bad 400 body_missing - POST $T - -H 'Content-Length: 0'

bad 422 field_missing debit POST $T/x/confirm '{}'
bad 422 field_missing debit POST $T/x/cancel '{}'
bad 422 field_unknown amount POST $T/x/cancel '{"debit": "a", "amount": 1}'
bad 422 amount_not_positive amount POST $T/x/confirm '{"debit": "a", "amount": 0}'
bad 422 field_invalid id POST $T/a%20b/confirm '{"debit": "a"}'
bad 422 field_invalid id GET $T/a%2Fb -
bad 400 target_malformed - GET $T/%00 -
bad 404 transfer_not_found - GET $T/x -
bad 404 not_found - GET /v1/nothing -
bad 405 method_not_allowed - DELETE $T/x -

A=/v1/accounts/a
bad 422 field_missing - POST $A '{}'
bad 422 field_invalid exponent POST $A '{"currency": "CNY", "exponent": 5}'
bad 422 field_invalid kind POST $A '{"currency": "CNY", "kind": "bank"}'
bad 422 field_invalid kind POST $A '{"currency": "CNY", "kind": "clearing"}'
bad 422 field_invalid kind POST $A '{"currency": "CNY", "kind": "suspense"}'
bad 422 field_invalid account_id POST /v1/accounts/clearing:wechat:CNY '{"currency": "CNY"}'
bad 422 field_invalid account_id POST /v1/accounts/suspense:wechat:CNY '{"currency": "CNY"}'
bad 422 field_invalid account_id POST /v1/accounts/clearing:wechat:CNY '{"status": "frozen"}'
bad 422 field_invalid account_id POST /v1/accounts/suspense%3Awechat:CNY '{"status": "closed"}'
bad 422 field_unknown status POST $A '{"currency": "CNY", "status": "open"}'
bad 422 field_invalid status POST $A '{"status": "gone"}'
bad 422 field_type no_negative POST $A '{"no_negative": 1}'
bad 422 field_invalid max_balance POST $A '{"max_balance": -1}'
bad 404 account_not_found - GET $A -
bad 400 parameter_invalid limit GET "$A/flows?limit=0" -
bad 400 parameter_invalid limit GET "$A/flows?limit=1001" -
bad 400 parameter_invalid cursor GET "$A/flows?cursor=zzz" -
bad 400 parameter_invalid cursor GET "$A/flows?cursor=1307c" -
bad 400 parameter_invalid from GET "$A/flows?from=yesterday" -
bad 400 parameter_invalid format GET "$A/flows?format=xml" -
bad 400 target_malformed - GET "$A/flows?limit=1&limit=2" -
bad 400 parameter_invalid since GET "$A/flows?since=2026-11-22T00:00:00Z" -
bad 400 parameter_invalid Limit GET "$A/flows?limit=1&Limit=2" -
bad 400 parameter_invalid limit GET "$A?limit=1" -
bad 400 parameter_invalid wait POST "$T?wait=5" "{$ok}"

P=/v1/payments
order='"payment_id": "p", "account_id": "a", "channel": "wechat", "amount": 1, "currency": "CNY"'
bad 422 field_missing payment_id POST $P '{"account_id": "a"}'
bad 422 field_invalid payment_id POST $P "{${order/\"p\"/\"$(printf 'p%.0s' {1..65})\"}}"
bad 422 field_invalid channel POST $P "{${order/wechat/We Chat}}"
bad 422 field_invalid exponent POST $P "{${order/CNY/JPY}, \"exponent\": 2}"
bad 422 amount_not_positive amount POST $P "{${order/1,/0,}}"
bad 422 field_missing callback_target POST $P "{$order, \"callback_platform\": \"demo\"}"
bad 422 field_missing callback_platform POST $P "{$order, \"callback_target\": \"https://example.org/\"}"
bad 422 field_invalid callback_target POST $P "{$order, \"callback_platform\": \"demo\", \"callback_target\": \"ftp://example.org/\"}"
bad 404 payment_not_found - GET $P/p -
t_ok "$count bad requests are refused, each with its code"

# ---- what curl would not send

raw() { (exec 5<>"/dev/tcp/127.0.0.1/${GW_URL##*:}" && printf '%b' "$1" >&5 && timeout 20 cat <&5) 2>/dev/null || true; }
t_match "a request that does not come to its end" '^HTTP/1.1 408 .*request_timeout' "$(raw 'POST /v1/transfers HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{' | tr '\r\n' '  ')"
t_match "a header that is too large" '^HTTP/1.1 431 ' "$(raw "GET /v1/transfers/x HTTP/1.1\r\nHost: x\r\nX: $(printf 'a%.0s' {1..17000})\r\n\r\n" | tr '\r\n' '  ')"

t_eq "nothing was stored" "0 0 0" "$(t_db "SELECT (SELECT count(*) FROM account_command_outbox) || ' ' || (SELECT count(*) FROM payment_outbox) || ' ' || (SELECT count(*) FROM payment_transactions)")"
gw_declared g
stop_roles g

# ---- settings that cannot be

t_exit "another address without tokens" 78 env SLUICE_GATEWAY_LISTEN=0.0.0.0:0 timeout 30 "$SLUICE_BIN" run gateway
t_match "says what to set" 'gateway.tokens.file' "$T_OUT"
printf 'shop short\n' >"$T_DIR/callers"
t_exit "a token that is too short" 78 env SLUICE_GATEWAY_TOKENS_FILE="$T_DIR/callers" timeout 30 "$SLUICE_BIN" run gateway
t_match "is named by its line" 'callers:1: ' "$T_OUT"
