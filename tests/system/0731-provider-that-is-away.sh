#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a provider that is down or refuses our credential opens its circuit: everything for it is parked, nobody's retries are
# used up beyond those that found it out, there is no dead letter, other providers go on, and all is delivered by itself when it
# is back. What cannot be sent at all never leaves, and says why. kill -9 of the role sends no message to a phone twice.
#
# How it could break: a probe that is the same message each time and ends in the DLQ; an outage of one provider that holds up
# the others; a request_id that changes over a crash.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=callbacks.sh
. "$(dirname "$0")/callbacks.sh"
t_begin "a provider that is away"

(umask 077 && random_hex 16 >"$T_DIR/cloud.secret")
start_proc r "$SLUICE_BIN" receive --listen 127.0.0.1:0 --push-secret-file "$T_DIR/cloud.secret"
wait_until 20 '[[ -n $(receiver_at r) ]]'
at=http://$(receiver_at r)/push
jq -n --arg at "$at" '{
    providers: {away: {kind: "cloud", url: ($at + "/away/status/503"), secret_file: "cloud.secret"},
                forged: {kind: "cloud", url: ($at + "/forged/status/401"), secret_file: "cloud.secret"},
                well: {kind: "cloud", url: $at, secret_file: "cloud.secret", form: "single"}},
    apps: {a: "away", f: "forged", w: {android: "well"}}}' >"$T_DIR/providers.json"
export SLUICE_PUSH_PROVIDERS_FILE=$T_DIR/providers.json SLUICE_PUSH_ALLOW_HTTP=true SLUICE_PUSH_ALLOW_NETS=127.0.0.0/8
export SLUICE_PUSH_RETRY_SCHEDULE_SEC=1 SLUICE_PUSH_PARK_MAX_MS=1000
unset CLOUD_FUNC_URL CLOUD_FUNC_SECRET
start_role relay relay
start_role sink sink
start_role push push
wait_role relay && wait_role push && wait_role sink

# rows APP FROM TO [CID-PREFIX [EXPIRES [PAYLOAD]]]
rows() {
    t_db "INSERT INTO push_deliveries (id, message_id, aud, recipient_id, partition_key, appid, cid, platform, title, body, expires_at, payload)
          SELECT gen_random_uuid(), 'm-$1-${4:-c}' || i, 'user', 'u' || i, 'user:$1' || i, '$1', '${4:-c}-' || i, 'android', 'a parcel',
                 'it moves', now() + interval '${5:-1 hour}', '${6:-{\}}' FROM generate_series($2, $3) i"
}
count() { t_db "SELECT count(*) FROM push_deliveries WHERE $1"; }
push_stats() { curl -fsS -m 10 "http://$(receiver_at r)/stats" | jq -r ".push.$1"; }
metric() { curl -fsS -m 10 "http://$(role_http push)/metrics" | sed -nE "s/^$1 ([0-9]+)$/\1/p"; }
role_http() { grep -m 1 -oE 'msg=started .*http=[0-9.:]+' "$(proc_log "$1")" | sed 's/.*http=//'; }

# ------------------------------------------------------------------------------------------------- what never leaves

rows unknown 1 1
rows w 2 2 old '-1 second'
rows w 3 3 list '1 hour' '[]'
rows w 4 4 gone
rows w 5 5 fine
rows selftest 1 1
wait_until 60 '[[ $(count "status IN ('"'pending', 'retrying'"')") == 0 ]]'
fate() { t_db "SELECT concat_ws(' ', status, verdict, provider_code, attempt_count) FROM push_deliveries WHERE appid = '$1' AND cid = '$2'"; }
t_eq "an app without a provider" "dead_letter no_provider 0" "$(fate unknown c-1)"
t_match "the reason names the app" 'no provider for app unknown' "$(t_db "SELECT last_error FROM push_deliveries WHERE appid = 'unknown'")"
t_eq "one that is too old" "failed expired 0" "$(fate w old-2)"
t_eq "a payload that is none" "dead_letter payload payload-no-object 0" "$(fate w list-3)"
t_eq "a device that is gone" "failed invalid_target 20001 1" "$(fate w gone-4)"
t_eq "one that is well" "delivered sent_online successed_online 1" "$(fate w fine-5)"
t_eq "the selftest's calls nobody" "delivered sent mock 0" "$(fate selftest c-1)"
t_eq "what was sent" "2 1" "$(push_stats messages) $(push_stats accepted)"
dead=$(topic_count notification.dlq)

# ------------------------------------------------------------------------------------------------- away

rows a 1 2 # so few that the same one tries again and again
rows f 1 60
wait_until 30 '[[ $(metric "sluice_push_circuit_open.provider=\"away\".") != 0 && $(metric "sluice_push_circuit_open.provider=\"forged\".") != 0 ]]'
t_match "/readyz says why" 'away: circuit open: provider_down.*forged: circuit open: auth' \
    "$(curl -sS -m 10 "http://$(role_http push)/readyz")"
rows w 100 159
wait_until 60 '[[ $(count "appid = '"'w' AND cid ~ '^c-' AND status = 'delivered'"'") == 60 ]]'
t_ok "the others go on"
# Long enough for more probes than a message has retries.
requests=$(push_stats requests)
wait_until 60 "[[ \$(push_stats requests) -ge $((requests + 20)) ]]"
t_eq "no dead letter" "$dead" "$(topic_count notification.dlq)"
t_eq "nobody used up his retries" 0 "$(count "appid IN ('a', 'f') AND (round_attempts > 4 OR status NOT IN ('pending', 'retrying'))")"
t_eq "a refused credential cost nothing" 0 "$(count "appid = 'f' AND attempt_count > 0")"

curl -fsS -m 10 -d '{"mended": ["/push/away", "/push/forged"]}' "http://$(receiver_at r)/control" >/dev/null
wait_until 90 '[[ $(count "status IN ('"'pending', 'retrying'"')") == 0 ]]'
t_eq "back, and all is delivered" 62 "$(count "appid IN ('a', 'f') AND status = 'delivered'")"
t_eq "still no dead letter" "$dead" "$(topic_count notification.dlq)"
t_match "the log says so" 'a provider is back' "$(cat "$(proc_log push)")"

# ------------------------------------------------------------------------------------------------- killed

accepted=$(push_stats accepted)
rows w 1000 1999
rows a 1000 1999
for _ in 1 2 3; do
    sleep 0.4
    kill_role push
    start_role push push
done
wait_until 120 '[[ $(count "status IN ('"'pending', 'retrying'"')") == 0 ]]'
t_eq "each accepted once" $((accepted + 2000)) "$(push_stats accepted)"
t_eq "each delivered" 2000 "$(count "cid ~ '^c-1[0-9]{3}$' AND status = 'delivered'")"
t_eq "one outcome of each" 2000 "$(count "cid ~ '^c-1[0-9]{3}$' AND attempt_count = 1")"
t_eq "no secret in the log" 0 "$(grep -cF "$(<"$T_DIR/cloud.secret")" "$(proc_log push)" || true)"
