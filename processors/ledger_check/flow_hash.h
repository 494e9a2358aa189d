/* SPDX-License-Identifier: Apache-2.0 */
/* The chain's hash, written down a second time after schemas/sql/006_ledger.sql. Thread: one at a time. */
#ifndef SLUICE_LEDGER_CHECK_FLOW_HASH_H
#define SLUICE_LEDGER_CHECK_FLOW_HASH_H

#include <stdint.h>

#define FLOW_HASH_BYTES 32
#define FLOW_ID_TEXT_MAX 40

struct hashed_flow {
    const char *account_id;
    int64_t slot, version;
    int64_t amount, balance_after, frozen_delta, frozen_after, incoming_delta, incoming_after;
    const char *kind, *transfer_id, *event_id;
    int64_t effective_us;
};

/* before: the hash of the slot's flow before, 32 zero bytes for the first one. */
void flow_hash_of(const unsigned char before[FLOW_HASH_BYTES], const struct hashed_flow *f,
                  unsigned char out[FLOW_HASH_BYTES]);
/* The flow's id as text: the first 16 bytes as a UUID of version 8. */
void flow_hash_id(const unsigned char hash[FLOW_HASH_BYTES], char out[FLOW_ID_TEXT_MAX]);

#endif
