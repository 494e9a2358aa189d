#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: `sluice position` shows where a database processor stands, and moves it only when nobody is at work (or is
# told to), after it has said what that means; the processor then goes on from there, no record sooner or later.
#
# How it could break: an instance that still works overwrites the move, or its effects and the move both count; an offset
# outside of the log; the group's copy taken for a restored database.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=outcomes.sh
. "$(dirname "$0")/outcomes.sh"
t_begin "positions of database processors"

S=$SLUICE_BIN
id=$(outcome_row)
t_exit "show before the first start" 0 "$S" position show --json
t_eq "all partitions of all, none with a position" 30 "$(jq -s '[.[] | select(.position == null and .epoch == null)] | length' <<<"$T_OUT")"

start_role s1 sink
for i in 1 2 3; do
    outcome_send "$id" 1 retry "$i"
done
wait_until 30 '[[ $(attempts) == 3 ]]'
p=$(t_db "SELECT partition FROM sluice_positions ORDER BY next_offset DESC LIMIT 1")
row() { t_db "SELECT next_offset FROM sluice_positions WHERE partition = $p AND topic LIKE '%callback.outcomes'"; }
epoch() { t_db "SELECT epoch FROM sluice_positions WHERE partition = $p AND topic LIKE '%callback.outcomes'"; }
wait_until 20 '[[ $(row) == 6 ]]'

# ---- While an instance runs
t_exit "set while the sink runs" 75 "$S" position set sink --to earliest --yes
t_match "what it says" 'group .*sluice-sink has 1 members; stop them first' "$T_OUT"
t_eq "nothing has moved" 6 "$(row)"
before=$(epoch)
t_exit "with --force" 0 "$S" position set sink --to 4 --topic callback.outcomes --partition "$p" --yes --force
t_match "the consequence" "partition $p: from 6 back to 4: these 2 offsets are handled again" "$T_OUT"
# The third outcome counts once more, as attempt 4: the running instance was fenced and took the partition again.
outcome_send "$id" 1 retry 4
wait_until 40 '[[ $(attempts) == 5 ]]'
t_eq "what it did" "1 2 3 3 4" "$(t_db "SELECT string_agg(error_message, ' ' ORDER BY attempt_no) FROM cs_platform_event_delivery_attempts")"
(($(epoch) >= before + 2)) || t_fail "epoch $(epoch), was $before: nobody was fenced"
t_ok "the epoch was raised by the move and by the next owner"
wait_until 20 '[[ $(row) == 8 ]]'
stop_role s1
t_eq "the sink's end" 0 "$T_RC"

# ---- Nobody runs
t_exit "show" 0 "$S" position show sink
t_match "the row beside log and copy" "callback.outcomes +$p +8 +0 +8 +8 +" "$T_OUT"
t_exit "without --yes" 2 "$S" position set sink --to latest
t_exit "with --dry-run" 0 "$S" position set sink --to earliest --dry-run
t_match "says what it would mean" 'from 8 back to 0: these 8 offsets are handled again, and what is not idempotent happens twice' "$T_OUT"
t_eq "nothing has moved" 8 "$(row)"
t_exit "an offset outside of the log" 3 "$S" position set sink --to 9 --topic callback.outcomes --partition "$p" --yes
t_match "what it says" 'offset 9 is outside of the log; expected 0 to 8' "$T_OUT"
t_exit "an offset without partition" 2 "$S" position set sink --to 3 --yes
t_exit "no number" 2 "$S" position set sink --to soon --yes
t_exit "no such partition" 4 "$S" position set sink --to latest --partition 99 --yes
t_exit "no such group" 4 "$S" position show nobody
t_db "INSERT INTO sluice_positions (\"group\", topic, partition, next_offset, epoch) VALUES ('a \"group\"', 'none', 0, 1, 1)"
t_exit "a group of any name" 3 "$S" position show 'a "group"' --json
t_eq "as JSON" 'a "group" none' "$(jq -r '.group + " " + .topic' <<<"$T_OUT")"
t_db "DELETE FROM sluice_positions WHERE topic = 'none'"
t_eq "nothing has moved" 8 "$(row)"

# ---- On to the end: what comes meanwhile is skipped
outcome_send "$id" 1 retry 5
t_exit "set --to latest" 0 "$S" position set "${SLUICE_TOPIC_PREFIX}sluice-sink" --to latest --topic callback.outcomes --yes
t_match "the consequence" 'from 8 on to 10: the records of these 2 offsets are skipped and never take effect' "$T_OUT"
outcome_send "$id" 1 retry 6
start_role s2 sink
wait_until 30 '[[ $(attempts) == 6 ]]'
t_eq "the skipped one never came" "1 2 3 3 4 6" "$(t_db "SELECT string_agg(error_message, ' ' ORDER BY attempt_no) FROM cs_platform_event_delivery_attempts")"
stop_role s2

# ---- Back by hand is no restored database
t_exit "set --to earliest" 0 "$S" position set sink --to earliest --yes
start_role s3 sink
wait_until 30 '[[ $(attempts) == 12 ]]'
t_eq "nobody speaks of a restored database" 0 "$(log_count s3 'restored database')"
stop_role s3

# ---- A row that does not fit
t_db "UPDATE sluice_positions SET next_offset = 1000 WHERE partition = $p AND topic LIKE '%callback.outcomes'"
t_exit "show with a row beyond the log" 3 "$S" position show sink
t_match "its state" 'position_beyond_log: the row says 1000' "$T_OUT"
t_exit "set cures it" 0 "$S" position set sink --to latest --topic callback.outcomes --partition "$p" --yes
t_exit "show afterwards" 0 "$S" position show sink

# ---- An instance that the group does not know any more holds the row: frozen in a transaction
# (psql ends by itself: whoever starts a sleep has to wait for it).
t_db "BEGIN; SELECT * FROM sluice_positions WHERE partition = $p AND topic LIKE '%callback.outcomes' FOR UPDATE; SELECT pg_sleep(12)" >"$T_DIR/holder.log" &
holder=$!
wait_until 10 '[[ $(t_db "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = '"'PgSleep'"'") == 1 ]]'
t_exit "a row that is held" 75 "$S" position set sink --to earliest --topic callback.outcomes --partition "$p" --yes
t_match "what it says" 'is held: an instance is at work' "$T_OUT"
wait "$holder"
