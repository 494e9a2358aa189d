/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the ledger's commands of a payment. */
#include "account/payment_book.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account/command.h"
#include "account/fields.h"
#include "account/payments.h"
#include "base/buf.h"

#define ID_PART_MAX ((size_t)48) /* "pay:" PAYMENT_ID_MAX ":suspense:" this ":4" fit LEDGER_ID_MAX */
/* What an event may ask, by ordinal: accounts to be opened, the booking, what is booked instead. 0 is a command's. */
#define ORDINAL_OPEN 1000 /* behind those of a linked set */
#define ORDINAL_BOOKING 1100
#define ORDINAL_INSTEAD 1200
#define DAY_US (INT64_C(86400) * 1000000)
#define EFFECTIVE_MIN_US (INT64_C(946684800) * 1000000) /* 2000-01-01, as the ledger has it */

/* The last words of ids without a number, and colons, would make two payments' ids one ("a:refund" and "a"). */
static bool is_plain(const char *number)
{
    static const char *const words[] = {"confirm", "revoke", "suspense", "carry"};

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcmp(number, words[i]) == 0) {
            return false;
        }
    }
    return strchr(number, ':') == NULL && number[0] != '~';
}

/* A channel's number as a part of an id. */
static char *id_part(const char *number)
{
    char digest[33];
    size_t n = strlen(number);

    if (n <= ID_PART_MAX && field_is_id(number, n) && is_plain(number)) {
        return xstrdup(number);
    }
    payment_digest(number, "", digest);
    return xasprintf("~%s", digest);
}

char *payment_transfer_id(const struct payment_event *e, enum payment_booking b)
{
    static const char *const forms[PAYMENT_BOOKINGS] = {
        [BOOK_CONFIRM] = "confirm",
        [BOOK_SUSPEND] = "suspense",
        [BOOK_REFUND] = "refund",
        [BOOK_REFUND_SUSPENSE] = "return",
        [BOOK_REFUND_CARRIED] = "carry",
        [BOOK_REVOKE] = "revoke",
        [BOOK_REVOKE_SUSPENSE] = "revoke:suspense",
        [BOOK_REVOKE_CARRIED] = "revoke:carry",
    };
    const char *number = b == BOOK_SUSPEND ? e->channel_txn_id : NULL;

    if (b == BOOK_REFUND || b == BOOK_REFUND_SUSPENSE || b == BOOK_REFUND_CARRIED) {
        number = e->refund_id;
    }
    if (number == NULL) {
        return xasprintf("pay:%s:%s", e->payment_id, forms[b]);
    }
    char *part CLEANUP(freep) = id_part(number);
    return xasprintf("pay:%s:%s:%s", e->payment_id, forms[b], part);
}

/* NULL: longer than an account's id may be. */
static const char *account_id(const struct posting *posting, struct arena *a, const struct payment_order *o,
                              int account)
{
    struct buf id;
    const char *copy = NULL;

    buf_init(&id, LEDGER_ID_MAX);
    posting_account_id(posting, account, o->account_id, o->channel, o->currency, &id);
    if (!id.overflow && id.len > 0) {
        copy = arena_strndup(a, buf_str(&id), id.len);
    }
    buf_done(&id);
    return copy;
}

static struct ledger_command command(const struct payment_record *rec, enum ledger_op op, int ordinal)
{
    return (struct ledger_command){.op = op,
                                   .event_id = rec->e.event_id,
                                   .ordinal = ordinal,
                                   .caller = "",
                                   .transfer_id = "",
                                   .debit = "",
                                   .credit = "",
                                   .currency = "",
                                   .issued_us = rec->issued_us,
                                   .effective_us = LEDGER_NO_TIME,
                                   .expires_us = LEDGER_NO_TIME};
}

static enum ledger_kind kind_of(const struct posting *posting, int account)
{
    const char *name = posting->accounts[account].name;

    return strcmp(name, "clearing") == 0 ? KIND_CLEARING : strcmp(name, "suspense") == 0 ? KIND_SUSPENSE : KIND_SYSTEM;
}

/* False: there is no such id. */
static bool make_open(const struct posting *posting, struct arena *a, const struct payment_row *row,
                      const struct payment_record *rec, int account, struct ledger_command *out)
{
    *out = command(rec, OP_OPEN, ORDINAL_OPEN + account);
    out->debit = account_id(posting, a, &row->o, account);
    if (out->debit == NULL) {
        return false;
    }
    out->currency = row->o.currency;
    out->exponent = row->o.exponent;
    out->kind = kind_of(posting, account);
    command_hash(out);
    return true;
}

/* The channel's time, unless it is none that the ledger takes: money that came is not refused for that. */
static int64_t effective(const struct payment_record *rec)
{
    int64_t at = rec->e.at_us;

    return at < EFFECTIVE_MIN_US || at > rec->issued_us + DAY_US ? LEDGER_NO_TIME : at;
}

/* One transfer, or a linked set. False: an account's id is too long. */
static bool make_booking(const struct posting *posting, struct arena *a, const struct payment_row *row,
                         const struct payment_record *rec, enum payment_booking booking, int64_t amount, int ordinal,
                         struct ledger_command *out)
{
    const struct posting_rule *rule = &posting->rules[booking];
    struct ledger_command *list = arena_alloc(a, rule->n * sizeof(*list));
    char *base CLEANUP(freep) = payment_transfer_id(&rec->e, booking);

    for (size_t i = 0; i < rule->n; i++) {
        char *id CLEANUP(freep) = i == 0 ? xstrdup(base) : xasprintf("%s:%zu", base, i + 1);
        list[i] = command(rec, OP_TRANSFER, ordinal + (int)i);
        list[i].transfer_id = arena_strndup(a, id, strlen(id));
        list[i].debit = account_id(posting, a, &row->o, rule->pairs[i].debit);
        list[i].credit = account_id(posting, a, &row->o, rule->pairs[i].credit);
        list[i].currency = row->o.currency;
        list[i].amount = amount;
        list[i].exponent = row->o.exponent;
        list[i].has_exponent = true;
        list[i].forgets_refusal = true; /* the review remembers it, and the money may be booked later */
        list[i].effective_us = effective(rec);
        list[i].reference = rec->event_type;
        if (list[i].debit == NULL || list[i].credit == NULL) {
            return false;
        }
        command_hash(&list[i]);
    }
    *out = list[0];
    if (rule->n > 1) {
        out->op = OP_LINKED;
        out->members = list;
        out->n_members = rule->n;
        command_hash(out);
    }
    return true;
}

static void want_booking(const struct posting *posting, struct account_batch *b, const struct payment_row *row,
                         const struct payment_record *rec, enum payment_booking booking)
{
    const struct posting_rule *rule = &posting->rules[booking];
    struct ledger_command c;

    for (size_t i = 0; i < rule->n; i++) {
        const int accounts[] = {rule->pairs[i].debit, rule->pairs[i].credit};
        for (size_t k = 0; k < ARRAY_SIZE(accounts); k++) {
            if (accounts[k] != POSTING_ORDER && row->missing[accounts[k]] &&
                make_open(posting, &b->arena, row, rec, accounts[k], &c)) {
                ledger_want(b->ledger, &c);
            }
        }
    }
    if (make_booking(posting, &b->arena, row, rec, booking, 1, ORDINAL_BOOKING, &c)) {
        ledger_want(b->ledger, &c);
    }
}

/* Was this money booked before, and can that not be undone within the batch? */
static bool is_settled(const struct payment_row *row, const struct payment_event *e)
{
    enum payment_state s = row->o.state;

    if (s != PAYMENT_CONFIRMED && s != PAYMENT_REFUNDED && s != PAYMENT_REVOKED) {
        return false;
    }
    for (const struct payment_receipt *r = row->receipts; r != NULL; r = r->next) {
        if (strcmp(r->channel_txn_id, e->channel_txn_id) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_refunded(const struct payment_row *row, const struct payment_event *e)
{
    for (const struct payment_refund *r = row->refunds; r != NULL; r = r->next) {
        if (strcmp(r->refund_id, e->refund_id) == 0) {
            return true;
        }
    }
    return false;
}

void payment_book_want(const struct posting *posting, struct account_batch *b, const struct payment_row *row,
                       const struct payment_record *rec)
{
    const struct payment_event *e = &rec->e;
    bool unpaid = row->o.state == PAYMENT_INIT || row->o.state == PAYMENT_PENDING;

    if (e->type == PAYMENT_SUCCEEDED && !is_settled(row, e)) {
        if (unpaid) {
            want_booking(posting, b, row, rec, BOOK_CONFIRM);
        }
        want_booking(posting, b, row, rec, BOOK_SUSPEND);
    } else if (e->type == PAYMENT_REFUND && !is_refunded(row, e)) {
        want_booking(posting, b, row, rec, BOOK_REFUND);
        want_booking(posting, b, row, rec, BOOK_REFUND_SUSPENSE);
        want_booking(posting, b, row, rec, BOOK_REFUND_CARRIED);
    } else if (e->type == PAYMENT_REVOKE && (unpaid || row->o.state == PAYMENT_CONFIRMED)) {
        want_booking(posting, b, row, rec, BOOK_REVOKE);
        want_booking(posting, b, row, rec, BOOK_REVOKE_SUSPENSE);
        want_booking(posting, b, row, rec, BOOK_REVOKE_CARRIED);
    }
}

static void open_missing(const struct posting *posting, struct account_batch *b, const struct payment_row *row,
                         const struct payment_record *rec, int account)
{
    struct ledger_command c;
    struct ledger_result ignored;

    if (account != POSTING_ORDER && row->missing[account] && make_open(posting, &b->arena, row, rec, account, &c) &&
        ledger_find_account(b->ledger, c.debit) == NULL) {
        ledger_decide(b->ledger, &c, &ignored); /* if it was refused, the transfer says so */
    }
}

/* Does the order count in other units than its account? Then nothing is opened either, for that would keep its units.
 */
static bool counts_otherwise(const struct account_batch *b, const struct payment_row *row)
{
    const struct ledger_account *a = ledger_find_account(b->ledger, row->o.account_id);

    return a != NULL && strcmp(a->currency, row->o.currency) == 0 && a->exponent != row->o.exponent;
}

bool payment_book(const struct posting *posting, struct account_batch *b, const struct payment_row *row,
                  const struct payment_record *rec, enum payment_booking booking, int64_t amount, bool instead,
                  enum ledger_code *out_code)
{
    const struct posting_rule *rule = &posting->rules[booking];
    struct ledger_command c;
    struct ledger_result result;

    *out_code = CODE_CURRENCY_MISMATCH;
    if (counts_otherwise(b, row)) {
        return false;
    }
    *out_code = CODE_OK;
    for (size_t i = 0; i < rule->n; i++) {
        open_missing(posting, b, row, rec, rule->pairs[i].debit);
        open_missing(posting, b, row, rec, rule->pairs[i].credit);
    }
    if (!make_booking(posting, &b->arena, row, rec, booking, amount, instead ? ORDINAL_INSTEAD : ORDINAL_BOOKING, &c)) {
        return false;
    }
    ledger_decide(b->ledger, &c, &result);
    *out_code = result.code;
    /* The very same booking, made before: the ledger remembers it better than the order does. */
    return result.outcome == OUTCOME_APPLIED || (result.outcome == OUTCOME_DUPLICATE && result.code == CODE_EXISTS);
}
