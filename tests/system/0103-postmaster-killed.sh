#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a crash of PostgreSQL loses no row that comes after it, and publishes none that it undoes.
#
# How it could break: the ids of transactions that never reached the disk (an aborted one is enough) are given again after
# a crash. A relay that has remembered a snapshot from before the crash takes their new owners for rows it has seen. And a
# row of an asynchronous commit is visible before it is durable.
#
# The WAL writer would hide the fault by flushing in time, and full page images by filling pages; both are held back. That
# ids really are given again on a server set up like this is shown first, without a relay.

. "$(dirname "$0")/lib.sh"
# shellcheck source=oracle.sh
. "$(dirname "$0")/oracle.sh"
t_begin "a killed postmaster loses no later row" bare
t_addresses
t_program
own_pg "wal_writer_delay = '10s'" "full_page_writes = off" "autovacuum = off" "checkpoint_timeout = '1h'" "wal_level = minimal" \
    "max_wal_senders = 0"
t_migrate
oracle_begin
topic=callback.events

xid_of() { t_db "SELECT queue_txid FROM cs_platform_event_outbox WHERE id = '$1'"; }
aborted() { t_db "BEGIN; SELECT write_event(1, 1); SELECT pg_current_xact_id(); ROLLBACK" | grep -E '^[0-9]+$'; }

# ---- the control: what a crash does here to an id that nobody has flushed

t_db "SELECT write_event(2, 1)"
b=$(aborted)
own_pg_kill9
own_pg_start
c=$(t_db "SELECT pg_current_xact_id()")
t_eq "without a relay, the aborted transaction's id after the crash goes to the next one" "$b" "$c"

# ---- the same with a relay that has seen the aborted transaction, and has published a row that need not be durable yet

start_role r relay
wait_until 30 'relay_owns r callback && relay_owns r payment'
wait_until 20 "oracle_has $topic $(oracle_mark)"
kill_role r STOP
a=$(oracle_mark)
b=$(aborted)
async=$(t_db "SET synchronous_commit = off; INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload)
    VALUES ('demo', 'async', 'https://127.0.0.1:1/never', '{}') RETURNING id")
a_xid=$(xid_of "$a")
kill_role r CONT
wait_until 20 "oracle_has $topic $a && oracle_has $topic $async"
# Frozen, so that it takes over only when the next rows are there: else it might notice that ids have gone back.
kill_role r STOP
own_pg_kill9
own_pg_start
c=$(oracle_mark)
d=$(oracle_mark)
c_xid=$(xid_of "$c")
printf 'ids: A %s committed and published, B %s aborted; after the crash: C %s\n' "$a_xid" "$b" "$c_xid"
kill_role r CONT
wait_until 30 "oracle_has $topic $c && oracle_has $topic $d"
t_ok "the rows written after the crash are there"
((c_xid > b)) || t_fail "C arrived although it has the id of B: the relay had not seen B, so this proves nothing"
t_eq "a row of an asynchronous commit that was published before the crash is in the table after it" 1 \
    "$(t_db "SELECT count(*) FROM cs_platform_event_outbox WHERE id = '$async'")"
oracle_settle
oracle_judge_all
proc_alive r || t_fail "the relay has ended"
stop_role r
t_eq "the relay's end" 0 "$T_RC"
