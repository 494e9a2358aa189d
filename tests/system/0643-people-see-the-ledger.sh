#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: an operator opens accounts, sets limits and looks into the ledger with commands: amounts with the currency's digits
# for people, whole minor units in JSON and CSV; what is refused is said with its code and exit code 3.
#
# How it could break: digits of another currency, or of a float; a command that says "applied" before it is; an empty answer
# for what is not there.

. "$(dirname "$0")/lib.sh"

t_begin "people see the ledger"
export SLUICE_ACCOUNT_SESSION_TIMEOUT_MS=1500
account() { "$SLUICE_BIN" account "$@"; }
start_roles relay account

t_exit "open without waiting" 0 account open clearing:demo:CNY --currency CNY --kind clearing
t_match "what was asked" '^asked: [0-9a-f-]{36}$' "$T_OUT"
t_exit "open" 0 account open alice --currency CNY --no-negative --max-balance 100000 --wait 60
t_eq "the decision" applied "$T_OUT"
t_exit "open once more" 0 account open alice --currency CNY --no-negative --max-balance 100000 --wait 60
t_match "it is so" 'as it is asked for already' "$T_OUT"
t_exit "in JSON" 0 account open alice --currency CNY --no-negative --max-balance 100000 --wait 60 --json
t_match "too" '"outcome":"already","code":null' "$T_OUT"
t_exit "open in another currency" 0 account open jpy --currency JPY --exponent 0 --wait 60
t_exit "open with other content" 3 account open alice --currency USD --wait 60
t_match "its code" account_exists_with_different_content "$T_OUT"
t_exit "open with nonsense" 2 account open alice --currency CNY --kind nonsense
t_exit "an id that is none" 2 account open 'a b' --currency CNY
t_exit "a look at what would be asked" 0 account set alice --status frozen --dry-run
t_match "it" '"account_id":"alice","status":"frozen"' "$T_OUT"
t_exit "set nothing" 2 account set alice
t_exit "set what is not there" 3 account set nobody --no-negative true --wait 60
t_exit "set" 0 account set alice --max-balance 200000 --wait 60

command_row() { t_db "INSERT INTO account_command_outbox (partition_key, command, payload) VALUES ('$1', '$2', '$3')"; }
command_row clearing:demo:CNY transfer '{"transfer_id": "fund", "debit": "clearing:demo:CNY", "credit": "alice", "amount": 123456, "currency": "CNY", "reference": "=cmd|x"}'
command_row alice try '{"transfer_id": "hold", "debit": "alice", "credit": "clearing:demo:CNY", "amount": 5, "currency": "CNY"}'
command_row alice transfer '{"transfer_id": "too-much", "debit": "alice", "credit": "clearing:demo:CNY", "amount": 123452, "currency": "CNY"}'
wait_until 60 '[[ $(t_db "SELECT count(*) FROM account_transfers") == 3 ]]'

t_exit "show" 0 account show alice
for line in 'balance +1234\.56' 'frozen +0\.05' 'available +1234\.51' 'limits +not below zero, at most 2000\.00' 'hold +gives +0 +0\.05'; do
    t_match "it has $line" "$line" "$T_OUT"
done
t_eq "as JSON" "123456 5 123451 200000 hold" "$(account show alice --json | jq -r '"\(.balance) \(.frozen) \(.available) \(.max_balance) \(.open_holds[0].transfer_id)"')"
t_exit "show what is not there" 4 account show nobody
t_match "no digits" 'balance +0$' "$(account show jpy | grep balance)"
t_eq "ls" "alice clearing:demo:CNY jpy" "$(account ls --json | jq -r '[.accounts[].account_id] | join(" ")')"
t_eq "ls by kind" "clearing:demo:CNY" "$(account ls --kind clearing --json | jq -r '.accounts[].account_id')"
t_eq "ls behind one" "jpy" "$(account ls --after clearing:demo:CNY --json | jq -r '.accounts[].account_id')"

t_match "flows, the newest first" 'hold +0\.00 +1234\.56 +0\.05' "$(account flows alice | sed -n 2p)"
t_eq "flows as JSON" "hold 0|post 123456" "$(account flows alice --json | jq -r '[.flows[] | "\(.kind) \(.amount)"] | join("|")')"
t_eq "one of them" 1 "$(account flows alice --limit 1 --json | jq '.flows | length')"
t_eq "of the future" 0 "$(account flows alice --from 2099-01-01T00:00:00Z --json | jq '.flows | length')"
account flows alice --csv >"$T_DIR/flows.csv"
t_eq "CSV, the oldest first" "kind amount balance_after|post 123456 123456|hold 0 123456" \
    "$(python3 -c 'import csv, sys; rows = list(csv.reader(open(sys.argv[1]))); at = [rows[0].index(n) for n in ("kind", "amount", "balance_after")]; print("|".join(" ".join(r[i] for i in at) for r in rows))' "$T_DIR/flows.csv")"
t_exit "CSV and JSON" 2 account flows alice --csv --json

t_exit "a transfer" 0 account transfer too-much
t_match "why it was refused" 'code +insufficient_funds' "$T_OUT"
t_match "the command that asked" 'commands' "$T_OUT"
t_eq "as JSON" "rejected 0 1 1" "$(account transfer too-much --json | jq -r '"\(.transfer.state) \(.flows | length) \(.decisions | length) \(.commands | length)"')"
t_eq "one that was booked" "posted 2" "$(account transfer fund --json | jq -r '"\(.transfer.state) \(.flows | length)"')"
t_exit "one that nobody asked for" 4 account transfer nothing
t_exit "check" 0 account check
stop_roles account relay
