# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# ./dev demo: everything from one command, and a check that the numbers add up. Writers put business events into the
# outbox, some transactions roll back; then each committed row must be in the topic once, per key in order.

readonly DEMO_WRITERS=4 DEMO_TRANSACTIONS=30 DEMO_LIMIT=60

DEMO_STARTED_STACK=no DEMO_STACK_UP=no DEMO_DIR='' DEMO_PIDS=()

demo_cleanup() {
    local rc=$? pid
    trap - EXIT
    trap '' INT TERM PIPE
    for pid in "${DEMO_PIDS[@]}"; do
        kill -TERM "$pid" 2>/dev/null || true
    done
    [[ -z $DEMO_DIR ]] || rm -rf -- "$DEMO_DIR"
    # Interrupted, or up in part only (a child that dies of Ctrl-C can look like a failure): nothing half is left.
    if [[ $DEMO_STARTED_STACK == yes ]] && ((rc != 0)) && { ((rc >= 128)) || [[ $DEMO_STACK_UP == no ]]; }; then
        say ''
        note "stopping what this demo has started"
        stack_stop || true
    fi
    exit "$rc"
}

# SQL of one writer. Keys are its own, so its order is the order of the key. Each transaction queues one to four events;
# every fifth rolls back, every seventh undoes a part through a savepoint.
demo_writer_sql() {
    local run=$1 writer=$2 t e key
    for ((t = 1; t <= DEMO_TRANSACTIONS; t++)); do
        printf 'BEGIN;\n'
        for ((e = 0; e <= t % 4; e++)); do
            key="order-$writer-$((t % 6))"
            ((t % 7 || e != 1)) || printf 'SAVEPOINT s;\n'
            printf "INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload, partition_key) VALUES ('demo', 'order.updated', 'https://partner.example/callback', '{\"order\": \"%s\", \"step\": %d, \"amount\": %d, \"currency\": \"CNY\"}', 'demo-%s-%s');\n" \
                "$key" "$((t * 10 + e))" "$((RANDOM % 100000))" "$run" "$key"
            ((t % 7 || e != 1)) || printf 'ROLLBACK TO s;\n'
        done
        if ((t % 5 == 0)); then printf 'ROLLBACK;\n'; else printf 'COMMIT;\n'; fi
    done
}

demo_write() {
    local run=$1 writer pid
    for ((writer = 1; writer <= DEMO_WRITERS; writer++)); do
        demo_writer_sql "$run" "$writer" >"$DEMO_DIR/$writer.sql"
        psql -qAtX -v ON_ERROR_STOP=1 "$DATABASE_URL" -f "$DEMO_DIR/$writer.sql" >"$DEMO_DIR/$writer.out" 2>&1 &
        DEMO_PIDS+=($!)
    done
    for pid in "${DEMO_PIDS[@]}"; do
        wait "$pid" || die "a writer failed: $(cat "$DEMO_DIR"/*.out | tail -n 3)"
    done
    DEMO_PIDS=()
}

# Both lists have "key id" in the order that counts within a key; then sorted by key alone, keeping that order.
demo_rows() {
    psql -qAtX -F ' ' "$DATABASE_URL" -v run="demo-$1-%" <<<"SELECT partition_key, id FROM cs_platform_event_outbox
        WHERE partition_key LIKE :'run' ORDER BY queue_seq" | sort -s -k1,1
}

# Only records since the start of this demo: repeated demos stay fast.
demo_records() {
    kcat -C -b "$KAFKA_BROKERS" -t callback.events -o "s@$2" -e -q -X isolation.level=read_committed -f '%k %h\n' |
        sed -n "s/^\(demo-$1-[^ ]*\) .*ce_id=\([^,]*\).*/\1 \2/p" | sort -s -k1,1
}

demo_progress() {
    if [[ -t 2 ]]; then
        printf '\r    %s of %s committed rows are in callback.events ' "$1" "$2" >&2
    else
        note "$1 of $2 committed rows are in callback.events"
    fi
}

# Waits until as many records as rows are there; leaves both lists in DEMO_DIR.
demo_follow() {
    local run=$1 since=$2 want have last=-1 end
    end=$((SECONDS + DEMO_LIMIT))
    demo_rows "$run" >"$DEMO_DIR/rows"
    want=$(wc -l <"$DEMO_DIR/rows")
    while :; do
        demo_records "$run" "$since" >"$DEMO_DIR/records"
        have=$(wc -l <"$DEMO_DIR/records")
        ((have == last)) || demo_progress "$have" "$want"
        last=$have
        ((have < want && SECONDS < end)) || break
        sleep 0.2
    done
    [[ ! -t 2 ]] || printf '\n' >&2
}

demo_report() {
    local run=$1 rows records missing double order=yes written
    rows=$(wc -l <"$DEMO_DIR/rows")
    records=$(wc -l <"$DEMO_DIR/records")
    written=$(cat "$DEMO_DIR"/*.sql | grep -c '^INSERT')
    missing=$(comm -23 <(sort -u "$DEMO_DIR/rows") <(sort -u "$DEMO_DIR/records") | wc -l)
    double=$((records - $(sort -u "$DEMO_DIR/records" | wc -l)))
    cmp -s "$DEMO_DIR/rows" "$DEMO_DIR/records" || order=no
    printf '\n'
    printf '  %-52s %6d\n' "events inserted by $DEMO_WRITERS writers" "$written" \
        "  of them rolled back, never to be seen" "$((written - rows))" \
        "  of them committed" "$rows" \
        "records in callback.events (read_committed)" "$records" \
        "missing" "$missing" "twice" "$double"
    printf '  %-52s %6s\n\n' "the same rows, per key in the order of queue_seq" "$order"
    [[ $rows -gt 0 && $order == yes ]]
}

demo_next() {
    cat <<'TEXT'
The stack stays up. Next:
  ./dev kcat -C -t callback.events -e -f '%k  %h\n'                   records as they are: keys and ce_* headers
  ./dev sluice tail callback.events                                  the same as JSON
  ./dev psql -c "INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload)
                 VALUES ('demo', 'hello', 'https://partner.example/', '{\"n\": 1}')"
  ./dev sluice status                                                where everything stands
  ./dev status | logs relay | up relay=2                             processes, logs, a standby
  ./dev down [--wipe]
TEXT
}

cmd_demo() {
    local run since
    (($# == 0)) || die "$EX_USAGE" "demo takes no arguments"
    trap demo_cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    stack_running || DEMO_STARTED_STACK=yes
    cmd_up
    DEMO_STACK_UP=yes
    DEMO_DIR=$(mktemp -d)
    run=$(random_hex 3)
    since=$(($(now_ms) - 1000))
    step "$DEMO_WRITERS writers, $((DEMO_WRITERS * DEMO_TRANSACTIONS)) transactions"
    demo_write "$run"
    demo_follow "$run" "$since"
    demo_report "$run" || die "the numbers do not add up (see above; ./dev logs relay)"
    good "every committed row is in its topic exactly once, in order"
    demo_next
}
