#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: `sluice status` says of each stage exactly how much is left, and what it can when a server is away.
#
# How it could break: offsets taken for records (markers of transactions and aborted ones are no work); the group's copy
# taken for the position; reminders counted for rows; one half that cannot be asked hides the other.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=outcomes.sh
. "$(dirname "$0")/outcomes.sh"
t_begin "status counts what is left"

# look FILTER: of one look's JSON.
look() { "$SLUICE_BIN" status --json "${@:2}" 2>>"$T_DIR/status.log" | jq -c "$1"; }
sources() { look '.sources[] | select(.source == "callback") | [.pending, .published, .waiting, .owned]'; }
lags() { look '[.processors[:2][] | .lag]'; } # of callback and sink

# ---- Nobody runs
for i in 1 2 3 4 5; do
    ids[i]=$(outcome_row)
done
t_db "INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload, next_attempt_at)
      VALUES ('demo', 'e', 'https://127.0.0.1:1/', '{}', now() + interval '1 hour')"
t_eq "pending, published, waiting, owned before a relay" '[5,0,1,false]' "$(sources)"
t_eq "lag of callback and sink" '[0,0]' "$(lags)"

# ---- The relay publishes, nobody delivers
start_role r1 relay
wait_until 30 '[[ "$(sources)" == "[0,5,1,true]" ]]'
t_ok "pending, published, waiting, owned with a relay"
t_eq "lag of callback and sink behind it" '[5,0]' "$(lags)"

# ---- The sink: works, is stopped, works again
start_role s1 sink
outcome_send "${ids[1]}" 1 delivered
wait_until 30 '[[ $(attempts) == 1 ]]'
stop_role s1
outcome_send "${ids[2]}" 2 retry
outcome_send "${ids[3]}" 3 dead_letter
outcome_send "${ids[4]}" 4 delivered
t_eq "lag with the sink stopped: three records, each with its marker" '[5,3]' "$(lags)"
t_eq "members of its group" 0 "$(look '.processors[1].members')"
t_match "since when" '^[0-9]+$' "$(look '.processors[1].lag_s')"
start_role s2 sink
wait_until 30 '[[ "$(lags)" == "[5,0]" ]]'
t_ok "nothing is left when it has worked"
t_eq "rows by state" '[2,1,2,1]' \
    "$(look '.sources[0] | [.rows_pending, .rows_retrying, .rows_delivered, .rows_dead_letter]')"
t_eq "open dead letters" 1 "$(look '.dead_letters[] | select(.topic | endswith("callback.dlq")) | .open')"
t_eq "waiting: the delayed row and the retry" '[0,5,2,true]' "$(sources)"
t_eq "stuck: published and never answered" 1 "$(look '.sources[0].rows_stuck' --stuck-after 0)"

# ---- The screen
t_exit "the screen" 0 "$SLUICE_BIN" status
t_match "a line for the sink" 'sink +callback.outcomes +0 ' "$T_OUT"
t_match "a line for the rows" 'cs_platform_event_outbox +2 +1 +2 +- +1 +0' "$T_OUT"
timeout -s INT 8 "$SLUICE_BIN" status --json --watch 1 >"$T_DIR/watch" 2>&1 || true
t_match "rates from the second look on" '^null 0(\.0)?$' \
    "$(head -n 2 "$T_DIR/watch" | jq -r '.sources[0].rate' | xargs)"

# ---- One of them away
t_exit "Kafka away" 69 env KAFKA_BROKERS=127.0.0.1:1 "$SLUICE_BIN" status --json
t_eq "what the database says is there" '[0,false,true]' \
    "$(grep '^{' <<<"$T_OUT" | jq -c '[.sources[0].pending, .kafka.available, .database.available]')"
t_match "and who is away" 'sluice: status: cannot ask Kafka' "$T_OUT"
t_exit "PostgreSQL away" 69 env DATABASE_URL=postgresql://a:b@127.0.0.1:1/x "$SLUICE_BIN" status --json
t_eq "what Kafka says is there" '[null,5,null]' \
    "$(grep '^{' <<<"$T_OUT" | jq -c '[.sources[0].pending, .processors[0].lag, .processors[1].lag]')"
t_match "and who is away" 'sluice: status: cannot connect to PostgreSQL' "$T_OUT"
stop_role s2
t_eq "the sink's end" 0 "$T_RC"
