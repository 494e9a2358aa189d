#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a gateway that asks WeChat Pay for its certificates verifies with what it was given, over kill -9 and restarts, while
# WeChat Pay hangs or is away; it believes no list and no file that others made; asking holds up neither calls nor the end.
#
# How it could break: calls that wait for the network; an end that waits for an answer; a file that anybody could have written;
# certificates that are forgotten because nobody answered.

. "$(dirname "$0")/lib.sh"
# shellcheck source=gateway.sh
. "$(dirname "$0")/gateway.sh"
# shellcheck source=channel.sh
. "$(dirname "$0")/channel.sh"
t_begin "certificates are kept"
channel_keys
port=$(port_single $$) || t_fail "no free port"
remembered=$T_DIR/certificates/wechat-1900000001

# What WeChat Pay lists comes from a root, and only that root is in the accounts file: no key at all.
openssl ecparam -name secp384r1 -genkey -noout -out "$CH_KEYS/tenpay.key"
openssl req -new -x509 -key "$CH_KEYS/tenpay.key" -subj '/CN=test tenpay root' -days 3650 -out "$CH_KEYS/tenpay.crt"
for name in wechat1 wechat2; do
    openssl req -new -key "$CH_KEYS/$name.key" -subj "/CN=$name" |
        openssl x509 -req -CA "$CH_KEYS/tenpay.crt" -CAkey "$CH_KEYS/tenpay.key" -days 3650 -set_serial "0x$(cat "$CH_KEYS/$name.serial")" \
            -out "$CH_KEYS/$name.listed" 2>/dev/null
done
ch_accounts 'del(.wechat.shop2, .alipay, .appstore, .applepay) | del(.wechat.shop1.keys) | .wechat.shop1 += {root_file: "tenpay.crt",
    merchant_serial: "7777777777777777777777777777777777777777", merchant_key_file: "other.key", api_base: "http://127.0.0.1:'"$port"'"}'
export SLUICE_GATEWAY_WECHAT_CERTIFICATES_DIR=$T_DIR/certificates SLUICE_GATEWAY_WECHAT_CERTIFICATES_TIMEOUT_MS=60000
platform() { printf '%s\n' "$1" >"$CH_KEYS/platform"; }
asked() { grep -c . "$CH_KEYS/asked" || true; }
answers() { log_count "$1" 'msg="asked for certificates"'; }
# A payment of its own each time, signed with that key.
paid=0
pays() {
    paid=$((paid + 1))
    ch_make wechat "paid$paid" "order=o$paid" "key=$2"
    ch_expect "$1" wechat "$3" "paid$paid"
}
: >"$CH_KEYS/asked"
platform well
start_proc platform python3 "$T_LIB/wechat_platform.py" "$port" "$CH_KEYS" wechat1 wechat2
wait_until 20 'bash -c "</dev/tcp/127.0.0.1/'"$port"'" 2>/dev/null'

CH_ROLE=g1
gw_start g1
wait_until 30 '(($(answers g1) == 1))'
t_match "the first list" 'result=whole.*certificates=2' "$(grep 'asked for certificates' "$(proc_log g1)")"
t_match "the asking" '^/v3/certificates WECHATPAY2-SHA256-RSA2048 mchid="1900000001",nonce_str="' "$(cat "$CH_KEYS/asked")"
gw_ready
pays "a certificate that signs" wechat1 unknown_order
pays "one that does not sign yet" wechat2 unknown_order
pays "a key nobody has" stranger serial_unknown
t_eq "it is asked for" 1 "$(log_count g1 'a call named an unknown key')"
pays "and again" stranger serial_unknown
t_eq "once" 1 "$(log_count g1 'a call named an unknown key')"
t_eq "askings within five minutes" 1 "$(asked)"
t_eq "the file's rights" 600 "$(stat -c %a "$remembered")"
kill_role g1

platform hang
CH_ROLE=g2
gw_start g2
wait_until 30 '(($(asked) == 2))'
gw_ready
pays "while WeChat Pay hangs" wechat1 unknown_order
pays "the other one, too" wechat2 unknown_order
t_eq "answers until then" 0 "$(answers g2)"
stop_role g2 40 # less than the 60 s that an asking may take
t_eq "the end while WeChat Pay hangs" 0 "$T_RC"

# What was remembered has been changed, and a stranger signs the list.
platform forged
sed -i 's/"listed": true/"listed": fals/' "$remembered"
CH_ROLE=g3
gw_start g3
wait_until 30 '(($(answers g3) == 1))'
gw_ready
t_eq "a file that was changed" 1 "$(log_count g3 'remembered certificates are refused.*APIv3 key, or changed since')"
t_match "a list that a stranger signed" 'result=unverified.*signature is wrong' "$(grep 'asked for certificates' "$(proc_log g3)")"
pays "so nothing verifies" wechat1 serial_unknown
wait_until 20 '[[ $(log_count g3 "level=error.*an account has nothing left to verify with") == 1 ]]'
t_ok "the alarm"
wait_until 20 'grep -qxF "sluice_gateway_keys_end_soon{channel=\"wechat\",account=\"shop1\"} 1" <(gw_metrics g3)'
t_ok "the gauge"
stop_roles g3

platform well
CH_ROLE=g4
gw_start g4
wait_until 30 '(($(answers g4) == 1))'
gw_ready
pays "well again" wechat1 unknown_order
t_eq "the file is made anew" 2 "$(grep -o '"listed": true' "$remembered" | grep -c .)"
stop_roles g4
