#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: whoever stands between a channel and the gateway, the address that counts is the channel's and nobody else can choose
# it; who is slow or comes a thousand times takes nothing from others; what cannot be taken in gets 503 and leaves nothing;
# a stop finishes what was taken in.
#
# How it could break: the first address of X-Forwarded-For, which anybody writes; a PROXY header of a stranger; a header that
# counts without a proxy; a list that only reports taken for one that refuses; a connection that holds its place for ever.

. "$(dirname "$0")/lib.sh"
# shellcheck source=gateway.sh
. "$(dirname "$0")/gateway.sh"
# shellcheck source=channel.sh
. "$(dirname "$0")/channel.sh"
t_begin "fronts of the gateway"
channel_keys
printf '198.51.100.0/24\n2001:db8::/32\n' >"$CH_KEYS/channel.nets"
ch_accounts '.wechat.strict = .wechat.shop1 + {ip_allow_file: "channel.nets", ip_policy: "enforce"}
    | .wechat.curious = .wechat.shop1 + {ip_allow_file: "channel.nets", ip_policy: "report"}'
n=0
# call WHAT REASON ACCOUNT [OPTION]...: a new genuine call
call() {
    local what=$1 reason=$2 account=$3
    shift 3
    n=$((n + 1))
    ch_make wechat "c$n" "order=c$n" "account=$account"
    ch_expect "$what" wechat "$reason" "c$n" "$@"
    [[ $reason != unknown_order ]] || TAKEN=$((TAKEN + 1))
}
TAKEN=0
stored() { t_db "SELECT count(*) FROM payment_callbacks"; }

# ---- nobody in between

gw_start g
gw_ready
call "from an address that is not on the list" ip_refused strict
call "a header that anybody can write" ip_refused strict -H 'X-Forwarded-For: 198.51.100.7'
call "a list that only reports" unknown_order curious
t_match "which is counted" '^[1-9]' "$(gw_metrics g | awk '/unlisted|address.*listed/ && !/^#/ { n += $NF } END { print n + 0 }')"
t_eq "stored" "$TAKEN" "$(stored)"
stop_roles g

# ---- behind proxies: two hops

gw_start g SLUICE_GATEWAY_PROXIES=127.0.0.0/8,10.0.0.0/8 SLUICE_GATEWAY_FORWARDED_DEPTH=2
gw_ready
call "the second from the right is the channel" unknown_order strict -H 'X-Forwarded-For: 198.51.100.7, 10.1.2.3'
call "and not what somebody put before it" ip_refused strict -H 'X-Forwarded-For: 198.51.100.7, 203.0.113.9, 10.1.2.3'
call "in two headers" ip_refused strict -H 'X-Forwarded-For: 198.51.100.7' -H 'X-Forwarded-For: 203.0.113.9, 10.1.2.3'
call "IPv6" unknown_order strict -H 'X-Forwarded-For: 2001:db8::1, 10.1.2.3'
call "too short" ip_refused strict -H 'X-Forwarded-For: 198.51.100.7'
call "no address" ip_refused strict -H 'X-Forwarded-For: unknown, 10.1.2.3'
call "none" ip_refused strict
t_eq "whom the rows name" "2001:db8::1 198.51.100.7" "$(t_db "SELECT string_agg(address, ' ' ORDER BY received_at DESC) FROM payment_callbacks WHERE account = 'strict'")"
stop_roles g
gw_start g SLUICE_GATEWAY_PROXIES=10.0.0.0/8 SLUICE_GATEWAY_FORWARDED_DEPTH=1
gw_ready
call "a proxy that is none of ours" ip_refused strict -H 'X-Forwarded-For: 198.51.100.7'
stop_roles g

# ---- PROXY v2

proxy=SLUICE_GATEWAY_PROXY_PROTOCOL=true
gw_start_proxied() { # without the look of gw_start, which has no such header
    local port
    port=$(port_single $$) || t_fail "no free port"
    GW_URL=http://127.0.0.1:$port
    start_role g gateway "SLUICE_GATEWAY_LISTEN=127.0.0.1:$port" "$@"
    wait_role gateway
}
gw_start_proxied "$proxy" SLUICE_GATEWAY_PROXIES=127.0.0.0/8
call "the channel behind PROXY v2" unknown_order strict --proxy2 198.51.100.8
call "somebody else" ip_refused strict --proxy2 203.0.113.8
ch_make wechat naked order=naked
ch_send naked
t_eq "without the header" "naked 000" "$(cut -d' ' -f1,2 <<<"$CH_OUT")"
stop_roles g
gw_start_proxied "$proxy" SLUICE_GATEWAY_PROXIES=10.0.0.0/8
ch_send --proxy2 198.51.100.8 naked
t_eq "from a stranger" "000" "$(cut -d' ' -f2 <<<"$CH_OUT" | sort -u)"
stop_roles g
t_eq "stored" "$TAKEN" "$(stored)"

# ---- TLS

openssl req -new -x509 -newkey rsa:2048 -nodes -keyout "$CH_KEYS/tls.key" -subj /CN=gateway -days 2 -addext 'subjectAltName=IP:127.0.0.1' -out "$CH_KEYS/tls.crt" 2>/dev/null
chmod 600 "$CH_KEYS/tls.key"
gw_start_proxied SLUICE_GATEWAY_TLS_CERT_FILE="$CH_KEYS/tls.crt" SLUICE_GATEWAY_TLS_KEY_FILE="$CH_KEYS/tls.key"
GW_URL=${GW_URL/http:/https:}
call "over TLS" unknown_order shop1 --ca "$CH_KEYS/tls.crt"
ch_make wechat plain order=plain
GW_URL=${GW_URL/https:/http:} ch_send plain
t_match "without TLS" '^(000|400)$' "$(cut -d' ' -f2 <<<"$CH_OUT" | sort -u)"
for version in -tls1 -tls1_1; do
    ! openssl s_client "$version" -cipher 'ALL:@SECLEVEL=0' -connect "${GW_URL#https://}" </dev/null >/dev/null 2>&1 || t_fail "$version is spoken"
done
openssl s_client -tls1_2 -connect "${GW_URL#https://}" </dev/null >/dev/null 2>&1 || t_fail "TLS 1.2 is not spoken"
t_ok "TLS 1.2 and later"
stop_roles g

# ---- the slow and the many

gw_start g SLUICE_GATEWAY_CONNECTIONS_ADDRESS_MAX=40 SLUICE_GATEWAY_CONNECTIONS_MAX=300 SLUICE_GATEWAY_REQUEST_TIMEOUT_MS=4000
gw_ready
cat >"$T_DIR/slow.py" <<'PY'
"""From other addresses of this machine: connections that send a byte now and then, each opened again when it is closed.
Prints how many were closed at once, and how many later."""
import select, socket, sys, time
port, each = int(sys.argv[1]), int(sys.argv[2])
head = b"POST /callbacks/wechat/shop1 HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"
all_of, refused, late = {}, 0, 0
def opened(source):
    s = socket.socket()
    s.bind((source, 0))
    s.setblocking(False)
    try:
        s.connect(("127.0.0.1", port))
    except BlockingIOError:
        pass
    all_of[s] = [source, 0]
for i in range(each):
    for source in ("127.0.0.2", "127.0.0.3"):
        opened(source)
while True:
    time.sleep(0.1)
    for s, (source, sent) in list(all_of.items()):
        try:
            s.send(head[sent : sent + 1] if sent < len(head) else b"a")
            all_of[s][1] += 1
            s.recv(1)
            raise OSError
        except BlockingIOError:
            pass
        except OSError:
            s.close()
            del all_of[s]
            refused, late = (refused, late + 1) if sent > 9 else (refused + 1, late)
            opened(source)
    print(refused, late, flush=True)
PY
start_proc slow python3 "$T_DIR/slow.py" "${GW_URL##*:}" 100
# Those that were one too many, and those that had their place and did not come to an end.
slow() { { tail -n 1 "$(proc_log slow)" 2>/dev/null || true; } | awk -v n="$1" '{ v = $n } END { print v + 0 }'; }
wait_until 60 '(($(slow 1) > 300 && $(slow 2) > 80))'
for i in 1 2 3; do
    started=$(now_ms)
    call "while 200 slow connections come again and again" unknown_order shop1
    took=$(($(now_ms) - started))
done
t_ok "within $took ms, all of the look included"
connections=$(gw_metrics g | awk '/^sluice_gateway_connections / { print $2 }')
t_match "connections that are open: $connections" '^1$' "$((connections > 0 && connections <= 2 * 40 + 5))"
kill_role slow
wait_until 20 '[[ $(gw_metrics g | awk "/^sluice_gateway_connections / { print \$2 }") -le 2 ]]'
t_ok "all of them are gone"
stop_roles g
t_eq "stored" "$TAKEN" "$(stored)"

# ---- a full queue, and a stop

t_db <<'SQL'
CREATE FUNCTION slow_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(4711);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON payment_callbacks DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION slow_commit();
SQL
waiting() { t_db "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted"; }
session_open holder
session holder "SELECT pg_advisory_lock(4711)" >/dev/null
gw_start g SLUICE_GATEWAY_WRITERS=1 SLUICE_GATEWAY_QUEUE_MAX=1 SLUICE_GATEWAY_BATCH_ROWS_MAX=1 SLUICE_GATEWAY_STATEMENT_TIMEOUT_MS=120000
gw_ready
for i in first second third; do
    ch_make wechat "$i" "order=$i"
done
ch_ask first
wait_until 20 '[[ $(waiting) == 1 ]]'
ch_ask second
wait_until 20 'grep -qx "sluice_gateway_parked 2" <(gw_metrics g)'
ch_expect "one too many" wechat unavailable third
t_eq "503" 503 "$(cut -d' ' -f2 <<<"$CH_OUT")"
kill -TERM "$(proc_pid g)"
wait_until 20 '! curl -s -o /dev/null "$GW_URL/" || curl -s -o /dev/null -w "%{http_code}" "$GW_URL/" | grep -q 503'
t_eq "nobody is answered before the COMMIT" "" "$(ch_answer first; ch_answer second)"
session holder "SELECT pg_advisory_unlock(4711)" >/dev/null
role_exit g 30
t_eq "the end of the gateway" 0 "$T_RC"
wait_until 20 '[[ -n $(ch_answer first) && -n $(ch_answer second) ]]'
t_eq "what was taken in is answered" "200 200" "$({ ch_answer first; ch_answer second; } | cut -d' ' -f2 | paste -sd' ')"
t_eq "and stored, and nothing else" "first second" "$(t_db "SELECT string_agg(payment_id, ' ' ORDER BY payment_id) FROM payment_callbacks WHERE payment_id IN ('first', 'second', 'third', 'naked', 'plain')")"
