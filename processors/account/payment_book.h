/* SPDX-License-Identifier: Apache-2.0 */
/* Bookings of payments as commands of the ledger: accounts that are opened on first use, and transfers by the posting
 * rules. Everything lives in the batch's arena. */
#ifndef SLUICE_ACCOUNT_PAYMENT_BOOK_H
#define SLUICE_ACCOUNT_PAYMENT_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "account/payment_event.h"
#include "account/payment_rows.h"
#include "account/reader.h"
#include "payment/posting.h"

/* Notes everything that deciding on the event may ask of the ledger. */
void payment_book_want(const struct posting *posting, struct account_batch *b, const struct payment_row *row,
                       const struct payment_record *rec);

/*
 * Books. instead: as a fallback, which has numbers of its own in (event_id, ordinal). False: refused, *out_code says
 * why; CODE_OK for what the ledger cannot even be asked (an account's id that is too long).
 */
bool payment_book(const struct posting *posting, struct account_batch *b, const struct payment_row *row,
                  const struct payment_record *rec, enum payment_booking booking, int64_t amount, bool instead,
                  enum ledger_code *out_code);

#endif
