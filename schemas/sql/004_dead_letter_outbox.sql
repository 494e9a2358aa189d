-- SPDX-License-Identifier: Apache-2.0
-- What database processors cannot handle: a record as it was, on its way to a dead-letter topic. The row is inserted in
-- the transaction that moves the processor's position, and published as it is: no schema, no headers added.

CREATE TABLE IF NOT EXISTS @SCHEMA@.dead_letter_outbox (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    topic      text NOT NULL,               -- without prefix
    partition  int,                         -- of that topic; NULL = by key
    key        bytea,
    value      bytea,                       -- NULL = tombstone
    headers    jsonb NOT NULL DEFAULT '{}', -- see the comment below
    ts         timestamptz DEFAULT now(),   -- of the record; NULL = when it is published
    created_at timestamptz NOT NULL DEFAULT now(),
    queue_txid xid8,
    queue_seq  bigint
);
COMMENT ON COLUMN @SCHEMA@.dead_letter_outbox.headers IS
    'object of names and values, or an array of [name, value] where order or repeated names matter; a value is text, null, or {"hex": "00ff"} for what is no text';

CREATE INDEX IF NOT EXISTS dead_letter_outbox_queue_txid
    ON @SCHEMA@.dead_letter_outbox (queue_txid) WHERE queue_txid IS NOT NULL;
CREATE INDEX IF NOT EXISTS dead_letter_outbox_queue_seq
    ON @SCHEMA@.dead_letter_outbox (queue_seq) WHERE queue_seq IS NOT NULL;
CREATE OR REPLACE TRIGGER sluice_queue_insert
    BEFORE INSERT ON @SCHEMA@.dead_letter_outbox FOR EACH ROW
    EXECUTE FUNCTION @SCHEMA@.sluice_queue_append();
