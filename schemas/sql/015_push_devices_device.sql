-- SPDX-License-Identifier: Apache-2.0
-- A device whose row has no appid is one of the usual app (schemas/push_device.h): found by this expression everywhere.
CREATE INDEX IF NOT EXISTS push_devices_device ON @SCHEMA@.push_devices (coalesce(appid, 'default'), cid);
