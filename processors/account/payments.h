/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Payment events in the account role: how the records of payment.events get into a batch of the ledger
 * (account/reader.h), with the orders, their history, receipts, refunds, reviews and the merchants' callbacks in the
 * same transaction; and the sweeper that asks for the expiry of orders.
 *
 * Transfers of a payment belong to no caller and have ids of their own:
 *
 *     pay:PAYMENT:confirm                      pay:PAYMENT:suspense:TXN
 *     pay:PAYMENT:refund:REFUND                pay:PAYMENT:return:REFUND (of suspense)   pay:PAYMENT:carry:REFUND
 *     pay:PAYMENT:revoke                       pay:PAYMENT:revoke:suspense               pay:PAYMENT:revoke:carry
 *
 * TXN and REFUND that are too long for the id, or have characters that it may not have, are ~ and 32 hexadecimal digits
 * of their hash. Thread: one at a time.
 */
#ifndef SLUICE_ACCOUNT_PAYMENTS_H
#define SLUICE_ACCOUNT_PAYMENTS_H

#include "account/payment_event.h"
#include "account/reader.h"
#include "avro/codec.h"
#include "base/err.h"
#include "base/option.h"
#include "payment/posting.h"

#define PAYMENTS_TOPIC "payment.events"

struct payments;

/* The rules of account.posting.file, or those that are built in. FATAL (ERR_CONFIG): they are wrong. */
enum rc payments_posting(const struct config *cfg, struct posting *out, struct err *err) MUST_USE;

/* posting is copied. */
enum rc payments_create(const struct avro_set *set, const struct posting *posting, struct payments **out_payments,
                        struct err *err) MUST_USE;
struct payments *payments_free(struct payments *p); /* accepts NULL, returns NULL */
/* Lives as long as p. */
const struct account_reader *payments_reader(const struct payments *p);

/* The id of the transfer that books this; heap memory of the caller. e: of an event that leads to it. */
char *payment_transfer_id(const struct payment_event *e, enum payment_booking b) MUST_USE;

#endif
