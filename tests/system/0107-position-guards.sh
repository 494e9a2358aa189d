#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: the relay goes on only from a position that belongs to the database at hand. Where it does not, it says which
# state it found and ends; it publishes nothing again and leaves nothing out on its own account.
#
# How it could break: a lost position topic reads as a first start (everything is sent again); transaction ids of another
# database, cluster, timeline or of an older copy are compared with those of the position (rows are taken for seen); the
# snapshots of a standby do not list running transactions.

. "$(dirname "$0")/lib.sh"
# shellcheck source=oracle.sh
. "$(dirname "$0")/oracle.sh"
t_begin "a position that does not fit is refused" bare
t_addresses
t_program
shared_url=$DATABASE_URL
shared_admin=$SLUICE_TEST_ADMIN_URL
own_pg "recovery_init_sync_method = syncfs"
own_url=$DATABASE_URL
own_admin=$T_ADMIN_URL
t_migrate
oracle_begin

# refused NAME STATE: a relay started now ends with that reason.
refused() {
    local before
    before=$(topic_count callback.events)
    start_role "$1" relay
    role_exit "$1" 30
    t_eq "$1: exit code" 1 "$T_RC"
    t_match "$1: the reason" "$2" "$(grep 'level=error' "$(proc_log "$1")")"
    t_eq "$1: records before and after" "$before" "$(topic_count callback.events)"
}

# publishes N: a relay comes, publishes N rows and goes, and has told PostgreSQL where it stands.
publishes() {
    t_db "SELECT write_event(1, $1)"
    start_role r relay
    wait_until 30 "oracle_has callback.events $(oracle_mark)"
    stop_role r
    t_eq "the relay's end" 0 "$T_RC"
    t_eq "the copy of its position" "$(t_db "SELECT max(queue_seq) FROM cs_platform_event_outbox")" \
        "$(t_db "SELECT last_seq FROM sluice_relay_positions WHERE source = 'callback'")"
}

publishes 5

# ---- the position topic is new, the database is not: other topics that PostgreSQL remembers the same of

prefix=$SLUICE_TOPIC_PREFIX
SLUICE_TOPIC_PREFIX=${prefix}new.
"$SLUICE_BIN" topics apply >"$T_DIR/topics.log" 2>&1 || t_fail "topics apply"
t_db "UPDATE sluice_relay_positions SET topic_prefix = '$SLUICE_TOPIC_PREFIX'"
refused lost-topic 'position_lost.* 6 published rows'
t_db "UPDATE sluice_relay_positions SET topic_prefix = '$prefix'"
SLUICE_TOPIC_PREFIX=$prefix

# ---- another database of the same cluster, another cluster

psql -qAtX "$own_admin" -c "CREATE DATABASE other OWNER sluice"
DATABASE_URL=${own_url%/*}/other
t_migrate
refused other-database database_changed

t_create_database "$shared_admin" "$shared_url"
t_migrate
refused other-cluster sysid_changed
DATABASE_URL=$own_url

# ---- an older copy of the same cluster, started as it is

own_pg_stop
cp -a "$OWN_PG/data" "$T_DIR/older"
own_pg_start
publishes 5
own_pg_stop
mv "$OWN_PG/data" "$T_DIR/newer"
mv "$T_DIR/older" "$OWN_PG/data"
own_pg_start
refused older-copy xid_regressed
own_pg_stop
rm -rf "$OWN_PG/data"
mv "$T_DIR/newer" "$OWN_PG/data"
own_pg_start

# ---- a standby, and what becomes of it when it is promoted

standby=$T_DIR/standby
mkdir -m 0711 "$standby"
mkdir -m 0700 "$standby/data"
[[ $EUID -ne 0 ]] || chown "$(pg_user)" "$standby/data"
cp "$OWN_PG/password" "$OWN_PG/admin_password" "$OWN_PG/created" "$OWN_PG/bootstrapped" "$standby"
(cd / && as_user "$(pg_user)" "$(pg_bindir)/pg_basebackup" -D "$standby/data" -d "$(pg_admin_url "$OWN_PG")" -R -c fast \
    --no-sync) >"$T_DIR/basebackup.log" 2>&1 || t_fail "pg_basebackup"
pg_start "$standby" "$(port_single $$)" || t_fail "the standby does not start"
# Where the end of the test looks for what it has to stop.
cp "$standby/pid" "$T_DIR/standby.pid"
DATABASE_URL=$(pg_url "$standby")
t_eq "a standby" t "$(t_db "SELECT pg_is_in_recovery()")"
refused standby 'standby|recovery'
psql -qAtX "$(pg_admin_url "$standby")" -c "SELECT pg_promote()" >/dev/null
wait_until 20 "[[ \$(t_db 'SELECT pg_is_in_recovery()') == f ]]"
refused promoted timeline_changed
DATABASE_URL=$own_url

# ---- none of them has moved anything

publishes 5
oracle_judge cs_platform_event_outbox callback.events
