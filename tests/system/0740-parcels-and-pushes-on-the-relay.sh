#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a row of notify_queue is published once for each time somebody wants it to run, by the statement of the users'
# document too, and by no other statement; a push that cannot be published is a dead letter whose row and notification
# say so; both go again by `sluice dlq redrive`, once.
#
# How it could break: a trigger that compares instead of looking at the statement; an outcome that the sink does not
# know; a letter whose row is looked for in the wrong table.

. "$(dirname "$0")/lib.sh"
t_begin "parcels and pushes on the relay"
export SLUICE_VALUE_FORMAT=json SLUICE_RELAY_RECORD_BYTES_MAX=65536
start_role r1 relay

# queue_seq of each queueing of a row, in the order of the topic.
queueings() { topic_kcat "$1" read_committed '%h\t%s\n' | grep -F "ce_id=$2" | cut -f 2- | jq -rs 'map(.queue_seq) | join(" ")'; }
seq_of() { t_db "SELECT queue_seq FROM $1 WHERE id = '$2'"; }

# ---- A parcel
id=$(t_db "INSERT INTO notify_queue (tracking_no, carrier, status, context) VALUES ('TEST_YT_20260206_0007', 'yuantong', 'collected', 'x') RETURNING id")
first=$(seq_of notify_queue "$id")
wait_until 20 '[[ "$(queueings express.events "$id")" == "$first" ]]'
t_ok "a new row is published"
t_eq "its key" "TEST_YT_20260206_0007" "$(topic_kcat express.events read_committed '%k\n')"
for status in queued skipped failed; do
    t_db "UPDATE notify_queue SET process_status = '$status', processed_at = now(), last_error = 'x' WHERE id = '$id'"
    t_db "UPDATE notify_queue SET context = '$status', last_error = 'y' WHERE id = '$id'"
done
again="UPDATE public.notify_queue
SET processed_at = NULL,
    process_status = NULL,
    last_error = NULL
WHERE id = '$id';"
t_db "$again"
second=$(seq_of notify_queue "$id")
t_db "$again" # although nothing has come of it yet
third=$(seq_of notify_queue "$id")
# One behind them: when it is there, all that was before it is.
last=$(t_db "INSERT INTO notify_queue (tracking_no, status) VALUES ('TEST_YT_20260206_0007', 'delivered') RETURNING id")
done_with() { [[ -n $(queueings express.events "$last") ]]; }
wait_until 20 done_with
t_eq "queueings: inserted, and run again by the document's statement" "$first $third" "$(queueings express.events "$id" | sed "s/ $second / /")"
t_eq "what was handled on insert" "" "$(t_db "INSERT INTO notify_queue (tracking_no, status, processed_at) VALUES ('YT', 'delivered', now()) RETURNING queue_seq")"

# ---- What cannot be published
huge="repeat('x', 80000)"
parcel=$(t_db "INSERT INTO notify_queue (tracking_no, carrier, status, context) VALUES ('YT_HUGE', 'sf', 'collected', $huge) RETURNING id")
t_db "INSERT INTO push_devices (appid, cid, user_id) VALUES ('shop', 'c1', 'u')
    RETURNING id" >/dev/null
t_db "INSERT INTO express_notifications (message_id, aud, recipient_id, title, body) VALUES ('m1', 'user', 'u', 't', 'b') RETURNING id" >/dev/null
push=$(t_db "INSERT INTO push_deliveries (id, message_id, aud, recipient_id, appid, cid, title, body)
    VALUES (gen_random_uuid(), 'm1', 'user', 'u', 'shop', 'c1', 't', $huge) RETURNING id")
wait_until 20 '(($(topic_count express.dlq) == 1 && $(topic_count notification.dlq) == 1))'
t_ok "both are dead letters"
t_eq "the push's outcome" "dead_letter false too-large shop c1 m1 keep" \
    "$("$SLUICE_BIN" tail notification.outcomes | jq -r '.value | "\(.outcome) \(.was_request) \(.error_class) \(.appid) \(.cid) \(.message_id) \(.device // "keep")"')"
ls_of() { "$SLUICE_BIN" dlq ls "$@" --json 2>>"$T_DIR/ls.log" | jq -r '.dead_letters[] | "\(.dlq) \(.state) \(.class) \(.platform) \(.event_id)"' | sort; }
t_eq "before the sink" "express.dlq open too-large sf $parcel
notification.dlq not-settled too-large shop $push" "$(ls_of --all)"

start_role s1 sink
wait_until 20 '[[ $(t_db "SELECT status FROM push_deliveries") == dead_letter ]]'
t_match "its row says why" '^dead_letter 0 .*65,?536' "$(t_db "SELECT concat_ws(' ', status, attempt_count, last_error) FROM push_deliveries")"
t_match "and its notification" '^failed dead_letter ' "$(t_db "SELECT concat_ws(' ', send_status, reason, last_error) FROM express_notifications")"
t_eq "the device is as it was" "t 0" "$(t_db "SELECT concat_ws(' ', is_active, strikes) FROM push_devices")"
t_eq "both are open" "express.dlq open too-large sf $parcel
notification.dlq open too-large shop $push" "$(ls_of)"
t_eq "status counts the push" 1 "$("$SLUICE_BIN" status --json | jq '.dead_letters[] | select(.topic | endswith("notification.dlq")) | .open')"
t_eq "groups" "1 express.events sf
1 notification.pushes shop" "$("$SLUICE_BIN" dlq groups --json | jq -r '.groups[] | "\(.count) \(.topic) \(.platform)"' | sort)"
t_match "the letter shows its row" 'notification of .* user:u .* failed: ' "$("$SLUICE_BIN" dlq show "$push")"

# ---- Mended, and sent again
t_db "UPDATE push_deliveries SET body = 'b'"
t_db "UPDATE notify_queue SET context = 'c' WHERE id = '$parcel'"
t_db "UPDATE push_devices SET is_active = false"
t_exit "to a device that is not active nothing goes" 3 "$SLUICE_BIN" dlq redrive notification.dlq --everything --yes --force
t_match "and it is said" '1 left: their devices are not active' "$T_OUT"
t_db "UPDATE push_devices SET is_active = true"
t_db "UPDATE push_deliveries SET expires_at = now() - interval '1 minute'"
t_exit "what has expired is held back" 3 "$SLUICE_BIN" dlq redrive notification.dlq --everything --yes
t_match "and it is said" '1 held back: too old' "$T_OUT"
t_db "UPDATE push_deliveries SET expires_at = now() + interval '1 hour'"
t_exit "all are sent again" 0 "$SLUICE_BIN" dlq redrive all --everything --yes
t_match "counted" '2 redriven' "$T_OUT"
wait_until 20 '[[ -n $(queueings notification.pushes "$push") && -n $(queueings express.events "$parcel") ]]'
t_eq "the push, in its generation" "$(seq_of push_deliveries "$push") 0" \
    "$(topic_kcat notification.pushes read_committed '%s\n' | jq -r '"\(.queue_seq) \(.generation)"')"
t_eq "the parcel" "$(seq_of notify_queue "$parcel")" "$(queueings express.events "$parcel")"
t_eq "its notification waits" "pending" "$(t_db "SELECT concat_ws(' ', send_status, reason, last_error) FROM express_notifications")"
t_exit "sent once" 0 "$SLUICE_BIN" dlq redrive all --everything --yes
t_eq "letters" "express.dlq requeued too-large sf $parcel
notification.dlq requeued too-large shop $push" "$(ls_of --all)"
t_eq "sent" "1 1" "$(queueings notification.pushes "$push" | wc -w | xargs) $(queueings express.events "$parcel" | wc -w | xargs)"

# ---- The outboxes
t_eq "outbox ls --source push" "$push pending shop" "$("$SLUICE_BIN" outbox ls --source push --json | jq -r '.rows[] | "\(.id) \(.status) \(.app)"')"
t_eq "outbox ls --source express" 3 "$("$SLUICE_BIN" outbox ls --source express --json --status null | jq '.rows | length')"
t_eq "one that somebody has handled by hand" "YT processed" "$("$SLUICE_BIN" outbox ls --source express --status processed --json | jq -r '.rows[] | "\(.tracking_no) \(.status)"')"
t_exit "a state that there is not" 2 "$SLUICE_BIN" outbox ls --source express --status dead_letter
t_match "says which there are" 'null, queued, skipped, failed, processed or all' "$T_OUT"
t_db "UPDATE push_deliveries SET status = 'delivered'"
t_exit "outbox replay" 0 "$SLUICE_BIN" outbox replay --source push --id "$push" --yes
wait_until 20 '(($(queueings notification.pushes "$push" | wc -w) == 2))'
t_ok "and it is published again"
t_db "UPDATE notify_queue SET created_at = now() - interval '1 hour'"
# The relay's own word on what is published comes a second later.
stuck() { "$SLUICE_BIN" outbox replay --source express --stuck --older 1m "$@" --json 2>>"$T_DIR/stuck.log"; }
wait_until 20 '[[ $(stuck --dry-run | jq ".rows | length") == 3 ]]'
t_exit "outbox replay --stuck" 0 stuck --yes
t_eq "rows that nothing has come of" 3 "$(jq .replayed <<<"$T_OUT")"
stop_role s1
stop_role r1

# ---- Much that waits, found page by page: half of the numbers have a waybill by now, half of these an order. Of one, the
# first and the last row wait; a number that rests is not counted as waiting for its waybill.
t_db "INSERT INTO platform_express_waybills (tracking_no, order_id) SELECT 'M' || g, CASE WHEN g % 4 = 0 THEN 'o' END FROM generate_series(2, 2500, 2) g;
      INSERT INTO notify_queue (tracking_no, status) SELECT 'M' || g, 'collected' FROM generate_series(1, 2500) g;
      INSERT INTO notify_queue (tracking_no, status, context) VALUES ('M8', 'delivered', 'superseded'), ('M4', 'delivered', '');
      UPDATE notify_queue SET process_status = 'skipped', processed_at = now(), last_error = CASE WHEN context <> '' THEN context
          WHEN tracking_no LIKE '%8' THEN 'order not found for waybill' ELSE 'waybill not found' END WHERE tracking_no LIKE 'M%';
      INSERT INTO express_parked (tracking_no, account, due_at) SELECT 'M' || g, '', CASE WHEN g = 1 THEN 'infinity' ELSE now() + interval '1 hour' END
          FROM generate_series(1, 2500) g"
rematch() { "$SLUICE_BIN" waybills rematch "$@" --json 2>>"$T_DIR/rematch.log"; }
t_eq "what waits is counted" '{"parked":1250,"requeued":626,"unknown":1249,"done":false}' "$(rematch --dry-run)"
t_exit "nobody is there to ask" 2 rematch
t_eq "nothing has run yet" 0 "$(t_db "SELECT count(*) FROM notify_queue WHERE tracking_no LIKE 'M%' AND process_status IS NULL")"
t_exit "numbers of which nothing waits" 3 rematch M8888 M5 --yes
t_eq "numbers that somebody names" '{"parked":2,"requeued":2,"unknown":1,"done":true}' "$(rematch M12 M8 M12 M5 --yes)"
t_eq "all that waits runs" '{"parked":1250,"requeued":624,"unknown":1249,"done":true}' "$(rematch --yes)"
t_eq "it is on the road, and nothing else" "626 t" \
    "$(t_db "SELECT count(*) || ' ' || bool_and(right(tracking_no, -1)::int % 4 = 0 AND last_error IS NULL AND context IS DISTINCT FROM 'superseded') FROM notify_queue WHERE tracking_no LIKE 'M%' AND process_status IS NULL" | sed s/true/t/)"
t_eq "and due" 1250 "$(t_db "SELECT count(*) FROM express_parked WHERE due_at <= now()")"
