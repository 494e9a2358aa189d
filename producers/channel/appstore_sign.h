/* SPDX-License-Identifier: Apache-2.0 */
/* App Store Server Notifications as Apple sends them, signed by a CA of one's own. Thread: any. */
#ifndef SLUICE_CHANNEL_APPSTORE_SIGN_H
#define SLUICE_CHANNEL_APPSTORE_SIGN_H

#include "channel/ca.h"

/* What it says. Times are milliseconds since 1970; what is NULL or 0 is left out. */
struct appstore_notice {
    const char *uuid, *type, *subtype;
    const char *bundle_id, *environment;
    int64_t app_apple_id;
    int64_t signed_ms;
    /* The transaction; without a transaction_id there is none. */
    const char *transaction_id, *original_transaction_id, *product_id;
    const char *payment_id; /* appAccountToken */
    const char *ownership;  /* inAppOwnershipType */
    int64_t price_milli;    /* thousandths of the currency */
    const char *currency;
    int64_t purchase_ms, revocation_ms;
    const char *revocation_type;
    int64_t revocation_percentage; /* thousandths of a percent */
};

/* Header with the chain's three certificates and alg ("ES256"). */
void appstore_sign_header(const struct ca_chain *chain, const char *alg, struct buf *out);
/* Appends one JWS of a payload. RC_FATAL: libcrypto refuses, or it became too long. */
enum rc appstore_sign_payload(const struct ca_chain *chain, const char *payload, struct buf *out,
                              struct err *err) MUST_USE;
/* The payloads, as JSON. transaction: the signed one to put in, NULL = none. */
void appstore_transaction_json(const struct appstore_notice *notice, struct buf *out);
void appstore_notice_json(const struct appstore_notice *notice, const char *transaction, struct buf *out);
/* Appends the body of a call, {"signedPayload": "..."}. */
enum rc appstore_sign(const struct ca_chain *chain, const struct appstore_notice *notice, struct buf *out,
                      struct err *err) MUST_USE;

#endif
