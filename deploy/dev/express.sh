# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Parcels of a local stack: where the first gateway listens for carriers and phones, for commands that ask it, and the
# receiver as the cloud function that sends to phones, with a secret of its own (secrets.sh makes it).

# What the user has set stays as it is.
express_env() {
    SLUICE_EXPRESS_LISTEN=127.0.0.1:$(express_port 1)
    SLUICE_DEVICE_LISTEN=127.0.0.1:$(device_port 1)
    export SLUICE_EXPRESS_LISTEN SLUICE_DEVICE_LISTEN # as roles.sh gives them to the first gateway
    export SLUICE_PUSH_ALLOW_HTTP=${SLUICE_PUSH_ALLOW_HTTP:-true} SLUICE_PUSH_ALLOW_NETS=${SLUICE_PUSH_ALLOW_NETS:-127.0.0.0/8,::1}
    [[ -z ${CLOUD_FUNC_URL:-}${SLUICE_PUSH_PROVIDERS_FILE:-} && -s $DEV_SECRETS/cloud-func ]] || return 0
    CLOUD_FUNC_URL=$(receiver_url)/push
    export CLOUD_FUNC_URL CLOUD_FUNC_SECRET_FILE=$DEV_SECRETS/cloud-func
}
