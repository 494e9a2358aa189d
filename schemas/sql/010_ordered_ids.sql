-- SPDX-License-Identifier: Apache-2.0
-- Ids that begin with the time, and one index less to keep in order for each message to a device.

-- Version 7 (RFC 9562): 48 bits of milliseconds, the rest random. Made of one of version 4, whose variant is the same
-- and whose version differs in two bits. No search_path of its own, so that it is part of the statement that calls it.
CREATE OR REPLACE FUNCTION @SCHEMA@.sluice_uuid7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $fn$
    SELECT pg_catalog.encode(pg_catalog.set_bit(pg_catalog.set_bit(pg_catalog.overlay(
        pg_catalog.uuid_send(pg_catalog.gen_random_uuid()), pg_catalog.substring(pg_catalog.int8send(
            (extract(epoch FROM pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.*) 1000)::bigint), 3), 1, 6),
        52, 1), 53, 1), 'hex')::uuid
$fn$;

-- The id follows from message, device and generation, so that the primary key says what this index did.
CREATE INDEX IF NOT EXISTS push_deliveries_message_id ON @SCHEMA@.push_deliveries (message_id);
DROP INDEX IF EXISTS @SCHEMA@.push_deliveries_message;

-- Messages and deliveries begin as their event does. Another default than the usual one stays what its owner made it.
DO $do$
BEGIN
    IF EXISTS (SELECT FROM pg_attribute a JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
               WHERE a.attrelid = '@SCHEMA@.notify_queue'::regclass AND a.attname = 'id' AND a.atttypid = 'uuid'::regtype
               AND pg_get_expr(d.adbin, d.adrelid) = 'gen_random_uuid()') THEN
        ALTER TABLE @SCHEMA@.notify_queue ALTER COLUMN id SET DEFAULT @SCHEMA@.sluice_uuid7();
    END IF;
END
$do$;
