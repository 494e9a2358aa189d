-- SPDX-License-Identifier: Apache-2.0
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
