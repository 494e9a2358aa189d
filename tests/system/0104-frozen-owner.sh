#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: an owner that freezes longer than its lock is good for loses the source to a standby; when it thaws, one of the
# two goes on, nothing is doubled or lost, the order holds, and the thawed one stands by.
#
# How it could break: the kernel goes on answering keepalives for a stopped process, so its lock stays; it freezes inside
# a database transaction or while PostgreSQL sends rows to it, where idle_session_timeout does not count; it thaws and
# commits what it had begun.

. "$(dirname "$0")/lib.sh"
# shellcheck source=oracle.sh
. "$(dirname "$0")/oracle.sh"
t_begin "a frozen owner loses the source and harms nothing when it thaws"
oracle_begin
export SLUICE_RELAY_LOCK_TIMEOUT_MS=2000 SLUICE_RELAY_STANDBY_POLL_MS=100 SLUICE_RELAY_BATCH_ROWS_MAX=20

# lines NAME TEXT: how often its log says so.
lines() { grep -c -- "$2" "$(proc_log "$1")" || true; }

# frozen OWNER OTHER HOW: stops OWNER as told, waits until OTHER has both sources and works, lets OWNER go on.
frozen() {
    local owner=$1 other=$2 how=$3 took stood id
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
}

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
frozen r1 r2 "at any moment"
sleep 0.5
frozen r2 r1 "in a commit"
sleep 0.5
frozen r1 r2 "in a commit"
oracle_stop writers

# A row trigger that takes its time holds the sweep in the middle of its transaction.
t_db <<'SQL'
CREATE FUNCTION drowsy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.5); RETURN NEW; END $$;
CREATE TRIGGER drowsy BEFORE UPDATE ON cs_platform_event_outbox FOR EACH ROW
    WHEN (current_setting('sluice.sweep', true) = 'on') EXECUTE FUNCTION drowsy();
INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload, next_attempt_at)
VALUES ('demo', 'later', 'https://127.0.0.1:1/never', '{}', now() + interval '1500 ms');
SQL
frozen r2 r1 "in the sweep"
frozen r1 r2 "while rows are sent to it"

for r in r1 r2; do
    proc_alive $r || t_fail "$r has ended"
done
oracle_settle
oracle_judge_all
for r in r1 r2; do
    stop_role $r
    t_eq "the end of $r" 0 "$T_RC"
done
