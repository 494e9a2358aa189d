# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For the tests of the ledger: a bank whose commands go the whole road (row, topic, account role, flows, topic), readers that
# add the balances up in one snapshot after the other, and a judge. Sourced after lib.sh.
#
#     t_begin NAME
#     bank_begin                          # the judge's tables; small batches, short sessions
#     start_role relay relay; start_role a1 account
#     bank_open 8 1000                    # accounts bank:1..8 with 1,000 each, bank:equity, bank:fees
#     bank_watch                          # the readers
#     bank_commands 1 2000                # of the mix
#     bank_again 200                      # so many of them once more, from a producer that is not ours
#     bank_settle 120
#     bank_judge

BANK_ACCOUNTS=0
BANK_SENT_AGAIN=0

bank_begin() {
    printf 'fetch.wait.max.ms=10\n' >"$T_DIR/kcat.conf"
    export KCAT_CONFIG=$T_DIR/kcat.conf
    export SLUICE_ACCOUNT_SESSION_TIMEOUT_MS=${1:-1500} SLUICE_ACCOUNT_BATCH_ROWS_MAX=${2:-50}
}

# A number from 0 to BOUND - 1 that follows from the seed, the command's number and a letter.
bank_dice() { printf "(('x' || substr(md5('%s' || g || '%s'), 1, 7))::bit(28)::int %% %s)" "$BANK_SEED" "$1" "$2"; }

# bank_open N EACH: commands, like everything else.
bank_open() {
    BANK_ACCOUNTS=$1 BANK_SEED=${SLUICE_TEST_SEED:-$RANDOM}
    t_db <<SQL
INSERT INTO account_command_outbox (partition_key, command, payload)
SELECT a, 'open', jsonb_build_object('account_id', a, 'currency', 'CNY', 'kind', k) || more
FROM (VALUES ('bank:equity', 'system', '{}'::jsonb), ('bank:fees', 'fee', '{}')) v(a, k, more)
UNION ALL SELECT 'bank:' || g, 'open',
    jsonb_build_object('account_id', 'bank:' || g, 'currency', 'CNY', 'no_negative', true, 'max_balance', 1000000)
FROM generate_series(1, $1) g;
SQL
    wait_until 60 "[[ \$(t_db 'SELECT count(*) FROM accounts') == $(($1 + 2)) ]]"
    t_db "INSERT INTO account_command_outbox (partition_key, command, payload)
          SELECT 'bank:equity', 'transfer', jsonb_build_object('transfer_id', 'fund:' || g, 'debit', 'bank:equity',
              'credit', 'bank:' || g, 'amount', $2, 'currency', 'CNY') FROM generate_series(1, $1) g"
    wait_until 60 "[[ \$(t_db \"SELECT count(*) FROM account_transfers WHERE state = 'posted'\") == $1 ]]"
}

# bank_commands FROM TO: of ten, four transfers between two of the accounts, one to the fees and one back from there, a pair
# of try and what ends it, a linked set of two, a transfer that nobody can pay. Ids are the MD5 of the number, so that repeating it does no harm.
bank_commands() {
    local n=$BANK_ACCOUNTS
    t_db <<SQL
INSERT INTO account_command_outbox (id, partition_key, command, payload)
SELECT md5('cmd' || g)::uuid, d, command,
    CASE command
    WHEN 'confirm' THEN jsonb_build_object('transfer_id', 'h' || g - 1, 'debit', d)
        || CASE WHEN a % 3 = 0 THEN jsonb_build_object('amount', 1) ELSE '{}' END
    WHEN 'cancel' THEN jsonb_build_object('transfer_id', 'h' || g - 1, 'debit', d)
    WHEN 'linked' THEN jsonb_build_object('transfers', jsonb_build_array(
        one || jsonb_build_object('transfer_id', 'l' || g || 'a'),
        one || jsonb_build_object('transfer_id', 'l' || g || 'b', 'credit', 'bank:fees', 'amount', 1)))
    ELSE one || jsonb_build_object('transfer_id', CASE command WHEN 'try' THEN 'h' ELSE 't' END || g) END
FROM (
    SELECT g, a, d, command, jsonb_build_object('debit', d, 'credit', c, 'currency', 'CNY',
        'amount', CASE WHEN g % 10 = 9 THEN 500000 ELSE 1 + a END) AS one
    FROM (
        SELECT g, $(bank_dice a 60) AS a,
            CASE g % 10 WHEN 4 THEN 'bank:fees' ELSE 'bank:' || 1 + x END AS d,
            CASE g % 10 WHEN 5 THEN 'bank:fees' ELSE 'bank:' || 1 + (x + 1 + $(bank_dice c $((n - 1)))) % $n END AS c,
            CASE g % 10 WHEN 6 THEN 'try' WHEN 7 THEN CASE WHEN $(bank_dice e 3) < 2 THEN 'confirm' ELSE 'cancel' END
                 WHEN 8 THEN 'linked' ELSE 'transfer' END AS command
        FROM (SELECT g, ('x' || substr(md5('$BANK_SEED' || g - CASE WHEN g % 10 = 7 THEN 1 ELSE 0 END), 1, 7))::bit(28)::int % $n AS x
              FROM generate_series($1, $2) g) r) r) r
ORDER BY g ON CONFLICT DO NOTHING;
SQL
}

# bank_again N: N of the commands that are in the topic, sent again under their ids by a producer of somebody else's, as
# JSON, each to whatever partition. Returns when they are in the topic.
bank_again() {
    t_db "SELECT md5(random()::text) || E'\\t' || json_build_object('event_id', id, 'command', command,
              'partition_key', partition_key, 'caller', caller, 'payload', payload::text, 'queue_seq', queue_seq,
              'created_at', (extract(epoch FROM created_at) * 1000000)::bigint)
          FROM account_command_outbox WHERE payload->>'transfer_id' LIKE 't%' OR command = 'linked' ORDER BY random() LIMIT $1" >"$T_DIR/again"
    kcat -P -b "$KAFKA_BROKERS" -t "${SLUICE_TOPIC_PREFIX}account.commands" -K $'\t' -l "$T_DIR/again" >/dev/null 2>&1 ||
        t_fail "kcat could not produce"
    BANK_SENT_AGAIN=$((BANK_SENT_AGAIN + $(wc -l <"$T_DIR/again")))
}

# bank_watch: in the background, snapshot after snapshot: all balances together are 0, and nobody with a limit is beyond
# it. What is wrong is written down; bank_judge reads it. A database that is away is waited for.
bank_watch() {
    # shellcheck disable=SC2016
    start_proc reader bash -c 'while :; do
        psql -qAtX -v ON_ERROR_STOP=1 "$0" <<<"SELECT sum(balance), count(*) FILTER (WHERE no_negative AND balance - frozen < 0
            OR balance + incoming > max_balance OR frozen < 0 OR incoming < 0), count(*) > 0 FROM account_slots;" 2>/dev/null || sleep 0.2
    done' "$DATABASE_URL"
}

# Everything that was asked has an answer: each position is at the end of its partition.
bank_undecided() {
    t_db "SELECT count(*) FROM account_command_outbox o
          WHERE NOT EXISTS (SELECT FROM account_flows f WHERE f.event_id = o.id::text)
            AND NOT EXISTS (SELECT FROM account_decisions d WHERE d.event_id = o.id::text)"
}
bank_records() { topic_count account.commands; }
bank_journal() { t_db "SELECT coalesce(sum($1), 0) FROM account_journal WHERE topic LIKE '%account.commands'"; }

# bank_settle SECONDS
bank_settle() {
    t_db "CREATE INDEX IF NOT EXISTS flows_by_event ON account_flows (event_id)"
    wait_until "$1" '[[ $(bank_undecided) == 0 ]]'
    wait_until "$1" '[[ $(bank_journal records) == $(bank_records) ]]'
}

# bank_published SECONDS: every flow and decision is in account.flows.
bank_published() {
    wait_until "$1" "[[ \$(topic_count account.flows) == \$(t_db 'SELECT (SELECT count(*) FROM account_flows) + (SELECT count(*) FROM account_decisions)') ]]"
}

# bank_judge: every command applied or rejected once, what came again a duplicate, the readers never saw a wrong total, the
# checker finds nothing.
bank_judge() {
    local asked wrong
    asked=$(t_db "SELECT count(*) FROM account_command_outbox")
    t_eq "applied or rejected, of $asked commands" "$asked" "$(bank_journal 'applied + rejected')"
    t_eq "duplicates" "$BANK_SENT_AGAIN" "$(bank_journal duplicates)"
    t_eq "dead letters" 0 "$(bank_journal dead)"
    if [[ -e $T_DIR/reader.pid ]]; then
        kill_role reader
        wrong=$(grep -vc '^0|0|t$' "$(proc_log reader)" || true)
        t_eq "wrong totals in $(wc -l <"$(proc_log reader)") snapshots" 0 "$wrong"
        (($(wc -l <"$(proc_log reader)") > 10)) || t_fail "too few snapshots: this proves nothing"
    fi
    t_exit "sluice account check" 0 "$SLUICE_BIN" account check
    bank_states
}
bank_states() {
    t_ok "states: $(t_db "SELECT string_agg(state || ' ' || n, ', ' ORDER BY state) FROM (SELECT state, count(*) n FROM account_transfers GROUP BY 1) x")"
}
