/* SPDX-License-Identifier: Apache-2.0 */
/* Slots merged with their flows, in the order of (account_id, slot, version): I1, I2, I3, I6, I9. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/sha256.h"
#include "internal.h"
#include "ledger_check/flow_hash.h"
#include "pg/copy_out.h"
#include "settings.h"
#include "sums.h"

enum flow_field {
    F_ACCOUNT,
    F_SLOT,
    F_VERSION,
    F_KIND,
    F_AMOUNT,
    F_BALANCE,
    F_FROZEN_DELTA,
    F_FROZEN,
    F_INCOMING_DELTA,
    F_INCOMING,
    F_CURRENCY,
    F_TRANSFER,
    F_EVENT,
    F_EFFECTIVE,
    F_HASH,
    F_ID,
    F_QUEUED
};
static const char FLOWS[] =
    "SELECT account_id, slot, version, kind, amount, balance_after, frozen_delta, frozen_after, incoming_delta,"
    " incoming_after, currency, transfer_id, event_id, effective_at, hash, id::text,"
    " queue_seq IS NOT NULL AND queue_txid IS NOT NULL FROM account_flows ORDER BY account_id, slot, version";

enum slot_field {
    S_ACCOUNT,
    S_SLOT,
    S_CURRENCY,
    S_STATUS,
    S_NO_NEGATIVE,
    S_CREDIT_ONLY,
    S_DEBIT_ONLY,
    S_MAX,
    S_SETTINGS,
    S_BALANCE,
    S_FROZEN,
    S_INCOMING,
    S_VERSION,
    S_HASH
};
static const char SLOTS[] =
    "SELECT account_id, slot, currency, status, no_negative, credit_only, debit_only, max_balance, settings_version,"
    " balance, frozen, incoming, version, hash FROM account_slots ORDER BY account_id, slot";

/* What a slot had after its last flow. */
struct running {
    int64_t version, balance, frozen, incoming;
    unsigned char hash[HASH_BYTES];
};

struct pass {
    struct checker *c;
    struct copy_out flows, slots;
    struct timeline timeline;
    char *account; /* of the slot before; "" at first */
    struct settings account_settings;
    char *account_currency;
    struct running now;
    struct sums flow_sums, balance_sums; /* by currency */
};

static struct settings slot_settings(const struct copy_out *s)
{
    return (struct settings){.settings_version = copy_out_int(s, S_SETTINGS),
                             .status = copy_out_text(s, S_STATUS)[0],
                             .no_negative = copy_out_bool(s, S_NO_NEGATIVE),
                             .credit_only = copy_out_bool(s, S_CREDIT_ONLY),
                             .debit_only = copy_out_bool(s, S_DEBIT_ONLY),
                             .has_max = !copy_out_null(s, S_MAX),
                             .max_balance = copy_out_int(s, S_MAX)};
}

/* ---- one flow; where is made only for offenders ---- */

static char *flow_name(const struct pass *p)
{
    return xasprintf("account %s slot %" PRId64 " version %" PRId64, copy_out_text(&p->flows, F_ACCOUNT),
                     copy_out_int(&p->flows, F_SLOT), copy_out_int(&p->flows, F_VERSION));
}

static void bad(struct pass *p, enum check_id id, const char *what, int64_t expected, int64_t found)
{
    CLEANUP(freep) char *where = flow_name(p);
    offend_int(p->c, id, where, what, expected, found);
}

static void bad_text(struct pass *p, enum check_id id, const char *what, const char *expected, const char *found)
{
    CLEANUP(freep) char *where = flow_name(p);
    offend(p->c, id, where, what, expected, found);
}

static void judge_chain(struct pass *p, const char *currency)
{
    const struct copy_out *f = &p->flows;
    const struct running *was = &p->now;
    const struct {
        int64_t before;
        enum flow_field delta, after;
        const char *what;
    } counters[] = {
        {was->balance, F_AMOUNT, F_BALANCE, "balance_after is not the balance before and the amount"},
        {was->frozen, F_FROZEN_DELTA, F_FROZEN, "frozen_after is not what was frozen and frozen_delta"},
        {was->incoming, F_INCOMING_DELTA, F_INCOMING, "incoming_after is not what was incoming and incoming_delta"},
    };
    int64_t version = copy_out_int(f, F_VERSION);

    if (version != was->version + 1) {
        bad(p, CHECK_I2, "a version is missing before it", was->version + 1, version);
    }
    for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
        int64_t after = copy_out_int(f, (int)counters[i].after);
        int64_t sum = 0;
        if (__builtin_add_overflow(counters[i].before, copy_out_int(f, (int)counters[i].delta), &sum) || sum != after) {
            bad(p, CHECK_I2, counters[i].what, sum, after);
        }
    }
    if (strcmp(currency, copy_out_text(f, F_CURRENCY)) != 0) {
        bad_text(p, CHECK_I2, "the flow has another currency than its account", currency, copy_out_text(f, F_CURRENCY));
    }
}

static void judge_limits(struct pass *p, const struct settings *s)
{
    const struct copy_out *f = &p->flows;
    const char *kind = copy_out_text(f, F_KIND);
    bool begins = strcmp(kind, "post") == 0 || strcmp(kind, "hold") == 0;
    bool gives = copy_out_int(f, F_AMOUNT) < 0 || copy_out_int(f, F_FROZEN_DELTA) > 0;
    bool takes = copy_out_int(f, F_AMOUNT) > 0 || copy_out_int(f, F_INCOMING_DELTA) > 0;
    wide available = (wide)copy_out_int(f, F_BALANCE) - copy_out_int(f, F_FROZEN);
    wide expected = (wide)copy_out_int(f, F_BALANCE) + copy_out_int(f, F_INCOMING);
    char text[WIDE_TEXT_MAX];

    if (s->no_negative && available < 0) {
        bad_text(p, CHECK_I3, "no_negative: the balance without what is frozen fell below zero", "0 or more",
                 wide_text(available, text));
    }
    if (s->has_max && expected > s->max_balance) {
        CLEANUP(freep) char *most = xasprintf("%" PRId64 " or less", s->max_balance);
        bad_text(p, CHECK_I3, "max_balance: the balance and what is incoming rose above it", most,
                 wide_text(expected, text));
    }
    if (s->credit_only && begins && gives) {
        bad_text(p, CHECK_I3, "credit_only: the account gave", "credits only", kind);
    }
    if (s->debit_only && begins && takes) {
        bad_text(p, CHECK_I3, "debit_only: the account took", "debits only", kind);
    }
    if (s->status != 'o' && begins) {
        bad_text(p, CHECK_I3, s->status == 'f' ? "booked while it was frozen" : "booked while it was closed",
                 "no flow that begins anything", kind);
    }
}

static void judge_link(struct pass *p)
{
    const struct copy_out *f = &p->flows;
    const struct hashed_flow flow = {.account_id = copy_out_text(f, F_ACCOUNT),
                                     .slot = copy_out_int(f, F_SLOT),
                                     .version = copy_out_int(f, F_VERSION),
                                     .amount = copy_out_int(f, F_AMOUNT),
                                     .balance_after = copy_out_int(f, F_BALANCE),
                                     .frozen_delta = copy_out_int(f, F_FROZEN_DELTA),
                                     .frozen_after = copy_out_int(f, F_FROZEN),
                                     .incoming_delta = copy_out_int(f, F_INCOMING_DELTA),
                                     .incoming_after = copy_out_int(f, F_INCOMING),
                                     .kind = copy_out_text(f, F_KIND),
                                     .transfer_id = copy_out_text(f, F_TRANSFER),
                                     .event_id = copy_out_text(f, F_EVENT),
                                     .effective_us = copy_out_time(f, F_EFFECTIVE)};
    unsigned char hash[HASH_BYTES];
    bool whole = f->lengths[F_HASH] == HASH_BYTES;

    flow_hash_of(p->now.hash, &flow, hash);
    if (!whole || memcmp(hash, f->values[F_HASH], HASH_BYTES) != 0) {
        char expected[2 * HASH_BYTES + 1];
        char found[2 * HASH_BYTES + 1] = "";
        sha256_hex(hash, HASH_BYTES, expected);
        if (whole) {
            sha256_hex((const unsigned char *)f->values[F_HASH], HASH_BYTES, found);
        }
        bad_text(p, CHECK_I9, "the hash is not that of the flow before and this one", expected, found);
    }
    memset(p->now.hash, 0, HASH_BYTES);
    if (whole) {
        memcpy(p->now.hash, f->values[F_HASH], HASH_BYTES); /* so that one broken link is one offender */
    }
}

static void judge_outbox(struct pass *p)
{
    char id[FLOW_ID_TEXT_MAX];

    flow_hash_id(p->now.hash, id);
    if (strcmp(id, copy_out_text(&p->flows, F_ID)) != 0) {
        bad_text(p, CHECK_I6, "the id is not the one that follows from the hash", id, copy_out_text(&p->flows, F_ID));
    }
    if (!copy_out_bool(&p->flows, F_QUEUED)) {
        bad_text(p, CHECK_I6, "the flow is not in the outbox", "queue_seq and queue_txid", "NULL");
    }
}

static enum rc judge_flow(struct pass *p, const char *currency, struct err *err)
{
    const struct copy_out *f = &p->flows;
    const struct settings *s =
        copy_out_int(f, F_SLOT) == 0 ? timeline_at(&p->timeline, copy_out_int(f, F_VERSION)) : NULL;

    p->c->report->flows++;
    TRY(sums_add(&p->flow_sums, copy_out_text(f, F_CURRENCY), copy_out_int(f, F_AMOUNT), err));
    judge_chain(p, currency);
    if (s != NULL) {
        judge_limits(p, s);
    }
    if (check_wants(p->c, CHECK_I9) || check_wants(p->c, CHECK_I6)) {
        judge_link(p);
        judge_outbox(p);
    }
    p->now.version = copy_out_int(f, F_VERSION);
    p->now.balance = copy_out_int(f, F_BALANCE);
    p->now.frozen = copy_out_int(f, F_FROZEN);
    p->now.incoming = copy_out_int(f, F_INCOMING);
    TRY(check_step(p->c, err));
    return copy_out_next(&p->flows, err);
}

/* ---- one slot ---- */

static void judge_end(struct pass *p, const char *where)
{
    const struct copy_out *s = &p->slots;
    const struct running *end = &p->now;
    const struct {
        enum slot_field field;
        int64_t expected;
        const char *what;
    } counters[] = {
        {S_VERSION, end->version, "the slot's version is not that of its last flow"},
        {S_BALANCE, end->balance, "the slot's balance is not that of its flows"},
        {S_FROZEN, end->frozen, "the slot's frozen is not that of its flows"},
        {S_INCOMING, end->incoming, "the slot's incoming is not that of its flows"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
        int64_t found = copy_out_int(s, (int)counters[i].field);
        if (found != counters[i].expected) {
            offend_int(p->c, CHECK_I2, where, counters[i].what, counters[i].expected, found);
        }
    }
    bool judges = check_wants(p->c, CHECK_I9);
    if (judges && (s->lengths[S_HASH] != HASH_BYTES || memcmp(s->values[S_HASH], end->hash, HASH_BYTES) != 0)) {
        char expected[2 * HASH_BYTES + 1];
        sha256_hex(end->hash, HASH_BYTES, expected);
        offend(p->c, CHECK_I9, where, "the slot's hash is not that of its last flow", expected, "another one");
    }
}

static void judge_settings(struct pass *p, const char *where)
{
    const struct settings found = slot_settings(&p->slots);
    bool first = copy_out_int(&p->slots, S_SLOT) == 0;

    if (!first && (!settings_equal(&found, &p->account_settings) ||
                   strcmp(copy_out_text(&p->slots, S_CURRENCY), p->account_currency) != 0)) {
        CLEANUP(freep) char *expected = settings_text(&p->account_settings);
        CLEANUP(freep) char *text = settings_text(&found);
        offend(p->c, CHECK_I3, where, "the slot has other settings than slot 0", expected, text);
    }
    if (!first && settings_limited(&found) &&
        (copy_out_int(&p->slots, S_BALANCE) != 0 || copy_out_int(&p->slots, S_FROZEN) != 0 ||
         copy_out_int(&p->slots, S_INCOMING) != 0)) {
        offend_int(p->c, CHECK_I3, where, "an account with a limit has something outside of slot 0", 0,
                   copy_out_int(&p->slots, S_BALANCE));
    }
}

static enum rc begin_account(struct pass *p, const char *where, struct err *err)
{
    const char *account = copy_out_text(&p->slots, S_ACCOUNT);

    freep(&p->account);
    freep(&p->account_currency);
    p->account = xstrdup(account);
    p->account_currency = xstrdup(copy_out_text(&p->slots, S_CURRENCY));
    p->account_settings = slot_settings(&p->slots);
    p->c->report->accounts++;
    if (copy_out_int(&p->slots, S_SLOT) != 0) {
        offend(p->c, CHECK_I2, where, "the account has no slot 0", "slot 0", "none");
    }
    TRY(timeline_account(p->c, &p->timeline, account, err));
    if (check_wants(p->c, CHECK_I3)) {
        timeline_judge(p->c, &p->timeline, where, &p->account_settings);
    }
    return RC_OK;
}

/* < 0: the flow belongs before the slot. */
static int compare(const struct pass *p)
{
    if (p->flows.row == NULL || p->slots.row == NULL) {
        return p->flows.row == NULL ? 1 : -1;
    }
    int order = strcmp(copy_out_text(&p->flows, F_ACCOUNT), copy_out_text(&p->slots, S_ACCOUNT));
    int64_t flow = copy_out_int(&p->flows, F_SLOT);
    int64_t slot = copy_out_int(&p->slots, S_SLOT);
    return order != 0 ? order : (flow < slot ? -1 : flow > slot);
}

/* Flows of a slot that has no row: one offender, their amounts still count. */
static enum rc orphans(struct pass *p, struct err *err)
{
    CLEANUP(freep) char *account = xstrdup(copy_out_text(&p->flows, F_ACCOUNT));
    int64_t slot = copy_out_int(&p->flows, F_SLOT);
    CLEANUP(freep) char *where = xasprintf("account %s slot %" PRId64, account, slot);

    offend(p->c, CHECK_I2, where, "there are flows of a slot that is not there", "a row of account_slots", "none");
    while (p->flows.row != NULL && copy_out_int(&p->flows, F_SLOT) == slot &&
           strcmp(copy_out_text(&p->flows, F_ACCOUNT), account) == 0) {
        p->c->report->flows++;
        TRY(sums_add(&p->flow_sums, copy_out_text(&p->flows, F_CURRENCY), copy_out_int(&p->flows, F_AMOUNT), err));
        TRY(check_step(p->c, err));
        TRY(copy_out_next(&p->flows, err));
    }
    return RC_OK;
}

static enum rc judge_slot(struct pass *p, struct err *err)
{
    const char *account = copy_out_text(&p->slots, S_ACCOUNT);
    CLEANUP(freep) char *where = xasprintf("account %s slot %" PRId64, account, copy_out_int(&p->slots, S_SLOT));

    p->now = (struct running){0};
    p->c->report->slots++;
    if (p->account == NULL || strcmp(p->account, account) != 0) {
        TRY(begin_account(p, where, err));
    }
    judge_settings(p, where);
    while (compare(p) == 0) {
        TRY(judge_flow(p, copy_out_text(&p->slots, S_CURRENCY), err));
    }
    judge_end(p, where);
    TRY(sums_add(&p->balance_sums, copy_out_text(&p->slots, S_CURRENCY), copy_out_int(&p->slots, S_BALANCE), err));
    TRY(check_step(p->c, err));
    return copy_out_next(&p->slots, err);
}

static enum rc merge(struct pass *p, struct err *err)
{
    struct checker *c = p->c;

    TRY(copy_out_begin(&p->flows, c->conns[0], FLOWS, err));
    TRY(copy_out_begin(&p->slots, c->conns[1], SLOTS, err));
    TRY(timeline_begin(&p->timeline, c->conns[2], err));
    TRY(copy_out_next(&p->flows, err));
    TRY(copy_out_next(&p->slots, err));
    while (p->flows.row != NULL || p->slots.row != NULL) {
        TRY(compare(p) < 0 ? orphans(p, err) : judge_slot(p, err));
    }
    TRY(timeline_end(c, &p->timeline, err));
    sums_judge(c, &p->flow_sums, "the amounts of all flows do not sum up to zero");
    sums_judge(c, &p->balance_sums, "the balances of all accounts do not sum up to zero");
    return RC_OK;
}

enum rc check_slots(struct checker *c, struct err *err)
{
    struct pass p = {.c = c};
    enum rc rc = merge(&p, err);

    copy_out_done(&p.flows);
    copy_out_done(&p.slots);
    timeline_done(&p.timeline);
    sums_done(&p.flow_sums);
    sums_done(&p.balance_sums);
    freep(&p.account);
    freep(&p.account_currency);
    return rc;
}
