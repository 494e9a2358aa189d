# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The numbers of ./dev demo: progress while it runs, then what four places know of the same events.

DEMO_RUN='' DEMO_SINCE_MS=0 DEMO_SINCE_SEQ=0 DEMO_UNVERIFIED=0 DEMO_WRONG=() DEMO_CHECKS=0

demo_sql() { psql -qAtX -v ON_ERROR_STOP=1 "$DATABASE_URL" "$@"; }

# ---------------------------------------------------------------------------------------------------- the receiver

receiver_control() { curl -fsS -m 5 -o /dev/null -d "$1" "$(receiver_url)/control"; }
receiver_number() { curl -fsS -m 5 "$(receiver_url)/stats" | jq -r ".$1"; }

# Ids of this demo in the order in which they first came: number, id, attempts, of them well answered, key.
receiver_seen() {
    curl -fsS -m 30 "$(receiver_url)/stats?ids=1" |
        sed -n "s/^  \"\([0-9a-f-]*\)\": {\"attempts\": \([0-9]*\), \"ok\": \([0-9]*\), \"key\": \"\($DEMO_RUN-[^\"]*\)\".*/\1\t\2\t\3\t\4/p" |
        awk '{ print NR "\t" $0 }'
}

# What tells the demo's events from all others.
demo_begin() {
    DEMO_DIR=$(mktemp -d)
    DEMO_RUN=demo-$(random_hex 3)
    DEMO_SINCE_MS=$(($(now_ms) - 1000))
    demo_tables
    DEMO_SINCE_SEQ=$(demo_sql -c 'SELECT coalesce(max(queue_seq), 0) FROM cs_platform_event_outbox')
    # It keeps 100,000 ids; what comes then is not counted by id.
    if (($(receiver_number ids) + DEMO_EVENTS > 90000)); then
        receiver_control '{"clear": true}'
        note "the receiver knows many ids; it forgets what it has counted so far"
    fi
    receiver_control '{"mended": []}' || die "the receiver does not understand; of an older build? ./dev down, then again"
    DEMO_UNVERIFIED=$(receiver_number unverified)
}

# ---------------------------------------------------------------------------------------------------- progress

# Rows of this demo: there, delivered, under way, retrying, parked (no attempt in this round), dead.
demo_rows() {
    demo_sql -F ' ' -v run="$DEMO_RUN" -v since="$DEMO_SINCE_SEQ" <<'SQL'
SELECT count(*), count(*) FILTER (WHERE status = 'delivered'), count(*) FILTER (WHERE status = 'pending'),
       count(*) FILTER (WHERE status = 'retrying' AND round_attempts > 0),
       count(*) FILTER (WHERE status = 'retrying' AND round_attempts = 0), count(*) FILTER (WHERE status = 'dead_letter')
FROM cs_platform_event_outbox WHERE queue_seq > :since AND partition_key LIKE :'run' || '-%';
SQL
}

demo_progress() {
    local line
    printf -v line 'inserted %d, delivered %d, under way %d, retrying %d, parked %d, dead %d' "$@"
    if [[ -t 2 ]]; then
        printf '\r    %s\e[K' "$line" >&2
    else
        note "$line"
    fi
}

# Until the writers are done and no row waits any more; gives up when nothing has changed for too long.
demo_follow() {
    local now='' last='' patience changed=$SECONDS shown=-10 every=3 numbers
    patience=$(demo_patience)
    [[ ! -t 2 ]] || every=0
    while :; do
        local writing=no
        ! demo_writing || writing=yes
        now=$(demo_rows) || die "the rows cannot be counted (see above)"
        read -r -a numbers <<<"$now"
        [[ $now == "$last" ]] || changed=$SECONDS
        if [[ $now != "$last" ]] && ((SECONDS - shown >= every)); then
            demo_progress "${numbers[@]}"
            shown=$SECONDS
        fi
        last=$now
        [[ $writing == yes ]] || ((numbers[2] + numbers[3] + numbers[4] > 0)) || break
        ((SECONDS - changed < patience)) || break # the numbers will name it
        sleep 0.3
    done
    demo_progress "${numbers[@]}"
    [[ ! -t 2 ]] || printf '\n' >&2
}

# ---------------------------------------------------------------------------------------------------- comparing

# demo_copy TABLE COLUMNS FILE: SQL that makes a temporary table of a file.
demo_copy() {
    printf 'CREATE TEMP TABLE %s (%s);\nCOPY %s FROM STDIN;\n' "$1" "$2" "$1"
    cat -- "$3"
    printf '\\.\n'
}

# demo_topic TOPIC FORMAT: its committed records since the demo has begun.
demo_topic() {
    kcat -C -b "$KAFKA_BROKERS" -t "${SLUICE_TOPIC_PREFIX:-}$1" -o "s@$DEMO_SINCE_MS" -e -q -X isolation.level=read_committed -f "$2"
}

# demo_collect first|second
demo_collect() {
    local platform
    receiver_seen >"$DEMO_DIR/seen.$1"
    demo_topic callback.events '%k %h\n' | sed -n "s/^$DEMO_RUN-[0-9]* .*ce_id=\([^,]*\).*/\1/p" >"$DEMO_DIR/events"
    demo_topic callback.dlq '%k %h\n' | sed -n "s/^$DEMO_RUN-[0-9]* .*ce_id=\([^,]*\).*/\1/p" >"$DEMO_DIR/dead"
    demo_topic callback.outcomes '%h\n' |
        sed -n 's/.*ce_id=\([0-9a-f-]*\),ce_type=sluice\.outcome\.\([a-z_]*\).*/\1\t\2/p' >"$DEMO_DIR/outcomes"
    for platform in "${DEV_PLATFORMS[@]}"; do
        printf '%s\t%d\n' "$platform" "$(demo_budget "$platform")"
    done >"$DEMO_DIR/budget"
}

# demo_count first|second: lines "what|value|what it has to be" of demo_first.sql, demo_second.sql.
demo_count() {
    local unverified
    demo_collect "$1"
    unverified=$(($(receiver_number unverified) - DEMO_UNVERIFIED))
    {
        demo_copy plan 'n int, committed bool, kind text' "$DEMO_DIR/plan"
        demo_copy budget 'platform text, attempts int' "$DEMO_DIR/budget"
        demo_copy seen 'ord int, id uuid, attempts int, ok int, key text' "$DEMO_DIR/seen.$1"
        demo_copy events 'id uuid' "$DEMO_DIR/events"
        demo_copy dead 'id uuid' "$DEMO_DIR/dead"
        demo_copy outcomes 'id uuid, kind_of text' "$DEMO_DIR/outcomes"
        [[ $1 == first ]] || demo_copy before 'id uuid, attempts int, how text' "$DEMO_DIR/before"
        cat "$DEV_ROOT/deploy/dev/demo_views.sql" "$DEV_ROOT/deploy/dev/demo_$1.sql"
    } | demo_sql -v run="$DEMO_RUN" -v writers="$DEMO_WRITERS" -v unverified="$unverified" -v ids_before="$(wc -l <"$DEMO_DIR/seen.first")" ||
        die "the numbers cannot be compared (see above)"
}

demo_report_line() {
    local label=$1 value=$2 want=$3
    if [[ -z $want ]]; then
        printf '  %-58s %8s\n' "$label" "$value"
        return
    fi
    DEMO_CHECKS=$((DEMO_CHECKS + 1))
    if [[ $value == "$want" ]]; then
        printf '  %-58s %8s  ok\n' "$label" "$value"
    else
        printf '  %-58s %8s  WRONG, expected %s\n' "$label" "$value" "$want"
        DEMO_WRONG+=("${label#"${label%%[! ]*}"}: $value, expected $want")
    fi
}

demo_report() {
    local a b c d e f table=no
    while IFS='|' read -r a b c d e f; do
        if [[ $a == '== '* ]]; then
            printf '\n'
            table=no
            [[ -n $b ]] || continue
            table=yes a=${a#== }
        fi
        if [[ $table == yes ]]; then
            printf '  %-30s %8s %10s %8s %8s %10s\n' "$a" "$b" "$c" "$d" "$e" "$f"
        else
            demo_report_line "$a" "$b" "$c"
        fi
    done <"$1"
    printf '\n'
}

demo_verdict() {
    local wrong
    for wrong in "${DEMO_WRONG[@]}"; do
        err "$wrong"
    done
    ((${#DEMO_WRONG[@]} == 0)) || die "the numbers do not add up: ${#DEMO_WRONG[@]} of $DEMO_CHECKS (see above; ./dev logs)"
    good "$DEMO_CHECKS numbers add up, after $1 s"
}
