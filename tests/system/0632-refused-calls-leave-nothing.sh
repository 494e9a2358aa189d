#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a call that is not what a channel would say is refused with the reason that fits, is never answered with what the
# channel takes for success, and leaves no row; `sluice verify` says the same of the same bytes; no size or form of a call
# takes the memory that it would like to.
#
# How it could break: a step that is left out, or comes before the one that it relies on; a refusal that says 200; a body that
# is read to its end before anybody asks how long it is; a file of accounts that is taken with half of what it needs.

. "$(dirname "$0")/lib.sh"
# shellcheck source=gateway.sh
. "$(dirname "$0")/gateway.sh"
# shellcheck source=channel.sh
. "$(dirname "$0")/channel.sh"
t_begin "refused calls leave nothing"
channel_keys

# Besides: an expired certificate, accounts that listen to others only or have the usual windows, a second root, chains without their marks.
ch_rsa expired && ch_rsa alicert
ch_cert expired /CN=expired -1 6D1A0000000000000000000000000000000000A4
ch_chain root2 - - secp384r1
ch_chain inter2 root2 1.2.840.113635.100.6.2.1 secp384r1
ch_chain leaf2 inter2 1.2.840.113635.100.6.11.1 prime256v1
ch_chain plain root - secp384r1
ch_chain leafplain plain 1.2.840.113635.100.6.11.1 prime256v1
ch_chain leafbare inter - prime256v1
ch_chain leaf384 inter 1.2.840.113635.100.6.11.1 secp384r1
ch_chain payinter2 root2 1.2.840.113635.100.6.2.14 prime256v1
ch_chain paysigner2 payinter2 1.2.840.113635.100.6.29 prime256v1
ch_chain paysignerbare payinter - prime256v1
ch_chain paysignerold payinter 1.2.840.113635.100.6.29 prime256v1 -1
printf '192.0.2.0/24\n' >"$CH_KEYS/others.nets"
printf '%s\n' "$(cat "$CH_KEYS/wechat1.serial")" >"$CH_KEYS/dropped.serial"
ch_accounts '.wechat.far = .wechat.shop1 + {ip_allow_file: "others.nets", ip_policy: "enforce"}
    | .wechat.gone = .wechat.shop1 + {keys: {"6D1A0000000000000000000000000000000000A4": "expired.crt"}}
    | .wechat.usual = (.wechat.shop1 | del(.window_s))
    | .alipay.usual = (.alipay.shop1 | del(.window_s))
    | .applepay.usual = (.applepay.shop1 | del(.window_s))
    | .alipay.far = .alipay.shop1 + {ip_allow_file: "others.nets", ip_policy: "enforce"}
    | .appstore.far = .appstore.shop1 + {ip_allow_file: "others.nets", ip_policy: "enforce"}
    | .applepay.far = .applepay.shop1 + {ip_allow_file: "others.nets", ip_policy: "enforce"}'

# Bodies that are signed, and are none.
cd "$T_DIR"
python3 - <<'PY'
def write(name, data):
    open(name + ".body", "wb").write(data)
write("empty", b"")
write("nothing", b"{}")
write("deep", b"[" * 10000 + b"]" * 10000)
write("nul", b'{"id": "a\0b"}')
write("latin", b'{"id": "\xff\xfe", "event_type": "TRANSACTION.SUCCESS"}')
write("twice", b'{"id": "a", "id": "b"}')
write("large", b'{"id": "' + b"a" * 65536 + b'"}')
write("mebi", b"{" + b" " * (1 << 20))
write("broken", b"app_id=2021000000000001&total_amount=1%zz&sign=AAAA")
write("nulform", b"app_id=2021000000000001&subject=a%00b&sign=AAAA")
write("many", b"&".join(b"p%d=1" % i for i in range(5000)))
write("payload", b'{"signedPayload": 5}')
write("dots", b'{"signedPayload": "a.b"}')
write("rubbish", b'{"signedPayload": "' + b"A" * 60000 + b'.e30.AAAA"}')
PY

# REASON CHANNEL NAME FIELD=VALUE...
sig="Wechatpay-Signature"
cat >"$T_DIR/table" <<TABLE
header_missing wechat hm1 drop=Wechatpay-Serial
header_missing wechat hm2 drop=Wechatpay-Nonce
header_missing wechat hm3 drop=$sig
header_missing wechat hm4 drop=Wechatpay-Timestamp
header_dup wechat hd1 again=Wechatpay-Serial
header_dup wechat hd2 again=Wechatpay-Nonce
header_dup wechat hd3 again=$sig
header_dup wechat hd4 again=Wechatpay-Timestamp
header_malformed wechat hf1 header=Wechatpay-Nonce:
header_malformed wechat hf2 header=Wechatpay-Timestamp:-5
header_malformed wechat hf3 header=Wechatpay-Timestamp:1e9
header_malformed wechat hf4 header=Wechatpay-Timestamp:99999999999999999999
header_malformed wechat hf5 header=$sig:
sig_probe wechat sp1 sig=WECHATPAY/SIGNTEST/abcdef
sig_probe wechat sp2 sig=WECHATPAY/SIGNTEST/ key=stranger
alg_unsupported wechat al1 header=Wechatpay-Signature-Type:WECHATPAY2-SM2-WITH-SM3
alg_unsupported wechat al2 algorithm=AEAD_SM4_GCM
serial_unknown wechat su1 key=stranger
serial_unknown wechat su2 key=other
serial_unknown wechat su3 key=wechat2 serial=A1B0000000000000000000000000000000000A2
cert_expired wechat ce1 account=gone key=expired
sig_invalid wechat si1 tamper=1
sig_invalid wechat si2 key=stranger serial=$(cat "$CH_KEYS/wechat1.serial")
sig_invalid wechat si3 digest=SHA1
sig_invalid wechat si4 sig=AAAA
sig_invalid wechat si5 "sig=AA AA"
sig_invalid wechat si6 sig=AAA
sig_invalid wechat si7 sig=%%%%
sig_invalid wechat si8 sig=$(head -c 12000 /dev/zero | tr '\0' A)
sig_invalid wechat si9 tamper=1 ts=-9999
ts_stale wechat ts1 account=usual ts=-182
ts_stale wechat ts2 account=usual ts=-100000 body=empty.body
ts_future wechat tf1 account=usual ts=3000
ts_future wechat tf2 account=usual ts=100000000
body_malformed wechat bm1 body=empty.body
body_malformed wechat bm2 body=nothing.body
body_malformed wechat bm3 body=deep.body
body_malformed wechat bm4 body=nul.body
body_malformed wechat bm5 body=latin.body
body_malformed wechat bm6 body=twice.body
body_malformed wechat bm7 inner=[]
body_malformed wechat bm8 'inner={"mchid": "1900000001", "appid": "wx0000000000000001"}'
too_large wechat tl1 body=large.body
decrypt_failed wechat df1 nonce=abcdefghijk
decrypt_failed wechat df2 apiv3=00000000000000000000000000000000
decrypt_failed wechat df3 other_aad=x
field_mismatch wechat fm1 mchid=1900000009
field_mismatch wechat fm2 appid=wx0000000000000009
field_mismatch wechat fm3 account=shop2 key=other appid=wx0000000000000002
ip_refused wechat ip1 account=far
ip_refused wechat ip2 account=far tamper=1
param_dup alipay pd1 more=&total_amount=0.01
param_dup alipay pd2 more=&sign=AAAA
param_dup alipay pd3 more=&app%5fid=2021000000000001
body_malformed alipay bm1 body=broken.body
body_malformed alipay bm2 body=nulform.body
body_malformed alipay bm3 total_amount=12.345
body_malformed alipay bm4 total_amount=1e3
body_malformed alipay bm5 total_amount=-12.00
body_malformed alipay bm6 total_amount=99999999999999999999.00
body_malformed alipay bm7 raw=fffe
body_malformed alipay bm9 raw=610062
body_malformed alipay bm8 body=many.body
policy_weak_alg alipay wa1 sign_type=RSA digest=SHA1
policy_weak_alg alipay wa2 sign_type=MD5
alg_unsupported alipay al1 sign_type=SM2
sig_invalid alipay si1 tamper=1
sig_invalid alipay si2 key=stranger
sig_invalid alipay si3 sig=-
sig_invalid alipay si4 "sig=AA AA"
sig_invalid alipay si5 digest=SHA1
sig_invalid alipay si6 more=&subject2=%ff%fe
ts_stale alipay ts1 account=usual ts=-182
ts_future alipay tf1 account=usual ts=3000
field_mismatch alipay fm1 app_id=2021000000000009
field_mismatch alipay fm2 seller_id=2088000000000009
too_large alipay tl1 body=large.body
ip_refused alipay ip1 account=far
alg_unsupported appstore al1 alg=none
alg_unsupported appstore al2 alg=HS256
chain_length appstore cl1 chain=leaf,inter
chain_length appstore cl2 chain=leaf,inter,root,root
chain_invalid appstore ci1 chain=leaf2,inter2,root2
chain_invalid appstore ci2 chain=leaf2,inter2,root
chain_invalid appstore ci3 chain=leaf2,inter,root
chain_invalid appstore ci4 inner_chain=leaf2,inter2,root2
chain_oid appstore co1 chain=leafplain,plain,root
chain_oid appstore co2 chain=leafbare,inter,root
chain_expired appstore cx1 date=4102444800000
chain_expired appstore cx2 date=946684800000
sig_invalid appstore si1 tamper=1
sig_invalid appstore si2 key=leaf2
bundle_mismatch appstore bu1 bundle=com.example.other
bundle_mismatch appstore bu2 app=987654321
bundle_mismatch appstore bu3 inner_bundle=com.example.other
env_mismatch appstore en1 environment=Sandbox
body_malformed appstore bm1 body=empty.body
body_malformed appstore bm2 body=nothing.body
body_malformed appstore bm3 body=deep.body
body_malformed appstore bm4 body=payload.body
body_malformed appstore bm5 body=dots.body
body_malformed appstore bm6 body=rubbish.body
too_large appstore tl1 body=large.body
ip_refused appstore ip1 account=far
alg_unsupported applepay al1 version=EC_v2
alg_unsupported applepay al2 version=RSA_v1
chain_length applepay cl1 chain=paysigner
chain_length applepay cl2 chain=paysigner,payinter,leaf2
chain_length applepay cl3 chain=leaf2,paysigner,payinter
chain_invalid applepay ci1 chain=paysigner2,payinter2
chain_oid applepay co1 chain=leaf,inter
chain_oid applepay co2 chain=paysignerbare,payinter
chain_expired applepay cx1 chain=paysignerold,payinter
ts_stale applepay ts1 account=usual ts=-302
ts_future applepay tf1 account=usual ts=3000
sig_invalid applepay si1 tamper=1
sig_invalid applepay si2 embed=1
policy_weak_alg applepay wa1 digest=SHA1
field_mismatch applepay fm1 hash=$(printf '%064d' 0)
field_mismatch applepay fm2 paid=1
field_mismatch applepay fm3 paid_in=USD
decrypt_failed applepay df1 merchant_id=merchant.test.other
body_malformed applepay bm1 sig=AAAA
body_malformed applepay bm2 body=empty.body
body_malformed applepay bm3 body=deep.body
body_malformed applepay bm4 inner={}
too_large applepay tl1 body=large.body
ip_refused applepay ip1 account=far
TABLE
awk '{ $1 = ""; $3 = $2 "-" $3; print }' "$T_DIR/table" | ch_make -
awk '{ print $1, $2, $2 "-" $3 }' "$T_DIR/table" >"$T_DIR/want"

gw_start g
gw_ready
t_db "INSERT INTO payment_transactions (payment_id, account_id, channel, amount, currency) VALUES ('o1', 'u1', 'wechat', 1200, 'CNY')"
mapfile -t names < <(cut -d' ' -f3 "$T_DIR/want")
ch_send "${names[@]}"
t_eq "answers" "${#names[@]}" "$(wc -l <<<"$CH_OUT")"
t_eq "answers other than 4xx" "" "$(awk '$2 !~ /^4[0-9][0-9]$/' <<<"$CH_OUT")"
t_eq "answers with the word success" "" "$(grep -i success <<<"$CH_OUT" || true)"
# What is too large is refused before anybody asks whose it is.
t_eq "FAIL for WeChat Pay" "" "$(grep ^wechat <<<"$CH_OUT" | grep -v '"code":"FAIL"' | grep -v '^wechat-tl1 413 ' || true)"
t_eq "rows of inbox, quarantine and outbox" "0 0 0" "$(ch_rows)"

# (Limits of windows to the second: unit tests. Here the machine may take long between signing and sending.)

# What was counted, and what `sluice verify` says of the same bytes at that time.
cat >"$T_DIR/verify.py" <<'PY'
import base64
import concurrent.futures
import json
import os
import subprocess
import sys

program, accounts, calls, want, every = sys.argv[1:]


def ask(line):
    reason, channel, name = line.split()
    path = f"{calls}/{name}"
    call = json.load(open(path + ".json"))
    open(path + ".headers", "w").write("".join(f"{k}: {v}\n" for k, v in call["headers"]))
    open(path + ".body", "wb").write(base64.b64decode(call["body"]))
    run = subprocess.run([program, "verify", channel, "--accounts", accounts, "--account", call["path"].split("/")[3], "--headers", path + ".headers",
                          "--body", path + ".body", "--at", str(int(os.stat(path + ".json").st_mtime)), "--address", "127.0.0.1"],
                         capture_output=True, text=True)
    try:
        said = json.loads(run.stdout)
        good = (run.returncode == 3 and said["verdict"] == "reject" and said["reason"] == reason and not 200 <= said["answer"]["status"] < 300
                and "success" not in said["answer"]["body"].lower() and "event" not in said)
    except (ValueError, KeyError):
        good = False
    return good, f"{name}: expected {reason}, got {run.returncode} {run.stdout.strip()} {run.stderr.strip()[-300:]}"


with concurrent.futures.ThreadPoolExecutor(2) as pool:
    wrong = [text for good, text in pool.map(ask, list(open(want))[:: int(every)]) if not good]
print("\n".join(wrong))
sys.exit(len(wrong) > 0)
PY
python3 "$T_DIR/verify.py" "$SLUICE_BIN" "$CH_KEYS/accounts.json" "$CH_CALLS" "$T_DIR/want" "$(t_size 3 1)" || t_fail "sluice verify says something else"
t_ok "sluice verify says the same"
counts=$(awk '{ n[$2 " " $1]++ } END { for (k in n) print k, n[k] }' "$T_DIR/want" | sort | paste -sd, | sed 's/,/, /g')
t_eq "counted" "$counts" "$(ch_counts g)"

# ---- paths and methods

ch_make wechat genuine order=o1
jq '.path = "/callbacks/wechat/nobody"' "$CH_CALLS/genuine.json" >"$CH_CALLS/nobody.json"
jq '.path = "/callbacks/unionpay/shop1"' "$CH_CALLS/genuine.json" >"$CH_CALLS/unionpay.json"
jq '.path = "/callbacks/alipay/shop1"' "$CH_CALLS/genuine.json" >"$CH_CALLS/confused.json"
jq '.path = "/callbacks/wechat/shop1?a=b"' "$CH_CALLS/genuine.json" >"$CH_CALLS/query.json"
ch_send nobody unionpay confused query
t_eq "another account, channel, form, and a query" "" "$(awk '$2 !~ /^4[0-9][0-9]$/ || tolower($0) ~ /success/' <<<"$CH_OUT")"
gw GET /callbacks/wechat/shop1
t_match "GET" '^40[45]$' "$GW_STATUS"

# ---- sizes, and bodies without end: refused before they are read, and nothing grows

rss() { awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/$(proc_pid g)/status"; }
before=$(rss)
cat >"$T_DIR/floods.py" <<'PY'
import socket
import sys

port = int(sys.argv[1])


def call(path, headers, body):
    """Sends headers, then of body without end until somebody says something. The status, and how much was taken."""
    s = socket.create_connection(("127.0.0.1", port), timeout=30)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + "".join(h + "\r\n" for h in headers) + "\r\n"
    sent, answer = 0, b""
    try:
        s.sendall(head.encode())
        s.settimeout(0.001)
        while body and sent < 1 << 30 and not answer:
            try:
                sent += s.send(body)
                answer = s.recv(1, socket.MSG_PEEK)
            except TimeoutError:
                pass
        s.settimeout(30)
        answer = s.recv(65536)
    except OSError:
        pass
    s.close()
    status = answer.split(b" ")[1].decode() if answer.count(b" ") > 1 else "closed"
    return status, sent, answer


chunk = b"10000\r\n" + b"A" * 65536 + b"\r\n"
for path in ("/callbacks/wechat/shop1", "/callbacks/alipay/shop1", "/callbacks/appstore/shop1", "/payments/applepay/shop1/verify"):
    for what, headers, body in (
        ("1 MiB announced and sent", [f"Content-Length: {1 << 20}"], b"A" * 65536),
        ("1 GiB announced and not sent", [f"Content-Length: {1 << 30}"], b""),
        ("1 GiB announced and sent", [f"Content-Length: {1 << 30}"], b"A" * 65536),
        ("more than fits in a number", ["Content-Length: 99999999999999999999999"], b""),
        ("chunked without end", ["Transfer-Encoding: chunked"], chunk),
        ("chunked and a length", ["Transfer-Encoding: chunked", "Content-Length: 5"], chunk),
        ("two lengths", ["Content-Length: 5", "Content-Length: 6"], b"{}{}{}"),
        ("headers without end", ["X-A: " + "a" * 4000] * 40, b""),
    ):
        status, sent, answer = call(path, headers, body)
        good = (status == "closed" or status[0] == "4") and sent < 32 << 20 and b"success" not in answer.lower()
        print("ok" if good else "WRONG", path, what, status, sent)
PY
timeout 120 python3 "$T_DIR/floods.py" "${GW_URL##*:}" >"$T_DIR/floods"
t_eq "bodies without end" 32 "$(grep -c '^ok' "$T_DIR/floods"; grep '^WRONG' "$T_DIR/floods" || true)"
# shellcheck disable=SC2046
ch_send $(printf 'wechat-bm3 wechat-tl1 alipay-bm8 appstore-bm3 appstore-bm6 applepay-bm3 %.0s' {1..20})
t_match "memory, at first and afterwards (MiB): $before, $(rss)" '^0$' "$(($(rss) > before + 64))"
ch_expect "a genuine call" wechat ok genuine
# The order decides what a token may be over, whatever its request says.
ch_make applepay token order=o1
ch_make applepay tokenother order=o1 amount=1300
ch_make applepay tokenunknown order=nobody
ch_expect "a token" applepay ok token
ch_expect "a token over another amount" applepay field_mismatch tokenother
ch_expect "a token for no order" applepay field_mismatch tokenunknown
t_eq "rows of inbox, quarantine and outbox" "2 0 1" "$(ch_rows)"
stop_roles g

# ---- files of accounts that cannot be

# bad WHAT JQ-FILTER REGEX
bad() {
    cp "$CH_KEYS/accounts.json" "$CH_KEYS/good.json"
    ch_accounts "$2"
    refused "$1" "$3"
    mv "$CH_KEYS/good.json" "$CH_KEYS/accounts.json"
}
refused() {
    t_exit "$1: accounts check" 78 "$SLUICE_BIN" gateway accounts check "$CH_KEYS/accounts.json"
    t_match "says so" "$2" "$T_OUT"
    T_OUT=$(timeout 30 "$SLUICE_BIN" run gateway --gateway.listen 127.0.0.1:0 2>&1 </dev/null) && T_RC=0 || T_RC=$?
    t_eq "$1: the role" 78 "$T_RC"
    t_eq "$1: one line" 1 "$(grep -cE "$2" <<<"$T_OUT")"
    ! grep -qF "$(cat "$CH_KEYS/apiv3.key")" <<<"$T_OUT" || t_fail "a secret is in the message"
}
t_exit "an expired certificate" 3 "$SLUICE_BIN" gateway accounts check "$CH_KEYS/accounts.json"
t_match "says so" 'wechat.gone.*expired' "$T_OUT"
ch_accounts 'del(.wechat.gone)'
t_exit "the accounts are right" 0 "$SLUICE_BIN" gateway accounts check "$CH_KEYS/accounts.json"
bad "no mchid" 'del(.wechat.shop1.mchid)' 'mchid'
bad "no key" 'del(.wechat.shop2.apiv3_key_file)' 'apiv3_key_file'
bad "a key that is not there" '.wechat.shop1.keys["5F1A0000000000000000000000000000000000A1"] = "nowhere.crt"' 'nowhere.crt'
bad "a member nobody knows" '.alipay.shop1.windows_s = 5' 'windows_s'
bad "a root that is none" '.appstore.shop1.root_file = "wechat1.key"' 'root_file'
chmod 644 "$CH_KEYS/apiv3.key"
refused "a secret that others can read" 'apiv3_key_file'
chmod 600 "$CH_KEYS/apiv3.key"
chmod 640 "$CH_KEYS/raw.keys"
T_OUT=$(timeout 30 "$SLUICE_BIN" run gateway --gateway.listen 127.0.0.1:0 2>&1 </dev/null) && T_RC=0 || T_RC=$?
t_eq "keys of what is stored that others can read: the role" 78 "$T_RC"
t_match "says so" 'raw.keys' "$T_OUT"
