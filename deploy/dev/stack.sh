# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The stack as a whole: up, down, status, logs, and the commands that only need its addresses.

DEV_PG=$DEV_STATE/pg
DEV_KAFKA=$DEV_STATE/kafka

stack_running() {
    local file
    if pg_alive "$DEV_PG" || kafka_any_alive "$DEV_KAFKA"; then
        return 0
    fi
    for file in "$DEV_STATE"/pid/*; do
        [[ ! -e $file ]] || ! pid_alive "$file" || return 0
    done
    return 1
}

# The environment of everything that talks to the stack. False when there is none yet.
stack_env() {
    ports_load && [[ -e $DEV_PG/port && -e $DEV_KAFKA/ports ]] || return 1
    DATABASE_URL=$(pg_url "$DEV_PG")
    SLUICE_TEST_ADMIN_URL=$(pg_admin_url "$DEV_PG")
    KAFKA_BROKERS=$(kafka_brokers "$DEV_KAFKA")
    SLUICE_RUNTIME_DIR=$DEV_STATE/run
    SLUICE_DEV_PG_PORT=$(pg_port "$DEV_PG")
    SLUICE_DEV_KAFKA_PORT=$(kafka_node_port "$DEV_KAFKA" 1)
    export DATABASE_URL KAFKA_BROKERS SLUICE_RUNTIME_DIR SLUICE_TEST_ADMIN_URL SLUICE_DEV_PG_PORT SLUICE_DEV_KAFKA_PORT
    callbacks_env
    channels_env
    express_env
}

stack_env_or_die() { stack_env || die "there is no stack yet; ./dev up infra makes one"; }

# ---------------------------------------------------------------------------------------------------- up

infra_up() {
    local brokers=$1 node ports=()
    [[ -n $brokers ]] || brokers=$(cat "$DEV_KAFKA/brokers" 2>/dev/null) || brokers=1
    kafka_create "$DEV_KAFKA" "$brokers" || return 1
    kafka_jars || return
    if stack_running; then
        ports_choose yes
    else
        ports_choose no
    fi
    for ((node = 1; node <= brokers; node++)); do
        ports+=("$(port_kafka "$node")" "$(($(port_kafka "$node") + 1))")
    done
    kafka_any_alive "$DEV_KAFKA" || kafka_set_ports "$DEV_KAFKA" "${ports[@]}"
    # Kafka takes longer to come up; PostgreSQL is made meanwhile.
    for node in $(kafka_nodes "$DEV_KAFKA"); do
        kafka_start_node "$DEV_KAFKA" "$node" || return 1
    done
    pg_create "$DEV_PG" || return 1
    pg_start "$DEV_PG" "$(port_pg)" || return 1
    kafka_wait "$DEV_KAFKA" || return 1
    stack_env
    good "PostgreSQL 127.0.0.1:$SLUICE_DEV_PG_PORT, Kafka $KAFKA_BROKERS"
}

# Tables and topics, as the program makes them.
stack_prepare() {
    "$(sluice_bin)" migrate >&2 || return 1
    "$(sluice_bin)" topics apply >&2 || return 1
}

# up_role_spec ROLE[=N]: prints "ROLE COUNT HOW".
up_role_spec() {
    local role=${1%%=*} count=1 how=atleast
    role_known "$role" || die "$EX_USAGE" "up: $role is neither infra nor a role; roles: ${DEV_ROLES[*]}"
    if [[ $1 == *=* ]]; then
        count=${1#*=} how=exactly
        [[ $count =~ ^[0-9]{1,2}$ ]] || die "$EX_USAGE" "up: $1: expected a number of instances after ="
    fi
    printf '%s %s %s\n' "$role" "$count" "$how"
}

cmd_up() {
    local brokers='' specs=() infra_only=no spec role count how
    while (($#)); do
        case $1 in
            --brokers | --brokers=*)
                if [[ $1 == *=* ]]; then brokers=${1#*=}; else brokers=${2:-} && shift; fi
                [[ $brokers == 1 || $brokers == 3 ]] || die "$EX_USAGE" "--brokers: expected 1 or 3"
                ;;
            infra) infra_only=yes ;;
            -*) die "$EX_USAGE" "up: unknown option $1" ;;
            *)
                spec=$(up_role_spec "$1") || exit
                specs+=("$spec")
                ;;
        esac
        shift
    done
    deps
    if [[ $infra_only == no || ${#specs[@]} -gt 0 ]]; then
        step "building build/$DEV_PRESET"
        build "$DEV_PRESET"
    fi
    state_lock
    step "PostgreSQL and Kafka"
    infra_up "$brokers" || die "$EX_UNAVAILABLE" "the infrastructure is not up (see above); ./dev down stops what is"
    [[ $infra_only == no || ${#specs[@]} -gt 0 ]] || return 0
    if ((${#specs[@]} == 0)); then
        for role in "${DEV_ROLES[@]}"; do
            specs+=("$role 1 atleast")
        done
    fi
    step "tables and topics"
    stack_prepare || die "tables or topics could not be made (see above)"
    secrets_make || die "secrets could not be made in $DEV_SECRETS"
    channels_make || die "keys and accounts of channels could not be made in $DEV_CHANNELS"
    callbacks_env
    channels_env
    express_env
    receiver_start || die "the receiver is not up (see above)"
    for spec in "${specs[@]}"; do
        read -r role count how <<<"$spec"
        step "$role"
        role_scale "$role" "$count" "$how" || die "$role is not up (see above)"
        good "$role ($(role_instances "$role" | wc -l))"
    done
    state_unlock
}

# ---------------------------------------------------------------------------------------------------- down

# Stops everything; PostgreSQL and Kafka at the same time.
stack_stop() {
    local kafka
    roles_stop_all
    kafka_stop "$DEV_KAFKA" &
    kafka=$!
    pg_stop "$DEV_PG" || return 1
    wait "$kafka"
}

# Only what ./dev made, by name: DEV_STATE may be any directory.
stack_wipe() {
    pg_remove "$DEV_PG"
    rm -rf -- "$DEV_KAFKA" "$DEV_STATE/pid" "$DEV_STATE/log" "$DEV_STATE/run" "$DEV_SECRETS" "$DEV_CHANNELS" "$DEV_CHANNELS.new"
    if ports_load; then
        rm -f -- "$PORTS_DIR/block-$PORT_BASE" 2>/dev/null || true
    fi
    rm -f -- "$DEV_STATE/ports" "$DEV_STATE/demo.lock"
}

cmd_down() {
    local wipe=no
    case ${1:-} in
        '') ;;
        --wipe) wipe=yes ;;
        *) die "$EX_USAGE" "down: unknown argument $1 (only --wipe)" ;;
    esac
    [[ -d $DEV_STATE ]] || return 0
    state_lock
    stack_stop || die "something could not be stopped"
    if [[ $wipe == yes ]]; then
        stack_wipe
        good "stopped, data removed"
    else
        good "stopped; data kept in $DEV_STATE"
    fi
    state_unlock
}

# ---------------------------------------------------------------------------------------------------- looking

status_line() {
    local name=$1 file=$2 address=$3 log=$4 pid
    if pid=$(pid_of "$file"); then
        printf '%-14s %-8s %-8s %-22s %s\n' "$name" up "$pid" "$address" "$log"
    else
        printf '%-14s %-8s %-8s %-22s %s\n' "$name" down - "$address" "$log"
        return 1
    fi
}

# One line a part on stdout; exit 0 when all parts that were started run.
cmd_status() {
    local rc=0 node role n
    # Not stack_env: what an interrupted `up` has started must be seen too.
    ports_load && [[ -e $DEV_KAFKA/ports ]] || die "there is no stack yet; ./dev up infra makes one"
    printf '%-14s %-8s %-8s %-22s %s\n' PART STATE PID ADDRESS LOG
    status_line postgresql "$DEV_PG/pid" "127.0.0.1:$(port_pg)" "$DEV_PG/log" || rc=1
    for node in $(kafka_nodes "$DEV_KAFKA"); do
        status_line "kafka-$node" "$DEV_KAFKA/$node/pid" "127.0.0.1:$(kafka_node_port "$DEV_KAFKA" "$node")" \
            "$DEV_KAFKA/$node/log" || rc=1
    done
    [[ ! -e $(receiver_pid_file) ]] || # as with the roles: what nobody has started is not down
        status_line receiver "$(receiver_pid_file)" "127.0.0.1:$(port_receiver)" "$DEV_STATE/log/receiver-1.log" || rc=1
    for role in "${DEV_ROLES[@]}"; do
        for n in $(role_instances "$role"); do
            status_line "$role-$n" "$(role_pid_file "$role" "$n")" "127.0.0.1:$(role_port "$role" "$n")" \
                "$(role_log "$role" "$n")" || rc=1
        done
    done
    return "$rc"
}

cmd_logs() {
    local follow=() files=() file
    if [[ ${1:-} == -f ]]; then
        follow=(-F)
        shift
    fi
    case ${1:-} in
        '') files=("$DEV_STATE"/log/*.log) ;;
        pg | postgres | postgresql) files=("$DEV_PG/log") ;;
        kafka) files=("$DEV_KAFKA"/*/log) ;;
        *) files=("$DEV_STATE/log/$1"*.log) ;;
    esac
    for file in "${files[@]}"; do
        [[ -e $file ]] || die 4 "no log of ${1:-a role} yet (roles: ${DEV_ROLES[*]}; also: pg, kafka)"
    done
    exec tail -n 50 "${follow[@]}" "${files[@]}"
}

# ---------------------------------------------------------------------------------------------------- addresses

cmd_env() {
    local name
    stack_env_or_die
    for name in DATABASE_URL KAFKA_BROKERS SLUICE_RUNTIME_DIR SLUICE_TEST_ADMIN_URL SLUICE_DEV_PG_PORT SLUICE_DEV_KAFKA_PORT \
        SLUICE_DEV_RECEIVER SLUICE_CALLBACK_ALLOW_HTTP SLUICE_CALLBACK_ALLOW_NETS SLUICE_EXPRESS_LISTEN SLUICE_DEVICE_LISTEN "${!CLOUD_FUNC_@}" SLUICE_PUSH_ALLOW_HTTP SLUICE_PUSH_ALLOW_NETS \
        "${!SLUICE_GATEWAY_@}" "${!AI_CS_PLATFORM_@}"; do
        [[ $name == *_SECRET ]] || printf 'export %s=%q\n' "$name" "${!name}" # a secret is not printed, its file is named
    done
    for name in "${DEV_ROLES[@]}"; do
        printf 'export SLUICE_DEV_%s_HTTP=127.0.0.1:%s\n' "${name^^}" "$(role_port "$name" 1)"
    done
    printf 'export SLUICE_DEV_GATEWAY_URL=http://127.0.0.1:%s\n' "$(gateway_port 1)"
    printf 'export SLUICE_DEV_EXPRESS_URL=%s\nexport SLUICE_DEV_DEVICE_URL=%s\n' "$(express_url)" "$(device_url)"
    stack_running || note "the stack is down; ./dev up infra starts it"
}

cmd_psql() {
    stack_env_or_die
    exec psql "$DATABASE_URL" "$@"
}

cmd_kcat() {
    stack_env_or_die
    exec kcat -b "$KAFKA_BROKERS" "$@"
}

# Works without a stack too (help, topology, config): then without its addresses.
cmd_sluice() {
    build_if_missing
    stack_env || true
    exec "$(sluice_bin)" "$@"
}
