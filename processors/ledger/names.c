/* SPDX-License-Identifier: Apache-2.0 */
/* The words of the ledger, as they stand in tables and topics. */
#include <string.h>

#include "ledger/ledger.h"

const char *const LEDGER_OP_NAMES[LEDGER_OPS] = {
    [OP_TRANSFER] = "transfer", [OP_TRY] = "try",       [OP_CONFIRM] = "confirm", [OP_CANCEL] = "cancel",
    [OP_EXPIRE] = "expire",     [OP_LINKED] = "linked", [OP_OPEN] = "open",       [OP_SET] = "set",
};

const char *const LEDGER_STATE_NAMES[LEDGER_STATES] = {
    [TRANSFER_ABSENT] = "absent",       [TRANSFER_POSTED] = "posted",
    [TRANSFER_HELD] = "held",           [TRANSFER_CONFIRMED] = "confirmed",
    [TRANSFER_CANCELLED] = "cancelled", [TRANSFER_EXPIRED] = "expired",
    [TRANSFER_REJECTED] = "rejected",   [TRANSFER_CANCELLED_EMPTY] = "cancelled_empty",
};

const char *const LEDGER_KIND_NAMES[LEDGER_KINDS] = {
    [KIND_USER] = "user",         [KIND_MERCHANT] = "merchant", [KIND_CLEARING] = "clearing",
    [KIND_SUSPENSE] = "suspense", [KIND_FEE] = "fee",           [KIND_SYSTEM] = "system",
};

const char *const LEDGER_STATUS_NAMES[LEDGER_STATUSES] = {
    [ACCOUNT_OPEN] = "open",
    [ACCOUNT_FROZEN] = "frozen",
    [ACCOUNT_CLOSED] = "closed",
};

const char *const LEDGER_FLOW_KIND_NAMES[LEDGER_FLOW_KINDS] = {
    [FLOW_POST] = "post",     [FLOW_HOLD] = "hold",     [FLOW_CONFIRM] = "confirm",
    [FLOW_CANCEL] = "cancel", [FLOW_EXPIRE] = "expire", [FLOW_MERGE] = "merge",
};

bool ledger_limited(const struct ledger_settings *s)
{
    return s->status != ACCOUNT_OPEN || s->no_negative || s->credit_only || s->debit_only || s->has_max;
}

bool ledger_account_reserved(const char *account_id)
{
    return strncmp(account_id, "clearing:", 9) == 0 || strncmp(account_id, "suspense:", 9) == 0;
}

bool ledger_id_reserved(const char *transfer_id, const char *caller)
{
    return strncmp(transfer_id, "pay:", 4) == 0 || strncmp(transfer_id, "merge:", 6) == 0 ||
           (strncmp(transfer_id, "adjust:", 7) == 0 && caller[0] != '\0');
}

#define LETTERS_AND_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static bool made_of(const char *s, const char *characters, size_t max)
{
    size_t n = strspn(s, characters);
    return s[n] == '\0' && n >= 1 && n <= max;
}

bool ledger_is_id(const char *s)
{
    return made_of(s, LETTERS_AND_DIGITS "._:~@-", LEDGER_ID_MAX);
}

bool ledger_is_currency(const char *s)
{
    return made_of(s, LETTERS_AND_DIGITS, LEDGER_CURRENCY_MAX);
}
