# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# A Kafka cluster of our own in a directory (KRaft, one or three nodes, each broker and controller in one JVM).
# Used for the stack (DEV_STATE/kafka) and by tests that need one to break.
#
#     DIR/cluster.id  DIR/brokers   identity and number of nodes, fixed when the cluster is made
#     DIR/ports                     one line a node: client port, controller port
#     DIR/settings                  more lines for server.properties, with the same @...@ names; may be missing
#     DIR/N/{data,server.properties,pid,log}   node N
#
# The jars come from Maven (deploy/kafka/pom.xml) into a cache that all checkouts of this user share.

KAFKA_HEAP=${SLUICE_DEV_KAFKA_HEAP:-256m}

# ---------------------------------------------------------------------------------------------------- the jars

kafka_cache_dir() {
    local version hash
    version=$(sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' "$DEV_ROOT/deploy/kafka/pom.xml")
    hash=$(sha256sum <"$DEV_ROOT/deploy/kafka/pom.xml")
    printf '%s/sluice-dev/kafka-%s-%s\n' "${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}" "$version" "${hash:0:12}"
}

# Complete or not there at all: fetched beside the place and renamed. Whoever renames first wins, both are right.
kafka_jars() {
    local dir work
    dir=$(kafka_cache_dir)
    [[ -d $dir/libs ]] && return 0
    step "fetching Kafka (45 jars, 43 MB) into $dir"
    mkdir -p "${dir%/*}"
    work=$(mktemp -d "$dir.XXXXXX")
    if ! mvn -q -B -Dstyle.color=never -f "$DEV_ROOT/deploy/kafka/pom.xml" dependency:copy-dependencies \
        -DoutputDirectory="$work/libs" -DincludeScope=runtime >"$work/log" 2>&1; then
        err "Maven could not fetch the jars named in deploy/kafka/pom.xml (once, a network is needed for it)"
        show_tail "$work/log"
        rm -rf -- "$work"
        return "$EX_UNAVAILABLE"
    fi
    mv -T "$work" "$dir" 2>/dev/null || rm -rf -- "$work"
    [[ -d $dir/libs ]]
}

kafka_java() { java -cp "$(kafka_cache_dir)/libs/*" "$@"; }

# ---------------------------------------------------------------------------------------------------- making

# kafka_create DIR BROKERS: does nothing when it is there; refuses another number of nodes.
kafka_create() {
    local dir=$1 brokers=$2 have
    if [[ -e $dir/cluster.id ]]; then
        have=$(<"$dir/brokers")
        [[ $have == "$brokers" ]] && return 0
        err "this stack was made with $have broker(s), not $brokers; ./dev down --wipe first, then up again"
        return 1
    fi
    mkdir -p "$dir"
    printf '%s\n' "$brokers" >"$dir/brokers"
    # A UUID as Kafka writes it: 16 bytes, URL-safe base64 without padding.
    head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=' | sed 's/^-/A/' >"$dir/cluster.id"
}

kafka_nodes() { seq 1 "$(<"$1/brokers")"; }
kafka_node_port() { sed -n "$2s/ .*//p" "$1/ports"; }

# The bootstrap list for clients.
kafka_brokers() { awk '{ printf "%s127.0.0.1:%s", s, $1; s = "," } END { print "" }' "$1/ports"; }

# kafka_set_ports DIR PORT CONTROLLER_PORT [PORT CONTROLLER_PORT]...
kafka_set_ports() {
    local dir=$1
    shift
    printf '%s %s\n' "$@" >"$dir/ports.new" && mv -f "$dir/ports.new" "$dir/ports"
}

kafka_voters() { awk '{ printf "%s%d@127.0.0.1:%s", s, NR, $2; s = "," } END { print "" }' "$1/ports"; }

# Written at each start: ports may have moved, and the file in the repository may have changed.
kafka_configure() {
    local dir=$1 node=$2 brokers port controller copies=1 isr=1 settings=/dev/null
    brokers=$(<"$dir/brokers")
    if ((brokers >= 3)); then
        copies=3 isr=2
    fi
    read -r port controller < <(sed -n "${node}p" "$dir/ports")
    mkdir -p "$dir/$node"
    [[ -e $dir/settings ]] && settings=$dir/settings
    sed -e "s|@NODE_ID@|$node|" -e "s|@VOTERS@|$(kafka_voters "$dir")|" -e "s|@PORT@|$port|g" \
        -e "s|@CONTROLLER_PORT@|$controller|" -e "s|@DATA_DIR@|$dir/$node/data|" -e "s|@REPLICATION@|$copies|" \
        -e "s|@MIN_ISR@|$isr|" -e "s|@NETWORK_THREADS@|$((copies > 1 ? 2 : 1))|" \
        "$DEV_ROOT/deploy/kafka/server.properties.in" "$settings" >"$dir/$node/server.properties"
}

kafka_format() {
    local dir=$1 node=$2
    [[ -e $dir/$node/data/meta.properties ]] && return 0
    kafka_java kafka.tools.StorageTool format -t "$(<"$dir/cluster.id")" -c "$dir/$node/server.properties" \
        >>"$dir/$node/log" 2>&1 && return 0
    err "formatting the Kafka node failed"
    show_tail "$dir/$node/log"
    return 1
}

# ---------------------------------------------------------------------------------------------------- starting

kafka_node_alive() { pid_alive "$1/$2/pid"; }

# All nodes of the cluster that should run do.
kafka_alive() {
    local node
    [[ -e $1/brokers ]] || return 1
    for node in $(kafka_nodes "$1"); do
        kafka_node_alive "$1" "$node" || return 1
    done
}

kafka_any_alive() {
    local node
    [[ -e $1/brokers ]] || return 1
    for node in $(kafka_nodes "$1"); do
        ! kafka_node_alive "$1" "$node" || return 0
    done
    return 1
}

# kafka_start_node DIR NODE: only starts; kafka_wait tells when the cluster answers.
kafka_start_node() {
    local dir=$1 node=$2 port controller
    kafka_node_alive "$dir" "$node" && return 0
    read -r port controller < <(sed -n "${node}p" "$dir/ports")
    port_require "$port" "Kafka broker $node" || return 1
    port_require "$controller" "Kafka controller $node" || return 1
    kafka_configure "$dir" "$node"
    kafka_format "$dir" "$node" || return 1
    spawn "$dir/$node/pid" "$dir/$node/log" java "-Xms64m" "-Xmx$KAFKA_HEAP" -XX:+UseSerialGC -Xshare:auto \
        -Djava.awt.headless=true "-Dlog4j2.configurationFile=$DEV_ROOT/deploy/kafka/log4j2.xml" \
        -cp "$(kafka_cache_dir)/libs/*" kafka.Kafka "$dir/$node/server.properties"
}

# Answers with all its brokers and a controller. kcat waits its whole timeout for a broker that refuses the connection,
# so it is asked only when they listen.
kafka_ready() {
    local dir=$1 want node
    want=$(<"$dir/brokers")
    for node in $(kafka_nodes "$dir"); do
        ! port_free "$(kafka_node_port "$dir" "$node")" || return 1
    done
    kcat -b "$(kafka_brokers "$dir")" -L -J -m 2 2>/dev/null |
        jq -e --argjson want "$want" '(.brokers | length) == $want and .controllerid >= 0' >/dev/null 2>&1
}

kafka_ready_or_dead() { kafka_ready "$1" || ! kafka_alive "$1"; }

# kafka_wait DIR [SECONDS]: until the cluster is ready; says why it is not.
kafka_wait() {
    local dir=$1 seconds=${2:-120} node
    wait_for "$seconds" kafka_ready_or_dead "$dir" || true
    kafka_alive "$dir" && kafka_ready "$dir" && return 0
    err "Kafka is not ready"
    for node in $(kafka_nodes "$dir"); do
        kafka_node_alive "$dir" "$node" || err "broker $node has ended"
        show_tail "$dir/$node/log" 8
    done
    return 1
}

# kafka_start DIR: all nodes, and ready. Harmless when they run. kafka_create and kafka_set_ports come first.
kafka_start() {
    local dir=$1 node
    kafka_jars || return
    for node in $(kafka_nodes "$dir"); do
        kafka_start_node "$dir" "$node" || return 1
    done
    kafka_wait "$dir"
}

# ---------------------------------------------------------------------------------------------------- stopping

# kafka_stop_node DIR NODE: leadership is handed over, logs are flushed.
kafka_stop_node() { pid_stop "$1/$2/pid" TERM 20; }

kafka_stop() {
    local dir=$1 node pids=()
    [[ -e $dir/brokers ]] || return 0
    # All at once: one after the other, the last ones would wait for a controller quorum that is gone.
    for node in $(kafka_nodes "$dir"); do
        kafka_stop_node "$dir" "$node" &
        pids+=($!)
    done
    wait "${pids[@]}"
}

# kafka_kill9 DIR [NODE]: as if the machine had lost power, one node or all.
kafka_kill9() {
    local dir=$1 node
    for node in ${2:-$(kafka_nodes "$dir")}; do
        pid_stop "$dir/$node/pid" KILL 10 || return 1
        # The kernel may still be closing what the last of its threads held.
        wait_for 10 port_free "$(kafka_node_port "$dir" "$node")" || true
    done
}
