#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: an event that must not or cannot be called is a dead letter that says why, counted, and nothing has been sent;
# its neighbours pass. Bytes of an event never become a header of a request, nor a redirect a request to elsewhere. Records
# that are no events or no outcomes are dead letters too.

. "$(dirname "$0")/lib.sh"
# shellcheck source=callbacks.sh
. "$(dirname "$0")/callbacks.sh"
# shellcheck source=outcomes.sh
. "$(dirname "$0")/outcomes.sh"
t_begin "bad callbacks are dead letters and their neighbours pass"
cb_platforms
platform_set demo MAX_RETRIES=0
cb_begin
unset SLUICE_CALLBACK_CONNECT_TIMEOUT_MS
at=$CB_RECEIVER port=${CB_RECEIVER##*:}
start_role relay relay
start_role sink sink

# bad PLATFORM TARGET CLASS MESSAGE: a row to be, the class of its dead letter and a pattern of what that says.
t_db "CREATE TABLE wanted (id uuid PRIMARY KEY, class text, message text)"
bad() { jq -nc '$ARGS.positional' --args "$@" >>"$T_DIR/bad"; }
# bad_insert [NEIGHBOUR-TARGET]: all of them; with a neighbour of the same key behind each.
bad_insert() {
    cb_lines bad <"$T_DIR/bad"
    rm "$T_DIR/bad"
    t_db -v at="${1:-}" <<'SQL'
CREATE TEMP TABLE b AS SELECT gen_random_uuid() AS id, row_number() OVER () AS n, j ->> 0 AS platform, j ->> 1 AS target, j ->> 2 AS class,
    j ->> 3 AS message FROM lines WHERE what = 'bad';
INSERT INTO wanted SELECT id, class, message FROM b;
INSERT INTO cs_platform_event_outbox (id, platform, event_type, partition_key, callback_target, payload)
SELECT coalesce(e.id, gen_random_uuid()), e.platform, e.type, b.id::text, e.target, '{}'
FROM b CROSS JOIN LATERAL (VALUES (b.id, 'bad', b.platform, b.target), (NULL, 'neighbour', 'demo', :'at')) AS e (id, type, platform, target)
WHERE e.target <> '' OR e.type = 'bad' ORDER BY b.n, e.type;
SQL
}
dead() { t_db "SELECT count(*) FROM cs_platform_event_outbox WHERE status = 'dead_letter'"; }
# shown PATTERN: how many requests of that kind the server below has got.
shown() { grep -ciE "$1" "$(proc_log shown)" || true; }

# ---- Plain http closed, no network opened.
start_role callback callback SLUICE_CALLBACK_ALLOW_HTTP=false SLUICE_CALLBACK_ALLOW_NETS=
bad demo "http://$CB_RECEIVER/ok" url-plain-http 'plain http is not open'
bad demo 'HTTP://example.com/' url-plain-http 'plain http is not open'
for host in localhost 127.0.0.1 '[::1]' '[::ffff:10.0.0.1]' '[::ffff:7f00:1]' 0x7f.1 2130706433 10.0.0.1 169.254.169.254 0 \
    '[fe80::1]' '[64:ff9b::a00:1]' 100.64.0.1; do
    bad demo "https://$host:$port/ok" address-refused 'the address .* must not be called'
done
bad_insert
cb_settle 60
t_eq "requests while everything was closed" 0 "$(receiver_stat requests)"
t_eq "attempts that count" 0 "$(t_db "SELECT count(*) FROM cs_platform_event_delivery_attempts")"
t_eq "dead" 15 "$(dead)"
t_eq "rejected by that callback process" 15 "$(role_metric callback 'sluice_delivery_records_processed_total{role="callback",result="reject"}')"
stop_role callback
t_eq "its end" 0 "$T_RC"

# ---- Open for one address and for http.
start_role callback callback SLUICE_CALLBACK_ALLOW_NETS=127.0.0.1/32
bad stranger "http://$at/ok" unknown-platform 'the platform has no secret'
bad sub2api "http://$at/ok" unknown-platform 'the platform has no secret'
bad $'demo\r\nx-injected: 1' "http://$at/ok" unknown-platform 'the platform has no secret'
bad demo 'no url at all' url-malformed 'not a URL'
bad demo '' url-malformed 'not a URL'
bad demo "http:///ok" url-malformed 'not a URL'
bad demo "http://$at/o"$'\r\n'"x-injected: 1" url-malformed 'not a URL'
bad demo "ftp://$at/ok" url-scheme 'only https is called'
bad demo "file:///etc/passwd" url-scheme 'only https is called'
bad demo "http://u5er:p455@$at/ok" url-userinfo 'the URL has a user name in it'
bad demo "http://127.0.0.1:0/ok" url-port 'the port is not one of 1 to 65535'
bad demo "http://127.0.0.1:65536/ok" url-malformed 'not a URL'
bad demo "http://127.0.0.2:$port/ok" address-refused 'the address 127.0.0.2 \(loopback\) must not be called'
bad demo "http://0x7f.2:$port/ok" address-refused 'the address 127.0.0.2 \(loopback\) must not be called'
bad demo "http://[::ffff:127.0.0.2]:$port/ok" address-refused 'must not be called'
bad demo "http://$at/$(head -c 3000 /dev/zero | tr '\0' a)" url-too-long 'the URL is too long'
bad demo "http://$at/status/302?location=http://10.0.0.1/" http-redirect 'HTTP 302'
bad demo "http://$at/status/307?location=http://$at/followed" http-redirect 'HTTP 307'
bad demo "http://$at/status/400" http-4xx 'HTTP 400'
bad_insert "http://$at/ok"
t_db "WITH row AS (INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload)
          SELECT 'demo', 'bad', 'http://$at/ok', to_jsonb((SELECT string_agg(md5(i::text || random()), '') FROM generate_series(1, 65536) i))
          RETURNING id)
      INSERT INTO wanted SELECT id, 'too-large', 'record of 2[0-9]{6} bytes; expected at most 1000000' FROM row"

# Text of an event, on its way into headers, at a server that shows what comes.
cat >"$T_DIR/show.py" <<'PY'
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_POST(self):
        self.rfile.read(int(self.headers['content-length']))
        parts = [self.raw_requestline.decode('latin-1').strip()] + ['%s=%s' % h for h in self.headers.items()]
        sys.stdout.write('|'.join(parts) + '\n'); sys.stdout.flush()  # in one piece: requests come side by side
        self.send_response(200); self.send_header('content-length', '0'); self.end_headers()
    def log_message(self, *a): pass
s = http.server.ThreadingHTTPServer(('127.0.0.1', 0), H)
print('listening', s.server_port, flush=True)
s.serve_forever()
PY
start_proc shown python3 "$T_DIR/show.py"
wait_until 20 'grep -q listening "$(proc_log shown)"'
shown=127.0.0.1:$(awk '/^listening/ { print $2 }' "$(proc_log shown)")
t_db "INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload, traceparent) VALUES
      ('demo', E'shown\r\nx-injected: 1\r\n\r\nPOST /smuggled HTTP/1.1', 'http://$shown/x', '{}', E'00-1\r\nx-injected: 1'),
      ('demo', E'shown\tä%0d%0ax-injected: 1', 'http://$shown/x', '{}', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')"

# ---- Records nobody has made from a row.
event_json() { # ID QUEUE_SEQ
    printf '{"event_id":"%s","platform":"demo","event_type":"handmade","callback_target":"http://%s/ok","payload":"{}",' "$1" "$at"
    printf '"queue_seq":%s,"round_attempts":0,"created_at":1700000000000000,"traceparent":null}\n' "$2"
}
to_events() { kcat -P -q -b "$KAFKA_BROKERS" -t "${SLUICE_TOPIC_PREFIX}callback.events" "$@" 2>>"$T_DIR/kcat.err"; }
printf '\000\001\377 garbage' >"$T_DIR/garbage"
event_json handmade-1 1 | "$SLUICE_BIN" encode --raw callback_event | head -c 30 >"$T_DIR/cut"
to_events -k m "$T_DIR/garbage"
to_events -k m "$T_DIR/cut"
to_events -k m -Z -K '|' <<<'m|'
{
    printf '{"event_id": "x"}\n'
    event_json '' 1
    event_json 'x\r\nx-injected: 1' 1
    event_json 'x.y' 1
    event_json handmade-2 0
    event_json handmade-3 '"one"'
    printf 'not json either\n'
} >"$T_DIR/events"
to_events -k m -l "$T_DIR/events"
malformed=10
id=$(t_db "SELECT id FROM cs_platform_event_outbox WHERE event_type = 'neighbour' LIMIT 1")
outcome_send "$id" 0 retry x
outcome_send not-a-uuid 1 retry x
# Two more neighbours, behind all of them.
bad demo "http://$at/status/404" http-4xx 'HTTP 404'
bad_insert "http://$at/ok"

cb_settle 90
wait_until 60 "(( \$(topic_count callback.dlq) >= \$(dead) + $malformed + 2 ))"
cb_topic callback.dlq
cb_topic callback.outcomes
cb_received
t_db "CREATE TABLE found AS SELECT o.id, o.callback_target, w.class, w.message, o.status, o.last_error, o.attempt_count, d.error_class, d.final_error,
          (SELECT count(*) FROM letters l WHERE l.id = o.id AND l.class = w.class) AS letters,
          (SELECT coalesce(sum(r.requests), 0) FROM received r WHERE r.id = o.id::text) AS requests
      FROM wanted w JOIN cs_platform_event_outbox o USING (id) LEFT JOIN cs_platform_event_dead_letters d ON d.event_id = o.id"
wrong=$(t_db "SELECT * FROM found WHERE status <> 'dead_letter' OR letters <> 1 OR error_class IS DISTINCT FROM class
    OR last_error !~ message OR final_error !~ message OR requests <> (class LIKE 'http%')::int OR attempt_count <> requests")
[[ -z $wrong ]] || t_fail "not as it should be: $wrong"
t_ok "$(t_db "SELECT count(*) || ' bad events, ' || count(DISTINCT class) || ' reasons: each dead with its own, once; called only to be told so' FROM found")"
t_eq "neighbours that are not delivered" 0 "$(t_db "SELECT count(*) FROM cs_platform_event_outbox WHERE event_type = 'neighbour' AND status <> 'delivered'")"
t_eq "neighbours" 20 "$(t_db "SELECT count(*) FROM cs_platform_event_outbox WHERE event_type = 'neighbour'")"
t_eq "passwords in rows" 0 "$(t_db "SELECT count(*) FROM found WHERE concat(last_error, final_error) ~ 'p455'")"
t_eq "passwords in reasons" 0 "$(t_db "SELECT count(*) FROM letters WHERE message ~ 'p455'")"
t_eq "passwords in the log" 0 "$(grep -c p455 "$(proc_log callback)" || true)"

t_eq "requests at the server that shows them" 2 "$(shown '^POST /x HTTP/1.1\|')"
t_eq "headers and requests that an event made" 0 "$(shown '\|x-injected|^POST /smuggled')"
t_eq "line ends are written as text" 1 "$(shown 'ce-type=shown%0D%0Ax-injected:%201%0D%0A')"
t_eq "per cent signs too" 1 "$(shown 'ce-type=shown%09%C3%A4%250d%250ax-injected')"
t_eq "the genuine trace context" 1 "$(shown '\|traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')"
t_eq "trace contexts" 1 "$(shown 'traceparent=')"

t_eq "records that are no events" $malformed "$(t_db "SELECT count(*) FROM lines WHERE what = 'callback.dlq'
    AND j -> 'headers' ->> '__dlq.errors.class' = 'malformed' AND j -> 'headers' ->> '__dlq.errors.stage' = 'callback'")"
t_eq "records that are no outcomes" 2 "$(t_db "SELECT count(*) FROM lines WHERE what = 'callback.dlq'
    AND j -> 'headers' ->> '__dlq.errors.class' = 'malformed' AND j -> 'headers' ->> '__dlq.errors.stage' = 'sink'")"
t_eq "hand-made events that were called" 0 "$(t_db "SELECT count(*) FROM received WHERE id !~ '^[0-9a-f-]{36}$'")"
t_match "every signature is genuine" '"unverified": 0, "verdicts": \{("ok": [0-9]+)?\}' "$(curl -fsS "http://$CB_RECEIVER/stats")"

# ---- Counted, by the open callback process.
called=$(t_db "SELECT count(*) FROM found WHERE class NOT IN ('too-large', 'url-plain-http') AND callback_target NOT LIKE 'https:%'")
t_eq "rejected" $((called + malformed)) "$(role_metric callback 'sluice_delivery_records_processed_total{role="callback",result="reject"}')"
t_eq "of unknown platforms" 3 "$(role_metric callback 'sluice_callback_outcomes_total{platform="unknown",outcome="dead_letter"}')"
t_eq "too large, by the relay" 1 "$(role_metric relay 'sluice_relay_dead_letters_total{source="callback"}')"
