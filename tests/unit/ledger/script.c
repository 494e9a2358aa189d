/* SPDX-License-Identifier: Apache-2.0 */
/* Reads scripts and runs them. */
#include "script.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 64
#define PENDING_MAX 256

struct script {
    const char *name;
    size_t line; /* from 0 */
    const char *text;
    struct bank bank;
    struct arena arena;
    bool joined;
    struct ledger_command commands[PENDING_MAX];
    struct ledger_result expected[PENDING_MAX];
    size_t lines[PENDING_MAX];
    size_t n;
    const char *const *all;
};

#define EXPECT(s, condition, ...)                                                                                    \
    do {                                                                                                             \
        if (!(condition)) {                                                                                          \
            char why_[256];                                                                                          \
            (void)snprintf(why_, sizeof why_, __VA_ARGS__);                                                          \
            cr_assert_fail("%s, %s, slot %d, line %zu \"%s\": %s", (s)->name, (s)->joined ? "joined" : "one by one", \
                           (s)->bank.any_slot, (s)->line + 1, (s)->text, why_);                                      \
        }                                                                                                            \
    } while (0)

static const char *const OUTCOMES[] = {"applied", "duplicate", "rejected"};

static void flush(struct script *s)
{
    struct ledger_result results[PENDING_MAX];
    size_t n = s->n;
    s->n = 0;
    if (n == 0) {
        return;
    }
    bank_run(&s->bank, s->commands, n, results);
    for (size_t i = 0; i < n; i++) {
        const struct ledger_result *want = &s->expected[i];
        s->line = s->lines[i];
        s->text = s->all[s->line];
        EXPECT(s, results[i].outcome == want->outcome && results[i].code == want->code, "answered %s %s",
               OUTCOMES[results[i].outcome], ledger_code_name(results[i].code));
    }
    bank_check(&s->bank);
}

static size_t split(struct script *s, const char *text, char *words[WORDS_MAX])
{
    char *copy = arena_strndup(&s->arena, text, strlen(text));
    char *rest = NULL;
    size_t n = 0;
    for (char *w = strtok_r(copy, " ", &rest); w != NULL; w = strtok_r(NULL, " ", &rest)) {
        EXPECT(s, n < WORDS_MAX, "too many words");
        words[n++] = w;
    }
    return n;
}

static int64_t number(const struct script *s, const char *text)
{
    char *end = NULL;
    int64_t n = strtoll(text, &end, 10);
    EXPECT(s, end != text && *end == '\0', "\"%s\" is no number", text);
    return n;
}

static int64_t when(const struct script *s, const char *text)
{
    char *end = NULL;
    if (strcmp(text, "none") == 0) {
        return LEDGER_NO_TIME;
    }
    int64_t n = strtoll(text, &end, 10);
    EXPECT(s, end != text && (*end == '\0' || strcmp(end, "d") == 0), "\"%s\" is no time", text);
    return BANK_NOW_US + n * (*end == 'd' ? 86400 : 1) * BANK_SECOND_US;
}

static int word_at(const struct script *s, const char *word, const char *const *names, int n)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(names[i], word) == 0) {
            return i;
        }
    }
    EXPECT(s, false, "\"%s\" is not known", word);
    return -1;
}

static void flag(struct ledger_command *cmd, enum ledger_setting which, bool *flag, bool value)
{
    cmd->settings_mask |= which;
    *flag = value;
}

static void setting(const struct script *s, struct ledger_command *cmd, const char *name, const char *value)
{
    bool on = value == NULL || strcmp(value, "1") == 0;
    if (strcmp(name, "no_negative") == 0) {
        flag(cmd, SET_NO_NEGATIVE, &cmd->settings.no_negative, on);
    } else if (strcmp(name, "credit_only") == 0) {
        flag(cmd, SET_CREDIT_ONLY, &cmd->settings.credit_only, on);
    } else if (strcmp(name, "debit_only") == 0) {
        flag(cmd, SET_DEBIT_ONLY, &cmd->settings.debit_only, on);
    } else if (strcmp(name, "max") == 0) {
        flag(cmd, SET_MAX, &cmd->settings.has_max, strcmp(value, "none") != 0);
        cmd->settings.max_balance = cmd->settings.has_max ? number(s, value) : 0;
    } else if (strcmp(name, "status") == 0) {
        cmd->settings_mask |= SET_STATUS;
        cmd->settings.status = (enum ledger_status)word_at(s, value, LEDGER_STATUS_NAMES, LEDGER_STATUSES);
    } else {
        EXPECT(s, false, "\"%s\" is not known", name);
    }
}

static void option(const struct script *s, struct ledger_command *cmd, char *word)
{
    char *value = strchr(word, '=');
    if (value != NULL) {
        *value++ = '\0';
    }
    if (strcmp(word, "caller") == 0) {
        cmd->caller = value;
    } else if (strcmp(word, "event") == 0) {
        cmd->event_id = value;
    } else if (strcmp(word, "ordinal") == 0) {
        cmd->ordinal = (int)number(s, value);
    } else if (strcmp(word, "currency") == 0) {
        cmd->currency = value;
    } else if (strcmp(word, "ref") == 0) {
        cmd->reference = value;
    } else if (strcmp(word, "issued") == 0) {
        cmd->issued_us = when(s, value);
    } else if (strcmp(word, "effective") == 0) {
        cmd->effective_us = when(s, value);
    } else if (strcmp(word, "expires") == 0) {
        cmd->expires_us = when(s, value);
    } else if (strcmp(word, "exponent") == 0) {
        cmd->exponent = (int)number(s, value);
    } else if (strcmp(word, "kind") == 0) {
        cmd->kind = (enum ledger_kind)word_at(s, value, LEDGER_KIND_NAMES, LEDGER_KINDS);
    } else {
        setting(s, cmd, word, value);
    }
}

/* The words behind the operation: positions first, then options. */
static struct ledger_command command(const struct script *s, enum ledger_op op, const char *event_id, char **words,
                                     size_t n)
{
    bool of_account = op == OP_OPEN || op == OP_SET;
    bool books = op == OP_TRANSFER || op == OP_TRY;
    size_t fixed = of_account ? 1 : books ? 4 : 2;
    EXPECT(s, n >= fixed, "a word is missing");
    const char *id = of_account ? "" : words[0];
    const char *debit = of_account ? words[0] : words[1];
    int64_t amount = books ? number(s, words[3]) : 0;
    struct ledger_command cmd = bank_command(op, event_id, id, debit, books ? words[2] : "", amount);
    if (op == OP_CONFIRM && n > fixed && strchr(words[fixed], '=') == NULL) {
        cmd.amount = number(s, words[fixed++]);
        cmd.has_amount = true;
    }
    for (size_t i = fixed; i < n; i++) {
        option(s, &cmd, words[i]);
    }
    bank_hash_content(&cmd);
    return cmd;
}

/* Options of the set (event, caller, times) stand with any member and hold for that one; an event for all. */
static struct ledger_command linked(struct script *s, const char *event_id, char **words, size_t n)
{
    struct ledger_command *members = arena_alloc(&s->arena, (LEDGER_LINKED_MAX + 1) * sizeof *members);
    struct ledger_command cmd = bank_command(OP_LINKED, event_id, "", "", "", 0);
    for (size_t from = 0; from < n;) {
        size_t to = from;
        while (to < n && strcmp(words[to], "+") != 0) {
            to++;
        }
        members[cmd.n_members] = command(s, OP_TRANSFER, event_id, words + from, to - from);
        event_id = members[cmd.n_members++].event_id;
        from = to + 1;
    }
    cmd.event_id = event_id;
    cmd.ordinal = members[0].ordinal;
    for (size_t i = 0; i < cmd.n_members; i++) {
        members[i].event_id = event_id;
    }
    cmd.transfer_id = members[0].transfer_id;
    cmd.debit = members[0].debit;
    cmd.members = members;
    return cmd;
}

static bool question(struct script *s, char **words, size_t n)
{
    EXPECT(s, n > 1, "a word is missing");
    if (strcmp(words[0], "account") == 0) {
        flush(s);
        struct ledger_account a = bank_account(&s->bank, words[1]);
        EXPECT(s,
               n == 5 && a.exists && a.balance == number(s, words[2]) && a.frozen == number(s, words[3]) &&
                   a.incoming == number(s, words[4]),
               "is %" PRId64 " %" PRId64 " %" PRId64, a.balance, a.frozen, a.incoming);
    } else if (strcmp(words[0], "in") == 0) {
        flush(s);
        const struct ledger_account *a = bank_slot(&s->bank, words[1], (int)number(s, words[2]));
        EXPECT(s, a != NULL, "there is no such slot");
        EXPECT(s,
               a->balance == number(s, words[3]) && a->frozen == number(s, words[4]) &&
                   a->incoming == number(s, words[5]),
               "is %" PRId64 " %" PRId64 " %" PRId64, a->balance, a->frozen, a->incoming);
    } else if (strcmp(words[0], "is") == 0) {
        flush(s);
        const struct ledger_transfer *t = bank_transfer(&s->bank, words[1]);
        const char *state = LEDGER_STATE_NAMES[t == NULL ? TRANSFER_ABSENT : t->state];
        EXPECT(s, strcmp(state, words[2]) == 0, "is %s", state);
        EXPECT(s, t == NULL || strcmp(ledger_code_name(t->code), n > 3 ? words[3] : "") == 0, "code %s",
               ledger_code_name(t->code));
    } else if (strcmp(words[0], "slot") == 0) {
        flush(s);
        s->bank.any_slot = (int)number(s, words[1]);
    } else if (strcmp(words[0], "now") == 0) {
        flush(s);
        s->bank.now_us = when(s, words[1]);
    } else {
        return false;
    }
    return true;
}

static void line(struct script *s, size_t at)
{
    char *words[WORDS_MAX] = {NULL};
    s->line = at;
    s->text = s->all[at];
    size_t n = split(s, s->text, words);
    if (question(s, words, n)) {
        return;
    }
    struct ledger_result expected = {OUTCOME_APPLIED, CODE_OK};
    for (size_t i = 0; i < n; i++) {
        if (strcmp(words[i], "=>") == 0) {
            EXPECT(s, i + 3 == n || (i + 2 == n && strcmp(words[i + 1], "applied") == 0),
                   "outcome and code are missing");
            expected.outcome = (enum ledger_outcome)word_at(s, words[i + 1], OUTCOMES, ARRAY_SIZE(OUTCOMES));
            EXPECT(s, i + 2 == n || ledger_code_parse(words[i + 2], &expected.code), "no such code");
            n = i;
        }
    }
    char event[32];
    (void)snprintf(event, sizeof event, "line-%zu", at + 1);
    const char *event_id = arena_strndup(&s->arena, event, strlen(event));
    enum ledger_op op = (enum ledger_op)word_at(s, words[0], LEDGER_OP_NAMES, LEDGER_OPS);
    EXPECT(s, s->n < PENDING_MAX, "too long");
    s->commands[s->n] =
        op == OP_LINKED ? linked(s, event_id, words + 1, n - 1) : command(s, op, event_id, words + 1, n - 1);
    s->expected[s->n] = expected;
    s->lines[s->n++] = at;
    if (!s->joined) {
        flush(s);
    }
}

static void run(const char *name, const char *const *lines, size_t n, bool joined, int slot)
{
    struct script *s = xcalloc(1, sizeof *s);
    s->name = name;
    s->all = lines;
    s->joined = joined;
    bank_init(&s->bank);
    s->bank.any_slot = slot;
    arena_init(&s->arena, 1 << 16);
    for (size_t i = 0; i < n; i++) {
        line(s, i);
    }
    flush(s);
    arena_done(&s->arena);
    bank_done(&s->bank);
    free(s);
}

void script_run(const char *name, const char *const *lines, size_t n)
{
    bool about_slots = false;
    for (size_t i = 0; i < n; i++) {
        about_slots |= strncmp(lines[i], "slot ", 5) == 0;
    }
    for (int mode = 0; mode < (about_slots ? 2 : 4); mode++) {
        run(name, lines, n, mode % 2 == 1, mode / 2 * 2);
    }
}
