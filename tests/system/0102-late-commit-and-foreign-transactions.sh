#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a row counts when it is committed, not when it was numbered. Writers that draw their sequence number early and
# commit late are not lost, with subtransactions or without; a long transaction of somebody else, in this database or in
# another one of the cluster, does not hold the road up; and what a key's writers did one after the other comes out so.
#
# How it could break: `queue_seq > last` runs past the late ones; `xid < xmin` waits for strangers; an order by transaction
# id turns a key round when the later writer has the older id.

. "$(dirname "$0")/lib.sh"
# shellcheck source=oracle.sh
. "$(dirname "$0")/oracle.sh"
t_begin "late commits are not lost and long transactions stop nobody"
oracle_begin

arrives() { wait_until "${3:-20}" "oracle_has $1 $2"; }
topic=callback.events

# all_of_it: what must hold whether windows are read at once or walked in small parts.
all_of_it() {
    local how=$1 n=$2 i id id2 xids first last elsewhere

    # ---- numbers drawn early, committed late and in another order

    for i in 1 2 3; do
        session_open "late$i$how"
        session "late$i$how" "BEGIN; SELECT write_event(${i}0, 2)" >/dev/null
        t_db "SELECT write_event($i, 2)"
    done
    # More subtransactions than a backend keeps in shared memory (64), each with a row.
    session_open "sub$how"
    session "sub$how" "BEGIN; DO \$\$ BEGIN FOR i IN 1..100 LOOP BEGIN PERFORM write_event($n, 1);
        IF i % 10 = 0 THEN RAISE division_by_zero; END IF; EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END \$\$"
    id=$(oracle_mark)
    arrives $topic "$id"
    t_ok "$how: rows committed later than higher numbers do not hold these up"
    for i in 2 "" 3 1; do
        session "${i:+late}${i:-sub}$how" "COMMIT"
        arrives $topic "$(oracle_mark)"
    done
    oracle_settle
    oracle_judge cs_platform_event_outbox $topic
    t_eq "$how: rows of the transaction with subtransactions" 90 \
        "$(t_db "SELECT count(*) FROM seen s JOIN cs_platform_event_outbox o USING (id) WHERE s.key = 'key-$n'")"

    # ---- strangers: a writing transaction that stays open, in another database and in this one

    elsewhere=e$T_ID$how
    psql -qAtX "$SLUICE_TEST_ADMIN_URL" -c "CREATE DATABASE $elsewhere"
    T_DATABASES+=("$SLUICE_TEST_ADMIN_URL" "$elsewhere")
    session_open "far$how" "${SLUICE_TEST_ADMIN_URL%/*}/$elsewhere"
    session "far$how" "CREATE TABLE t (n int); BEGIN; INSERT INTO t VALUES (1)"
    session_open "near$how"
    session "near$how" "BEGIN; UPDATE writer_keys SET k = k WHERE k = 50"
    id=$(oracle_mark)
    id2=$(oracle_mark payment_outbox)
    arrives $topic "$id"
    arrives payment.events "$id2"
    t_eq "$how: transactions still open that are older than rows already out" 2 "$(t_admin "
        SELECT count(*) FROM pg_stat_activity a, cs_platform_event_outbox o WHERE o.id = '$id' AND a.state = 'idle in transaction'
        AND a.datname IN ('$elsewhere', current_database()) AND a.backend_xid::text::bigint < o.queue_txid::text::bigint")"
    session "far$how" "COMMIT"
    session "near$how" "COMMIT"

    # ---- the later writer of a key has the older transaction id; both become visible in one window

    session_open "old$how"
    session_open "young$how"
    session "old$how" "BEGIN; SELECT pg_current_xact_id()" >/dev/null
    kill_role r STOP
    session "young$how" "BEGIN; SELECT FROM writer_keys WHERE k = 7 FOR UPDATE; SELECT write_event(7, 2); COMMIT" >/dev/null
    session "old$how" "SELECT FROM writer_keys WHERE k = 7 FOR UPDATE; SELECT write_event(7, 2); COMMIT" >/dev/null
    xids=$(t_db "SELECT string_agg(queue_txid::text, ' ' ORDER BY queue_seq) FROM
        (SELECT * FROM cs_platform_event_outbox WHERE partition_key = 'key-7' ORDER BY queue_seq DESC LIMIT 4) x")
    kill_role r CONT
    read -r first _ _ last <<<"$xids"
    ((first > last)) || t_fail "the trap is not set: transaction ids in the order of the key are $xids"
    oracle_settle
    oracle_judge_all
    t_ok "$how: key order holds against transaction ids $xids"
}

start_role r relay
wait_until 30 'relay_owns r callback && relay_owns r payment'
all_of_it atonce 40
stop_role r
start_role r relay SLUICE_RELAY_WINDOW_ROWS_MAX=1 SLUICE_RELAY_BATCH_ROWS_MAX=2
wait_until 30 'relay_owns r callback 2 && relay_owns r payment 2'
all_of_it walked 41
stop_role r
t_eq "the relay's end" 0 "$T_RC"
