/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An opening gets no decision where the account is as it is asked for, so whoever waits for one compares the two.
 * a: account_slots; m: account_command_outbox. Defaults are those of the ledger's commands.
 */
#ifndef SLUICE_GATEWAY_OPENED_SQL_H
#define SLUICE_GATEWAY_OPENED_SQL_H

#define OPENED_AS_ASKED_SQL                                                                                      \
    "a.status = 'open' AND a.currency = m.payload ->> 'currency' "                                               \
    "AND a.exponent = coalesce((m.payload ->> 'exponent')::int, 2) AND a.kind = coalesce(m.payload ->> 'kind', " \
    "'user') "                                                                                                   \
    "AND a.no_negative = coalesce((m.payload ->> 'no_negative')::boolean, false) "                               \
    "AND a.credit_only = coalesce((m.payload ->> 'credit_only')::boolean, false) "                               \
    "AND a.debit_only = coalesce((m.payload ->> 'debit_only')::boolean, false) "                                 \
    "AND a.max_balance IS NOT DISTINCT FROM (m.payload ->> 'max_balance')::bigint"

#endif
