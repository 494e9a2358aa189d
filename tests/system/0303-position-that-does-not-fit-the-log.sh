#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a position row that does not fit the log is a named state that is shown and waited out, never a jump to the
# beginning or the end; a row older than the group's copy (a restored database) is said and rules.
#
# How it could break: auto.offset.reset; a position taken from the group's offsets.

. "$(dirname "$0")/lib.sh"
# shellcheck source=outcomes.sh
. "$(dirname "$0")/outcomes.sh"

t_begin "a position that does not fit the log"
id=$(outcome_row)
start_role s1 sink
for i in 1 2 3; do
    outcome_send "$id" 1 retry "$i"
done
wait_until 30 '[[ $(attempts) == 3 ]]'
# The last marker is passed a moment after the record before it.
wait_until 30 '[[ $(t_db "SELECT max(next_offset) FROM sluice_positions WHERE topic LIKE '"'%callback.outcomes'"'") == 6 ]]'
stop_role s1
partition=$(t_db "SELECT partition FROM sluice_positions WHERE topic LIKE '%callback.outcomes' ORDER BY next_offset DESC LIMIT 1")
row="topic LIKE '%callback.outcomes' AND partition = $partition"
at="FROM sluice_positions WHERE $row"
t_eq "position behind the last marker" 6 "$(t_db "SELECT next_offset $at")"

# What a restore does: tables as they were, the row with them.
t_db "DELETE FROM cs_platform_event_delivery_attempts WHERE attempt_no > 1;
      UPDATE cs_platform_event_outbox SET attempt_count = 1, round_attempts = 1;
      UPDATE sluice_positions SET next_offset = 2 WHERE $row"
start_role s2 sink
wait_until 30 '[[ $(attempts) == 3 ]]'
t_match "the restored database is said" "next_offset=2 group_offset=6" "$(grep "restored database" "$(proc_log s2)")"
t_eq "attempts after the restore" "1 2 3" "$(t_db "SELECT string_agg(error_message, ' ' ORDER BY attempt_no) FROM cs_platform_event_delivery_attempts")"
stop_role s2

t_db "UPDATE sluice_positions SET next_offset = 1000 WHERE $row"
start_role s3 sink
wait_until 30 '(($(log_count s3 "position_beyond_log") == 1))'
ready() { curl -s "http://$(role_http "$1")/readyz"; }
t_match "not ready, with the state" 'callback.outcomes/. halted: position_beyond_log: the row says 1000' "$(ready s3)"
t_exit "doctor finds it" 3 "$SLUICE_BIN" doctor
t_match "and names it" 'FAIL +roles +sink, callback.outcomes: position_beyond_log' "$T_OUT"
outcome_send "$id" 1 retry 4
sleep 1
t_eq "attempts while halted" 3 "$(attempts)"
t_db "UPDATE sluice_positions SET next_offset = 6 WHERE $row"
wait_until 30 '[[ $(attempts) == 4 ]]'
wait_until 10 '"$SLUICE_BIN" health sink >/dev/null 2>&1'
stop_role s3
t_eq "the sink's end" 0 "$T_RC"
