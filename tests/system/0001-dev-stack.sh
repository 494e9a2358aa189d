#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: ./dev keeps to its own. `up` twice is harmless, `down` leaves nothing running, a stale pid file never kills
# a stranger, a taken port is reported with the process that holds it, a second stack beside it takes other ports. The
# demo's numbers add up, and it leaves the stack as `up` starts it.

. "$(dirname "$0")/lib.sh"
t_begin "./dev starts, finds and stops only its own" bare

# A stack of its own; nothing of the caller's stack may reach it.
export SLUICE_DEV_STATE=$T_DIR/stack SLUICE_DEV_SKIP_DEPS=1
unset SLUICE_DEV_PORT_BASE DATABASE_URL KAFKA_BROKERS SLUICE_TEST_ADMIN_URL
mkdir -p "$SLUICE_DEV_STATE"
chmod 0711 "$SLUICE_DEV_STATE"
dev() { "$DEV_ROOT/dev" "$@"; }
stop_stack() { dev down --wipe >/dev/null 2>&1; }
T_AT_END=stop_stack

# ---- commands without a stack

t_exit "unknown command" 2 dev frobnicate
t_match "an unknown command lists the commands" 'unknown command: frobnicate.*up \[infra' "${T_OUT//$'\n'/ }"
t_exit "unknown role" 2 dev up frobnicator
t_exit "bad number of brokers" 2 dev up infra --brokers 2
t_exit "env before there is a stack" 1 dev env

# ---- a taken port

start_proc listener perl -MIO::Socket::INET -e '
    my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 0, Listen => 1) or die $!;
    open my $f, ">", $ARGV[0] or die $!; print $f $s->sockport; close $f; sleep 300;' "$T_DIR/listener.port"
wait_until 5 '[[ -s $T_DIR/listener.port ]]'
taken=$(<"$T_DIR/listener.port")
t_exit "a taken port" 69 env SLUICE_DEV_PORT_BASE=$((taken - 32)) "$DEV_ROOT/dev" up infra
t_match "it is reported with its process" "port $taken is held by pid $(proc_pid listener) \(perl" "$T_OUT"
t_exit "a base that is no port" 2 env SLUICE_DEV_PORT_BASE=15k "$DEV_ROOT/dev" up infra

# ---- up, twice

t_exit "up infra" 0 dev up infra
first=$(dev status)
t_exit "up infra again" 0 dev up infra
[[ $(dev status) == "$first" ]] || t_fail "up twice: $(dev status)"
t_ok "the same processes afterwards"

exports=$(dev env)
eval "$exports"
t_eq "psql" "sluice f" "$(dev psql -qAtX -F ' ' -c 'SELECT current_user, usesuper FROM pg_user WHERE usename = current_user')"
t_eq "DATABASE_URL of env" "sluice on" "$(psql -qAtX "$DATABASE_URL" -F ' ' -c "SELECT current_database(), current_setting('fsync')")"
t_eq "the superuser URL for tests" "t" "$(psql -qAtX "$SLUICE_TEST_ADMIN_URL" -c 'SELECT usesuper FROM pg_user WHERE usename = current_user')"
t_match "kcat" "broker 1 at ${KAFKA_BROKERS} \(controller\)" "$(dev kcat -L)"
t_eq "the password file" 600 "$(stat -c %a "$SLUICE_DEV_STATE/pg/password")"

# ---- a killed server comes back with what was committed

dev psql -qX -c 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)'
pg_kill9 "$SLUICE_DEV_STATE/pg"
kafka_kill9 "$SLUICE_DEV_STATE/kafka"
t_exit "status tells" 1 dev status
t_exit "up after kill -9" 0 dev up infra
t_eq "committed before the kill" 7 "$(dev psql -qAtX -c 'SELECT n FROM kept')"

# ---- the demo, as small as it can be and still have everything in it

# It judges its own numbers; here only that it did, and that what it changes is as before.
build=${SLUICE_BIN:-release/sluice}
build=${build%/sluice}
export SLUICE_DEV_PRESET=${build##*/}
t_exit "demo with too few events" 2 env SLUICE_DEMO_EVENTS=20 "$DEV_ROOT/dev" demo
t_exit "demo" 0 env SLUICE_DEMO_EVENTS=300 "$DEV_ROOT/dev" demo
t_match "it has sent everything" 'events inserted by 4 writers +300 ' "${T_OUT//$'\n'/ }"
t_match "its numbers add up" '[2-9][0-9] numbers add up' "$T_OUT"
t_eq "short retries in the callback role's environment" 0 \
    "$(tr '\0' '\n' <"/proc/$(dev status | awk '$1 == "callback-1" { print $3 }')/environ" | grep -c RETRY || true)"

mapfile -t pids < <(dev status | awk 'NR > 1 { print $3 }')
t_eq "processes" 10 "${#pids[@]}"

# ---- processes that end while they are looked at

watched=0
for ((i = 0; i < 50; i++)); do
    sleep 0.001 &
    while proc_start_time $! >/dev/null; do :; done
    wait $!
    watched=$((watched + 1))
done
t_eq "processes watched to their end" 50 "$watched"

# ---- a stale pid file: the pid is somebody else's by now, only the start time tells

start_proc stranger sleep 300
mkdir -p "$SLUICE_DEV_STATE/pid"
printf '%s 12345\n' "$(proc_pid stranger)" >"$SLUICE_DEV_STATE/pid/relay-7"

# ---- down

t_exit "down" 0 dev down
for pid in "${pids[@]}"; do
    ! proc_start_time "$pid" >/dev/null || t_fail "pid $pid still runs after down"
done
proc_alive stranger || t_fail "down killed a process that a stale pid file named"
t_ok "a stale pid file kills nobody"
left=$(grep -laF -- "$SLUICE_DEV_STATE/" /proc/[0-9]*/cmdline 2>/dev/null || true)
t_eq "processes left" "" "$left"
t_exit "status of a stopped stack" 1 dev status
t_exit "down again" 0 dev down

t_exit "down --wipe" 0 dev down --wipe
t_eq "what is left of the state" "lock" "$(ls "$SLUICE_DEV_STATE")"
