# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For system tests of the delivery runtime: starts delivery_probe (tests/support/delivery_probe.c), feeds it, and judges
# what came out. Source after lib.sh.

# probe_setup: after t_begin.
probe_setup() {
    PROBE=${SLUICE_TEST_PROBE:-$(dirname -- "$SLUICE_BIN")/tests/delivery_probe}
    [[ -x $PROBE ]] || t_fail "no $PROBE; build all targets"
    # Of other roles, whose options the probe has not.
    unset "${!SLUICE_CALLBACK_@}" "${!SLUICE_PUSH_@}" SLUICE_EXPRESS_LISTEN SLUICE_DEVICE_LISTEN
}

# start_probe NAME [VAR=value]...
start_probe() {
    local name=$1
    shift
    start_proc "$name" env "$@" "$PROBE"
}

# ends NAME: records it has finished. (Counting a topic that grows takes until it has stopped growing.)
ends() { grep -c '^end ' "$(proc_log "$1")" || true; }
starts() { grep -c '^start ' "$(proc_log "$1")" || true; }

# feed FROM TO [WORD]: records "WORD.N" with key N % 50, as one transaction of an upstream would leave them.
feed() {
    local i
    for ((i = $1; i <= $2; i++)); do
        printf 'k%d|%s.%d\n' $((i % 50)) "${3:-v}" "$i"
    done | kcat -P -b "$KAFKA_BROKERS" -t "${SLUICE_TOPIC_PREFIX}callback.events" -K '|' -X partitioner=murmur2_random
}

# probe_outcomes [ISOLATION]: one line an output: PARTITION OFFSET of its input, its key, its own partition and offset.
probe_outcomes() { topic_kcat callback.outcomes "${1:-read_committed}" '%s %k %p %o\n'; }

# inputs: PARTITION OFFSET KEY of all inputs.
probe_inputs() { topic_kcat callback.events read_committed '%p %o %k\n'; }

# check_exactly_once: every input has one output, and outputs of a key are in the order of the inputs.
check_exactly_once() {
    probe_inputs | sort >"$T_DIR/inputs"
    probe_outcomes | sort -k4,4n -k5,5n >"$T_DIR/outputs"
    cut -d' ' -f1-3 "$T_DIR/outputs" | sort >"$T_DIR/outputs.sorted"
    t_eq "inputs without an output" 0 "$(comm -23 "$T_DIR/inputs" "$T_DIR/outputs.sorted" | wc -l)"
    t_eq "outputs that are doubled" 0 "$(uniq -d "$T_DIR/outputs.sorted" | wc -l)"
    t_eq "outputs without an input" 0 "$(comm -13 "$T_DIR/inputs" "$T_DIR/outputs.sorted" | wc -l)"
    t_eq "outputs out of their key's order" 0 \
        "$(awk '($3 in last) && $2 <= last[$3] { n++ } { last[$3] = $2 } END { print n + 0 }' "$T_DIR/outputs")"
}
