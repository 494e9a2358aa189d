# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What every part of ./dev needs: messages, waiting, locks, and processes that are known by pid and start time.
# Sourced by ./dev and by tests/system/lib.sh; expects DEV_ROOT (the checkout). Sets DEV_STATE.
#
# Messages go to stderr, data to stdout. Functions return non-zero and leave the end of the program to the caller;
# only `die` ends it.

# Unset on purpose at the top: whoever sources this decides about DEV_ROOT alone.
DEV_STATE=${SLUICE_DEV_STATE:-$DEV_ROOT/.dev}
case $DEV_STATE in /*) ;; *) DEV_STATE=$PWD/$DEV_STATE ;; esac

# Exit codes, the same as the program's (docs: `sluice help`).
# shellcheck disable=SC2034 # used by the other parts
readonly EX_FAILED=1 EX_USAGE=2 EX_UNAVAILABLE=69

# ---------------------------------------------------------------------------------------------------- messages

if [[ -t 2 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
    C_DIM=$'\e[2m' C_RED=$'\e[31m' C_GREEN=$'\e[32m' C_BOLD=$'\e[1m' C_OFF=$'\e[0m'
else
    C_DIM='' C_RED='' C_GREEN='' C_BOLD='' C_OFF=''
fi

say() { printf '%s\n' "$*" >&2; }
step() { printf '%s==>%s %s\n' "$C_BOLD" "$C_OFF" "$*" >&2; }
note() { printf '%s    %s%s\n' "$C_DIM" "$*" "$C_OFF" >&2; }
good() { printf '%s ok %s %s\n' "$C_GREEN" "$C_OFF" "$*" >&2; }
err() { printf '%s%s%s\n' "$C_RED" "dev: $*" "$C_OFF" >&2; }

# die [CODE] MESSAGE
die() {
    local code=$EX_FAILED
    if [[ ${1:-} =~ ^[0-9]+$ ]]; then
        code=$1
        shift
    fi
    err "$*"
    exit "$code"
}

# The end of a log file, indented, after something failed.
show_tail() {
    local file=$1 lines=${2:-20}
    [[ -s $file ]] || return 0
    say "    last lines of $file:"
    tail -n "$lines" "$file" | sed 's/^/    | /' >&2
}

# ---------------------------------------------------------------------------------------------------- time

# Milliseconds of a clock that only serves to measure (bash has no monotonic one).
now_ms() {
    local t=${EPOCHREALTIME/[.,]/}
    printf '%s\n' "${t%???}"
}

# wait_for SECONDS COMMAND...: calls it until it returns 0; false when the time is up.
wait_for() {
    local limit=$1 end
    shift
    end=$(($(now_ms) + limit * 1000))
    until "$@"; do
        (($(now_ms) < end)) || return 1
        sleep 0.1
    done
}

random_hex() { od -An -N"${1:-16}" -tx1 /dev/urandom | tr -d ' \n'; }

# ---------------------------------------------------------------------------------------------------- locks

# Everything that starts or stops parts of one state directory holds this lock on fd 9, so that two shells do not
# start the same thing. `spawn` keeps it from children that stay, or the lock would outlive us.
state_lock() {
    mkdir -p "$DEV_STATE"
    exec 9>"$DEV_STATE/lock"
    flock -w 0 9 && return 0
    note "another ./dev is at work on $DEV_STATE; waiting for it"
    flock -w 300 9 || die 75 "another ./dev has held $DEV_STATE/lock for 300 s"
}

state_unlock() { exec 9>&-; }

# ---------------------------------------------------------------------------------------------------- processes

# proc_stat FILE VAR: what /proc/PID/stat says behind the command name, which may hold spaces and parentheses.
proc_stat() {
    local -n stat_ref=$2
    stat_ref=''
    # Not $(<file): when the process is reaped between open and read, bash ends the whole shell without a word.
    { IFS= read -r -d '' stat_ref <"$1" || [[ -n $stat_ref ]]; } 2>/dev/null || return 1
    stat_ref=${stat_ref##*) }
}

# Start time of a process in clock ticks since boot (field 22 of /proc/PID/stat); nothing for a zombie or no process.
proc_start_time() {
    local stat
    proc_stat "/proc/$1/stat" stat || return 1
    # shellcheck disable=SC2086 # split into fields on purpose
    set -- $stat
    [[ $1 != Z && $1 != X ]] || return 1
    printf '%s\n' "${20}"
}

# pid_write FILE PID: a pid alone may be somebody else's after a reboot or a wrap; with its start time it cannot.
pid_write() {
    local start
    start=$(proc_start_time "$2") || return 1
    printf '%s %s\n' "$2" "$start" >"$1.new" && mv -f "$1.new" "$1"
}

# pid_of FILE: prints the pid when the very process that was recorded still runs.
pid_of() {
    local pid='' start='' now
    [[ -r $1 ]] || return 1
    read -r pid start <"$1" || true
    [[ $pid =~ ^[0-9]+$ && $start =~ ^[0-9]+$ ]] || return 1
    now=$(proc_start_time "$pid") || return 1
    [[ $now == "$start" ]] || return 1
    printf '%s\n' "$pid"
}

pid_alive() { pid_of "$1" >/dev/null; }
pid_gone() { ! pid_of "$1" >/dev/null; }

# pid_stop FILE [SIGNAL] [SECONDS]: signal, wait, then SIGKILL; the file goes in any case.
pid_stop() {
    local file=$1 signal=${2:-TERM} seconds=${3:-20} pid
    if pid=$(pid_of "$file"); then
        kill -s "$signal" "$pid" 2>/dev/null || true
        if ! wait_for "$seconds" pid_gone "$file"; then
            note "pid $pid did not end within $seconds s after SIG$signal; killing it"
            kill -KILL "$pid" 2>/dev/null || true
            wait_for 5 pid_gone "$file" || {
                err "pid $pid cannot be killed"
                return 1
            }
        fi
    fi
    rm -f "$file"
}

# spawn PIDFILE LOG COMMAND...: in the background, in a session of its own (a Ctrl-C in the terminal does not reach
# it), recorded. In a script setsid need not fork, so $! is the program itself.
spawn() {
    local file=$1 log=$2 pid
    shift 2
    # 6 to 9 are locks of ours: whoever inherits one holds it.
    setsid "$@" </dev/null >>"$log" 2>&1 6>&- 7>&- 8>&- 9>&- &
    pid=$!
    disown "$pid" 2>/dev/null || true
    pid_write "$file" "$pid" || {
        err "$1 ended at once"
        show_tail "$log"
        return 1
    }
}

# Parents of a process tree: direct children of PID, one a line.
children_of() {
    local f stat
    for f in /proc/[0-9]*/stat; do
        proc_stat "$f" stat || continue
        # shellcheck disable=SC2086
        set -- "$1" $stat
        if [[ $3 == "$1" ]]; then
            f=${f#/proc/}
            printf '%s\n' "${f%/stat}"
        fi
    done
}

# Runs as an unprivileged user even when we are root (PostgreSQL refuses root); plain otherwise.
as_user() {
    local user=$1
    shift
    if [[ $EUID -eq 0 && $user != root ]]; then
        setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups --inh-caps=-all -- "$@"
    else
        "$@"
    fi
}
