-- SPDX-License-Identifier: Apache-2.0
-- Payments: the append-only local message table and its view for people.

CREATE TABLE IF NOT EXISTS @SCHEMA@.payment_outbox (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    topic         text NOT NULL DEFAULT 'payment.events',  -- without prefix
    partition_key text NOT NULL,                           -- payment_id
    event_type    text NOT NULL,
    payload       jsonb NOT NULL,
    traceparent   text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    queue_txid    xid8,
    queue_seq     bigint
);
CREATE INDEX IF NOT EXISTS payment_outbox_queue_txid
    ON @SCHEMA@.payment_outbox (queue_txid) WHERE queue_txid IS NOT NULL;
CREATE INDEX IF NOT EXISTS payment_outbox_queue_seq
    ON @SCHEMA@.payment_outbox (queue_seq) WHERE queue_seq IS NOT NULL;
CREATE OR REPLACE TRIGGER sluice_queue_insert
    BEFORE INSERT ON @SCHEMA@.payment_outbox FOR EACH ROW
    EXECUTE FUNCTION @SCHEMA@.sluice_queue_append();

-- SENT as far as the copied position knows (up to a second behind Kafka).
CREATE OR REPLACE VIEW @SCHEMA@.local_messages AS
SELECT o.id, o.topic, o.partition_key, o.event_type, o.payload, o.created_at, o.queue_seq,
       CASE WHEN EXISTS (
                SELECT FROM @SCHEMA@.sluice_relay_positions p
                WHERE p.source = 'payment'
                  AND (pg_visible_in_snapshot(o.queue_txid, p.snapshot_before)
                       OR (pg_visible_in_snapshot(o.queue_txid, p.snapshot_upto) AND o.queue_seq <= p.last_seq)))
            THEN 'SENT' ELSE 'PENDING' END AS status
FROM @SCHEMA@.payment_outbox o;
