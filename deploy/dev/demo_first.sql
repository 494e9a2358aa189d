-- SPDX-License-Identifier: Apache-2.0
--
-- The numbers of ./dev demo after the first round. One line each: what|value|what it has to be (empty: nothing to be).

\echo == ENDPOINT|EVENTS|DELIVERED|WAITING|DEAD|ATTEMPTS
SELECT label, count(r.kind), count(*) FILTER (WHERE status = 'delivered'),
       count(*) FILTER (WHERE status IN ('pending', 'retrying')), count(*) FILTER (WHERE status = 'dead_letter'), sum(attempts)
FROM (VALUES (1, 'healthy', 'healthy'), (2, 'slow', 'slow, 100 ms an answer'), (3, 'shaky', 'fails twice, then recovers'),
      (4, 'limited', 'takes 20 requests a second'), (5, 'down', 'down, HTTP 500'), (6, 'gone', 'gone, HTTP 410'),
      (7, 'unknown', 'platform without a secret')) k (no, kind, label)
JOIN row r USING (kind) GROUP BY no, label ORDER BY no;

\echo == outbox
SELECT 'events inserted by ' || :'writers' || ' writers', (SELECT count(*) FROM plan), NULL::text
UNION ALL SELECT '  rolled back, never to be seen', (SELECT count(*) FROM plan WHERE NOT committed), NULL
UNION ALL SELECT '  committed', count(*), (SELECT count(*) FROM plan WHERE committed)::text FROM row
UNION ALL SELECT '  committed and not there', count(*), '0' FROM plan p WHERE committed AND NOT EXISTS (SELECT FROM row r WHERE r.n = p.n)
UNION ALL SELECT '  there although rolled back', count(*), '0' FROM row r WHERE NOT EXISTS (SELECT FROM plan p WHERE p.n = r.n AND p.committed);

\echo == outcomes
SELECT 'delivered', count(*), NULL::text FROM row WHERE status = 'delivered'
UNION ALL SELECT '  of them not answered well by the receiver', count(*), '0' FROM row r WHERE status = 'delivered'
      AND NOT EXISTS (SELECT FROM seen s WHERE s.id = r.id AND s.ok > 0)
UNION ALL SELECT 'waiting', count(*), '0' FROM row WHERE status IN ('pending', 'retrying')
UNION ALL SELECT 'dead', count(*), NULL FROM row WHERE status = 'dead_letter'
UNION ALL (SELECT '  ' || coalesce(error_class, 'no reason') || CASE min(attempts) WHEN 0 THEN ', no attempt' WHEN 1 THEN ', at once'
      ELSE format(', %s attempts each', CASE WHEN min(attempts) = max(attempts) THEN max(attempts)::text ELSE min(attempts) || ' to ' || max(attempts) END) END,
      count(*), CASE WHEN error_class IS NULL THEN '0' END FROM row WHERE status = 'dead_letter' GROUP BY error_class ORDER BY count(*) DESC)
UNION ALL SELECT 'not what its endpoint makes of it', count(*), '0' FROM verdict WHERE as_it_must IS NOT TRUE;

\echo == receiver
SELECT 'attempts recorded', coalesce(sum(attempts), 0)::bigint, NULL::text FROM row
UNION ALL SELECT 'requests at the receiver', n, CASE WHEN n BETWEEN least AND most THEN n::text
      ELSE CASE WHEN least = most THEN most::text ELSE least || ' to ' || most END END FROM request
UNION ALL SELECT '  signature verified', n, NULL FROM request
UNION ALL SELECT '  signature wrong, or nothing to verify with', :unverified + (SELECT count(*) FROM row r JOIN
      cs_platform_event_delivery_attempts a ON a.event_id = r.id WHERE a.response_status = 401), '0'
UNION ALL SELECT 'webhook-ids', ids, (SELECT count(*) FROM row WHERE attempts > 0)::text FROM request
UNION ALL SELECT 'duplicates: delivered before, and again', twice, CASE WHEN twice <= most - least THEN twice::text ELSE '0' END FROM request
UNION ALL SELECT 'first requests out of the order of their key', n, '0' FROM disorder
UNION ALL SELECT 'rows whose attempts are not numbered 1, 2, 3, ...', count(*), '0' FROM row
      WHERE attempts <> attempt_count OR coalesce(last_no, 0) <> attempts;

\echo == topics
SELECT 'records in callback.events', count(*), NULL::text FROM events
UNION ALL SELECT '  of events that nobody committed', count(*), '0' FROM events e WHERE NOT EXISTS (SELECT FROM row r WHERE r.id = e.id)
UNION ALL SELECT '  committed events without one', count(*), '0' FROM row r WHERE NOT EXISTS (SELECT FROM events e WHERE e.id = r.id)
UNION ALL SELECT 'outcomes in callback.outcomes, one a record', count(*), (SELECT count(*) FROM events)::text FROM outcomes JOIN row USING (id)
UNION ALL SELECT '  parked: the endpoint had enough to do, no attempt used', count(*), NULL FROM outcomes JOIN row USING (id) WHERE kind_of = 'parked'
UNION ALL SELECT 'dead letters in callback.dlq', count(*), (SELECT count(*) FROM row WHERE status = 'dead_letter')::text FROM dead JOIN row USING (id);
