#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: an owner that freezes longer than its lock is good for loses the source to a standby; when it thaws, one of the
# two goes on, nothing is doubled or lost, the order holds, and the thawed one stands by.
#
# How it could break: the kernel goes on answering keepalives for a stopped process, so its lock stays; it freezes inside
# a database transaction or while PostgreSQL sends rows to it, where idle_session_timeout does not count; it thaws and
# commits what it had begun. The last one counts only when a freeze has hit a transaction with records in the log: so it is
# aimed, again and again until it has.

. "$(dirname "$0")/lib.sh"
# shellcheck source=oracle.sh
. "$(dirname "$0")/oracle.sh"
t_begin "a frozen owner loses the source and harms nothing when it thaws"
oracle_begin
export SLUICE_RELAY_LOCK_TIMEOUT_MS=2000 SLUICE_RELAY_STANDBY_POLL_MS=100 SLUICE_RELAY_BATCH_ROWS_MAX=60

# lines NAME TEXT: how often its log says so.
lines() { grep -c -- "$2" "$(proc_log "$1")" || true; }

# frozen HOW: stops the owner as told, waits until the other has both sources and works, lets the first go on. Then they
# have changed places.
owner=r1 other=r2
frozen() {
    local how=$1 took stood id aims reader
    took=$(lines "$other" 'took over')
    stood=$(lines "$owner" 'standby: another instance')
    case $how in
        "in a commit") oracle_await_commit_of_slow_disk "kill -STOP $(proc_pid "$owner")" ;;
        "in the sweep") wait_until 20 "[[ \$(t_db \"SELECT count(*) $ORACLE_SESSIONS AND wait_event = 'PgSleep'\") != 0 ]]" ;;
        "while rows are sent to it")
            for ((aims = 1; aims <= 30; aims++)); do
                ((aims % 5 != 1)) || write_large_rows
                reader=$(stop_before_rows_are_sent "$(proc_pid "$owner")")
                ! waits_to_send "$reader" || break
                kill_role "$owner" CONT
            done
            ((aims <= 30)) || t_fail "no freeze hit the server while it sent rows"
            ;;
    esac
    kill_role "$owner" STOP
    wait_until 20 "(( \$(lines $other 'took over') >= $took + 2 ))"
    [[ $how != "in the sweep" ]] || t_db "DROP TRIGGER drowsy ON cs_platform_event_outbox"
    id=$(oracle_mark)
    wait_until 30 "oracle_has callback.events $id"
    kill_role "$owner" CONT
    wait_until 20 "(( \$(lines $owner 'standby: another instance') >= $stood + 2 ))"
    t_ok "$owner frozen $how: $other has taken over, $owner stands by"
    read -r owner other <<<"$other $owner"
}

# Rows of aborted transactions: each row goes on the road once here, so one whose record is in the log twice was sent again.
aborted_rows() { topic_kcat callback.events read_uncommitted '%h\n' | grep -o 'ce_id=[^,]*' | sort | uniq -d | wc -l; }

# Several batches, each of more than fits into the buffers between server and relay.
write_large_rows() {
    t_db "INSERT INTO cs_platform_event_outbox (platform, event_type, partition_key, callback_target, payload)
        SELECT 'demo', 'large', 'large', 'https://127.0.0.1:1/never', jsonb_build_object('x', repeat('x', 900000))
        FROM generate_series(1, 180)"
}

# stop_before_rows_are_sent PID: a lock holds up the next statement of the relay; when it is one that reads rows, the relay is
# stopped, and the server then sends to a process that takes nothing. Prints the server's process; nothing = not stopped.
stop_before_rows_are_sent() {
    t_db <<SQL
BEGIN;
LOCK TABLE cs_platform_event_outbox;
$(oracle_watch 1 "wait_event_type = 'Lock'")
SELECT count(*) > 0 AS reads, min(pid) AS reader $ORACLE_SESSIONS AND wait_event_type = 'Lock' AND query LIKE '%COPY%' \gset
\if :reads
\! kill -STOP $1
\echo :reader
\endif
COMMIT;
SQL
}

# waits_to_send READER: it has filled the buffers. As long as it makes the rows ready, the session is not idle and so not lost.
waits_to_send() {
    local i
    [[ -n $1 ]] || return 1
    for ((i = 0; i < 100; i++)); do
        case $(t_db "SELECT wait_event FROM pg_stat_activity WHERE pid = $1") in
            ClientWrite) return 0 ;;
            ClientRead) return 1 ;;
        esac
        sleep 0.05
    done
    return 1
}

oracle_slow_disk
start_role r1 relay
wait_until 30 'relay_owns r1 callback && relay_owns r1 payment'
start_role r2 relay
wait_until 30 "(( \$(lines r2 'standby: another instance') >= 2 ))"
PGOPTIONS='-c synchronous_commit=off' oracle_stream writers 60

sleep 0.5
frozen "at any moment"
for ((aims = 1; aims <= 10; aims++)); do
    sleep 0.5
    frozen "in a commit"
    ((aims < 2 || $(aborted_rows) == 0)) || break
done
oracle_stop writers
# Without this the test would prove little.
(($(aborted_rows) > 0)) || t_fail "no aborted records exist; no freeze hit an open transaction"

# A row trigger that takes its time holds the sweep in the middle of its transaction.
t_db <<'SQL'
CREATE FUNCTION drowsy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.5); RETURN NEW; END $$;
CREATE TRIGGER drowsy BEFORE UPDATE ON cs_platform_event_outbox FOR EACH ROW
    WHEN (current_setting('sluice.sweep', true) = 'on') EXECUTE FUNCTION drowsy();
INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload, next_attempt_at)
VALUES ('demo', 'later', 'https://127.0.0.1:1/never', '{}', now() + interval '1500 ms');
SQL
frozen "in the sweep"
frozen "while rows are sent to it"

for r in r1 r2; do
    proc_alive $r || t_fail "$r has ended"
done
oracle_settle
rows=$(oracle_rows)
oracle_judge_all
all=$(oracle_count read_uncommitted)
((all > rows)) || t_fail "aborted records: $all seen by read_uncommitted, $rows rows"
t_ok "aborted records, seen only by read_uncommitted: $((all - rows))"
for r in r1 r2; do
    stop_role $r
    t_eq "the end of $r" 0 "$T_RC"
done
