#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# secrets.sh DIR PLATFORM...: a file DIR/PLATFORM with a secret of Standard Webhooks (whsec_...) for each platform.
# And DIR/gateway.callers, DIR/cloud-func; with CHANNELS_DIR, keys and accounts of one's own at the channels there. Repeating it keeps what is there. A secret in AI_CS_PLATFORM_<PLATFORM>_CALLBACK_SECRET is written instead, so that
# whoever signs and whoever verifies read the same file.

set -eu
umask 077

[ $# -ge 2 ] || {
    echo "usage: secrets.sh DIR PLATFORM..." >&2
    exit 2
}
dir=$1
shift
[ -w "$dir" ] || {
    echo "secrets: $dir: expected a directory that uid $(id -u) can write to" >&2
    exit 1
}

# Complete or not at all, also when the container is killed meanwhile.
put() {
    printf '%s\n' "$2" >"$dir/.$1.new"
    mv -f "$dir/.$1.new" "$dir/$1"
}

for platform in "$@"; do
    variable=AI_CS_PLATFORM_$(printf '%s' "$platform" | tr 'a-z-' 'A-Z_')_CALLBACK_SECRET
    given=$(printenv "$variable" || true)
    if [ -n "$given" ]; then
        put "$platform" "$given"
        echo "secrets: $platform: taken from $variable" >&2
    elif [ -s "$dir/$platform" ]; then
        echo "secrets: $platform: kept" >&2
    else
        put "$platform" "whsec_$(head -c 32 /dev/urandom | base64 -w 0)"
        echo "secrets: $platform: generated" >&2
    fi
done

# The gateway's callers, one for a first try; more lines are added by hand, or SLUICE_GATEWAY_TOKENS_FILE names another file.
if [ -s "$dir/gateway.callers" ]; then
    echo "secrets: gateway.callers: kept" >&2
else
    put gateway.callers "demo $(head -c 32 /dev/urandom | base64 -w 0 | tr '+/' '-_')"
    echo "secrets: gateway.callers: generated, with the caller demo" >&2
fi

# With which the push role signs what it sends to the cloud function; the receiver plays one and verifies.
if [ -n "${CLOUD_FUNC_SECRET:-}" ]; then
    put cloud-func "$CLOUD_FUNC_SECRET"
    echo "secrets: cloud-func: taken from CLOUD_FUNC_SECRET" >&2
elif [ -s "$dir/cloud-func" ]; then
    echo "secrets: cloud-func: kept" >&2
else
    put cloud-func "$(head -c 32 /dev/urandom | base64 -w 0 | tr '+/' '-_')"
    echo "secrets: cloud-func: generated" >&2
fi

# Keys and accounts with which `sluice sign` can say what channels say; SLUICE_GATEWAY_ACCOUNTS names real ones.
if [ -n "${CHANNELS_DIR:-}" ] && [ -s "$CHANNELS_DIR/accounts.json" ]; then
    echo "secrets: channels: kept" >&2
elif [ -n "${CHANNELS_DIR:-}" ]; then
    rm -rf "$CHANNELS_DIR" "$CHANNELS_DIR.new"
    sluice sign init "$CHANNELS_DIR.new" 2>/dev/null
    mv "$CHANNELS_DIR.new" "$CHANNELS_DIR"
    echo "secrets: channels: generated" >&2
fi
