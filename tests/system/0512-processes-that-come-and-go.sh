#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: the same as in 0511 with two callback processes and two sinks of which any may be killed, stopped or started at
# any moment, so that partitions go from one to the other while work is under way.
#
# How it could break: a process that was asked to give a partition up and commits for it later; one that takes a partition
# before the other's last transaction is decided; slots and member ids that two use at once; a stop that drops work.
#
# The seed (SLUICE_TEST_SEED) fixes who comes, goes and is killed, and after how many requests.

. "$(dirname "$0")/lib.sh"
# shellcheck source=callbacks.sh
. "$(dirname "$0")/callbacks.sh"

events=${SLUICE_TEST_EVENTS:-$(t_size 1600 20000)}
t_begin "processes that come and go lose and double no callback"
t_seed
cb_begin

cb_small

declare -A up=()
come() {
    [[ -z ${up[$1]:-} ]] || return 0
    start_role "$1" "${1%[12]}"
    up[$1]=yes
}
go() {
    proc_alive "$1" || t_fail "$1 has ended by itself"
    if ((RANDOM % 3 == 0)); then
        stop_role "$1" 40
        t_eq "the end of $1" 0 "$T_RC"
    else
        cb_cut "$1" kill_role "$1"
        killed=$((killed + 1))
    fi
    up[$1]=''
}

killed=0
names=(callback1 callback2 sink1 sink2)
start_role relay relay
come callback1
come sink1
parts=$((events / 200))
for ((part = 0; part < parts; part++)); do
    before=$(answered) some=$((RANDOM % 100))
    cb_insert $((part * events / parts + 1)) $(((part + 1) * events / parts))
    wait_until 60 "(( \$(answered) > $((before + some)) ))"
    name=${names[RANDOM % 4]}
    if [[ -n ${up[$name]:-} ]]; then
        go "$name"
    else
        come "$name"
    fi
    # One of each is there.
    [[ -n ${up[callback1]:-}${up[callback2]:-} ]] || come "callback$((1 + RANDOM % 2))"
    [[ -n ${up[sink1]:-}${up[sink2]:-} ]] || come "sink$((1 + RANDOM % 2))"
done

# Both at work, and one of them goes in the middle.
come callback1
come callback2
wait_role callback 60
before=$(answered)
cb_insert $((events + 1)) $((events + 300))
wait_until 60 "(( \$(answered) > $((before + 50)) ))"
cb_cut callback1 kill_role callback1
t_ok "$((killed + 1)) killed"

cb_settle 300
cb_judge
cb_repeated "$CB_HELD" callback
for name in callback2 sink1 sink2; do
    [[ -n ${up[$name]:-} ]] || continue
    stop_role "$name" 40
    t_eq "the end of $name" 0 "$T_RC"
done
