#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: retries follow the platform's schedule, with up to a tenth added and never less; the last step repeats; with
# MAX_RETRIES=5 there are six attempts, then the event is dead. Retry-After lengthens a step. A row that is replayed with the
# runbook's SQL has its whole budget again while its attempts go on counting.
#
# How it could break: a step that is skipped or counted twice; delays on the callback's clock instead of the database's; a
# budget that parking, another round or a repair uses up.
#
# Nothing here measures how long anything took: delays are compared as they are recorded, and the default schedule's long
# waits are cut short in SQL, which starts no new round while a row is retrying.

. "$(dirname "$0")/lib.sh"
# shellcheck source=callbacks.sh
. "$(dirname "$0")/callbacks.sh"
t_begin "retries follow the schedule"
platform_set usual # the defaults: 10,30,60,300,900 and five retries
platform_set quick RETRY_SCHEDULE_SEC=1,2 MAX_RETRIES=4
platform_set polite RETRY_SCHEDULE_SEC=1
cb_begin
unset SLUICE_CALLBACK_CONNECT_TIMEOUT_MS
start_roles relay callback sink

# rows NAME PLATFORM PATH NUMBER
rows() {
    t_db "INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload)
          SELECT '$2', '$1', 'http://$CB_RECEIVER/$3', '{}' FROM generate_series(1, $4)"
}
n=12
rows usual usual status/500 $n
rows quick quick status/404 $n
rows seconds polite 'status/429?retry-after=7' 1
rows date polite 'status/503?retry-after=Fri,%2006%20Nov%202093%2008:49:37%20GMT' 1

count() { t_db "SELECT count(*) FROM cs_platform_event_outbox WHERE $1"; }
# As the rows are after attempt number $1: what they wait for, and since when (the recorded delay before that).
t_db "CREATE TABLE due (id uuid, attempt int, next_attempt_at timestamptz, noted timestamptz DEFAULT clock_timestamp())"
# attempt_of NAME NUMBER IN-ROUND: waits for it, notes what it has made due, and does not wait for that.
attempt_of() {
    wait_until 60 "[[ \$(count \"event_type = '$1' AND status = 'retrying' AND attempt_count = $2 AND round_attempts = $3\") == $n ]]"
    t_db "INSERT INTO due SELECT id, attempt_count, next_attempt_at FROM cs_platform_event_outbox WHERE event_type = '$1'"
    t_db "UPDATE cs_platform_event_outbox SET next_attempt_at = now() WHERE event_type = '$1'"
}
round() {
    local i
    for ((i = 1; i <= 5; i++)); do
        attempt_of usual $(($1 + i)) $i
    done
    wait_until 60 "[[ \$(count \"event_type = 'usual' AND status = 'dead_letter' AND attempt_count = $(($1 + 6)) AND round_attempts = 6\") == $n ]]"
}
round 0
t_ok "six attempts, then dead"
t_eq "dead-letter rows" "$n of 6 attempts: HTTP 500: {}" "$(t_db "SELECT count(*) || ' of ' || attempt_count || ' attempts: ' || final_error
    FROM cs_platform_event_dead_letters WHERE event_type = 'usual' GROUP BY attempt_count, final_error")"

# The runbook's statements.
t_db "UPDATE cs_platform_event_outbox SET status = 'pending', next_attempt_at = NOW(), last_error = NULL, updated_at = NOW()
      WHERE event_type = 'usual'"
t_db "DELETE FROM cs_platform_event_dead_letters WHERE event_id IN (SELECT id FROM cs_platform_event_outbox WHERE event_type = 'usual')"
round 6
t_ok "a replayed row has six more, numbered from seven on"

wait_until 60 "[[ \$(count \"event_type = 'quick' AND status = 'dead_letter'\") == $n ]]"
wait_until 60 "[[ \$(count \"platform = 'polite' AND status = 'retrying'\") == 2 ]]"
cb_topic callback.outcomes
cb_topic callback.dlq
# Each retry's number in its round, and its step.
t_db "CREATE TABLE delays AS
      SELECT *, (ARRAY[10, 30, 60, 300, 900])[nth] * 1000 AS usual_ms, (ARRAY[1, 2, 2, 2])[nth] * 1000 AS quick_ms
      FROM (SELECT o.id, r.event_type, o.delay_ms, o.status, row_number() OVER (PARTITION BY o.id, o.round ORDER BY o.queue_seq) AS nth,
                row_number() OVER (PARTITION BY o.id ORDER BY o.queue_seq) AS number
            FROM (SELECT *, count(*) FILTER (WHERE outcome = 'dead_letter') OVER (PARTITION BY id ORDER BY queue_seq
                     ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS round FROM outcomes WHERE was_request) o
            JOIN cs_platform_event_outbox r ON r.id = o.id WHERE o.outcome = 'retry') x"
t_db "ALTER TABLE delays ADD attempt int GENERATED ALWAYS AS (number + CASE WHEN number > 5 THEN 1 ELSE 0 END) STORED"
t_eq "retries of the usual schedule" $((n * 10)) "$(t_db "SELECT count(*) FROM delays WHERE event_type = 'usual'")"
t_eq "outside of step and step + 10 %" 0 "$(t_db "SELECT count(*) FROM delays WHERE event_type = 'usual' AND
    delay_ms NOT BETWEEN usual_ms AND usual_ms * 1.1")"
t_eq "retries of a short one" $((n * 4)) "$(t_db "SELECT count(*) FROM delays WHERE event_type = 'quick'")"
t_eq "outside of step and step + 10 %, the last step repeated" 0 "$(t_db "SELECT count(*) FROM delays WHERE event_type = 'quick' AND
    delay_ms NOT BETWEEN quick_ms AND quick_ms * 1.1")"
t_ok "their jitter: $(t_db "SELECT count(DISTINCT delay_ms) FROM delays WHERE event_type = 'usual' AND nth = 1") values of $((2 * n))"
(($(t_db "SELECT count(DISTINCT delay_ms) FROM delays WHERE event_type = 'usual' AND nth > 1") > n)) || t_fail "no jitter"

# What the rows waited for: the database's clock when the outcome was recorded, after the attempt and before we saw it.
t_eq "due times noted" $((n * 10)) "$(t_db "SELECT count(*) FROM due JOIN delays USING (id, attempt)")"
t_eq "due times that are not the delay after the recording" 0 "$(t_db "SELECT count(*) FROM due d JOIN delays e USING (id, attempt)
    JOIN cs_platform_event_delivery_attempts a ON a.event_id = d.id AND a.attempt_no = d.attempt
    WHERE d.next_attempt_at - e.delay_ms * interval '1 ms' NOT BETWEEN a.created_at AND d.noted")"
t_eq "attempts of the short schedule before they were due" 0 "$(t_db "SELECT count(*) FROM (SELECT event_id AS id, attempt_no,
    created_at - duration_ms * interval '1 ms' - lag(created_at) OVER (PARTITION BY event_id ORDER BY attempt_no) AS gap
    FROM cs_platform_event_delivery_attempts) a JOIN delays e ON e.id = a.id AND e.nth = a.attempt_no - 1
    WHERE e.event_type = 'quick' AND gap < e.delay_ms * interval '1 ms' - interval '2 ms'")"
t_eq "Retry-After in seconds, longer than the step" t "$(t_db "SELECT bool_and(delay_ms BETWEEN 7000 AND 7700) FROM delays WHERE event_type = 'seconds'")"
t_eq "Retry-After as a date, capped at a day" t "$(t_db "SELECT bool_and(delay_ms BETWEEN 86400000 AND 95040000) FROM delays WHERE event_type = 'date'")"
t_eq "delivery counts of the dead letters, of their round" "5 6" "$(t_db "SELECT string_agg(DISTINCT j -> 'headers' ->> '__dlq.errors.delivery.count', ' ')
    FROM lines WHERE what = 'callback.dlq'")"
