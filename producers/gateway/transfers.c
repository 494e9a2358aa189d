/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/transfers, .../confirm, .../cancel: what is asked becomes a command's payload, as docs/ledger.md has it. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "gateway/ask.h"
#include "gateway/check.h"
#include "ledger/ledger.h"

#define RESERVED "ids that begin with pay:, merge: and adjust: are kept for the program"

enum transfer_mode { MODE_TRY, MODE_POST };

struct transfer {
    const char *transfer_id, *debit, *credit, *currency, *reference;
    int64_t amount, effective_us;
    bool has_effective;
    struct expiry expiry;
};

static void read_transfer(struct fields *f, const char *fallback_id, enum transfer_mode mode, struct transfer *out)
{
    *out = (struct transfer){0};
    out->transfer_id = member_id(f, "transfer_id", fallback_id == NULL ? FIELD_REQUIRED : FIELD_OPTIONAL);
    out->transfer_id = out->transfer_id == NULL ? fallback_id : out->transfer_id;
    if (out->transfer_id != NULL && ledger_id_reserved(out->transfer_id, "service")) {
        field_refuse(f, "transfer_id", "field_invalid", RESERVED);
    }
    out->debit = member_account(f, "debit", FIELD_REQUIRED);
    out->credit = member_account(f, "credit", FIELD_REQUIRED);
    (void)member_amount(f, FIELD_REQUIRED, &out->amount);
    out->currency = member_currency(f, FIELD_REQUIRED);
    out->reference = field_text(f, "reference", FIELD_OPTIONAL, LEDGER_REFERENCE_MAX, NULL, "1 to 256 bytes of text");
    out->has_effective = member_effective(f, &out->effective_us);
    if (mode == MODE_TRY) {
        member_expiry(f, &out->expiry);
    }
    if (out->debit != NULL && out->credit != NULL && strcmp(out->debit, out->credit) == 0) {
        field_refuse(f, "credit", "accounts_are_the_same", "expected another account than the debit's");
    }
    fields_end(f);
}

static void write_transfer(struct payload *p, const struct transfer *t)
{
    payload_text(p, "transfer_id", t->transfer_id);
    payload_text(p, "debit", t->debit);
    payload_text(p, "credit", t->credit);
    payload_int(p, "amount", t->amount);
    payload_text(p, "currency", t->currency);
    payload_text(p, "reference", t->reference);
    if (t->has_effective) {
        payload_time(p, "effective_at", t->effective_us);
    }
    payload_expiry(p, t->expiry.has_at, t->expiry.at_us, t->expiry.has_timeout, t->expiry.timeout_s);
}

/* `Idempotency-Key: "key"` or without quotes; NULL when there is none. */
static const char *idempotency_key(struct http_call *call, struct problem *problem)
{
    const char *given = call_header(call, "Idempotency-Key");
    if (given == NULL) {
        return NULL;
    }
    size_t n = strlen(given);
    bool quoted = n >= 2 && given[0] == '"' && given[n - 1] == '"';
    const char *key = arena_strndup(call_arena(call), given + (quoted ? 1 : 0), n - (quoted ? 2 : 0));
    if (!ledger_is_id(key)) {
        problem_set(problem, 400, "idempotency_key_invalid", "Idempotency-Key",
                    "Idempotency-Key: expected " CHECK_ID_WHAT);
        return NULL;
    }
    return key;
}

static enum transfer_mode read_mode(struct fields *f)
{
    const char *mode = field_text(f, "mode", FIELD_OPTIONAL, 8, NULL, "try or post");
    if (mode != NULL && strcmp(mode, "try") != 0 && strcmp(mode, "post") != 0) {
        field_refuse(f, "mode", "field_invalid", "expected try or post");
    }
    return mode != NULL && strcmp(mode, "post") == 0 ? MODE_POST : MODE_TRY;
}

static struct job *one_transfer(struct http_call *call, struct fields *f, struct problem *problem)
{
    struct transfer t;
    struct payload p;
    const char *key = idempotency_key(call, problem);
    enum transfer_mode mode = read_mode(f);
    if (key == NULL && !field_has(f, "transfer_id")) {
        problem_set(problem, 400, "transfer_id_missing", "transfer_id",
                    "expected transfer_id in the body, or a header Idempotency-Key");
    }
    read_transfer(f, key, mode, &t);
    if (problem->status != 0) {
        return NULL;
    }
    struct job *job = ask_job(call, mode == MODE_POST ? JOB_TRANSFER : JOB_TRY);
    payload_begin(&p);
    write_transfer(&p, &t);
    job->payload = payload_end(&p, call);
    payload_done(&p);
    job->key = t.debit;
    job->subject = t.transfer_id;
    return job;
}

/* ---------------------------------------------------------------------------------------------------- sets */

static void write_member(struct payload *set, size_t i, const struct transfer *t)
{
    struct payload p;
    payload_begin(&p);
    write_transfer(&p, t);
    (void)buf_putc(&p.text, '}');
    (void)buf_puts(&set->text, i == 0 ? "" : ", ");
    (void)buf_add(&set->text, buf_str(&p.text), p.text.len);
    payload_done(&p);
}

static bool named_before(const char *const *ids, size_t n, const char *id)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(ids[i], id) == 0) {
            return true;
        }
    }
    return false;
}

/* Fills the payload; *first is the set's first transfer. */
static void read_members(struct body_value *list, struct payload *set, struct transfer *first, struct problem *problem)
{
    const char *ids[LEDGER_LINKED_MAX];
    size_t i = 0;
    for (struct body_value *v = list->first; v != NULL && problem->status == 0; v = v->next, i++) {
        char path[32];
        struct fields f;
        struct transfer t;
        (void)snprintf(path, sizeof path, "transfers[%zu].", i);
        fields_begin(&f, v, path, problem);
        read_transfer(&f, NULL, MODE_POST, &t);
        if (problem->status != 0) {
            return;
        }
        if (named_before(ids, i, t.transfer_id)) {
            field_refuse(&f, "transfer_id", "linked_member_twice", "the id stands in the set before");
        }
        ids[i] = t.transfer_id;
        *first = i == 0 ? t : *first;
        write_member(set, i, &t);
    }
}

static struct job *linked_set(struct http_call *call, struct fields *f, struct problem *problem)
{
    struct transfer first = {0};
    struct payload p;
    struct body_value *list = field_find(f, "transfers", FIELD_REQUIRED);
    fields_end(f);
    if (problem->status == 0 && (list->type != BODY_ARRAY || list->n < 2 || list->n > LEDGER_LINKED_MAX)) {
        field_refuse(f, "transfers", "field_invalid", "expected a list of 2 to 64 transfers");
    }
    if (problem->status != 0) {
        return NULL;
    }
    struct job *job = ask_job(call, JOB_LINKED);
    payload_begin(&p);
    (void)buf_puts(&p.text, "\"transfers\": [");
    read_members(list, &p, &first, problem);
    (void)buf_putc(&p.text, ']');
    job->payload = payload_end(&p, call);
    payload_done(&p);
    job->key = first.debit;
    job->subject = first.transfer_id;
    return problem->status == 0 ? job : NULL;
}

enum call_next ask_transfer(struct http_call *call, void *opaque)
{
    struct problem problem = {0};
    struct fields f;
    struct job *job = NULL;
    if (!ask_body(call, &f, &problem)) {
        return ask_refuse(call, &problem);
    }
    job = field_has(&f, "transfers") ? linked_set(call, &f, &problem) : one_transfer(call, &f, &problem);
    return job == NULL ? ask_refuse(call, &problem) : ask_write(opaque, job);
}

/* ---------------------------------------------------------------------------------------------------- holds */

static enum call_next ask_hold(struct http_call *call, struct gateway *g, enum job_kind kind)
{
    struct problem problem = {0};
    struct fields f;
    struct payload p;
    int64_t amount = 0;
    const char *id = ask_id(call, LEDGER_ID_MAX, &problem);
    if (id == NULL || !ask_body(call, &f, &problem)) {
        return ask_refuse(call, &problem);
    }
    if (ledger_id_reserved(id, "service")) {
        field_refuse(&f, "transfer_id", "field_invalid", RESERVED);
    }
    const char *debit = member_account(&f, "debit", FIELD_REQUIRED);
    bool has_amount = kind == JOB_CONFIRM && member_amount(&f, FIELD_OPTIONAL, &amount);
    fields_end(&f);
    if (problem.status != 0) {
        return ask_refuse(call, &problem);
    }
    struct job *job = ask_job(call, kind);
    payload_begin(&p);
    payload_text(&p, "transfer_id", id);
    payload_text(&p, "debit", debit);
    if (has_amount) {
        payload_int(&p, "amount", amount);
    }
    job->payload = payload_end(&p, call);
    payload_done(&p);
    job->key = debit;
    job->subject = id;
    return ask_write(g, job);
}

enum call_next ask_confirm(struct http_call *call, void *opaque)
{
    return ask_hold(call, opaque, JOB_CONFIRM);
}

enum call_next ask_cancel(struct http_call *call, void *opaque)
{
    return ask_hold(call, opaque, JOB_CANCEL);
}
