#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Calls of channels, for tests: made by the channels' rules and not by the program.

    channel.py make DIR CALLS CHANNEL NAME [FIELD=VALUE]...   CALLS/NAME.json: path, headers and body
    channel.py make DIR CALLS -                               the same, one such line after the other on stdin

DIR is what channel_keys() in channel.sh has made. Fields have what a genuine call has unless they are given; besides
what the call says (order, amount, id, ...), fields forge it: ts (seconds from now), key, serial, drop=HEADER,
header=NAME:VALUE, again=HEADER, body=FILE, sig=TEXT, ... Each channel's function has its own.

What is made twice is never the same bytes, however soon: there is something random in what is signed.
"""
import base64
import hashlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.parse
import uuid

from channel_crypto import b64, b64url, cms, raw_ecdsa, seal, sign, token

BEIJING = 8 * 3600


def at(offset, form, zone=0):
    return time.strftime(form, time.gmtime(time.time() + offset + zone))


def wechat(d, f):
    event = f.get("event", "TRANSACTION.SUCCESS")
    offset = int(f.get("ts", 0))
    when = at(offset, "%Y-%m-%dT%H:%M:%S+08:00", BEIJING)
    total, order = int(f.get("amount", 1200)), f.get("order", "o1")
    inner = {"mchid": f.get("mchid", "1900000001"), "out_trade_no": order, "transaction_id": f.get("txn", "42" + order)}
    if event.startswith("REFUND."):
        refund = int(f.get("refund", total))
        inner |= {"refund_id": "50" + f.get("refund_id", "r1"), "out_refund_no": f.get("refund_id", "r1"), "refund_status": event[7:],
                  "user_received_account": "x", "success_time": when,
                  "amount": {"total": total, "refund": refund, "payer_total": total, "payer_refund": refund}}
    else:
        inner |= {"appid": f.get("appid", "wx0000000000000001"), "trade_type": "JSAPI", "trade_state": f.get("state", "SUCCESS"),
                  "trade_state_desc": "x", "bank_type": "OTHERS", "attach": "", "success_time": when, "payer": {"openid": "o"},
                  "amount": {"total": total, "payer_total": total, "currency": f.get("currency", "CNY"), "payer_currency": "CNY"}}
    nonce = f.get("nonce", token(6)).encode()
    aad = f.get("aad", "refund" if event.startswith("REFUND.") else "transaction")
    secret = open(f"{d}/apiv3.key", "rb").read().strip() if "apiv3" not in f else f["apiv3"].encode()
    sealed = seal(secret, nonce, aad.encode(), f.get("inner", json.dumps(inner)).encode())
    resource = {"original_type": aad, "algorithm": f.get("algorithm", "AEAD_AES_256_GCM"), "ciphertext": b64(sealed),
                "associated_data": aad + f.get("other_aad", ""), "nonce": nonce.decode()}
    outer = {"id": f.get("id", str(uuid.uuid4())), "create_time": when, "resource_type": "encrypt-resource", "event_type": event,
             "summary": "x", "resource": resource}
    body = body_of(f, json.dumps(outer, ensure_ascii=False).encode())
    stamp, nonce_str = str(int(time.time()) + offset), token(16)
    signed = body if "tamper" not in f else body + b" "
    made = sign(f"{d}/{f.get('key', 'wechat1')}.key", f"{stamp}\n{nonce_str}\n".encode() + signed + b"\n", f.get("digest", "SHA256"))
    serial = f.get("serial") or open(f"{d}/{f.get('key', 'wechat1')}.serial").read().strip()
    return body, [("Content-Type", "application/json"), ("Wechatpay-Serial", serial), ("Wechatpay-Nonce", nonce_str),
                  ("Wechatpay-Signature", f.get("sig", b64(made))), ("Wechatpay-Timestamp", stamp)]


def alipay(d, f):
    """Every field of the form may be given; name=- leaves it out. copy is nothing of Alipay's: its signature has nothing random in it.
    raw=HEX is one more in any bytes, more=TEXT is put behind what is signed."""
    offset, order = int(f.get("ts", 0)), f.get("order", "o1")
    fen = int(f.get("amount", 1200))
    form = {"app_id": "2021000000000001", "seller_id": "2088000000000001", "notify_id": f.get("id", token(17)),
            "notify_time": at(offset, "%Y-%m-%d %H:%M:%S", BEIJING), "notify_type": "trade_status_sync", "charset": "utf-8", "version": "1.0",
            "sign_type": "RSA2", "out_trade_no": order, "trade_no": f.get("txn", "2026" + order), "trade_status": "TRADE_SUCCESS",
            "total_amount": f"{fen // 100}.{fen % 100:02d}", "subject": "充值 & more", "copy": token(8), "gmt_payment": at(offset, "%Y-%m-%d %H:%M:%S", BEIJING)}
    if "refunded" in f:
        fen = int(f["refunded"])
        form |= {"refund_fee": f"{fen // 100}.{fen % 100:02d}", "gmt_refund": at(offset, "%Y-%m-%d %H:%M:%S.123", BEIJING)}
    own = ("order", "amount", "id", "ts", "txn", "refunded", "key", "sig", "digest", "more", "body", "drop", "header", "again", "account", "tamper", "raw")
    form |= {name: value for name, value in f.items() if name not in own}
    form = {name: value for name, value in form.items() if value != "-"}
    code = "gb18030" if form.get("charset", "gbk").lower() in ("gbk", "gb2312", "gb18030") else "utf-8"
    text = {name: value.encode(code) for name, value in form.items()}
    if "raw" in f:
        text["body"] = bytes.fromhex(f["raw"])
    content = b"&".join(name.encode() + b"=" + text[name] for name in sorted(text) if name != "sign_type")
    made = sign(f"{d}/{f.get('key', 'alipay1')}.key", content, f.get("digest", "SHA256"))
    if f.get("sig") != "-":
        text["sign"] = f.get("sig", b64(made)).encode()
    if "tamper" in f:
        text["total_amount"] = b"0.01"
    body = "&".join(f"{urllib.parse.quote_plus(name)}={urllib.parse.quote_plus(value)}" for name, value in text.items())
    return body_of(f, body.encode() + f.get("more", "").encode()), [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")]


def jws(d, f, payload, chain):
    certs = [base64.b64encode(open(f"{d}/{name}.der", "rb").read()).decode() for name in chain.split(",")]
    head = b64url(json.dumps({"alg": f.get("alg", "ES256"), "x5c": certs}).encode())
    text = f"{head}.{b64url(json.dumps(payload).encode())}"
    made = raw_ecdsa(sign(f"{d}/{f.get('key', chain.split(',')[0])}.key", text.encode()))
    if "tamper" in f:
        made = bytes([made[0] ^ 1]) + made[1:]
    return f"{text}.{b64url(made)}"


def appstore(d, f):
    now = int((time.time() + int(f.get("ts", 0))) * 1000)
    chain = f.get("chain", "leaf,inter,root")
    bundle, env = f.get("bundle", "com.example.game"), f.get("environment", "Production")
    txn = {"transactionId": f.get("txn", "70" + token(4)), "originalTransactionId": "1", "bundleId": f.get("inner_bundle", bundle), "productId": "gems",
           "purchaseDate": now, "originalPurchaseDate": now, "quantity": 1, "type": "Consumable", "appAccountToken": f.get("order", str(uuid.uuid4())),
           "inAppOwnershipType": "PURCHASED", "signedDate": now, "environment": env, "transactionReason": "PURCHASE", "storefront": "CHN",
           "storefrontId": "143465", "price": int(f.get("amount", 1200)) * 10, "currency": f.get("currency", "CNY")}
    payload = {"notificationType": f.get("type", "ONE_TIME_CHARGE"), "notificationUUID": f.get("id", str(uuid.uuid4())), "version": "2.0", "signedDate": now,
               "data": {"appAppleId": int(f.get("app", 1234567890)), "bundleId": bundle, "bundleVersion": "1", "environment": env,
                        "signedTransactionInfo": jws(d, {}, txn, f.get("inner_chain", "leaf,inter,root"))}}
    if "date" in f:
        payload["signedDate"] = int(f["date"])
    return body_of(f, json.dumps({"signedPayload": jws(d, f, payload, chain)}).encode()), [("Content-Type", "application/json")]


def openssl(*arguments, given=b""):
    return subprocess.run(["openssl", *arguments], input=given, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


def applepay(d, f):
    """A token of a device; order, amount and currency of what it is handed in for, paid and paid_in for what it says itself."""
    currencies = {"CNY": "156", "USD": "840", "JPY": "392"}
    amount, currency = int(f.get("amount", 1200)), f.get("currency", "CNY")
    said = {"applicationPrimaryAccountNumber": "4817499130000001", "applicationExpirationDate": "311231", "currencyCode": currencies[f.get("paid_in", currency)],
            "transactionAmount": int(f.get("paid", amount)), "deviceManufacturerIdentifier": "040010030273", "paymentDataType": "3DSecure",
            "paymentData": {"onlinePaymentCryptogram": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="}}
    with tempfile.TemporaryDirectory() as t:
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{t}/key")
        public = openssl("pkey", "-in", f"{t}/key", "-pubout", "-outform", "DER")
        merchant = openssl("x509", "-in", f"{d}/{f.get('merchant', 'merchant')}.crt", "-pubkey", "-noout")
        with open(f"{t}/merchant", "wb") as out:
            out.write(merchant)
        z = openssl("pkeyutl", "-derive", "-inkey", f"{t}/key", "-peerkey", f"{t}/merchant").rjust(32, b"\0")
        whose = hashlib.sha256(f.get("merchant_id", "merchant.test.shop1").encode()).digest()
        key = hashlib.sha256(b"\0\0\0\1" + z + b"\x0did-aes256-GCM" + b"Apple" + whose).digest()
    data = seal(key, b"\0" * 16, b"", f.get("inner", json.dumps(said)).encode())
    txn = f.get("txn", token(32))
    content = public + data + bytes.fromhex(txn)
    if "tamper" in f:
        content += b"x"
    chain = [f"{d}/{name}" for name in f.get("chain", "paysigner,payinter").split(",")]
    signature = cms(chain, content, time.time() + int(f.get("ts", 0)), f.get("digest", "sha256"), "embed" in f)
    hash_of = hashlib.sha256(openssl("pkey", "-pubin", "-outform", "DER", given=merchant)).digest() if "hash" not in f else bytes.fromhex(f["hash"])
    data = {"version": f.get("version", "EC_v1"), "data": b64(data), "signature": f.get("sig", b64(signature)),
            "header": {"ephemeralPublicKey": b64(public), "publicKeyHash": b64(hash_of), "transactionId": txn}}
    whole = {"token": {"paymentData": data}, "amount": amount, "currency": currency} | ({"payment_id": f["order"]} if "order" in f else {})
    return body_of(f, json.dumps(whole).encode()), [("Content-Type", "application/json")]


def body_of(f, body):
    return open(f["body"], "rb").read() if "body" in f else body


CHANNELS = {"wechat": wechat, "alipay": alipay, "appstore": appstore, "applepay": applepay}


def path_of(channel, f):
    account = f.get("account", "shop1")
    return f"/payments/applepay/{account}/verify" if channel == "applepay" else f"/callbacks/{channel}/{account}"


def make(d, calls, channel, name, fields):
    f = dict(field.split("=", 1) for field in fields)
    body, headers = CHANNELS[channel](d, f)
    if "drop" in f:
        headers = [h for h in headers if h[0] != f["drop"]]
    if "again" in f:
        headers += [h for h in headers if h[0] == f["again"]]
    if "header" in f:
        new = tuple(f["header"].split(":", 1))
        headers = [h for h in headers if h[0] != new[0]] + [new]
    call = {"path": path_of(channel, f), "headers": headers, "body": b64(body)}
    with open(f"{calls}/{name}.new", "w") as out:
        json.dump(call, out)
    os.rename(f"{calls}/{name}.new", f"{calls}/{name}.json")


def main():
    _, _, d, calls, *rest = sys.argv
    lines = [rest] if rest != ["-"] else [shlex.split(line) for line in sys.stdin]
    for channel, name, *fields in lines:
        make(d, calls, channel, name, fields)


if __name__ == "__main__":
    main()
