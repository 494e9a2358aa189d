/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every word of length 1 to 6 over {Try, Try', Confirm, Confirm', Cancel, Cancel', Expire}, 137,256 of them, against a
 * model of its own: a letter that comes again is the same record again (same event id), a primed one the same command
 * in another record, or, in the later passes, another command under the same transfer id.
 *
 * Each word twice: all letters in one batch, and each letter in a batch that starts from what the ones before it left.
 * After every letter: the answer, the transfer's state and amounts, the counters of both accounts, and the number of
 * flows and decisions.
 */
#include "bank.h"

#include <stdio.h>
#include <string.h>

#define LETTERS 7
#define LENGTH_MAX 6
#define WORDS 137256
#define EXPIRES_US (BANK_NOW_US + 60 * BANK_SECOND_US)

enum letter { TRY, TRY_2, CONFIRM, CONFIRM_2, CANCEL, CANCEL_2, EXPIRE };
static const char *const EVENTS[LETTERS] = {"try", "try'", "confirm", "confirm'", "cancel", "cancel'", "expire"};

/* What differs from pass to pass. */
struct pass {
    const char *name;
    int64_t funds;        /* of the debit account, which may not be negative */
    int64_t tried[2];     /* Try, Try' */
    int64_t confirmed[2]; /* Confirm, Confirm'; 0 = all of it */
    bool late[2];         /* they are asked after the expiry */
    bool early;           /* Expire is asked before it */
};

static const struct pass PASSES[] = {
    {.name = "the same commands", .funds = 1000, .tried = {100, 100}},
    {.name = "other amounts", .funds = 1000, .tried = {100, 60}, .confirmed = {0, 60}},
    {.name = "too little for the first try", .funds = 80, .tried = {100, 60}, .confirmed = {30, 90}},
    {.name = "out of time", .funds = 1000, .tried = {100, 100}, .late = {false, true}, .early = true},
    {.name = "all too late", .funds = 1000, .tried = {100, 100}, .late = {true, true}},
};

/* ---- the model: a table of states, and what each letter does; it shares nothing with the ledger but names ---- */

enum node { NOTHING, OPEN, BOOKED, BACK, LAPSED, REFUSED, EMPTY };
struct model {
    enum node node;
    int64_t amount, booked;
    int by;            /* which try made it: 0 or 1 */
    int told[LETTERS]; /* answer that is remembered for this record: -1 none, else the code, CODE_OK = applied */
    int flows, decisions;
};
struct told {
    enum ledger_outcome outcome;
    enum ledger_code code;
};

static struct told yes(void)
{
    return (struct told){OUTCOME_APPLIED, CODE_OK};
}

static struct told again(enum ledger_code code)
{
    return (struct told){OUTCOME_DUPLICATE, code};
}

static struct told no(enum ledger_code code)
{
    return (struct told){OUTCOME_REJECTED, code};
}

static struct told model_try(struct model *m, const struct pass *p, int which)
{
    bool same = p->tried[which] == p->tried[m->by];
    switch (m->node) {
    case NOTHING:
        m->by = which;
        m->amount = p->tried[which];
        m->node = m->amount > p->funds ? REFUSED : OPEN;
        return m->node == OPEN ? yes() : no(CODE_INSUFFICIENT_FUNDS);
    case EMPTY:
        return no(CODE_CANCELLED_BEFORE_TRY);
    case REFUSED:
        return same ? again(CODE_ALREADY_REJECTED) : no(CODE_EXISTS_WITH_DIFFERENT_CONTENT);
    case OPEN:
    case BOOKED:
    case BACK:
    case LAPSED:
        break;
    }
    return same ? again(CODE_EXISTS) : no(CODE_EXISTS_WITH_DIFFERENT_CONTENT);
}

static struct told model_confirm(struct model *m, const struct pass *p, int which)
{
    int64_t amount = p->confirmed[which] == 0 ? m->amount : p->confirmed[which];
    switch (m->node) {
    case NOTHING:
        return no(CODE_TRANSFER_NOT_FOUND);
    case OPEN:
        if (p->late[which]) {
            return no(CODE_HOLD_EXPIRED);
        }
        if (amount > m->amount) {
            return no(CODE_AMOUNT_EXCEEDS_HOLD);
        }
        m->node = BOOKED;
        m->booked = amount;
        return yes();
    case BOOKED:
        return amount == m->booked ? again(CODE_EXISTS) : no(CODE_HOLD_CONFIRMED_WITH_DIFFERENT_AMOUNT);
    case LAPSED:
        return no(CODE_HOLD_EXPIRED);
    case REFUSED:
        return no(CODE_NOT_A_HOLD);
    case BACK:
    case EMPTY:
        break;
    }
    return no(CODE_HOLD_CANCELLED);
}

static struct told model_end(struct model *m, const struct pass *p, bool cancel)
{
    switch (m->node) {
    case NOTHING:
        m->node = cancel ? EMPTY : NOTHING;
        return cancel ? yes() : no(CODE_TRANSFER_NOT_FOUND);
    case OPEN:
        if (!cancel && p->early) {
            return no(CODE_HOLD_NOT_EXPIRED);
        }
        m->node = cancel ? BACK : LAPSED;
        return yes();
    case BOOKED:
        return no(CODE_HOLD_CONFIRMED);
    case REFUSED:
        return no(CODE_NOT_A_HOLD);
    case LAPSED:
        return cancel ? no(CODE_HOLD_EXPIRED) : again(CODE_EXISTS);
    case BACK:
    case EMPTY:
        break;
    }
    return cancel ? again(CODE_EXISTS) : no(CODE_HOLD_CANCELLED);
}

static struct told model_letter(struct model *m, const struct pass *p, enum letter letter)
{
    enum node before = m->node;
    struct told t;
    if (m->told[letter] >= 0) { /* this very record was answered without a flow: that answer */
        return again(m->told[letter] == CODE_OK ? CODE_EXISTS : (enum ledger_code)m->told[letter]);
    }
    if (letter <= TRY_2) {
        t = model_try(m, p, letter == TRY_2);
    } else if (letter <= CONFIRM_2) {
        t = model_confirm(m, p, letter == CONFIRM_2);
    } else {
        t = model_end(m, p, letter != EXPIRE);
    }
    bool moved = m->node != before && m->node != EMPTY && m->node != REFUSED;
    bool decision = t.outcome == OUTCOME_REJECTED || (m->node == EMPTY && before != EMPTY);
    m->flows += moved ? 2 : 0;
    m->decisions += decision ? 1 : 0;
    m->told[letter] = decision ? (int)t.code : -1;
    return t;
}

/* ---- the ledger's side ---- */

struct world {
    struct ledger_account debit, credit;
    struct ledger_transfer t; /* state ABSENT: none */
    int told[LETTERS];
};

struct letters {
    struct ledger_command at[LETTERS];
};

static void letters_of(const struct pass *p, struct letters *out)
{
    for (int i = 0; i < LETTERS; i++) {
        bool second = i == TRY_2 || i == CONFIRM_2 || i == CANCEL_2;
        enum ledger_op op = i <= TRY_2 ? OP_TRY : i <= CONFIRM_2 ? OP_CONFIRM : i <= CANCEL_2 ? OP_CANCEL : OP_EXPIRE;
        int64_t amount = op == OP_TRY ? p->tried[second] : op == OP_CONFIRM ? p->confirmed[second] : 0;
        struct ledger_command *c = &out->at[i];
        *c = bank_command(op, EVENTS[i], "t", "a", op == OP_TRY ? "b" : "", amount);
        c->expires_us = op == OP_TRY ? EXPIRES_US : LEDGER_NO_TIME;
        c->caller = op == OP_EXPIRE ? "" : "shop";
        c->issued_us = op == OP_CONFIRM  ? EXPIRES_US + (p->late[second] ? 1 : 0)
                       : op == OP_EXPIRE ? EXPIRES_US - (p->early ? 1 : 0)
                                         : BANK_NOW_US;
        bank_hash_content(c);
    }
}

static struct world world_start(const struct pass *p)
{
    struct world w = {.debit = {.account_id = "a",
                                .exists = true,
                                .currency = "CNY",
                                .exponent = 2,
                                .settings_version = 1,
                                .balance = p->funds,
                                .version = 7,
                                .settings = {.no_negative = true}}};
    w.credit = w.debit;
    w.credit.account_id = "b";
    w.credit.balance = 0;
    for (int i = 0; i < LETTERS; i++) {
        w.told[i] = -1;
    }
    return w;
}

static void put_world(struct ledger *l, const struct world *w)
{
    const struct ledger_want_account *wants = NULL;
    if (w->t.state != TRANSFER_ABSENT) {
        ledger_put_transfer(l, &w->t);
    }
    const char *const *events = NULL;
    size_t n = ledger_wanted_events(l, &events);
    for (size_t i = 0; i < n; i++) {
        for (int letter = 0; letter < LETTERS; letter++) {
            if (w->told[letter] >= 0 && strcmp(EVENTS[letter], events[i]) == 0) {
                ledger_put_decided(l, EVENTS[letter], 0, w->told[letter] == CODE_OK, (enum ledger_code)w->told[letter]);
            }
        }
    }
    n = ledger_wanted_accounts(l, &wants);
    for (size_t i = 0; i < n; i++) {
        ledger_put_account(l, wants[i].account_id[0] == 'a' ? &w->debit : &w->credit);
    }
}

/* A literal that outlives the batch, for strings that are always one of these. */
static const char *literal(const char *s)
{
    static const char *const ALL[] = {"a", "b", "t", "CNY", "shop", ""};
    for (size_t i = 0; s != NULL && i < ARRAY_SIZE(ALL); i++) {
        if (strcmp(s, ALL[i]) == 0) {
            return ALL[i];
        }
    }
    for (int i = 0; s != NULL && i < LETTERS; i++) {
        if (strcmp(s, EVENTS[i]) == 0) {
            return EVENTS[i];
        }
    }
    CHECK(s == NULL, "a string from nowhere: %s", s);
    return NULL;
}

static void take_world(const struct ledger *l, struct world *w)
{
    for (size_t i = 0; i < ledger_accounts_n(l); i++) {
        const struct ledger_account *a = ledger_account_at(l, i);
        struct ledger_account *mine = a->account_id[0] == 'a' ? &w->debit : &w->credit;
        const char *id = mine->account_id;
        *mine = *a;
        mine->account_id = id;
        mine->currency = "CNY";
    }
    const struct ledger_transfer *t = ledger_find_transfer(l, "t");
    if (t != NULL) {
        w->t = *t;
        w->t.transfer_id = "t";
        w->t.debit = literal(t->debit);
        w->t.credit = literal(t->credit);
        w->t.currency = literal(t->currency);
        w->t.caller = literal(t->caller);
        w->t.event_id = literal(t->event_id);
        CHECK(t->reference == NULL && t->set_id == NULL, "reference or set");
    }
    const struct ledger_decision *d = NULL;
    size_t n = ledger_decisions(l, &d);
    for (size_t i = 0; i < n; i++) {
        for (int letter = 0; letter < LETTERS; letter++) {
            if (strcmp(EVENTS[letter], d[i].event_id) == 0) {
                w->told[letter] = (int)d[i].code;
            }
        }
    }
}

static const char *spell(const enum letter *word, int n)
{
    static char text[128];
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%s ", EVENTS[word[i]]);
    }
    return text;
}

static void expect_state(const struct model *m, const struct pass *p, const struct ledger_transfer *t,
                         const struct ledger_account *a, const struct ledger_account *b, const char *word)
{
    static const enum ledger_state STATES[] = {
        [NOTHING] = TRANSFER_ABSENT,       [OPEN] = TRANSFER_HELD,      [BOOKED] = TRANSFER_CONFIRMED,
        [BACK] = TRANSFER_CANCELLED,       [LAPSED] = TRANSFER_EXPIRED, [REFUSED] = TRANSFER_REJECTED,
        [EMPTY] = TRANSFER_CANCELLED_EMPTY};
    int64_t held = m->node == OPEN ? m->amount : 0;
    CHECK((t == NULL ? TRANSFER_ABSENT : t->state) == STATES[m->node], "%s: %s: state %s", p->name, word,
          LEDGER_STATE_NAMES[t == NULL ? TRANSFER_ABSENT : t->state]);
    CHECK(t == NULL || m->node == EMPTY || t->amount == m->amount, "%s: %s: amount", p->name, word);
    CHECK(m->node != BOOKED || t->confirmed_amount == m->booked, "%s: %s: confirmed amount", p->name, word);
    CHECK(t == NULL || t->code == (m->node == REFUSED ? CODE_INSUFFICIENT_FUNDS : CODE_OK), "%s: %s: code", p->name,
          word);
    if (a != NULL) {
        CHECK(a->balance == p->funds - m->booked && a->frozen == held && a->incoming == 0, "%s: %s: debit account",
              p->name, word);
        CHECK(b->balance == m->booked && b->incoming == held && b->frozen == 0, "%s: %s: credit account", p->name,
              word);
        CHECK(a->version == 7 + m->flows / 2 && b->version == 7 + m->flows / 2, "%s: %s: versions", p->name, word);
    }
}

static struct model model_start(void)
{
    struct model m = {.node = NOTHING};
    for (int i = 0; i < LETTERS; i++) {
        m.told[i] = -1;
    }
    return m;
}

struct run {
    struct ledger *l;
    const struct pass *pass;
    struct letters letters;
    enum letter word[LENGTH_MAX];
    long words;
};

/* Decides the letter in a batch that is open, and compares. flows and decisions: those of the batches before. */
static void decide_letter(struct run *r, int at, struct model *m, size_t flows, size_t decisions)
{
    const struct ledger_flow *f = NULL;
    const struct ledger_decision *d = NULL;
    struct ledger_result got = {0};
    struct told want = model_letter(m, r->pass, r->word[at]);
    ledger_decide(r->l, &r->letters.at[r->word[at]], &got);
    CHECK(got.outcome == want.outcome && got.code == want.code, "%s: %s: answered %d %s, expected %d %s", r->pass->name,
          spell(r->word, at + 1), got.outcome, ledger_code_name(got.code), want.outcome, ledger_code_name(want.code));
    CHECK(flows + ledger_flows(r->l, &f) == (size_t)m->flows, "%s: %s: number of flows", r->pass->name,
          spell(r->word, at + 1));
    CHECK(decisions + ledger_decisions(r->l, &d) == (size_t)m->decisions, "%s: %s: number of decisions", r->pass->name,
          spell(r->word, at + 1));
}

/* All words that begin with these letters; world and model are as they left them. */
static void one_by_one(struct run *r, int n, const struct world *w, const struct model *m)
{
    struct err err;
    for (int letter = 0; letter < LETTERS && n < LENGTH_MAX; letter++) {
        struct world next = *w;
        struct model model = *m;
        r->word[n] = (enum letter)letter;
        ledger_begin(r->l, BANK_NOW_US);
        ledger_want(r->l, &r->letters.at[letter]);
        put_world(r->l, w);
        decide_letter(r, n, &model, (size_t)m->flows, (size_t)m->decisions);
        CHECK(ledger_seal(r->l, &err) == RC_OK, "%s", err.text);
        take_world(r->l, &next);
        expect_state(&model, r->pass, next.t.state == TRANSFER_ABSENT ? NULL : &next.t, &next.debit, &next.credit,
                     spell(r->word, n + 1));
        r->words++;
        one_by_one(r, n + 1, &next, &model);
    }
}

static void one_batch(struct run *r, int n)
{
    struct world w = world_start(r->pass);
    struct model m = model_start();
    struct err err;
    ledger_begin(r->l, BANK_NOW_US);
    for (int i = 0; i < n; i++) {
        ledger_want(r->l, &r->letters.at[r->word[i]]);
    }
    put_world(r->l, &w);
    for (int i = 0; i < n; i++) {
        decide_letter(r, i, &m, 0, 0);
        expect_state(&m, r->pass, ledger_find_transfer(r->l, "t"), ledger_find_account(r->l, "a"),
                     ledger_find_account(r->l, "b"), "in one batch");
    }
    CHECK(ledger_seal(r->l, &err) == RC_OK, "%s", err.text);
    r->words++;
}

/* Every word of this length; those it begins with are looked at on the way. */
static void all_of_length(struct run *r, int n)
{
    memset(r->word, 0, sizeof r->word);
    for (bool more = true; more;) {
        one_batch(r, n);
        more = false;
        for (int at = n - 1; at >= 0 && !more; at--) {
            more = r->word[at] != EXPIRE;
            r->word[at] = more ? (enum letter)(r->word[at] + 1) : TRY;
        }
    }
}

static void one_pass(const struct pass *p)
{
    struct run r = {.l = ledger_create(), .pass = p};
    letters_of(p, &r.letters);
    struct world w = world_start(p);
    struct model m = model_start();
    one_by_one(&r, 0, &w, &m);
    cr_assert_eq(r.words, WORDS);
    r.words = 0;
    for (int n = 1; n <= LENGTH_MAX; n++) {
        all_of_length(&r, n);
    }
    cr_assert_eq(r.words, WORDS);
    r.l = ledger_free(r.l);
}

Test(ledger_words, the_same_commands)
{
    one_pass(&PASSES[0]);
}

Test(ledger_words, other_amounts)
{
    one_pass(&PASSES[1]);
}

Test(ledger_words, too_little_for_the_first_try)
{
    one_pass(&PASSES[2]);
}

Test(ledger_words, out_of_time)
{
    one_pass(&PASSES[3]);
}

Test(ledger_words, all_too_late)
{
    one_pass(&PASSES[4]);
}
