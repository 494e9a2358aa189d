#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The demo job of the compose stack: commits events for three platforms the way a business does, each in a transaction of
# its own, waits until they are delivered, and compares what the outbox says with what the receiver has seen. Every tenth
# event is refused once by the receiver and retried. Then an order is paid: WeChat Pay says so twice, somebody forges it
# once. Then a parcel: its carrier's signed history grows, user and merchant hear of each state once. Exit 0 only when the
# numbers add up.
#
# DATABASE_URL, RECEIVER_URL, GATEWAY_URL, EXPRESS_URL, DEVICE_URL, SECRETS_DIR; DEMO_EVENTS (300), DEMO_PAUSE_MS between transactions (0), DEMO_LIMIT_SEC (180).

set -euo pipefail

readonly EVENTS=${DEMO_EVENTS:-300} PAUSE_MS=${DEMO_PAUSE_MS:-0} LIMIT_SEC=${DEMO_LIMIT_SEC:-180}
readonly PLATFORMS=(sub2api newapi demo)
RUN=$(od -An -N4 -tx1 /dev/urandom | tr -d ' \n')
readonly RUN
DIR=$(mktemp -d)
trap 'rm -rf -- "$DIR"' EXIT

die() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

[[ $EVENTS =~ ^[1-9][0-9]{0,4}$ ]] || die "DEMO_EVENTS: expected a number from 1 to 99999"
[[ $PAUSE_MS =~ ^[0-9]{1,4}$ ]] || die "DEMO_PAUSE_MS: expected a number from 0 to 9999"
[[ $LIMIT_SEC =~ ^[1-9][0-9]{0,4}$ ]] || die "DEMO_LIMIT_SEC: expected a number from 1 to 99999"

query() { psql -qAtX -F ' ' -v ON_ERROR_STOP=1 -v "run=demo-$RUN-%" "$DATABASE_URL"; }

# One statement is one transaction. A platform has twelve keys; ?platform= says whose secret the receiver must find.
events_sql() {
    local n platform path
    for ((n = 1; n <= EVENTS; n++)); do
        platform=${PLATFORMS[n % 3]}
        path=$platform
        ((n % 10)) || path=$platform/fail/1
        printf "INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload, partition_key) VALUES ('%s', 'order.paid', '%s/%s?platform=%s', '{\"order\": \"%s-%d\", \"amount\": %d}', 'demo-%s-%s-%d');\n" \
            "$platform" "$RECEIVER_URL" "$path" "$platform" "$RUN" "$n" "$((RANDOM % 100000))" "$RUN" "$platform" "$((n % 12))"
        ((PAUSE_MS == 0)) || printf "SELECT pg_sleep(%d / 1000.0);\n" "$PAUSE_MS"
    done
}

# Prints: committed, delivered, dead, still on the road.
states() {
    query <<<"SELECT count(*), count(*) FILTER (WHERE status = 'delivered'), count(*) FILTER (WHERE status = 'dead_letter'),
        count(*) FILTER (WHERE status IN ('pending', 'retrying')) FROM cs_platform_event_outbox WHERE partition_key LIKE :'run'"
}

# Until nothing is on the road any more; a line when something has changed.
follow() {
    local end=$((SECONDS + LIMIT_SEC)) last='' now road
    while :; do
        now=$(states)
        [[ $now == "$last" ]] || printf '    %s of %s committed events are delivered\n' "$(cut -d' ' -f2 <<<"$now")" "$(cut -d' ' -f1 <<<"$now")" >&2
        last=$now
        road=${now##* }
        ((road > 0 && SECONDS < end)) || return 0
        sleep 1
    done
}

# What the tables say of the attempts: their number, events that needed more than one, events whose numbers have a gap.
attempts() {
    query <<<"WITH a AS (SELECT o.id, o.attempt_count, count(d.*) AS n, coalesce(max(d.attempt_no), 0) AS last
            FROM cs_platform_event_outbox o LEFT JOIN cs_platform_event_delivery_attempts d ON d.event_id = o.id
            WHERE o.partition_key LIKE :'run' GROUP BY o.id)
        SELECT coalesce(sum(n), 0), count(*) FILTER (WHERE n > 1), count(*) FILTER (WHERE n <> last OR n <> attempt_count) FROM a"
}

# What the receiver has seen of these events, with a signature that fits: requests, events answered 2xx, such answers.
received() {
    query <<<"SELECT id FROM cs_platform_event_outbox WHERE partition_key LIKE :'run'" >"$DIR/ids"
    curl -fsS -m 60 "$RECEIVER_URL/stats?ids=1" >"$DIR/stats" || die "the receiver does not answer: $RECEIVER_URL/stats"
    jq -r '.by_id | to_entries[] | "\(.key) \(.value.attempts) \(.value.ok)"' "$DIR/stats" |
        awk 'NR == FNR { ours[$1]; next } $1 in ours { requests += $2; events += $3 > 0; answers += $3 }
            END { print requests + 0, events + 0, answers + 0 }' "$DIR/ids" -
}

# ---------------------------------------------------------------------------------------------------- an order is paid

readonly ORDER=order-$RUN PLAYER=player:$RUN CHANNELS=${SECRETS_DIR:-/var/lib/sluice/secrets}/channels
readonly WECHAT=${GATEWAY_URL:-http://gateway:7101}/callbacks/wechat/shop1

api() { # METHOD PATH [BODY]
    local token
    token=$(awk 'NF == 2 { print $2; exit }' "${SECRETS_DIR:-/var/lib/sluice/secrets}/gateway.callers")
    curl -fsS -m 60 -X "$1" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -H 'Prefer: wait=20' ${3:+-d "$3"} \
        "${GATEWAY_URL:-http://gateway:7101}$2"
}
sign() { # PAYMENT AMOUNT ARGUMENT...
    sluice sign wechat --dir "$CHANNELS" --account shop1 --payment "$1" --amount "$2" "${@:3}"
}

# The answer's status. Not `sluice sign --send`, which speaks plain http to this machine only.
post() { curl -sS -m 30 -o /dev/null -w '%{http_code}' -H "@$DIR/headers" --data-binary "@$DIR/body" "$WECHAT"; }
tell() {
    sign "$ORDER" 10000 --notification "$ORDER-1" --headers "$DIR/headers" --body "$DIR/body"
    [[ $(post) == 200 ]] || die "the channel's call was not acknowledged"
}

# Told twice of one payment; and somebody without a key puts one call's signature on another one.
pay() {
    printf '==> the order %s of 10000 is paid through WeChat Pay, which says so twice; somebody forges it once\n' "$ORDER" >&2
    api POST "/v1/accounts/$PLAYER" '{"currency": "CNY", "no_negative": true}' >/dev/null || die "the account could not be opened"
    api POST /v1/payments "{\"payment_id\": \"$ORDER\", \"account_id\": \"$PLAYER\", \"channel\": \"wechat\", \"amount\": 10000, \"currency\": \"CNY\",
        \"callback_platform\": \"demo\", \"callback_target\": \"$RECEIVER_URL/paid?platform=demo\"}" >/dev/null || die "the order was not taken"
    tell
    tell
    sign "$ORDER-other" 1 --headers "$DIR/headers" --body "$DIR/unused"
    sign "$ORDER" 1000000 --headers "$DIR/unused" --body "$DIR/body"
    FORGED=$(post)
}
told() { psql -qAtX -v ON_ERROR_STOP=1 -v "order=$ORDER" "$DATABASE_URL" <<<"SELECT count(*) FROM cs_platform_event_outbox WHERE partition_key = :'order' AND status = 'delivered'"; }
paid() { # prints: state, balance, callbacks delivered, notifications stored
    printf '%s %s %s %s\n' "$(api GET "/v1/payments/$ORDER" | jq -r .state)" "$(api GET "/v1/accounts/$PLAYER" | jq -r .balance)" "$(told)" \
        "$(psql -qAtX -v ON_ERROR_STOP=1 -v "order=$ORDER" "$DATABASE_URL" <<<"SELECT count(*) FROM payment_callbacks WHERE payment_id = :'order'")"
}

# ---------------------------------------------------------------------------------------------------- a parcel moves

readonly PARCEL=PARCEL-${RUN^^} EXPRESS=${EXPRESS_URL:-http://gateway:7201}

register() { # CID IDENTITY ID
    curl -fsS -m 30 -o /dev/null -X POST "${DEVICE_URL:-http://gateway:7301}/api/v1/push/register" -H 'Content-Type: application/json' \
        -d "{\"cid\":\"$1\",\"$2\":\"$3\",\"platform\":\"android\",\"appid\":\"default\"}" || die "a phone could not be registered"
}

say_history() { # NODES STATUS: kuaidi100 sends all of it each time
    sluice sign express --form kuaidi100 --dir "$CHANNELS" --tracking-no "$PARCEL" --nodes "$1" --status "$2" --at "$((NOW + 3600 * $1 - 14400))" \
        --headers "$DIR/headers" --body "$DIR/body" || die "a history could not be signed"
    curl -fsS -m 30 -o /dev/null -H "@$DIR/headers" --data-binary "@$DIR/body" "$EXPRESS/webhook/express/status/kuaidi100" || die "the carrier was not acknowledged"
}

parcel() { psql -qAtX -F ' ' -v ON_ERROR_STOP=1 -v "no=$PARCEL" "$DATABASE_URL" <<<"$1"; }
sent() { parcel "SELECT count(*) FROM express_notifications WHERE tracking_no = :'no' AND send_status = 'success'"; }
sent_all() { # N
    local end=$((SECONDS + LIMIT_SEC))
    while (($(sent) < $1 && SECONDS < end)); do
        sleep 1
    done
}

deliver() {
    NOW=$(date +%s)
    printf '==> the parcel %s moves; its carrier sends the whole history each time, and the last one twice\n' "$PARCEL" >&2
    register "cid-u-$RUN" user_id "user-$RUN"
    register "cid-m-$RUN" merchant_id "merchant-$RUN"
    parcel "INSERT INTO ml_orders (id, user_id, merchant_id) VALUES ('parcel-$RUN', 'user-$RUN', 'merchant-$RUN');
        INSERT INTO platform_express_waybills (tracking_no, order_id, carrier) VALUES (:'no', 'parcel-$RUN', 'yuantong');"
    say_history 1 collected
    sent_all 2
    say_history 2 in_transit
    sent_all 4
    say_history 3 out_for_delivery
    say_history 3 out_for_delivery
    sent_all 6
}

# What the receiver, which plays the cloud function, has taken for these phones: messages, those not exactly once.
phones() {
    curl -fsS -m 60 "$RECEIVER_URL/stats?ids=1" | jq -r --arg run "$RUN" '[.push.by_id // {} | .[] | select(.cid | endswith($run))] | "\(length) \(map(select(.accepted != 1)) | length)"'
}

printf '==> %d events for %s, each in its own transaction\n' "$EVENTS" "${PLATFORMS[*]}" >&2
events_sql >"$DIR/events.sql"
psql -qX -v ON_ERROR_STOP=1 "$DATABASE_URL" -f "$DIR/events.sql" >/dev/null &
writer=$!
[[ $PAUSE_MS != 0 ]] || wait "$writer" || die "the events could not be committed"
while kill -0 "$writer" 2>/dev/null; do
    states | awk '{ printf "    %d of %d committed events are delivered\n", $2, $1 }' >&2
    sleep 2
done
wait "$writer" || die "the events could not be committed"
follow

read -r committed delivered dead road <<<"$(states)"
read -r attempts retried gaps <<<"$(attempts)"
read -r requests seen answers <<<"$(received)"
missing=$((delivered - seen))
printf '\n'
printf '  %-60s %6d\n' "events committed" "$committed" \
    "  of them delivered" "$delivered" \
    "  of them dead letters" "$dead" \
    "  of them still on the road" "$road" \
    "attempts recorded" "$attempts" \
    "  events that needed more than one" "$retried" \
    "  events whose attempts have gaps in their numbers" "$gaps" \
    "requests at the receiver, signature verified" "$requests" \
    "  events it has answered with 2xx" "$seen" \
    "  delivered but never seen there" "$missing" \
    "  answered with 2xx more than once" "$((answers - seen))"
printf '\n'
[[ $committed == "$EVENTS" && $delivered == "$EVENTS" && $seen == "$EVENTS" && $gaps == 0 ]] ||
    die "the numbers do not add up (see above; docker compose logs relay callback sink)"
printf ' ok  every committed event was delivered\n'

pay
end=$((SECONDS + LIMIT_SEC))
while (($(told) < 2 && SECONDS < end)); do
    sleep 1
done
read -r state balance merchant stored <<<"$(paid)"
printf '\n'
printf '  %-57s %9s\n' "state of the order" "$state" \
    "notifications of it that are stored" "$stored" \
    "answer to the forged call, which says 1000000" "$FORGED" \
    "balance of the player" "$balance" \
    "callbacks to the merchant: pending, confirmed" "$merchant"
printf '\n'
[[ "$state $stored $FORGED $balance $merchant" == 'CONFIRMED 1 401 10000 2' ]] ||
    die "the numbers do not add up (see above; docker compose logs gateway account callback)"
printf ' ok  the order was paid once, and the merchant told of each step once\n'

deliver
read -r messages doubled <<<"$(phones)"
queued=$(parcel "SELECT count(*) FROM notify_queue WHERE tracking_no = :'no' AND process_status = 'queued' AND last_error IS NULL")
printf '\n'
printf '  %-60s %6d\n' "states of the parcel that were told" "$queued" \
    "notifications, to user and merchant, sent" "$(sent)" \
    "messages at the receiver" "$messages" \
    "  of them not exactly once" "$doubled"
printf '\n'
[[ "$queued $(sent) $messages $doubled" == '3 6 6 0' ]] ||
    die "the numbers do not add up (see above; docker compose logs gateway notify push sink)"
printf ' ok  user and merchant heard of each state once\n'
