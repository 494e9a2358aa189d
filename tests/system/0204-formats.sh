#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What the records look like: readable key and headers in kcat, the payload byte for byte, and JSON from it by tail and
# decode, in both value formats.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
t_begin "records are readable and carry the payload byte for byte"

began_ms=$(date +%s%3N)
start_role r1 relay
# Spaces, order and numbers as jsonb prints them; quotes, control characters, beyond the first plane; nothing; much.
t_db <<'SQL'
INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload, partition_key, traceparent, created_at)
VALUES
 ('sub2api', 'order.paid', 'https://partner/cb', '{"b":1, "a":  [1.50, 1e2, null, true]}', 'order-1',
  '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', '2026-01-02 03:04:05.678901+00'),
 ('newapi', 'plain', 'u', '{}', 'k2', NULL, now()), ('newapi', 'plain', 'u', '""', 'k2', NULL, now()),
 ('newapi', 'plain', 'u', 'null', 'k2', NULL, now()), ('newapi', 'plain', 'u', '[]', 'k2', NULL, now()),
 ('newapi', 'plain', 'u', '"ä 中文 \ud83d\ude00 \u0001 \n \\ \" \u2028 / \u007f"', 'schlüssel-中', NULL, now()),
 ('newapi', 'plain', 'u', to_jsonb((SELECT string_agg(md5(i::text), E'\n"ä') FROM generate_series(1, 20000) i)), 'k2', NULL, now());
SQL
wait_until 30 '[[ $(topic_count callback.events) == 7 ]]'

# ---- kcat: key and headers as they are, nothing else needed
topic_kcat callback.events read_committed '%k %T %h\n' >"$T_DIR/seen"
topic_kcat callback.events read_committed '%R%s' >"$T_DIR/framed"
line=$(sed -n 's/^\(order-1\) [0-9]* /\1 /p' "$T_DIR/seen")
id=$(t_db "SELECT id FROM cs_platform_event_outbox WHERE partition_key = 'order-1'")
t_eq "key and headers" "order-1 ce_specversion=1.0,ce_id=$id,ce_type=order.paid,ce_source=/sluice/cs_platform_event_outbox,ce_time=2026-01-02T03:04:05.678901Z,content-type=application/avro,traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" "$line"
t_eq "a key that is not ASCII" 1 "$(cut -d' ' -f1 "$T_DIR/seen" | grep -cx 'schlüssel-中')"
t_eq "records without traceparent have no such header" 6 "$(grep -cv traceparent "$T_DIR/seen")"
stamp=$(awk '/^order-1/ { print $2 }' "$T_DIR/seen")
((stamp > began_ms && stamp <= $(date +%s%3N))) || t_fail "the record's time $stamp is not that of publishing"
t_ok "the record's time is that of publishing, the row's is ce_time"
t_eq "Confluent's frame" 0000 "$(od -An -tx1 -j4 -N2 "$T_DIR/framed" | tr -d ' ')"

# ---- The payload, byte for byte
payloads() { jq -c '[.event_id, .payload]' | sort; }
t_db "SELECT json_build_object('event_id', id, 'payload', payload::text) FROM cs_platform_event_outbox" | payloads >"$T_DIR/want"
"$SLUICE_BIN" decode <"$T_DIR/framed" >"$T_DIR/decoded"
payloads <"$T_DIR/decoded" >"$T_DIR/got"
cmp "$T_DIR/want" "$T_DIR/got" || t_fail "payloads differ"
t_ok "kcat and sluice decode give the payloads of $(wc -l <"$T_DIR/got") rows"

# ---- tail: one JSON object a line
"$SLUICE_BIN" tail callback.events >"$T_DIR/tail"
jq -c .value <"$T_DIR/tail" | payloads | cmp - "$T_DIR/want" || t_fail "payloads of tail differ"
t_eq "tail has what kcat shows" "callback_event order-1 order.paid sub2api 1767323045678901 $id" "$(jq -r --arg id "$id" 'select(.key == "order-1")
    | "callback_event \(.key) \(.headers.ce_type) \(.value.platform) \(.value.created_at) \(.headers.ce_id)"' "$T_DIR/tail")"
t_eq "tail --key" 1 "$("$SLUICE_BIN" tail callback.events --key schlüssel-中 | jq -s length)"
t_eq "tail --count" 2 "$("$SLUICE_BIN" tail callback.events --count 2 | jq -s length)"

# ---- encode | decode is the same text, and the same bytes as the relay's
cp "$T_DIR/decoded" "$T_DIR/again.in"
"$SLUICE_BIN" encode callback_event <"$T_DIR/again.in" >"$T_DIR/again.avro"
"$SLUICE_BIN" decode <"$T_DIR/again.avro" | cmp - "$T_DIR/decoded" || t_fail "encode | decode changes something"
cmp "$T_DIR/framed" "$T_DIR/again.avro" || t_fail "encode writes other bytes than the relay"
t_ok "encode | decode gives the same, and the relay's bytes"
rc=0
printf '%s\n' '{"event_id": "x"}' | "$SLUICE_BIN" encode callback_event >/dev/null 2>"$T_DIR/encode.err" || rc=$?
t_eq "encode of half an event" 3 "$rc"
t_match "it names the field" 'platform' "$(cat "$T_DIR/encode.err")"

# ---- The other format, by the same rows
stop_role r1
start_role r2 relay SLUICE_VALUE_FORMAT=json
t_db "UPDATE cs_platform_event_outbox SET status = 'pending', next_attempt_at = clock_timestamp()"
wait_until 30 '[[ $(topic_count callback.events) == 14 ]]'
topic_kcat callback.events read_committed '%h\t%s\n' | grep -aF content-type=application/json | cut -f2 >"$T_DIR/json"
t_eq "JSON values" 7 "$(wc -l <"$T_DIR/json")"
payloads <"$T_DIR/json" | cmp - "$T_DIR/want" || t_fail "payloads differ in JSON"
t_eq "the same fields in both formats" "$(jq -c keys "$T_DIR/decoded" | sort -u)" "$(jq -c keys "$T_DIR/json" | sort -u)"
strip='del(.queue_seq) | tojson'
cmp <(jq -r "$strip" "$T_DIR/decoded" | sort) <(jq -r "$strip" "$T_DIR/json" | sort) || t_fail "the formats differ in a value"
"$SLUICE_BIN" tail callback.events | jq -c .value | payloads | uniq | cmp - "$T_DIR/want" || t_fail "tail of both formats"
t_ok "both formats say the same, and tail and decode read both"
t_eq "decode reads both" 14 "$(topic_kcat callback.events read_committed '%R%s' | "$SLUICE_BIN" decode | wc -l)"
