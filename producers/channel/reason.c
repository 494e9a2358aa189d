/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/reason.h"

#include "base/names.h"

static const char *const NAMES[REASONS_N] = {
    [REASON_OK] = "ok",
    [REASON_DUPLICATE] = "duplicate",
    [REASON_REPLAY] = "replay",
    [REASON_CONFLICT] = "conflict",
    [REASON_UNKNOWN_ORDER] = "unknown_order",
    [REASON_UNKNOWN_WAYBILL] = "unknown_waybill",
    [REASON_SIG_INVALID] = "sig_invalid",
    [REASON_SIG_PROBE] = "sig_probe",
    [REASON_SERIAL_UNKNOWN] = "serial_unknown",
    [REASON_CERT_EXPIRED] = "cert_expired",
    [REASON_CHAIN_INVALID] = "chain_invalid",
    [REASON_CHAIN_OID] = "chain_oid",
    [REASON_CHAIN_LENGTH] = "chain_length",
    [REASON_CHAIN_EXPIRED] = "chain_expired",
    [REASON_ALG_UNSUPPORTED] = "alg_unsupported",
    [REASON_POLICY_WEAK_ALG] = "policy_weak_alg",
    [REASON_TS_STALE] = "ts_stale",
    [REASON_TS_FUTURE] = "ts_future",
    [REASON_HEADER_MISSING] = "header_missing",
    [REASON_HEADER_DUP] = "header_dup",
    [REASON_HEADER_MALFORMED] = "header_malformed",
    [REASON_PARAM_DUP] = "param_dup",
    [REASON_BODY_MALFORMED] = "body_malformed",
    [REASON_TOO_LARGE] = "too_large",
    [REASON_DECRYPT_FAILED] = "decrypt_failed",
    [REASON_FIELD_MISMATCH] = "field_mismatch",
    [REASON_BUNDLE_MISMATCH] = "bundle_mismatch",
    [REASON_ENV_MISMATCH] = "env_mismatch",
    [REASON_IP_REFUSED] = "ip_refused",
    [REASON_UNAVAILABLE] = "unavailable",
};

const char *reason_name(enum channel_reason reason)
{
    return NAMES[reason];
}

int reason_find(const char *name)
{
    return names_find(NAMES, REASONS_N, name);
}
