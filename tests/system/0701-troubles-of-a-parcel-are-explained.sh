#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: what kept notices from phones in the users' own notes cannot happen, or the program says why: a waybill that
# nobody knows, orders that row-level security hides, an index that is no good, a merchant without devices, empty texts,
# the database away, a second start on the same port. Their statements work as they are typed there.
#
# How it could break: 404 and nothing kept; "order not found" for what is hidden; a row that fails for ever; silence.

. "$(dirname "$0")/lib.sh"
# shellcheck source=callbacks.sh
. "$(dirname "$0")/callbacks.sh"
# shellcheck source=gateway.sh
. "$(dirname "$0")/gateway.sh"
# shellcheck source=parcels.sh
. "$(dirname "$0")/parcels.sh"

t_begin "troubles of a parcel are explained"
pc_begin
express_port=$(port_single $$) && device_port=$(port_single $$) || t_fail "no free ports"
gw_start gateway "SLUICE_EXPRESS_LISTEN=127.0.0.1:$express_port" "SLUICE_DEVICE_LISTEN=127.0.0.1:$device_port"
gw_ready
start_roles relay notify push sink

# post PATH BODY: GW_STATUS and GW_BODY. tell NUMBER STATUS TEXT: the webhook.
post() { GW_URL=http://127.0.0.1:$1 gw POST "$2" "$3"; }
tell() { post "$express_port" /webhook/express/status "{\"tracking_no\":\"$1\",\"carrier\":\"yto\",\"status\":\"$2\",\"context\":\"$3\",\"time\":\"$(date -u +%FT%TZ)\"}"; }
# ended NUMBER: PROCESS_STATUS|LAST_ERROR of its newest event, once it has ended.
ended() {
    wait_until 60 "[[ \$(t_db \"SELECT count(*) FROM notify_queue WHERE tracking_no = '$1'\") != 0 && \$(t_db \"SELECT count(*) FROM notify_queue WHERE tracking_no = '$1' AND process_status IS NULL\") == 0 ]]"
    t_db "SELECT process_status, last_error FROM notify_queue WHERE tracking_no = '$1' ORDER BY queue_seq DESC LIMIT 1"
}
sent() { t_db "SELECT aud || ' ' || send_status FROM express_notifications WHERE tracking_no = '$1' ORDER BY aud DESC"; }
is_sent() { wait_until 60 "[[ \$(t_db \"SELECT count(*) FROM express_notifications WHERE tracking_no = '$1' AND send_status = 'pending'\") == 0 ]]"; }

# A phone registers as in the notes, for the user and for the merchant.
post "$device_port" /api/v1/push/register '{"cid":"phone-u","user_id":"user-1","platform":"android","appid":"default"}'
gw_expect "a user's phone registers" 200 '"ok": ?true'
post "$device_port" /api/v1/push/register '{"cid":"phone-m","merchant_id":"merchant-1","platform":"android","appid":"default"}'
gw_expect "a merchant's phone registers" 200 '"ok": ?true'
t_db "INSERT INTO ml_orders (id, user_id, merchant_id) VALUES ('order-1', 'user-1', 'merchant-1'), ('order-2', 'user-1', 'merchant-2')"

# An unknown waybill: said, kept, and told by itself when it is there.
tell TEST_YT_20260206_0007 in_transit "on its way"
gw_expect "an unknown waybill" 404 '"ok": ?false.*waybill not found'
t_db "INSERT INTO platform_express_waybills (tracking_no, carrier, order_id) VALUES ('TEST_YT_20260206_0007', 'yto', 'order-1')"
t_eq "it runs by itself when the waybill appears" "queued|" "$(ended TEST_YT_20260206_0007)"
is_sent TEST_YT_20260206_0007
t_eq "user and merchant are told" $'user success\nmerchant success' "$(sent TEST_YT_20260206_0007)"
tell TEST_YT_20260206_0007 delivered "signed for"
gw_expect "a known waybill" 200 '^\{"ok": ?true\}$'
t_eq "and told further" "queued|" "$(ended TEST_YT_20260206_0007)"
tell TEST_YT_20260206_0007 collected "collected"
t_match "a late older state is not told" '^skipped\|superseded' "$(ended TEST_YT_20260206_0007)"

# A merchant whose phone knows it as a user only.
t_db "INSERT INTO push_devices (cid, user_id) VALUES ('phone-x', 'merchant-2')"
t_db "INSERT INTO platform_express_waybills (tracking_no, order_id) VALUES ('NO-MERCHANT', 'order-2')"
tell NO-MERCHANT in_transit "on its way"
t_eq "the event is queued" "queued|" "$(ended NO-MERCHANT)"
is_sent NO-MERCHANT
t_match "the merchant's notice says why" '^no-targets\|no active devices.*user identity' \
    "$(t_db "SELECT send_status, last_error FROM express_notifications WHERE tracking_no = 'NO-MERCHANT' AND aud = 'merchant'")"
# The document's remedies: register as the merchant, run the row again.
post "$device_port" /api/v1/push/register '{"cid":"phone-x","merchant_id":"merchant-2","platform":"android","appid":"default"}'
gw_expect "it registers as the merchant" 200
again() {
    t_db "UPDATE public.notify_queue
             SET processed_at = NULL,
                 process_status = NULL,
                 last_error = NULL
           WHERE id = '$1'"
}
again "$(t_db "SELECT id FROM notify_queue WHERE tracking_no = 'NO-MERCHANT'")"
wait_until 60 '[[ $(sent NO-MERCHANT) == $'"'user success\\nmerchant success'"' ]]'
t_ok "run again by SQL, the merchant is told"
t_eq "and the user was told once" 1 "$(t_db "SELECT count(*) FROM push_deliveries WHERE cid = 'phone-u' AND message_id IN (SELECT message_id FROM express_notifications WHERE tracking_no = 'NO-MERCHANT')")"

# Row-level security hides the orders from a role that is not their owner.
stop_role notify
t_db "INSERT INTO ml_orders (id, user_id, merchant_id) VALUES ('order-3', 'user-1', 'merchant-1');
      INSERT INTO platform_express_waybills (tracking_no, order_id) VALUES ('HIDDEN', 'order-3');
      ALTER TABLE ml_orders ENABLE ROW LEVEL SECURITY; ALTER TABLE ml_orders FORCE ROW LEVEL SECURITY;
      CREATE POLICY own_orders ON ml_orders USING (user_id = current_setting('app.user', true))"
start_role notify notify
tell HIDDEN in_transit "on its way"
t_match "what is hidden, by which policy, and what to do" '^failed\|rows hidden by row-level security.*ml_orders.*own_orders.*--rls-function' "$(ended HIDDEN)"
# Devices of a table from before: two rows of one phone without an appid, of which the newer counts.
t_db "ALTER TABLE push_devices ALTER appid DROP NOT NULL;
      INSERT INTO push_devices (appid, cid, user_id, last_seen_at) VALUES (NULL, 'phone-old', 'user-9', now()), (NULL, 'phone-old', 'user-8', now() - interval '1 day')"
rc=0
"$SLUICE_BIN" doctor >"$T_DIR/doctor.out" 2>&1 || rc=$?
t_eq "doctor finds it" 3 "$rc"
t_match "and names table and policy" 'ml_orders.*own_orders' "$(tr '\n' ' ' <"$T_DIR/doctor.out")"
t_match "and devices without an appid" 'warn *devices *2 rows of push_devices have no appid.*1 of them are passed over' "$(tr '\n' ' ' <"$T_DIR/doctor.out")"
t_match "what counts is shown under the usual app" 'default/phone-old .*active' "$("$SLUICE_BIN" devices ls --user user-9)"
t_match "what does not as passed over" 'default/phone-old .*passed over' "$("$SLUICE_BIN" devices ls --user user-8)"
t_eq "and is not what is meant" user-9 "$("$SLUICE_BIN" devices show default/phone-old --json | jq -r .user_id)"
t_exit "a test of it goes to that app" 0 "$SLUICE_BIN" devices test default/phone-old
post "$device_port" /api/v1/push/register '{"cid":"phone-old","user_id":"user-7","platform":"android"}'
gw_expect "the phone registers" 200
t_eq "one row of it counts, with its appid" "default user-7" "$(t_db "SELECT concat_ws(' ', appid, user_id) FROM push_devices WHERE cid = 'phone-old' AND appid IS NOT NULL")"
t_eq "and only that one is listed" 1 "$("$SLUICE_BIN" devices ls --cid phone-old --json | jq '[.devices[] | select(.passed_over | not)] | length')"
# As its owner is under the policies too (FORCE), the function belongs to the superuser.
DATABASE_URL=$T_ADMIN_URL "$SLUICE_BIN" migrate --rls-function --role "$(t_db 'SELECT current_user')" >"$T_DIR/function.log" 2>&1 || t_fail "migrate --rls-function: $(cat "$T_DIR/function.log")"
again "$(t_db "SELECT id FROM notify_queue WHERE tracking_no = 'HIDDEN'")"
t_eq "with the function it runs, without a restart" "queued|" "$(ended HIDDEN)"
t_eq "and row-level security stays on" t "$(t_db "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE relname = 'ml_orders'")"

# A partial unique index instead of the plain one.
t_db "DROP INDEX express_notifications_message_id_key;
      CREATE UNIQUE INDEX ux_express_notifications_message_id ON express_notifications (message_id) WHERE message_id IS NOT NULL"
tell HIDDEN out_for_delivery "around the corner"
wait_until 60 '[[ $(log_count notify "ux_express_notifications_message_id.*partial") != 0 ]]'
t_ok "the index is named, and what is wrong with it"
t_eq "the event waits" 1 "$(t_db "SELECT count(*) FROM notify_queue WHERE process_status IS NULL")"
# As the document repairs it.
t_db "DROP INDEX IF EXISTS public.ux_express_notifications_message_id;
      CREATE UNIQUE INDEX IF NOT EXISTS ux_express_notifications_message_id ON public.express_notifications(message_id)"
t_eq "repaired as the notes say, it runs" "queued|" "$(ended HIDDEN)"

# Empty content never leaves.
t_db "ALTER TABLE push_deliveries DROP CONSTRAINT push_deliveries_body_check"
t_db "INSERT INTO push_deliveries (id, message_id, aud, recipient_id, appid, cid, title, body) VALUES ('00000000-0000-0000-0000-0000000000ee', 'empty', 'user', 'user-1', 'default', 'phone-u', 'title', '')"
wait_until 60 "[[ \$(t_db \"SELECT status || ' ' || verdict FROM push_deliveries WHERE message_id = 'empty'\") == 'dead_letter empty' ]]"
t_ok "an empty text ends as a dead letter that says so"
t_eq "and never reached a phone" 0 "$(curl -fsS "http://$(receiver_at receiver)/stats?ids=1" | jq '[.push.by_id[] | select(.title == "title")] | length')"

# A record that nobody can make sense of, but for whose it is: its row says so.
t_db "BEGIN; SET LOCAL sluice.sweep = 'on';
      INSERT INTO push_deliveries (id, message_id, aud, recipient_id, appid, cid, title, body, status) VALUES ('00000000-0000-0000-0000-0000000000ef', 'odd', 'user', 'user-1', 'default', 'phone-u', 'title', 'b', 'failed');
      UPDATE push_deliveries SET status = 'pending', round_attempts = -1 WHERE message_id = 'odd'; COMMIT" >/dev/null
wait_until 60 "[[ \$(t_db \"SELECT status FROM push_deliveries WHERE message_id = 'odd'\") == dead_letter ]]"
t_match "a malformed push ends as a dead letter that says what" '^0 field round_attempts is -1' "$(t_db "SELECT attempt_count, last_error FROM push_deliveries WHERE message_id = 'odd'" | tr '|\t' '  ')"

# A taken port, of the last of three listeners: what has been started by then ends, too, with accounts as without.
"$SLUICE_BIN" sign init "$T_DIR/channels-second" >/dev/null 2>&1
rc=0
timeout 60 env "SLUICE_GATEWAY_ACCOUNTS=$T_DIR/channels-second/accounts.json" "SLUICE_GATEWAY_RAW_KEYS_FILE=$T_DIR/channels-second/raw.keys" \
    "SLUICE_GATEWAY_LISTEN=127.0.0.1:0" "SLUICE_EXPRESS_LISTEN=off" "SLUICE_DEVICE_LISTEN=127.0.0.1:$device_port" "$SLUICE_BIN" run gateway >"$T_DIR/second.log" 2>&1 || rc=$?
t_eq "a second gateway on the same port ends by itself" 1 "$rc"
t_match "whose the port is" "127.0.0.1:$device_port.*$(proc_pid gateway)" "$(tr '\n' ' ' <"$T_DIR/second.log")"

pc_settle 60
t_eq "phones were told, once each" "$(t_db "SELECT count(*) FROM push_deliveries WHERE status = 'delivered'")" "$(pc_stat accepted)"
stop_roles gateway relay notify push sink
