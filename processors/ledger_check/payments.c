/* SPDX-License-Identifier: Apache-2.0 */
/* Payments merged with the history of their states: I7. */
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "internal.h"
#include "payment/state.h"
#include "pg/copy_out.h"

enum step_field { S_PAYMENT, S_VERSION, S_FROM, S_TO, S_TYPE };
static const char STEPS[] = "SELECT payment_id, version, from_state, to_state, event_type"
                            " FROM payment_state_transitions ORDER BY payment_id, version";
enum payment_field { P_ID, P_STATE, P_VERSION };
static const char PAYMENTS[] = "SELECT payment_id, state, version FROM payment_transactions ORDER BY payment_id";

struct pass {
    struct checker *c;
    struct copy_out steps, payments;
};

static void judge_step(struct pass *p, int64_t version, const char *state)
{
    const struct copy_out *s = &p->steps;
    CLEANUP(freep)
    char *where = xasprintf("payment %s version %" PRId64, copy_out_text(s, S_PAYMENT), copy_out_int(s, S_VERSION));
    enum payment_state from = PAYMENT_INIT;
    enum payment_state to = PAYMENT_INIT;
    enum payment_event_type type = PAYMENT_CREATED;

    if (copy_out_int(s, S_VERSION) != version + 1) {
        offend_int(p->c, CHECK_I7, where, "a version of its history is missing before it, or doubled", version + 1,
                   copy_out_int(s, S_VERSION));
    }
    if (strcmp(copy_out_text(s, S_FROM), state) != 0) {
        offend(p->c, CHECK_I7, where, "the step does not begin where the one before ended", state,
               copy_out_text(s, S_FROM));
    }
    if (!payment_state_parse(copy_out_text(s, S_FROM), &from) || !payment_state_parse(copy_out_text(s, S_TO), &to) ||
        !payment_event_parse(copy_out_text(s, S_TYPE), &type) || !payment_step_legal(from, type, to)) {
        CLEANUP(freep)
        char *found =
            xasprintf("%s from %s to %s", copy_out_text(s, S_TYPE), copy_out_text(s, S_FROM), copy_out_text(s, S_TO));
        offend(p->c, CHECK_I7, where, "there is no such step", "an edge of `sluice topology --states`", found);
    }
}

static enum rc judge_payment(struct pass *p, struct err *err)
{
    const struct copy_out *pay = &p->payments;
    CLEANUP(freep) char *state = xstrdup(PAYMENT_STATE_NAMES[PAYMENT_INIT]);
    CLEANUP(freep) char *where = xasprintf("payment %s", copy_out_text(pay, P_ID));
    int64_t version = 0;

    p->c->report->payments++;
    while (p->steps.row != NULL && strcmp(copy_out_text(&p->steps, S_PAYMENT), copy_out_text(pay, P_ID)) == 0) {
        judge_step(p, version, state);
        version = copy_out_int(&p->steps, S_VERSION);
        freep(&state);
        state = xstrdup(copy_out_text(&p->steps, S_TO));
        p->c->report->transitions++;
        TRY(check_step(p->c, err));
        TRY(copy_out_next(&p->steps, err));
    }
    if (strcmp(state, copy_out_text(pay, P_STATE)) != 0) {
        offend(p->c, CHECK_I7, where, "its state is not where its history ends", state, copy_out_text(pay, P_STATE));
    }
    if (version != copy_out_int(pay, P_VERSION)) {
        offend_int(p->c, CHECK_I7, where, "its version is not that of its last step", version,
                   copy_out_int(pay, P_VERSION));
    }
    TRY(check_step(p->c, err));
    return copy_out_next(&p->payments, err);
}

static enum rc orphan(struct pass *p, struct err *err)
{
    CLEANUP(freep) char *where = xasprintf("payment %s", copy_out_text(&p->steps, S_PAYMENT));
    CLEANUP(freep) char *id = xstrdup(copy_out_text(&p->steps, S_PAYMENT));

    offend(p->c, CHECK_I7, where, "there is a history of a payment that is not there", "a row of payment_transactions",
           "none");
    while (p->steps.row != NULL && strcmp(copy_out_text(&p->steps, S_PAYMENT), id) == 0) {
        TRY(copy_out_next(&p->steps, err));
    }
    return RC_OK;
}

static enum rc merge(struct pass *p, struct err *err)
{
    TRY(copy_out_begin(&p->steps, p->c->conns[0], STEPS, err));
    TRY(copy_out_begin(&p->payments, p->c->conns[1], PAYMENTS, err));
    TRY(copy_out_next(&p->steps, err));
    TRY(copy_out_next(&p->payments, err));
    while (p->steps.row != NULL || p->payments.row != NULL) {
        bool alone = p->steps.row != NULL && (p->payments.row == NULL || strcmp(copy_out_text(&p->steps, S_PAYMENT),
                                                                                copy_out_text(&p->payments, P_ID)) < 0);
        TRY(alone ? orphan(p, err) : judge_payment(p, err));
    }
    return RC_OK;
}

enum rc check_payments(struct checker *c, struct err *err)
{
    struct pass p = {.c = c};
    enum rc rc = merge(&p, err);

    copy_out_done(&p.steps);
    copy_out_done(&p.payments);
    return rc;
}
