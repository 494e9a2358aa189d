#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a channel that sends until it gets the success answer has its notification in the database exactly once, wherever
# between the signature and the answer the gateway or PostgreSQL is killed; nothing else is stored.
#
# How it could break: an answer before the COMMIT; a success for what a crash undid; something remembered as seen that was
# not stored, so that the next copy is taken for a replay; the inbox and the outbox in two transactions.

. "$(dirname "$0")/lib.sh"
# shellcheck source=gateway.sh
. "$(dirname "$0")/gateway.sh"
# shellcheck source=channel.sh
. "$(dirname "$0")/channel.sh"
kills=$(t_size 4 60) calls=$(t_size 600 12000)
t_begin "what is acknowledged is stored" bare
t_addresses
t_program
own_pg
"$SLUICE_BIN" migrate >"$T_DIR/migrate.log" 2>&1 || t_fail "sluice migrate: $(tail -n 5 "$T_DIR/migrate.log")"
t_seed
channel_keys
t_db "INSERT INTO payment_transactions (payment_id, account_id, channel, amount, currency)
      SELECT 'o' || g, 'u1', 'wechat', 1200, 'CNY' FROM generate_series(1, $calls) g
      UNION ALL SELECT 'k' || g, 'u1', CASE WHEN g % 2 = 0 THEN 'wechat' ELSE 'alipay' END, 1200, 'CNY' FROM generate_series(1, 20) g"
rows() { t_db "SELECT (SELECT count(*) FROM payment_callbacks WHERE payment_id = '$1') || ' ' || (SELECT count(*) FROM payment_outbox WHERE partition_key = '$1')"; }

# COMMIT of what is of an order k... waits for a lock that this test holds.
t_db <<'SQL'
CREATE FUNCTION slow_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.payment_id LIKE 'k%' THEN
        PERFORM pg_advisory_xact_lock(4711);
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON payment_callbacks DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION slow_commit();
SQL
# The gateway also looks through what is stored, by itself: that is not what is waited for.
waiting() {
    t_db "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT granted AND application_name LIKE 'sluice%'
          AND query NOT LIKE 'UPDATE payment_callbacks%'"
}
# hold HOW: committing or inserting waits from now on; let_go ends it.
hold() {
    session_open "hold$1"
    case $2 in
        commit) session "hold$1" "SELECT pg_advisory_lock(4711)" >/dev/null ;;
        insert) session "hold$1" "BEGIN; LOCK TABLE payment_callbacks IN SHARE ROW EXCLUSIVE MODE" >/dev/null ;;
    esac
}
let_go() { kill_role "hold$1"; }
# Until the sessions of a gateway that was killed have come to an end, and whatever they were doing.
sessions() { t_db "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'sluice%'"; }
ended() { wait_until 40 '[[ $(sessions) == 0 ]]'; }
unanswered() { [[ -z $(ch_answer "$1") ]] || t_fail "$1 was answered too early: $(ch_answer "$1")"; }
not_acknowledged() {
    wait_until 60 "[[ -n \$(ch_answer $1) ]]"
    [[ $(ch_answer "$1" | cut -d' ' -f2) =~ ^(000|5[0-9][0-9])$ ]] || t_fail "$1: $(ch_answer "$1")"
}
# again ID REASON: the platform's next copy, signed anew.
again() {
    ch_make "$CHANNEL" "$1-again" "order=$1" "id=n-$1"
    ch_expect "the next copy" "$CHANNEL" "$2" "$1-again"
    t_eq "rows of inbox and outbox" "1 1" "$(rows "$1")"
}

n=0
aim() { # WHEN: makes the next call, which then waits there
    n=$((n + 1)) ID=k$n
    CHANNEL=$( ((n % 2)) && echo alipay || echo wechat)
    ch_make "$CHANNEL" "$ID" "order=$ID" "id=n-$ID"
    hold "$n" "$1"
    ch_ask "$ID"
    wait_until 20 '[[ $(waiting) == 1 ]]'
    unanswered "$ID"
}
start() { CH_ROLE=g$1 && gw_start "g$1" SLUICE_GATEWAY_WRITERS=1 SLUICE_GATEWAY_COMMIT_WAIT_MS=3000 SLUICE_GATEWAY_STATEMENT_TIMEOUT_MS=120000 && gw_ready; }

# ---- the gateway is killed where it matters

start 0
for _ in 1 2; do
    aim insert
    kill_role "$CH_ROLE"
    let_go "$n"
    not_acknowledged "$ID"
    ended
    start "$n"
    again "$ID" "$([[ $(rows "$ID") == '0 0' ]] && echo ok || echo duplicate)"
    t_ok "killed before the INSERT"

    aim commit
    kill_role "$CH_ROLE"
    let_go "$n"
    not_acknowledged "$ID"
    ended
    t_eq "rows" "1 1" "$(rows "$ID")"
    start "$n"
    again "$ID" duplicate
    t_ok "killed between INSERT and COMMIT, which then came to its end"

    aim commit
    kill_role "$CH_ROLE" STOP
    let_go "$n"
    wait_until 20 '[[ $(rows $ID) == "1 1" ]]'
    unanswered "$ID"
    kill_role "$CH_ROLE"
    not_acknowledged "$ID"
    start "$n"
    again "$ID" duplicate
    t_ok "killed between COMMIT and answer"
done

# ---- PostgreSQL is killed before the COMMIT

aim commit
own_pg_kill9
not_acknowledged "$ID"
t_ok "PostgreSQL killed before the COMMIT: $(ch_answer "$ID")"
own_pg_start
t_eq "rows" "0 0" "$(rows "$ID")"
gw_ready
again "$ID" ok
aim insert
own_pg_stop
not_acknowledged "$ID"
t_ok "PostgreSQL stopped before the INSERT: $(ch_answer "$ID")"
ch_make wechat away order=k20 id=n-k20
ch_expect "while it is away" wechat unavailable away
own_pg_start
gw_ready
again "$ID" ok
CHANNEL=wechat ID=k20
again k20 ok
stop_roles "$CH_ROLE"

# ---- two gateways under load, killed at random; every fifth notification comes under two ids

t_db "DROP TRIGGER slow_commit ON payment_callbacks"
urls() { cat "$T_DIR/a.url" "$T_DIR/b.url" >"$T_DIR/current.new" && mv "$T_DIR/current.new" "$T_DIR/current.url"; }
gw_start a
gw_start b
urls
for ((i = 1; i <= calls; i++)); do
    printf 'wechat p%s order=o%s id=p%s txn=t%s\n' "$i" "$i" "$i" "$i"
    ((i % 5)) || printf 'wechat q%s order=o%s id=q%s txn=t%s\n' "$i" "$i" "$i" "$i"
done | shuf --random-source=<(yes "${SLUICE_TEST_SEED:-1}") >"$T_DIR/calls.list"
# shellcheck disable=SC2016
start_proc platform bash -c 'exec python3 "$0" insist "$1" "$2" 4 <"$1/calls.list"' "$T_LIB/channel_client.py" "$T_DIR" "$CH_KEYS"
acknowledged() { { cat "$T_DIR/acknowledged" 2>/dev/null || true; } | wc -l; }
for ((k = 1; k <= kills; k++)); do
    wait_until 120 "(( \$(acknowledged) >= $calls * $k / ($kills + 1) ))"
    victim=$( ((RANDOM % 2)) && echo a || echo b)
    kill_role "$victim"
    gw_start "$victim"
    urls
done
wait_until 240 '! proc_alive platform'
role_exit platform 5
t_eq "the platform" 0 "$T_RC"
t_eq "notifications that were acknowledged in the end" "$(wc -l <"$T_DIR/calls.list")" "$(sort -u "$T_DIR/acknowledged" | wc -l)"
t_db "SELECT payment_id FROM payment_callbacks WHERE payment_id LIKE 'o%' ORDER BY payment_id COLLATE \"C\"" >"$T_DIR/stored"
t_db "SELECT partition_key FROM payment_outbox WHERE partition_key LIKE 'o%' ORDER BY partition_key COLLATE \"C\"" >"$T_DIR/outbox"
seq 1 "$calls" | sed 's/^/o/' | LC_ALL=C sort >"$T_DIR/want"
t_eq "missing in the inbox" 0 "$(comm -23 "$T_DIR/want" <(uniq "$T_DIR/stored") | wc -l)"
t_eq "twice in the inbox" 0 "$(uniq -d "$T_DIR/stored" | wc -l)"
t_eq "outbox and inbox" "" "$(diff "$T_DIR/stored" "$T_DIR/outbox" | head -3)"
t_eq "rows of inbox without theirs of the outbox" 0 "$(t_db "SELECT count(*) FROM payment_callbacks c WHERE NOT EXISTS (SELECT FROM payment_outbox o WHERE o.id = c.event_id)")"
t_eq "quarantine" 0 "$(t_db "SELECT count(*) FROM payment_quarantine")"
t_eq "answers other than success and 5xx" "" "$(cut -d' ' -f2 "$T_DIR/refused" 2>/dev/null | grep -vE '^(0|5[0-9][0-9])$' | sort | uniq -c)"
t_ok "$(acknowledged) acknowledged, $({ cat "$T_DIR/refused" 2>/dev/null || true; } | wc -l) not at once, $kills kills"
stop_roles a b
