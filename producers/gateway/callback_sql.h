/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does an order fit what a channel says of it? SQL, because the gateway's transaction and the sweep ask the same.
 * o: payment_transactions, LEFT JOINed; u: what the channel says, with channel, account, effect, amount, currency,
 * digits (that ISO 4217 gives the currency) and caller. NULL: it fits.
 */
#ifndef SLUICE_GATEWAY_CALLBACK_SQL_H
#define SLUICE_GATEWAY_CALLBACK_SQL_H

#define TOKEN_SQL "u.channel = 'applepay'"

/* A token is paid through whatever channel the order has. It is handed in by a caller, who has orders of its own. */
#define ORDER_AGAINST_SQL                                                                                              \
    "CASE WHEN u.payment_id IS NULL THEN 'unknown_order: it names no order' "                                          \
    "WHEN o.payment_id IS NULL OR (" TOKEN_SQL " AND o.caller NOT IN ('', u.caller)) "                                 \
    "THEN 'unknown_order: there is no order ' || u.payment_id "                                                        \
    "WHEN o.channel <> u.channel AND NOT " TOKEN_SQL " THEN 'channel_mismatch: the order is of ' || o.channel "        \
    "WHEN o.channel_account <> u.account AND NOT " TOKEN_SQL " THEN 'account_mismatch: the order is of the account ' " \
    "|| o.channel_account "                                                                                            \
    "WHEN o.currency <> u.currency THEN 'currency_mismatch: the order is in ' || o.currency "                          \
    "WHEN u.amount IS NOT NULL AND o.exponent <> u.digits THEN 'exponent_mismatch: the order counts with ' || "        \
    "o.exponent || ' digits' "                                                                                         \
    "WHEN (u.effect = 'payment.succeeded' OR " TOKEN_SQL ") AND o.amount IS DISTINCT FROM u.amount "                   \
    "THEN 'amount_mismatch: the order has ' || o.amount || ', the channel says ' || coalesce(u.amount::text, "         \
    "'nothing') END"

#endif
