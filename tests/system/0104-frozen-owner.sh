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
export SLUICE_RELAY_LOCK_TIMEOUT_MS=2000 SLUICE_RELAY_STANDBY_POLL_MS=100 SLUICE_RELAY_BATCH_ROWS_MAX=20

# lines NAME TEXT: how often its log says so.
lines() { grep -c -- "$2" "$(proc_log "$1")" || true; }

# frozen HOW: stops the owner as told, waits until the other has both sources and works, lets the first go on. Then they
# have changed places.
owner=r1 other=r2
frozen() {
    local how=$1 took stood id
    took=$(lines "$other" 'took over')
    stood=$(lines "$owner" 'standby: another instance')
    case $how in
        "in a commit") oracle_await_commit "kill -STOP $(proc_pid "$owner")" ;;
        "in the sweep") await_activity "wait_event = 'PgSleep'" ;;
        "while rows are sent to it")
            # More than fits into the buffers between them.
            kill_role "$owner" STOP
            t_db "INSERT INTO cs_platform_event_outbox (platform, event_type, partition_key, callback_target, payload)
                SELECT 'demo', 'large', 'large', 'https://127.0.0.1:1/never', jsonb_build_object('x', repeat('x', 900000))
                FROM generate_series(1, 20)"
            kill_role "$owner" CONT
            oracle_await "state = 'active' AND query LIKE '%COPY%'" "kill -STOP $(proc_pid "$owner")"
            await_activity "wait_event = 'ClientWrite'"
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

# await_activity CONDITION: a session of the relay that meets it.
await_activity() {
    wait_until 20 "[[ \$(t_db \"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND application_name = 'sluice relay' AND $1\") != 0 ]]"
}

start_role r1 relay
wait_until 30 'relay_owns r1 callback && relay_owns r1 payment'
start_role r2 relay
wait_until 30 "(( \$(lines r2 'standby: another instance') >= 2 ))"
oracle_stream writers 60

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
