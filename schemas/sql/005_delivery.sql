-- SPDX-License-Identifier: Apache-2.0
-- Delivery processors keep their position in Kafka. This table remembers that they have one: a partition that is noted
-- here and has no committed offset has lost it, and nobody may quietly begin again at the log's start.

CREATE TABLE IF NOT EXISTS @SCHEMA@.sluice_delivery_partitions (
    "group"      text NOT NULL,
    topic        text NOT NULL,   -- full name
    partition    int  NOT NULL,
    first_offset bigint NOT NULL, -- where the group began, or what was committed when this was noted
    noted_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY ("group", topic, partition)
);
