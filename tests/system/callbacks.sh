# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For the tests of the whole road of a callback: outbox row, relay, callback, receiver, outcome, sink, row. A mixed load, and
# a judge who reads topics, tables and the receiver's counts into the test's database and compares them there, in SQL.
# Sourced after lib.sh.
#
#     t_begin NAME
#     cb_begin                            # secrets, a receiver, the judge's tables
#     start_role relay relay; start_role callback callback; start_role sink sink
#     cb_insert 1 500                     # events 1 to 500 of the mix
#     cb_settle 60                        # until every row is at its end
#     cb_judge                            # once for each outcome, and the right end for each row

# The mix. Ends: the status a row must have; requests: how many attempts that takes, ? = as many as the receiver wants.
# RECEIVER is replaced by its address. A test may have a mix of its own.
CB_KINDS="
  ('ok',       10, 'demo',      'http://RECEIVER/ok',         'delivered',   '1'),
  ('slow',      2, 'demo',      'http://RECEIVER/slow/150',   'delivered',   '1'),
  ('fail',      3, 'demo',      'http://RECEIVER/fail/2',     'delivered',   '?'),
  ('gone',      1, 'demo',      'http://RECEIVER/status/410', 'dead_letter', '1'),
  ('refuse',    1, 'demo',      'http://RECEIVER/status/400', 'dead_letter', '3'),
  ('nosecret',  1, 'stranger',  'http://RECEIVER/ok',         'dead_letter', '0'),
  ('other',     2, 'new-partner', 'http://RECEIVER/ok',       'delivered',   '1')"

CB_RECEIVER='' # HOST:PORT of the receiver that cb_begin starts
CB_RECEIVERS=()
CB_PLATFORMS=''

# secret_make FILE: a new Standard Webhooks secret.
secret_make() { printf 'whsec_%s\n' "$(head -c 24 /dev/urandom | base64 -w 0)" >"$1"; }

# platform_set PLATFORM [SETTING=value]...: a platform with a secret of its own, in the environment of what is started next.
platform_set() {
    local prefix file=$T_DIR/secret.$1 setting
    prefix=AI_CS_PLATFORM_${1^^}_CALLBACK
    prefix=${prefix//-/_}
    [[ -e $file ]] || secret_make "$file"
    export "${prefix}_SECRET_FILE=$file"
    shift
    for setting in "$@"; do
        export "${prefix}_$setting"
    done
}

# receiver_start NAME: receiver_at NAME says where it listens. It has the keys of the platforms that are set by now.
receiver_start() {
    [[ -n $CB_PLATFORMS ]] || cb_platforms
    start_proc "$1" "$SLUICE_BIN" receive --listen 127.0.0.1:0 --ids-max 1000000
    wait_until 20 "[[ -n \$(receiver_at $1) ]]"
    CB_RECEIVERS+=("$1")
}
receiver_at() { grep -m 1 -oE 'listening on http://[0-9.:]+' "$(proc_log "$1")" | sed 's|.*//||'; }

# receiver_stat FIELD [NAME]: a number of /stats, e.g. requests.
receiver_stat() {
    curl -fsS -m 10 "http://$(receiver_at "${2:-receiver}")/stats" | sed -nE "s/.*\"$1\": ([0-9]+).*/\1/p"
}

answered() { receiver_stat requests; }

# Platforms of the mix, with settings that make it short: timeouts no loaded machine reaches, retries after a second.
cb_platforms() {
    local platform
    for platform in demo new-partner; do
        platform_set "$platform" TIMEOUT_MS=60000 MAX_RETRIES=2 RETRY_SCHEDULE_SEC=1 BATCH_SIZE=20
    done
    CB_PLATFORMS=yes
}

# cb_small [SINK-SESSION-MS]: short sessions and small transactions, so that kills hit many of them; few records at once, so
# that few are repeated: CB_HELD by each process.
CB_HELD=100
cb_small() {
    export SLUICE_SINK_SESSION_TIMEOUT_MS=${1:-1500} SLUICE_DELIVERY_SESSION_TIMEOUT_MS=6000 SLUICE_SINK_BATCH_ROWS_MAX=20
    export SLUICE_DELIVERY_COMMIT_LINGER_MS=2 SLUICE_DELIVERY_INFLIGHT_MAX=50 SLUICE_DELIVERY_RECORDS_MAX=$CB_HELD
}

# After the test's own platforms and receivers, if it has any.
cb_begin() {
    # kcat notices the end of a partition by an empty answer, for which the broker waits 500 ms by default.
    printf 'fetch.wait.max.ms=10\n' >"$T_DIR/kcat.conf"
    export KCAT_CONFIG=$T_DIR/kcat.conf
    export SLUICE_CALLBACK_ALLOW_HTTP=true SLUICE_CALLBACK_ALLOW_NETS=127.0.0.0/8
    export SLUICE_CALLBACK_CONNECT_TIMEOUT_MS=60000 SLUICE_CALLBACK_PARK_MAX_MS=1000
    receiver_start receiver
    CB_RECEIVER=$(receiver_at receiver)
    cb_tables
}

cb_tables() {
    t_db <<SQL
CREATE TABLE kinds (kind text PRIMARY KEY, weight int, platform text, target text, ends text, requests text);
INSERT INTO kinds VALUES ${CB_KINDS//RECEIVER/$CB_RECEIVER};
CREATE TABLE mix AS SELECT row_number() OVER () - 1 AS n, kind, platform, target
    FROM (SELECT kind, platform, target, generate_series(1, weight) w FROM kinds ORDER BY w, kind) x;
CREATE TABLE lines (what text, j jsonb);
CREATE TABLE cuts (who text NOT NULL, at timestamptz NOT NULL, until timestamptz NOT NULL);
CREATE VIEW events AS SELECT (j -> 'value' ->> 'event_id')::uuid AS id, (j -> 'value' ->> 'queue_seq')::bigint AS queue_seq,
    (j ->> 'partition')::int AS part, (j ->> 'offset')::bigint AS off FROM lines WHERE what = 'callback.events';
CREATE VIEW outcomes AS SELECT (j -> 'value' ->> 'event_id')::uuid AS id, (j -> 'value' ->> 'queue_seq')::bigint AS queue_seq,
    j -> 'value' ->> 'outcome' AS outcome, (j -> 'value' ->> 'was_request')::bool AS was_request,
    (j -> 'value' ->> 'response_status')::int AS status, j -> 'value' ->> 'error_class' AS class,
    (j -> 'value' ->> 'delay_ms')::bigint AS delay_ms, (j ->> 'partition')::int AS part, (j ->> 'offset')::bigint AS off
    FROM lines WHERE what = 'callback.outcomes';
CREATE VIEW letters AS SELECT (j -> 'headers' ->> '__dlq.errors.id')::uuid AS id, j -> 'headers' ->> '__dlq.errors.class' AS class,
    j -> 'headers' ->> '__dlq.errors.message' AS message FROM lines WHERE what = 'callback.dlq';
CREATE VIEW received AS SELECT e.key::text AS id, (e.value ->> 'attempts')::int AS requests, (e.value ->> 'ok')::int AS ok,
    (SELECT array_agg(to_timestamp(t::bigint / 1000.0) ORDER BY t::bigint) FROM jsonb_array_elements_text(e.value -> 'times_ms') t) AS times
    FROM lines, jsonb_each(j) e WHERE what = 'received';
SQL
}

# cb_insert FROM TO: events of the mix, each id the MD5 of its number. Some 200 keys, a kind each: a slow one holds up
# nobody else's. Repeating it does no harm.
cb_insert() {
    t_db "INSERT INTO cs_platform_event_outbox (id, platform, event_type, partition_key, callback_target, payload)
          SELECT md5(g::text)::uuid, platform, kind, kind || '-' || g % 199, target, jsonb_build_object('g', g)
          FROM generate_series($1, $2) g JOIN mix ON n = g % (SELECT count(*) FROM mix) ORDER BY g
          ON CONFLICT DO NOTHING"
}

cb_unsettled() { t_db "SELECT count(*) FROM cs_platform_event_outbox WHERE status IN ('pending', 'retrying')"; }

# cb_settle SECONDS: until all rows are at their end.
cb_settle() { wait_until "$1" '[[ $(cb_unsettled) == 0 ]]'; }

# ---------------------------------------------------------------------------------------------------- the judge

# cb_lines WHAT: standard input, one JSON object a line. The separators cannot occur in JSON.
cb_lines() {
    t_db "DELETE FROM lines WHERE what = '$1'"
    sed "s/^/$1"$'\x01/' | t_db -c "\\copy lines FROM pstdin WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')"
}

# cb_topic TOPIC: as a read_committed reader sees it now. (3: records are among them that are malformed.)
cb_topic() { { "$SLUICE_BIN" tail "$1" --quiet --timeout-ms 60000 || (($? == 3)); } | cb_lines "$1"; }

# By webhook-id, of all receivers.
cb_received() {
    local name
    t_db "DELETE FROM lines WHERE what = 'received'"
    for name in "${CB_RECEIVERS[@]}"; do
        curl -fsS -m 60 "http://$(receiver_at "$name")/stats?ids=1" | tr '\n' ' ' | sed 's/.*"by_id": \({.*}\)} *$/\1/'
        printf '\n'
    done | cb_lines received
}

cb_read() {
    local topic
    for topic in callback.events callback.outcomes callback.dlq; do
        cb_topic "$topic"
    done
    cb_received
    t_db "ANALYZE lines, cs_platform_event_outbox, cs_platform_event_delivery_attempts"
}

# What must not be there, counted: WHAT|N a line. The views are kept as tables first: each is used several times.
cb_faults() {
    t_db <<'SQL'
CREATE TEMP TABLE ev AS SELECT * FROM events;
CREATE TEMP TABLE oc AS SELECT * FROM outcomes;
CREATE TEMP TABLE dl AS SELECT * FROM letters;
CREATE TEMP TABLE rc AS SELECT * FROM received;
CREATE TEMP TABLE o AS SELECT x.*, k.ends, k.requests FROM cs_platform_event_outbox x LEFT JOIN kinds k ON k.kind = x.event_type;
CREATE TEMP TABLE at AS SELECT event_id AS id, count(*) AS n, min(attempt_no) AS first, max(attempt_no) AS last,
    count(*) FILTER (WHERE response_status IS NOT NULL) AS answered FROM cs_platform_event_delivery_attempts GROUP BY 1;
ANALYZE ev, oc, dl, rc, o, at;
WITH faults (no, what, n) AS (VALUES
(1, 'rows that are not at their end', (SELECT count(*) FROM o WHERE status NOT IN ('delivered', 'dead_letter'))),
(2, 'rows at another end than their target has', (SELECT count(*) FROM o WHERE status IS DISTINCT FROM ends)),
(3, 'queueings that are in callback.events twice', (SELECT count(*) - count(DISTINCT (id, queue_seq)) FROM ev)),
(4, 'rows whose newest queueing is not there', (SELECT count(*) FROM o WHERE NOT EXISTS (SELECT FROM ev WHERE (ev.id, ev.queue_seq) = (o.id, o.queue_seq)))),
(5, 'queueings with no outcome, or several', (SELECT count(*) FROM (SELECT FROM ev LEFT JOIN oc USING (id, queue_seq)
    GROUP BY id, queue_seq HAVING count(oc.id) <> 1) x)),
(6, 'outcomes of nothing', (SELECT count(*) FROM oc LEFT JOIN ev USING (id, queue_seq) WHERE ev.id IS NULL)),
(7, 'outcomes without their attempt, attempts without their outcome', (SELECT count(*)
    FROM (SELECT id, queue_seq, outcome, status FROM oc WHERE was_request) r
    FULL JOIN cs_platform_event_delivery_attempts d ON (d.event_id, d.queue_seq, d.outcome) = (r.id, r.queue_seq, r.outcome)
        AND d.response_status IS NOT DISTINCT FROM r.status WHERE r.id IS NULL OR d.event_id IS NULL)),
(8, 'rows whose attempts have gaps, or whose counter is another', (SELECT count(*) FROM o LEFT JOIN at USING (id)
    WHERE coalesce(at.n, 0) <> o.attempt_count OR at.n IS DISTINCT FROM at.last OR at.first IS DISTINCT FROM CASE WHEN at.n > 0 THEN 1 END)),
(9, 'rows with more or fewer attempts than their target takes', (SELECT count(*) FROM o WHERE requests <> '?' AND attempt_count <> requests::int)),
(10, 'dead rows without their dead letter, dead letters of others', (SELECT count(*) FROM (SELECT * FROM o WHERE status = 'dead_letter') o
    FULL JOIN cs_platform_event_dead_letters d ON d.event_id = o.id AND d.queue_seq = o.queue_seq AND d.attempt_count = o.attempt_count
    WHERE o.id IS NULL OR d.event_id IS NULL)),
(11, 'dead outcomes that are not in callback.dlq once', (SELECT count(*) FROM (SELECT id, count(*) AS n FROM oc WHERE outcome = 'dead_letter' GROUP BY 1) r
    FULL JOIN (SELECT id, count(*) AS n FROM dl GROUP BY 1) l USING (id) WHERE r.n IS DISTINCT FROM l.n)),
(12, 'records the sink could not handle', (SELECT count(*) FROM dead_letter_outbox)),
(13, 'webhook-ids that are no event''s', (SELECT count(*) FROM rc WHERE NOT EXISTS (SELECT FROM o WHERE o.id::text = rc.id))),
(14, 'delivered rows whose receiver has not said yes, others to which it has', (SELECT count(*) FROM o LEFT JOIN rc ON rc.id = o.id::text
    WHERE (status = 'delivered') <> (coalesce(rc.ok, 0) > 0))),
(15, 'rows with answers from nowhere', (SELECT count(*) FROM at LEFT JOIN rc ON rc.id = at.id::text WHERE at.answered > coalesce(rc.requests, 0))))
SELECT what, n FROM faults ORDER BY no;
SQL
}

# cb_examples: rows for whoever looks for the reason.
cb_examples() {
    t_db -F ' ' <<'SQL'
SELECT 'row', id, event_type, status, attempt_count, round_attempts, queue_seq, last_error FROM cs_platform_event_outbox o JOIN kinds ON kind = event_type
WHERE status <> ends OR (requests <> '?' AND attempt_count <> requests::int) LIMIT 5;
SELECT 'outcomes', id, queue_seq, array_agg(outcome || ' ' || part || '/' || off) FROM outcomes GROUP BY id, queue_seq HAVING count(*) > 1 LIMIT 5;
SELECT 'events', id, queue_seq, array_agg(part || '/' || off) FROM events GROUP BY id, queue_seq HAVING count(*) > 1 LIMIT 5;
SQL
}

# Everything is what it must be.
cb_judge() {
    local what n bad=0 stats name faults
    cb_read
    faults=$(cb_faults) # not read from a pipe: what fails in there must fail the test
    t_eq "things looked for" 15 "$(wc -l <<<"$faults")"
    while IFS='|' read -r what n; do
        [[ $n == 0 ]] || bad=1
        printf '%s: %s: %s\n' "$([[ $n == 0 ]] && echo ok || echo FAIL)" "$what" "$n"
    done <<<"$faults"
    ((bad == 0)) || { cb_examples; t_fail "the books do not agree"; }
    for name in "${CB_RECEIVERS[@]}"; do
        stats=$(curl -fsS -m 10 "http://$(receiver_at "$name")/stats")
        t_match "$name: every signature is genuine" '"unverified": 0, "verdicts": \{("ok": [0-9]+)?\}' "$stats"
        t_match "$name: every id is remembered" '"ids_overflow": 0' "$stats"
    done
    t_ok "$(t_db "SELECT string_agg(n || ' ' || status, ', ') FROM (SELECT status, count(*) n FROM cs_platform_event_outbox GROUP BY 1) x"),\
 $(t_db "SELECT count(*) FROM events") queueings, $(t_db "SELECT count(*) FROM cs_platform_event_delivery_attempts") attempts,\
 $(t_db "SELECT count(*) FROM outcomes WHERE outcome = 'parked'") times parked"
}

# ---------------------------------------------------------------------------------------------------- repetitions

CB_CUTS=()

# cb_cut WHO COMMAND...: what cuts work off, and when that was. What the dead have sent is read by the receiver before it
# answers us; so everything cut off has arrived before `until`.
cb_cut() {
    local who=$1 at name
    shift
    at=$(date +%s.%N)
    "$@"
    for name in "${CB_RECEIVERS[@]}" "${CB_RECEIVERS[@]}"; do
        receiver_stat requests "$name" >/dev/null
    done
    CB_CUTS+=("('$who', to_timestamp($at), to_timestamp($(date +%s.%N)))")
}

# Where a callback process says itself that it has dropped work: its session was lost on a machine with too much to do.
cb_cuts_of_logs() {
    grep -hE 'area=callback msg=("partitions lost"|"cut at the deadline"|"staged results are dropped")' "$T_DIR"/callback*.log |
        sed -E "s/^ts=([^ ]+) .*/('callback', '\\1', '\\1')/" || true
}

# cb_repeated LIMIT-PER-CUT WHO: requests beyond those that have an outcome. They may only be what a cut of WHO (a regular
# expression) left: each row that has one was asked before and after such a moment, and all together they are at most what
# so many processes can have held, as their configuration says.
cb_repeated() {
    local cuts repeated close
    mapfile -t -O ${#CB_CUTS[@]} CB_CUTS < <(cb_cuts_of_logs)
    ((${#CB_CUTS[@]} == 0)) || t_db "INSERT INTO cuts VALUES $(IFS=,; printf '%s' "${CB_CUTS[*]}")"
    cuts=$(t_db "SELECT count(*) FROM cuts WHERE who ~ '$2'")
    t_db "CREATE TABLE repeated AS SELECT r.*, r.requests - coalesce(a.n, 0) AS extra,
              (SELECT min(c.at - t) FROM cuts c, unnest(times) t
               WHERE who ~ '$2' AND t <= until AND at <= times[cardinality(times)]) AS before
          FROM received r LEFT JOIN (SELECT event_id, count(*) AS n FROM cs_platform_event_delivery_attempts GROUP BY 1) a
          ON a.event_id::text = r.id WHERE r.requests > coalesce(a.n, 0)"
    repeated=$(t_db "SELECT coalesce(sum(extra), 0) FROM repeated")
    close=$(t_db "SELECT count(*) FROM repeated WHERE before <= interval '500 ms'")
    t_ok "requests repeated: $repeated after $cuts cuts, at most $(($1 * cuts)); of $(t_db 'SELECT count(*) FROM repeated') rows, $close were asked within 500 ms before one"
    t_eq "rows with requests repeated for no reason" 0 "$(t_db "SELECT count(*) FROM repeated WHERE before IS NULL")"
    ((repeated <= $1 * cuts)) || t_fail "more requests repeated than could have been under way"
}

# ---------------------------------------------------------------------------------------------------- open transactions

# The end of callback.outcomes as readers of this isolation see it.
cb_ends() {
    kcat -C -b "$KAFKA_BROKERS" -t "${SLUICE_TOPIC_PREFIX}callback.outcomes" -o -200 -e -q -X "isolation.level=$1" -f '%p %o\n' | sort -u
}

# cb_kill_in_transaction NAME: at a moment when it has sent records of a transaction and not its end. False: it has ended no
# transaction at the moment it was stopped; it goes on.
cb_kill_in_transaction() {
    kill_role "$1" STOP
    if [[ $(cb_ends read_committed) != "$(cb_ends read_uncommitted)" ]]; then
        cb_cut "$1" kill_role "$1"
        return 0
    fi
    kill_role "$1" CONT
    return 1
}

# cb_aborted: outcomes that only read_uncommitted sees.
cb_aborted() {
    local all
    all=$(topic_count callback.outcomes read_uncommitted)
    printf '%s\n' $((all - $(topic_count callback.outcomes)))
}

# ---------------------------------------------------------------------------------------------------- metrics

# role_metric NAME METRIC: of that process's operator endpoint; METRIC with its labels, if it has any.
role_metric() {
    local at
    at=$(grep -oE 'msg=started .*http=[0-9.:]+' "$(proc_log "$1")" | tail -n 1 | sed 's/.*http=//')
    curl -fsS -m 10 "http://$at/metrics" | awk -v name="$2" '$1 == name { print $2 }'
}
