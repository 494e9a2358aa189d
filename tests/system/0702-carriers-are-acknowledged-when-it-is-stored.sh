#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a carrier gets its acknowledgement for what is stored and for nothing else; the same history again and again,
# growing, makes one row of notify_queue for each new node; a first history, or one that is said anew, makes one in all.
# Whether the gateway is killed or PostgreSQL is away: nothing is half stored, and the carrier's next call makes it whole.
#
# How it could break: an answer before the COMMIT; nodes without their rows; a body remembered as seen that was not stored; a
# whole history told to a phone.

. "$(dirname "$0")/lib.sh"
# shellcheck source=gateway.sh
. "$(dirname "$0")/gateway.sh"

t_begin "carriers are acknowledged when it is stored" bare
t_addresses
t_program
own_pg
"$SLUICE_BIN" migrate >"$T_DIR/migrate.log" 2>&1 || t_fail "sluice migrate: $(tail -n 5 "$T_DIR/migrate.log")"
t_seed
"$SLUICE_BIN" sign init "$T_DIR/keys" >"$T_DIR/init.log" 2>&1 || t_fail "sign init: $(cat "$T_DIR/init.log")"
express_port=$(port_single $$) || t_fail "no free port"
start_gateway() {
    gw_start "$1" "SLUICE_EXPRESS_LISTEN=127.0.0.1:$express_port" "SLUICE_GATEWAY_ACCOUNTS=$T_DIR/keys/accounts.json"
}
start_gateway gateway
gw_ready
t_db "INSERT INTO platform_express_waybills (tracking_no) SELECT 'W' || g FROM generate_series(1, 200) g"
hook=http://127.0.0.1:$express_port/webhook/express/status

# call FORM NUMBER NODES [ARG]...: a signed call of that carrier, sent; its answer is in ANSWER.
ANSWER=''
call() {
    local form=$1 no=$2 nodes=$3
    shift 3
    ANSWER=$("$SLUICE_BIN" sign express --form "$form" --dir "$T_DIR/keys" --tracking-no "$no" --nodes "$nodes" --send "$hook/$form" --quiet "$@" 2>&1) || return 1
}
rows() { t_db "SELECT (SELECT count(*) FROM express_nodes WHERE tracking_no = '$1') || ' ' || (SELECT count(*) FROM notify_queue WHERE tracking_no = '$1')"; }

# ---- The same history, growing. The times of its nodes do not change: --at moves with the number of nodes.
now=$(date +%s)
for form in kuaidi100 kdniao; do
    for ((n = 3; n <= 6; n++)); do
        for again in 1 2; do
            call "$form" "W-$form" "$n" --at $((now - 86400 + n * 3600)) || t_fail "$form, $n nodes, time $again: $ANSWER"
        done
    done
    t_eq "$form: six nodes known before there is a waybill, nobody told" "6 0" "$(rows "W-$form")"
    t_db "INSERT INTO platform_express_waybills (tracking_no) VALUES ('W-$form')"
    wait_until 30 "[[ \$(rows W-$form) == '6 1' ]]"
    t_ok "$form: the waybill appears, and the newest node is told"
    for ((n = 7; n <= 9; n++)); do
        for again in 1 2 3; do
            call "$form" "W-$form" "$n" --at $((now - 86400 + n * 3600)) || t_fail "$form, $n nodes, time $again: $ANSWER"
        done
    done
    t_eq "$form: one more for each new node, whatever is repeated" "9 4" "$(rows "W-$form")"
done
call kuaidi100 W1 30 --at "$now" || t_fail "$ANSWER"
t_eq "a first history of 30 nodes makes one notice" "30 1" "$(rows W1)"
call kuaidi100 W1 30 --at $((now + 60)) --whole --context "said anew" || t_fail "$ANSWER"
t_eq "said anew, it makes one more at most" 2 "$(t_db "SELECT count(*) FROM notify_queue WHERE tracking_no = 'W1'")"

# ---- Signatures: nothing of what is refused is stored, and no refusal looks like an acknowledgement.
before=$(t_db "SELECT count(*) FROM express_callbacks")
for form in kuaidi100 kdniao cainiao; do
    "$SLUICE_BIN" sign express --form "$form" --dir "$T_DIR/keys" --tracking-no W2 --headers "$T_DIR/h" --body "$T_DIR/b" --quiet
    sed 's/W2/W3/' "$T_DIR/b" >"$T_DIR/forged"
    status=$(curl -s -o "$T_DIR/a" -w '%{http_code}' -H 'Content-Type: application/x-www-form-urlencoded' --data-binary "@$T_DIR/forged" "$hook/$form")
    t_eq "$form: forged" 401 "$status"
    ! grep -qiE 'success" *: *true|"200"|成功|"result" *: *true' "$T_DIR/a" || t_fail "$form: a refusal that looks like an acknowledgement: $(cat "$T_DIR/a")"
    "$SLUICE_BIN" sign express --form "$form" --unsigned --tracking-no W2 --headers "$T_DIR/h" --body "$T_DIR/b" --quiet
    t_eq "$form: unsigned" 401 "$(curl -s -o /dev/null -w '%{http_code}' -H 'Content-Type: application/x-www-form-urlencoded' --data-binary "@$T_DIR/b" "$hook/$form")"
done
t_eq "nothing of it is stored" "$before" "$(t_db "SELECT count(*) FROM express_callbacks")"

# ---- PostgreSQL away: 502 for our own route, the carrier's own failure for the others; then all of it, once.
own_pg_kill9
json() { curl -s -o "$T_DIR/a" -w '%{http_code}' --max-time 60 -H 'Content-Type: application/json' -d "{\"tracking_no\":\"$1\",\"status\":\"in_transit\",\"context\":\"x\",\"time\":\"$now\"}" "$hook"; }
t_eq "our own route while PostgreSQL is away" 502 "$(json W10)"
t_match "and its answer" '"ok": ?false' "$(cat "$T_DIR/a")"
! call kuaidi100 W11 3 --at "$now" || t_fail "acknowledged without a database: $ANSWER"
own_pg_start
gw_ready
t_eq "nothing is stored of either" "0 0 0 0" "$(rows W10) $(rows W11)"
wait_until 30 '[[ $(json W10) == 200 ]]'
call kuaidi100 W11 3 --at "$now" || t_fail "$ANSWER"
t_eq "sent again, both are there once" "1 1 3 1" "$(rows W10) $(rows W11)"

# ---- kill -9 of the gateway under calls: a carrier repeats what was not acknowledged, until all of it is.
senders=()
for s in 1 2 3; do
    (
        for ((g = 20 + s; g <= 199; g += 3)); do
            for ((try = 0; try < 120; try++)); do
                status=$(curl -s -o /dev/null -w '%{http_code}' --max-time 20 -H 'Content-Type: application/json' -d "{\"tracking_no\":\"W$g\",\"status\":\"collected\",\"context\":\"call $g\",\"time\":\"$now\"}" "$hook") || true
                [[ $status != 200 ]] || break
                sleep 0.25
            done
            printf '%s %s\n' "$g" "$status"
        done >"$T_DIR/sent.$s"
    ) &
    senders+=($!)
done
for ((k = 1; k <= $(t_size 3 20); k++)); do
    wait_until 60 "(( \$(cat $T_DIR/sent.* 2>/dev/null | wc -l) > $((k * 12)) ))"
    kill_role "$([[ $k == 1 ]] && echo gateway || echo "gateway$((k - 1))")"
    start_gateway "gateway$k"
done
for s in "${senders[@]}"; do
    wait "$s"
done
t_eq "calls that were acknowledged in the end" 179 "$(grep -c ' 200$' <(cat "$T_DIR"/sent.*))"
t_eq "each of them has one node and one row" 179 "$(t_db "SELECT count(*) FROM (SELECT tracking_no FROM express_nodes n JOIN notify_queue q USING (tracking_no) WHERE q.id = n.queue_id AND q.context LIKE 'call %' GROUP BY 1 HAVING count(*) = 1) x")"
t_eq "and nothing stands half" 0 "$(t_db "SELECT count(*) FROM express_nodes n WHERE decided IS NULL AND EXISTS (SELECT FROM platform_express_waybills w WHERE w.tracking_no = n.tracking_no) OR (decided = 'queued' AND NOT EXISTS (SELECT FROM notify_queue q WHERE q.id = n.queue_id))")"
stop_role "gateway$((k - 1))" 40
t_eq "the gateway ends well" 0 "$T_RC"
