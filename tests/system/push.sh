# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For tests of pushes: keys of nobody, a stand-in for all providers (push_provider.mjs) and a providers file that leads
# there. Sourced after lib.sh; needs Node.js and openssl.
#
#     push_needs_node                                # exit 77 without it
#     push_keys                                      # PUSH_DIR
#     push_start p1                                  # PUSH_HTTP, PUSH_H2C, PUSH_TLS; ends with the test
#     push_providers_file                            # PUSH_DIR/providers.json: getui, fcm, apns, cloud, apps of their names
#     push_control '{"vendor": "getui", "verdicts": {"c1": "ignored"}}'
#     push_stat .getui.accepted
#
# PUSH_HTTP is HTTP/1.1, PUSH_H2C is HTTP/2 without TLS, PUSH_TLS is HTTP/2 with it (SLUICE_PUSH_CA_FILE=$PUSH_DIR/tls.crt).

export -n PUSH_DIR='' PUSH_HTTP='' PUSH_H2C='' PUSH_TLS=''

push_needs_node() {
    command -v node >/dev/null && return 0
    printf 'skipped: there is no Node.js here, which the stand-in for providers needs\n'
    exit 77
}

# push_secret NAME TEXT: a file that only its owner reads
push_secret() { (umask 077 && printf '%s\n' "$2" >"$PUSH_DIR/$1"); }

push_keys() {
    PUSH_DIR=$T_DIR/push
    mkdir -m 700 "$PUSH_DIR"
    (
        umask 077
        openssl genrsa -out "$PUSH_DIR/fcm.key" 2048 2>/dev/null
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$PUSH_DIR/apns.p8" 2>/dev/null
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$PUSH_DIR/tls.key" -out "$PUSH_DIR/tls.crt" -days 30 \
            -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 2>/dev/null
    )
    openssl pkey -in "$PUSH_DIR/fcm.key" -pubout -out "$PUSH_DIR/fcm.pub"
    openssl pkey -in "$PUSH_DIR/apns.p8" -pubout -out "$PUSH_DIR/apns.pub"
    push_secret getui.key "$(random_hex 11)"
    push_secret getui.master "$(random_hex 11)"
    push_secret cloud.secret "$(random_hex 16)"
    jq -n --rawfile fcm "$PUSH_DIR/fcm.pub" --rawfile apns "$PUSH_DIR/apns.pub" --rawfile key "$PUSH_DIR/tls.key" --rawfile cert "$PUSH_DIR/tls.crt" \
        --arg ak "$(<"$PUSH_DIR/getui.key")" --arg ms "$(<"$PUSH_DIR/getui.master")" --arg cs "$(<"$PUSH_DIR/cloud.secret")" '
        {getui: {app_id: "App1", app_key: $ak, master_secret: $ms},
         fcm: {project_id: "shop-1", client_email: "push@shop-1.example", public_key: $fcm},
         apns: {team_id: "TEAM000001", key_id: "KEY0000001", topic: "com.example.shop", public_key: $apns},
         cloud: {secret: $cs}, tls: {key: $key, cert: $cert}}' >"$PUSH_DIR/provider.json"
}

push_start() {
    local line
    start_proc "$1" node "$T_LIB/push_provider.mjs" "$PUSH_DIR/provider.json"
    wait_until 20 "grep -q '\"http\"' '$(proc_log "$1")'"
    line=$(grep -m 1 '"http"' "$(proc_log "$1")")
    PUSH_HTTP=$(jq -r .http <<<"$line")
    PUSH_H2C=$(jq -r .h2c <<<"$line")
    PUSH_TLS=$(jq -r .tls <<<"$line")
}

# push_providers_file [JQ-FILTER]: an app for each provider, of its name; on iOS all of them have apns.
push_providers_file() {
    (
        umask 077
        jq -n --rawfile key "$PUSH_DIR/fcm.key" --arg uri "$PUSH_HTTP/fcm/token" '
            {type: "service_account", project_id: "shop-1", private_key_id: "k1", private_key: $key,
             client_email: "push@shop-1.example", token_uri: $uri}' >"$PUSH_DIR/fcm.json"
    )
    jq -n --arg http "$PUSH_HTTP" --arg tls "$PUSH_TLS" '
        {providers: {
            getui: {kind: "getui", app_id: "App1", app_key_file: "getui.key", master_secret_file: "getui.master", api_base: ($http + "/v2")},
            fcm: {kind: "fcm", service_account_file: "fcm.json", api_base: $tls},
            apns: {kind: "apns", team_id: "TEAM000001", key_id: "KEY0000001", key_file: "apns.p8", topic: "com.example.shop", api_base: $tls},
            cloud: {kind: "cloud", url: ($http + "/sluice-push"), secret_file: "cloud.secret"}},
         apps: {getui: {"*": "getui"}, fcm: {"*": "fcm"}, apns: {"*": "apns"}, cloud: {"*": "cloud"}}} | '"${1:-.}" >"$PUSH_DIR/providers.json"
}

push_control() { curl -sSf -m 10 -d "$1" "$PUSH_HTTP/control" >/dev/null || t_fail "the stand-in does not take $1"; }
push_stat() { curl -sSf -m 10 "$PUSH_HTTP/stats" | jq -r "$1"; }
# Lines `VENDOR REQUEST_ID CID TIMES`
push_accepted() { curl -sSf -m 10 "$PUSH_HTTP/accepted"; }
