-- SPDX-License-Identifier: Apache-2.0
-- The ledger: accounts in slots, transfers and holds, flows, decisions, and the commands that ask for them.
-- Amounts are minor units of the currency. Everything here is written by the account role alone, in the transaction
-- that moves its position; account_command_outbox and account_adjustments are where others ask.

-- One row for each slot of an account. Slot 0 is always there and carries the settings for people; the same settings
-- stand in every slot, so that whoever has locked one has read them under the lock. An account with a limit books in
-- slot 0 only; one without may book in any, so that instances do not meet at a clearing account.
-- Whoever changes settings locks slot 0 first and then all the others; whoever adds a slot locks slot 0 FOR SHARE.
CREATE TABLE IF NOT EXISTS @SCHEMA@.account_slots (
    account_id  text COLLATE "C" NOT NULL,
    slot        int NOT NULL CHECK (slot BETWEEN 0 AND 64),
    currency    text NOT NULL,
    exponent    smallint NOT NULL CHECK (exponent BETWEEN 0 AND 4), -- digits behind the point
    kind        text NOT NULL
                CHECK (kind IN ('user', 'merchant', 'clearing', 'suspense', 'fee', 'system')),
    status      text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'frozen', 'closed')),
    no_negative boolean NOT NULL DEFAULT false, -- balance - frozen stays at 0 or above
    credit_only boolean NOT NULL DEFAULT false,
    debit_only  boolean NOT NULL DEFAULT false,
    max_balance bigint,                         -- balance + incoming stays at or below; NULL = no maximum
    balance     bigint NOT NULL DEFAULT 0,
    frozen      bigint NOT NULL DEFAULT 0 CHECK (frozen >= 0),   -- held against it: tries that debit it
    incoming    bigint NOT NULL DEFAULT 0 CHECK (incoming >= 0), -- held for it: tries that credit it
    version     bigint NOT NULL DEFAULT 0 CHECK (version >= 0),  -- number of its flows
    hash        bytea NOT NULL DEFAULT '\x0000000000000000000000000000000000000000000000000000000000000000'
                CHECK (length(hash) = 32),                       -- of its last flow
    settings_version bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, slot),
    CONSTRAINT account_slots_no_negative CHECK (NOT no_negative OR balance - frozen >= 0),
    CONSTRAINT account_slots_maximum CHECK (max_balance IS NULL OR balance + incoming <= max_balance)
) WITH (fillfactor = 70);

CREATE OR REPLACE VIEW @SCHEMA@.accounts AS
SELECT a.account_id, a.currency, a.exponent, a.kind, a.status, a.no_negative, a.credit_only, a.debit_only,
       a.max_balance, s.balance, s.frozen, s.incoming, s.version, s.slots, a.settings_version, a.created_at,
       s.updated_at
FROM @SCHEMA@.account_slots a
CROSS JOIN LATERAL (
    SELECT sum(balance)::bigint AS balance, sum(frozen)::bigint AS frozen, sum(incoming)::bigint AS incoming,
           sum(version)::bigint AS version, count(*)::int AS slots, max(updated_at) AS updated_at
    FROM @SCHEMA@.account_slots x WHERE x.account_id = a.account_id) s
WHERE a.slot = 0;

-- A transfer under its id, whatever became of it: the id decides once.
CREATE TABLE IF NOT EXISTS @SCHEMA@.account_transfers (
    transfer_id      text COLLATE "C" PRIMARY KEY,
    state            text NOT NULL CHECK (state IN ('posted', 'held', 'confirmed', 'cancelled', 'expired',
                                                    'rejected', 'cancelled_empty')),
    version          int NOT NULL DEFAULT 1,  -- of the state
    code             text,                    -- why it was rejected
    debit_account    text COLLATE "C" NOT NULL,
    credit_account   text COLLATE "C",        -- NULL: cancelled before it was tried
    debit_slot       int,
    credit_slot      int,
    amount           bigint,
    confirmed_amount bigint,                  -- what a confirmation booked; the rest was released
    currency         text,
    reference        text,
    caller           text NOT NULL DEFAULT '', -- who may confirm and cancel it
    set_id           text,                    -- linked set: id of its first member
    content_hash     bytea NOT NULL,          -- of what was asked for, to tell a repetition from another content
    event_id         text NOT NULL,           -- the record that decided its state
    effective_at     timestamptz,
    expires_at       timestamptz,
    expiry_asked_at  timestamptz,
    booked_at        timestamptz NOT NULL,    -- when it was first decided
    updated_at       timestamptz NOT NULL
) WITH (fillfactor = 85);
-- For the sweeper: those that were never asked to expire first, then those asked longest ago.
CREATE INDEX IF NOT EXISTS account_transfers_expiry
    ON @SCHEMA@.account_transfers (expiry_asked_at NULLS FIRST, expires_at)
    WHERE state = 'held' AND expires_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS account_transfers_held_debit
    ON @SCHEMA@.account_transfers (debit_account) WHERE state = 'held';
CREATE INDEX IF NOT EXISTS account_transfers_held_credit
    ON @SCHEMA@.account_transfers (credit_account) WHERE state = 'held';

-- Every change of a slot, never changed afterwards; also the outbox of account.flows. hash is
--   sha256(hash of the slot's flow before, or 32 zero bytes || the text
--   account_id|slot|version|amount|balance_after|frozen_delta|frozen_after|incoming_delta|incoming_after|kind|
--   transfer_id|event_id|effective microseconds since 1970)
-- The queue's columns are defaults here, not a trigger: only the account role inserts, in bulk.
CREATE TABLE IF NOT EXISTS @SCHEMA@.account_flows (
    id              uuid NOT NULL,            -- the first 16 bytes of hash, as a UUID of version 8
    account_id      text COLLATE "C" NOT NULL,
    slot            int NOT NULL,
    version         bigint NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('post', 'hold', 'confirm', 'cancel', 'expire', 'merge')),
    amount          bigint NOT NULL,          -- signed: a credit is positive
    balance_after   bigint NOT NULL,
    frozen_delta    bigint NOT NULL,
    frozen_after    bigint NOT NULL,
    incoming_delta  bigint NOT NULL,
    incoming_after  bigint NOT NULL,
    currency        text NOT NULL,
    counter_account text COLLATE "C" NOT NULL,
    transfer_id     text COLLATE "C" NOT NULL,
    event_id        text NOT NULL,
    reference       text,
    effective_at    timestamptz NOT NULL,
    booked_at       timestamptz NOT NULL,
    hash            bytea NOT NULL,
    decision        text,                     -- JSON, on the debit's flow: the transfer as it is after this decision
    queue_txid      xid8 DEFAULT pg_current_xact_id(),
    queue_seq       bigint DEFAULT nextval('@SCHEMA@.sluice_queue_seq'),
    PRIMARY KEY (account_id, slot, version)
);
CREATE INDEX IF NOT EXISTS account_flows_queue_txid
    ON @SCHEMA@.account_flows (queue_txid) WHERE queue_txid IS NOT NULL;
CREATE INDEX IF NOT EXISTS account_flows_queue_seq
    ON @SCHEMA@.account_flows (queue_seq) WHERE queue_seq IS NOT NULL;
CREATE INDEX IF NOT EXISTS account_flows_transfer ON @SCHEMA@.account_flows (transfer_id);

-- Decisions that moved nothing: rejections, cancellations of what was never tried, accounts and their limits. They go
-- to account.flows too, so that the topic tells the whole story.
CREATE TABLE IF NOT EXISTS @SCHEMA@.account_decisions (
    id          uuid PRIMARY KEY,             -- deterministic, from event_id and ordinal
    event_id    text NOT NULL,                -- the record that asked
    ordinal     int NOT NULL DEFAULT 0,       -- within a linked set
    account_id  text COLLATE "C" NOT NULL,    -- the record's key in account.flows
    transfer_id text COLLATE "C",
    command     text NOT NULL,                -- transfer, try, confirm, cancel, expire, open, set
    outcome     text NOT NULL CHECK (outcome IN ('applied', 'rejected')),
    code        text,                         -- of a rejection
    decision    text NOT NULL,                -- JSON
    decided_at  timestamptz NOT NULL,
    queue_txid  xid8 DEFAULT pg_current_xact_id(),
    queue_seq   bigint DEFAULT nextval('@SCHEMA@.sluice_queue_seq'),
    UNIQUE (event_id, ordinal)
);
CREATE INDEX IF NOT EXISTS account_decisions_queue_txid
    ON @SCHEMA@.account_decisions (queue_txid) WHERE queue_txid IS NOT NULL;
CREATE INDEX IF NOT EXISTS account_decisions_queue_seq
    ON @SCHEMA@.account_decisions (queue_seq) WHERE queue_seq IS NOT NULL;
CREATE INDEX IF NOT EXISTS account_decisions_transfer
    ON @SCHEMA@.account_decisions (transfer_id) WHERE transfer_id IS NOT NULL;

-- Every record ends as one of these four, counted in the transaction that moves the position. A row a day.
CREATE TABLE IF NOT EXISTS @SCHEMA@.account_journal (
    "group"    text NOT NULL,
    topic      text NOT NULL,
    partition  int NOT NULL,
    day        date NOT NULL,
    lo         bigint NOT NULL,  -- first offset of the day
    hi         bigint NOT NULL,  -- behind the last one
    records    bigint NOT NULL,
    applied    bigint NOT NULL,
    duplicates bigint NOT NULL,
    rejected   bigint NOT NULL,
    dead       bigint NOT NULL,
    PRIMARY KEY ("group", topic, partition, day),
    CONSTRAINT account_journal_adds_up CHECK (records = applied + duplicates + rejected + dead)
);

-- What asks the ledger for something. The payload's form stands in docs/ledger.md.
CREATE TABLE IF NOT EXISTS @SCHEMA@.account_command_outbox (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    topic         text NOT NULL DEFAULT 'account.commands',
    partition_key text NOT NULL,             -- the debit account, or the account
    command       text NOT NULL,             -- transfer, try, confirm, cancel, expire, linked, open, set
    caller        text NOT NULL DEFAULT '',
    payload       jsonb NOT NULL,
    traceparent   text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    queue_txid    xid8,
    queue_seq     bigint
);
CREATE INDEX IF NOT EXISTS account_command_outbox_queue_txid
    ON @SCHEMA@.account_command_outbox (queue_txid) WHERE queue_txid IS NOT NULL;
CREATE INDEX IF NOT EXISTS account_command_outbox_queue_seq
    ON @SCHEMA@.account_command_outbox (queue_seq) WHERE queue_seq IS NOT NULL;
CREATE INDEX IF NOT EXISTS account_command_outbox_transfer
    ON @SCHEMA@.account_command_outbox ((payload ->> 'transfer_id'));
-- For the gateway, which says that an id is accepted while nothing is decided yet.
CREATE INDEX IF NOT EXISTS account_command_outbox_linked
    ON @SCHEMA@.account_command_outbox USING gin ((payload -> 'transfers') jsonb_path_ops) WHERE command = 'linked';
CREATE INDEX IF NOT EXISTS account_command_outbox_open
    ON @SCHEMA@.account_command_outbox (partition_key) WHERE command = 'open';
CREATE OR REPLACE TRIGGER sluice_queue_insert
    BEFORE INSERT ON @SCHEMA@.account_command_outbox FOR EACH ROW
    EXECUTE FUNCTION @SCHEMA@.sluice_queue_append();

-- Bookings that an operator wants: one person proposes, another one approves; only then a command is written.
CREATE TABLE IF NOT EXISTS @SCHEMA@.account_adjustments (
    id             uuid PRIMARY KEY DEFAULT gen_random_uuid(), -- transfer_id is 'adjust:' and this
    debit_account  text COLLATE "C" NOT NULL,
    credit_account text COLLATE "C" NOT NULL,
    amount         bigint NOT NULL CHECK (amount > 0),
    currency       text NOT NULL,
    reason         text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    state          text NOT NULL DEFAULT 'proposed' CHECK (state IN ('proposed', 'approved', 'refused')),
    proposed_by    text NOT NULL,
    proposed_session text NOT NULL DEFAULT session_user,
    proposed_at    timestamptz NOT NULL DEFAULT now(),
    decided_by     text,
    decided_session text,
    decided_at     timestamptz,
    decision_note  text,
    CONSTRAINT account_adjustments_two_people CHECK (decided_by IS NULL OR state = 'refused'
                                                     OR lower(decided_by) <> lower(proposed_by))
);
