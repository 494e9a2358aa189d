#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: what each provider answers becomes the verdict, the delivery's status and the device's state that the table says,
# by the real engine over HTTP/1.1 and multiplexed HTTP/2; a message keeps its id over all tries, so that Getui drops what it
# has seen; a batch refused for one of its messages costs only that one; answers that never come, are cut or are garbage lose
# nothing; a storm of refused credentials parks everything, makes no dead letter, uses up no retry, and ends by itself; several
# instances share one token, and renew it before its end.
#
# How it could break: a verdict read from the wrong code; an answer given to another message of its batch; a new id for a retry;
# a token asked for by each instance, or only when the old one is refused; an outage that eats the budget of retries.

. "$(dirname "$0")/lib.sh"
# shellcheck source=push.sh
. "$(dirname "$0")/push.sh"
# shellcheck source=callbacks.sh
. "$(dirname "$0")/callbacks.sh"
push_needs_node
t_begin "push providers"
push_keys
push_start provider
push_providers_file

export SLUICE_PUSH_PROVIDERS_FILE=$PUSH_DIR/providers.json SLUICE_PUSH_ALLOW_HTTP=true SLUICE_PUSH_ALLOW_NETS=127.0.0.0/8
export SLUICE_PUSH_CA_FILE=$PUSH_DIR/tls.crt SLUICE_PUSH_RETRY_SCHEDULE_SEC=1 SLUICE_PUSH_PARK_MAX_MS=1000 SLUICE_PUSH_TIMEOUT_MS=1500 SLUICE_PUSH_BATCH_WAIT_MS=200
unset CLOUD_FUNC_URL CLOUD_FUNC_SECRET
start_roles relay sink
start_role push1 push
start_role push2 push
wait_role relay && wait_role push && wait_role sink

# rows APP CID...: a device, a notification and a delivery each, in one transaction.
rows() {
    local app=$1
    shift
    t_db -v app="$app" -v cids="$(printf '%s\n' "$@")" <<'SQL'
BEGIN;
CREATE TEMP TABLE c ON COMMIT DROP AS SELECT :'app' AS app, c AS cid, md5(:'app' || c) AS message_id
    FROM regexp_split_to_table(:'cids', '\s+') AS c WHERE c <> '';
INSERT INTO push_devices (appid, cid, user_id, platform, last_seen_at) SELECT app, cid, 'u-' || cid, 'android', now() - interval '1 minute' FROM c
    ON CONFLICT DO NOTHING;
INSERT INTO express_notifications (message_id, aud, recipient_id, title, body) SELECT message_id, 'user', 'u-' || cid, 'a parcel', 'it moves' FROM c;
INSERT INTO push_deliveries (id, message_id, aud, recipient_id, partition_key, appid, cid, platform, title, body, payload, expires_at)
    SELECT gen_random_uuid(), message_id, 'user', 'u-' || cid, 'user:u-' || cid, app, cid, 'android', 'a parcel', 'it moves', '{"no": 1}',
           now() + interval '1 hour' FROM c;
COMMIT;
SQL
}
unsettled() { t_db "SELECT count(*) FROM push_deliveries WHERE status IN ('pending', 'retrying')"; }
settle() { wait_until "$1" '[[ $(unsettled) == 0 ]]'; }
# fate APP CID: STATUS VERDICT CODE ATTEMPTS DEVICE SEND_STATUS
fate() {
    t_db "SELECT concat_ws(' ', p.status, coalesce(p.verdict, '-'), coalesce(nullif(p.provider_code, ''), '-'), p.attempt_count,
                           CASE WHEN d.is_active THEN 'active' ELSE 'inactive' END || '/' || d.strikes, n.send_status)
          FROM push_deliveries p JOIN push_devices d USING (appid, cid) JOIN express_notifications n USING (message_id)
          WHERE p.appid = '$1' AND p.cid = '$2'"
}
accepted_once() { push_accepted | awk -v v="$1" -v c="$2" '$1 == v && $3 == c {n++; t += $4} END {print n + 0, t + 0}'; }

# ------------------------------------------------------------------------------------------------- the verdict table

push_control '{"vendor": "apns", "verdicts": {"aa02": "invalid", "aa03": "suspect", "aa04": "payload", "aa05": "invalid"}}'
# It has registered after Apple saw it gone.
t_db "INSERT INTO push_devices (appid, cid, user_id, last_seen_at) VALUES ('apns', 'aa05', 'u-aa05', now() + interval '1 minute')"
# One transaction an app: Getui's share a request, which is refused for one of them.
rows getui online-1 offline-1 ignored-1 invalid-1 suspect-1 payload-1
rows fcm fine invalid-1 suspect-1 payload-1
rows apns aa01 aa02 aa03 aa04 aa05 no-hex
rows cloud online-1 offline-1 ignored-1 invalid-1 payload-1
settle 60
while read -r app cid want; do
    t_eq "$app $cid" "$want" "$(fate "$app" "$cid")"
done <<'ROWS'
getui online-1 delivered sent_online successed_online 1 active/0 success
getui offline-1 delivered sent_offline successed_offline 1 active/0 success
getui ignored-1 failed ignored successed_ignore 1 active/0 failed
getui invalid-1 failed invalid_target 20001 1 inactive/0 failed
getui suspect-1 failed suspect AppidError 1 active/1 failed
getui payload-1 dead_letter payload 20001 1 active/0 failed
fcm fine delivered sent - 1 active/0 success
fcm invalid-1 failed invalid_target UNREGISTERED 1 inactive/0 failed
fcm suspect-1 failed suspect INVALID_ARGUMENT 1 active/1 failed
fcm payload-1 dead_letter payload INVALID_ARGUMENT 1 active/0 failed
apns aa01 delivered sent - 1 active/0 success
apns aa02 failed invalid_target Unregistered 1 inactive/0 failed
apns aa03 failed suspect BadDeviceToken 1 active/1 failed
apns aa04 dead_letter payload PayloadTooLarge 1 active/0 failed
apns aa05 failed invalid_target Unregistered 1 active/0 failed
cloud online-1 delivered sent_online successed_online 1 active/0 success
cloud offline-1 delivered sent_offline successed_offline 1 active/0 success
cloud ignored-1 failed ignored successed_ignore 1 active/0 failed
cloud invalid-1 failed invalid_target 20001 1 inactive/0 failed
cloud payload-1 dead_letter payload 400 1 active/0 failed
ROWS
t_match "an address that is none" '^dead_letter payload cid-malformed' "$(fate apns no-hex)"
t_eq "nothing left without an address" "0 0 0 0" "$(push_stat '"\(.getui.empty) \(.fcm.empty) \(.apns.empty) \(.cloud.empty)"')"
t_eq "two instances, one token for each provider" "1 1 1" "$(push_stat '"\(.getui.tokens) \(.fcm.tokens) \(.apns.tokens)"')"
dead_letters=$(topic_count notification.dlq)
t_eq "dead letters are those of the table" 5 "$dead_letters"

# ------------------------------------------------------------------------------------------------------- a bad road

apps=(getui fcm apns cloud)
# step NAME FAULT FAULT FAULT FAULT: the next request to each provider meets it; then a message of each app.
step() {
    local name=$1 i
    shift
    for i in 0 1 2 3; do
        push_control "{\"vendor\": \"${apps[i]}\", \"fault\": \"${*:i+1:1}\", \"n\": 1, \"retry_after_s\": 1}"
    done
    rows getui "b-$name"
    rows fcm "b-$name"
    rows apns "$(printf '%s' "bb$name" | od -An -tx1 | tr -d ' \n')"
    rows cloud "b-$name"
}
# all_delivered WHAT
all_delivered() {
    settle 60
    t_eq "$1: everything is delivered" 0 "$(t_db "SELECT count(*) FROM push_deliveries WHERE status <> 'delivered' AND recipient_id LIKE 'u-b%'
        OR status <> 'delivered' AND recipient_id LIKE 'u-6262%'")"
}
# Getui names no time but means its minute, which is too long for here.
step too-much down throttle throttle throttle
all_delivered "too much"
t_eq "throttled tries cost nothing" 1 "$(t_db "SELECT max(attempt_count) FROM push_deliveries WHERE cid = 'b-too-much' AND appid <> 'getui'")"
step odd1 expired garbage huge redirect
all_delivered "an expired token, garbage, ten megabytes, a redirect"
step odd2 huge expired down garbage
all_delivered "the same of others"
step cut hang hang reset reset
all_delivered "accepted, and no answer"
t_eq "Getui: tried again with the same id, and dropped" "1 1 1" "$(accepted_once getui b-cut) $(push_stat .getui.repeats)"
t_eq "the cloud function: the same" "1 1 1" "$(accepted_once cloud b-cut) $(push_stat .cloud.repeats)"
t_eq "FCM drops nothing, and sees the same id twice" "1 2 1" "$(accepted_once fcm b-cut) $(push_stat .fcm.doubled)"
t_eq "no dead letter of a bad road" "$dead_letters" "$(topic_count notification.dlq)"

# --------------------------------------------------------------------------------------------- a storm of refusals

for app in getui fcm apns; do
    push_control "{\"vendor\": \"$app\", \"fault\": \"auth\", \"n\": -1}"
done
n=40
# shellcheck disable=SC2046 # a word a device
rows getui $(seq -f 'storm%g' $n) && rows fcm $(seq -f 'storm%g' $n) && rows apns $(seq -f 'dd%04g' $n)
for app in getui fcm apns; do
    before=$(push_stat ".$app.refused.auth // 0")
    # several probes after the circuit has opened
    wait_until 60 "[[ \$(push_stat '.$app.refused.auth // 0') -ge $((before + 3)) ]]"
done
t_eq "nobody's budget is used up" 0 "$(t_db "SELECT count(*) FROM push_deliveries WHERE cid ~ '^(storm|dd)' AND (round_attempts > 0 OR status NOT IN ('pending', 'retrying'))")"
for app in getui fcm apns; do
    push_control "{\"vendor\": \"$app\", \"n\": 0}"
done
settle 90
t_eq "the storm is over, and all is delivered" "$((3 * n))" "$(t_db "SELECT count(*) FROM push_deliveries WHERE cid ~ '^(storm|dd)' AND status = 'delivered' AND attempt_count = 1")"
t_eq "no dead letter of the storm" "$dead_letters" "$(topic_count notification.dlq)"
t_eq "each accepted once" "$((3 * n)) 1" "$(push_accepted | awk '$3 ~ /^(storm|dd)/ {n++; if ($4 > m) m = $4} END {print n, m}')"

# ------------------------------------------------------------------------------------------------- streams and tokens

for app in fcm apns; do
    push_control "{\"vendor\": \"$app\", \"latency_ms\": 700}"
done
# shellcheck disable=SC2046 # a word a device
rows fcm $(seq -f 'many%g' $n) && rows apns $(seq -f 'ee%04g' $n)
settle 60
for app in fcm apns; do
    streams=$(push_stat ".$app.streams_max")
    ((streams >= 5)) || t_fail "$app: at most $streams streams of a connection at once"
    t_ok "$app: requests share connections"
    push_control "{\"vendor\": \"$app\", \"latency_ms\": 0}"
done

for app in getui fcm; do
    push_control "{\"vendor\": \"$app\", \"token_ttl_s\": 10, \"expire_tokens\": true}"
    rows $app after-expiry
done
settle 30
refused=$(push_stat '"\(.getui.refused.token) \(.fcm.refused.token)"')
for app in getui fcm; do
    t_match "$app: an expired token costs one more request" '^delivered ' "$(fate $app after-expiry)"
    given=$(push_stat ".$app.tokens")
    wait_until 60 "[[ \$(push_stat .$app.tokens) -gt $given ]]"
    rows $app after-renewal
done
settle 30
t_eq "renewed ahead, never refused" "$refused" "$(push_stat '"\(.getui.refused.token) \(.fcm.refused.token)"')"
t_eq "what is left in the table of tokens" 3 "$(t_db "SELECT count(*) FROM push_provider_tokens")"
t_eq "no secret in a log" 0 "$(cat "$T_DIR"/push?.log "$T_DIR"/sink.log | grep -cF -e "$(<"$PUSH_DIR/getui.master")" -e "$(<"$PUSH_DIR/cloud.secret")" -e 'PRIVATE KEY' || true)"
