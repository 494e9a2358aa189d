#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: what somebody repairs in SQL while an attempt is under way stays as it was repaired, whatever that attempt ends
# with; the attempt itself is recorded and numbered.
#
# How it could break: a sink that looks at the event's id only and not at which queueing an outcome is about.

. "$(dirname "$0")/lib.sh"
# shellcheck source=callbacks.sh
. "$(dirname "$0")/callbacks.sh"
t_begin "a late outcome undoes no repair"
cb_platforms
platform_set demo TIMEOUT_MS=120000
platform_set strict TIMEOUT_MS=120000 MAX_RETRIES=0
cb_begin
receiver_start doomed
start_roles relay callback sink

# row NAME PLATFORM RECEIVER: an event to a target that hangs until it is released.
row() {
    t_db "INSERT INTO cs_platform_event_outbox (platform, event_type, partition_key, callback_target, payload)
          VALUES ('$2', '$1', '$1', 'http://$(receiver_at "$3")/hang', '{}')"
}
row answered demo receiver
row failing demo doomed
row dying strict doomed
row again demo doomed
row overtaken strict doomed
wait_until 60 '[[ $(receiver_stat in_flight receiver)$(receiver_stat in_flight doomed) == 14 ]]'
t_ok "five attempts are under way"

# The runbook's statement, for three of them with another time, and two that are to go to a better place.
t_db "UPDATE cs_platform_event_outbox SET status = 'pending', next_attempt_at = now() + interval '1 day', last_error = NULL
      WHERE event_type IN ('answered', 'failing', 'dying')"
t_db "UPDATE cs_platform_event_outbox SET status = 'pending', next_attempt_at = now(), last_error = NULL,
      callback_target = 'http://$CB_RECEIVER/ok', partition_key = CASE event_type WHEN 'overtaken' THEN 'elsewhere' ELSE partition_key END
      WHERE event_type IN ('again', 'overtaken')"
state() { t_db -F ' ' -c "SELECT status, attempt_count, round_attempts, last_error IS NULL FROM cs_platform_event_outbox WHERE event_type = '$1'"; }
# Another key, so it need not wait for the first attempt: its first outcome comes after its second one.
wait_until 60 '[[ $(state overtaken) == "delivered 1 1 t" ]]'
t_ok "a row is delivered while its first attempt still runs"

before=$(t_db "SELECT string_agg(event_type || next_attempt_at || queue_seq, ' ' ORDER BY event_type)
               FROM cs_platform_event_outbox WHERE next_attempt_at > now()")
curl -fsS -m 10 -X POST -d '{"hang": false}' "http://$CB_RECEIVER/control" >/dev/null
kill_role doomed
attempts() { t_db "SELECT count(*) FROM cs_platform_event_delivery_attempts"; }
wait_until 60 '[[ $(attempts) == 7 ]]'
wait_until 60 '[[ $(state again) == "delivered 2 1 t" ]]'

for name in answered failing dying; do
    t_eq "$name: repaired, and the attempt counted" "pending 1 0 t" "$(state $name)"
done
t_eq "when they are due" "$before" "$(t_db "SELECT string_agg(event_type || next_attempt_at || queue_seq, ' ' ORDER BY event_type)
               FROM cs_platform_event_outbox WHERE next_attempt_at > now()")"
t_eq "overtaken: still delivered" "delivered 2 1 t" "$(state overtaken)"
t_eq "dead-letter rows" 0 "$(t_db "SELECT count(*) FROM cs_platform_event_dead_letters")"
t_eq "dead letters in the topic: the attempts' own" "2" "$(topic_count callback.dlq)"
t_eq "attempts" "again 1 retry, again 2 delivered, answered 1 delivered, dying 1 dead_letter, failing 1 retry, \
overtaken 1 delivered, overtaken 2 dead_letter" "$(t_db "SELECT string_agg(event_type || ' ' || attempt_no || ' ' || outcome, ', '
    ORDER BY event_type, attempt_no) FROM cs_platform_event_delivery_attempts JOIN cs_platform_event_outbox ON id = event_id")"
# The metric follows the commit.
wait_until 20 '[[ $(role_metric sink "sluice_sink_late_outcomes_total{source=\"callback\"}") == 5 ]]'
t_ok "late outcomes are counted: 5"

t_db "UPDATE cs_platform_event_outbox SET next_attempt_at = now() WHERE event_type = 'answered'"
wait_until 60 '[[ $(state answered) == "delivered 2 1 t" ]]'
t_ok "and a repaired row goes when it is due"
