-- SPDX-License-Identifier: Apache-2.0
-- Outbound callbacks: the outbox, its attempts and its dead letters, with the columns the runbook's queries name.
--
-- A table that is there already is taken over as it is: columns are added as NULL (a default that draws a sequence
-- number or a transaction id would rewrite or stamp every old row and publish the whole history).

CREATE TABLE IF NOT EXISTS @SCHEMA@.cs_platform_event_outbox (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    platform        text NOT NULL,
    event_type      text NOT NULL,
    partition_key   text,
    callback_target text NOT NULL,
    payload         jsonb NOT NULL,
    status          text NOT NULL DEFAULT 'pending'
                    CHECK (status IN ('pending', 'retrying', 'delivered', 'dead_letter')),
    attempt_count   int NOT NULL DEFAULT 0,
    next_attempt_at timestamptz DEFAULT now(),
    last_error      text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);  -- room for HOT updates of the status

ALTER TABLE @SCHEMA@.cs_platform_event_outbox
    ADD COLUMN IF NOT EXISTS partition_key  text,
    ADD COLUMN IF NOT EXISTS traceparent    text,
    ADD COLUMN IF NOT EXISTS round_attempts int NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS queue_txid     xid8,
    ADD COLUMN IF NOT EXISTS queue_seq      bigint;

COMMENT ON COLUMN @SCHEMA@.cs_platform_event_outbox.queue_txid IS
    'transaction that put the row on the road; NULL = waiting, or unknown to sluice';
COMMENT ON COLUMN @SCHEMA@.cs_platform_event_outbox.queue_seq IS
    'order of the newest queueing of this row; NULL = unknown to sluice, never swept';
COMMENT ON COLUMN @SCHEMA@.cs_platform_event_outbox.round_attempts IS
    'attempts used since the last insert, repair or replay';

-- Neither index names a column that the sink changes, so its updates stay HOT.
CREATE INDEX IF NOT EXISTS cs_platform_event_outbox_queue_txid
    ON @SCHEMA@.cs_platform_event_outbox (queue_txid) WHERE queue_txid IS NOT NULL;
CREATE INDEX IF NOT EXISTS cs_platform_event_outbox_queue_seq
    ON @SCHEMA@.cs_platform_event_outbox (queue_seq) WHERE queue_seq IS NOT NULL;

-- A WHEN clause may name OLD only in an UPDATE trigger: hence one function under two triggers.
CREATE OR REPLACE TRIGGER sluice_queue_insert
    BEFORE INSERT ON @SCHEMA@.cs_platform_event_outbox FOR EACH ROW
    WHEN (NEW.status IN ('pending', 'retrying'))
    EXECUTE FUNCTION @SCHEMA@.sluice_queue();
CREATE OR REPLACE TRIGGER sluice_queue_update
    BEFORE UPDATE ON @SCHEMA@.cs_platform_event_outbox FOR EACH ROW
    WHEN (NEW.status = 'pending'
          AND (OLD.status IS DISTINCT FROM NEW.status
               OR OLD.next_attempt_at IS DISTINCT FROM NEW.next_attempt_at
               OR current_setting('sluice.sweep', true) = 'on'))
    EXECUTE FUNCTION @SCHEMA@.sluice_queue();

CREATE OR REPLACE TRIGGER sluice_wait_insert
    AFTER INSERT ON @SCHEMA@.cs_platform_event_outbox FOR EACH ROW
    WHEN (NEW.queue_seq IS NOT NULL AND NEW.queue_txid IS NULL)
    EXECUTE FUNCTION @SCHEMA@.sluice_wait();
CREATE OR REPLACE TRIGGER sluice_wait_update
    AFTER UPDATE ON @SCHEMA@.cs_platform_event_outbox FOR EACH ROW
    WHEN (NEW.queue_seq IS NOT NULL
          AND (NEW.status = 'retrying' OR (NEW.status = 'pending' AND NEW.queue_txid IS NULL))
          AND (OLD.status IS DISTINCT FROM NEW.status
               OR OLD.next_attempt_at IS DISTINCT FROM NEW.next_attempt_at
               OR OLD.queue_seq IS DISTINCT FROM NEW.queue_seq))
    EXECUTE FUNCTION @SCHEMA@.sluice_wait();

CREATE TABLE IF NOT EXISTS @SCHEMA@.cs_platform_event_delivery_attempts (
    event_id        uuid NOT NULL,
    attempt_no      int NOT NULL,
    response_status int,
    error_message   text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, attempt_no)
);
ALTER TABLE @SCHEMA@.cs_platform_event_delivery_attempts
    ADD COLUMN IF NOT EXISTS duration_ms int,
    ADD COLUMN IF NOT EXISTS outcome     text,
    ADD COLUMN IF NOT EXISTS queue_seq   bigint;
CREATE INDEX IF NOT EXISTS cs_platform_event_delivery_attempts_created
    ON @SCHEMA@.cs_platform_event_delivery_attempts (created_at);

CREATE TABLE IF NOT EXISTS @SCHEMA@.cs_platform_event_dead_letters (
    event_id        uuid PRIMARY KEY,
    platform        text NOT NULL,
    event_type      text NOT NULL,
    callback_target text NOT NULL,
    attempt_count   int NOT NULL,
    final_error     text,
    created_at      timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE @SCHEMA@.cs_platform_event_dead_letters
    ADD COLUMN IF NOT EXISTS error_class text,
    ADD COLUMN IF NOT EXISTS queue_seq   bigint;
CREATE INDEX IF NOT EXISTS cs_platform_event_dead_letters_created
    ON @SCHEMA@.cs_platform_event_dead_letters (created_at);
