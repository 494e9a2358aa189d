#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: the topic account.flows alone gives the ledger again, to the last hash; a database that was changed behind its back
# is not equal to it, and the places are named. (What a damaged log leads to: tests/integration/ledger_rebuild_test.c.)
#
# How it could break: something that is decided and not published (refusals, limits, holds that were moved to slot 0);
# records that were published twice; a comparison that compares nothing.

. "$(dirname "$0")/lib.sh"
# shellcheck source=bank.sh
. "$(dirname "$0")/bank.sh"

t_begin "rebuild equals the live ledger"
bank_begin
live=$DATABASE_URL
# target N: another migrated database; its URL is in TARGET.
target() {
    local id=$T_ID admin=$T_ADMIN_URL
    T_ID=$id$1 t_create_database "$SLUICE_TEST_ADMIN_URL" "$live"
    TARGET=$DATABASE_URL DATABASE_URL=$live T_ADMIN_URL=$admin
    DATABASE_URL=$TARGET "$SLUICE_BIN" migrate >"$T_DIR/target.log" 2>&1 || t_fail "the target is not migrated"
}
rebuild() { "$SLUICE_BIN" account rebuild --into "$TARGET" "$@"; }

start_roles relay account
bank_open 6 100000
bank_commands 1 300
# An account in slots, with open holds on both sides, that becomes limited; a frozen one; a change that changes nothing.
t_db <<'SQL'
INSERT INTO account_command_outbox (partition_key, command, payload)
SELECT 'bank:' || 1 + g % 6, 'try', jsonb_build_object('transfer_id', 'in' || g, 'debit', 'bank:' || 1 + g % 6, 'credit', 'bank:fees', 'amount', g, 'currency', 'CNY') FROM generate_series(1, 12) g
UNION ALL
SELECT 'bank:fees', 'try', jsonb_build_object('transfer_id', 'out' || g, 'debit', 'bank:fees', 'credit', 'bank:' || 1 + g % 6, 'amount', 1, 'currency', 'CNY') FROM generate_series(1, 3) g;
SQL
bank_settle 60
t_db <<'SQL'
INSERT INTO account_command_outbox (partition_key, command, payload) VALUES
    ('bank:fees', 'set', '{"account_id": "bank:fees", "max_balance": 9000000}'),
    ('bank:1', 'set', '{"account_id": "bank:1", "no_negative": true}'),
    ('bank:2', 'set', '{"account_id": "bank:2", "status": "frozen"}'),
    ('bank:3', 'cancel', '{"transfer_id": "never-tried", "debit": "bank:3"}');
SQL
bank_settle 60
t_db "INSERT INTO account_command_outbox (partition_key, command, payload) VALUES ('bank:5', 'confirm', '{\"transfer_id\": \"in4\", \"debit\": \"bank:5\", \"amount\": 2}')"
bank_settle 60
bank_published 60
(($(t_db "SELECT count(*) FROM account_flows WHERE kind = 'merge'") >= 2)) || t_fail "no slots were merged: this proves nothing"

target a
t_exit "into the live database" 3 "$SLUICE_BIN" account rebuild --into "$live"
t_exit "a look" 0 rebuild --dry-run
t_eq "rows after a look" 0 "$(psql -qAtX "$TARGET" -c 'SELECT count(*) FROM account_flows')"
stop_roles account
t_exit "rebuild" 0 rebuild --json
t_eq "differences" 0 "$(jq .differences.n <<<"$T_OUT")"
t_eq "compared" true "$(jq .compared <<<"$T_OUT")"
t_eq "flows" "$(t_db 'SELECT count(*) FROM account_flows')" "$(jq .rebuilt.flows.rows <<<"$T_OUT")"
t_eq "digests" "$("$SLUICE_BIN" account digest)" "$(DATABASE_URL=$TARGET "$SLUICE_BIN" account digest)"
t_exit "check of the rebuilt one" 0 env DATABASE_URL="$TARGET" "$SLUICE_BIN" account check --only I1,I2,I3,I4,I6,I8,I9
t_exit "again, into what is not empty" 3 rebuild

# The relay publishes everything once more, as after a restore: recognised.
stop_roles relay
t_exit "position to the start" 0 "$SLUICE_BIN" relay position set account-flow --to start --yes
start_role relay relay
wait_until 60 '[[ $(topic_count account.flows) == $(t_db "SELECT 2 * (SELECT count(*) FROM account_flows) + (SELECT count(*) FROM account_decisions)") ]]'
target b
t_exit "rebuild from a log that has it twice" 0 rebuild --json
t_eq "published before" "$(t_db 'SELECT count(*) FROM account_flows')" "$(jq .again <<<"$T_OUT")"

# The live ledger was changed behind its back.
t_admin "UPDATE account_slots SET balance = balance + 1 WHERE account_id = 'bank:4'; UPDATE account_transfers SET reference = 'x' WHERE transfer_id = 'fund:5'; DELETE FROM account_decisions WHERE transfer_id = 'never-tried'"
target c
t_exit "rebuild beside a changed ledger" 3 rebuild --json
t_eq "what differs" "accounts: account bank:4 balance|slots: account bank:4 slot 0 balance|transfers: transfer fund:5 reference" \
    "$(jq -r '.differences.first[] | select(.what != "there is no such row") | .where + " " + .what' <<<"$T_OUT" | sort | paste -sd '|')"
t_match "a decision that is gone" 'decisions: event ' "$(jq -r '.differences.first[] | select(.what == "there is no such row") | .where' <<<"$T_OUT")"
t_eq "equal are still" "flows places" "$(jq -r '[.rebuilt | to_entries[] | .key] as $k | . as $r | [$k[] | select($r.live[.].sha256 == $r.rebuilt[.].sha256)] | sort | join(" ")' <<<"$T_OUT")"
stop_roles relay
