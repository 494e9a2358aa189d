-- SPDX-License-Identifier: Apache-2.0
-- What would be passed over without a word: devices beyond notify.devices.max, and devices without an appid.

ALTER TABLE @SCHEMA@.express_notifications
    ADD COLUMN IF NOT EXISTS devices_left_out int; -- active ones that it was not sent to, beyond notify.devices.max; NULL = none

-- A device whose row has no appid is one of the usual app (schemas/push_device.h): found by this expression everywhere.
CREATE INDEX IF NOT EXISTS push_devices_device ON @SCHEMA@.push_devices (coalesce(appid, 'default'), cid);
