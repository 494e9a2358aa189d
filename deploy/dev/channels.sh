# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Channels of a local stack: keys and accounts of one's own, so that `sluice sign` can pay an order the way WeChat Pay,
# Alipay and Apple do, and the gateway believes it.

readonly DEV_CHANNELS=$DEV_STATE/channels

# Once; all of it or nothing.
channels_make() {
    local said
    [[ ! -s $DEV_CHANNELS/accounts.json ]] || return 0
    rm -rf -- "$DEV_CHANNELS" "$DEV_CHANNELS.new"
    said=$("$(sluice_bin)" sign init "$DEV_CHANNELS.new" 2>&1 </dev/null) && mv -- "$DEV_CHANNELS.new" "$DEV_CHANNELS" && return 0
    err "$said"
    return 1
}

# What the user has set stays as it is. Nothing before they are made.
channels_env() {
    [[ -s $DEV_CHANNELS/accounts.json && -z ${SLUICE_GATEWAY_ACCOUNTS:-} ]] || return 0
    export SLUICE_GATEWAY_ACCOUNTS=$DEV_CHANNELS/accounts.json
    export SLUICE_GATEWAY_RAW_KEYS_FILE=${SLUICE_GATEWAY_RAW_KEYS_FILE:-$DEV_CHANNELS/raw.keys}
}
