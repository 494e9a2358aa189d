#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A row that cannot become a record is a dead letter that says why, in its place; its neighbours pass, memory stays
# bounded, it is counted, and a callback row gets its outcome too. A malformed record is said by `tail` and decode, and
# the others are printed.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
t_begin "bad rows are dead letters and their neighbours pass"

start_role r1 relay
t_db "INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload, partition_key)
      VALUES ('p', 'first', 'u', '{}', 'k')"
wait_until 30 '[[ $(topic_count callback.events) == 1 ]]'
high_water() { awk '/VmHWM/ { print $2 }' "/proc/$(proc_pid r1)/status"; }
before_kib=$(high_water)

# Random hex digits, which nothing compresses to less than half.
noise() { printf "(SELECT string_agg(md5(random()::text || i), '') FROM generate_series(1, %d) i)" $(($1 / 32)); }
# event NAME PAYLOAD-SQL [COLUMN SQL]...
event() {
    local name=$1 payload=$2 columns='' values=''
    shift 2
    while (($# > 0)); do
        columns+=", $1" values+=", $2"
        shift 2
    done
    t_db "INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload$columns)
          SELECT 'p', '$name', 'https://x/y', $payload$values"
}
event large "to_jsonb($(noise 1200000))"
event fine "'{}'"
event huge "jsonb_build_object('x', (SELECT string_agg(md5(random()::text || i), 'ä') FROM generate_series(1, 600000) i))"
event fine "'{}'"
event headers "to_jsonb($(noise 600000))" traceparent "$(noise 399000)"
event empty-key "'{}'" partition_key "''"
event long-key "'{}'" partition_key "repeat('k', 4097)"
event no-time "'{}'" created_at "'infinity'"
# A record with this time would be refused by the broker, and one of long ago would be gone before it is read.
event fine "'{}'" created_at "now() + interval '3 hours'"
event fine "'{}'" created_at "now() - interval '3 years'"
event "fine" "'{}'" partition_key "repeat('k', 4096)"
t_db "INSERT INTO payment_outbox (topic, partition_key, event_type, payload) VALUES
      ('payment.events', 'p1', 'fine', '{}'), ('no.such.topic', 'p1', 'topic', '{}'), ('not a name/', 'p1', 'topic', '{}'),
      ('', 'p1', 'topic', '{}'), ('sluice.relay.positions', 'payment', 'state', '{}'), ('payment.events', 'p1', 'fine', '{}')"
wait_until 60 '[[ $(topic_count callback.dlq) == 6 && $(topic_count account.dlq) == 4 ]]'

t_eq "neighbours in callback.events" "fine fine fine fine fine first" \
    "$("$SLUICE_BIN" tail callback.events | jq -r .value.event_type | sort | xargs)"
t_eq "neighbours in payment.events" 2 "$(topic_count payment.events)"
t_ok "high water of memory: $before_kib KiB before, $(high_water) KiB after"
(($(high_water) - before_kib < 40000)) || t_fail "memory grew with the size of the payload"

# ---- What the dead letters say. One line of headers a record, of topic $1 with event type $2.
for topic in callback.dlq account.dlq; do
    topic_kcat $topic read_committed '%h\n' >"$T_DIR/$topic.headers"
done
letter() { grep -F ",ce_type=$2," "$T_DIR/$1.headers"; }
# says TYPE CLASS MESSAGE
says() {
    local h
    h=$(letter callback.dlq "$1")
    t_match "$1 is $2" "__dlq.errors.class=$2,.*" "$h"
    t_match "$1 says why" "__dlq.errors.message=$3" "$h"
}
says large too-large 'record of 12[0-9]{5} bytes; expected at most 1000000 \(relay.record.bytes.max\)'
says huge too-large 'record of [0-9]{8} bytes; expected at most 1000000'
says headers too-large 'record of 1[0-9]{6} bytes; expected at most 1000000'
says empty-key invalid-key 'column partition_key: key of 0 bytes; expected 1 to 4096'
says long-key invalid-key 'column partition_key: key of 4097 bytes; expected 1 to 4096'
says no-time invalid-value 'column created_at is NULL; expected long for field created_at'
t_eq "topics that are not there" 3 "$(letter account.dlq topic | grep -cE '__dlq.errors.class=unknown-topic')"
t_match "the topic is named" "column topic: topic \"${SLUICE_TOPIC_PREFIX}no.such.topic\" does not exist" "$(letter account.dlq topic)"
t_match "a state topic takes no rows" '__dlq.errors.class=forbidden-topic' "$(letter account.dlq state)"

id=$(t_db "SELECT id FROM cs_platform_event_outbox WHERE event_type = 'huge'")
h=$(letter callback.dlq huge)
for header in "ce_specversion=1.0" "ce_id=$id" "ce_source=/sluice/cs_platform_event_outbox" "ce_time=20" \
    "__dlq.errors.topic=${SLUICE_TOPIC_PREFIX}callback.events" "__dlq.errors.partition=-1" "__dlq.errors.offset=-1" \
    "__dlq.errors.group=relay" "__dlq.errors.delivery.count=0" "__dlq.errors.stage=relay" "__dlq.errors.app=sluice/" \
    "__dlq.errors.first.ts=20" "__dlq.errors.last.ts=20" "__dlq.errors.redrive.count=0" "__dlq.errors.id=$id" \
    "__dlq.truncated=true"; do
    [[ ,$h == *",$header"* ]] || t_fail "the dead letter lacks $header: $h"
done
t_ok "the dead letter has every header"
LC_ALL=C grep -qP '[^\x20-\x7e]' <<<"$h" && t_fail "a header is not ASCII: $h"
t_db "SELECT payload::text FROM cs_platform_event_outbox WHERE event_type = 'huge'" | head -c -1 >"$T_DIR/payload"
t_match "its length is that of the payload" "__dlq.truncated.length=$(stat -c %s "$T_DIR/payload")(,|$)" "$h"
t_match "its sum is that of the payload" "__dlq.truncated.sha256=$(sha256sum "$T_DIR/payload" | cut -d' ' -f1)" "$h"
topic_kcat callback.dlq read_committed '%h %R%s' >"$T_DIR/dlq.raw"
python3 - "$T_DIR/dlq.raw" "$T_DIR/payload" <<'PY' || t_fail "the dead letter does not hold the first 64 KiB of the payload"
import sys
raw, payload = (open(f, 'rb').read() for f in sys.argv[1:])
sys.exit(0 if (65536).to_bytes(4, 'big') + payload[:65536] in raw else 1)
PY
t_ok "its value is the first 64 KiB"

# ---- Outcomes, metrics
"$SLUICE_BIN" tail callback.outcomes >"$T_DIR/outcomes"
t_eq "a dead callback row has its outcome" "dead_letter false too-large $id" "$(jq -r --arg id "$id" \
    '.value | select(.event_id == $id) | "\(.outcome) \(.was_request) \(.error_class) \(.event_id)"' "$T_DIR/outcomes")"
t_eq "each has one" 6 "$(wc -l <"$T_DIR/outcomes")"
t_eq "with the queueing it is about" "$(t_db "SELECT string_agg(queue_seq::text, ' ' ORDER BY queue_seq) FROM
    cs_platform_event_outbox WHERE event_type NOT IN ('fine', 'first')")" \
    "$(jq -r .value.queue_seq "$T_DIR/outcomes" | sort -n | xargs)"
http=$(grep -oE 'http=[0-9.:]+' "$(proc_log r1)" | head -1 | cut -d= -f2)
curl -sS "http://$http/metrics" >"$T_DIR/metrics"
for line in 'sluice_relay_dead_letters_total{source="callback"} 6' 'sluice_relay_dead_letters_total{source="payment"} 4' \
    'sluice_relay_records_published_total{source="callback"} 6' 'sluice_relay_records_published_total{source="payment"} 2'; do
    grep -qxF "$line" "$T_DIR/metrics" || t_fail "metrics lack $line: $(grep -F "${line%%\}*}" "$T_DIR/metrics")"
done
t_ok "the metrics count them"
stop_role r1
t_eq "exit code" 0 "$T_RC"

# ---- Foreign bytes in a topic
tail_topic=notification.pushes
{
    printf 'good:{"a": 1}\n'
    printf 'half:\x00\x00\x00\x03\xe9ab\n'
    printf 'text:plain\n'
    printf 'alien:\x00\x7f\xff\xff\xff\x00\n'
} | kcat -P -b "$KAFKA_BROKERS" -t "$SLUICE_TOPIC_PREFIX$tail_topic" -K: -p 0 2>"$T_DIR/kcat.log"
rc=0
"$SLUICE_BIN" tail $tail_topic >"$T_DIR/tail.out" 2>"$T_DIR/tail.err" || rc=$?
t_eq "tail of malformed records ends with" 3 "$rc"
t_eq "tail prints all of them" "good half text alien" "$(jq -r .key "$T_DIR/tail.out" | xargs)"
t_eq "tail says which are malformed" "half alien" "$(jq -r 'select(.error) | .key' "$T_DIR/tail.out" | xargs)"
t_match "an unknown schema is named" '2147483647' "$(jq -r 'select(.key == "alien") | .error' "$T_DIR/tail.out")"
rc=0
topic_kcat $tail_topic read_committed '%R%s' | "$SLUICE_BIN" decode >"$T_DIR/decode.out" 2>"$T_DIR/decode.err" || rc=$?
t_eq "decode of malformed records ends with" 3 "$rc"
t_eq "decode prints the others" 2 "$(grep -cE '"a"|plain' "$T_DIR/decode.out")"
t_eq "decode says each on its own line" 2 "$(wc -l <"$T_DIR/decode.err")"
