-- SPDX-License-Identifier: Apache-2.0
-- A small ledger by SQL alone, so that whoever judges ledgers can be judged without the role that writes them: the rules
-- and the hash are written down once more, from schemas/sql/006_ledger.sql. For tests; search_path is the schema.
--
--     SELECT l_open('alice', 'CNY', no_negative => true);
--     SELECT l_post('t1', 'clearing:demo:CNY', 'alice', 1000), l_try('t2', 'alice', 'bob', 300), l_confirm('t2', 200);

CREATE SEQUENCE IF NOT EXISTS l_event;

CREATE OR REPLACE FUNCTION l_event() RETURNS text LANGUAGE sql AS $$ SELECT 'event-' || nextval('l_event') $$;

CREATE OR REPLACE FUNCTION l_uuid8(hash bytea) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(set_byte(set_byte(substring(hash FROM 1 FOR 16), 6, (get_byte(hash, 6) & 15) | 128), 8,
                           (get_byte(hash, 8) & 63) | 128), 'hex')::uuid $$;

-- One record more, on the topic, ended as outcome.
CREATE OR REPLACE FUNCTION l_journal(outcome text, of_topic text DEFAULT 'account.commands') RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    at bigint;
BEGIN
    INSERT INTO sluice_positions AS p ("group", topic, partition, next_offset) VALUES ('sluice-account', of_topic, 0, 1)
    ON CONFLICT ("group", topic, partition) DO UPDATE SET next_offset = p.next_offset + 1 RETURNING next_offset INTO at;
    INSERT INTO account_journal AS j ("group", topic, partition, day, lo, hi, records, applied, duplicates, rejected, dead)
    VALUES ('sluice-account', of_topic, 0, (now() AT TIME ZONE 'UTC')::date, at - 1, at, 1, (outcome = 'applied')::int,
            (outcome = 'duplicate')::int, (outcome = 'rejected')::int, (outcome = 'dead')::int)
    ON CONFLICT ("group", topic, partition, day) DO UPDATE SET
        hi = excluded.hi, records = j.records + 1, applied = j.applied + excluded.applied,
        duplicates = j.duplicates + excluded.duplicates, rejected = j.rejected + excluded.rejected,
        dead = j.dead + excluded.dead;
END $$;

CREATE OR REPLACE FUNCTION l_decide(event text, account text, transfer text, the_command text, the_outcome text,
                                    the_code text, the_decision jsonb) RETURNS void LANGUAGE sql AS $$
    INSERT INTO account_decisions (id, event_id, account_id, transfer_id, command, outcome, code, decision, decided_at)
    VALUES (l_uuid8(sha256(convert_to(E'decision\n' || event || E'\n0', 'UTF8'))), event, account, transfer, the_command,
            the_outcome, the_code, the_decision::text, now()) $$;

-- What l_open and l_set leave behind: the account as it is now.
CREATE OR REPLACE FUNCTION l_decide_account(event text, account text, the_command text) RETURNS void
    LANGUAGE sql AS $$
    SELECT l_decide(event, account, NULL, the_command, 'applied', NULL, jsonb_strip_nulls(jsonb_build_object(
        'op', the_command, 'account_id', account_id, 'currency', currency, 'exponent', exponent, 'kind', kind,
        'status', status, 'no_negative', no_negative, 'credit_only', credit_only, 'debit_only', debit_only,
        'max_balance', max_balance, 'settings_version', settings_version, 'flows', version, 'event_id', event,
        'decided_at', now())))
    FROM account_slots WHERE account_id = account AND slot = 0;
    SELECT l_journal('applied') $$;

CREATE OR REPLACE FUNCTION l_open(account text, the_currency text, the_kind text DEFAULT 'user',
                                  no_negative boolean DEFAULT false, max_balance bigint DEFAULT NULL,
                                  the_exponent int DEFAULT 2) RETURNS void LANGUAGE sql AS $$
    INSERT INTO account_slots (account_id, slot, currency, exponent, kind, no_negative, max_balance)
    VALUES (account, 0, the_currency, the_exponent, the_kind, no_negative, max_balance);
    SELECT l_decide_account(l_event(), account, 'open') $$;

-- A flow; a slot that is missing is made as slot 0 is.
CREATE OR REPLACE FUNCTION l_flow(event text, account text, the_slot int, the_kind text, the_amount bigint,
                                  frozen_d bigint, incoming_d bigint, counter text, transfer text,
                                  the_decision jsonb DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    s account_slots;
    at timestamptz := clock_timestamp();
    h bytea;
BEGIN
    INSERT INTO account_slots (account_id, slot, currency, exponent, kind, status, no_negative, credit_only, debit_only,
                               max_balance, settings_version)
    SELECT account_id, the_slot, currency, exponent, kind, status, no_negative, credit_only, debit_only, max_balance,
           settings_version FROM account_slots WHERE account_id = account AND slot = 0 ON CONFLICT DO NOTHING;
    SELECT * INTO STRICT s FROM account_slots WHERE account_id = account AND slot = the_slot FOR UPDATE;
    h := sha256(s.hash || convert_to(concat_ws('|', account, the_slot, s.version + 1, the_amount, s.balance + the_amount,
             frozen_d, s.frozen + frozen_d, incoming_d, s.incoming + incoming_d, the_kind, transfer, event,
             (extract(epoch FROM at) * 1000000)::bigint), 'UTF8'));
    INSERT INTO account_flows (id, account_id, slot, version, kind, amount, balance_after, frozen_delta, frozen_after,
        incoming_delta, incoming_after, currency, counter_account, transfer_id, event_id, effective_at, booked_at, hash,
        decision)
    VALUES (l_uuid8(h), account, the_slot, s.version + 1, the_kind, the_amount, s.balance + the_amount, frozen_d,
        s.frozen + frozen_d, incoming_d, s.incoming + incoming_d, s.currency, counter, transfer, event, at, at, h,
        the_decision::text);
    UPDATE account_slots SET balance = balance + the_amount, frozen = frozen + frozen_d,
        incoming = incoming + incoming_d, version = version + 1, hash = h
    WHERE account_id = account AND slot = the_slot;
END $$;

-- The JSON that goes with the debit's flow, or with the decision.
CREATE OR REPLACE FUNCTION l_transfer_json(the_op text, t account_transfers) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object('op', the_op, 'state', t.state, 'version', t.version, 'code', t.code,
        'transfer_id', t.transfer_id, 'debit', t.debit_account, 'credit', t.credit_account, 'debit_slot', t.debit_slot,
        'credit_slot', t.credit_slot, 'amount', t.amount, 'confirmed_amount', t.confirmed_amount, 'currency', t.currency,
        'reference', t.reference, 'caller', t.caller, 'set_id', t.set_id, 'content_hash', encode(t.content_hash, 'hex'),
        'event_id', t.event_id, 'effective_at', t.effective_at, 'expires_at', t.expires_at, 'booked_at', t.booked_at,
        'updated_at', t.updated_at)) $$;

-- A new transfer: posted or held.
CREATE OR REPLACE FUNCTION l_begin(id text, debit text, credit text, the_amount bigint, the_state text, the_kind text,
                                   slot_d int, slot_c int, event text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t account_transfers;
    held bigint := CASE the_state WHEN 'held' THEN the_amount ELSE 0 END;
BEGIN
    INSERT INTO account_transfers (transfer_id, state, debit_account, credit_account, debit_slot, credit_slot, amount,
        currency, content_hash, event_id, effective_at, booked_at, updated_at)
    SELECT id, the_state, debit, credit, slot_d, slot_c, the_amount, currency, sha256(convert_to(id, 'UTF8')), event,
        now(), now(), now() FROM account_slots WHERE account_id = debit AND slot = 0 RETURNING * INTO t;
    PERFORM l_flow(event, debit, slot_d, the_kind, held - the_amount, held, 0, credit, id,
                   l_transfer_json(CASE the_kind WHEN 'post' THEN 'transfer' ELSE 'try' END, t));
    PERFORM l_flow(event, credit, slot_c, the_kind, the_amount - held, 0, held, debit, id);
    PERFORM l_journal('applied', CASE WHEN event LIKE 'pay-%' THEN 'payment.events' ELSE 'account.commands' END);
END $$;

CREATE OR REPLACE FUNCTION l_post(id text, debit text, credit text, the_amount bigint, slot_d int DEFAULT 0,
                                  slot_c int DEFAULT 0, event text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    SELECT l_begin(id, debit, credit, the_amount, 'posted', 'post', slot_d, slot_c, coalesce(event, l_event())) $$;
CREATE OR REPLACE FUNCTION l_try(id text, debit text, credit text, the_amount bigint, slot_d int DEFAULT 0,
                                 slot_c int DEFAULT 0) RETURNS void LANGUAGE sql AS $$
    SELECT l_begin(id, debit, credit, the_amount, 'held', 'hold', slot_d, slot_c, l_event()) $$;

-- The end of a hold: confirm, cancel, expire. booked: of a confirmation.
CREATE OR REPLACE FUNCTION l_resolve(id text, the_kind text, booked bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t account_transfers;
BEGIN
    UPDATE account_transfers SET event_id = l_event(), version = version + 1, updated_at = now(),
        state = CASE the_kind WHEN 'confirm' THEN 'confirmed' WHEN 'cancel' THEN 'cancelled' ELSE 'expired' END,
        confirmed_amount = CASE the_kind WHEN 'confirm' THEN booked END
    WHERE transfer_id = id RETURNING * INTO STRICT t;
    PERFORM l_flow(t.event_id, t.debit_account, t.debit_slot, the_kind, -booked, -t.amount, 0, t.credit_account, id,
                   l_transfer_json(the_kind, t));
    PERFORM l_flow(t.event_id, t.credit_account, t.credit_slot, the_kind, booked, 0, -t.amount, t.debit_account, id);
    PERFORM l_journal('applied');
END $$;
CREATE OR REPLACE FUNCTION l_confirm(id text, booked bigint) RETURNS void LANGUAGE sql AS $$
    SELECT l_resolve(id, 'confirm', booked) $$;
CREATE OR REPLACE FUNCTION l_cancel(id text) RETURNS void LANGUAGE sql AS $$ SELECT l_resolve(id, 'cancel', 0) $$;
CREATE OR REPLACE FUNCTION l_expire(id text) RETURNS void LANGUAGE sql AS $$ SELECT l_resolve(id, 'expire', 0) $$;

-- A transfer that was refused and is remembered.
CREATE OR REPLACE FUNCTION l_reject(id text, debit text, credit text, the_amount bigint, the_code text) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    t account_transfers;
BEGIN
    INSERT INTO account_transfers (transfer_id, state, code, debit_account, credit_account, amount, currency,
        content_hash, event_id, effective_at, booked_at, updated_at)
    VALUES (id, 'rejected', the_code, debit, credit, the_amount, 'CNY', sha256(convert_to(id, 'UTF8')), l_event(), now(),
            now(), now()) RETURNING * INTO t;
    PERFORM l_decide(t.event_id, debit, id, 'transfer', 'rejected', the_code, l_transfer_json('transfer', t));
    PERFORM l_journal('rejected');
END $$;

-- Cancelled before it was tried.
CREATE OR REPLACE FUNCTION l_cancel_empty(id text, debit text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t account_transfers;
BEGIN
    INSERT INTO account_transfers (transfer_id, state, debit_account, content_hash, event_id, booked_at, updated_at)
    VALUES (id, 'cancelled_empty', debit, sha256(convert_to(id, 'UTF8')), l_event(), now(), now()) RETURNING * INTO t;
    PERFORM l_decide(t.event_id, debit, id, 'cancel', 'applied', NULL, l_transfer_json('cancel', t));
    PERFORM l_journal('applied');
END $$;

-- A change of settings. What stands in other slots is moved to slot 0 when the account becomes limited, open holds too.
CREATE OR REPLACE FUNCTION l_set(account text, changes text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    s account_slots;
    event text := l_event();
    b bigint := 0;
    f bigint := 0;
    i bigint := 0;
BEGIN
    EXECUTE format('UPDATE account_slots SET settings_version = settings_version + 1, %s WHERE account_id = %L AND slot > 0',
                   changes, account);
    EXECUTE format('SELECT (x).* FROM (SELECT account_slots AS x FROM account_slots WHERE account_id = %L AND slot = 0) y',
                   account) INTO s;
    FOR s IN SELECT * FROM account_slots WHERE account_id = account AND slot > 0
             AND (no_negative OR credit_only OR debit_only OR max_balance IS NOT NULL OR status <> 'open')
             AND (balance <> 0 OR frozen <> 0 OR incoming <> 0) ORDER BY slot LOOP
        PERFORM l_flow(event, account, s.slot, 'merge', -s.balance, -s.frozen, -s.incoming, account, 'merge:' || event);
        b := b + s.balance;
        f := f + s.frozen;
        i := i + s.incoming;
    END LOOP;
    IF b <> 0 OR f <> 0 OR i <> 0 THEN
        PERFORM l_flow(event, account, 0, 'merge', b, f, i, account, 'merge:' || event);
        UPDATE account_transfers SET debit_slot = 0 WHERE debit_account = account AND state = 'held';
        UPDATE account_transfers SET credit_slot = 0 WHERE credit_account = account AND state = 'held';
    END IF;
    EXECUTE format('UPDATE account_slots SET settings_version = settings_version + 1, %s WHERE account_id = %L AND slot = 0',
                   changes, account);
    PERFORM l_decide_account(event, account, 'set');
END $$;

-- A step of a payment. The order is made by the first one.
CREATE OR REPLACE FUNCTION l_step(id text, event text, the_type text, the_to text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    p payment_transactions;
BEGIN
    SELECT * INTO STRICT p FROM payment_transactions WHERE payment_id = id;
    INSERT INTO payment_state_transitions (payment_id, version, from_state, to_state, event_id, event_type)
    VALUES (id, p.version + 1, p.state, the_to, event, the_type);
    UPDATE payment_transactions SET state = the_to, version = version + 1 WHERE payment_id = id;
END $$;

-- Everything once: the ledger that a check must find clean.
CREATE OR REPLACE FUNCTION l_example() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM l_open('clearing:demo:CNY', 'CNY', 'clearing');
    PERFORM l_open('suspense:demo:CNY', 'CNY', 'suspense');
    PERFORM l_open('fees', 'JPY', 'fee', the_exponent => 0);
    PERFORM l_open('mint', 'JPY', 'system', the_exponent => 0);
    PERFORM l_open('alice', 'CNY', no_negative => true, max_balance => 100000);
    PERFORM l_open('bob', 'CNY', no_negative => true);
    PERFORM l_open('shop', 'CNY', 'merchant');
    PERFORM l_open('empty', 'CNY');
    PERFORM l_post('jpy-1', 'mint', 'fees', 5);
    PERFORM l_post('fund-alice', 'clearing:demo:CNY', 'alice', 50000, 3);
    PERFORM l_post('fund-bob', 'clearing:demo:CNY', 'bob', 20000, 5);
    PERFORM l_try('open-hold', 'alice', 'shop', 700, 0, 4);
    PERFORM l_try('confirmed-whole', 'alice', 'shop', 900, 0, 4);
    PERFORM l_try('confirmed-part', 'bob', 'shop', 1000, 0, 5);
    PERFORM l_try('cancelled', 'bob', 'alice', 400);
    PERFORM l_try('expired', 'alice', 'bob', 300);
    PERFORM l_confirm('confirmed-whole', 900);
    PERFORM l_confirm('confirmed-part', 600);
    PERFORM l_cancel('cancelled');
    PERFORM l_expire('expired');
    PERFORM l_try('hold-in-slot', 'shop', 'alice', 100, 5, 0);
    PERFORM l_set('shop', 'no_negative = true');
    PERFORM l_post('after-merge', 'shop', 'bob', 200);
    PERFORM l_set('bob', 'status = ''frozen''');
    PERFORM l_set('bob', 'status = ''open'', credit_only = true');
    PERFORM l_post('to-bob', 'alice', 'bob', 50);
    PERFORM l_reject('too-much', 'alice', 'bob', 999999, 'insufficient_funds');
    PERFORM l_cancel_empty('never-tried', 'alice');
    PERFORM l_journal('duplicate');

    INSERT INTO payment_transactions (payment_id, account_id, channel, amount, currency)
    VALUES ('order-1', 'alice', 'demo', 3000, 'CNY'), ('order-2', 'alice', 'demo', 500, 'CNY');
    PERFORM l_step('order-1', 'pay-1', 'payment.created', 'PENDING'), l_journal('applied', 'payment.events');
    PERFORM l_step('order-1', 'pay-2', 'payment.succeeded', 'CONFIRMED');
    PERFORM l_post('pay:order-1', 'clearing:demo:CNY', 'alice', 3000, 2, 0, 'pay-2');
    PERFORM l_step('order-1', 'pay-3', 'payment.refunded', 'CONFIRMED');
    PERFORM l_post('refund:order-1:r1', 'alice', 'clearing:demo:CNY', 1000, 0, 2, 'pay-3');
    INSERT INTO payment_refunds (payment_id, refund_id, amount, currency, origin, event_id)
    VALUES ('order-1', 'r1', 1000, 'CNY', 'order', 'pay-3');
    UPDATE payment_transactions SET refunded_amount = 1000, credited = true WHERE payment_id = 'order-1';
    PERFORM l_step('order-2', 'pay-4', 'payment.created', 'PENDING'), l_journal('applied', 'payment.events');
    PERFORM l_step('order-2', 'pay-5', 'payment.expired', 'EXPIRED'), l_journal('applied', 'payment.events');
    PERFORM l_step('order-2', 'pay-6', 'payment.succeeded', 'REVOKED');
    PERFORM l_post('pay:order-2', 'clearing:demo:CNY', 'suspense:demo:CNY', 500, 2, 1, 'pay-6');
    UPDATE payment_transactions SET suspense_amount = 500 WHERE payment_id = 'order-2';
END $$;

-- For tests that change rows and put everything back.
CREATE OR REPLACE FUNCTION l_tables() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT unnest(ARRAY['account_slots', 'account_flows', 'account_transfers', 'account_decisions', 'account_journal',
                        'sluice_positions', 'dead_letter_outbox', 'payment_transactions', 'payment_state_transitions',
                        'payment_refunds', 'payment_reviews', 'payment_receipts']) $$;
CREATE OR REPLACE FUNCTION l_save() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t text;
BEGIN
    CREATE SCHEMA saved;
    FOR t IN SELECT l_tables() LOOP
        EXECUTE format('CREATE TABLE saved.%I AS TABLE %I', t, t);
    END LOOP;
END $$;
CREATE OR REPLACE FUNCTION l_restore() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t text;
BEGIN
    FOR t IN SELECT l_tables() LOOP
        EXECUTE format('DELETE FROM %I', t);
        EXECUTE format('INSERT INTO %I TABLE saved.%I', t, t);
    END LOOP;
END $$;
