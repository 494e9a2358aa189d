#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: rows of dead_letter_outbox and account_command_outbox are deleted when they are old, and not before their records are in Kafka.
#
# How it could break: rows that were never published are old too, after an outage; a role without the right. Here the relay
# publishes all of them first; that a row beyond its position stays, however old, is tried in tests/integration/prune_test.c
# (what_the_position_does_not_show_stays_however_old).

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=outcomes.sh
. "$(dirname "$0")/outcomes.sh"
t_begin "old dead-letter rows go when they are published"

rows() { t_db "SELECT string_agg(convert_from(key, 'UTF8'), ' ' ORDER BY queue_seq) FROM dead_letter_outbox"; }

# Inserted while no relay ran, and old by now.
t_db "INSERT INTO dead_letter_outbox (topic, key, value, created_at) VALUES
      ('callback.dlq', 'old', 'v', now() - interval '31 days'), ('callback.dlq', 'young', 'v', now() - interval '29 days'),
      ('account.dlq', 'older', 'v', now() - interval '1 year')"
t_db "INSERT INTO account_command_outbox (partition_key, command, payload, created_at) VALUES
      ('old', 'set', '{}', now() - interval '31 days'), ('young', 'set', '{}', now() - interval '29 days')"
commands() { t_db "SELECT string_agg(partition_key, ' ' ORDER BY queue_seq) FROM account_command_outbox"; }
start_role r1 relay SLUICE_RELAY_DEAD_LETTERS_KEEP_DAYS=0
wait_until 30 '[[ $(topic_count callback.dlq) == 2 && $(topic_count account.dlq) == 1 && $(topic_count account.commands) == 2 ]]'
wait_until 10 '[[ "$("$SLUICE_BIN" status --json | jq -c ".sources[2] | [.published, .rows]")" == "[3,3]" ]]'
t_eq "rows with 0 days: kept" "old young older" "$(rows)"
t_eq "commands too" "old young" "$(commands)"
stop_role r1
t_eq "the relay's end" 0 "$T_RC"

# One more old row, with the grants of the restricted role.
"$SLUICE_BIN" migrate --print-role | sed "s/sluice_run/run_$T_ID/g" >"$T_DIR/role.sql"
drop_role() { t_admin "DROP OWNED BY run_$T_ID; DROP ROLE run_$T_ID" >/dev/null 2>&1 || true; }
T_AT_END=drop_role
t_admin -f "$T_DIR/role.sql" >/dev/null
t_db "INSERT INTO dead_letter_outbox (topic, key, value, created_at)
      VALUES ('callback.dlq', 'late', 'v', now() - interval '31 days')"
start_role r2 relay DATABASE_URL="postgresql://run_$T_ID:change-me@${DATABASE_URL#*@}"
wait_until 30 '[[ "$(rows)" == young && "$(commands)" == young ]]'
t_ok "with 30 days the young one is left"
t_eq "all of them are in their topics" "late old young older" \
    "$(topic_records callback.dlq | cut -f3 | sort | xargs) $(topic_records account.dlq | cut -f3)"
t_match "counted" 'sluice_relay_pruned_total\{source="dead-letter"\} 3' "$(curl -s "http://$(role_http r2)/metrics")"
stop_role r2
t_eq "the relay's end" 0 "$T_RC"
