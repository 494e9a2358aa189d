# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For tests of channels' calls: keys and accounts of our own, calls made by the channels' rules (channel.py, not the
# program), and what became of them. Sourced after lib.sh and gateway.sh.
#
#     channel_keys                                   # T_DIR/keys: accounts.json and what it names; the role's environment
#     gw_start g1
#     ch_make wechat paid order=o1 amount=1200       # T_DIR/calls/paid.json
#     ch_send paid                                   # then CH_OUT, a line `NAME STATUS BODY` for each
#     ch_expect "a payment" wechat ok paid           # sent, answered as that channel wants for that reason, and counted
#
# Accounts: wechat shop1 (keys wechat1, wechat2, and the public key wechatpub), shop2 (one of its own); alipay shop1;
# appstore shop1; applepay shop1. Their windows are an hour, so that no slow machine lets a call grow old. wechat_api.py is
# WeChat Pay as a server.

export -n CH_OUT=""
CH_KEYS='' CH_CALLS=''

ch_rsa() { openssl genrsa -out "$CH_KEYS/$1.key" "${2:-2048}" 2>/dev/null; }
# ch_cert NAME SUBJECT DAYS SERIAL: signed by itself
ch_cert() {
    openssl req -new -x509 -key "$CH_KEYS/$1.key" -subj "$2" -days 3650 -set_serial "0x$4" -out "$CH_KEYS/$1.crt" 2>/dev/null
    [[ $3 == 3650 ]] || openssl x509 -in "$CH_KEYS/$1.crt" -signkey "$CH_KEYS/$1.key" -set_serial "0x$4" -days "$3" -out "$CH_KEYS/$1.crt" 2>/dev/null
    printf '%s\n' "$4" >"$CH_KEYS/$1.serial"
}
# ch_chain NAME ISSUER EXTENSION CURVE [DAYS]: an EC key and its certificate; ISSUER - signs itself, EXTENSION is an OID
ch_chain() {
    local d=$CH_KEYS ca=TRUE days=${5:-3650}
    [[ $1 != leaf* && $1 != paysigner* && $1 != merchant* ]] || ca=FALSE
    openssl ecparam -name "$4" -genkey -noout -out "$d/$1.key" 2>/dev/null
    {
        printf '[e]\nbasicConstraints=critical,CA:%s\nsubjectKeyIdentifier=hash\n' "$ca"
        [[ $2 == - ]] || printf 'authorityKeyIdentifier=keyid\n'
        [[ $ca == FALSE ]] && printf 'keyUsage=critical,digitalSignature\n' || printf 'keyUsage=critical,keyCertSign,cRLSign\n'
        case $3 in
            -) ;;
            *=*) printf '%s\n' "$3" ;;
            *) printf '%s=ASN1:NULL\n' "$3" ;;
        esac
    } >"$d/$1.ext"
    openssl req -new -key "$d/$1.key" -subj "/CN=test $1" -out "$d/$1.csr" 2>/dev/null
    if [[ $2 == - ]]; then
        openssl x509 -req -sha384 -in "$d/$1.csr" -signkey "$d/$1.key" -days "$days" -extfile "$d/$1.ext" -extensions e -out "$d/$1.crt" 2>/dev/null
    else
        openssl x509 -req -sha384 -in "$d/$1.csr" -CA "$d/$2.crt" -CAkey "$d/$2.key" -set_serial "0x$(random_hex 8)" -days "$days" \
            -extfile "$d/$1.ext" -extensions e -out "$d/$1.crt" 2>/dev/null
    fi
    openssl x509 -in "$d/$1.crt" -outform DER -out "$d/$1.der"
}

# The accounts file; ch_accounts JQ-FILTER changes it.
ch_accounts() {
    jq "${1:-.}" <"$CH_KEYS/accounts.json" >"$CH_KEYS/accounts.new" && chmod 600 "$CH_KEYS/accounts.new" && mv "$CH_KEYS/accounts.new" "$CH_KEYS/accounts.json"
}

channel_keys() {
    CH_KEYS=$T_DIR/keys CH_CALLS=$T_DIR/calls
    mkdir -m 700 "$CH_KEYS" "$CH_CALLS"
    local name
    for name in wechat1 wechat2 wechatpub other alipay1 stranger; do
        ch_rsa "$name" &
    done
    wait
    ch_cert wechat1 /CN=tenpay1 3650 5F1A0000000000000000000000000000000000A1
    ch_cert wechat2 /CN=tenpay2 3650 0A1B0000000000000000000000000000000000A2
    ch_cert other /CN=tenpay3 3650 6C1A0000000000000000000000000000000000A3
    printf '7F00000000000000000000000000000000000000\n' >"$CH_KEYS/stranger.serial"
    openssl pkey -in "$CH_KEYS/wechatpub.key" -pubout -out "$CH_KEYS/wechatpub.pem"
    printf 'PUB_KEY_ID_0119000000012024\n' >"$CH_KEYS/wechatpub.serial"
    openssl pkey -in "$CH_KEYS/alipay1.key" -pubout -out "$CH_KEYS/alipay1.pem"
    ch_chain root - - secp384r1
    ch_chain inter root 1.2.840.113635.100.6.2.1 secp384r1
    ch_chain leaf inter 1.2.840.113635.100.6.11.1 prime256v1
    ch_chain payinter root 1.2.840.113635.100.6.2.14 prime256v1
    ch_chain paysigner payinter 1.2.840.113635.100.6.29 prime256v1
    ch_chain merchant root "1.2.840.113635.100.6.32=ASN1:UTF8:$(printf merchant.test.shop1 | sha256sum | cut -d' ' -f1 | tr a-f A-F)" prime256v1
    (umask 077 && random_hex 16 | tr -d '\n' >"$CH_KEYS/apiv3.key" && printf 'raw1 %s\n' "$(head -c 32 /dev/urandom | base64 -w 0)" >"$CH_KEYS/raw.keys")
    jq -n --arg s1 "$(cat "$CH_KEYS/wechat1.serial")" --arg s2 "$(cat "$CH_KEYS/wechat2.serial")" --arg p "$(cat "$CH_KEYS/wechatpub.serial")" \
        --arg s3 "$(cat "$CH_KEYS/other.serial")" '
        {wechat: {shop1: {mchid: "1900000001", appid: "wx0000000000000001", window_s: 3600, apiv3_key_file: "apiv3.key",
                          keys: {($s1): "wechat1.crt", ($s2): "wechat2.crt", ($p): "wechatpub.pem"}},
                  shop2: {mchid: "1900000002", appid: "wx0000000000000002", window_s: 3600, apiv3_key_file: "apiv3.key", keys: {($s3): "other.crt"}}},
         alipay: {shop1: {app_id: "2021000000000001", seller_id: "2088000000000001", public_key_file: "alipay1.pem", sign_rule: "V1", window_s: 3600}},
         appstore: {shop1: {bundle_id: "com.example.game", app_apple_id: 1234567890, environment: "Production", root_file: "root.crt"}},
         applepay: {shop1: {root_file: "root.crt", merchant_certificate_file: "merchant.crt", merchant_key_file: "merchant.key", window_s: 3600}}}' >"$CH_KEYS/accounts.json"
    chmod 600 "$CH_KEYS/accounts.json" "$CH_KEYS"/*.key
    export SLUICE_GATEWAY_ACCOUNTS=$CH_KEYS/accounts.json SLUICE_GATEWAY_RAW_KEYS_FILE=$CH_KEYS/raw.keys
}

# ch_make CHANNEL NAME [FIELD=VALUE]...; with `-` many of them from stdin
ch_make() { python3 "$T_LIB/channel.py" make "$CH_KEYS" "$CH_CALLS" "$@" || t_fail "channel.py make $*"; }
# ch_send [OPTION]... NAME...: to GW_URL
ch_send() { CH_OUT=$(python3 "$T_LIB/channel_client.py" send "$GW_URL" "$CH_CALLS" "$@") || t_fail "channel_client.py send $*"; }
# ch_ask NAME: the same in the background, ended with the test; ch_answer NAME prints its line as soon as there is one.
ch_ask() { start_proc "ask-$1" python3 "$T_LIB/channel_client.py" send "$GW_URL" "$CH_CALLS" "$1"; }
ch_answer() { grep "^$1 " "$(proc_log "ask-$1")" || true; }
# Statuses of the last ch_send, "200 x 7".
ch_status() { cut -d' ' -f2 <<<"$CH_OUT" | sort | uniq -c | awk '{ printf "%s%s x %s", (NR > 1 ? ", " : ""), $2, $1 }'; }

# ch_counted NAME CHANNEL REASON: what that instance has counted of it
ch_counted() { gw_metrics "$1" | awk -v c="channel=\"$2\"" -v r="reason=\"$3\"" '/^[a-z_]*callback_total\{/ && index($0, c) && index($0, r) { n += $2 } END { print n + 0 }'; }
# Everything that was counted so, "wechat ok 3, wechat replay 1".
ch_counts() {
    gw_metrics "$1" | sed -nE 's/^[a-z_]*callback_total\{channel="([a-z]+)",reason="([a-z_]+)"\} ([1-9][0-9]*)$/\1 \2 \3/p' | sort | paste -sd, | sed 's/,/, /g'
}

# ch_expect WHAT CHANNEL REASON NAME [OPTION]...: sent to GW_URL, which is instance CH_ROLE; reasons that are acknowledged
# must be so in that channel's words, others must not.
CH_ROLE=g
ch_expect() {
    local what=$1 channel=$2 reason=$3 name=$4 before status body yes=no
    shift 4
    before=$(ch_counted "$CH_ROLE" "$channel" "$reason")
    ch_send "$@" "$name"
    read -r _ status body <<<"$CH_OUT"
    case $reason in
        ok | duplicate | replay | conflict | unknown_order)
            case $channel in
                alipay) [[ $status != 200 || $body != success ]] || yes=yes ;;
                *) [[ $status != 200 ]] || yes=yes ;;
            esac
            [[ $yes == yes ]] || t_fail "$what: not acknowledged: $CH_OUT"
            ;;
        *)
            [[ $status =~ ^[45][0-9][0-9]$ && ${body,,} != *success* ]] || t_fail "$what: not refused: $CH_OUT"
            ;;
    esac
    wait_for 20 eval "((\$(ch_counted $CH_ROLE $channel $reason) == $before + 1))" ||
        t_fail "$what: not counted as $reason: $CH_OUT; counts: $(ch_counts "$CH_ROLE")"
    t_ok "$what: $reason $status"
}

# Rows of the inbox, of the quarantine, of the outbox (without payment.created).
ch_rows() {
    t_db "SELECT (SELECT count(*) FROM payment_callbacks) || ' ' || (SELECT count(*) FROM payment_quarantine) || ' '
              || (SELECT count(*) FROM payment_outbox WHERE event_type <> 'payment.created')"
}
