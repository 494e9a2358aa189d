# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The parcels of ./dev demo: the troubleshooting document's own waybill, told of by its carrier in a growing history and by
# the plain webhook, twice and once too late; a number that nobody knows yet; a merchant whose phone is registered as a user's. What
# became of each is looked up in the tables and at the receiver, which plays the cloud function that sends to phones.

readonly PARCEL_NO=TEST_YT_20260206_0007
PARCEL_ORDER='' PARCEL_LATE=''

# Seconds ago as the webhook says it.
parcel_time() { date -u -d "@$(($(date +%s) - $1))" +%FT%TZ; }

# The document's curl; prints the answer's status.
parcel_register() { # CID IDENTITY ID
    curl -sS -m 10 -o /dev/null -w '%{http_code}' -X POST "$(device_url)/api/v1/push/register" -H 'Content-Type: application/json' \
        -d "{\"cid\":\"$1\",\"$2\":\"$3\",\"platform\":\"android\",\"appid\":\"default\"}"
}

# parcel_webhook NO STATUS TIME CONTEXT: prints the answer's status and body.
parcel_webhook() {
    curl -sS -m 10 -w ' %{http_code}' -X POST "$(express_url)/webhook/express/status" -H 'Content-Type: application/json' \
        -d "{\"tracking_no\":\"$1\",\"carrier\":\"YT\",\"status\":\"$2\",\"context\":\"$4\",\"time\":\"$3\"}"
}

# The whole history so far, as kuaidi100 signs it: N nodes, the last one SECONDS ago.
parcel_history() { # N STATUS AT_SECONDS
    local out rc=0
    out=$("$(sluice_bin)" sign express --form kuaidi100 --dir "$DEV_CHANNELS" --tracking-no "$PARCEL_NO" --carrier yuantong --nodes "$1" \
        --status "$2" --at "$3" --send "$(express_url)/webhook/express/status/kuaidi100" 2>&1 </dev/null) || rc=$?
    ((rc == 0)) || die "sluice sign express --send: $out"
}

# Prints the SQL's first line; $1 is :no.
parcel_sql() { demo_sql -F ' ' -v no="$1" -v run="$DEMO_RUN" <<<"$2"; }

# Rows of notify_queue of a number in this state.
parcel_queue() { parcel_sql "$1" "SELECT count(*) FROM notify_queue WHERE tracking_no = :'no' AND process_status = '$2'"; }
parcel_sent() { parcel_sql "$1" "SELECT count(*) FROM express_notifications WHERE tracking_no = :'no' AND send_status = '$2'"; }
parcel_sent_is() { [[ $(parcel_sent "$1" "$2") == "$3" ]]; }
parcel_queue_is() { [[ $(parcel_queue "$1" "$2") == "$3" ]]; }

# A waybill of an earlier demo of this stack is this one's again, from the start.
parcel_forget() {
    parcel_sql "$PARCEL_NO" "DELETE FROM push_deliveries d USING express_notifications e WHERE e.message_id = d.message_id AND e.tracking_no = :'no';
        DELETE FROM express_notifications WHERE tracking_no = :'no'; DELETE FROM notify_queue WHERE tracking_no = :'no';
        DELETE FROM express_nodes WHERE tracking_no = :'no'; DELETE FROM express_parked WHERE tracking_no = :'no';
        DELETE FROM platform_express_waybills WHERE tracking_no = :'no';"
}

parcel_waybill() { # NO ORDER USER MERCHANT
    demo_sql -v no="$1" -v "order=$2" -v "user=$3" -v merchant="$4" <<'SQL'
INSERT INTO ml_orders (id, user_id, merchant_id) VALUES (:'order', :'user', :'merchant');
INSERT INTO platform_express_waybills (tracking_no, order_id, carrier) VALUES (:'no', :'order', 'YT');
SQL
}

# What the receiver has taken for phones of this demo: messages, each once.
parcel_pushed() {
    curl -fsS -m 10 "$(receiver_url)/stats?ids=1" | jq -r --arg run "$DEMO_RUN" '[.push.by_id // {} | .[] | select(.cid | startswith($run))] | "\(length) \(map(select(.accepted != 1)) | length)"'
}

# The document's waybill: three states, each told once to user and merchant, whatever the carrier repeats.
parcel_known() {
    local now late
    now=$(date +%s)
    parcel_forget
    PARCEL_ORDER=$DEMO_RUN-parcel
    parcel_waybill "$PARCEL_NO" "$PARCEL_ORDER" "$DEMO_RUN-user" "$DEMO_RUN-merchant"
    say "    \$ curl -X POST $(device_url)/api/v1/push/register -H 'Content-Type: application/json' \\"
    say "        -d '{\"cid\":\"$DEMO_RUN-cid-m\",\"merchant_id\":\"$DEMO_RUN-merchant\",\"platform\":\"android\",\"appid\":\"default\"}'"
    money_check "phones of user and merchant register" "200 200" \
        "$(parcel_register "$DEMO_RUN-cid-u" user_id "$DEMO_RUN-user") $(parcel_register "$DEMO_RUN-cid-m" merchant_id "$DEMO_RUN-merchant")"
    say "    \$ sluice sign express --form kuaidi100 --dir ${DEV_CHANNELS#"$PWD/"} --tracking-no $PARCEL_NO --nodes 2 --send $(express_url)/webhook/express/status/kuaidi100"
    parcel_history 1 collected $((now - 14400))
    wait_for 30 parcel_sent_is "$PARCEL_NO" success 2 || true
    parcel_history 2 in_transit $((now - 10800))
    wait_for 30 parcel_sent_is "$PARCEL_NO" success 4 || true
    parcel_history 2 in_transit $((now - 10800))
    say "    \$ curl -d '{\"tracking_no\":\"$PARCEL_NO\",\"carrier\":\"YT\",\"status\":\"out_for_delivery\",...}' $(express_url)/webhook/express/status"
    late=$(parcel_time 3600)
    money_check "the webhook's answer" '{"ok":true} 200' "$(parcel_webhook "$PARCEL_NO" out_for_delivery "$late" "out for delivery, 13812345678")"
    wait_for 30 parcel_sent_is "$PARCEL_NO" success 6 || true
    money_check "  to the same call again" '{"ok":true} 200' "$(parcel_webhook "$PARCEL_NO" out_for_delivery "$late" "out for delivery, 13812345678")"
    money_check "  to a state that comes too late" '{"ok":true} 200' "$(parcel_webhook "$PARCEL_NO" in_transit "$(parcel_time 5400)" "arrived in Hangzhou")"
    wait_for 30 parcel_queue_is "$PARCEL_NO" skipped 1 || true
    money_check "notify_queue: queued, of three states that are news" 3 "$(parcel_queue "$PARCEL_NO" queued)"
    money_check "  skipped: superseded by what people know already" 1 \
        "$(parcel_sql "$PARCEL_NO" "SELECT count(*) FROM notify_queue WHERE tracking_no = :'no' AND process_status = 'skipped' AND last_error LIKE 'superseded%'")"
    money_check "express_notifications: success, user and merchant" "3 3" \
        "$(parcel_sql "$PARCEL_NO" "SELECT count(*) FILTER (WHERE aud = 'user'), count(*) FILTER (WHERE aud = 'merchant') FROM express_notifications WHERE tracking_no = :'no' AND send_status = 'success'")"
    money_check "  with the courier's number in them" 0 \
        "$(parcel_sql "$PARCEL_NO" "SELECT count(*) FROM express_notifications WHERE tracking_no = :'no' AND event_text_safe LIKE '%13812345678%'")"
}

# Nobody knows the number; then its waybill is inserted. The merchant's phone is registered as a user's, as in the document.
parcel_unknown() {
    local again
    PARCEL_LATE=${DEMO_RUN^^}-SF
    PARCEL_LATE=${PARCEL_LATE//[^A-Z0-9-]/}
    parcel_register "$DEMO_RUN-cid-u2" user_id "$DEMO_RUN-user2" >/dev/null
    parcel_register "$DEMO_RUN-cid-m2" user_id "$DEMO_RUN-merchant2" >/dev/null
    money_check "a number that nobody knows: the webhook's answer" '{"ok":false,"message":"waybill not found"} 404' \
        "$(parcel_webhook "$PARCEL_LATE" delivered "$(parcel_time 60)" "signed")"
    say "    \$ sluice waybills ls --parked"
    "$(sluice_bin)" waybills ls --parked --tracking-no "$PARCEL_LATE" </dev/null | sed 's/^/    /' >&2
    parcel_waybill "$PARCEL_LATE" "$DEMO_RUN-late" "$DEMO_RUN-user2" "$DEMO_RUN-merchant2"
    wait_for 30 parcel_sent_is "$PARCEL_LATE" success 1 || true
    money_check "  told by itself when the waybill was inserted: user" 1 "$(parcel_sent "$PARCEL_LATE" success)"
    money_check "  merchant" "no-targets registered_under_other_identity" \
        "$(parcel_sql "$PARCEL_LATE" "SELECT send_status, reason FROM express_notifications WHERE tracking_no = :'no' AND aud = 'merchant'")"
    again="UPDATE public.notify_queue
SET processed_at = NULL,
    process_status = NULL,
    last_error = NULL
WHERE id = '<notify_queue.id>';"
    parcel_register "$DEMO_RUN-cid-m2" merchant_id "$DEMO_RUN-merchant2" >/dev/null
    say "    the merchant's phone registers with its merchant_id, then"
    say "    \$ psql"
    say "    ${again//$'\n'/$'\n'    }"
    demo_sql <<<"${again//<notify_queue.id>/$(parcel_sql "$PARCEL_LATE" "SELECT id FROM notify_queue WHERE tracking_no = :'no'")}" >/dev/null
    wait_for 30 parcel_sent_is "$PARCEL_LATE" success 2 || true
    money_check "  both after that, and nobody twice" "2 2" \
        "$(parcel_sent "$PARCEL_LATE" success) $(parcel_sql "$PARCEL_LATE" "SELECT count(*) FROM push_deliveries JOIN express_notifications USING (message_id) WHERE tracking_no = :'no'")"
}

demo_express() {
    step "a parcel: its carrier tells, user and merchant hear of each state once; a number that is not known yet"
    printf '\n'
    parcel_known
    parcel_unknown
    money_check "messages at the receiver, and of them not exactly once" "8 0" "$(parcel_pushed)"
    say "    \$ sluice waybills show $PARCEL_NO"
    "$(sluice_bin)" waybills show "$PARCEL_NO" </dev/null | sed -n '/^notify_queue/,/^push_deliveries/p' | sed '$d; s/^/    /' >&2
    demo_selftest
}

# And the road once more as an operator would try it.
demo_selftest() {
    local rc=0
    say "    \$ sluice selftest express"
    "$(sluice_bin)" selftest express </dev/null >"$DEMO_DIR/selftest" 2>&1 || rc=$?
    sed 's/^/    /' "$DEMO_DIR/selftest"
    money_check "sluice selftest express" 0 "$rc"
}
