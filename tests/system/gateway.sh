# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For tests of the gateway: starting it, asking it, and holding what it answers against docs/openapi.json.
#
#     gw_start g1                                  # on a port of its own; GW_URL is the last one that was started
#     gw POST /v1/transfers '{"...": 1}' [-H ...]  # then GW_STATUS, GW_BODY, GW_HEADERS
#     gw_declared                                  # every status and code seen so far stands in the file

export -n GW_URL="" GW_STATUS="" GW_BODY="" GW_HEADERS=""

# gw_start NAME [VAR=value]...: its address is also in T_DIR/NAME.url
gw_start() {
    local name=$1 port
    shift
    port=$(port_single $$) || t_fail "no free port"
    GW_URL=http://127.0.0.1:$port
    printf '%s\n' "$GW_URL" >"$T_DIR/$name.url"
    start_role "$name" gateway "SLUICE_GATEWAY_LISTEN=127.0.0.1:$port" "$@"
    wait_until 30 '[[ $(curl -s -o /dev/null -w "%{http_code}" "$GW_URL/v1/nothing") =~ 40[14] ]]'
}

# Until a writer has its session.
gw_ready() { wait_until 30 '[[ $(curl -s -o /dev/null -w "%{http_code}" -XPOST "$GW_URL/v1/payments" -H "Content-Type: application/json" -d "{}") == 422 ]] && "$SLUICE_BIN" health gateway >/dev/null 2>&1'; }

# gw METHOD PATH [BODY|-] [CURL ARGUMENT]...
gw() {
    local method=$1 path=$2 body=${3:-}
    shift $(($# < 3 ? $# : 3))
    local args=(-s --path-as-is --max-time 60 -o "$T_DIR/answer.body" -D "$T_DIR/answer.headers" -w '%{http_code}' -X "$method")
    [[ -z $body || $body == - ]] || args+=(-H 'Content-Type: application/json' --data-binary "$body")
    GW_STATUS=$(curl "${args[@]}" "$@" "$GW_URL$path") || true
    GW_BODY=$(tr -d '\0' <"$T_DIR/answer.body")
    GW_HEADERS=$(tr -d '\r' <"$T_DIR/answer.headers")
    grep -oE '"code": "[a-z_]+"' <<<"$GW_BODY" | cut -d'"' -f4 >>"$T_DIR/codes.seen" || true
}

# gw_expect WHAT STATUS [REGEX of the body]
gw_expect() {
    [[ $GW_STATUS == "$2" ]] || t_fail "$1: expected $2, got $GW_STATUS: $GW_BODY"
    [[ -z ${3:-} || $GW_BODY =~ $3 ]] || t_fail "$1: expected something like /$3/, got: $GW_BODY"
    t_ok "$1: $GW_STATUS"
}

gw_metrics() {
    local address
    address=$(grep -oE 'msg=started.* http=[0-9.:]+' "$(proc_log "$1")" | tail -1 | grep -oE '[0-9.]+:[0-9]+$')
    curl -s "http://$address/metrics"
}

# gw_declared NAME: what this instance has answered, and what codes were seen, are in the file.
gw_declared() {
    gw_metrics "$1" | sed -nE 's/^sluice_gateway_requests_total\{route="([A-Z]+) ([^"]+)",status="([0-9]+)"\}.*/\1 \2 \3/p' >"$T_DIR/statuses.seen"
    [[ -s $T_DIR/statuses.seen ]] || t_fail "no request was counted"
    python3 - "$DEV_ROOT/docs/openapi.json" "$T_DIR/statuses.seen" "$T_DIR/codes.seen" <<'PY' || t_fail "docs/openapi.json does not say all"
import json
import sys

doc = json.load(open(sys.argv[1]))
missing = 0
for line in open(sys.argv[2]):
    method, path, status = line.split()
    if status not in doc["paths"][path][method.lower()]["responses"]:
        print(f"{method} {path} answered {status}, which is not declared")
        missing = 1
codes = set(doc["components"]["schemas"]["Problem"]["properties"]["code"]["enum"])
for code in {line.strip() for line in open(sys.argv[3])} - codes:
    print(f"code {code} is not declared")
    missing = 1
sys.exit(missing)
PY
    t_ok "statuses and codes are those of docs/openapi.json"
}
