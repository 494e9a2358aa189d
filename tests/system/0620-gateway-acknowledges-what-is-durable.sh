#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: what the gateway has acknowledged is in the database, whatever dies; what it has refused is not; and where the answer
# to its COMMIT is lost, it finds out before it answers.
#
# How it could break: an answer before the COMMIT; a lost COMMIT taken for a failure (the client asks again under another id) or
# written a second time; a queue that is answered 503 and stored nevertheless.

. "$(dirname "$0")/lib.sh"
# shellcheck source=gateway.sh
. "$(dirname "$0")/gateway.sh"
t_begin "the gateway acknowledges what is durable"
t_seed

body() { printf '{"transfer_id": "%s", "debit": "a", "credit": "b", "amount": 1, "currency": "CNY"}' "$1"; }
rows() { t_db "SELECT count(*) FROM account_command_outbox WHERE payload ->> 'transfer_id' = '$1'"; }

# ---- killed right after the answer, again and again

# Asks without end; notes what was acknowledged.
cat >"$T_DIR/asker.sh" <<'SH'
for ((i = 1; ; i++)); do
    body='{"transfer_id": "'k$1-$i'", "debit": "a", "credit": "b", "amount": 1, "currency": "CNY"}'
    [[ $(curl -s -o /dev/null -w '%{http_code}' --max-time 10 -H 'Content-Type: application/json' -d "$body" \
        "$(cat "$2/current.url")/v1/transfers") == 202 ]] && printf 'k%s-%s\n' "$1" "$i" >>"$2/acknowledged.$1"
done
SH
acknowledged() { { cat "$T_DIR"/acknowledged.* 2>/dev/null || true; } | wc -l; }
gw_start g0
cp "$T_DIR/g0.url" "$T_DIR/current.url"
for n in 1 2 3; do
    start_proc "asker$n" bash "$T_DIR/asker.sh" "$n" "$T_DIR"
done
for ((round = 1; round <= $(t_size 5 40); round++)); do
    goal=$(($(acknowledged) + RANDOM % 10))
    wait_until 60 "(( \$(acknowledged) > $goal ))"
    kill_role "g$((round - 1))"
    gw_start "g$round"
    cp "$T_DIR/g$round.url" "$T_DIR/current.new" && mv "$T_DIR/current.new" "$T_DIR/current.url"
done
for n in 1 2 3; do
    kill_role "asker$n"
done
cat "$T_DIR"/acknowledged.* | sort >"$T_DIR/acknowledged"
t_db "SELECT payload ->> 'transfer_id' FROM account_command_outbox" | sort >"$T_DIR/stored"
t_eq "acknowledged and not stored" 0 "$(comm -23 "$T_DIR/acknowledged" "$T_DIR/stored" | wc -l)"
t_eq "stored twice" 0 "$(uniq -d "$T_DIR/stored" | wc -l)"
t_ok "$(wc -l <"$T_DIR/acknowledged") acknowledged, $(wc -l <"$T_DIR/stored") stored, $((round - 1)) kills"
stop_roles "g$((round - 1))"

# ---- the answer to COMMIT is lost: the session dies while the server commits

# COMMIT waits for a lock that this test holds.
t_db <<'SQL'
CREATE FUNCTION slow_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.payload ->> 'transfer_id' LIKE 'slow%' THEN
        PERFORM pg_advisory_xact_lock(4711);
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON account_command_outbox DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION slow_commit();
SQL
pg_port_of() { sed -E 's#.*:([0-9]+)/.*#\1#' <<<"$1"; }
real=$(pg_port_of "$DATABASE_URL")
through=$(port_single $$)
forward_start() { start_proc forward python3 "$T_LIB/forward.py" "$through" "$real"; }
forward_start
wait_until 10 '! port_free "$through"'
gw_start g DATABASE_URL="${DATABASE_URL/:$real/:$through}" SLUICE_GATEWAY_WRITERS=1
gw_ready

# Holds the lock until somebody writes to the pipe.
hold_commits() {
    mkfifo "$T_DIR/hold.$1"
    start_proc "hold$1" bash -c "{ echo 'SELECT pg_advisory_lock(4711);'; cat '$T_DIR/hold.$1'; } | psql -qAtX '$DATABASE_URL'"
    wait_until 10 '[[ $(t_db "SELECT count(*) FROM pg_locks WHERE locktype = '"'advisory'"' AND objid = 4711 AND granted") == 1 ]]'
}
release_commits() { printf 'SELECT 1;\n' >"$T_DIR/hold.$1"; }
committing() { t_db "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted"; }
# slow_ask ID FILE: in the background; its status goes to FILE.
slow_ask() {
    curl -s -o "$T_DIR/$1.body" -w '%{http_code}' --max-time 60 -H 'Content-Type: application/json' -d "$(body "$1")" "$GW_URL/v1/transfers" >"$T_DIR/$1.status"
}

hold_commits 1
slow_ask slow1 &
asked=$!
wait_until 20 '[[ $(committing) == 1 ]]'
kill_role forward
t_ok "the session is cut while its COMMIT runs"
wait_until 20 'grep -q "the answer to a COMMIT is lost" "$(proc_log g)"'
t_eq "the client has no answer yet" "" "$(cat "$T_DIR/slow1.status")"
forward_start
release_commits 1
wait "$asked"
t_eq "the client hears that it is stored" 202 "$(cat "$T_DIR/slow1.status")"
t_eq "and it is there once" 1 "$(rows slow1)"

hold_commits 2
slow_ask slow2 &
asked=$!
wait_until 20 '[[ $(committing) == 1 ]]'
t_admin "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted" >/dev/null
release_commits 2
wait "$asked"
t_eq "a COMMIT that was undone is made good" 202 "$(cat "$T_DIR/slow2.status")"
t_eq "and it is there once" 1 "$(rows slow2)"
t_match "both were noted" 'sluice_gateway_commits_unknown_total 2' "$(gw_metrics g)"

# ---- the network swallows everything

ask_many() {
    local i
    for i in {1..40}; do
        curl -s -o "$T_DIR/many.$i.body" -w '%{http_code}\n' --max-time 60 "$GW_URL/v1/transfers/slow1" >"$T_DIR/many.$i" &
    done
    wait
    cat "$T_DIR"/many.[0-9]* | grep -c '^503$'
}
kill_role forward STOP
# Nobody asks anything: the sessions are looked at nevertheless.
wait_until 60 '! "$SLUICE_BIN" health gateway >/dev/null 2>&1'
t_eq "questions do not wait for one another" 40 "$(ask_many | tail -1)"
gw POST /v1/transfers "$(body swallowed)"
gw_expect "while nothing comes through" 503 database_unavailable
kill_role forward CONT
gw_ready
gw GET /v1/transfers/slow1
gw_expect "when it comes through again" 200
t_eq "nothing was stored" 0 "$(rows swallowed)"

# ---- the database is away

kill_role forward
wait_until 30 'gw POST /v1/transfers "$(body away)" && [[ $GW_BODY =~ database_unavailable ]]'
gw POST /v1/transfers "$(body away)"
gw_expect "while the database is away" 503 database_unavailable
t_match "with a time to ask again" 'Retry-After: [0-9]+' "$GW_HEADERS"
gw POST /v1/payments '{"payment_id": "away", "account_id": "a", "channel": "wechat", "amount": 1, "currency": "CNY"}'
gw_expect "an order, too" 503 database_unavailable
gw GET /v1/transfers/slow1
gw_expect "a question" 503 database_unavailable
t_exit "health says so" 3 "$SLUICE_BIN" health gateway
forward_start
gw_ready
t_eq "nothing of it was stored" "0 0" "$(rows away) $(t_db "SELECT count(*) FROM payment_transactions")"
gw POST /v1/transfers "$(body away)"
gw_expect "afterwards it works again" 202
t_eq "once" 1 "$(rows away)"

# ---- the database refuses for a reason that somebody has to mend

t_db "REVOKE INSERT ON account_command_outbox FROM CURRENT_USER"
gw POST /v1/transfers "$(body revoked)"
gw_expect "without the right to write" 503 database_unavailable
t_db "GRANT INSERT ON account_command_outbox TO CURRENT_USER"
gw POST /v1/transfers "$(body revoked)"
gw_expect "with it again" 202
t_eq "stored" 1 "$(rows revoked)"

# ---- the queue is full

gw_declared g
stop_roles g
gw_start q SLUICE_GATEWAY_WRITERS=1 SLUICE_GATEWAY_QUEUE_MAX=1 SLUICE_GATEWAY_BATCH_ROWS_MAX=1
gw_ready
hold_commits 3
slow_ask slow3 &
first=$!
wait_until 20 '[[ $(committing) == 1 ]]'
slow_ask queued &
second=$!
wait_until 20 'grep -qx "sluice_gateway_parked 2" <(gw_metrics q)'
gw POST /v1/transfers "$(body full)"
gw_expect "one too many" 503 queue_full
release_commits 3
wait "$first" "$second"
t_eq "those before it are stored" "202 202" "$(cat "$T_DIR/slow3.status") $(cat "$T_DIR/queued.status")"
t_eq "and it is not" "1 1 0" "$(rows slow3) $(rows queued) $(rows full)"
gw_declared q
stop_roles q

# ---- stopping finishes what was accepted

gw_start s
gw_ready
hold_commits 4
slow_ask slow4 &
asked=$!
wait_until 20 '[[ $(committing) == 1 ]]'
kill -TERM "$(proc_pid s)"
release_commits 4
wait "$asked"
t_eq "who was accepted is answered" 202 "$(cat "$T_DIR/slow4.status")"
role_exit s 30
t_eq "the end of the gateway" 0 "$T_RC"
