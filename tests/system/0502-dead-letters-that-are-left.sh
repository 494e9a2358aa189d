#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a dead letter that cannot be sent again now, or not this way, is left as it is, said and counted: the sink has
# not recorded it, its row is gone or never was, its event dies again and again.
#
# How it could break: one that is taken for open before its outcome is recorded, which then kills the new queueing; one
# that is skipped without a word; a loop between redrive and dead letter.

. "$(dirname "$0")/lib.sh"
# shellcheck source=outcomes.sh
. "$(dirname "$0")/outcomes.sh"
t_begin "dead letters that are left are counted"
# No platform has a secret here, so that its events die at once.

status_of() { t_db "SELECT status FROM cs_platform_event_outbox WHERE id = '$1'"; }
seq_of() { t_db "SELECT queue_seq FROM cs_platform_event_outbox WHERE id = '$1'"; }
state_of() { "$SLUICE_BIN" dlq ls --all --id "$1" --json 2>/dev/null | grep -oE '"state":"[^"]+"' | cut -d'"' -f4 | tr '\n' ' '; }
redrive() { "$SLUICE_BIN" dlq redrive --id "$1" --yes "${@:2}"; }

start_role r1 relay
start_role c1 callback

# ----------------------------------------------------------------------------------------------------- not settled
id=$(outcome_row)
wait_until 40 '[[ $(topic_count callback.dlq) == 1 ]]'
t_eq "before the sink" "not-settled " "$(state_of "$id")"
t_match "ls says what it does not show" 'not shown: 1 not-settled' "$("$SLUICE_BIN" dlq ls 2>&1)"
t_exit "redrive before the sink" 75 redrive "$id" --wait 1
t_match "it says why" '1 not settled: the sink' "$T_OUT"
t_eq "the row" "pending 1" "$(status_of "$id") $(seq_of "$id")"
start_proc waiting "$SLUICE_BIN" dlq redrive --id "$id" --yes --wait 60
wait_until 20 'grep -q "redrive begins" "$(proc_log waiting)"'
start_role s1 sink
role_exit waiting 60
t_eq "exit code of the one that waited" 0 "$T_RC"
t_match "what it says" '1 redriven' "$(cat "$(proc_log waiting)")"

# ------------------------------------------------------------------------------------------------ it dies each time
died() { t_db "SELECT count(*) FROM cs_platform_event_dead_letters d JOIN cs_platform_event_outbox o ON o.id = d.event_id
               WHERE o.id = '$id' AND o.status = 'dead_letter' AND o.queue_seq = d.queue_seq"; }
wait_until 40 '[[ $(died) == 1 ]]'
t_exit "the second time" 0 redrive "$id"
wait_until 40 '[[ $(died) == 1 ]]'
t_exit "after three deaths" 3 redrive "$id"
t_match "it says why" '1 held back: they have died 3 times' "$T_OUT"
t_eq "the row" "dead_letter 3" "$(status_of "$id") $(seq_of "$id")"
t_eq "its three dead letters" "requeued requeued open " "$(state_of "$id")"
t_exit "by force" 0 redrive "$id" --force
wait_until 40 '[[ $(died) == 1 ]]'
t_match "show knows its deaths" 'deaths +4' "$("$SLUICE_BIN" dlq show "$id")"

# -------------------------------------------------------------------------------------- rows that are gone or never were
t_db "DELETE FROM cs_platform_event_outbox WHERE id = '$id'"
t_exit "of a row that is gone" 3 redrive "$id"
t_match "it says why" 'skipped: no row with a status' "$T_OUT"
outcome_send 'no-uuid' 1 retry x
wait_until 60 '[[ $(topic_count callback.dlq) == 5 ]]'
t_match "a malformed outcome" 'no-row +malformed' "$("$SLUICE_BIN" dlq ls callback.dlq --topic callback.outcomes 2>/dev/null)"
t_exit "redriven" 3 "$SLUICE_BIN" dlq redrive --class malformed --yes
t_exit "an id that never died" 4 redrive 11111111-1111-1111-1111-111111111111
t_exit "a place that is empty" 4 "$SLUICE_BIN" dlq show callback.dlq:0:4000
t_exit "a topic that is none" 4 "$SLUICE_BIN" dlq ls callback.events

# -------------------------------------------------------------------------------- what the relay could not publish
stop_role c1
kill_role r1
start_role r2 relay SLUICE_RELAY_RECORD_BYTES_MAX=2000
large=$(t_db "INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload)
              VALUES ('demo', 'e', 'https://x/', jsonb_build_object('x', repeat('y', 4000))) RETURNING id")
wait_until 60 "[[ \$(status_of $large) == dead_letter ]]"
t_eq "it is open" "open " "$(state_of "$large")"
t_eq "show shows it alone" 1 "$("$SLUICE_BIN" dlq show "$large" | grep -c '^dead letter callback')"
t_match "its class" 'too-large +demo' "$("$SLUICE_BIN" dlq ls --id "$large")"
stop_role r2
t_exit "redriven" 0 redrive "$large"
t_eq "the row" "pending" "$(status_of "$large")"
t_eq "its dead letter" "requeued " "$(state_of "$large")"
start_role r3 relay SLUICE_RELAY_RECORD_BYTES_MAX=100000
wait_until 40 "topic_kcat callback.events read_committed '%h\n' | grep -q $large"
t_ok "it is published now"

# ---------------------------------------------------------------------------------------------------- dependencies
t_exit "no database" 69 env DATABASE_URL=postgresql://x@127.0.0.1:1/x "$SLUICE_BIN" dlq ls
t_exit "no Kafka" 69 env KAFKA_BROKERS=127.0.0.1:1 "$SLUICE_BIN" dlq ls
t_exit "no topics" 4 env SLUICE_TOPIC_PREFIX="none$T_ID." "$SLUICE_BIN" dlq ls
stop_role s1
stop_role r3
