-- SPDX-License-Identifier: Apache-2.0
-- Ids that begin with the time, so that indexes over them grow at their ends.

-- Version 7 (RFC 9562): 48 bits of milliseconds, the rest random. Made of one of version 4, whose variant is the same
-- and whose version differs in two bits. No search_path of its own, so that it is part of the statement that calls it.
CREATE OR REPLACE FUNCTION @SCHEMA@.sluice_uuid7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $fn$
    SELECT pg_catalog.encode(pg_catalog.set_bit(pg_catalog.set_bit(pg_catalog.overlay(
        pg_catalog.uuid_send(pg_catalog.gen_random_uuid()), pg_catalog.substring(pg_catalog.int8send(
            (extract(epoch FROM pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.*) 1000)::bigint), 3), 1, 6),
        52, 1), 53, 1), 'hex')::uuid
$fn$;

-- A default is evaluated with the rights of whoever inserts.
GRANT EXECUTE ON FUNCTION @SCHEMA@.sluice_uuid7() TO PUBLIC;
