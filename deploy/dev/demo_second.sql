-- SPDX-License-Identifier: Apache-2.0
--
-- The numbers of ./dev demo after dead letters were sent again: `before` has them as they were, `again` who did it.

\echo == again
SELECT 'redriven with sluice dlq redrive', count(*), NULL::text FROM before WHERE how = 'command'
UNION ALL SELECT 'repaired with the runbook''s SQL', count(*), NULL FROM before WHERE how = 'sql'
UNION ALL SELECT 'delivered by now', count(*), (SELECT count(*) FROM before)::text FROM before JOIN row r USING (id) WHERE r.status = 'delivered'
UNION ALL SELECT '  at the receiver under the webhook-id they died with', count(*), (SELECT count(*) FROM before WHERE attempts > 0)::text
      FROM before b JOIN seen s USING (id) WHERE b.attempts > 0 AND s.ok > 0 AND s.attempts > b.attempts
UNION ALL SELECT '  webhook-ids that are new', (SELECT ids FROM request) - :ids_before, '0'
UNION ALL SELECT 'attempts since then', (SELECT sum(r.attempts - b.attempts)::bigint FROM before b JOIN row r USING (id)), NULL
UNION ALL SELECT 'requests at the receiver, all in all', n, CASE WHEN n BETWEEN least AND most THEN n::text
      ELSE CASE WHEN least = most THEN most::text ELSE least || ' to ' || most END END FROM request
UNION ALL SELECT 'duplicates: delivered before, and again', twice, CASE WHEN twice <= most - least THEN twice::text ELSE '0' END FROM request
UNION ALL SELECT 'rows whose attempts do not go on counting', count(*), '0' FROM row
      WHERE attempts <> attempt_count OR coalesce(last_no, 0) <> attempts
UNION ALL SELECT 'dead letters that are left: platform without a secret', count(*),
      (SELECT count(*) FROM row WHERE kind = 'unknown')::text FROM row WHERE status = 'dead_letter';
