#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The operators' runbook for callbacks was written before sluice. Its queries and its repair statements, as typed there
# with an id filled in, run unchanged; a repaired row goes out again, once, and with its whole retry budget.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
t_begin "the runbook's statements work as typed"

start_role r1 relay
t_db <<'SQL'
INSERT INTO cs_platform_event_outbox (id, platform, event_type, callback_target, payload) VALUES
  ('11111111-1111-1111-1111-111111111111', 'sub2api', 'order.paid', 'https://partner/cb', '{"n": 1}'),
  ('22222222-2222-2222-2222-222222222222', 'newapi', 'order.paid', 'https://partner/cb', '{"n": 2}'),
  ('33333333-3333-3333-3333-333333333333', 'sub2api', 'order.paid', 'https://partner/cb', '{"n": 3}');
SQL
wait_until 30 '[[ $(topic_count callback.events) == 3 ]]'

# The state in which an operator finds them: one dead, one between two attempts, one done.
t_db <<'SQL'
UPDATE cs_platform_event_outbox SET status = 'dead_letter', attempt_count = 6, round_attempts = 6, last_error = 'HTTP 500'
  WHERE platform = 'sub2api' AND payload->>'n' = '1';
UPDATE cs_platform_event_outbox SET status = 'retrying', attempt_count = 2, round_attempts = 2, last_error = 'timeout',
  next_attempt_at = now() + interval '5 minutes' WHERE platform = 'newapi';
UPDATE cs_platform_event_outbox SET status = 'delivered', attempt_count = 1 WHERE payload->>'n' = '3';
INSERT INTO cs_platform_event_delivery_attempts (event_id, attempt_no, response_status, error_message)
  SELECT '11111111-1111-1111-1111-111111111111', i, 500, 'HTTP 500' FROM generate_series(1, 6) i;
INSERT INTO cs_platform_event_dead_letters (event_id, platform, event_type, callback_target, attempt_count, final_error)
  VALUES ('11111111-1111-1111-1111-111111111111', 'sub2api', 'order.paid', 'https://partner/cb', 6, 'HTTP 500');
SQL

# Through psql's standard input, as somebody types it.
typed() { psql -qAtX -v ON_ERROR_STOP=1 "$DATABASE_URL"; }

pending=$(
    typed <<'SQL'
SELECT id, platform, event_type, callback_target, status, attempt_count, next_attempt_at, last_error
FROM cs_platform_event_outbox
WHERE status IN ('pending', 'retrying')
ORDER BY next_attempt_at ASC, created_at ASC
LIMIT 100;
SQL
)
t_match "2.1 shows what is to be delivered" '^22222222-[^|]*\|newapi\|order.paid\|https://partner/cb\|retrying\|2\|[^|]+\|timeout$' "$pending"

attempts=$(
    typed <<'SQL'
SELECT event_id, attempt_no, response_status, error_message, created_at
FROM cs_platform_event_delivery_attempts
ORDER BY created_at DESC
LIMIT 100;
SQL
)
t_eq "2.2 shows the attempts" 6 "$(grep -cE '^11111111-[^|]*\|[1-6]\|500\|HTTP 500\|.+$' <<<"$attempts")"

dead() {
    typed <<'SQL'
SELECT event_id, platform, event_type, callback_target, attempt_count, final_error, created_at
FROM cs_platform_event_dead_letters
ORDER BY created_at DESC
LIMIT 100;
SQL
}
t_match "2.3 shows the dead letters" '^11111111-[^|]*\|sub2api\|order.paid\|https://partner/cb\|6\|HTTP 500\|.+$' "$(dead)"

repair() {
    sed "s/<event_id>/$1/" <<'SQL' | typed
UPDATE cs_platform_event_outbox
SET status = 'pending',
    next_attempt_at = NOW(),
    last_error = NULL,
    updated_at = NOW()
WHERE id = '<event_id>';
SQL
}
repair 11111111-1111-1111-1111-111111111111
sed "s/<event_id>/11111111-1111-1111-1111-111111111111/" <<'SQL' | typed
DELETE FROM cs_platform_event_dead_letters
WHERE event_id = '<event_id>';
SQL
wait_until 20 '[[ $(topic_count callback.events) == 4 ]]'
repair 22222222-2222-2222-2222-222222222222
wait_until 20 '[[ $(topic_count callback.events) == 5 ]]'
# Twice by mistake is two queueings, of which a reader may see both; a third row is left alone.
sleep 1
t_eq "the dead letter is gone" "" "$(dead)"
t_eq "records of each row" "2 2 1" "$(topic_records callback.events | cut -f3 | sort | uniq -c | awk '{print $1}' | xargs)"
t_eq "rows on the road with their whole budget" 2 \
    "$(t_db "SELECT count(*) FROM cs_platform_event_outbox WHERE status = 'pending' AND round_attempts = 0 AND attempt_count > 0")"

# The new record says so too: it is a new queueing, and attempts used in this round are none.
seqs=$(topic_kcat callback.events read_committed '%R%s' | "$SLUICE_BIN" decode |
    jq -r 'select(.event_id[0:1] == "1") | "\(.queue_seq):\(.round_attempts)"' | sort -t: -k1n | xargs)
t_eq "queueings of the repaired row" "1:0 4:0" "$seqs"
t_eq "evidence is kept" 6 "$(t_db 'SELECT count(*) FROM cs_platform_event_delivery_attempts')"
stop_role r1
t_eq "exit code" 0 "$T_RC"
