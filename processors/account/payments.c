/* SPDX-License-Identifier: Apache-2.0 */
/* Payment events of a batch: which order, what the state machine says, what the ledger says, what is written. */
#include "account/payments.h"

#include <stdlib.h>
#include <string.h>

#include "account/payment_book.h"
#include "account/payment_rows.h"
#include "account/payment_tell.h"
#include "account/sweep.h"
#include "base/metric.h"
#include "pg/conn.h"
#include "schemas/embedded.h"

/* As docs/payments.md says it; the role's options are of holds. */
static const struct sweep_options SWEEP = {.rows_max = 500, .again_s = 600};

struct item {
    struct payment_record rec;
    struct payment_row *row; /* NULL: there is no such order */
};

struct payments {
    struct account_reader reader;
    struct posting posting;
    struct payment_reader *in;
    struct payment_rows rows;
    /* of the batch, counted when it is committed */
    int64_t steps[PAYMENT_STATES][PAYMENT_STATES][2];
    int64_t reviews[PAYMENT_REVIEWS];
    struct metric *step_counts[PAYMENT_STATES][PAYMENT_STATES][2];
    struct metric *review_counts[PAYMENT_REVIEWS];
    struct metric *asked;
};

static void pay_begin(void *self)
{
    struct payments *p = self;

    p->rows = (struct payment_rows){.arena = NULL};
    memset(p->steps, 0, sizeof(p->steps));
    memset(p->reviews, 0, sizeof(p->reviews));
}

static enum rc pay_session(void *self, PGconn *conn, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;

    (void)self;
    TRY(pg_exec(conn,
                "SELECT to_regclass('payment_transactions') IS NULL OR to_regclass('payment_receipts') IS NULL"
                " OR to_regclass('payment_callbacks') IS NULL",
                &res, err));
    if (pg_text(res, 0, 0)[0] == 't') {
        FAIL(err, RC_FATAL,
             "table payment_transactions, payment_receipts or payment_callbacks does not exist; run"
             " `sluice migrate`");
    }
    return RC_OK;
}

static enum rc pay_parse(void *self, struct account_batch *b, const struct dbproc_event *ev, void **out_item,
                         const char **out_class, struct err *err)
{
    struct payments *p = self;
    struct item *it = arena_alloc(&b->arena, sizeof(*it));

    *it = (struct item){.row = NULL};
    TRY(payment_event_read(p->in, ev->value, ev->value_len, &b->arena, &it->rec, out_class, err));
    *out_item = it;
    return RC_OK;
}

static enum rc pay_load(void *self, struct account_batch *b, void *const *items, size_t n, struct err *err)
{
    struct payments *p = self;
    struct payment_names *names = arena_alloc(&b->arena, n * sizeof(*names));
    size_t k = 0;

    p->rows.arena = &b->arena;
    for (size_t i = 0; i < n; i++) {
        const struct item *it = items[i];
        if (!it->rec.for_others) {
            names[k++] = (struct payment_names){.payment_id = it->rec.e.payment_id,
                                                .channel_txn_id = it->rec.e.channel_txn_id,
                                                .refund_id = it->rec.e.refund_id,
                                                .event_id = it->rec.e.event_id};
        }
    }
    if (k > 0) {
        TRY(payment_rows_load(&p->rows, b->conn, true, &p->posting, names, k, err));
    }
    for (size_t i = 0; i < n; i++) {
        struct item *it = items[i];
        it->row = it->rec.for_others ? NULL : payment_rows_find(&p->rows, it->rec.e.payment_id);
    }
    return RC_OK;
}

static void pay_want(void *self, struct account_batch *b, void *item)
{
    const struct payments *p = self;
    const struct item *it = item;

    if (it->row != NULL) {
        payment_book_want(&p->posting, b, it->row, &it->rec);
    }
}

static void add_review(struct payments *p, struct account_batch *b, const struct item *it, enum payment_review code,
                       const char *detail)
{
    struct payment_review_row *r = arena_alloc(&b->arena, sizeof(*r));

    *r = (struct payment_review_row){.next = p->rows.reviews,
                                     .payment_id = it->rec.e.payment_id,
                                     .event_id = it->rec.e.event_id,
                                     .event_type = it->rec.event_type,
                                     .code = code,
                                     .detail = detail,
                                     .event = it->rec.payload};
    p->rows.reviews = r;
    p->reviews[code]++;
}

static void add_step(struct payments *p, struct account_batch *b, const struct item *it,
                     const struct payment_order *after, enum payment_state from, const struct payment_edge *edge,
                     const char *note)
{
    struct payment_row *row = it->row;
    struct payment_step *s = arena_alloc(&b->arena, sizeof(*s));

    *s = (struct payment_step){.from = from,
                               .to = after->state,
                               .version = after->version,
                               .event_id = it->rec.e.event_id,
                               .event_type = it->rec.event_type,
                               .note = note,
                               .tells = edge->tells};
    if (row->callback_target != NULL) {
        s->told = payment_tell(&b->arena, edge->tells, from, after, &it->rec.e);
    }
    if (row->last_step == NULL) {
        row->steps = s;
    } else {
        row->last_step->next = s;
    }
    row->last_step = s;
    p->steps[from][after->state][0]++;
}

static void add_receipt(struct payments *p, struct account_batch *b, const struct item *it,
                        const struct payment_decision *d, bool suspense)
{
    const struct payment_event *e = &it->rec.e;
    struct payment_receipt *r = arena_alloc(&b->arena, sizeof(*r));

    *r = (struct payment_receipt){.next = it->row->receipts,
                                  .channel_txn_id = e->channel_txn_id,
                                  .amount = e->amount,
                                  .suspense = suspense,
                                  .paid_us = e->at_us,
                                  .event_id = e->event_id,
                                  .made = true};
    it->row->receipts = r;
    if (d->edge->asks_refund) {
        char number[PAYMENT_REFUND_ID_BYTES];
        struct payment_request *q = arena_alloc(&b->arena, sizeof(*q));
        payment_refund_number(e->payment_id, e->channel_txn_id, number);
        r->refund_id = arena_strndup(&b->arena, number, strlen(number));
        *q = (struct payment_request){
            .next = p->rows.requests,
            .payment_id = e->payment_id,
            .payload = payment_tell_request(&b->arena, &it->row->o, e, r->refund_id, strrchr(d->edge->tells, '.') + 1)};
        p->rows.requests = q;
    }
}

static void add_refund(struct account_batch *b, const struct item *it, bool suspense)
{
    const struct payment_event *e = &it->rec.e;
    struct payment_refund *r = arena_alloc(&b->arena, sizeof(*r));

    *r = (struct payment_refund){.next = it->row->refunds,
                                 .refund_id = e->refund_id,
                                 .channel_txn_id = e->channel_txn_id,
                                 .amount = e->amount,
                                 .currency = e->currency,
                                 .suspense = suspense,
                                 .event_id = e->event_id,
                                 .made = true};
    it->row->refunds = r;
}

/* The rows of what has happened. before: the order as it was. */
static void record(struct payments *p, struct account_batch *b, const struct item *it,
                   const struct payment_order *before, const struct payment_decision *d, enum payment_booked booked,
                   const char *note)
{
    const struct payment_event *e = &it->rec.e;
    enum payment_state from = before->state;
    enum payment_booking booking = booked == BOOKED_INSTEAD ? d->fallback : d->booking;

    if (d->via != NULL) {
        struct payment_order between = *before;
        between.state = d->via->to;
        between.version++;
        add_step(p, b, it, &between, from, d->via, NULL);
        from = between.state;
    }
    add_step(p, b, it, &it->row->o, from, d->edge, note);
    if (e->type == PAYMENT_SUCCEEDED) {
        add_receipt(p, b, it, d, booking == BOOK_SUSPEND);
    } else if (e->type == PAYMENT_REFUND) {
        add_refund(b, it, d->refund_of_suspense);
    }
}

/* Asks the ledger. *out_code: why the booking was refused, or what was to be booked instead of it. */
static enum payment_booked book(const struct payments *p, struct account_batch *b, const struct item *it,
                                const struct payment_decision *d, enum ledger_code *out_code)
{
    enum ledger_code other = CODE_OK;

    *out_code = CODE_OK;
    if (d->booking == BOOK_NONE ||
        payment_book(&p->posting, b, it->row, &it->rec, d->booking, d->booked_amount, false, out_code)) {
        return BOOKED;
    }
    if (d->fallback == BOOK_NONE) {
        return BOOKED_NOTHING;
    }
    if (payment_book(&p->posting, b, it->row, &it->rec, d->fallback, d->booked_amount, true, &other)) {
        return BOOKED_INSTEAD;
    }
    *out_code = other;
    return BOOKED_NOTHING;
}

static enum rc pay_decide(void *self, struct account_batch *b, void *item, struct ledger_result *out,
                          const char **out_class, struct err *err)
{
    struct payments *p = self;
    struct item *it = item;
    struct payment_decision d;
    struct payment_seen seen;
    enum ledger_code code = CODE_OK;

    (void)out_class;
    (void)err;
    *out = (struct ledger_result){.outcome = OUTCOME_APPLIED, .code = CODE_OK};
    if (it->rec.for_others || payment_rows_reviewed(&p->rows, &it->rec.e)) {
        out->outcome = OUTCOME_DUPLICATE; /* brings nothing new: what is counted as applied has left a row */
        return RC_OK;
    }
    if (it->row == NULL) {
        out->outcome = OUTCOME_REJECTED;
        add_review(p, b, it, REVIEW_PAYMENT_UNKNOWN, payment_review_text(REVIEW_PAYMENT_UNKNOWN));
        return RC_OK;
    }
    struct payment_order before = it->row->o;
    payment_rows_seen(it->row, &it->rec.e, &seen);
    payment_event_resolve(&it->rec.e, &seen);
    payment_decide(&before, &it->rec.e, &seen, posting_window_days(&p->posting, before.channel), &d);
    enum payment_booked booked = book(p, b, it, &d, &code);
    enum payment_review review = payment_apply(&it->row->o, &it->rec.e, &d, booked);
    if (payment_moves(&d, booked)) {
        record(p, b, it, &before, &d, booked, payment_tell_note(&b->arena, &d, booked, code));
    } else if (d.edge->answer == ANSWER_REPEAT) {
        out->outcome = OUTCOME_DUPLICATE;
        p->steps[before.state][before.state][1]++;
    } else {
        out->outcome = OUTCOME_REJECTED;
    }
    if (review != REVIEW_NONE) {
        add_review(p, b, it, review, payment_tell_review(&b->arena, review, &before, &it->rec.e, code));
    }
    return RC_OK;
}

static enum rc pay_write(void *self, struct account_batch *b, struct err *err)
{
    struct payments *p = self;

    return p->rows.arena == NULL ? RC_OK : payment_rows_write(&p->rows, b->conn, err);
}

static void pay_committed(void *self)
{
    const struct payments *p = self;

    for (size_t from = 0; from < PAYMENT_STATES; from++) {
        for (size_t to = 0; to < PAYMENT_STATES; to++) {
            for (size_t again = 0; again < 2; again++) {
                if (p->steps[from][to][again] > 0) {
                    metric_add(p->step_counts[from][to][again], (double)p->steps[from][to][again]);
                }
            }
        }
    }
    for (size_t i = 1; i < PAYMENT_REVIEWS; i++) {
        metric_add(p->review_counts[i], (double)p->reviews[i]);
    }
}

static enum rc pay_tick(void *self, PGconn *conn, struct err *err)
{
    struct payments *p = self;
    int64_t n = 0;

    TRY(sweep_orders(conn, &SWEEP, &n, err));
    metric_add(p->asked, (double)n);
    return RC_OK;
}

/* Series that can be: the steps of the table, and repetitions in each state. */
static void make_metrics(struct payments *p)
{
    static const char name[] = "txn_state_transition_total";
    static const char help[] = "Transitions of payments that were committed; is_idempotent: events that brought nothing"
                               " new.";

    for (int from = 0; from < PAYMENT_STATES; from++) {
        for (int to = 0; to < PAYMENT_STATES; to++) {
            for (int again = 0; again < 2; again++) {
                bool possible = again == 1 && from == to;
                for (int e = 0; again == 0 && e < PAYMENT_EVENTS; e++) {
                    possible = possible || payment_step_legal((enum payment_state)from, (enum payment_event_type)e,
                                                              (enum payment_state)to);
                }
                if (possible) {
                    p->step_counts[from][to][again] =
                        metric_counter(name, help, "from_state=\"%s\",to_state=\"%s\",is_idempotent=\"%s\"",
                                       PAYMENT_STATE_NAMES[from], PAYMENT_STATE_NAMES[to], again ? "true" : "false");
                }
            }
        }
    }
    for (int i = 1; i < PAYMENT_REVIEWS; i++) {
        p->review_counts[i] =
            metric_counter("sluice_account_payment_reviews_total", "Payment events that a person has to look at.",
                           "code=\"%s\"", PAYMENT_REVIEW_NAMES[i]);
    }
    p->asked = metric_counter("sluice_account_payment_expiries_total", "Orders whose expiry was asked for.", NULL);
}

enum rc payments_posting(const struct config *cfg, struct posting *out, struct err *err)
{
    const struct embedded *file = embedded_find(SCHEMAS_JSON, SCHEMAS_JSON_n, "posting.json");

    return posting_load(config_str(cfg, "account.posting.file"), file->text, file->size, out, err);
}

enum rc payments_create(const struct avro_set *set, const struct posting *posting, struct payments **out_payments,
                        struct err *err)
{
    struct payment_reader *in = NULL;

    TRY(payment_reader_create(set, &in, err));
    struct payments *p = xcalloc(1, sizeof(*p));
    p->in = in;
    p->posting = *posting;
    p->reader = (struct account_reader){.topic = PAYMENTS_TOPIC,
                                        .self = p,
                                        .session = pay_session,
                                        .begin = pay_begin,
                                        .parse = pay_parse,
                                        .load = pay_load,
                                        .want = pay_want,
                                        .decide = pay_decide,
                                        .write = pay_write,
                                        .committed = pay_committed,
                                        .tick = pay_tick};
    make_metrics(p);
    *out_payments = p;
    return RC_OK;
}

struct payments *payments_free(struct payments *p)
{
    if (p != NULL) {
        payment_reader_free(p->in);
        free(p);
    }
    return NULL;
}

const struct account_reader *payments_reader(const struct payments *p)
{
    return &p->reader;
}
