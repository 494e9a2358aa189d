-- SPDX-License-Identifier: Apache-2.0
-- By itself, as is what follows: whoever waits here for one lock holds no other, so roles that run meanwhile wait and go on.
CREATE INDEX IF NOT EXISTS push_deliveries_message_id ON @SCHEMA@.push_deliveries (message_id);
