-- SPDX-License-Identifier: Apache-2.0
-- Calls of channels: what was verified and acknowledged, and what of it is kept from the ledger.

-- Of which of the channel's transactions; NULL: the event did not say. Some channels tell only what was refunded of a
-- transaction in all.
ALTER TABLE @SCHEMA@.payment_refunds ADD COLUMN IF NOT EXISTS channel_txn_id text COLLATE "C";

-- Which account of the accounts file it is paid through; calls for another one do not count for the order. NULL: any of
-- its channel, which is enough where they all belong to one merchant.
ALTER TABLE @SCHEMA@.payment_transactions ADD COLUMN IF NOT EXISTS channel_account text
    CONSTRAINT payment_transactions_channel_account CHECK (channel_account ~ '^[A-Za-z0-9._-]{1,64}$');

-- The inbox. A row is what one notification said, once: retries of the channel and repetitions of its content store
-- nothing. Headers and body stand there as they came, encrypted; after a while they are erased, the row stays.
CREATE TABLE IF NOT EXISTS @SCHEMA@.payment_callbacks (
    id              uuid PRIMARY KEY,
    channel         text NOT NULL CHECK (channel IN ('wechat', 'alipay', 'appstore', 'applepay')),
    account         text NOT NULL,                    -- name in the accounts file
    merchant        text COLLATE "C" NOT NULL,        -- mchid, app_id, bundle id
    notification_id text COLLATE "C" NOT NULL,
    business_key    text COLLATE "C" NOT NULL,
    verdict         text NOT NULL CHECK (verdict IN ('ok', 'conflict', 'unknown_order')),
    event_type      text NOT NULL,                    -- as the channel calls it
    state           text,
    effect          text,                             -- payment.succeeded, ...; NULL: says nothing about an order
    payment_id      text COLLATE "C",
    channel_txn_id  text,
    refund_id       text,
    amount          bigint,
    currency        text,
    occurred_at     timestamptz,                      -- as the channel says
    content_hash    bytea NOT NULL CHECK (length(content_hash) = 32),
    fingerprint     bytea NOT NULL CHECK (length(fingerprint) = 32),
    address         text,                             -- who called
    key_id          text,                             -- with which headers and body are encrypted; NULL: erased
    raw_headers     bytea,
    raw_body        bytea,
    event_id        uuid,                             -- its row of payment_outbox, once it has one
    received_at     timestamptz NOT NULL DEFAULT now(),
    erased_at       timestamptz
) WITH (fillfactor = 90);
-- One notification, one row; one thing, one row. What contradicts one of them is stored beside it, once.
CREATE UNIQUE INDEX IF NOT EXISTS payment_callbacks_notification
    ON @SCHEMA@.payment_callbacks (channel, merchant, notification_id) WHERE verdict <> 'conflict';
CREATE UNIQUE INDEX IF NOT EXISTS payment_callbacks_business
    ON @SCHEMA@.payment_callbacks (channel, merchant, business_key) WHERE verdict <> 'conflict';
CREATE UNIQUE INDEX IF NOT EXISTS payment_callbacks_conflict
    ON @SCHEMA@.payment_callbacks (channel, merchant, notification_id, business_key, content_hash)
    WHERE verdict = 'conflict';
CREATE INDEX IF NOT EXISTS payment_callbacks_fingerprint ON @SCHEMA@.payment_callbacks (fingerprint);
CREATE INDEX IF NOT EXISTS payment_callbacks_payment
    ON @SCHEMA@.payment_callbacks (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS payment_callbacks_retention
    ON @SCHEMA@.payment_callbacks (received_at) WHERE erased_at IS NULL;

-- Genuine notifications that the ledger has not been told of. unknown_order settles itself when the order appears.
CREATE TABLE IF NOT EXISTS @SCHEMA@.payment_quarantine (
    id           uuid PRIMARY KEY REFERENCES @SCHEMA@.payment_callbacks (id),
    code         text NOT NULL CHECK (code IN ('conflict', 'unknown_order')),
    detail       text NOT NULL,                       -- which field, what stands against it
    payment_id   text COLLATE "C",
    event_type   text,                                -- of payment.events; NULL: nothing to tell
    payload      jsonb,
    traceparent  text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    settled_at   timestamptz,
    settled_by   text,                                -- 'order appeared', or a person
    released     boolean,                             -- the ledger was told; false: dismissed
    note         text
);
CREATE INDEX IF NOT EXISTS payment_quarantine_open
    ON @SCHEMA@.payment_quarantine (created_at) WHERE settled_at IS NULL;
CREATE INDEX IF NOT EXISTS payment_quarantine_waiting
    ON @SCHEMA@.payment_quarantine (payment_id, id) WHERE settled_at IS NULL AND code = 'unknown_order';
