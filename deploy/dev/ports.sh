# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Which ports a stack uses. A stack owns a block of 100: SLUICE_DEV_PORT_BASE when set (then a taken port is an
# error), else the one recorded in its state directory, else the first free block from 15000 up.
#
#     +10 .. +19  operator endpoints of the roles, first instance     +31  receiver, +32  PostgreSQL
#     +21 .. +25  the gateway for services (7101), instances 1 to 5
#     +33 .. +37  the same for carriers (7201)                         +81 .. +85  the same for phones (7301)
#     +40 .. +79  the same, instances 2 to 5                           +92, +94, +96  Kafka brokers; +93, +95, +97 controllers
#
# Two stacks that start at once must not choose the same block before either listens: a claim is a file in one
# directory of the machine, made under a lock. A claim counts as long as its state directory still names the block.

readonly PORTS_FIRST=15000 PORTS_LAST=30000
PORTS_DIR=/tmp/sluice-dev-ports # not TMPDIR: users of one machine may have different ones
PORTS_FILE=$DEV_STATE/ports

PORT_BASE=''
port_pg() { printf '%s\n' $((PORT_BASE + 32)); }
port_kafka() { printf '%s\n' $((PORT_BASE + 90 + 2 * $1)); }

# ---------------------------------------------------------------------------------------------------- who listens

# Inodes of sockets that listen on PORT, IPv4 and IPv6.
port_inodes() {
    local hex
    printf -v hex ':%04X' "$1"
    awk -v p="$hex" '$4 == "0A" && substr($2, length($2) - 4) == p { print $10 }' /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

port_free() { [[ -z $(port_inodes "$1") ]]; }

# "port 15032 is held by pid 123 (postgres -D ...)": read from /proc, so no tool is needed. Another user's process
# can be seen only by root.
port_holder() {
    local inode fd pid cmd
    for inode in $(port_inodes "$1"); do
        fd=$(find /proc/[0-9]*/fd -maxdepth 1 -lname "socket:\\[$inode\\]" -print -quit 2>/dev/null) || true
        [[ -n $fd ]] || continue
        pid=${fd#/proc/}
        pid=${pid%%/*}
        cmd=$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c1-90)
        printf 'port %s is held by pid %s (%s)\n' "$1" "$pid" "${cmd% }"
        return 0
    done
    printf 'port %s is held by a process of another user\n' "$1"
}

# ---------------------------------------------------------------------------------------------------- claims

# Runs a command under the machine's lock. Opened for reading: in a sticky directory the kernel may forbid opening
# another user's file for creation, even to root.
ports_locked() {
    local rc=0
    if [[ ! -e $PORTS_DIR/lock ]]; then
        # shellcheck disable=SC2174 # only the deepest directory is made
        (umask 0 && mkdir -m 1777 -p "$PORTS_DIR" && : >"$PORTS_DIR/lock") 2>/dev/null || true
    fi
    exec 8<"$PORTS_DIR/lock" || return 1
    flock -w 30 8 || note "the port lock $PORTS_DIR/lock is held for more than 30 s; going on without it"
    "$@" 8<&- || rc=$?
    exec 8<&-
    return "$rc"
}

# True when another state directory owns the block.
block_claimed() {
    local owner
    [[ -e $PORTS_DIR/block-$1 ]] || return 1
    owner=$(cat "$PORTS_DIR/block-$1" 2>/dev/null) || return 0
    [[ $owner != "$DEV_STATE" ]] || return 1
    [[ $(cat "$owner/ports" 2>/dev/null) == "$1" ]]
}

# First port of the block that somebody listens on, if any.
block_taken_port() {
    local port
    for port in $(($1 + 10)) $(($1 + 21)) $(($1 + 31)) $(($1 + 32)) $(($1 + 33)) $(($1 + 81)) $(($1 + 92)) $(($1 + 93)) $(($1 + 94)) $(($1 + 95)) $(($1 + 96)) $(($1 + 97)); do
        port_free "$port" || {
            printf '%s\n' "$port"
            return 0
        }
    done
    return 1
}

block_record() {
    PORT_BASE=$1
    mkdir -p "$DEV_STATE"
    rm -f "$PORTS_DIR/block-$1" 2>/dev/null || true
    printf '%s\n' "$DEV_STATE" >"$PORTS_DIR/block-$1" 2>/dev/null || note "cannot write $PORTS_DIR/block-$1"
    printf '%s\n' "$1" >"$PORTS_FILE"
}

block_search() {
    local base port
    for ((base = PORTS_FIRST; base < PORTS_LAST; base += 100)); do
        if block_claimed "$base"; then
            continue
        fi
        if port=$(block_taken_port "$base"); then
            note "$(port_holder "$port"); trying the block of $((base + 100))"
            continue
        fi
        block_record "$base"
        return 0
    done
    die "$EX_UNAVAILABLE" "no free block of 100 ports between $PORTS_FIRST and $PORTS_LAST"
}

# ---------------------------------------------------------------------------------------------------- for the stack

# Reads the recorded block; false when this state directory has none yet.
ports_load() {
    local base=''
    [[ -r $PORTS_FILE ]] && read -r base <"$PORTS_FILE"
    [[ $base =~ ^[0-9]+$ ]] || return 1
    PORT_BASE=$base
}

# ports_choose RUNNING: RUNNING is "yes" while a part of this stack is up; then its block cannot change.
ports_choose() {
    local running=$1 want=${SLUICE_DEV_PORT_BASE:-} port
    if [[ -n $want && ! ($want =~ ^[0-9]{4,5}$ && $want -ge 1024 && $want -le 65400) ]]; then
        die "$EX_USAGE" "SLUICE_DEV_PORT_BASE=$want: expected a port number from 1024 to 65400"
    fi
    if [[ $running == yes ]] && ports_load; then
        [[ -z $want || $want == "$PORT_BASE" ]] ||
            die "this stack runs on ports $PORT_BASE and up; ./dev down first to move it to $want"
        return 0
    fi
    if [[ -n $want ]]; then
        if port=$(block_taken_port "$want"); then
            die "$EX_UNAVAILABLE" "$(port_holder "$port"); end it, or set SLUICE_DEV_PORT_BASE to another block of 100"
        fi
        ports_locked block_record "$want"
        return 0
    fi
    if ports_load && ! block_claimed "$PORT_BASE" && ! port=$(block_taken_port "$PORT_BASE"); then
        ports_locked block_record "$PORT_BASE"
        return 0
    fi
    [[ -z ${port:-} ]] || note "$(port_holder "$port"): this stack moves to another block"
    ports_locked block_search
}

# Before a part starts: its port must be free. Parts that start later than the first one come here too.
port_require() {
    port_free "$1" && return 0
    err "$(port_holder "$1"), but $2 needs it"
    return 1
}

# ---------------------------------------------------------------------------------------------------- single ports

# One free port for a throw-away server of a test, claimed until process PID ends.
port_single_search() {
    local pid=$1 try port
    for ((try = 0; try < 200; try++)); do
        port=$((PORTS_LAST + RANDOM % 2500))
        port_free "$port" || continue
        if pid_alive "$PORTS_DIR/port-$port"; then
            continue
        fi
        rm -f "$PORTS_DIR/port-$port" 2>/dev/null
        pid_write "$PORTS_DIR/port-$port" "$pid" 2>/dev/null || continue
        printf '%s\n' "$port"
        return 0
    done
    return 1
}

port_single() { ports_locked port_single_search "$1"; }
