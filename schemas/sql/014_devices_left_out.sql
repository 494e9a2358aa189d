-- SPDX-License-Identifier: Apache-2.0
-- What would be passed over without a word: devices beyond notify.devices.max.
ALTER TABLE @SCHEMA@.express_notifications
    ADD COLUMN IF NOT EXISTS devices_left_out int; -- active ones that it was not sent to, beyond notify.devices.max; NULL = none
