#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: an order goes from its events to the ledger and to the merchant's callback by the roles alone; whoever asks is told
# what an event books and why, before and after; what needs a person is listed and closed once; wrong posting rules stop
# the start and not a payment.
#
# How it could break: the topic is not read; the sweeper never asks or asks for what is paid; counts that differ from the rows of
# history; `explain` that says something else than what then happens; a rule that does not balance and is booked by.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
t_begin "payments are booked, told and explained"
S=$SLUICE_BIN

# ---- Rules
python3 - "$DEV_ROOT/schemas/posting.json" "$T_DIR" <<'PY'
import json, sys
rules, out = json.load(open(sys.argv[1])), sys.argv[2]
def write(name, change):
    copy = json.loads(json.dumps(rules))
    change(copy)
    json.dump(copy, open(f"{out}/{name}.json", "w"))
write("unbalanced", lambda r: r["rules"]["suspend"].append({"account": "clearing", "side": "debit", "amount": "received"}))
write("unknown", lambda r: r["rules"]["refund"][0].update(account="cash"))
write("missing", lambda r: r["rules"].pop("revoke"))
PY
refused() { # FILE REGEX
    start_role bad account SLUICE_ACCOUNT_POSTING_FILE="$T_DIR/$1.json"
    role_exit bad 20
    t_eq "$1 rules: the exit code" 78 "$T_RC"
    t_match "$1 rules: one message" "$2" "$(grep 'the role has failed' "$(proc_log bad)")"
}
refused unbalanced 'rule ."suspend." does not balance: debits 2 x received, credits 1 x received'
refused unknown 'rule ."refund.": entry 1 names the account ."cash."'
refused missing 'rule ."revoke." is missing'

# ---- The road
start_role relay relay
start_role a1 account
wait_role account
wait_role relay
command() { t_db "INSERT INTO account_command_outbox (partition_key, command, payload) VALUES ('k', '$1', '$2')"; }
event() { t_db "INSERT INTO payment_outbox (partition_key, event_type, payload) VALUES ('$1', '$2', '$3') RETURNING id" | head -n 1; }
state() { t_db "SELECT concat_ws(' ', state, version) FROM payment_transactions WHERE payment_id = '$1'"; }
command open '{"account_id": "u1", "currency": "CNY"}'
wait_until 30 '[[ $(t_db "SELECT count(*) FROM account_slots") == 1 ]]'
t_db "INSERT INTO payment_transactions (payment_id, account_id, channel, amount, currency, callback_platform, callback_target)
      VALUES ('A-1', 'u1', 'wechat', 1200, 'CNY', 'demo', 'https://shop.example/paid');
      INSERT INTO payment_transactions (payment_id, account_id, channel, amount, currency, expires_at)
      VALUES ('A-2', 'u1', 'wechat', 700, 'CNY', now())"
wait_until 30 '[[ $(state A-2) == "EXPIRED 2" ]]'
t_ok "an order whose time has come expires by itself"

# ---- Explained before, then done
paid='{"channel": "wechat", "channel_txn_id": "t1", "amount": 1200, "currency": "CNY", "paid_at": "2026-11-20T10:00:00Z"}'
printf '{"event_type": "payment.succeeded", "payment_id": "A-1", "payload": %s}' "$paid" >"$T_DIR/paid.json"
t_exit "explain, before it comes" 0 "$S" account explain "$T_DIR/paid.json" --json
t_eq "its road" "INIT PENDING CONFIRMED" "$(jq -r '.would.path | join(" ")' <<<"$T_OUT")"
t_eq "its entries" "debit clearing:wechat:CNY 1200, credit u1 1200" \
    "$(jq -r '[.would.books.entries[] | "\(.side) \(.account) \(.amount)"] | join(", ")' <<<"$T_OUT")"
t_eq "if the account refuses" "suspense:wechat:CNY" "$(jq -r '.would.if_refused.entries[1].account' <<<"$T_OUT")"
t_eq "nothing was changed by asking" "INIT 0" "$(state A-1)"
id=$(event A-1 payment.succeeded "$paid")
for _ in 1 2 3 4; do
    event A-1 payment.succeeded "$paid" >/dev/null
done
event A-1 payment.succeeded "${paid/1200/1199}" >/dev/null
event A-2 payment.succeeded "${paid/1200/700}" >/dev/null
wait_until 30 '[[ $(t_db "SELECT sum(records) FROM account_journal WHERE topic LIKE '\''%payment.events'\''") == 9 ]]'
t_eq "confirmed once" "CONFIRMED 2" "$(state A-1)"
t_eq "too late: revoked" "REVOKED 3" "$(state A-2)"
t_eq "balances" "clearing:wechat:CNY -1900, suspense:wechat:CNY 700, u1 1200" \
    "$(t_db "SELECT string_agg(account_id || ' ' || balance, ', ' ORDER BY account_id) FROM accounts")"
t_eq "the merchant is told of each transition" "payment.pending payment.confirmed" \
    "$(t_db "SELECT string_agg(event_type, ' ' ORDER BY queue_seq) FROM cs_platform_event_outbox")"
t_exit "explain, after it came" 0 "$S" account explain "$id" --json
t_eq "what it did" "INIT>PENDING PENDING>CONFIRMED" "$(jq -r '[.history[] | "\(.from_state)>\(.to_state)"] | join(" ")' <<<"$T_OUT")"
t_eq "what it booked" "pay:A-1:confirm posted" "$(jq -r '.transfers[] | "\(.transfer_id) \(.state)"' <<<"$T_OUT")"
t_eq "once more it would do" "nothing again" "$(jq -r '.would | "\(.answer) \(.case)"' <<<"$T_OUT")"
t_exit "explain a payment, for people" 0 "$S" account explain A-2
t_match "its history" 'EXPIRED -> REVOKED by payment.succeeded .*booked suspend' "$T_OUT"
t_exit "explain what is not there" 4 "$S" account explain nobody
printf '{"event_type": "payment.succeeded", "payment_id": "A-1", "amount": 1.5}' >"$T_DIR/bad.json"
t_exit "explain what is malformed" 3 "$S" account explain "$T_DIR/bad.json"
t_match "its message" 'field payload.channel is missing' "$T_OUT"

# ---- Counted as the rows
address=$(sed -n 's/.* http=\([0-9.:]*\) .*/\1/p' "$(proc_log a1)" | head -n 1)
counted() { curl -sf "http://$address/metrics" | awk -v w="is_idempotent=\"$1\"" '/^txn_state_transition_total/ && index($0, w) { n += $2 } END { print n + 0 }'; }
t_eq "transitions counted" "$(t_db "SELECT count(*) FROM payment_state_transitions")" "$(counted false)"
t_eq "repetitions counted" 4 "$(counted true)"

# ---- Reviews
t_exit "reviews" 0 "$S" account reviews ls --json
t_eq "the wrong amount alone" "A-1 amount_mismatch" "$(jq -r '.reviews[] | "\(.payment_id) \(.code)"' <<<"$T_OUT")"
review=$(jq -r '.reviews[0].id' <<<"$T_OUT")
t_exit "without a note" 2 "$S" account reviews resolve "$review" --as anna
t_exit "resolve, dry" 0 "$S" account reviews resolve "$review" --as anna --note 'given back at the channel' --dry-run
t_exit "resolve" 0 "$S" account reviews resolve "$review" --as anna --note 'given back at the channel'
t_exit "a second time" 3 "$S" account reviews resolve "$review" --as bob --note 'me too'
t_match "who was first" "was resolved by anna" "$T_OUT"
t_eq "nothing is open" 0 "$("$S" account reviews ls --json | jq '.reviews | length')"

# A channel whose clearing account somebody had frozen: nothing is lost, and the event comes again by command.
t_exit "freeze" 0 "$S" account set clearing:wechat:CNY --status frozen --wait 20
t_db "INSERT INTO payment_transactions (payment_id, account_id, channel, amount, currency) SELECT 'F-1', account_id, channel, amount, currency FROM payment_transactions WHERE payment_id = 'A-1'"
t_db "INSERT INTO payment_outbox (partition_key, event_type, payload) SELECT 'F-1', 'payment.succeeded', jsonb_build_object('channel', channel, 'channel_txn_id', 'wx-F1', 'amount', amount, 'currency', currency, 'paid_at', '2026-11-22T00:00:00Z') FROM payment_transactions WHERE payment_id = 'F-1'"
wait_until 30 '[[ $("$S" account reviews ls --json | jq ".reviews | length") == 1 ]]'
t_exit "thaw" 0 "$S" account set clearing:wechat:CNY --status open --wait 20
t_exit "retry" 0 "$S" account reviews retry "$("$S" account reviews ls --json | jq -r '.reviews[0].id')" --as anna --note 'clearing is open again'
wait_until 30 "[[ \$(t_db \"SELECT state FROM payment_transactions WHERE payment_id = 'F-1'\") == CONFIRMED ]]"

t_exit "the ledger is right" 0 "$S" account check
stop_roles a1 relay
