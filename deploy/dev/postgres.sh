# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# A PostgreSQL cluster of our own in a directory: made, started, stopped, killed. Never the system's cluster.
# Used for the stack (DEV_STATE/pg) and by tests that need one to break.
#
#     DIR/data            the cluster, or a link to where the server's user can reach it
#     DIR/port  DIR/pid   where it listens, who it is (pid and start time)
#     DIR/password  DIR/admin_password   0600; of the owner `sluice` (no superuser) and of `postgres`
#     DIR/log
#
# TCP on 127.0.0.1 only: a socket path below a deep checkout would not fit into the 107 bytes of a socket address.

readonly PG_MAJOR=15

# The version we are written for, or the newest one installed.
pg_bindir() {
    local dir=/usr/lib/postgresql/$PG_MAJOR/bin
    [[ -x $dir/initdb ]] || dir=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    [[ -x $dir/initdb ]] || {
        err "no PostgreSQL server under /usr/lib/postgresql; ./dev deps installs it"
        return 1
    }
    printf '%s\n' "$dir"
}

# The server refuses to run as root, so then it runs as the user that Debian's package made.
pg_user() {
    if [[ $EUID -ne 0 ]]; then
        id -un
    elif id postgres >/dev/null 2>&1; then
        printf 'postgres\n'
    else
        printf 'nobody\n'
    fi
}

# By its real path: the server's user may not be able to walk to the link.
pg_datadir() { readlink -f "$1/data"; }
pg_port() { cat "$1/port"; }
pg_url() { printf 'postgresql://sluice:%s@127.0.0.1:%s/%s\n' "$(<"$1/password")" "$(<"$1/port")" "${2:-sluice}"; }
pg_admin_url() {
    printf 'postgresql://postgres:%s@127.0.0.1:%s/%s\n' "$(<"$1/admin_password")" "$(<"$1/port")" "${2:-postgres}"
}
pg_alive() { pid_alive "$1/pid"; }

# Where the cluster's files go. As root the server's user must be able to walk there; a checkout below /root (0700)
# does not let it, and opening somebody's home directory is not ours to do: then the files go below /var/tmp and
# DIR/data is a link.
pg_make_datadir() {
    local dir=$1 user=$2 real
    if as_user "$user" test -x "$dir" 2>/dev/null; then
        mkdir -m 0700 "$dir/data"
        real=$dir/data
    else
        real=$(mktemp -d /var/tmp/sluice-dev-pg.XXXXXX)
        printf '%s\n' "$dir" >"$real.owner"
        ln -s "$real" "$dir/data"
        note "user $user cannot reach $dir; the cluster lives in $real"
    fi
    [[ $EUID -ne 0 ]] || chown "$user" "$real"
}

pg_secret() { (umask 077 && random_hex 16 >"$1"); }

# pg_create DIR [SETTING...]: SETTING is a line of postgresql.conf. Does nothing when the cluster is there.
pg_create() {
    local dir=$1 bin user pwfile rc=0
    shift
    [[ -e $dir/created ]] && return 0
    bin=$(pg_bindir) || return 1
    user=$(pg_user)
    # What a killed attempt left is worth nothing: there is no `created` mark.
    pg_remove "$dir"
    mkdir -p "$dir"
    pg_secret "$dir/password"
    pg_secret "$dir/admin_password"
    pg_make_datadir "$dir" "$user"
    pwfile=$(mktemp)
    cat "$dir/admin_password" >"$pwfile"
    [[ $EUID -ne 0 ]] || chown "$user" "$pwfile"
    (cd / && as_user "$user" "$bin/initdb" -D "$(pg_datadir "$dir")" -U postgres --auth=scram-sha-256 --pwfile="$pwfile" \
        --encoding=UTF8 --locale=C.UTF-8 --no-sync) >"$dir/log" 2>&1 || rc=$?
    rm -f "$pwfile"
    if ((rc != 0)); then
        err "initdb failed"
        show_tail "$dir/log"
        return 1
    fi
    # fsync stays on: what survives a kill is what the tests are about.
    printf '%s\n' "listen_addresses = '127.0.0.1'" "unix_socket_directories = ''" "max_connections = 100" \
        "shared_buffers = '${SLUICE_DEV_PG_BUFFERS:-64MB}'" "log_line_prefix = '%m [%p] %q%u@%d '" "log_timezone = 'UTC'" "timezone = 'UTC'" \
        "$@" | as_user "$user" tee -a "$(pg_datadir "$dir")/postgresql.conf" >/dev/null
    : >"$dir/created"
}

pg_ready() { "$(pg_bindir)/pg_isready" -q -h 127.0.0.1 -p "$1" -t 2; }
pg_ready_or_dead() { pg_ready "$2" || ! pg_alive "$1"; }

pg_launch() {
    local dir=$1 port=$2 bin argv
    bin=$(pg_bindir) || return 1
    argv=("$bin/postgres" -D "$(pg_datadir "$dir")" -c "port=$port")
    if [[ $EUID -eq 0 ]]; then
        local user
        user=$(pg_user)
        argv=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --init-groups --inh-caps=-all -- "${argv[@]}")
    fi
    # The server's working directory must be one it can enter; it changes to its data directory itself.
    (cd / && spawn "$dir/pid" "$dir/log" "${argv[@]}") || return 1
    wait_for 60 pg_ready_or_dead "$dir" "$port"
    pg_alive "$dir"
}

# pg_start DIR PORT: returns when it accepts connections and the role and database exist. Harmless when it runs.
pg_start() {
    local dir=$1 port=$2 try mark
    pg_alive "$dir" && return 0
    port_require "$port" PostgreSQL || return 1
    printf '%s\n' "$port" >"$dir/port"
    for try in 1 2 3 4 5; do
        mark=$(wc -l <"$dir/log")
        if pg_launch "$dir" "$port"; then
            pg_bootstrap "$dir"
            return
        fi
        # Backends of a killed server may live a moment longer than it; while they do, a new one refuses to start.
        tail -n "+$((mark + 1))" "$dir/log" | grep -q 'pre-existing shared memory\|lock file .* already exists' || break
        sleep "$try"
    done
    err "PostgreSQL does not start"
    show_tail "$dir/log"
    return 1
}

# Role and database of the stack. The role is no superuser; as owner of the database it may create in it.
pg_bootstrap() {
    local dir=$1
    [[ -e $dir/bootstrapped ]] && return 0
    # Through standard input: arguments can be seen by every user of the machine.
    psql -qAtX -v ON_ERROR_STOP=1 "$(pg_admin_url "$dir")" >>"$dir/log" 2>&1 <<SQL || {
DROP DATABASE IF EXISTS sluice;
DROP ROLE IF EXISTS sluice;
CREATE ROLE sluice LOGIN NOSUPERUSER PASSWORD '$(<"$dir/password")';
CREATE DATABASE sluice OWNER sluice;
SQL
        err "cannot create role and database"
        show_tail "$dir/log"
        return 1
    }
    : >"$dir/bootstrapped"
}

# A fast shutdown: connections are cut, everything is written.
pg_stop() { pid_stop "$1/pid" INT 60; }

pg_none_alive() {
    local pid
    for pid in "$@"; do
        ! proc_start_time "$pid" >/dev/null || return 1
    done
}

# Like a power cut for the server: postmaster and all its backends at once, nothing written on the way out.
pg_kill9() {
    local dir=$1 pid children
    pid=$(pid_of "$dir/pid") || return 0
    mapfile -t children < <(children_of "$pid")
    kill -KILL "$pid" "${children[@]}" 2>/dev/null || true
    wait_for 10 pg_none_alive "$pid" "${children[@]}" || return 1
    rm -f "$dir/pid"
}

# Files of a stopped cluster, also those outside DIR.
pg_remove() {
    local dir=$1 real
    if [[ -L $dir/data ]]; then
        real=$(readlink "$dir/data")
        # Only what pg_make_datadir made.
        [[ $real != /var/tmp/sluice-dev-pg.* ]] || rm -rf -- "$real" "$real.owner"
    fi
    rm -rf -- "$dir"
}
