#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a redrive puts the row behind each dead letter back on the road exactly once, however often it is repeated,
# doubled or killed; a repair in SQL at the same time stays as it is; a dry run changes nothing; what is sent again has
# its whole budget and arrives.
#
# How it could break: a redrive that notes elsewhere what it has done, and dies between the two; one that looks first and
# writes later without looking again; one that takes its own new dead letters for old ones.

. "$(dirname "$0")/lib.sh"
t_begin "dead letters are redriven once"
readonly N=160 SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw

start_proc receiver env "AI_CS_PLATFORM_LATE_CALLBACK_SECRET=$SECRET" "$SLUICE_BIN" receive --listen 127.0.0.1:0
wait_until 20 'grep -q "listening on http" "$(proc_log receiver)"'
target=$(grep -m 1 -oE 'http://[0-9.:]+' "$(proc_log receiver)")/ok

# The platform has no secret yet: each event dies at once, without a request.
start_role r1 relay
start_role s1 sink
start_role c1 callback
t_db "INSERT INTO cs_platform_event_outbox (platform, event_type, callback_target, payload, partition_key)
      SELECT 'late', 'e', '$target', jsonb_build_object('n', i), 'k' || i % 40 FROM generate_series(1, $N) i"
wait_until 60 "[[ \$(t_db \"SELECT count(*) FROM cs_platform_event_outbox WHERE status = 'dead_letter'\") == $N ]]"
stop_role c1

rows() { t_db "SELECT md5(string_agg(o::text, ',' ORDER BY o.id)) FROM cs_platform_event_outbox o"; }
seq() { t_db "SELECT last_value FROM sluice_queue_seq"; }
pending() { t_db "SELECT count(*) FROM cs_platform_event_outbox WHERE status = 'pending'"; }
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
redrive() { "$SLUICE_BIN" dlq redrive callback.dlq --class unknown-platform --platform late "$@"; }

# -------------------------------------------------------------------------------------- looking changes nothing
before=$(rows)
t_eq "open dead letters" "$N" "$("$SLUICE_BIN" dlq ls --json 2>/dev/null | field shown)"
t_match "their group" " $N +callback.events +unknown-platform +late " "$("$SLUICE_BIN" dlq groups 2>/dev/null)"
redrive --dry-run --json >"$T_DIR/plan.json" 2>/dev/null || t_fail "the dry run's exit code is $?"
t_eq "the dry run counts" "$N" "$(field open <"$T_DIR/plan.json")"
t_exit "without a filter" 2 "$SLUICE_BIN" dlq redrive --yes
t_exit "without --yes" 2 redrive
t_exit "of another class" 0 "$SLUICE_BIN" dlq redrive --class timeout --yes
t_eq "rows after dry run and refusals" "$before" "$(rows)"
t_eq "queueings" "$N" "$(seq)"

# ------------------------------------------------------------------- killed in the middle, repaired at the same time
start_proc d1 "$SLUICE_BIN" dlq redrive --class unknown-platform --rate 10/s --yes
wait_until 30 '(($(pending) >= 20))'
repaired=()
for _ in 1 2 3 4 5; do # the condition on the status is for this test alone: the redrive may be a moment faster
    repaired+=("$(t_db "UPDATE cs_platform_event_outbox SET status = 'pending', next_attempt_at = NOW(), last_error = NULL, updated_at = NOW()
        WHERE id = (SELECT id FROM cs_platform_event_outbox WHERE status = 'dead_letter' ORDER BY queue_seq DESC LIMIT 1)
          AND status = 'dead_letter' RETURNING id")")
    [[ -z ${repaired[-1]} ]] || t_db "DELETE FROM cs_platform_event_dead_letters WHERE event_id = '${repaired[-1]}'"
    [[ -n ${repaired[-1]} ]] || unset 'repaired[-1]'
done
((${#repaired[@]} > 0)) || t_fail "no row could be repaired by hand"
list=$(printf "'%s'," "${repaired[@]}")
repairs() { t_db "SELECT string_agg(id || ' ' || queue_seq || ' ' || updated_at, ',' ORDER BY id) FROM cs_platform_event_outbox WHERE id IN (${list%,})"; }
as_repaired=$(repairs)
kill_role d1
done_before=$(pending)
((done_before < N)) || t_fail "the redrive had ended before it was killed"
t_ok "killed after $done_before of $N, ${#repaired[@]} of them by hand"
t_match "it has said who it is" 'area=dlq msg="redrive begins" operator=[^ ]+@[^ ]+ filter="class=unknown-platform" dlq=all open='"$N" "$(cat "$(proc_log d1)")"

# ------------------------------------------------------------------------------------------------ two at a time
redrive --rate 400 --yes --json >"$T_DIR/a.json" 2>"$T_DIR/a.log" &
a=$!
redrive --rate 400 --yes --json >"$T_DIR/b.json" 2>"$T_DIR/b.log" &
b=$!
wait "$a" || t_fail "the first of two: exit $?: $(tail -n 3 "$T_DIR/a.log")"
wait "$b" || t_fail "the second of two: exit $?: $(tail -n 3 "$T_DIR/b.log")"
both=$(($(field redriven <"$T_DIR/a.json") + $(field redriven <"$T_DIR/b.json")))
t_eq "redriven by both together" $((N - done_before)) "$both"
t_eq "rows on the road" "$N" "$(pending)"
t_eq "dead letters left in the table" 0 "$(t_db "SELECT count(*) FROM cs_platform_event_dead_letters")"
t_eq "queueings, two for each row" $((2 * N)) "$(seq)"
[[ $(repairs) == "$as_repaired" ]] || t_fail "rows repaired by hand: they were $as_repaired, are $(repairs)"
t_ok "rows repaired by hand are as they were"
t_eq "rows without their whole budget" 0 "$(t_db "SELECT count(*) FROM cs_platform_event_outbox WHERE round_attempts > 0 OR last_error IS NOT NULL")"
t_eq "numbers of a key out of their order" 0 "$(t_db "
    SELECT count(*) FROM (SELECT partition_key, queue_seq - lag(queue_seq) OVER w AS step FROM cs_platform_event_outbox
      WHERE id NOT IN (${list%,}) WINDOW w AS (PARTITION BY partition_key ORDER BY (payload->>'n')::int)) x WHERE step < 0")"

before=$(rows)
t_exit "once more" 0 redrive --yes
t_exit "everything" 0 "$SLUICE_BIN" dlq redrive --everything --yes
t_eq "rows after that" "$before" "$(rows)"
t_eq "open dead letters" 0 "$("$SLUICE_BIN" dlq ls --json 2>/dev/null | field shown)"
t_eq "dead letters put back" "$N" "$("$SLUICE_BIN" dlq ls --all --json 2>/dev/null | grep -c '"state":"requeued"')"

# ----------------------------------------------------------------------------------------------------- they arrive
records() { topic_kcat callback.events read_committed '%h\n' | grep -oE 'ce_id=[^,]+' | sort | uniq -c | awk '{ print $1 }' | sort | uniq -c | tr -s ' '; }
wait_until 30 "(($(printf '$(topic_count callback.events)') == 2 * $N))"
t_eq "records of each event" " $N 2" "$(records)"
start_role c2 callback "AI_CS_PLATFORM_LATE_CALLBACK_SECRET=$SECRET" SLUICE_CALLBACK_ALLOW_HTTP=true SLUICE_CALLBACK_ALLOW_NETS=127.0.0.1/32
wait_until 90 "[[ \$(t_db \"SELECT count(*) FROM cs_platform_event_outbox WHERE status = 'delivered'\") == $N ]]"
t_eq "attempts, one for each event" "$N $N 1" "$(t_db "SELECT count(*) || ' ' || count(DISTINCT event_id) || ' ' || max(attempt_no) FROM cs_platform_event_delivery_attempts")"
t_eq "webhook-ids at the receiver" "$N" "$(grep -oE '"id": ?"[^"]+"' "$(proc_log receiver)" | sort -u | wc -l)"
stop_role c2
stop_role s1
stop_role r1
