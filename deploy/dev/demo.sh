# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# ./dev demo: everything from one command, and a check that the numbers add up. Shops queue events for endpoints that are
# well, slow, shaky, limited, down or gone; what became of each is compared in plan, tables, topics and at the receiver.
# Then the endpoints are mended, and what died is sent again: one half by command, the other half in the runbook's SQL.
#
# demo_load.sh makes the load, demo_schedule.sh has the retries' pace, demo_count.sh and demo_*.sql the numbers; demo_money.sh
# has an order that is paid, and the ledger; demo_express.sh parcels, and phones that hear of them.

readonly DEMO_WRITERS=4 DEMO_EVENTS_DEFAULT=3000

DEMO_STARTED_STACK=no DEMO_STACK_UP=no DEMO_DIR='' DEMO_PIDS=() DEMO_EVENTS=0

# ---------------------------------------------------------------------------------------------------- begin and end

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
    elif ((rc != 0)) && demo_callback_is_fast; then
        say ''
        demo_callback_restore || true
    fi
    exit "$rc"
}

# Two demos of one stack would restart the callback role under each other.
demo_lock() {
    mkdir -p "$DEV_STATE"
    exec 6>"$DEV_STATE/demo.lock"
    flock -n 6 || die 75 "another ./dev demo of this stack is running"
}

demo_stack() {
    local again=no
    stack_running || DEMO_STARTED_STACK=yes
    ! demo_callback_runs || again=yes
    cmd_up
    DEMO_STACK_UP=yes
    # One that ran before has another schedule.
    [[ $again == no ]] || demo_callback_restart || die "callback is not up (see above)"
}

# ---------------------------------------------------------------------------------------------------- two rounds

demo_first_round() {
    step "$DEMO_WRITERS writers insert $DEMO_EVENTS events for endpoints of 7 kinds"
    note "retries: $(demo_schedule_text)"
    demo_plan "$DEMO_RUN" "$DEMO_EVENTS" "$DEMO_DIR"
    demo_write
    demo_follow
    demo_written
    demo_count first >"$DEMO_DIR/first"
    demo_report "$DEMO_DIR/first"
}

# What is dead, except what no endpoint can cure, with who is to send it again.
demo_choose() {
    demo_sql -F $'\t' -v run="$DEMO_RUN" <<'SQL' >"$DEMO_DIR/before"
SELECT id, attempt_count, CASE platform WHEN 'sub2api' THEN 'command' ELSE 'sql' END FROM cs_platform_event_outbox
WHERE partition_key LIKE :'run' || '-%' AND status = 'dead_letter' AND platform <> 'acme' ORDER BY attempt_count DESC, id;
SQL
    awk '$3 == "sql" { print $1 }' "$DEMO_DIR/before" >"$DEMO_DIR/repair"
    [[ -s $DEMO_DIR/repair ]] || die "the numbers do not add up: dead letters to repair: 0"
}

demo_redrive() {
    local args rc=0
    args=(dlq redrive callback.dlq --platform sub2api --since "$(date -u -d "@$((DEMO_SINCE_MS / 1000))" +%FT%TZ)" --yes)
    say "    \$ sluice ${args[*]}"
    "$(sluice_bin)" "${args[@]}" 2>&1 </dev/null | sed 's/^/    /' >&2 || rc=$?
    ((rc == 0)) || die "sluice dlq redrive failed (see above)"
}

# As typed in the runbook, an id at a time.
demo_repair() {
    local id sql="UPDATE cs_platform_event_outbox
SET status = 'pending',
    next_attempt_at = NOW(),
    last_error = NULL,
    updated_at = NOW()
WHERE id = '<event_id>';
DELETE FROM cs_platform_event_dead_letters
WHERE event_id = '<event_id>';"
    say "    \$ psql"
    say "    ${sql//$'\n'/$'\n'    }"
    while read -r id; do
        printf '%s\n' "${sql//<event_id>/$id}"
    done <"$DEMO_DIR/repair" | demo_sql >/dev/null
}

# What the runbook shows of one of them.
demo_example() {
    local id
    id=$(head -n 1 "$DEMO_DIR/repair")
    printf '  One of them, %s:\n\n' "$id"
    psql -qX -P footer=off -v id="$id" "$DATABASE_URL" <<'SQL' | sed '/^$/d; s/^/  /; s/ *$//'
SELECT attempt_no, response_status, error_message, outcome, to_char(created_at, 'HH24:MI:SS.MS') AS at
FROM cs_platform_event_delivery_attempts WHERE event_id = :'id' ORDER BY attempt_no;
SQL
    printf '\n'
}

demo_second_round() {
    demo_choose
    step "the endpoints are mended; half of what died is redriven, the other half repaired in SQL"
    receiver_control "{\"mended\": [\"/$DEMO_RUN/\"]}"
    demo_redrive
    demo_repair
    demo_follow
    demo_count second >"$DEMO_DIR/second"
    demo_report "$DEMO_DIR/second"
    demo_example
}

# ---------------------------------------------------------------------------------------------------- the command

demo_next() {
    cat <<'TEXT'

The stack stays up. Next:
  ./dev sluice status                                where everything stands
  ./dev sluice dlq ls                                the dead letters that are left; dlq show ID
  ./dev sluice account ls                            the accounts; account show ID, account flows ID
  ./dev sluice account check                         can the ledger be wrong? It is looked up
  ./dev sluice gateway quarantine ls                 what channels said and nobody believed; show ID, release ID, dismiss ID
  ./dev sluice waybills show TEST_YT_20260206_0007   the whole story of a parcel; devices ls --user ID, devices test APPID/CID
  ./dev sluice doctor                                can anything arrive at all? selftest express tries it
  ./dev psql                                         for the runbook's queries (README.md has them)
  ./dev psql -c "INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload)
                 VALUES ('demo', 'hello', '$(./dev env | sed -n 's/.*_RECEIVER=//p')/fail/1', '{\"n\": 1}')"
  ./dev logs -f callback                             what becomes of it: one retry, after 10 s
  ./dev up callback=3                                three instances; ./dev status
  ./dev down [--wipe]
TEXT
}

demo_arguments() {
    local schedule=fast
    while (($#)); do
        case $1 in
            --fast) schedule=fast ;;
            --slow) schedule=default ;;
            --schedule=*) schedule=${1#*=} ;;
            --schedule)
                schedule=${2:-}
                (($# == 1)) || shift
                ;;
            *) die "$EX_USAGE" "demo: unknown argument $1 (there are --fast, --slow and --schedule fast|default)" ;;
        esac
        shift
    done
    [[ $schedule == fast || $schedule == default ]] || die "$EX_USAGE" "demo: --schedule: expected fast or default"
    DEMO_EVENTS=${SLUICE_DEMO_EVENTS:-$DEMO_EVENTS_DEFAULT}
    [[ $DEMO_EVENTS =~ ^[1-9][0-9]{2,4}$ && $DEMO_EVENTS -ge 200 && $DEMO_EVENTS -le 50000 ]] ||
        die "$EX_USAGE" "SLUICE_DEMO_EVENTS=$DEMO_EVENTS: expected a number of events from 200 to 50000"
    export -n SLUICE_DEMO_EVENTS # the program refuses variables it does not know
    [[ $schedule == default ]] || demo_fast_begin
}

cmd_demo() {
    local began
    demo_arguments "$@"
    demo_lock
    trap demo_cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    demo_stack
    began=$SECONDS
    demo_begin
    demo_first_round
    demo_second_round
    demo_money
    demo_express
    demo_verdict "$((SECONDS - began))"
    ! demo_callback_is_fast || demo_callback_restore || die "callback is not up again (see above)"
    demo_next
}
