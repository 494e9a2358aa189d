/* SPDX-License-Identifier: Apache-2.0 */
/* Reads posting rules: strict, every message names the rule or the key. */
#include "payment/posting.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/names.h"
#include "payment/decide.h"

#define BAD(p, ...) FAIL((p)->err, RC_FATAL, __VA_ARGS__)
#define ENTRIES_MAX ((size_t)POSTING_PAIRS_MAX * 2)

const char *const POSTING_TERM_NAMES[POSTING_TERMS] = {
    [TERM_RECEIVED] = "received", [TERM_REFUNDED] = "refunded", [TERM_REMAINING] = "remaining"};

/* What a booking stands for: its term, and how often it credits (+) or debits (-) the order and suspense. */
static const struct {
    enum posting_term term;
    int order, suspense;
} MEANING[PAYMENT_BOOKINGS] = {
    [BOOK_CONFIRM] = {TERM_RECEIVED, 1, 0},           [BOOK_SUSPEND] = {TERM_RECEIVED, 0, 1},
    [BOOK_REFUND] = {TERM_REFUNDED, -1, 0},           [BOOK_REFUND_SUSPENSE] = {TERM_REFUNDED, 0, -1},
    [BOOK_REFUND_CARRIED] = {TERM_REFUNDED, 0, -1},   [BOOK_REVOKE] = {TERM_REMAINING, -1, 0},
    [BOOK_REVOKE_SUSPENSE] = {TERM_REMAINING, 0, -1}, [BOOK_REVOKE_CARRIED] = {TERM_REMAINING, 0, -1},
};

struct parser {
    const char *origin;
    struct posting *out;
    struct err *err;
};

enum posting_term posting_term_of(enum payment_booking b)
{
    return MEANING[b].term;
}

static bool is_name(const char *s)
{
    size_t n = strlen(s);
    return n >= 1 && n < 32 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n;
}

static enum rc get_object(const struct parser *p, const json_t *root, const char *key, const json_t **out)
{
    const json_t *v = json_object_get(root, key);

    if (!json_is_object(v)) {
        BAD(p, "%s: key \"%s\" expected an object", p->origin, key);
    }
    *out = v;
    return RC_OK;
}

/* "clearing:{channel}:{currency}": characters of an account's id, and the two names in braces. */
static bool is_template(const char *s)
{
    size_t n = strlen(s);

    if (n < 1 || n >= POSTING_TEMPLATE_MAX) {
        return false;
    }
    while (*s != '\0') {
        if (strncmp(s, "{channel}", 9) == 0) {
            s += 9;
        } else if (strncmp(s, "{currency}", 10) == 0) {
            s += 10;
        } else if (strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:~@-") > 0) {
            s++;
        } else {
            return false;
        }
    }
    return true;
}

static int find_account(const struct posting *out, const char *name)
{
    for (size_t i = 0; i < out->n_accounts; i++) {
        if (strcmp(out->accounts[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -2;
}

static enum rc parse_accounts(const struct parser *p, const json_t *root)
{
    const json_t *accounts = NULL;
    const char *name = NULL;
    json_t *v = NULL;

    TRY(get_object(p, root, "accounts", &accounts));
    json_object_foreach((json_t *)(uintptr_t)accounts, name, v)
    {
        if (p->out->n_accounts == POSTING_ACCOUNTS_MAX) {
            BAD(p, "%s: key \"accounts\" has more than %d", p->origin, POSTING_ACCOUNTS_MAX);
        }
        if (!is_name(name) || strcmp(name, "order") == 0) {
            BAD(p, "%s: account \"%.32s\": expected a name of a-z 0-9 _ -, other than order", p->origin, name);
        }
        const char *text = json_string_value(v);
        if (text == NULL || strlen(text) != json_string_length(v) || !is_template(text) ||
            strstr(text, "{currency}") == NULL) {
            BAD(p,
                "%s: account \"%s\": expected 1 to %d of A-Z a-z 0-9 . _ : ~ @ - with {currency}, and {channel} where "
                "it"
                " differs by channel",
                p->origin, name, POSTING_TEMPLATE_MAX - 1);
        }
        struct posting_account *a = &p->out->accounts[p->out->n_accounts++];
        (void)snprintf(a->name, sizeof(a->name), "%s", name);
        (void)snprintf(a->template, sizeof(a->template), "%s", text);
    }
    for (size_t i = 0; i < p->out->n_accounts; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(p->out->accounts[i].template, p->out->accounts[k].template) == 0) {
                BAD(p, "%s: accounts \"%s\" and \"%s\" are the same", p->origin, p->out->accounts[k].name,
                    p->out->accounts[i].name);
            }
        }
    }
    if (find_account(p->out, "clearing") < 0 || find_account(p->out, "suspense") < 0) {
        BAD(p, "%s: key \"accounts\" expected \"clearing\" and \"suspense\"", p->origin);
    }
    return RC_OK;
}

static enum rc parse_windows(const struct parser *p, const json_t *root)
{
    const json_t *windows = NULL;
    const char *channel = NULL;
    json_t *v = NULL;
    bool others = false;

    TRY(get_object(p, root, "refund_window_days", &windows));
    json_object_foreach((json_t *)(uintptr_t)windows, channel, v)
    {
        if (p->out->n_windows == POSTING_CHANNELS_MAX) {
            BAD(p, "%s: key \"refund_window_days\" has more than %d channels", p->origin, POSTING_CHANNELS_MAX);
        }
        if (!is_name(channel) && strcmp(channel, "*") != 0) {
            BAD(p,
                "%s: refund_window_days: \"%.32s\" is no channel's name; expected a-z 0-9 _ -, or \"*\" for all"
                " others",
                p->origin, channel);
        }
        json_int_t days = json_is_null(v) ? PAYMENT_NO_WINDOW : json_integer_value(v);
        if (!json_is_null(v) && (!json_is_integer(v) || days < 0 || days > POSTING_DAYS_MAX)) {
            BAD(p, "%s: refund_window_days: \"%s\" expected whole days from 0 to %d, or null for no limit", p->origin,
                channel, POSTING_DAYS_MAX);
        }
        (void)snprintf(p->out->windows[p->out->n_windows].channel, POSTING_TEMPLATE_MAX, "%s", channel);
        p->out->windows[p->out->n_windows++].days = days;
        others = others || strcmp(channel, "*") == 0;
    }
    if (!others) {
        BAD(p, "%s: refund_window_days: \"*\" is missing, the window of all other channels", p->origin);
    }
    return RC_OK;
}

struct entry {
    int account;
    bool credit;
};

static enum rc parse_entry(const struct parser *p, enum payment_booking b, size_t i, const json_t *v, struct entry *out)
{
    const char *rule = PAYMENT_BOOKING_NAMES[b];
    const char *account = json_string_value(json_object_get(v, "account"));
    const char *side = json_string_value(json_object_get(v, "side"));
    const char *amount = json_string_value(json_object_get(v, "amount"));
    const char *term = POSTING_TERM_NAMES[MEANING[b].term];

    if (!json_is_object(v) || json_object_size(v) != 3 || account == NULL || side == NULL || amount == NULL) {
        BAD(p, "%s: rule \"%s\": entry %zu expected exactly the texts \"account\", \"side\" and \"amount\"", p->origin,
            rule, i + 1);
    }
    out->account = strcmp(account, "order") == 0 ? POSTING_ORDER : find_account(p->out, account);
    if (out->account < POSTING_ORDER) {
        BAD(p, "%s: rule \"%s\": entry %zu names the account \"%.32s\"; expected order or one of \"accounts\"",
            p->origin, rule, i + 1, account);
    }
    out->credit = strcmp(side, "credit") == 0;
    if (!out->credit && strcmp(side, "debit") != 0) {
        BAD(p, "%s: rule \"%s\": entry %zu has the side \"%.32s\"; expected debit or credit", p->origin, rule, i + 1,
            side);
    }
    if (strcmp(amount, term) != 0) {
        BAD(p, "%s: rule \"%s\": entry %zu has the amount \"%.32s\"; expected %s", p->origin, rule, i + 1, amount,
            term);
    }
    return RC_OK;
}

/* What the entries do to an account, credits less debits. */
static int net_of(const struct entry *list, size_t n, int account)
{
    int net = 0;

    for (size_t i = 0; i < n; i++) {
        net += list[i].account != account ? 0 : list[i].credit ? 1 : -1;
    }
    return net;
}

/* Debits and credits are paired in the order of the file. */
static enum rc pair_up(const struct parser *p, enum payment_booking b, const struct entry *list, size_t n)
{
    const char *rule = PAYMENT_BOOKING_NAMES[b];
    struct posting_rule *out = &p->out->rules[b];
    size_t debits = 0;
    size_t credits = 0;

    for (size_t i = 0; i < n; i++) {
        if (list[i].credit) {
            credits++;
        } else {
            debits++;
        }
    }
    if (debits != credits) {
        BAD(p, "%s: rule \"%s\" does not balance: debits %zu x %s, credits %zu x %s", p->origin, rule, debits,
            POSTING_TERM_NAMES[MEANING[b].term], credits, POSTING_TERM_NAMES[MEANING[b].term]);
    }
    if (debits == 0 || debits > POSTING_PAIRS_MAX) {
        BAD(p, "%s: rule \"%s\" has %zu debits; expected 1 to %d", p->origin, rule, debits, POSTING_PAIRS_MAX);
    }
    debits = credits = 0;
    for (size_t i = 0; i < n; i++) {
        if (list[i].credit) {
            out->pairs[credits++].credit = list[i].account;
        } else {
            out->pairs[debits++].debit = list[i].account;
        }
    }
    out->n = debits;
    for (size_t i = 0; i < out->n; i++) {
        if (out->pairs[i].debit == out->pairs[i].credit) {
            BAD(p, "%s: rule \"%s\": debit %zu and credit %zu are the same account", p->origin, rule, i + 1, i + 1);
        }
    }
    return RC_OK;
}

static enum rc parse_rule(const struct parser *p, enum payment_booking b, const json_t *list)
{
    const char *rule = PAYMENT_BOOKING_NAMES[b];
    struct entry entries[ENTRIES_MAX] = {{.account = 0}};
    size_t n = json_array_size(list);

    if (!json_is_array(list) || n < 2 || n > ENTRIES_MAX) {
        BAD(p, "%s: rule \"%s\" expected a list of 2 to %zu entries", p->origin, rule, ENTRIES_MAX);
    }
    for (size_t i = 0; i < n; i++) {
        TRY(parse_entry(p, b, i, json_array_get(list, i), &entries[i]));
    }
    TRY(pair_up(p, b, entries, n));
    int order = net_of(entries, n, POSTING_ORDER);
    int suspense = net_of(entries, n, find_account(p->out, "suspense"));
    if (order != MEANING[b].order || suspense != MEANING[b].suspense) {
        BAD(p,
            "%s: rule \"%s\" moves order %+d and suspense %+d times %s; expected %+d and %+d, which is what it stands"
            " for",
            p->origin, rule, order, suspense, POSTING_TERM_NAMES[MEANING[b].term], MEANING[b].order,
            MEANING[b].suspense);
    }
    return RC_OK;
}

static enum rc parse_rules(const struct parser *p, const json_t *root)
{
    const json_t *rules = NULL;
    const char *name = NULL;
    json_t *v = NULL;

    TRY(get_object(p, root, "rules", &rules));
    json_object_foreach((json_t *)(uintptr_t)rules, name, v)
    {
        int b = names_find(PAYMENT_BOOKING_NAMES, PAYMENT_BOOKINGS, name);
        if (b <= BOOK_NONE) {
            BAD(p, "%s: rule \"%.32s\" is of no booking that payments have", p->origin, name);
        }
        TRY(parse_rule(p, (enum payment_booking)b, v));
    }
    for (int b = BOOK_NONE + 1; b < PAYMENT_BOOKINGS; b++) {
        if (p->out->rules[b].n == 0) {
            BAD(p, "%s: rule \"%s\" is missing", p->origin, PAYMENT_BOOKING_NAMES[b]);
        }
    }
    return RC_OK;
}

static enum rc parse_root(const struct parser *p, const json_t *root)
{
    static const char *const known[] = {"version", "accounts", "refund_window_days", "rules"};
    const char *key = NULL;
    json_t *v = NULL;

    if (!json_is_object(root)) {
        BAD(p, "%s: expected a JSON object", p->origin);
    }
    json_object_foreach((json_t *)(uintptr_t)root, key, v)
    {
        bool found = false;
        for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
            found = found || strcmp(key, known[i]) == 0;
        }
        if (!found) {
            BAD(p, "%s: unknown key \"%.32s\"; expected version, accounts, refund_window_days, rules", p->origin, key);
        }
    }
    if (json_integer_value(json_object_get(root, "version")) != 1) {
        BAD(p, "%s: key \"version\" expected 1", p->origin);
    }
    TRY(parse_accounts(p, root));
    TRY(parse_windows(p, root));
    return parse_rules(p, root);
}

enum rc posting_parse(const char *text, size_t n, const char *origin, struct posting *out, struct err *err)
{
    struct posting *made CLEANUP(freep) = xcalloc(1, sizeof(*made));
    const struct parser p = {.origin = origin, .out = made, .err = err};
    json_error_t why;

    if (n > POSTING_BYTES_MAX) {
        err_set(err, RC_FATAL, __FILE__, __LINE__, "%s: more than %zu bytes", origin, POSTING_BYTES_MAX);
        return err_code(err, ERR_CONFIG);
    }
    json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    if (root == NULL) {
        err_set(err, RC_FATAL, __FILE__, __LINE__, "%s: line %d: %s", origin, why.line, why.text);
        return err_code(err, ERR_CONFIG);
    }
    enum rc rc = parse_root(&p, root);
    json_decref(root);
    if (rc != RC_OK) {
        return err_code(err, ERR_CONFIG);
    }
    *out = *made;
    return RC_OK;
}

enum rc posting_load(const char *path, const char *builtin, size_t builtin_n, struct posting *out, struct err *err)
{
    char *text CLEANUP(freep) = NULL;

    if (path[0] == '\0') {
        return posting_parse(builtin, builtin_n, "posting.json", out, err);
    }
    FILE *f = fopen(path, "rbe");
    if (f == NULL) {
        err_set(err, RC_FATAL, __FILE__, __LINE__, "%s: %s", path, strerror(errno));
        return err_code(err, ERR_CONFIG);
    }
    text = xcalloc(POSTING_BYTES_MAX + 2, 1);
    size_t n = fread(text, 1, POSTING_BYTES_MAX + 1, f);
    bool bad = ferror(f) != 0;
    (void)fclose(f);
    if (bad) {
        err_set(err, RC_FATAL, __FILE__, __LINE__, "%s: cannot be read", path);
        return err_code(err, ERR_CONFIG);
    }
    return posting_parse(text, n, path, out, err);
}

int64_t posting_window_days(const struct posting *p, const char *channel)
{
    int64_t others = 0;

    for (size_t i = 0; i < p->n_windows; i++) {
        if (strcmp(p->windows[i].channel, channel) == 0) {
            return p->windows[i].days;
        }
        others = strcmp(p->windows[i].channel, "*") == 0 ? p->windows[i].days : others;
    }
    return others;
}

void posting_account_id(const struct posting *p, int account, const char *order_account, const char *channel,
                        const char *currency, struct buf *out)
{
    if (account == POSTING_ORDER) {
        (void)buf_puts(out, order_account);
        return;
    }
    for (const char *s = p->accounts[account].template; *s != '\0';) {
        if (strncmp(s, "{channel}", 9) == 0) {
            (void)buf_puts(out, channel);
            s += 9;
        } else if (strncmp(s, "{currency}", 10) == 0) {
            (void)buf_puts(out, currency);
            s += 10;
        } else {
            (void)buf_putc(out, *s++);
        }
    }
}
