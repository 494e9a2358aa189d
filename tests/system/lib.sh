# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For system tests: NNNN-what-must-hold.sh, one promise each, exit 0 or 1 (77: cannot run here).
#
#     #!/usr/bin/env bash
#     . "$(dirname "$0")/lib.sh"
#     t_begin "committed rows reach their topic"      # database, topic prefix, tables, topics: this test's own
#     start_role r1 relay
#     t_db "INSERT ..."
#     wait_until 20 '[[ $(topic_count callback.events) == 5 ]]'
#     t_eq "records" 5 "$(topic_count callback.events read_uncommitted)"
#
# Tests share one PostgreSQL and one Kafka (DATABASE_URL, SLUICE_TEST_ADMIN_URL, KAFKA_BROKERS; by hand those of
# ./dev up infra), so nothing may be assumed about other databases and topics. A test that kills servers says
# `t_begin NAME bare`, then own_pg and/or own_kafka, then t_migrate.
#
# For the test:  T_DIR (temporary, gone afterwards; SLUICE_TEST_KEEP=1 keeps it), T_ID, T_ADMIN_URL (superuser, this
# test's database), SLUICE_BIN; exported for the program: DATABASE_URL, KAFKA_BROKERS, SLUICE_TOPIC_PREFIX,
# SLUICE_RUNTIME_DIR.

set -Eeuo pipefail
shopt -s inherit_errexit

T_LIB=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
DEV_ROOT=${SLUICE_SOURCE_DIR:-$(cd -- "$T_LIB/../.." && pwd)}
# The directory that the sourced parts call the stack's is never the one of ./dev up.
SLUICE_DEV_STATE_OUTER=${SLUICE_DEV_STATE:-}
SLUICE_DEV_STATE=${TMPDIR:-/tmp}/sluice-test-unused
# shellcheck source=../../deploy/dev/common.sh
. "$DEV_ROOT/deploy/dev/common.sh"
# shellcheck source=../../deploy/dev/ports.sh
. "$DEV_ROOT/deploy/dev/ports.sh"
# shellcheck source=../../deploy/dev/postgres.sh
. "$DEV_ROOT/deploy/dev/postgres.sh"
# shellcheck source=../../deploy/dev/kafka.sh
. "$DEV_ROOT/deploy/dev/kafka.sh"
SLUICE_DEV_STATE=$SLUICE_DEV_STATE_OUTER
[[ -n $SLUICE_DEV_STATE ]] || unset SLUICE_DEV_STATE

T_NAME='' T_DIR='' T_ID='' T_ADMIN_URL='' T_STARTED=$SECONDS
# For the tests: output of t_exit, exit code of stop_role and role_exit.
export -n T_OUT='' T_RC=0
# Gateways of tests listen where a test says; the usual ports belong to the machine.
export SLUICE_EXPRESS_LISTEN=off SLUICE_DEVICE_LISTEN=off
T_DATABASES=() # "admin url" and name of each database to drop
T_AT_END=''    # function of the test's own that t_end calls first (a trap of its own would lose the exit code)

# ---------------------------------------------------------------------------------------------------- verdicts

t_ok() { printf 'ok: %s\n' "$*"; }

# The end of the test. Also right in a subshell: the mark tells the main shell.
t_fail() {
    printf 'FAIL: %s\n' "$*"
    [[ -z $T_DIR ]] || : >"$T_DIR/.failed"
    exit 1
}

# t_eq WHAT WANT GOT
t_eq() {
    [[ $2 == "$3" ]] || t_fail "$1: expected $2, got $3"
    t_ok "$1: $3"
}

# t_match WHAT REGEX GOT
t_match() {
    [[ $3 =~ $2 ]] || t_fail "$1: expected something like /$2/, got: $3"
    t_ok "$1"
}

# t_exit WHAT CODE COMMAND...: its output (both streams) is then in T_OUT.
t_exit() {
    local what=$1 want=$2 rc=0
    shift 2
    T_OUT=$("$@" 2>&1 </dev/null) || rc=$?
    [[ $rc == "$want" ]] || t_fail "$what: expected exit $want, got $rc: $(tail -n 30 <<<"$T_OUT")"
    t_ok "$what: exit $rc"
}

# wait_until SECONDS 'command': evaluated again and again; not in time = the test fails.
wait_until() {
    wait_for "$1" eval "$2" || t_fail "not within $1 s: $2"
}

# ---------------------------------------------------------------------------------------------------- begin, end

t_addresses() {
    local exports
    if [[ -z ${DATABASE_URL:-} || -z ${SLUICE_TEST_ADMIN_URL:-} || -z ${KAFKA_BROKERS:-} ]]; then
        exports=$("$DEV_ROOT/dev" env) || t_fail "no stack to test against; ./dev up infra starts one"
        eval "$exports"
    fi
}

t_program() {
    local preset
    for preset in asan debug release; do
        [[ -z ${SLUICE_BIN:-} && -x $DEV_ROOT/build/$preset/sluice ]] || continue
        SLUICE_BIN=$DEV_ROOT/build/$preset/sluice
    done
    # The program takes every SLUICE_* name for an option and refuses unknown ones.
    export -n SLUICE_BIN SLUICE_SOURCE_DIR 2>/dev/null || true
    [[ -x ${SLUICE_BIN:-} ]] || t_fail "no program to test; ./dev build asan makes it (or set SLUICE_BIN)"
}

# Some tests have a short form for `./dev test` and a long one (SLUICE_TEST_LONG=1; ./dev torture).
t_is_long() { [[ ${SLUICE_TEST_LONG:-} == 1 ]]; }

# t_seed: what is random in a test follows SLUICE_TEST_SEED, which is printed. After t_begin.
t_seed() {
    local seed=${SLUICE_TEST_SEED:-$((RANDOM * 32768 + RANDOM))}
    RANDOM=$((seed % 32768))
    t_ok "seed $seed"
}

# t_size SHORT LONG: the one of this form.
t_size() { if t_is_long; then printf '%s' "$2"; else printf '%s' "$1"; fi; }

# t_begin NAME [bare]: bare makes neither database nor topics, and needs no stack.
t_begin() {
    T_NAME=$1
    trap t_end EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    T_DIR=$(mktemp -d "${TMPDIR:-/tmp}/sluice-t.XXXXXX")
    # PostgreSQL's user walks through when a test starts its own server.
    chmod 0711 "$T_DIR"
    T_ID=$(random_hex 4)
    export SLUICE_TOPIC_PREFIX=t$T_ID. SLUICE_RUNTIME_DIR=$T_DIR/run
    mkdir -p "$SLUICE_RUNTIME_DIR"
    [[ ${2:-} == bare ]] || t_addresses
    # What a shell or a stack has set for callbacks and channels of its own is not a test's.
    unset "${!AI_CS_PLATFORM_@}" "${!CLOUD_FUNC_@}" "${!SLUICE_PUSH_@}" SLUICE_CALLBACK_ALLOW_HTTP SLUICE_CALLBACK_ALLOW_NETS SLUICE_GATEWAY_ACCOUNTS SLUICE_GATEWAY_RAW_KEYS_FILE
    [[ ${2:-} != bare ]] || return 0
    t_program
    t_create_database "$SLUICE_TEST_ADMIN_URL" "$DATABASE_URL"
    t_migrate
}

# t_create_database ADMIN_URL OWNER_URL: a database of this test there; switches DATABASE_URL and T_ADMIN_URL to it.
t_create_database() {
    local admin=$1 owner=$2 name=t_$T_ID user
    user=${owner#*//}
    user=${user%%[:@]*}
    psql -qAtX -v ON_ERROR_STOP=1 "$admin" -c "CREATE DATABASE $name OWNER $user" || t_fail "cannot create database $name"
    T_DATABASES+=("$admin" "$name")
    export DATABASE_URL=${owner%/*}/$name
    T_ADMIN_URL=${admin%/*}/$name
}

# False while the only broker is fenced, which it is for a moment when it got no time for its heartbeats.
t_topics() {
    ! "$SLUICE_BIN" topics apply >"$T_DIR/topics.log" 2>&1 || return 0
    grep -q INVALID_REPLICATION_FACTOR "$T_DIR/topics.log" || t_fail "sluice topics apply: $(tail -n 5 "$T_DIR/topics.log")"
    return 1
}

# Tables and topics, as the program makes them.
t_migrate() {
    "$SLUICE_BIN" migrate >"$T_DIR/migrate.log" 2>&1 || t_fail "sluice migrate: $(tail -n 5 "$T_DIR/migrate.log")"
    wait_for 30 t_topics || t_fail "sluice topics apply: $(tail -n 5 "$T_DIR/topics.log")"
}

readonly T_SANITIZER='ERROR: (Address|Leak)Sanitizer|LeakSanitizer has encountered|WARNING: ThreadSanitizer|runtime error:'

t_stop_everything() {
    local file
    for file in "$T_DIR"/*.pid; do
        [[ -e $file ]] || continue
        # A stopped process does not end on SIGTERM.
        kill -CONT "$(pid_of "$file")" 2>/dev/null || true
        pid_stop "$file" TERM 10
    done
    [[ ! -d $T_DIR/kafka ]] || kafka_kill9 "$T_DIR/kafka"
    [[ ! -d $T_DIR/pg ]] || { pg_kill9 "$T_DIR/pg" && pg_remove "$T_DIR/pg"; }
}

t_drop_databases() {
    local i
    for ((i = 0; i < ${#T_DATABASES[@]}; i += 2)); do
        psql -qAtX "${T_DATABASES[i]}" -c "DROP DATABASE IF EXISTS ${T_DATABASES[i + 1]} WITH (FORCE)" >/dev/null 2>&1 || true
    done
}

t_show_logs() {
    local file
    for file in "$T_DIR"/*.log "$T_DIR"/pg/log "$T_DIR"/kafka/*/log; do
        [[ -s $file ]] || continue
        printf '%s\n' "--- ${file#"$T_DIR"/}"
        tail -n 40 "$file"
    done
}

t_end() {
    local rc=$?
    trap - EXIT
    # PIPE: after Ctrl-C nobody reads us any more, and yet everything has to go.
    trap '' INT TERM PIPE
    set +e
    [[ -z $T_AT_END ]] || "$T_AT_END"
    t_stop_everything 2>/dev/null
    if grep -lE "$T_SANITIZER" "$T_DIR"/*.log >/dev/null 2>&1; then
        printf 'FAIL: sanitizer report in %s\n' "$(grep -lE "$T_SANITIZER" "$T_DIR"/*.log | tr '\n' ' ')"
        # Early, so that the report is not lost behind 40 later lines.
        grep -hE -m 1 -A 30 "$T_SANITIZER" "$T_DIR"/*.log
        rc=1
    fi
    [[ ! -e $T_DIR/.failed || $rc -ne 0 ]] || rc=1
    if ((rc != 0 && rc != 77)); then
        t_show_logs
        printf 'FAIL: %s (exit %s, %s s)\n' "$T_NAME" "$rc" $((SECONDS - T_STARTED))
    elif ((rc == 0)); then
        printf 'ok: %s (%s s)\n' "$T_NAME" $((SECONDS - T_STARTED))
    fi
    t_drop_databases
    if [[ -n ${SLUICE_TEST_KEEP:-} ]]; then
        printf 'kept: %s\n' "$T_DIR"
    else
        rm -rf -- "$T_DIR"
    fi
    exit "$rc"
}

# ---------------------------------------------------------------------------------------------------- processes

# start_proc NAME COMMAND...: in the background, known by NAME, log in T_DIR/NAME.log; ended with the test.
# Not disowned, so that stop_proc can tell the exit code.
start_proc() {
    local name=$1
    shift
    setsid "$@" </dev/null >>"$T_DIR/$name.log" 2>&1 &
    pid_write "$T_DIR/$name.pid" $! || t_fail "$name ended at once: $(tail -n 3 "$T_DIR/$name.log")"
}

# start_role NAME ROLE [VAR=value]... [ARG]...
start_role() {
    local name=$1 role=$2 vars=()
    shift 2
    while [[ ${1:-} =~ ^[A-Z_][A-Z0-9_]*= ]]; do
        vars+=("$1")
        shift
    done
    start_proc "$name" env "${vars[@]}" "$SLUICE_BIN" run "$role" "$@"
}

# start_roles ROLE...: each under its own name. stop_roles NAME...: each must end well, in 40 s.
start_roles() {
    local role
    for role in "$@"; do
        start_role "$role" "$role"
    done
}
stop_roles() {
    local name
    for name in "$@"; do
        stop_role "$name" 40
        t_eq "the end of $name" 0 "$T_RC"
    done
}

proc_pid() { pid_of "$T_DIR/$1.pid"; }
proc_alive() { pid_alive "$T_DIR/$1.pid"; }
proc_log() { printf '%s\n' "$T_DIR/$1.log"; }
# log_count NAME PATTERN: lines of that process's log.
log_count() { grep -cE -- "$2" "$(proc_log "$1")" || true; }

# kill_role NAME [SIGNAL]: KILL (default) and what else ends a process is waited for; STOP and CONT are not.
# The shell's own "Killed" message goes with the redirection.
kill_role() {
    local name=$1 signal=${2:-KILL} pid
    pid=$(proc_pid "$name") || return 0
    {
        kill -s "$signal" "$pid"
        case $signal in
            STOP | CONT | USR1 | USR2 | HUP) return 0 ;;
        esac
        wait "$pid"
    } 2>/dev/null || true
    wait_for 20 pid_gone "$T_DIR/$name.pid" || t_fail "$name does not end on SIG$signal"
}

# stop_role NAME [SECONDS]: SIGTERM; it must end in time (default 20 s). Its exit code is then in T_RC.
stop_role() {
    local name=$1 seconds=${2:-20} pid
    T_RC=0
    pid=$(proc_pid "$name") || t_fail "$name does not run any more"
    kill -TERM "$pid"
    wait_for "$seconds" pid_gone "$T_DIR/$name.pid" || t_fail "$name does not end within $seconds s of SIGTERM"
    wait "$pid" 2>/dev/null || T_RC=$?
}

# role_exit NAME SECONDS: for a process that should end by itself; its exit code is then in T_RC.
role_exit() {
    local name=$1 pid start
    read -r pid start <"$T_DIR/$name.pid"
    wait_for "$2" pid_gone "$T_DIR/$name.pid" || t_fail "$name (pid $pid, started $start) still runs after $2 s"
    T_RC=0
    wait "$pid" 2>/dev/null || T_RC=$?
}

# wait_role ROLE [SECONDS]: until its recorded instances are ready.
wait_role() { wait_until "${2:-30}" "\"\$SLUICE_BIN\" health $1 >/dev/null 2>&1"; }

# ---------------------------------------------------------------------------------------------------- looking

# t_db [SQL | psql arguments]: with nothing it reads standard input. t_admin: the same as superuser.
t_psql() {
    local url=$1
    shift
    [[ $# -eq 0 || $1 == -* ]] || set -- -c "$@"
    psql -qAtX -v ON_ERROR_STOP=1 "$url" "$@"
}
t_db() { t_psql "$DATABASE_URL" "$@"; }
t_admin() { t_psql "$T_ADMIN_URL" "$@"; }

# topic_kcat TOPIC ISOLATION FORMAT: everything that is in the topic now.
topic_kcat() {
    kcat -C -b "$KAFKA_BROKERS" -t "$SLUICE_TOPIC_PREFIX$1" -o beginning -e -q -X "isolation.level=$2" -f "$3"
}

# One line a record: partition, offset, key, headers (name=value,...), length of the value; tabs between.
topic_records() { topic_kcat "$1" "${2:-read_committed}" '%p\t%o\t%k\t%h\t%S\n'; }

# topic_count TOPIC [read_committed|read_uncommitted]
topic_count() { topic_kcat "$1" "${2:-read_committed}" '%o\n' | wc -l; }

# ---------------------------------------------------------------------------------------------------- open sessions

declare -A SESSION_FD=()

# session_open NAME [URL]: a psql that stays, for transactions that last.
session_open() {
    local fifo=$T_DIR/$1.in fd
    mkfifo "$fifo"
    # shellcheck disable=SC2016 # expanded by the inner shell
    start_proc "$1" bash -c 'exec psql -qAtX -v ON_ERROR_STOP=1 "$1" <"$2"' _ "${2:-$DATABASE_URL}" "$fifo"
    exec {fd}>"$fifo"
    SESSION_FD[$1]=$fd
}

# session NAME SQL: returns when it is done and prints what it gave.
session() {
    local mark=done-$RANDOM$RANDOM i
    printf '\\echo begin-%s\n%s;\n\\echo %s\n' "$mark" "$2" "$mark" >&"${SESSION_FD[$1]}"
    for ((i = 0; i < 1500; i++)); do
        ! grep -q "^$mark\$" "$T_DIR/$1.log" || break
        proc_alive "$1" || break
        sleep 0.02
    done
    grep -q "^$mark\$" "$T_DIR/$1.log" || t_fail "session $1: $(tail -n 3 "$T_DIR/$1.log")"
    sed -n "/^begin-$mark\$/,/^$mark\$/{//!p}" "$T_DIR/$1.log"
}

# ---------------------------------------------------------------------------------------------------- own servers

# own_pg [SETTING...]: a PostgreSQL of this test, to be killed; DATABASE_URL and T_ADMIN_URL then mean it.
# Settings are lines of postgresql.conf, e.g. "wal_writer_delay = '10s'".
own_pg() {
    local port
    OWN_PG=$T_DIR/pg
    port=$(port_single $$) || t_fail "no free port"
    pg_create "$OWN_PG" "$@" || t_fail "initdb"
    pg_start "$OWN_PG" "$port" || t_fail "PostgreSQL does not start"
    DATABASE_URL=$(pg_url "$OWN_PG")
    export DATABASE_URL
    T_ADMIN_URL=$(pg_admin_url "$OWN_PG" sluice)
}
own_pg_start() { pg_start "$OWN_PG" "$(pg_port "$OWN_PG")" || t_fail "PostgreSQL does not start again"; }
own_pg_stop() { pg_stop "$OWN_PG" || t_fail "PostgreSQL does not stop"; }
own_pg_kill9() { pg_kill9 "$OWN_PG" || t_fail "PostgreSQL cannot be killed"; }

# own_kafka [BROKERS [SETTING...]]: a Kafka cluster of this test (1 or 3 nodes), with settings for server.properties (where
# the last one counts); KAFKA_BROKERS then means it.
own_kafka() {
    local i ports=()
    OWN_KAFKA=$T_DIR/kafka
    for ((i = 0; i < 2 * ${1:-1}; i++)); do
        ports+=("$(port_single $$)")
    done
    kafka_create "$OWN_KAFKA" "${1:-1}" || t_fail "Kafka cluster"
    (($# < 2)) || printf '%s\n' "${@:2}" >"$OWN_KAFKA/settings"
    kafka_set_ports "$OWN_KAFKA" "${ports[@]}"
    kafka_start "$OWN_KAFKA" || t_fail "Kafka does not start"
    KAFKA_BROKERS=$(kafka_brokers "$OWN_KAFKA")
    export KAFKA_BROKERS
}
own_kafka_start() { kafka_start "$OWN_KAFKA" || t_fail "Kafka does not start again"; }
own_kafka_stop() { kafka_stop "$OWN_KAFKA" || t_fail "Kafka does not stop"; }
own_kafka_kill9() { kafka_kill9 "$OWN_KAFKA" "$@" || t_fail "Kafka cannot be killed"; }
