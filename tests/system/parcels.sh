# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For the tests of the whole road of a parcel: notify_queue row, relay, notify, push_deliveries row, relay, push, a receiver
# that speaks as the cloud function does, outcome, sink, send_status. Orders of several kinds, and a judge who reads topics,
# tables and the receiver's counts into the test's database and compares them there, in SQL.
# Sourced after lib.sh and callbacks.sh (whose cb_lines and cb_topic it uses).
#
#     t_begin NAME
#     pc_begin                            # a receiver with the push secret, the judge's tables
#     start_roles relay notify push sink
#     pc_insert 1 500                     # parcels 1 to 500, each with its order, its phones and one event
#     pc_settle 60                        # until every row is at its end
#     pc_judge                            # once for each event and audience, once for each phone

# What an order is like and what must come of its event: devices of the user and of the merchant, the ends of both
# notifications ('' = there is none), the end of the event.
PC_KINDS="
  ('both',     6, 1, 1, 'success',    'success',    'queued'),
  ('phones',   2, 3, 1, 'success',    'success',    'queued'),
  ('user',     2, 1, 0, 'success',    '',           'queued'),
  ('quiet',    2, 1, 0, 'success',    'no-targets', 'queued'),
  ('nobody',   1, 0, 0, 'no-targets', 'no-targets', 'queued'),
  ('orphan',   1, 0, 0, '',           '',           'skipped')"

pc_begin() {
    printf 'fetch.wait.max.ms=10\n' >"$T_DIR/kcat.conf"
    export KCAT_CONFIG=$T_DIR/kcat.conf
    secret_make "$T_DIR/push.secret"
    chmod 0600 "$T_DIR/push.secret"
    start_proc receiver "$SLUICE_BIN" receive --listen 127.0.0.1:0 --ids-max 1000000 --push-secret-file "$T_DIR/push.secret"
    wait_until 20 '[[ -n $(receiver_at receiver) ]]'
    CLOUD_FUNC_URL="http://$(receiver_at receiver)/push"
    export CLOUD_FUNC_URL CLOUD_FUNC_SECRET_FILE=$T_DIR/push.secret
    export SLUICE_PUSH_ALLOW_HTTP=true SLUICE_PUSH_ALLOW_NETS=127.0.0.0/8
    pc_tables
}

pc_tables() {
    t_db <<SQL
CREATE TABLE kinds (kind text PRIMARY KEY, weight int, user_devices int, merchant_devices int, user_ends text, merchant_ends text, ends text);
INSERT INTO kinds VALUES $PC_KINDS;
CREATE TABLE mix AS SELECT row_number() OVER () - 1 AS n, kind, user_devices, merchant_devices, user_ends, merchant_ends
    FROM (SELECT k.*, generate_series(1, weight) w FROM kinds k ORDER BY w, kind) x;
CREATE TABLE lines (what text, j jsonb);
CREATE TABLE parcels (g int PRIMARY KEY, id uuid UNIQUE, kind text);
CREATE VIEW events AS SELECT (j -> 'value' ->> 'event_id')::uuid AS id, (j -> 'value' ->> 'queue_seq')::bigint AS queue_seq
    FROM lines WHERE what = 'express.events';
CREATE VIEW pushes AS SELECT (j -> 'value' ->> 'event_id')::uuid AS id, (j -> 'value' ->> 'queue_seq')::bigint AS queue_seq
    FROM lines WHERE what = 'notification.pushes';
CREATE VIEW outcomes AS SELECT (j -> 'value' ->> 'event_id')::uuid AS id, (j -> 'value' ->> 'queue_seq')::bigint AS queue_seq,
    j -> 'value' ->> 'outcome' AS outcome, (j -> 'value' ->> 'was_request')::bool AS was_request
    FROM lines WHERE what = 'notification.outcomes';
CREATE VIEW received AS SELECT e.key::text AS id, (e.value ->> 'accepted')::int AS accepted, (e.value ->> 'attempts')::int AS attempts,
    e.value ->> 'cid' AS cid
    FROM lines, jsonb_each(j) e WHERE what = 'received';
SQL
}

# pc_insert FROM TO: parcels of the mix, each id the MD5 of its number: order, waybill, phones, and one event. Repeating it
# does no harm.
pc_insert() {
    t_db <<SQL
BEGIN;
CREATE TEMP TABLE p ON COMMIT DROP AS SELECT g, md5(g::text)::uuid AS id, mix.* FROM generate_series($1, $2) g
    JOIN mix ON n = g % (SELECT count(*) FROM mix);
INSERT INTO parcels SELECT g, id, kind FROM p ON CONFLICT DO NOTHING;
INSERT INTO ml_orders (id, user_id, merchant_id) SELECT 'o' || g, 'u' || g, CASE WHEN merchant_ends <> '' THEN 'm' || g END
    FROM p WHERE kind <> 'orphan' ON CONFLICT DO NOTHING;
INSERT INTO platform_express_waybills (tracking_no, carrier, order_id) SELECT 'PC' || g, 'test', 'o' || g FROM p ON CONFLICT DO NOTHING;
INSERT INTO push_devices (cid, user_id) SELECT 'u' || g || '-' || d, 'u' || g FROM p, generate_series(1, user_devices) d ON CONFLICT DO NOTHING;
INSERT INTO push_devices (cid, merchant_id) SELECT 'm' || g || '-' || d, 'm' || g FROM p, generate_series(1, merchant_devices) d ON CONFLICT DO NOTHING;
INSERT INTO notify_queue (id, tracking_no, carrier, status, context, node_at)
    SELECT id, 'PC' || g, 'test', 'in_transit', 'parcel ' || g || ' is on its way', now() FROM p ORDER BY g ON CONFLICT DO NOTHING;
COMMIT;
SQL
}

pc_unsettled() {
    t_db "SELECT (SELECT count(*) FROM notify_queue WHERE process_status IS NULL)
               + (SELECT count(*) FROM push_deliveries WHERE status IN ('pending', 'retrying'))
               + (SELECT count(*) FROM express_notifications WHERE send_status = 'pending')"
}

# pc_settle SECONDS: until all rows are at their end.
pc_settle() { wait_until "$1" '[[ $(pc_unsettled) == 0 ]]'; }

pc_stat() { curl -fsS -m 10 "http://$(receiver_at receiver)/stats" | jq -r ".push.$1 // 0"; }

pc_read() {
    local topic
    for topic in express.events notification.pushes notification.outcomes; do
        cb_topic "$topic"
    done
    t_db "DELETE FROM lines WHERE what = 'received'"
    curl -fsS -m 60 "http://$(receiver_at receiver)/stats?ids=1" | jq -c '.push.by_id // {}' | cb_lines received
    t_db "ANALYZE"
}

# What must not be there, counted: WHAT|N a line.
pc_faults() {
    t_db <<'SQL'
CREATE TEMP TABLE ev AS SELECT * FROM events;
CREATE TEMP TABLE pu AS SELECT * FROM pushes;
CREATE TEMP TABLE oc AS SELECT * FROM outcomes;
CREATE TEMP TABLE rc AS SELECT * FROM received;
CREATE TEMP TABLE q AS SELECT x.*, p.g, k.* FROM notify_queue x JOIN parcels p USING (id) JOIN kinds k ON k.kind = p.kind;
CREATE TEMP TABLE no AS SELECT q.g, q.kind, a.aud, a.ends, n.send_status, n.message_id, n.id FROM q
    CROSS JOIN LATERAL (VALUES ('user', q.user_ends), ('merchant', q.merchant_ends)) AS a(aud, ends)
    LEFT JOIN express_notifications n ON n.event_id = q.id AND n.aud = a.aud;
CREATE TEMP TABLE de AS SELECT d.*, left(encode(sha256(convert_to(message_id || '|' || cid || '|' || generation, 'UTF8')), 'hex'), 32) AS request_id
    FROM push_deliveries d;
ANALYZE ev, pu, oc, rc, q, no, de;
WITH faults (no, what, n) AS (VALUES
(1, 'events that are not at the end of their kind', (SELECT count(*) FROM q WHERE process_status IS DISTINCT FROM ends)),
(2, 'queueings that are in express.events twice', (SELECT count(*) - count(DISTINCT (id, queue_seq)) FROM ev)),
(3, 'events whose newest queueing is not there', (SELECT count(*) FROM q WHERE NOT EXISTS (SELECT FROM ev WHERE (ev.id, ev.queue_seq) = (q.id, q.queue_seq)))),
(4, 'notifications missing, too many, or of another end', (SELECT count(*) FROM no WHERE coalesce(send_status, '') <> ends)),
(5, 'notifications told twice', (SELECT count(*) FROM (SELECT FROM no WHERE id IS NOT NULL GROUP BY g, aud HAVING count(*) > 1) x)),
(6, 'notifications of nobody', (SELECT count(*) FROM express_notifications n WHERE NOT EXISTS (SELECT FROM no WHERE no.id = n.id))),
(7, 'phones with no delivery, or several', (SELECT count(*) FROM (SELECT x.g, v.cid FROM q x CROSS JOIN LATERAL
    (SELECT 'u' || x.g || '-' || d AS cid FROM generate_series(1, user_devices) d UNION ALL SELECT 'm' || x.g || '-' || d FROM generate_series(1, merchant_devices) d) v) w
    LEFT JOIN (SELECT cid, count(*) AS n FROM de GROUP BY 1) c USING (cid) WHERE c.n IS DISTINCT FROM 1)),
(8, 'deliveries that were not delivered', (SELECT count(*) FROM de WHERE status <> 'delivered')),
(9, 'queueings that are in notification.pushes twice', (SELECT count(*) - count(DISTINCT (id, queue_seq)) FROM pu)),
(10, 'pushes with no outcome, or several', (SELECT count(*) FROM (SELECT FROM pu LEFT JOIN oc USING (id, queue_seq) GROUP BY id, queue_seq HAVING count(oc.id) <> 1) x)),
(11, 'outcomes of nothing', (SELECT count(*) FROM oc LEFT JOIN pu USING (id, queue_seq) WHERE pu.id IS NULL)),
(12, 'deliveries whose attempts are not those of their outcomes', (SELECT count(*) FROM de LEFT JOIN
    (SELECT id, count(*) FILTER (WHERE was_request) AS n FROM oc GROUP BY 1) a USING (id) WHERE de.attempt_count IS DISTINCT FROM a.n)),
(13, 'deliveries that the provider has not accepted, or for another phone', (SELECT count(*) FROM de LEFT JOIN rc ON rc.id = de.request_id
    WHERE coalesce(rc.accepted, 0) < 1 OR rc.cid <> de.cid)),
(14, 'messages at the provider that nobody sent', (SELECT count(*) FROM rc WHERE NOT EXISTS (SELECT FROM de WHERE de.request_id = rc.id))),
(15, 'records that nobody could handle', (SELECT count(*) FROM dead_letter_outbox)))
SELECT what, n FROM faults ORDER BY no;
SQL
}

pc_examples() {
    t_db -F ' ' <<'SQL'
SELECT 'event', x.id, kind, process_status, last_error FROM notify_queue x JOIN parcels USING (id) JOIN kinds USING (kind) WHERE process_status IS DISTINCT FROM ends LIMIT 5;
SELECT 'delivery', id, status, verdict, attempt_count, last_error FROM push_deliveries WHERE status <> 'delivered' LIMIT 5;
SELECT 'notification', id, aud, send_status, reason, last_error FROM express_notifications WHERE send_status NOT IN ('success', 'no-targets') LIMIT 5;
SQL
}

# Everything is what it must be.
pc_judge() {
    local what n bad=0 faults
    pc_read
    faults=$(pc_faults) # not read from a pipe: what fails in there must fail the test
    t_eq "things looked for" 15 "$(wc -l <<<"$faults")"
    while IFS='|' read -r what n; do
        [[ $n == 0 ]] || bad=1
        printf '%s: %s: %s\n' "$([[ $n == 0 ]] && echo ok || echo FAIL)" "$what" "$n"
    done <<<"$faults"
    ((bad == 0)) || { pc_examples; t_fail "the books do not agree"; }
    t_eq "calls of the push role that are not as they should be" 0 "$(pc_stat refused)"
    t_eq "messages accepted, by id" "$(t_db "SELECT count(*) FROM push_deliveries")" "$(pc_stat accepted)"
    for topic in express.dlq notification.dlq; do
        t_eq "$topic" 0 "$(topic_count "$topic")"
    done
    t_ok "$(t_db "SELECT string_agg(n || ' ' || send_status, ', ') FROM (SELECT send_status, count(*) n FROM express_notifications GROUP BY 1) x"),\
 $(t_db "SELECT count(*) FROM push_deliveries") deliveries, $(pc_stat doubled) sent again under their ids and dropped there"
}
