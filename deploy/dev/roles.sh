# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The roles of the stack as processes: ROLE-1, ROLE-2, ... each with pid file and log.

# In the order of the road; `up` starts them so and `down` stops them backwards.
readonly DEV_ROLES=(relay gateway callback notify push account sink)
# Fixed for all roles that will be, so that a role keeps its port when others are added.
readonly DEV_ROLE_PORTS=(relay gateway callback notify push account sink reconcile registry console)

role_known() {
    local role
    for role in "${DEV_ROLES[@]}"; do
        [[ $role != "$1" ]] || return 0
    done
    return 1
}

role_pid_file() { printf '%s/pid/%s-%s\n' "$DEV_STATE" "$1" "$2"; }
role_log() { printf '%s/log/%s-%s.log\n' "$DEV_STATE" "$1" "$2"; }

# Operator port of an instance; nothing beyond the fifth, which then takes the next free one by itself.
role_port() {
    local i
    for i in "${!DEV_ROLE_PORTS[@]}"; do
        [[ ${DEV_ROLE_PORTS[i]} == "$1" ]] || continue
        if (($2 == 1)); then
            printf '%s\n' $((PORT_BASE + 10 + i))
        elif (($2 <= 5)); then
            printf '%s\n' $((PORT_BASE + 40 + 10 * ($2 - 2) + i))
        fi
        return 0
    done
}

# Where an instance of the gateway listens for services, carriers and phones; the sixth and later ones would need ports of
# their own.
gateway_port() { printf '%s\n' $((PORT_BASE + 20 + $1)); }
express_port() { printf '%s\n' $((PORT_BASE + 32 + $1)); }
device_port() { printf '%s\n' $((PORT_BASE + 80 + $1)); }
express_url() { printf 'http://127.0.0.1:%s\n' "$(express_port 1)"; }
device_url() { printf 'http://127.0.0.1:%s\n' "$(device_port 1)"; }

# Of instance N: the arguments that say where it listens.
gateway_args() {
    printf '%s\n' --gateway.listen "127.0.0.1:$(gateway_port "$1")" --express.listen "127.0.0.1:$(express_port "$1")" \
        --device.listen "127.0.0.1:$(device_port "$1")"
}

# Numbers of the recorded instances of a role, lowest first.
role_instances() {
    local file
    for file in "$DEV_STATE/pid/$1"-*; do
        [[ -e $file ]] && printf '%s\n' "${file##*-}"
    done | sort -n
}

role_start() {
    local role=$1 n=$2 pid_file log port args=() more=()
    pid_file=$(role_pid_file "$role" "$n")
    log=$(role_log "$role" "$n")
    pid_alive "$pid_file" && return 0
    port=$(role_port "$role" "$n")
    if [[ -n $port ]]; then
        port_require "$port" "$role-$n" || return 1
        args=(--http "127.0.0.1:$port")
    fi
    if [[ $role == gateway ]]; then
        ((n <= 5)) || { err "./dev starts at most five instances of the gateway" && return 1; }
        for port in "$(gateway_port "$n")" "$(express_port "$n")" "$(device_port "$n")"; do
            port_require "$port" "$role-$n" || return 1
        done
        mapfile -t more < <(gateway_args "$n")
        args+=("${more[@]}")
    fi
    mkdir -p "$DEV_STATE/pid" "$DEV_STATE/log" "$SLUICE_RUNTIME_DIR"
    spawn "$pid_file" "$log" "$(sluice_bin)" run "$role" "${args[@]}"
}

role_healthy() { "$(sluice_bin)" health "$1" >/dev/null 2>&1; }

# All recorded instances alive and ready, or one of them dead.
role_settled() {
    local n
    for n in $(role_instances "$1"); do
        pid_alive "$(role_pid_file "$1" "$n")" || return 0
    done
    role_healthy "$1"
}

role_wait() {
    local role=$1 n
    wait_for "${SLUICE_DEV_ROLE_WAIT:-60}" role_settled "$role" || true
    for n in $(role_instances "$role"); do
        if ! pid_alive "$(role_pid_file "$role" "$n")"; then
            err "$role-$n has ended"
            show_tail "$(role_log "$role" "$n")"
            return 1
        fi
    done
    role_healthy "$role" && return 0
    err "$role does not get ready: $("$(sluice_bin)" health "$role" 2>&1 | tail -n 1)"
    show_tail "$(role_log "$role" 1)"
    return 1
}

role_stop() { pid_stop "$(role_pid_file "$1" "$2")" TERM "${3:-20}"; }

# role_scale ROLE COUNT exactly|atleast
role_scale() {
    local role=$1 count=$2 how=$3 n
    for ((n = 1; n <= count; n++)); do
        role_start "$role" "$n" || return 1
    done
    if [[ $how == exactly ]]; then
        for n in $(role_instances "$role"); do
            ((n <= count)) || role_stop "$role" "$n"
        done
    fi
    role_wait "$role"
}

# Backwards along the road, the instances of one role together. Also roles that an older ./dev knew.
roles_stop_all() {
    local i role n pids=() file
    for ((i = ${#DEV_ROLES[@]} - 1; i >= 0; i--)); do
        role=${DEV_ROLES[i]}
        pids=()
        for n in $(role_instances "$role"); do
            role_stop "$role" "$n" &
            pids+=($!)
        done
        ((${#pids[@]} == 0)) || wait "${pids[@]}"
    done
    for file in "$DEV_STATE"/pid/*; do
        [[ ! -e $file || $file == *.new ]] || pid_stop "$file"
    done
}
