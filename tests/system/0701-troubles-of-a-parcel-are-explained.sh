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

# Numbers that nobody knows: listed with their end, linked to an order, and at rest when nobody speaks of them any more.
cli() { "$SLUICE_BIN" "$@" 2>>"$T_DIR/cli.log"; }
parked() { cli waybills ls --parked --json "$@" | jq -r '[.parked[] | .tracking_no + (if .rests then " rests" else "" end)] | sort | join(", ")'; }
tell LOST-1 in_transit "on its way"
gw_expect "nobody knows it" 404
tell LOST-2 in_transit "on its way"
gw_expect "nor this" 404
t_eq "both are parked" "LOST-1, LOST-2" "$(parked)"
t_match "until when" "LOST-1 .* $(t_db "SELECT to_char(last_at + interval '30 days', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM express_parked WHERE tracking_no = 'LOST-1'") " "$(cli waybills ls --parked --tracking-no LOST-1 | tail -n 1)"
t_db "UPDATE express_parked SET last_at = now() - interval '31 days', due_at = now() WHERE tracking_no = 'LOST-2'"
wait_until 20 '[[ $(parked --all) == "LOST-1, LOST-2 rests" ]]'
t_eq "the other rests and is not listed" "LOST-1" "$(parked)"
t_eq "it is said once, and why" 1 "$(log_count gateway 'not looked for any more.*numbers=1 why="no waybill and no call.*days=30')"
t_match "and counted" 'express_parked_rest_total 1' "$(gw_metrics gateway | tr '\n' ' ')"
t_db "INSERT INTO platform_express_waybills (tracking_no, order_id) VALUES ('LOST-2', 'order-1')"
t_eq "a late waybill runs it" "queued|" "$(ended LOST-2)"
t_exit "no order of that name" 4 "$SLUICE_BIN" waybills link LOST-1 order-9
t_exit "only what would be done" 0 "$SLUICE_BIN" waybills link LOST-1 order-1 --dry-run
t_match "make a waybill" 'would make waybill LOST-1, order order-1 instead of none' "$T_OUT"
t_exit "linked" 0 "$SLUICE_BIN" waybills link LOST-1 order-1 --carrier yto
t_match "its calls are due" 'linked: 1 parked number due now, 0 rows' "$T_OUT"
t_eq "it runs" "queued|" "$(ended LOST-1)"
t_exit "another order is asked about" 2 "$SLUICE_BIN" waybills link LOST-1 order-2
t_exit "and taken" 0 "$SLUICE_BIN" waybills link LOST-1 order-2 --yes
t_eq "the waybill" "order-2|yto" "$(t_db "SELECT order_id, carrier FROM platform_express_waybills WHERE tracking_no = 'LOST-1'")"
t_db "INSERT INTO platform_express_waybills (tracking_no) VALUES ('NO-ORDER')"
tell NO-ORDER in_transit "on its way"
t_match "a waybill without an order" '^skipped\|order not found for waybill' "$(ended NO-ORDER)"
t_exit "nothing to run while that is so" 3 "$SLUICE_BIN" waybills rematch NO-ORDER --yes
t_exit "it gets one" 0 "$SLUICE_BIN" waybills link NO-ORDER order-1
t_match "and its row runs" '0 parked numbers due now, 1 row of' "$T_OUT"
t_eq "to the end" "queued|" "$(ended NO-ORDER)"
t_eq "waybills of a state" "LOST-1 LOST-2 NO-ORDER" "$(cli waybills ls --status in_transit --json | jq -r '[.waybills[].tracking_no] | sort | join(" ")')"
t_match "with what was told and skipped" '^NO-ORDER +- +order-1 +in_transit .* 1 +1 +0$' "$(cli waybills ls --tracking-no NO-ORDER | tail -n 1)"
t_exit "a number of which nobody has heard" 4 "$SLUICE_BIN" waybills show LOST-9

# The commands about phones.
phones() { cli devices ls --json "$@" | jq -r '[.devices[] | .cid + (if .is_active then "" else ": " + .inactive_reason end)] | join(", ")'; }
t_eq "phones of a user" "phone-u" "$(phones --user user-1)"
t_eq "of a merchant" "phone-m" "$(phones --merchant merchant-1)"
is_sent LOST-2
t_match "what was sent to one" 'user +user-1.*what was sent to it.* delivered +1 +sent' "$(cli devices show default/phone-u | tr '\n' ' ')"
t_exit "there is no such phone" 4 "$SLUICE_BIN" devices show default/phone-z
t_exit "a real message" 0 "$SLUICE_BIN" devices test default/phone-u
t_match "and what its provider said" 'status +delivered.*verdict +sent' "$(tr '\n' ' ' <<<"$T_OUT")"
t_exit "to no phone" 4 "$SLUICE_BIN" devices test default/phone-z
t_exit "nobody is there to ask" 2 "$SLUICE_BIN" devices deactivate default/phone-u --reason lost
t_exit "deactivated" 0 "$SLUICE_BIN" devices deactivate default/phone-u --reason "lost in a taxi" --yes
t_exit "once" 3 "$SLUICE_BIN" devices deactivate default/phone-u --reason again --yes
t_match "it was said why" 'is inactive already: lost in a taxi' "$T_OUT"
t_eq "it is not listed" "" "$(phones --user user-1)"
t_eq "unless asked for" "phone-u: lost in a taxi" "$(phones --user user-1 --all)"
post "$device_port" /api/v1/push/register '{"cid":"phone-u","user_id":"user-1","platform":"android","appid":"default"}'
gw_expect "until it registers again" 200
t_eq "then it is" "phone-u" "$(phones --cid phone-u)"

# doctor: each finding once. Waiting for servers that are not there takes it some seconds, beside all that follows.
# doctor NAME [env ARGUMENT]...: what it says, in T_DIR/NAME.out; it must have found something. says NAME LINE [HINT].
doctor() {
    local rc=0
    env "${@:2}" "$SLUICE_BIN" doctor >"$T_DIR/$1.out" 2>"$T_DIR/$1.err" || rc=$?
    t_eq "doctor, $1" 3 "$rc"
}
says() {
    grep -qE -A 1 -- "$2" "$T_DIR/$1.out" || t_fail "doctor, $1: nothing like /$2/ in: $(cat "$T_DIR/$1.out")"
    [[ -z ${3:-} ]] || grep -E -A 1 -- "$2" "$T_DIR/$1.out" | grep -qE -- "-> .*$3" || t_fail "doctor, $1: no hint like /$3/ in: $(cat "$T_DIR/$1.out")"
    t_ok "doctor, $1: $2"
}
doctor away -u CLOUD_FUNC_URL -u CLOUD_FUNC_SECRET_FILE DATABASE_URL=postgresql://x@127.0.0.1:1/x KAFKA_BROKERS=127.0.0.1:1 "SLUICE_SOURCES_FILE=$T_DIR/none.json" &
away=$!
receiver_address=$(receiver_at receiver)
doctor running "SLUICE_GATEWAY_LISTEN=${GW_URL#http://}" "SLUICE_DEVICE_LISTEN=$receiver_address" SLUICE_TOPICS_MIN_INSYNC=2
says running '^ok +database .*PostgreSQL 1[0-9]\.'
says running '^ok +clock '
says running '^ok +tables +schema public, '
says running '^ok +privileges '
says running '^ok +row security +hides no rows'
says running '^ok +message_id '
says running '^ok +kafka .* answers'
says running '^warn +topics .*min.insync.replicas' 'topics apply'
says running '^ok +schemas '
says running '^ok +roles +a relay publishes all'
says running '^ok +roles +notify reads express.events: 1 instance,'
says running '^warn +roles +no instance of callback reads callback.events' 'sluice run callback'
says running '^ok +providers +the cloud function of CLOUD_FUNC_URL .of this environment; the role push may have another'
says running "^ok +ports +gateway.listen .*held by our gateway, pid $(proc_pid gateway)"
says running '^ok +ports +express.listen: not opened'
says running "^FAIL +ports +device.listen .*held by pid $(proc_pid receiver)" "kill $(proc_pid receiver)"
doctor strange SLUICE_DATABASE_SCHEMA=elsewhere "SLUICE_TOPIC_PREFIX=x$T_ID." "SLUICE_PUSH_PROVIDERS_FILE=$T_DIR/none.json" SLUICE_GATEWAY_LISTEN=here "SLUICE_EXPRESS_LISTEN=127.0.0.1:$express_port"
says strange '^FAIL +tables +.* migrations are missing, the first is 001' 'sluice migrate'
says strange "^FAIL +topics +x$T_ID.callback.outcomes is missing" 'topics apply'
says strange '^FAIL +providers +.*none.json.*of this environment' 'with the environment of the role push'
says strange '^FAIL +ports +gateway.listen: ' 'set option gateway.listen'
doctor nothing -u DATABASE_URL -u KAFKA_BROKERS
says nothing '^FAIL +database +DATABASE_URL is not set' 'postgresql://'
says nothing '^FAIL +kafka +KAFKA_BROKERS is not set' 'host:port'

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
doctor hidden
says hidden '^FAIL +row security +.*ml_orders.*own_orders' 'migrate --rls-function'
says hidden '^warn +devices +2 rows of push_devices have no appid.*1 of them are passed over'
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

# What is left to find when nobody is at work.
wait "$away" || t_fail "doctor without servers"
says away '^FAIL +database +cannot connect' 'is PostgreSQL up'
says away '^FAIL +kafka +no answer' 'is Kafka up'
says away '^FAIL +sources ' 'sources.file'
says away '^warn +providers +none is configured .of this environment' 'CLOUD_FUNC_URL'
says away '^ok +ports +device.listen: not opened'
t_exit "a message that nobody takes" 1 "$SLUICE_BIN" devices test default/phone-u --wait 1
t_match "and where it stopped" 'not published: does a relay run' "$T_OUT"
t_db "ALTER TABLE push_devices ENABLE ROW LEVEL SECURITY; ALTER TABLE push_devices FORCE ROW LEVEL SECURITY;
      CREATE POLICY own_phones ON push_devices USING (user_id = current_setting('app.user', true));
      REVOKE SELECT ON notify_mutes FROM CURRENT_USER;
      DROP INDEX ux_express_notifications_message_id;
      CREATE UNIQUE INDEX ux_partial ON express_notifications (message_id) WHERE message_id IS NOT NULL"
doctor alone "SLUICE_EXPRESS_LISTEN=127.0.0.1:$express_port"
says alone '^FAIL +privileges +this role lacks SELECT on notify_mutes' 'print-role'
says alone '^ok +row security +hides rows of ml_orders; .*sluice_order_recipients'
says alone '^FAIL +row security +.*push_devices.*own_phones' 'BYPASSRLS'
says alone '^FAIL +message_id +.*ux_partial.*partial' 'DROP INDEX IF EXISTS.*ux_partial'
says alone '^warn +roles +no relay publishes .*notify_queue' 'sluice run relay'
says alone '^warn +roles +no instance of notify reads express.events' 'sluice run notify'
says alone '^ok +ports +express.listen .* is free'
