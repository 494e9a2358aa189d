/* SPDX-License-Identifier: Apache-2.0 */
/* Transfers merged with their flows, in the order of transfer_id: I1 for each transfer, I4, I8. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "internal.h"
#include "pg/copy_out.h"

enum flow_field {
    F_TRANSFER,
    F_ACCOUNT,
    F_SLOT,
    F_VERSION,
    F_KIND,
    F_AMOUNT,
    F_FROZEN_DELTA,
    F_INCOMING_DELTA,
    F_CURRENCY,
    F_EVENT
};
static const char FLOWS[] = "SELECT transfer_id, account_id, slot, version, kind, amount, frozen_delta, incoming_delta,"
                            " currency, event_id FROM account_flows ORDER BY transfer_id";

enum transfer_field {
    T_ID,
    T_STATE,
    T_CODE,
    T_DEBIT,
    T_CREDIT,
    T_DEBIT_SLOT,
    T_CREDIT_SLOT,
    T_AMOUNT,
    T_CONFIRMED,
    T_CURRENCY,
    T_EVENT
};
static const char TRANSFERS[] =
    "SELECT transfer_id, state, code, debit_account, credit_account, debit_slot, credit_slot, amount,"
    " confirmed_amount, currency, event_id FROM account_transfers ORDER BY transfer_id";

enum kind { POST, HOLD, CONFIRM, CANCEL, EXPIRE, MERGE, KINDS };
static const char *const KIND_NAMES[KINDS] = {"post", "hold", "confirm", "cancel", "expire", "merge"};
enum side { DEBIT, CREDIT, SIDES };
static const char *const SIDE_NAMES[SIDES] = {"debit", "credit"};

/* What the flows of one transfer came to. */
struct leg {
    int64_t n;
    int64_t amount, frozen, incoming, slot; /* of the last one */
    bool other_event;                       /* than the one that decided the transfer */
};
struct group {
    char *id;
    struct leg legs[KINDS][SIDES];
    wide amount, frozen, incoming;
    int64_t n, merges;
    bool stranger; /* on an account that is not of the transfer */
    bool other_currency;
};

/* Which kinds of flows a state has. */
static const struct {
    const char *state;
    bool has[KINDS];
    int decides; /* the kind that decided the state; KINDS = none */
} STATES[] = {
    {"posted", {[POST] = true}, POST},
    {"held", {[HOLD] = true}, HOLD},
    {"confirmed", {[HOLD] = true, [CONFIRM] = true}, CONFIRM},
    {"cancelled", {[HOLD] = true, [CANCEL] = true}, CANCEL},
    {"expired", {[HOLD] = true, [EXPIRE] = true}, EXPIRE},
    {"rejected", {false}, KINDS},
    {"cancelled_empty", {false}, KINDS},
};

struct pass {
    struct checker *c;
    struct copy_out flows, transfers;
    struct group g;
};

static enum kind kind_of(const char *name)
{
    int k = 0;
    while (k < MERGE && strcmp(name, KIND_NAMES[k]) != 0) {
        k++;
    }
    return (enum kind)k;
}

static void take_flow(struct pass *p, bool known)
{
    struct group *g = &p->g;
    const struct copy_out *f = &p->flows;
    const struct copy_out *t = &p->transfers;
    enum kind kind = kind_of(copy_out_text(f, F_KIND));
    enum side side = DEBIT;

    g->n++;
    g->merges += kind == MERGE;
    g->amount += copy_out_int(f, F_AMOUNT);
    g->frozen += copy_out_int(f, F_FROZEN_DELTA);
    g->incoming += copy_out_int(f, F_INCOMING_DELTA);
    if (!known) {
        return;
    }
    if (strcmp(copy_out_text(f, F_ACCOUNT), copy_out_text(t, T_DEBIT)) != 0) {
        side = CREDIT;
        g->stranger = g->stranger || strcmp(copy_out_text(f, F_ACCOUNT), copy_out_text(t, T_CREDIT)) != 0;
    }
    g->other_currency = g->other_currency || strcmp(copy_out_text(f, F_CURRENCY), copy_out_text(t, T_CURRENCY)) != 0;
    struct leg *leg = &g->legs[kind][side];
    leg->n++;
    leg->amount = copy_out_int(f, F_AMOUNT);
    leg->frozen = copy_out_int(f, F_FROZEN_DELTA);
    leg->incoming = copy_out_int(f, F_INCOMING_DELTA);
    leg->slot = copy_out_int(f, F_SLOT);
    leg->other_event = strcmp(copy_out_text(f, F_EVENT), copy_out_text(t, T_EVENT)) != 0;
}

/* All flows with the id of g. */
static enum rc gather(struct pass *p, bool known, struct err *err)
{
    while (p->flows.row != NULL && strcmp(copy_out_text(&p->flows, F_TRANSFER), p->g.id) == 0) {
        take_flow(p, known);
        TRY(check_step(p->c, err));
        TRY(copy_out_next(&p->flows, err));
    }
    return RC_OK;
}

static void begin(struct pass *p, const char *id)
{
    freep(&p->g.id);
    p->g = (struct group){.id = xstrdup(id)};
}

static void judge_sum(struct pass *p, const char *where)
{
    char found[WIDE_TEXT_MAX];
    if (p->g.amount != 0) {
        offend(p->c, CHECK_I1, where, "its flows do not sum up to zero", "0", wide_text(p->g.amount, found));
    }
}

/* Flows that belong to no transfer: a merge of slots, which moves and adds nothing; else an offender. */
static enum rc judge_orphans(struct pass *p, struct err *err)
{
    begin(p, copy_out_text(&p->flows, F_TRANSFER));
    CLEANUP(freep) char *where = xasprintf("transfer %s", p->g.id);
    TRY(gather(p, false, err));
    judge_sum(p, where);
    if (p->g.merges == p->g.n && strncmp(p->g.id, "merge:", 6) == 0) {
        if (p->g.frozen != 0 || p->g.incoming != 0) {
            char found[WIDE_TEXT_MAX];
            offend(p->c, CHECK_I4, where, "a merge of slots changed what is frozen or incoming", "0",
                   wide_text(p->g.frozen != 0 ? p->g.frozen : p->g.incoming, found));
        }
        return RC_OK;
    }
    offend_int(p->c, CHECK_I4, where, "there are flows of a transfer that is not there", 0, p->g.n);
    return RC_OK;
}

/* What the flow of this kind on this side must have done. */
static struct leg wanted(const struct copy_out *t, enum kind kind, enum side side)
{
    int64_t amount = copy_out_int(t, T_AMOUNT);
    int64_t booked = kind == CONFIRM ? copy_out_int(t, T_CONFIRMED) : amount;
    bool books = kind == POST || kind == CONFIRM;
    int64_t held = kind == HOLD ? amount : (kind == POST ? 0 : -amount);

    return (struct leg){.n = 1,
                        .amount = books ? (side == DEBIT ? -booked : booked) : 0,
                        .frozen = side == DEBIT ? held : 0,
                        .incoming = side == CREDIT ? held : 0};
}

static void judge_leg(struct pass *p, const char *where, enum kind kind, enum side side, bool decides)
{
    const struct copy_out *t = &p->transfers;
    const struct leg *leg = &p->g.legs[kind][side];
    const struct leg want = wanted(t, kind, side);
    int64_t slot = copy_out_int(t, side == DEBIT ? T_DEBIT_SLOT : T_CREDIT_SLOT);
    CLEANUP(freep) char *what = NULL;

    if (leg->amount != want.amount || leg->frozen != want.frozen || leg->incoming != want.incoming) {
        CLEANUP(freep)
        char *expected = xasprintf("amount %" PRId64 " frozen %" PRId64 " incoming %" PRId64, want.amount, want.frozen,
                                   want.incoming);
        CLEANUP(freep)
        char *found = xasprintf("amount %" PRId64 " frozen %" PRId64 " incoming %" PRId64, leg->amount, leg->frozen,
                                leg->incoming);
        what = xasprintf("its %s flow on the %s side moves something else", KIND_NAMES[kind], SIDE_NAMES[side]);
        offend(p->c, CHECK_I4, where, what, expected, found);
    }
    /* an open hold may have been moved to slot 0 after it was made */
    if (decides && leg->slot != slot && (kind != HOLD || slot != 0)) {
        freep(&what);
        what = xasprintf("its %s flow on the %s side is in another slot", KIND_NAMES[kind], SIDE_NAMES[side]);
        offend_int(p->c, CHECK_I4, where, what, slot, leg->slot);
    }
    if (decides && leg->other_event) {
        freep(&what);
        what = xasprintf("its %s flow on the %s side is of another event", KIND_NAMES[kind], SIDE_NAMES[side]);
        offend(p->c, CHECK_I4, where, what, copy_out_text(t, T_EVENT), "another one");
    }
}

static void judge_legs(struct pass *p, const char *where, size_t state)
{
    bool moves = STATES[state].decides != KINDS;

    for (int k = 0; k < KINDS; k++) {
        for (int s = 0; s < SIDES; s++) {
            int64_t want = STATES[state].has[k] ? 1 : 0;
            const struct leg *leg = &p->g.legs[k][s];
            if (leg->n != want) {
                CLEANUP(freep)
                char *what = xasprintf("it is %s and has another number of %s flows on the %s side",
                                       STATES[state].state, KIND_NAMES[k], SIDE_NAMES[s]);
                offend_int(p->c, moves ? CHECK_I4 : CHECK_I8, where, what, want, leg->n);
            } else if (want == 1) {
                judge_leg(p, where, (enum kind)k, (enum side)s, k == STATES[state].decides);
            }
        }
    }
}

static void judge_amounts(struct pass *p, const char *where, const char *state)
{
    const struct copy_out *t = &p->transfers;
    bool confirmed = strcmp(state, "confirmed") == 0;
    int64_t amount = copy_out_int(t, T_AMOUNT);
    int64_t booked = copy_out_int(t, T_CONFIRMED);

    if (amount <= 0) {
        offend(p->c, CHECK_I4, where, "its amount is not positive", "1 or more",
               copy_out_null(t, T_AMOUNT) ? "NULL" : "");
    }
    if (confirmed && (copy_out_null(t, T_CONFIRMED) || booked <= 0 || booked > amount)) {
        offend_int(p->c, CHECK_I4, where, "more was confirmed than was held, or nothing", amount, booked);
    }
    if (p->g.stranger) {
        offend(p->c, CHECK_I4, where, "it has flows on an account that is not its own", copy_out_text(t, T_DEBIT),
               "another one");
    }
    if (p->g.other_currency) {
        offend(p->c, CHECK_I4, where, "it has flows of another currency", copy_out_text(t, T_CURRENCY), "another one");
    }
}

static enum rc judge_transfer(struct pass *p, struct err *err)
{
    const char *state = copy_out_text(&p->transfers, T_STATE);
    size_t i = 0;

    begin(p, copy_out_text(&p->transfers, T_ID));
    CLEANUP(freep) char *where = xasprintf("transfer %s", p->g.id);
    TRY(gather(p, true, err));
    p->c->report->transfers++;
    judge_sum(p, where);
    while (i < ARRAY_SIZE(STATES) && strcmp(state, STATES[i].state) != 0) {
        i++;
    }
    if (i == ARRAY_SIZE(STATES)) {
        offend(p->c, CHECK_I4, where, "there is no such state", "", state);
    } else {
        judge_legs(p, where, i);
        if (STATES[i].decides != KINDS) {
            judge_amounts(p, where, state);
        }
        if (strcmp(state, "rejected") == 0 && copy_out_null(&p->transfers, T_CODE)) {
            offend(p->c, CHECK_I8, where, "it was rejected without a code", "a code", "NULL");
        }
    }
    TRY(check_step(p->c, err));
    return copy_out_next(&p->transfers, err);
}

static enum rc merge(struct pass *p, struct err *err)
{
    TRY(copy_out_begin(&p->flows, p->c->conns[0], FLOWS, err));
    TRY(copy_out_begin(&p->transfers, p->c->conns[1], TRANSFERS, err));
    TRY(copy_out_next(&p->flows, err));
    TRY(copy_out_next(&p->transfers, err));
    while (p->flows.row != NULL || p->transfers.row != NULL) {
        bool orphan = p->flows.row != NULL &&
                      (p->transfers.row == NULL ||
                       strcmp(copy_out_text(&p->flows, F_TRANSFER), copy_out_text(&p->transfers, T_ID)) < 0);
        TRY(orphan ? judge_orphans(p, err) : judge_transfer(p, err));
    }
    return RC_OK;
}

enum rc check_transfers(struct checker *c, struct err *err)
{
    struct pass p = {.c = c};
    enum rc rc = merge(&p, err);

    copy_out_done(&p.flows);
    copy_out_done(&p.transfers);
    freep(&p.g.id);
    return rc;
}
