# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For the tests of the relay: writers that do what a business does, and the judge who compares tables with topics.
# Sourced after lib.sh. The judge reads topics with kcat into a table of the test's database and counts there, in SQL.
#
#     oracle_begin                                      # tables of the judge and of the writers
#     oracle_write writers CLIENTS TRANSACTIONS         # pgbench, in the background
#     oracle_settle                                     # until everything committed so far is out, as far as it comes
#     oracle_judge cs_platform_event_outbox callback.events

ORACLE_TABLES=(cs_platform_event_outbox payment_outbox)
ORACLE_KEYS=50

# topic_of TABLE
oracle_topic() {
    case $1 in
        cs_platform_event_outbox) printf 'callback.events\n' ;;
        payment_outbox) printf 'payment.events\n' ;;
    esac
}

oracle_begin() {
    # kcat notices the end of a partition by an empty answer, for which the broker waits 500 ms by default.
    printf 'fetch.wait.max.ms=10\n' >"$T_DIR/kcat.conf"
    export KCAT_CONFIG=$T_DIR/kcat.conf
    t_db <<SQL
CREATE TABLE writer_keys (k int PRIMARY KEY);
INSERT INTO writer_keys SELECT generate_series(1, $ORACLE_KEYS);
CREATE TABLE seen (
    topic text NOT NULL, part int NOT NULL, off bigint NOT NULL, key text NOT NULL, headers text NOT NULL, body text,
    id uuid NOT NULL GENERATED ALWAYS AS (substring(headers FROM 'ce_id=([0-9a-f-]{36})')::uuid) STORED);
CREATE FUNCTION write_event(k int, n int) RETURNS void LANGUAGE sql AS \$\$
    INSERT INTO cs_platform_event_outbox (platform, event_type, partition_key, callback_target, payload)
    SELECT 'demo', 'order.changed', 'key-' || k, 'https://127.0.0.1:1/never', jsonb_build_object('k', k, 'g', g)
    FROM generate_series(1, n) g \$\$;
CREATE FUNCTION write_payment(k int, n int) RETURNS void LANGUAGE sql AS \$\$
    INSERT INTO payment_outbox (partition_key, event_type, payload)
    SELECT 'pay-' || k, 'payment.changed', jsonb_build_object('k', k, 'g', g) FROM generate_series(1, n) g \$\$;
SQL
    oracle_scripts
}

# ---------------------------------------------------------------------------------------------------- writers

# Each writer locks its key before the INSERT and holds it to the end, as the promise of order asks for.
# File names end in @WEIGHT for pgbench.
oracle_scripts() {
    local lock='SELECT 1 FROM writer_keys WHERE k = :k FOR UPDATE;'
    local any="\\set k random(1, $ORACLE_KEYS)"
    mkdir -p "$T_DIR/writers"
    cat >"$T_DIR/writers/plain" <<SQL
$any
\set n random(2, 8)
BEGIN;
$lock
SELECT write_event(:k, :n);
COMMIT;
SQL
    cat >"$T_DIR/writers/rollback" <<SQL
$any
BEGIN;
$lock
SELECT write_event(:k, 4);
SELECT write_payment(:k, 1);
ROLLBACK;
SQL
    # The sequence number is old when the row shows.
    cat >"$T_DIR/writers/slow" <<SQL
$any
\set ms random(50, 400)
BEGIN;
$lock
SELECT write_event(:k, 2);
\sleep :ms ms
SELECT write_event(:k, 1);
COMMIT;
SQL
    # The transaction id is older than that of rows which come before.
    cat >"$T_DIR/writers/early" <<SQL
$any
\set ms random(1, 30)
BEGIN;
SELECT pg_current_xact_id();
\sleep :ms ms
$lock
SELECT write_event(:k, 2);
COMMIT;
SQL
    cat >"$T_DIR/writers/savepoint" <<SQL
$any
BEGIN;
$lock
SELECT write_event(:k, 2);
SAVEPOINT a;
SELECT write_event(:k, 3);
SELECT write_payment(:k, 1);
ROLLBACK TO a;
SELECT write_event(:k, 2);
SAVEPOINT b;
SELECT write_event(:k, 1);
RELEASE b;
COMMIT;
SQL
    cat >"$T_DIR/writers/payment" <<SQL
$any
BEGIN;
$lock
SELECT write_payment(:k, 3);
SELECT write_event(:k, 1);
COMMIT;
SQL
}

# oracle_write NAME CLIENTS TRANSACTIONS-OF-EACH [pgbench argument]...: the mix of all of them, in the background.
oracle_write() {
    local name=$1 clients=$2 each=$3 dir=$T_DIR/writers
    shift 3
    # -n: pgbench's own tables are not there.
    start_proc "$name" "$(pg_bindir)/pgbench" -n -c "$clients" -j 1 -t "$each" "$@" -f "$dir/plain@68" -f "$dir/rollback@10" \
        -f "$dir/slow@4" -f "$dir/early@4" -f "$dir/savepoint@7" -f "$dir/payment@7" "$DATABASE_URL"
}

# oracle_stream NAME RATE: writes until oracle_stop NAME; a lost connection only means the next one.
oracle_stream() {
    local name=$1 rate=$2
    : >"$T_DIR/$name.go"
    # shellcheck disable=SC2016 # expanded by the inner shell
    start_proc "$name" bash -c '
        go=$1; shift
        while [[ -e $go ]]; do "$@" || sleep 0.3; done' _ "$T_DIR/$name.go" \
        "$(pg_bindir)/pgbench" -n -c 4 -j 1 -T 2 --rate="$rate" -f "$T_DIR/writers/plain@70" -f "$T_DIR/writers/rollback@10" \
        -f "$T_DIR/writers/early@10" -f "$T_DIR/writers/payment@10" "$DATABASE_URL"
}
oracle_stop() {
    rm -f "$T_DIR/$1.go"
    wait_until 30 "! proc_alive $1"
}

# ---------------------------------------------------------------------------------------------------- the judge

# oracle_read TOPIC [ISOLATION]: the topic as it is now, in the table seen; values only where the test has set
# SLUICE_VALUE_FORMAT=json. The separators cannot occur in JSON, keys or headers.
oracle_read() {
    local value=''
    [[ ${SLUICE_VALUE_FORMAT:-avro} != json ]] || value=%s
    t_db "DELETE FROM seen WHERE topic = '$1'"
    topic_kcat "$1" "${2:-read_committed}" "$1"$'\x01%p\x01%o\x01%k\x01%h\x01'"$value\n" |
        t_db -c "\\copy seen (topic, part, off, key, headers, body) FROM pstdin WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')"
}

# Kafka's records of all tables' topics, in one number.
oracle_count() {
    local table n=0
    for table in "${ORACLE_TABLES[@]}"; do
        n=$((n + $(topic_count "$(oracle_topic "$table")" "${1:-read_committed}")))
    done
    printf '%s\n' "$n"
}

oracle_rows() { t_db "SELECT (SELECT count(*) FROM cs_platform_event_outbox) + (SELECT count(*) FROM payment_outbox)"; }

oracle_has() { topic_kcat "$1" read_committed '%h\n' | grep -qF "ce_id=$2"; }

# A row of the test itself, in TABLE (default cs_platform_event_outbox): prints its id.
oracle_mark() {
    case ${1:-cs_platform_event_outbox} in
        payment_outbox)
            t_db "INSERT INTO payment_outbox (partition_key, event_type, payload) VALUES ('mark', 'mark', '{}') RETURNING id"
            ;;
        *)
            t_db "INSERT INTO cs_platform_event_outbox (platform, event_type, partition_key, callback_target, payload)
                  VALUES ('demo', 'mark', 'mark', 'https://127.0.0.1:1/never', '{}') RETURNING id"
            ;;
    esac
}

# A row committed after all others is read after them. Its partition may show it a moment before another one shows the
# rest of the same transaction: hence the second wait, which says nothing when it is in vain (the judge will).
oracle_settle() {
    local table id
    for table in "${ORACLE_TABLES[@]}"; do
        id=$(oracle_mark "$table")
        wait_until 60 "oracle_has $(oracle_topic "$table") $id"
    done
    # shellcheck disable=SC2016 # evaluated again and again
    wait_for 5 eval '[[ $(oracle_count) == "$(oracle_rows)" ]]' || true
}

# oracle_verdict TABLE TOPIC: missing = committed rows that are not there, double = rows that are there more than once,
# foreign = records of rows that were never committed, disorder = neighbours of one key against queue_seq,
# split = keys in more than one partition. For rows that went on the road once.
oracle_verdict() {
    oracle_read "$2"
    t_db <<SQL
WITH s AS MATERIALIZED (SELECT * FROM seen WHERE topic = '$2'),
per_row AS (SELECT o.id, count(s.id) AS n FROM $1 o LEFT JOIN s ON s.id = o.id GROUP BY o.id),
in_order AS (SELECT o.queue_seq - lag(o.queue_seq) OVER (PARTITION BY s.key ORDER BY s.off) AS step FROM s JOIN $1 o ON o.id = s.id)
SELECT format('missing=%s double=%s foreign=%s disorder=%s split=%s',
    (SELECT count(*) FROM per_row WHERE n = 0), (SELECT count(*) FROM per_row WHERE n > 1),
    (SELECT count(*) FROM s WHERE NOT EXISTS (SELECT FROM $1 o WHERE o.id = s.id)),
    (SELECT count(*) FROM in_order WHERE step <= 0),
    (SELECT count(*) FROM (SELECT FROM s GROUP BY key HAVING count(DISTINCT part) > 1) k));
SQL
}

# oracle_judge TABLE TOPIC
oracle_judge() {
    local got
    got=$(oracle_verdict "$1" "$2")
    if [[ $got != 'missing=0 double=0 foreign=0 disorder=0 split=0' ]]; then
        oracle_examples "$1" "$2"
    fi
    t_eq "$2, $(t_db "SELECT count(*) FROM $1") rows of $1" 'missing=0 double=0 foreign=0 disorder=0 split=0' "$got"
}
oracle_judge_all() {
    local table
    for table in "${ORACLE_TABLES[@]}"; do
        oracle_judge "$table" "$(oracle_topic "$table")"
    done
}

# A few of the rows that went wrong, for whoever looks for the reason.
oracle_examples() {
    t_db -F ' ' <<SQL
SELECT 'missing: seq', o.queue_seq, 'txid', o.queue_txid, 'id', o.id FROM $1 o
WHERE NOT EXISTS (SELECT FROM seen s WHERE s.topic = '$2' AND s.id = o.id) ORDER BY 2 LIMIT 5;
SELECT 'double: seq', o.queue_seq, 'txid', o.queue_txid, 'at', string_agg(s.part || '/' || s.off, ' ' ORDER BY s.part, s.off)
FROM $1 o JOIN seen s ON s.topic = '$2' AND s.id = o.id GROUP BY o.id, 2, 4 HAVING count(*) > 1 ORDER BY 2 LIMIT 5;
SELECT 'foreign: id', id, 'at', part || '/' || off FROM seen s
WHERE topic = '$2' AND NOT EXISTS (SELECT FROM $1 o WHERE o.id = s.id) LIMIT 5;
SELECT 'disorder:', * FROM (SELECT s.key, part, off, o.queue_seq, o.queue_txid, lag(o.queue_seq) OVER (PARTITION BY s.key ORDER BY off) AS before
FROM seen s JOIN $1 o ON o.id = s.id WHERE topic = '$2') x WHERE queue_seq <= before LIMIT 5;
SQL
}

# ---------------------------------------------------------------------------------------------------- the relay

# relay_owns NAME SOURCE [TIMES]: that process has taken the source over, so many times at least.
relay_owns() {
    local n
    n=$(grep -cE "took over.*source=$2( |$)" "$(proc_log "$1")") || true
    ((n >= ${3:-1}))
}

readonly ORACLE_SESSIONS="FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'sluice relay'"

# oracle_watch SECONDS CONDITION: SQL that lasts until pg_stat_activity shows a session of the relay like that, or so long.
oracle_watch() {
    cat <<SQL
DO \$\$
DECLARE give_up timestamptz := clock_timestamp() + interval '$1 s';
BEGIN
    WHILE clock_timestamp() < give_up LOOP
        PERFORM pg_stat_clear_snapshot();
        EXIT WHEN EXISTS (SELECT $ORACLE_SESSIONS AND $2);
        PERFORM pg_sleep(0.0005);
    END LOOP;
END \$\$;
SQL
}

# oracle_await CONDITION COMMAND: runs it as soon as there is such a session. If there is none within 3 s, then any moment is
# as good.
oracle_await() {
    t_db <<SQL >/dev/null
$(oracle_watch 3 "$1")
\! $2
SQL
}

# oracle_await_commit COMMAND: runs it at a moment when the records of a transaction are in the log and its end is not: the
# relay commits when the last statement of its session was the look whether the WAL is flushed.
oracle_await_commit() { oracle_await "state = 'idle' AND query LIKE 'SELECT pg_current_wal_flush_lsn()%'" "$1"; }

# oracle_slow_disk: from now on a new session waits 0.1 s at each commit that has to be on disk. A relay then takes that long
# between its records and their commit, if the writers do not wait for the disk and so leave that to it.
oracle_slow_disk() {
    local db
    db=$(t_db "SELECT current_database()")
    t_admin "ALTER DATABASE $db SET commit_delay = 100000; ALTER DATABASE $db SET commit_siblings = 0"
}

# oracle_await_commit_of_slow_disk COMMAND: as oracle_await_commit, with a wide margin on both sides.
oracle_await_commit_of_slow_disk() {
    oracle_await "state = 'active' AND query LIKE '%pg_logical_emit_message%'
        AND clock_timestamp() - query_start > interval '40 ms'" "$1"
}

# oracle_goes_on WHAT: rows committed now come out, by the process r that was there before.
oracle_goes_on() {
    local id
    id=$(oracle_mark)
    wait_until 60 "oracle_has callback.events $id"
    id=$(oracle_mark payment_outbox)
    wait_until 60 "oracle_has payment.events $id"
    proc_alive r || t_fail "the relay has ended: $1"
    t_ok "$1: the relay goes on"
}
