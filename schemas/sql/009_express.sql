-- SPDX-License-Identifier: Apache-2.0
-- Parcels: what carriers say of a waybill, who is told, on which phones. Tables that are there already are taken over
-- as they are, with columns added as NULL; ids of the business may be uuid, text or numbers there.

-- The business's own. Here only where it is missing.
CREATE TABLE IF NOT EXISTS @SCHEMA@.ml_orders (
    id          text PRIMARY KEY DEFAULT gen_random_uuid()::text,
    user_id     text,
    merchant_id text,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS @SCHEMA@.platform_express_waybills (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tracking_no text NOT NULL CHECK (length(tracking_no) BETWEEN 1 AND 64),
    carrier     text,
    order_id    text,
    status      text,                              -- of the newest node; see schemas/express_status.h
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE @SCHEMA@.platform_express_waybills
    ADD COLUMN IF NOT EXISTS carrier         text,
    ADD COLUMN IF NOT EXISTS order_id        text,
    ADD COLUMN IF NOT EXISTS status          text,
    ADD COLUMN IF NOT EXISTS updated_at      timestamptz,
    ADD COLUMN IF NOT EXISTS node_at         timestamptz,  -- of the newest node
    ADD COLUMN IF NOT EXISTS notified_status text,         -- what people were told last: newer and further than that
    ADD COLUMN IF NOT EXISTS notified_at     timestamptz;  -- is told, the rest is superseded. The node's own time
CREATE UNIQUE INDEX IF NOT EXISTS platform_express_waybills_tracking_no
    ON @SCHEMA@.platform_express_waybills (tracking_no);
CREATE INDEX IF NOT EXISTS platform_express_waybills_order ON @SCHEMA@.platform_express_waybills (order_id);

-- The inbox: one body of one account, once. Headers and body as they came, encrypted where the gateway has keys.
CREATE TABLE IF NOT EXISTS @SCHEMA@.express_callbacks (
    id           uuid PRIMARY KEY,
    account      text NOT NULL,                    -- name in the accounts file; '' = the route without one
    form         text NOT NULL,                    -- json, kuaidi100, sf, kdniao, cainiao
    body_hash    bytea NOT NULL CHECK (length(body_hash) = 32),
    tracking_nos text[] NOT NULL,
    nodes        int NOT NULL,
    new_nodes    int NOT NULL DEFAULT 0,
    address      text,                             -- who called
    key_id       text,                             -- with which headers and body are encrypted; NULL: plain, or erased
    raw_headers  bytea,
    raw_body     bytea,
    traceparent  text,
    received_at  timestamptz NOT NULL DEFAULT now(),
    erased_at    timestamptz
);
CREATE UNIQUE INDEX IF NOT EXISTS express_callbacks_body ON @SCHEMA@.express_callbacks (account, body_hash);
CREATE INDEX IF NOT EXISTS express_callbacks_retention
    ON @SCHEMA@.express_callbacks (received_at) WHERE erased_at IS NULL;

-- What is known of a parcel's way. decided NULL: its waybill is not known yet.
CREATE TABLE IF NOT EXISTS @SCHEMA@.express_nodes (
    tracking_no text COLLATE "C" NOT NULL,
    node_hash   bytea NOT NULL CHECK (length(node_hash) = 32),
    node_at     timestamptz NOT NULL,
    ordinal     int NOT NULL DEFAULT 0,            -- among those of one call and one time, the later the higher
    status      text NOT NULL,
    code        text,                              -- as the carrier calls it
    context     text NOT NULL DEFAULT '',
    carrier     text,
    callback_id uuid,
    whole       boolean NOT NULL DEFAULT false,    -- came in a history that says everything anew (first, updateall)
    decided     text CHECK (decided IN ('queued', 'history')),
    queue_id    uuid,                              -- its row of notify_queue
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tracking_no, node_hash)
);
CREATE INDEX IF NOT EXISTS express_nodes_undecided ON @SCHEMA@.express_nodes (tracking_no) WHERE decided IS NULL;

-- Tracking numbers that carriers speak of and no waybill has yet.
CREATE TABLE IF NOT EXISTS @SCHEMA@.express_parked (
    tracking_no text COLLATE "C" PRIMARY KEY,
    account     text NOT NULL,
    carrier     text,
    calls       bigint NOT NULL DEFAULT 1,
    tries       int NOT NULL DEFAULT 0,
    first_at    timestamptz NOT NULL DEFAULT now(),
    last_at     timestamptz NOT NULL DEFAULT now(),
    due_at      timestamptz NOT NULL               -- when it is looked for again; at once when its waybill appears
);
CREATE INDEX IF NOT EXISTS express_parked_due ON @SCHEMA@.express_parked (due_at);

CREATE OR REPLACE FUNCTION @SCHEMA@.sluice_waybill_appeared() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    UPDATE @SCHEMA@.express_parked SET due_at = now() WHERE tracking_no = NEW.tracking_no;
    RETURN NULL;
END
$fn$;
REVOKE ALL ON FUNCTION @SCHEMA@.sluice_waybill_appeared() FROM PUBLIC;
CREATE OR REPLACE TRIGGER sluice_waybill_appeared
    AFTER INSERT OR UPDATE OF tracking_no ON @SCHEMA@.platform_express_waybills FOR EACH ROW
    EXECUTE FUNCTION @SCHEMA@.sluice_waybill_appeared();

-- The outbox of the road: a row is on it while both process_status and processed_at are NULL.
CREATE TABLE IF NOT EXISTS @SCHEMA@.notify_queue (
    id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tracking_no    text CHECK (length(tracking_no) BETWEEN 1 AND 64),
    carrier        text,
    status         text,                           -- of the node
    context        text,                           -- what the carrier says of it
    node_at        timestamptz DEFAULT now(),
    process_status text CHECK (process_status IN ('queued', 'skipped', 'failed')),
    last_error     text,
    processed_at   timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);
ALTER TABLE @SCHEMA@.notify_queue
    ADD COLUMN IF NOT EXISTS tracking_no text,
    ADD COLUMN IF NOT EXISTS carrier     text,
    ADD COLUMN IF NOT EXISTS status      text,
    ADD COLUMN IF NOT EXISTS context     text,
    ADD COLUMN IF NOT EXISTS node_at     timestamptz,
    ADD COLUMN IF NOT EXISTS created_at  timestamptz,
    ADD COLUMN IF NOT EXISTS traceparent text,
    ADD COLUMN IF NOT EXISTS queue_txid  xid8,
    ADD COLUMN IF NOT EXISTS queue_seq   bigint;
CREATE INDEX IF NOT EXISTS notify_queue_queue_txid ON @SCHEMA@.notify_queue (queue_txid) WHERE queue_txid IS NOT NULL;
CREATE INDEX IF NOT EXISTS notify_queue_queue_seq ON @SCHEMA@.notify_queue (queue_seq) WHERE queue_seq IS NOT NULL;
CREATE INDEX IF NOT EXISTS notify_queue_tracking_no ON @SCHEMA@.notify_queue (tracking_no);

-- An UPDATE that names these columns and leaves them NULL is somebody who wants the row to run (again), also when it
-- never did: hence "OF", which looks at the statement, instead of a comparison with OLD.
CREATE OR REPLACE TRIGGER sluice_queue_insert
    BEFORE INSERT ON @SCHEMA@.notify_queue FOR EACH ROW
    WHEN (NEW.process_status IS NULL AND NEW.processed_at IS NULL)
    EXECUTE FUNCTION @SCHEMA@.sluice_queue_append();
CREATE OR REPLACE TRIGGER sluice_queue_update
    BEFORE UPDATE OF process_status, processed_at ON @SCHEMA@.notify_queue FOR EACH ROW
    WHEN (NEW.process_status IS NULL AND NEW.processed_at IS NULL)
    EXECUTE FUNCTION @SCHEMA@.sluice_queue_append();

CREATE TABLE IF NOT EXISTS @SCHEMA@.express_notifications (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    message_id      text NOT NULL,                 -- follows from event, audience, recipient and kind
    aud             text NOT NULL CHECK (aud IN ('user', 'merchant')),
    recipient_id    text NOT NULL,
    title           text,
    body            text,
    event_text_safe text,                          -- the carrier's words with numbers and names masked
    send_status     text NOT NULL DEFAULT 'pending'
                    CHECK (send_status IN ('pending', 'success', 'no-targets', 'failed')),
    last_error      text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);
ALTER TABLE @SCHEMA@.express_notifications
    ADD COLUMN IF NOT EXISTS event_id    uuid,     -- its row of notify_queue
    ADD COLUMN IF NOT EXISTS tracking_no text,
    ADD COLUMN IF NOT EXISTS status      text,     -- of the node
    ADD COLUMN IF NOT EXISTS locale      text,
    ADD COLUMN IF NOT EXISTS generation  int NOT NULL DEFAULT 0, -- raised by `sluice notify resend`
    ADD COLUMN IF NOT EXISTS reason      text,     -- of no-targets and failed, of few values
    ADD COLUMN IF NOT EXISTS created_at  timestamptz,
    ADD COLUMN IF NOT EXISTS updated_at  timestamptz;
-- Plain, for ON CONFLICT (message_id) finds no partial one; under whatever name there is one already.
DO $do$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = 'message_id'
                   WHERE i.indrelid = '@SCHEMA@.express_notifications'::regclass AND i.indisunique AND i.indisvalid
                   AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum) THEN
        CREATE UNIQUE INDEX express_notifications_message_id_key ON @SCHEMA@.express_notifications (message_id);
    END IF;
END
$do$;
CREATE INDEX IF NOT EXISTS express_notifications_event ON @SCHEMA@.express_notifications (event_id);
CREATE INDEX IF NOT EXISTS express_notifications_tracking_no ON @SCHEMA@.express_notifications (tracking_no);

CREATE TABLE IF NOT EXISTS @SCHEMA@.push_devices (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    appid        text NOT NULL DEFAULT 'default',
    cid          text NOT NULL,
    user_id      text,
    merchant_id  text,
    platform     text,
    is_active    boolean NOT NULL DEFAULT true,
    last_seen_at timestamptz DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE @SCHEMA@.push_devices
    ADD COLUMN IF NOT EXISTS locale          text,
    ADD COLUMN IF NOT EXISTS inactive_reason text,
    ADD COLUMN IF NOT EXISTS inactive_at     timestamptz,
    ADD COLUMN IF NOT EXISTS strikes         int NOT NULL DEFAULT 0, -- doubts about its id, in a row
    ADD COLUMN IF NOT EXISTS created_at      timestamptz DEFAULT now();
CREATE UNIQUE INDEX IF NOT EXISTS push_devices_appid_cid ON @SCHEMA@.push_devices (appid, cid);
CREATE INDEX IF NOT EXISTS push_devices_user ON @SCHEMA@.push_devices (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS push_devices_merchant ON @SCHEMA@.push_devices (merchant_id) WHERE merchant_id IS NOT NULL;

-- One message to one device: its own outbox row and its own verdict.
--   delivered   the provider has accepted it; verdict says more
--   failed      it will not reach this device, and nothing is wrong with us (device gone, inactive for long, too old)
--   dead_letter it could not be sent; its record lies in notification.dlq
CREATE TABLE IF NOT EXISTS @SCHEMA@.push_deliveries (
    id              uuid PRIMARY KEY,              -- follows from message, device and generation
    message_id      text NOT NULL,
    generation      int NOT NULL DEFAULT 0,
    aud             text NOT NULL,
    recipient_id    text NOT NULL,
    partition_key   text,                          -- AUD:RECIPIENT
    event_type      text NOT NULL DEFAULT 'express.notification',
    appid           text NOT NULL,
    cid             text NOT NULL,
    platform        text,
    title           text NOT NULL CHECK (title <> ''),
    body            text NOT NULL CHECK (body <> ''),
    payload         jsonb NOT NULL DEFAULT '{}',
    expires_at      timestamptz,
    status          text NOT NULL DEFAULT 'pending'
                    CHECK (status IN ('pending', 'retrying', 'delivered', 'failed', 'dead_letter')),
    attempt_count   int NOT NULL DEFAULT 0,
    round_attempts  int NOT NULL DEFAULT 0,
    next_attempt_at timestamptz DEFAULT now(),
    last_error      text,
    verdict         text,                          -- of the last attempt, see processors/push/verdict.h
    provider        text,
    provider_code   text,                          -- as the provider calls it
    response_status int,
    delivered_at    timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    traceparent     text,
    queue_txid      xid8,
    queue_seq       bigint
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX IF NOT EXISTS push_deliveries_message
    ON @SCHEMA@.push_deliveries (message_id, appid, cid, generation);
CREATE INDEX IF NOT EXISTS push_deliveries_device ON @SCHEMA@.push_deliveries (appid, cid);
CREATE INDEX IF NOT EXISTS push_deliveries_queue_txid
    ON @SCHEMA@.push_deliveries (queue_txid) WHERE queue_txid IS NOT NULL;
CREATE INDEX IF NOT EXISTS push_deliveries_queue_seq
    ON @SCHEMA@.push_deliveries (queue_seq) WHERE queue_seq IS NOT NULL;
CREATE OR REPLACE TRIGGER sluice_queue_insert
    BEFORE INSERT ON @SCHEMA@.push_deliveries FOR EACH ROW
    WHEN (NEW.status IN ('pending', 'retrying'))
    EXECUTE FUNCTION @SCHEMA@.sluice_queue();
CREATE OR REPLACE TRIGGER sluice_queue_update
    BEFORE UPDATE ON @SCHEMA@.push_deliveries FOR EACH ROW
    WHEN (NEW.status = 'pending'
          AND (OLD.status IS DISTINCT FROM NEW.status
               OR OLD.next_attempt_at IS DISTINCT FROM NEW.next_attempt_at
               OR current_setting('sluice.sweep', true) = 'on'))
    EXECUTE FUNCTION @SCHEMA@.sluice_queue();
CREATE OR REPLACE TRIGGER sluice_wait_insert
    AFTER INSERT ON @SCHEMA@.push_deliveries FOR EACH ROW
    WHEN (NEW.queue_seq IS NOT NULL AND NEW.queue_txid IS NULL)
    EXECUTE FUNCTION @SCHEMA@.sluice_wait();
CREATE OR REPLACE TRIGGER sluice_wait_update
    AFTER UPDATE ON @SCHEMA@.push_deliveries FOR EACH ROW
    WHEN (NEW.queue_seq IS NOT NULL
          AND (NEW.status = 'retrying' OR (NEW.status = 'pending' AND NEW.queue_txid IS NULL))
          AND (OLD.status IS DISTINCT FROM NEW.status
               OR OLD.next_attempt_at IS DISTINCT FROM NEW.next_attempt_at
               OR OLD.queue_seq IS DISTINCT FROM NEW.queue_seq))
    EXECUTE FUNCTION @SCHEMA@.sluice_wait();

-- Who does not want to be told. status '*' = of nothing.
CREATE TABLE IF NOT EXISTS @SCHEMA@.notify_mutes (
    aud          text NOT NULL CHECK (aud IN ('user', 'merchant')),
    recipient_id text NOT NULL,
    status       text NOT NULL DEFAULT '*',
    muted_until  timestamptz,                      -- NULL = for ever
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (aud, recipient_id, status)
);

-- Tokens of push providers, shared by all instances: providers count how often one is made. Encrypted with a key that
-- follows from the credential, which only the push role has.
CREATE TABLE IF NOT EXISTS @SCHEMA@.push_provider_tokens (
    provider    text PRIMARY KEY,                  -- name in the providers file
    credential  bytea NOT NULL,                    -- hash of what the token was made with: another one, another token
    token       bytea NOT NULL,
    obtained_at timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL
);
