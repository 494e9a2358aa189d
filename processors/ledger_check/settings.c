/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of accounts over time. */
#include "settings.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum field { F_ACCOUNT, F_EVENT, F_DECISION };
static const char DECISIONS[] =
    "SELECT account_id, event_id, decision FROM account_decisions WHERE command IN ('open', 'set')"
    " AND outcome = 'applied' ORDER BY account_id, queue_seq, ordinal";

bool settings_limited(const struct settings *s)
{
    return s->status != 'o' || s->no_negative || s->credit_only || s->debit_only || s->has_max;
}

bool settings_equal(const struct settings *a, const struct settings *b)
{
    return a->settings_version == b->settings_version && a->status == b->status && a->no_negative == b->no_negative &&
           a->credit_only == b->credit_only && a->debit_only == b->debit_only && a->has_max == b->has_max &&
           (!a->has_max || a->max_balance == b->max_balance);
}

char *settings_text(const struct settings *s)
{
    CLEANUP(freep) char *max = s->has_max ? xasprintf(" max_balance %" PRId64, s->max_balance) : xstrdup("");
    return xasprintf("settings %" PRId64 ": %s%s%s%s%s", s->settings_version,
                     s->status == 'o' ? "open" : (s->status == 'f' ? "frozen" : "closed"),
                     s->no_negative ? " no_negative" : "", s->credit_only ? " credit_only" : "",
                     s->debit_only ? " debit_only" : "", max);
}

enum rc timeline_begin(struct timeline *t, PGconn *conn, struct err *err)
{
    TRY(copy_out_begin(&t->rows, conn, DECISIONS, err));
    return copy_out_next(&t->rows, err);
}

static bool parse(const char *text, struct settings *s)
{
    json_t *j = json_loads(text, 0, NULL);
    const char *status = json_string_value(json_object_get(j, "status"));
    const json_t *version = json_object_get(j, "settings_version");
    const json_t *flows = json_object_get(j, "flows");
    const json_t *max = json_object_get(j, "max_balance");
    bool good = status != NULL && json_is_integer(version) && json_is_integer(flows);

    if (good) {
        *s = (struct settings){.settings_version = json_integer_value(version),
                               .flows = json_integer_value(flows),
                               .status = status[0],
                               .no_negative = json_is_true(json_object_get(j, "no_negative")),
                               .credit_only = json_is_true(json_object_get(j, "credit_only")),
                               .debit_only = json_is_true(json_object_get(j, "debit_only")),
                               .has_max = json_is_integer(max),
                               .max_balance = json_integer_value(max)};
    }
    json_decref(j);
    return good;
}

static int by_version(const void *a, const void *b)
{
    const struct settings *x = a;
    const struct settings *y = b;
    return x->settings_version < y->settings_version ? -1 : x->settings_version > y->settings_version;
}

static void take(struct checker *c, struct timeline *t)
{
    CLEANUP(freep) char *where = xasprintf("account %s", copy_out_text(&t->rows, F_ACCOUNT));

    if (t->n >= SETTINGS_MAX) {
        t->too_many = true;
        return;
    }
    if (t->n == t->cap) {
        t->cap = t->cap > 0 ? 2 * t->cap : 16;
        t->list = xrealloc(t->list, t->cap * sizeof(*t->list));
    }
    if (parse(copy_out_text(&t->rows, F_DECISION), &t->list[t->n])) {
        t->n++;
    } else {
        CLEANUP(freep) char *found = xasprintf("event %s", copy_out_text(&t->rows, F_EVENT));
        offend(c, CHECK_I3, where, "a decision about its settings cannot be read",
               "JSON with status, settings_version and flows", found);
    }
}

/* Settings without an account. */
static void orphan(struct checker *c, const struct timeline *t)
{
    CLEANUP(freep) char *where = xasprintf("account %s", copy_out_text(&t->rows, F_ACCOUNT));
    offend(c, CHECK_I3, where, "was opened or set, and is not there", "a row of account_slots", "none");
}

enum rc timeline_account(struct checker *c, struct timeline *t, const char *account_id, struct err *err)
{
    t->n = 0;
    t->at = 0;
    t->too_many = false;
    while (t->rows.row != NULL) {
        int order = strcmp(copy_out_text(&t->rows, F_ACCOUNT), account_id);
        if (order > 0) {
            break;
        }
        if (order < 0) {
            orphan(c, t);
        } else {
            take(c, t);
        }
        TRY(copy_out_next(&t->rows, err));
    }
    if (t->n < 2) {
        return RC_OK;
    }
    qsort(t->list, t->n, sizeof(*t->list), by_version);
    return RC_OK;
}

const struct settings *timeline_at(struct timeline *t, int64_t version)
{
    while (t->at + 1 < t->n && t->list[t->at + 1].flows < version) {
        t->at++;
    }
    return t->n > 0 && !t->too_many ? &t->list[t->at] : NULL;
}

enum rc timeline_end(struct checker *c, struct timeline *t, struct err *err)
{
    while (t->rows.row != NULL) {
        orphan(c, t);
        TRY(copy_out_next(&t->rows, err));
    }
    return RC_OK;
}

void timeline_done(struct timeline *t)
{
    copy_out_done(&t->rows);
    freep(&t->list);
}

void timeline_judge(struct checker *c, const struct timeline *t, const char *where, const struct settings *found)
{
    if (t->too_many) {
        return; /* cannot be judged in bounded memory; nobody changes settings so often */
    }
    for (size_t i = 0; i < t->n; i++) {
        int64_t before = i > 0 ? t->list[i - 1].settings_version : 0;
        bool same = i > 0 && settings_equal(&t->list[i], &t->list[i - 1]); /* a `set` that changed nothing */
        if (t->list[i].settings_version != before + 1 && !same) {
            offend_int(c, CHECK_I3, where, "its settings changed without a decision, or twice by one", before + 1,
                       t->list[i].settings_version);
            return;
        }
    }
    if (t->n == 0 || !settings_equal(&t->list[t->n - 1], found)) {
        CLEANUP(freep) char *expected = t->n > 0 ? settings_text(&t->list[t->n - 1]) : xstrdup("a decision to open it");
        CLEANUP(freep) char *text = settings_text(found);
        offend(c, CHECK_I3, where, "its settings are not those that were decided last", expected, text);
    }
}
