-- SPDX-License-Identifier: Apache-2.0
-- The id follows from message, device and generation, so that the primary key says what this index did.
DROP INDEX IF EXISTS @SCHEMA@.push_deliveries_message;
