# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# How ./dev demo gets through its retries within seconds: the callback role is started with a short schedule, which stands
# only in the environment of that start, and is started again without it at the end.

readonly DEMO_FAST=('RETRY_SCHEDULE_SEC=1,1,2' 'MAX_RETRIES=3')
readonly DEMO_RUNBOOK_SCHEDULE=10,30,60,300,900 DEMO_RUNBOOK_RETRIES=5

DEMO_CALLBACKS=()
declare -A DEMO_KEPT=() # what the short schedule hides of the caller's environment, '' = nothing

demo_fast_begin() {
    local platform setting name
    for platform in "${DEV_PLATFORMS[@]}"; do
        for setting in "${DEMO_FAST[@]}"; do
            name=AI_CS_PLATFORM_${platform^^}_CALLBACK_${setting%%=*}
            DEMO_KEPT[$name]=${!name:-}
            export "$name=${setting#*=}"
        done
    done
}

demo_callback_is_fast() { ((${#DEMO_KEPT[@]} > 0)) && [[ $DEMO_STACK_UP == yes ]]; }

# demo_setting PLATFORM NAME DEFAULT: as the callback role sees it.
demo_setting() {
    local name=AI_CS_PLATFORM_${1^^}_CALLBACK_$2
    printf '%s\n' "${!name:-$3}"
}

# Attempts of an event before it is dead.
demo_budget() { printf '%s\n' $(($(demo_setting "$1" MAX_RETRIES "$DEMO_RUNBOOK_RETRIES") + 1)); }

demo_schedule_text() {
    printf '%s, after %s s' "$(demo_setting sub2api MAX_RETRIES "$DEMO_RUNBOOK_RETRIES")" \
        "$(demo_setting sub2api RETRY_SCHEDULE_SEC "$DEMO_RUNBOOK_SCHEDULE")"
    ((${#DEMO_KEPT[@]} == 0)) || printf ' (for this demo; --schedule default leaves those of the runbook)'
}

# Seconds without any change after which something is wrong: the longest step, and the longest that an event is parked.
demo_patience() {
    local platform step longest=0
    for platform in "${DEV_PLATFORMS[@]}"; do
        for step in $(demo_setting "$platform" RETRY_SCHEDULE_SEC "$DEMO_RUNBOOK_SCHEDULE" | tr , ' '); do
            ((step <= longest)) || longest=$step
        done
    done
    printf '%s\n' $((longest * 12 / 10 + 90))
}

demo_callback_runs() {
    local n
    for n in $(role_instances callback); do
        ! pid_alive "$(role_pid_file callback "$n")" || return 0
    done
    return 1
}

# All instances again, with the environment as it is now. Remembered, so that an interruption in the middle of it can be
# made good.
demo_callback_restart() {
    local n pids=()
    ((${#DEMO_CALLBACKS[@]} > 0)) || mapfile -t DEMO_CALLBACKS < <(role_instances callback)
    state_lock
    for n in "${DEMO_CALLBACKS[@]}"; do
        role_stop callback "$n" &
        pids+=($!)
    done
    ((${#pids[@]} == 0)) || wait "${pids[@]}"
    for n in "${DEMO_CALLBACKS[@]}"; do
        role_start callback "$n" || return 1
    done
    role_wait callback || return 1
    state_unlock
}

demo_callback_restore() {
    local name
    for name in "${!DEMO_KEPT[@]}"; do
        unset "$name"
        [[ -z ${DEMO_KEPT[$name]} ]] || export "$name=${DEMO_KEPT[$name]}"
    done
    DEMO_KEPT=()
    demo_callback_restart || return 1
    good "callback runs with the retries of the runbook again: $(demo_schedule_text)"
}
