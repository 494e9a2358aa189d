/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/accounts/{id}: with a currency it opens the account, without one it changes settings. */
#include <string.h>

#include "base/currency.h"
#include "gateway/ask.h"
#include "gateway/check.h"
#include "ledger/ledger.h"

static const char *one_of(struct fields *f, const char *name, const char *const *names, size_t n, const char *what)
{
    const char *text = field_text(f, name, FIELD_OPTIONAL, 16, NULL, what);
    for (size_t i = 0; text != NULL && i < n; i++) {
        if (strcmp(text, names[i]) == 0) {
            return text;
        }
    }
    if (text != NULL) {
        field_refuse(f, name, "field_invalid", what);
    }
    return NULL;
}

/* What opening and setting have in common; returns how many there were. */
static int read_limits(struct fields *f, struct payload *p)
{
    static const char *const FLAGS[] = {"no_negative", "credit_only", "debit_only"};
    int n = 0;
    int64_t max = 0;
    for (size_t i = 0; i < sizeof FLAGS / sizeof FLAGS[0]; i++) {
        bool flag = false;
        if (field_bool(f, FLAGS[i], FIELD_OPTIONAL, &flag)) {
            payload_bool(p, FLAGS[i], flag);
            n++;
        }
    }
    if (field_int(f, "max_balance", FIELD_OPTIONAL, 0, INT64_MAX, &max)) {
        payload_int(p, "max_balance", max);
        n++;
    }
    return n;
}

/* Clearing and suspense are the program's, or an operator's (`sluice account open`). */
static const char *read_kind(struct fields *f)
{
    static const char what[] = "expected user, merchant, fee or system";
    const char *kind = one_of(f, "kind", LEDGER_KIND_NAMES, LEDGER_KINDS, what);
    if (kind != NULL &&
        (strcmp(kind, LEDGER_KIND_NAMES[KIND_CLEARING]) == 0 || strcmp(kind, LEDGER_KIND_NAMES[KIND_SUSPENSE]) == 0)) {
        field_refuse(f, "kind", "field_invalid", what);
    }
    return kind;
}

static void read_open(struct fields *f, struct payload *p)
{
    int64_t exponent = 0;
    const char *currency = member_currency(f, FIELD_REQUIRED);
    payload_text(p, "currency", currency);
    if (field_int(f, "exponent", FIELD_OPTIONAL, 0, 4, &exponent)) {
        payload_int(p, "exponent", exponent);
        if (currency != NULL && !currency_digits_fit(currency, (int)exponent)) {
            field_refuse(f, "exponent", "field_invalid", "expected as many digits as ISO 4217 gives the currency");
        }
    }
    payload_text(p, "kind", read_kind(f));
    (void)read_limits(f, p);
}

static void read_set(struct fields *f, struct payload *p)
{
    const char *status = one_of(f, "status", LEDGER_STATUS_NAMES, LEDGER_STATUSES, "expected open, frozen or closed");
    bool no_max = field_is_null(f, "max_balance");
    payload_text(p, "status", status);
    int n = read_limits(f, p) + (status != NULL ? 1 : 0) + (no_max ? 1 : 0);
    if (no_max) {
        (void)buf_printf(&p->text, ", \"max_balance\": null");
    }
    if (n == 0) {
        field_refuse(f, "", "field_missing",
                     "expected currency to open the account, or at least one of status, no_negative, credit_only, "
                     "debit_only, max_balance");
    }
}

enum call_next ask_account(struct http_call *call, void *opaque)
{
    struct problem problem = {0};
    struct fields f;
    struct payload p;
    const char *id = ask_id(call, LEDGER_ID_MAX, &problem);
    if (id == NULL || !ask_body(call, &f, &problem)) {
        return ask_refuse(call, &problem);
    }
    if (ledger_account_reserved(id)) {
        field_refuse(&f, "account_id", "field_invalid", CHECK_OWN_ACCOUNT_WHAT);
    }
    bool open = field_has(&f, "currency");
    struct job *job = ask_job(call, open ? JOB_OPEN : JOB_SET);
    payload_begin(&p);
    payload_text(&p, "account_id", id);
    if (open) {
        read_open(&f, &p);
    } else {
        read_set(&f, &p);
    }
    fields_end(&f);
    job->payload = payload_end(&p, call);
    payload_done(&p);
    job->key = id;
    job->subject = id;
    return problem.status != 0 ? ask_refuse(call, &problem) : ask_write(opaque, job);
}
