# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What a local stack needs so that the first event anybody inserts is delivered: secrets for the platforms sub2api,
# newapi and demo, plain http and this machine's own addresses opened, and a receiver that verifies what comes.

readonly DEV_PLATFORMS=(sub2api newapi demo)
readonly DEV_SECRETS=$DEV_STATE/secrets

port_receiver() { printf '%s\n' $((PORT_BASE + 31)); }
receiver_url() { printf 'http://127.0.0.1:%s\n' "$(port_receiver)"; }
receiver_pid_file() { printf '%s/pid/receiver-1\n' "$DEV_STATE"; }

# One file a platform; made once, never printed. What the shell has set is not written into them: it stays where it is.
secrets_make() {
    local said
    (umask 077 && mkdir -p "$DEV_SECRETS") || return 1
    said=$(env -i PATH="$PATH" sh "$DEV_ROOT/deploy/compose/secrets.sh" "$DEV_SECRETS" "${DEV_PLATFORMS[@]}" 2>&1) || {
        err "$said"
        return 1
    }
}

# What the user has set stays as it is.
callbacks_env() {
    local platform prefix secret file
    for platform in "${DEV_PLATFORMS[@]}"; do
        prefix=AI_CS_PLATFORM_${platform^^}_CALLBACK
        secret=${prefix}_SECRET file=${prefix}_SECRET_FILE
        if [[ -z ${!secret:-} && -z ${!file:-} && -s $DEV_SECRETS/$platform ]]; then
            export "$file=$DEV_SECRETS/$platform"
        fi
    done
    export SLUICE_CALLBACK_ALLOW_HTTP=${SLUICE_CALLBACK_ALLOW_HTTP:-true}
    export SLUICE_CALLBACK_ALLOW_NETS=${SLUICE_CALLBACK_ALLOW_NETS:-127.0.0.0/8,::1}
    SLUICE_DEV_RECEIVER=$(receiver_url)
    export SLUICE_DEV_RECEIVER
}

receiver_answers() { curl -fsS -m 2 -o /dev/null "$(receiver_url)/stats" 2>/dev/null; }

receiver_start() {
    local pid_file log
    pid_file=$(receiver_pid_file)
    log=$DEV_STATE/log/receiver-1.log
    pid_alive "$pid_file" && return 0
    port_require "$(port_receiver)" receiver || return 1
    mkdir -p "$DEV_STATE/pid" "$DEV_STATE/log"
    spawn "$pid_file" "$log" "$(sluice_bin)" receive --listen "127.0.0.1:$(port_receiver)"
    wait_for 10 receiver_answers && return 0
    err "the receiver does not answer"
    show_tail "$log"
    return 1
}
