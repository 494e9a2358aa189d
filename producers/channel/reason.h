/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of a call of a channel: one list for answers, metrics, logs, tables and `sluice verify`. Names are never
 * changed once they are out.
 */
#ifndef SLUICE_CHANNEL_REASON_H
#define SLUICE_CHANNEL_REASON_H

#include <stdbool.h>

enum channel_reason {
    /* acknowledged */
    REASON_OK,
    REASON_DUPLICATE,       /* says what is stored already */
    REASON_REPLAY,          /* the very bytes that are stored already */
    REASON_CONFLICT,        /* contradicts what is stored, or the order: stored, kept from the ledger */
    REASON_UNKNOWN_ORDER,   /* stored; runs by itself when the order appears */
    REASON_UNKNOWN_WAYBILL, /* stored; runs by itself when the waybill appears */
    REASON_ACKNOWLEDGED_LAST = REASON_UNKNOWN_WAYBILL,
    /* refused: nothing is stored */
    REASON_SIG_INVALID,
    REASON_SIG_PROBE, /* WeChat Pay tests whether signatures are looked at */
    REASON_SERIAL_UNKNOWN,
    REASON_CERT_EXPIRED,
    REASON_CHAIN_INVALID,
    REASON_CHAIN_OID,
    REASON_CHAIN_LENGTH,
    REASON_CHAIN_EXPIRED,
    REASON_ALG_UNSUPPORTED,
    REASON_POLICY_WEAK_ALG,
    REASON_TS_STALE,
    REASON_TS_FUTURE,
    REASON_HEADER_MISSING,
    REASON_HEADER_DUP,
    REASON_HEADER_MALFORMED,
    REASON_PARAM_DUP,
    REASON_BODY_MALFORMED,
    REASON_TOO_LARGE,
    REASON_DECRYPT_FAILED,
    REASON_FIELD_MISMATCH, /* genuine, but not for this account */
    REASON_BUNDLE_MISMATCH,
    REASON_ENV_MISMATCH,
    REASON_IP_REFUSED,
    REASON_UNAVAILABLE, /* ours: overload, or the database is away */
    REASONS_N
};

/* "sig_invalid"; static. */
const char *reason_name(enum channel_reason reason);
/* The number of a name; -1 when there is none. */
int reason_find(const char *name);

static inline bool reason_acknowledged(enum channel_reason reason)
{
    return reason <= REASON_ACKNOWLEDGED_LAST;
}

#endif
