/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON of a decision, as it stands in account_flows.decision and account_decisions.decision and with them in
 * account.flows. From these texts in the order of the topic account_transfers can be written anew: they hold every
 * column of it but expiry_asked_at, which is the sweeper's note. One object; fields in this order; what is NULL in the
 * table is left out; amounts are whole numbers, times RFC 3339 with microseconds.
 *
 * Of a transfer: op (transfer, try, confirm, cancel, expire: what decided it now), state, version, code, transfer_id,
 * debit, credit, debit_slot, credit_slot, amount, confirmed_amount, currency, reference, caller, set_id, content_hash
 * (hexadecimal), event_id, effective_at, expires_at, booked_at, updated_at.
 *
 * Of an account (open and set that were applied): op, account_id, currency, exponent, kind, status, no_negative,
 * credit_only, debit_only, max_balance, settings_version, flows (that slot 0 had then: the settings hold for those
 * behind), event_id, decided_at. An account that has become limited has flows of kind merge with the same event_id
 * before it; its open holds are in slot 0 from then on.
 *
 * Of a refusal that leaves the transfer as it was, or names none: op, outcome, code, transfer_id, account_id, event_id,
 * decided_at.
 */
#ifndef SLUICE_ACCOUNT_DECISION_H
#define SLUICE_ACCOUNT_DECISION_H

#include "base/buf.h"
#include "ledger/ledger.h"

#define DECISION_BYTES_MAX ((size_t)8192)

/* The transfer behind a flow of this kind. */
void decision_of_flow(struct buf *out, enum ledger_flow_kind kind, const struct ledger_transfer *t);
/* What moved nothing. decided_us: the batch's time. */
void decision_of_row(struct buf *out, const struct ledger_decision *d, int64_t decided_us);

/* Ids of rows: UUIDs of version 8 whose other bits are from a hash. */
#define ROW_ID_BYTES 16
/* From the flow's hash. */
void flow_row_id(const unsigned char hash[LEDGER_HASH_BYTES], unsigned char out[ROW_ID_BYTES]);
/* From the event and the ordinal. */
void decision_row_id(const char *event_id, int ordinal, unsigned char out[ROW_ID_BYTES]);

#endif
