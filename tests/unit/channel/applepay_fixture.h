/* SPDX-License-Identifier: Apache-2.0 */
/* An Apple Pay account, its merchant's keys, and tokens for it. */
#ifndef SLUICE_TESTS_CHANNEL_APPLEPAY_FIXTURE_H
#define SLUICE_TESTS_CHANNEL_APPLEPAY_FIXTURE_H

#include "apple_fixture.h"
#include "channel/applepay_account.h"
#include "channel/applepay_key.h"
#include "channel/applepay_sign.h"

#define TOKEN_MAX (1 << 17)
#define TOKEN_ID "2686f5297f123ec7fd9d31074d43d201953ca75f098890375f13aed2737d92f2"

extern struct authority apple;
extern struct applepay_account own;
extern struct account account;
extern X509 *merchant;
extern const struct applepay_payment PAYMENT;

void applepay_setup(void);
void applepay_teardown(void);
/* The account also takes RSA_v1; *out is the certificate. */
void applepay_with_rsa(X509 **out_certificate);

/* PAYMENT, or another one, encrypted; signed; the verdict. */
struct applepay_sealed seal(const struct applepay_payment *payment);
const struct verdict *verdict_on_text(const char *body, int64_t now_s);
const struct verdict *verdict_of_signature(const struct applepay_sealed *sealed, const struct applepay_signature *how);
const struct verdict *verdict_of_payment(const struct applepay_payment *payment, int64_t now_s);
/* paymentData of PAYMENT; the caller frees. */
char *token_text(const struct applepay_payment *payment);
void expect_token(enum channel_reason reason, const struct verdict *v, const char *what);

#endif
