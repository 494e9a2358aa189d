#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: WeChat Pay's certificates come and go while callbacks come, and none of them is lost: what was downloaded once verifies
# over restarts, also while WeChat Pay is away or answers nonsense; a thousand calls under unknown serial numbers ask for
# nothing more than one; nobody's certificate counts that does not come from the root.
#
# How it could break: a list that replaces what it does not name; a failure that takes away what worked; a file that is believed
# because it is there; a download for each call.

. "$(dirname "$0")/lib.sh"
# shellcheck source=gateway.sh
. "$(dirname "$0")/gateway.sh"
# shellcheck source=channel.sh
. "$(dirname "$0")/channel.sh"
t_begin "certificates rotate under callbacks"
channel_keys

# A root, two certificates of it, and one that says it is.
ch_rsa tenpay
openssl req -new -x509 -key "$CH_KEYS/tenpay.key" -subj /CN=root -days 3650 -addext basicConstraints=critical,CA:TRUE -out "$CH_KEYS/tenpay.crt" 2>/dev/null
issue() { # NAME SERIAL
    ch_rsa "$1"
    openssl req -new -key "$CH_KEYS/$1.key" -subj "/CN=$1" -out "$CH_KEYS/$1.csr" 2>/dev/null
    openssl x509 -req -in "$CH_KEYS/$1.csr" -CA "$CH_KEYS/tenpay.crt" -CAkey "$CH_KEYS/tenpay.key" -set_serial "0x$2" -days 1000 -out "$CH_KEYS/$1.crt" 2>/dev/null
    printf '%s\n' "$2" >"$CH_KEYS/$1.serial"
}
issue platform1 7A10000000000000000000000000000000000001
issue platform2 7A10000000000000000000000000000000000002
issue platform3 7A10000000000000000000000000000000000003
ch_rsa merchant
port=$(port_single $$)
ch_accounts ".wechat.shop1 |= (del(.keys) + {merchant_serial: \"1DDE00000000000000000000000000000000000F\", merchant_key_file: \"merchant.key\",
    root_file: \"tenpay.crt\", api_base: \"http://127.0.0.1:$port\"}) | {wechat: {shop1: .wechat.shop1}}"
certificates=$T_DIR/certificates
export SLUICE_GATEWAY_WECHAT_CERTIFICATES_DIR=$certificates
says() { # MODE SIGNER CERTIFICATE...
    jq -n --arg m "$1" --arg s "$2" '{mode: $m, signer: $s, certs: $ARGS.positional}' --args "${@:3}" >"$T_DIR/state.new" && mv "$T_DIR/state.new" "$T_DIR/state"
}
asked() { { cat "$T_DIR/asked" 2>/dev/null || true; } | wc -l; }
heard() { log_count g 'msg="asked for certificates"'; } # and looked at what came of it
api_start() {
    start_proc api python3 "$T_LIB/wechat_api.py" "$port" "$CH_KEYS" "$T_DIR/state" "$T_DIR/asked"
    wait_until 20 '! port_free "$port"'
}
n=0
# call WHAT REASON SIGNER: a new call for a new order
call() {
    n=$((n + 1))
    ch_make wechat "c$n" "order=c$n" "key=$3"
    ch_expect "$1" wechat "$2" "c$n"
}
accepted() {
    n=$((n + 1))
    ch_make wechat "c$n" "order=c$n" "key=$1"
    ch_send "c$n"
    [[ $(ch_status) == '200 x 1' ]]
}
stored() { t_db "SELECT count(*) FROM payment_callbacks"; }

# ---- the first list

says well platform1 platform1
api_start
gw_start g
gw_ready
wait_until 20 'accepted platform1'
t_ok "what was downloaded verifies"
t_eq "asked, with a signature of the merchant's" "well 200 signed" "$(cat "$T_DIR/asked")"
wait_until 20 'compgen -G "$certificates/wechat-*"'
t_eq "rights of directory and files" "700 600" "$(stat -c %a "$certificates") $(stat -c %a "$certificates"/wechat-*)"

# ---- many under serial numbers that nobody knows

before=$(stored)
storm=$(t_size 60 5000)
for ((i = 1; i <= storm; i++)); do
    printf 'wechat s%s order=s%s key=platform%s %s\n' "$i" "$i" $((2 + i % 2)) "$( ((i % 3)) || printf 'serial=%040X' "$i")"
done | ch_make -
# shellcheck disable=SC2046
ch_send -c 4 $(seq -f 's%g' "$storm")
t_eq "all are refused" "401 x $storm" "$(ch_status)"
t_eq "asked meanwhile" 1 "$(asked)"
t_eq "stored" "$before" "$(stored)"
call "the known one goes on" unknown_order platform1
if t_is_long; then
    # Because of those calls it is asked again, as soon as five minutes are over.
    says well platform1 platform1 platform2
    wait_until 400 'accepted platform2'
    t_eq "asked for all of them" 2 "$(asked)"
fi

# ---- the platform changes while calls come; gateways are restarted one by one

says well platform1 platform1 platform2
gw_start g2
urls() { cat "$T_DIR/g.url" "$T_DIR/g2.url" >"$T_DIR/current.new" && mv "$T_DIR/current.new" "$T_DIR/current.url"; }
urls
calls=$(t_size 200 4000)
for ((i = 1; i <= calls; i++)); do
    printf 'wechat r%s order=r%s id=r%s key=platform%s\n' "$i" "$i" "$i" $((1 + i % 2))
done >"$T_DIR/calls.list"
# shellcheck disable=SC2016
start_proc platform bash -c 'exec python3 "$0" insist "$1" "$2" 4 <"$1/calls.list"' "$T_LIB/channel_client.py" "$T_DIR" "$CH_KEYS"
acknowledged() { { cat "$T_DIR/acknowledged" 2>/dev/null || true; } | wc -l; }
wait_until 60 "(( \$(acknowledged) > $calls / 8 ))"
stop_roles g
says well platform2 platform2
gw_start g
urls
wait_until 120 '! proc_alive platform'
t_eq "acknowledged in the end" "$calls" "$(sort -u "$T_DIR/acknowledged" | wc -l)"
t_eq "each stored once" "$calls" "$(t_db "SELECT count(*) FROM payment_callbacks WHERE payment_id LIKE 'r%'")"
wait_until 20 'accepted platform2'
call "what is on the list no more goes on verifying" unknown_order platform1
call "what never was does not" serial_unknown platform3
stop_roles g g2

# ---- WeChat Pay is away, or says nonsense: what verified verifies

kill_role api
both() {
    gw_start g
    gw_ready
    call "$1: the old one" unknown_order platform1
    call "$1: the new one" unknown_order platform2
    call "$1: nobody's" serial_unknown platform3
}
both "a restart while WeChat Pay is away"
stop_roles g
api_start
for mode in error empty forged; do
    says "$mode" platform3 platform3
    before=$(heard)
    both "it answers: $mode"
    wait_until 30 "((\$(heard) > $before))"
    call "and then" unknown_order platform1
    stop_roles g
done
# Signed as it should be, but of another root.
ch_cert other /CN=other 3650 7A1000000000000000000000000000000000000F
says well other other
before=$(heard)
gw_start g
gw_ready
wait_until 30 "((\$(heard) > $before))"
t_match "is not believed" 'level=warn' "$(grep 'msg="asked for certificates"' "$(proc_log g)" | tail -n 1)"
call "a list of a stranger" serial_unknown other
call "takes nothing away" unknown_order platform2
stop_roles g
kill_role api

# ---- a file that somebody has written in

file=$(echo "$certificates"/wechat-*)
cp "$file" "$T_DIR/file"
# A certificate that comes from the root, and that no list has named.
{
    head -n 1 "$T_DIR/file"
    tail -n +2 "$T_DIR/file" | jq -c --arg s "$(cat "$CH_KEYS/platform3.serial")" --rawfile c "$CH_KEYS/platform3.crt" '.certificates[0] |= . + {serial_no: $s, certificate: $c}'
} >"$file"
grep -q "$(cat "$CH_KEYS/platform3.serial")" "$file" || t_fail "the file has another form: $(cut -c1-200 "$file")"
gw_start g
gw_ready
call "a certificate that somebody has put into it" serial_unknown platform3
call "a file that is not as it was written" serial_unknown platform1
stop_roles g
cp "$T_DIR/file" "$file"
chmod 644 "$file"
gw_start g
gw_ready
call "a file that others can read" serial_unknown platform1
stop_roles g
chmod 600 "$file"
ch_accounts '.wechat.shop1.revoked = ["7A10000000000000000000000000000000000001"]'
gw_start g
gw_ready
call "one that was revoked" serial_unknown platform1
call "and the other" unknown_order platform2
stop_roles g
