-- SPDX-License-Identifier: Apache-2.0
-- Payments: orders to be paid, how their state came about, refunds, and what people have to look at.

CREATE TABLE IF NOT EXISTS @SCHEMA@.payment_transactions (
    payment_id        text COLLATE "C" PRIMARY KEY,  -- the merchant's number of the order (out_trade_no)
    account_id        text COLLATE "C" NOT NULL,     -- credited when it is paid
    channel           text NOT NULL,                 -- wechat, alipay, appstore, applepay, ...
    amount            bigint NOT NULL CHECK (amount > 0),
    currency          text NOT NULL,
    exponent          smallint NOT NULL DEFAULT 2 CHECK (exponent BETWEEN 0 AND 4),
    state             text NOT NULL DEFAULT 'INIT'
                      CHECK (state IN ('INIT', 'PENDING', 'CONFIRMED', 'REFUNDED', 'EXPIRED', 'REVOKED')),
    version           bigint NOT NULL DEFAULT 0,     -- number of its transitions
    channel_txn_id    text,
    refunded_amount   bigint NOT NULL DEFAULT 0 CHECK (refunded_amount BETWEEN 0 AND amount),
    credited          boolean NOT NULL DEFAULT false, -- the account has had the order's money
    suspense_amount   bigint NOT NULL DEFAULT 0 CHECK (suspense_amount >= 0), -- stands in suspense for this payment
    carried_amount    bigint NOT NULL DEFAULT 0 CHECK (carried_amount >= 0),  -- suspense paid it in the account's stead
    expires_at        timestamptz,
    expiry_asked_at   timestamptz,
    confirmed_at      timestamptz,                   -- as the channel says; the refund window begins here
    callback_platform text,
    callback_target   text,
    caller            text NOT NULL DEFAULT '',
    content_hash      bytea,                         -- of the order, to tell a repeated POST from another content
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    CHECK ((callback_platform IS NULL) = (callback_target IS NULL)),
    -- As gateway and account role take them: ids of accounts and transfers are made of these.
    CONSTRAINT payment_transactions_payment_id CHECK (payment_id ~ '^[A-Za-z0-9._:~@-]{1,64}$'),
    CONSTRAINT payment_transactions_account_id CHECK (account_id ~ '^[A-Za-z0-9._:~@-]{1,128}$'),
    CONSTRAINT payment_transactions_channel CHECK (channel ~ '^[a-z0-9._-]{1,32}$'),
    CONSTRAINT payment_transactions_currency CHECK (currency ~ '^[A-Za-z0-9]{1,12}$')
) WITH (fillfactor = 85);
-- As account_transfers_expiry.
CREATE INDEX IF NOT EXISTS payment_transactions_expiry
    ON @SCHEMA@.payment_transactions (expiry_asked_at NULLS FIRST, expires_at)
    WHERE state IN ('INIT', 'PENDING') AND expires_at IS NOT NULL;

-- Each change of a payment, contiguous versions from 1. A partial refund is a step from CONFIRMED to CONFIRMED.
CREATE TABLE IF NOT EXISTS @SCHEMA@.payment_state_transitions (
    payment_id text COLLATE "C" NOT NULL,
    version    bigint NOT NULL,
    from_state text NOT NULL,
    to_state   text NOT NULL,
    event_id   text NOT NULL,
    event_type text NOT NULL,
    note       text,
    at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (payment_id, version)
);
CREATE INDEX IF NOT EXISTS payment_state_transitions_event ON @SCHEMA@.payment_state_transitions (event_id);

-- Money that came: each transaction of the channel once. What stands in suspense has the number under which its refund
-- was asked for, if one was.
CREATE TABLE IF NOT EXISTS @SCHEMA@.payment_receipts (
    payment_id     text COLLATE "C" NOT NULL,
    channel_txn_id text COLLATE "C" NOT NULL,
    amount         bigint NOT NULL CHECK (amount > 0),
    currency       text NOT NULL,
    place          text NOT NULL CHECK (place IN ('account', 'suspense')),
    refund_id      text COLLATE "C",
    paid_at        timestamptz NOT NULL, -- as the channel says
    event_id       text NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (payment_id, channel_txn_id)
);

CREATE TABLE IF NOT EXISTS @SCHEMA@.payment_refunds (
    payment_id text COLLATE "C" NOT NULL,
    refund_id  text COLLATE "C" NOT NULL,  -- the channel's or the merchant's number of the refund
    amount     bigint NOT NULL CHECK (amount > 0),
    currency   text NOT NULL,
    origin     text NOT NULL CHECK (origin IN ('order', 'suspense')),
    event_id   text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (payment_id, refund_id)
);

-- What changed nothing by itself and needs a person.
CREATE TABLE IF NOT EXISTS @SCHEMA@.payment_reviews (
    id          uuid PRIMARY KEY,          -- deterministic, from both ids
    payment_id  text COLLATE "C" NOT NULL,
    event_id    text NOT NULL,
    event_type  text NOT NULL,
    code        text NOT NULL,             -- amount_mismatch, currency_mismatch, illegal_transition, ...
    detail      text NOT NULL,
    event       jsonb NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    resolved_by text,
    note        text,
    UNIQUE (event_id, payment_id)
);
CREATE INDEX IF NOT EXISTS payment_reviews_open
    ON @SCHEMA@.payment_reviews (created_at) WHERE resolved_at IS NULL;
