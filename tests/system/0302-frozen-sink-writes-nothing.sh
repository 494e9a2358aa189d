#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a sink that was frozen in the middle of a batch, and overtaken meanwhile, changes nothing when it goes on;
# and a sink that was fenced although the group still counts on it reads on by itself.
#
# How it could break: the batch is repeated without a look at the epoch; a fenced consumer waits for a rebalance that
# never comes.

. "$(dirname "$0")/lib.sh"
# shellcheck source=outcomes.sh
. "$(dirname "$0")/outcomes.sh"

t_begin "a frozen sink writes nothing"
export SLUICE_SINK_SESSION_TIMEOUT_MS=1500 SLUICE_SINK_LOCK_TIMEOUT_MS=1500

id=$(outcome_row)
start_role s1 sink
wait_until 30 '(($(log_count s1 "callback.outcomes .*state=owned") == 6))'

# Somebody holds the row of the event: s1 stands in its transaction, with the position row locked.
mkfifo "$T_DIR/holder.in"
start_proc holder bash -c 'exec psql -qAtX "$1" <"$2"' _ "$DATABASE_URL" "$T_DIR/holder.in"
exec {holder}>"$T_DIR/holder.in"
printf 'BEGIN; SELECT 1 FROM cs_platform_event_outbox FOR UPDATE;\n' >&"$holder"
wait_until 10 '[[ $(t_db "SELECT count(*) FROM pg_locks WHERE relation = '"'cs_platform_event_outbox'::regclass AND mode = 'RowShareLock'"'") == 1 ]]'
outcome_send "$id" 1 retry first
waits() { t_db "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sluice sink' AND datname = current_database()
                AND wait_event_type = 'Lock' AND query LIKE '%FOR NO KEY UPDATE%'"; }
wait_until 20 '[[ $(waits) == 1 ]]'
kill_role s1 STOP

start_role s2 sink
wait_until 30 '(($(log_count s2 "callback.outcomes .*state=owned") == 6))'
printf 'COMMIT;\n' >&"$holder"
wait_until 20 '[[ $(attempts) == 1 ]]'
t_ok "the other one has done the work"

kill_role s1 CONT
wait_until 20 '(($(log_count s1 "msg=fenced") >= 1))'
t_ok "the frozen one was fenced at the row"
# It may still be named by the group for a moment, or get partitions back: whatever it does, nothing is done twice.
outcome_send "$id" 1 retry second
wait_until 20 '[[ $(attempts) == 2 ]]'
stop_role s2
t_eq "the other one's end" 0 "$T_RC"
outcome_send "$id" 1 retry third
wait_until 20 '[[ $(attempts) == 3 ]]'
t_eq "attempts" "1 first,2 second,3 third" "$(t_db "SELECT string_agg(attempt_no || ' ' || error_message, ',' ORDER BY attempt_no)
    FROM cs_platform_event_delivery_attempts")"

# Fenced by nobody in the group: an operator, or an owner that is gone.
fenced=$(log_count s1 msg=fenced)
t_db "UPDATE sluice_positions SET epoch = epoch + 7"
outcome_send "$id" 1 delivered
wait_until 20 '[[ $(attempts) == 4 ]]'
t_eq "times s1 was fenced since" $((fenced + 1)) "$(log_count s1 msg=fenced)"
t_eq "state" "delivered 4" "$(t_db "SELECT status || ' ' || attempt_count FROM cs_platform_event_outbox")"
stop_role s1
t_eq "the sink's end" 0 "$T_RC"
