-- SPDX-License-Identifier: Apache-2.0
-- The queue: what puts a row on the road and in which order, what waits until it is due, and who has read how far.
-- @SCHEMA@ is the quoted schema of the installation.

-- CACHE 1 on purpose: with a larger cache each session draws ahead, and queue_seq no longer follows the order in which
-- writers of one key were serialised. The relay refuses to start on any other value.
CREATE SEQUENCE IF NOT EXISTS @SCHEMA@.sluice_queue_seq AS bigint CACHE 1 NO CYCLE;

-- Rows that are not on the road but will be: due_at says when. A table of its own, because an index over status or
-- next_attempt_at on the outbox itself would end HOT for every status change there.
-- An entry is a reminder, not the truth: the sweep looks at the row again. Doubled and stale entries do no harm.
CREATE TABLE IF NOT EXISTS @SCHEMA@.sluice_waiting (
    source text NOT NULL,         -- table name of the outbox
    row_id text NOT NULL,
    due_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS sluice_waiting_due ON @SCHEMA@.sluice_waiting (source, due_at);

-- Positions of database processors: the truth for them, moved in the same transaction as their effects.
CREATE TABLE IF NOT EXISTS @SCHEMA@.sluice_positions (
    "group"     text   NOT NULL,
    topic       text   NOT NULL,
    partition   int    NOT NULL,
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    epoch       bigint NOT NULL DEFAULT 0,
    owner       text,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY ("group", topic, partition)
);

-- A copy of the relay's positions for people and for lag queries. The truth is in the topic sluice.relay.positions.
CREATE TABLE IF NOT EXISTS @SCHEMA@.sluice_relay_positions (
    topic_prefix    text NOT NULL DEFAULT '',  -- of the installation: two may share a database
    source          text NOT NULL,
    table_name      text NOT NULL,
    snapshot_before pg_snapshot NOT NULL,  -- all it shows is published
    snapshot_upto   pg_snapshot NOT NULL,  -- of what it shows beyond snapshot_before, published up to last_seq
    last_seq        bigint NOT NULL,
    published       bigint NOT NULL,       -- rows published since the position was first made
    owner           text,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic_prefix, source)
);

-- Stamps a row that goes on the road (or will). SECURITY DEFINER so that writers need no right on the sequence;
-- WHEN clauses on the triggers keep it off every other statement.
--   queue_seq   the order of this queueing
--   queue_txid  the transaction that put it on the road; NULL = waiting until next_attempt_at
CREATE OR REPLACE FUNCTION @SCHEMA@.sluice_queue() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    NEW.queue_seq := nextval('@SCHEMA@.sluice_queue_seq');
    IF NEW.status = 'pending'
       AND coalesce(NEW.next_attempt_at <= clock_timestamp() + interval '1 second', true) THEN
        NEW.queue_txid := pg_current_xact_id();
    ELSE
        NEW.queue_txid := NULL;
    END IF;
    IF TG_OP = 'INSERT' THEN
        NEW.partition_key := coalesce(NEW.partition_key, NEW.id::text);
        NEW.round_attempts := 0;
    ELSIF current_setting('sluice.sweep', true) IS DISTINCT FROM 'on' THEN
        NEW.round_attempts := 0;  -- a repair by hand or a replay: the whole retry budget again
    END IF;
    RETURN NEW;
END
$fn$;

-- The same for an append-only outbox: every inserted row is on the road at once.
CREATE OR REPLACE FUNCTION @SCHEMA@.sluice_queue_append() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    NEW.queue_seq := nextval('@SCHEMA@.sluice_queue_seq');
    NEW.queue_txid := pg_current_xact_id();
    RETURN NEW;
END
$fn$;

-- Remembers when a waiting row is due.
CREATE OR REPLACE FUNCTION @SCHEMA@.sluice_wait() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    INSERT INTO @SCHEMA@.sluice_waiting (source, row_id, due_at)
    VALUES (TG_TABLE_NAME, NEW.id::text, coalesce(NEW.next_attempt_at, now()));
    RETURN NULL;
END
$fn$;

-- Called only as triggers.
REVOKE ALL ON FUNCTION @SCHEMA@.sluice_queue(), @SCHEMA@.sluice_queue_append(), @SCHEMA@.sluice_wait() FROM PUBLIC;
