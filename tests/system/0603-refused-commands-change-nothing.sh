#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: what the ledger cannot book is refused under a code, or dead-lettered where it is no command at all; no account
# changes by it, each case is counted, and the commands beside it pass.
#
# How it could break: a number that is rounded or wraps; a check that comes after the first write; a refusal that ends the
# batch of its neighbours.

. "$(dirname "$0")/lib.sh"
# shellcheck source=bank.sh
. "$(dirname "$0")/bank.sh"

t_begin "refused commands change nothing"
bank_begin
start_role relay relay
start_role a1 account

# ask NAME COMMAND CALLER PAYLOAD: the row's id is the MD5 of the name.
ask() {
    t_db "INSERT INTO account_command_outbox (id, partition_key, command, caller, payload)
          VALUES (md5('$1')::uuid, 'key', '$2', '$3', '$4')"
}
records() { t_db "SELECT coalesce(sum(records), 0) FROM account_journal"; }
done_with() { wait_until 60 "[[ \$(records) == $1 ]]"; }

for account in a b frozen closed; do
    ask "open $account" open '' "{\"account_id\": \"$account\", \"currency\": \"CNY\", \"no_negative\": true}"
done
ask 'open usd' open '' '{"account_id": "usd", "currency": "USD"}'
ask 'open bank' open '' '{"account_id": "bank", "currency": "CNY", "kind": "system"}'
ask 'open rich' open '' '{"account_id": "rich", "currency": "CNY", "kind": "system"}'
ask 'open small' open '' '{"account_id": "small", "currency": "CNY", "max_balance": 10}'
ask 'open in' open '' '{"account_id": "in", "currency": "CNY", "credit_only": true}'
ask 'open out' open '' '{"account_id": "out", "currency": "CNY", "debit_only": true}'
ask fund transfer '' '{"transfer_id": "fund", "debit": "bank", "credit": "a", "amount": 100, "currency": "CNY"}'
ask 'fund rich' transfer '' '{"transfer_id": "rich", "debit": "bank", "credit": "rich", "amount": 100000000000000000, "currency": "CNY"}'
ask hold try shop '{"transfer_id": "hold", "debit": "a", "credit": "b", "amount": 30, "currency": "CNY"}'
ask freeze set '' '{"account_id": "frozen", "status": "frozen"}'
ask close set '' '{"account_id": "closed", "status": "closed"}'
done_with 15
t_eq "refused so far" 0 "$(bank_journal rejected)"

state() { t_db "SELECT md5(string_agg(s::text, E'\\n' ORDER BY account_id, slot)) FROM account_slots s"; }
before=$(state)

t() { printf '{"transfer_id": "%s", "debit": "%s", "credit": "%s", "amount": %s, "currency": "%s"}' "$@"; }
# name | command | caller | payload | code of the rejection
cases=(
    "zero|transfer||$(t z a b 0 CNY)|amount_not_positive"
    "negative|transfer||$(t n a b -5 CNY)|amount_not_positive"
    "more than there is|transfer||$(t m a b 71 CNY)|insufficient_funds"
    "sum overflows|transfer||$(t o bank rich 9223372036854775807 CNY)|overflow"
    "unknown debit|transfer||$(t ud nobody b 1 CNY)|debit_account_not_found"
    "unknown credit|transfer||$(t uc a nobody 1 CNY)|credit_account_not_found"
    "frozen debit|transfer||$(t fd frozen b 1 CNY)|debit_account_frozen"
    "frozen credit|transfer||$(t fc a frozen 1 CNY)|credit_account_frozen"
    "closed debit|transfer||$(t cd closed b 1 CNY)|debit_account_closed"
    "closed credit|try||$(t cc a closed 1 CNY)|credit_account_closed"
    "currency of an account|transfer||$(t cu a usd 1 CNY)|currency_mismatch"
    "currency of the command|transfer||$(t cx a b 1 USD)|currency_mismatch"
    "to itself|transfer||$(t s a a 1 CNY)|accounts_are_the_same"
    "debit of credit-only|transfer||$(t co in b 1 CNY)|debit_account_credit_only"
    "credit of debit-only|transfer||$(t dn a out 1 CNY)|credit_account_debit_only"
    "beyond the maximum|try||$(t mx a small 11 CNY)|maximum_exceeded"
    "confirm over the hold|confirm|shop|{\"transfer_id\": \"hold\", \"debit\": \"a\", \"amount\": 31}|amount_exceeds_hold"
    "confirm names another account|confirm|shop|{\"transfer_id\": \"hold\", \"debit\": \"b\"}|debit_account_mismatch"
    "confirm by another caller|confirm|thief|{\"transfer_id\": \"hold\", \"debit\": \"a\"}|exists_for_another_caller"
    "cancel by another caller|cancel|thief|{\"transfer_id\": \"hold\", \"debit\": \"a\"}|exists_for_another_caller"
    "id of another caller|transfer|thief|$(t hold a b 30 CNY)|exists_for_another_caller"
    "id with another amount|try|shop|$(t hold a b 29 CNY)|exists_with_different_content"
    "confirm of nothing|confirm|shop|{\"transfer_id\": \"nothing\", \"debit\": \"a\"}|transfer_not_found"
    "confirm of what is posted|confirm||{\"transfer_id\": \"fund\", \"debit\": \"bank\"}|not_a_hold"
    "far future|transfer||$(t ff a b 1 CNY | sed 's/}$/, "effective_at": "9000-01-01T00:00:00Z"}/')|timestamp_out_of_range"
    "one of a set|linked||{\"transfers\": [$(t l1 a b 1 CNY), $(t l2 a b 1000 CNY)]}|linked_failed"
    "closing what is not empty|set||{\"account_id\": \"a\", \"status\": \"closed\"}|account_not_empty"
    "account with other settings|open||{\"account_id\": \"a\", \"currency\": \"USD\"}|account_exists_with_different_content"
)
# name | payload of a transfer | what the reason has to name: no command, a dead letter
dead=(
    "over 64 bits|$(t b1 a b 9223372036854775808 CNY)|number_out_of_range"
    "a fraction|$(t b2 a b 1.5 CNY)|amount"
    "text for a number|$(t b3 a b '"5"' CNY)|amount"
    "no amount|{\"transfer_id\": \"b4\", \"debit\": \"a\", \"credit\": \"b\", \"currency\": \"CNY\"}|amount"
    "no id|{\"debit\": \"a\", \"credit\": \"b\", \"amount\": 1, \"currency\": \"CNY\"}|transfer_id"
    "an unknown field|$(t b5 a b 1 CNY | sed 's/}$/, "ammount": 5}/')|ammount"
    "an id with a blank|$(t 'b 6' a b 1 CNY)|transfer_id"
    "a list|[1, 2]|object"
)
for row in "${cases[@]}"; do
    IFS='|' read -r name command caller payload _ <<<"$row"
    ask "$name" "$command" "$caller" "$payload"
done
for row in "${dead[@]}"; do
    IFS='|' read -r name payload _ <<<"$row"
    ask "$name" transfer '' "$payload"
done
ask 'no such command' give '' '{}'

# What only a producer of somebody else's can send: an exponent, bytes that are no Avro, a tombstone.
foreign() { kcat -P -b "$KAFKA_BROKERS" -t "${SLUICE_TOPIC_PREFIX}account.commands" -k a "$@"; }
printf '{"event_id": "e1", "command": "transfer", "partition_key": "a", "caller": "", "payload": "%s", "queue_seq": 1, "created_at": %s}' \
    "$(t b7 a b 1e2 CNY | sed 's/"/\\"/g')" "$(date +%s000000)" >"$T_DIR/exponent"
printf '\000\000\000\005\025\377\377\377\377' >"$T_DIR/bytes"
foreign "$T_DIR/exponent"
foreign "$T_DIR/bytes"
kcat -P -b "$KAFKA_BROKERS" -t "${SLUICE_TOPIC_PREFIX}account.commands" -K $'\t' -Z <<<$'a\t'

letters=$((${#dead[@]} + 4))
done_with $((15 + ${#cases[@]} + letters))
for row in "${cases[@]}"; do
    IFS='|' read -r name _ _ _ code <<<"$row"
    t_match "$name" "(^|,)$code(,|\$)" "$(t_db "SELECT string_agg(code, ',' ORDER BY ordinal) FROM account_decisions WHERE event_id = md5('$name')::uuid::text AND outcome = 'rejected'")"
done
for row in "${dead[@]}"; do
    IFS='|' read -r name _ field <<<"$row"
    t_match "$name" "$field" "$(t_db "SELECT headers::text FROM dead_letter_outbox WHERE encode(value, 'escape') LIKE '%' || md5('$name')::uuid::text || '%'")"
done
t_eq "dead letters" "$letters" "$(t_db "SELECT count(*) FROM dead_letter_outbox WHERE topic = 'account.dlq'")"
t_eq "rejected" "${#cases[@]}" "$(bank_journal rejected)"
t_eq "dead in the journal" "$letters" "$(bank_journal dead)"
t_eq "accounts before and after" "$before" "$(state)"
t_match "counted" '[1-9]' "$(curl -fsS "http://$(jq -r .http "$SLUICE_RUNTIME_DIR"/account-*.json 2>/dev/null || "$SLUICE_BIN" health account | awk '{print $4}')/metrics" | grep -c '^sluice_account_.*insufficient_funds')"

# What was refused stays refused, and the hold is still good.
ask enough transfer '' "$(t more bank a 500 CNY)"
ask again transfer '' "$(t m a b 71 CNY)"
ask fine confirm shop '{"transfer_id": "hold", "debit": "a", "amount": 20}'
done_with $((15 + ${#cases[@]} + letters + 3))
t_eq "asked again with enough funds" rejected "$(t_db "SELECT state FROM account_transfers WHERE transfer_id = 'm'")"
t_eq "balances" 'a 580 0, b 20 0' "$(t_db "SELECT string_agg(concat_ws(' ', account_id, balance, frozen), ', ' ORDER BY account_id) FROM accounts WHERE account_id IN ('a', 'b')")"
t_exit "sluice account check" 0 "$SLUICE_BIN" account check
wait_until 60 "[[ \$(topic_count account.dlq) == $letters ]]"
stop_roles a1 relay
