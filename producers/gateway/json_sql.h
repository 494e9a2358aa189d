/* SPDX-License-Identifier: Apache-2.0 */
/* How rows look as JSON: SQL expressions over an alias, in one place because several statements show the same thing. */
#ifndef SLUICE_GATEWAY_JSON_SQL_H
#define SLUICE_GATEWAY_JSON_SQL_H

#define TIME_TEXT(x) "to_char((" x ") AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"

/* t: account_transfers */
#define TRANSFER_JSON                                                                                                \
    "json_strip_nulls(json_build_object('transfer_id', t.transfer_id, 'state', t.state, 'code', t.code, 'debit', "   \
    "t.debit_account, 'credit', t.credit_account, 'amount', nullif(t.amount, 0), 'confirmed_amount', CASE WHEN "     \
    "t.state = 'confirmed' THEN t.confirmed_amount END, 'currency', t.currency, 'reference', t.reference, 'set_id'," \
    " t.set_id, 'effective_at', " TIME_TEXT("t.effective_at") ", 'expires_at', " TIME_TEXT(                          \
        "t.expires_at") ", 'booked_at', " TIME_TEXT("t.booked_at") ", 'updated_at', " TIME_TEXT("t.updated_at") "))"

/* a: accounts */
#define ACCOUNT_JSON                                                                                              \
    "json_strip_nulls(json_build_object('account_id', a.account_id, 'currency', a.currency, 'exponent', "         \
    "a.exponent, 'kind', a.kind, 'status', a.status, 'no_negative', a.no_negative, 'credit_only', a.credit_only," \
    " 'debit_only', a.debit_only, 'max_balance', a.max_balance, 'balance', a.balance, 'frozen', a.frozen, "       \
    "'incoming', a.incoming, 'available', a.balance - a.frozen, 'version', a.version, 'created_at', " TIME_TEXT(  \
        "a.created_at") ", 'updated_at', " TIME_TEXT("a.updated_at") "))"

/* p: payment_transactions */
#define PAYMENT_JSON                                                                                               \
    "json_strip_nulls(json_build_object('payment_id', p.payment_id, 'state', p.state, 'version', p.version, "      \
    "'account_id', p.account_id, 'channel', p.channel, 'channel_account', p.channel_account, 'amount', p.amount, " \
    "'currency', p.currency, 'exponent', "                                                                         \
    "p.exponent, 'channel_txn_id', p.channel_txn_id, 'refunded_amount', p.refunded_amount, 'suspense_amount', "    \
    "p.suspense_amount, 'expires_at', " TIME_TEXT("p.expires_at") ", 'confirmed_at', " TIME_TEXT(                  \
        "p.confirmed_at") ", "                                                                                     \
                          "'callback_platform', p.callback_platform, 'callback_target', p.callback_target, "       \
                          "'created_at', " TIME_TEXT("p.created_at") ", 'updated_at', " TIME_TEXT("p.updated_at") "))"

#endif
