#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a record that a database processor cannot handle is in the dead-letter topic once, byte for byte with its key,
# headers and time and the reason beside them, and its neighbours pass, whoever is killed on the way.
#
# How it could break: a record that stops its partition; a dead letter written apart from the position; a value that is
# encoded or cut on its way through the outbox and the relay.

. "$(dirname "$0")/lib.sh"
# shellcheck source=outcomes.sh
. "$(dirname "$0")/outcomes.sh"

t_begin "a malformed outcome is a dead letter"
export SLUICE_SINK_SESSION_TIMEOUT_MS=1500
id=$(outcome_row)
printf '\000\001\377\n\r\t"\134x' >"$T_DIR/bytes"
outcome_json "$id" 1 retry good | "$SLUICE_BIN" encode --raw callback_outcome >"$T_DIR/framed"
head -c 20 "$T_DIR/framed" >"$T_DIR/cut"

outcome_send "$id" 1 retry before
outcome_kcat -k "$id" -H a=b -H a=c -H 'traceparent=00-1' "$T_DIR/bytes" </dev/null
outcome_kcat -k "$id" "$T_DIR/framed" </dev/null
outcome_kcat -k "$id" "$T_DIR/cut" </dev/null
outcome_kcat -K $'\t' -Z <<<"$id"$'\t'
outcome_send 'no-uuid' 1 retry x
outcome_send "$id" 1 retry after

start_role s1 sink
wait_until 30 '[[ $(attempts) == 3 ]]'
t_eq "attempts" "before good after" "$(t_db "SELECT string_agg(error_message, ' ' ORDER BY attempt_no) FROM cs_platform_event_delivery_attempts")"
wait_until 20 '[[ $(t_db "SELECT count(*) FROM dead_letter_outbox") == 4 ]]'
kill_role s1
start_role s2 sink
start_role r1 relay
wait_until 40 '(($(topic_count callback.dlq) >= 4))'
kill_role r1
start_role r2 relay
outcome_send "$id" 1 delivered
wait_until 40 '[[ $(attempts) == 4 ]]'
t_eq "dead letters" 4 "$(topic_count callback.dlq)"

source_offset() { topic_kcat callback.dlq read_committed '%h\n' | grep -oE 'errors.offset=[0-9]+' | sort | uniq -c | awk '$1 > 1'; }
t_eq "dead letters of the same record" "" "$(source_offset)"
mapfile -t headers < <(topic_kcat callback.dlq read_committed '%h\n' | grep 'a=b')
t_match "headers of the first" '^a=b,a=c,traceparent=00-1,__dlq.errors.topic=t[0-9a-f]*.callback.outcomes,__dlq.errors.partition=[0-5],__dlq.errors.offset=2,__dlq.errors.group=t[0-9a-f]*.sluice-sink,__dlq.errors.delivery.count=1,__dlq.errors.message=.*,__dlq.errors.class=malformed,__dlq.errors.stage=sink,' "${headers[0]}"
t_eq "content-type and ce_ headers that nobody asked for" 0 "$(topic_kcat callback.dlq read_committed '%h\n' | grep -cE 'ce_|content-type' || true)"
t_eq "keys" "$id $id $id no-uuid" "$(topic_kcat callback.dlq read_committed '%k\n' | sort | tr '\n' ' ' | sed 's/ $//')"
t_eq "a tombstone among them" 1 "$(topic_kcat callback.dlq read_committed '%S\n' | grep -c '^-1$')"
times() { topic_kcat "$1" read_committed '%T\n' | sort; }
t_eq "times that are not the record's" "" "$(comm -13 <(times callback.outcomes) <(times callback.dlq))"
sizes=$(topic_kcat callback.dlq read_committed '%S\n' | sort -n | head -n 3 | tr '\n' ' ')
t_match "value lengths" "^-1 $(stat -c %s "$T_DIR/bytes") 20 " "$sizes"
kcat -C -b "$KAFKA_BROKERS" -t "${SLUICE_TOPIC_PREFIX}callback.dlq" -o beginning -e -q -X isolation.level=read_committed -f '%R%s' 2>/dev/null |
    python3 -c '
import struct, sys
data, want, at, found = sys.stdin.buffer.read(), open(sys.argv[1], "rb").read(), 0, 0
while at < len(data):
    n = struct.unpack(">i", data[at:at + 4])[0]
    found += n >= 0 and data[at + 4:at + 4 + n] == want
    at += 4 + max(n, 0)
sys.exit(found != 1)' "$T_DIR/bytes" || t_fail "the bytes of the value are not there as they were"
t_ok "the value, byte for byte"
stop_role s2
stop_role r2
