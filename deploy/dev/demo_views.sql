-- SPDX-License-Identifier: Apache-2.0
--
-- What ./dev demo compares: the plan (what the writers were to do), the tables, what the receiver has seen and what lies
-- in the topics. The temporary tables plan, budget, seen, events, outcomes and dead are there already; :run names the demo.

CREATE TEMP TABLE row AS
SELECT p.n, p.kind, o.id, o.platform, o.status, o.attempt_count, o.partition_key AS key, d.error_class, b.attempts AS budget,
       coalesce(t.attempts, 0) AS attempts, coalesce(t.answered, 0) AS answered, t.first_seq, t.first_answered, t.last_no
FROM cs_platform_event_outbox o
LEFT JOIN plan p ON p.n = (o.payload->>'n')::int
LEFT JOIN budget b ON b.platform = o.platform
LEFT JOIN cs_platform_event_dead_letters d ON d.event_id = o.id
LEFT JOIN LATERAL (
    SELECT count(*) AS attempts, count(response_status) AS answered, max(attempt_no) AS last_no,
           min(queue_seq) FILTER (WHERE attempt_no = 1) AS first_seq,
           bool_or(response_status IS NOT NULL) FILTER (WHERE attempt_no = 1) AS first_answered
    FROM cs_platform_event_delivery_attempts a WHERE a.event_id = o.id) t ON true
WHERE o.partition_key LIKE :'run' || '-%';

-- What each row had to become. A rate limit may use up a budget: then, and only then, such a row may be dead.
CREATE TEMP VIEW verdict AS
SELECT *, CASE
    WHEN kind IN ('healthy', 'slow', 'shaky') THEN status = 'delivered'
    WHEN kind = 'limited' THEN status = 'delivered' OR (status = 'dead_letter' AND attempts = budget)
    WHEN kind = 'down' THEN status = 'dead_letter' AND attempts = budget
    WHEN kind = 'gone' THEN status = 'dead_letter' AND error_class = 'http-410'
    WHEN kind = 'unknown' THEN status = 'dead_letter' AND attempts = 0 AND error_class = 'unknown-platform'
    ELSE false END AS as_it_must
FROM row;

-- The first request of an event belongs to the place of its key that it had when it was queued for it, retries and
-- waiting in between included. Left out: an attempt without an answer may have come to the receiver late.
CREATE TEMP VIEW disorder AS
SELECT count(*) AS n FROM (
    SELECT s.ord < max(s.ord) OVER (PARTITION BY r.key ORDER BY r.first_seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
           AS wrong
    FROM row r JOIN seen s ON s.id = r.id WHERE r.first_answered) o
WHERE wrong;

-- Requests must be what was recorded as attempts; one without an answer may have arrived or not.
CREATE TEMP VIEW request AS
SELECT coalesce(sum(s.attempts), 0)::bigint AS n, count(*) AS ids, coalesce(sum(greatest(s.ok - 1, 0)), 0)::bigint AS twice,
       (SELECT sum(answered)::bigint FROM row) AS least, (SELECT sum(attempts)::bigint FROM row) AS most
FROM seen s;
