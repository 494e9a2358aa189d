/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQL about rows of push_devices, the same for all who read them: tables from before may have rows without an appid.
 *
 * Such a row is a device of the usual app, as one that registers without naming an app is. Of several rows of one phone
 * one counts, the others are passed over: the one with the appid, else the one seen last. So one phone is one device,
 * belongs to whom it was registered for last, and gets each message once.
 *
 * The gateway makes a row without an appid one with it when its phone registers. row: the table's alias.
 */
#ifndef SLUICE_SCHEMAS_PUSH_DEVICE_H
#define SLUICE_SCHEMAS_PUSH_DEVICE_H

#define PUSH_APPID_DEFAULT "default"

/* What the index push_devices_device is over, with cid behind it. */
#define PUSH_DEVICE_APPID(row) "coalesce(" row ".appid, '" PUSH_APPID_DEFAULT "')"

/* Is it the row that counts? OFFSET 0: asked row by row through the index, never made a table of all devices. */
#define PUSH_DEVICE_COUNTS(row)                                                                            \
    "(" row ".appid IS NOT NULL OR NOT EXISTS (SELECT FROM push_devices other WHERE " PUSH_DEVICE_APPID(   \
        "other") " = '" PUSH_APPID_DEFAULT "' AND other.cid = " row ".cid AND (other.appid IS NOT NULL OR" \
                 " (coalesce(other.last_seen_at, '-infinity'), other.ctid) > (coalesce(" row               \
                 ".last_seen_at, '-infinity'), " row ".ctid)) OFFSET 0))"

#endif
