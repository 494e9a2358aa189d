/* SPDX-License-Identifier: Apache-2.0 */
/* What each command answers in each state, as docs/ledger.md tells it: every cell is tried, and the page compared. */
#include "bank.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define EXPIRES_US (BANK_NOW_US + 60 * BANK_SECOND_US)

enum asked {
    ASK_SAME, /* the transfer or the try that made the state, once more; where none did, a try */
    ASK_OTHER,
    ASK_CONFIRM,
    ASK_CONFIRM_PART,
    ASK_CONFIRM_LATE,
    ASK_CANCEL,
    ASK_EXPIRE,
    ASK_EXPIRE_EARLY,
    ASKED
};

static const char *const HEADINGS[ASKED] = {"the same `try` or `transfer`",
                                            "another `try` or `transfer`",
                                            "`confirm`",
                                            "`confirm` of another amount",
                                            "`confirm` asked after the expiry",
                                            "`cancel`",
                                            "`expire`",
                                            "`expire` before the expiry"};

/* A state: applied, and what it is now. "=": a repetition. Anything else: refused with that code. */
static const char *const ANSWERS[LEDGER_STATES][ASKED] = {
    [TRANSFER_ABSENT] = {"held", "held", "transfer_not_found", "transfer_not_found", "transfer_not_found",
                         "cancelled_empty", "transfer_not_found", "transfer_not_found"},
    [TRANSFER_POSTED] = {"=", "exists_with_different_content", "not_a_hold", "not_a_hold", "not_a_hold", "not_a_hold",
                         "not_a_hold", "not_a_hold"},
    [TRANSFER_HELD] = {"=", "exists_with_different_content", "confirmed", "confirmed", "hold_expired", "cancelled",
                       "expired", "hold_not_expired"},
    [TRANSFER_CONFIRMED] = {"=", "exists_with_different_content", "=", "hold_confirmed_with_different_amount", "=",
                            "hold_confirmed", "hold_confirmed", "hold_confirmed"},
    [TRANSFER_CANCELLED] = {"=", "exists_with_different_content", "hold_cancelled", "hold_cancelled", "hold_cancelled",
                            "=", "hold_cancelled", "hold_cancelled"},
    [TRANSFER_EXPIRED] = {"=", "exists_with_different_content", "hold_expired", "hold_expired", "hold_expired",
                          "hold_expired", "=", "="},
    [TRANSFER_REJECTED] = {"=", "exists_with_different_content", "not_a_hold", "not_a_hold", "not_a_hold", "not_a_hold",
                           "not_a_hold", "not_a_hold"},
    [TRANSFER_CANCELLED_EMPTY] = {"cancelled_before_try", "cancelled_before_try", "hold_cancelled", "hold_cancelled",
                                  "hold_cancelled", "=", "hold_cancelled", "hold_cancelled"},
};

static struct ledger_command try_of(const char *event, int64_t amount)
{
    struct ledger_command cmd = bank_command(OP_TRY, event, "t", "a", "b", amount);
    cmd.expires_us = EXPIRES_US;
    bank_hash_content(&cmd);
    return cmd;
}

static struct ledger_command transfer_of(const char *event, int64_t amount)
{
    struct ledger_command cmd = bank_command(OP_TRANSFER, event, "t", "a", "b", amount);
    bank_hash_content(&cmd);
    return cmd;
}

static struct ledger_command on_hold(enum ledger_op op, const char *event, int64_t amount, int64_t issued_us)
{
    struct ledger_command cmd = bank_command(op, event, "t", "a", "", amount);
    cmd.issued_us = issued_us;
    bank_hash_content(&cmd);
    return cmd;
}

/* The commands that lead to a state; a holds 100. */
static size_t way_to(enum ledger_state state, struct ledger_command out[8])
{
    size_t n = 0;
    out[n++] = bank_command(OP_OPEN, "o1", "", "f", "", 0);
    out[n++] = bank_command(OP_OPEN, "o2", "", "a", "", 0);
    out[1].settings.no_negative = true;
    out[n++] = bank_command(OP_OPEN, "o3", "", "b", "", 0);
    out[n++] = bank_command(OP_TRANSFER, "o4", "fund", "f", "a", 100);
    switch (state) {
    case TRANSFER_ABSENT:
    case LEDGER_STATES:
        break;
    case TRANSFER_POSTED:
        out[n++] = transfer_of("s1", 50);
        break;
    case TRANSFER_REJECTED:
        out[n++] = try_of("s1", 101);
        break;
    case TRANSFER_CANCELLED_EMPTY:
        out[n++] = on_hold(OP_CANCEL, "s1", 0, BANK_NOW_US);
        break;
    case TRANSFER_HELD:
    case TRANSFER_CONFIRMED:
    case TRANSFER_CANCELLED:
    case TRANSFER_EXPIRED:
        out[n++] = try_of("s1", 50);
        break;
    }
    if (state == TRANSFER_CONFIRMED) {
        out[n++] = on_hold(OP_CONFIRM, "s2", 0, BANK_NOW_US);
    } else if (state == TRANSFER_CANCELLED) {
        out[n++] = on_hold(OP_CANCEL, "s2", 0, BANK_NOW_US);
    } else if (state == TRANSFER_EXPIRED) {
        out[n++] = on_hold(OP_EXPIRE, "s2", 0, EXPIRES_US);
    }
    return n;
}

static struct ledger_command asked_of(enum ledger_state state, enum asked asked, const char *event)
{
    switch (asked) {
    case ASK_SAME:
        return state == TRANSFER_POSTED ? transfer_of(event, 50) : try_of(event, state == TRANSFER_REJECTED ? 101 : 50);
    case ASK_OTHER:
        return try_of(event, 49);
    case ASK_CONFIRM:
        return on_hold(OP_CONFIRM, event, 0, EXPIRES_US);
    case ASK_CONFIRM_PART:
        return on_hold(OP_CONFIRM, event, 20, EXPIRES_US);
    case ASK_CONFIRM_LATE:
        return on_hold(OP_CONFIRM, event, 0, EXPIRES_US + 1);
    case ASK_CANCEL:
        return on_hold(OP_CANCEL, event, 0, EXPIRES_US + 1);
    case ASK_EXPIRE:
        return on_hold(OP_EXPIRE, event, 0, EXPIRES_US);
    case ASK_EXPIRE_EARLY:
    case ASKED:
        break;
    }
    return on_hold(OP_EXPIRE, event, 0, EXPIRES_US - 1);
}

static void expect_counters(const struct bank *b, enum ledger_state state, bool part, int64_t held)
{
    int64_t booked = state == TRANSFER_POSTED ? 50 : state == TRANSFER_CONFIRMED ? (part ? 20 : 50) : 0;
    struct ledger_account a = bank_account(b, "a");
    struct ledger_account c = bank_account(b, "b");
    held = state == TRANSFER_HELD ? held : 0;
    cr_assert(a.balance == 100 - booked && a.frozen == held && a.incoming == 0 && c.balance == booked &&
                  c.frozen == 0 && c.incoming == held,
              "counters in %s", LEDGER_STATE_NAMES[state]);
}

static enum ledger_state state_named(const char *name)
{
    for (int i = 0; i < LEDGER_STATES; i++) {
        if (strcmp(LEDGER_STATE_NAMES[i], name) == 0) {
            return (enum ledger_state)i;
        }
    }
    return LEDGER_STATES;
}

/* Twice the same command under two event ids: the first by the table, the second too, from where the first has led. */
static void try_cell(enum ledger_state state, enum asked asked, bool one_batch)
{
    struct bank bank;
    struct ledger_command cmds[8];
    struct ledger_result results[8];
    size_t n = way_to(state, cmds);
    const char *answer = ANSWERS[state][asked];
    enum ledger_state becomes = state_named(answer);
    bool applied = becomes != LEDGER_STATES;
    bool repeated = strcmp(answer, "=") == 0;

    bank_init(&bank);
    cmds[n] = asked_of(state, asked, "x");
    bank_run(&bank, cmds, one_batch ? n + 1 : n, results);
    if (!one_batch) {
        bank_run(&bank, &cmds[n], 1, &results[n]);
    }
    struct ledger_result r = results[n];
    cr_assert_eq(r.outcome,
                 applied    ? OUTCOME_APPLIED
                 : repeated ? OUTCOME_DUPLICATE
                            : OUTCOME_REJECTED,
                 "%s, %s", LEDGER_STATE_NAMES[state], HEADINGS[asked]);
    const char *code = applied ? "" : !repeated ? answer : state == TRANSFER_REJECTED ? "already_rejected" : "exists";
    cr_assert_str_eq(ledger_code_name(r.code), code, "%s, %s: %s", LEDGER_STATE_NAMES[state], HEADINGS[asked],
                     ledger_code_name(r.code));
    const struct ledger_transfer *t = bank_transfer(&bank, "t");
    enum ledger_state after = applied ? becomes : state;
    cr_assert_eq(t == NULL ? TRANSFER_ABSENT : t->state, after, "%s, %s", LEDGER_STATE_NAMES[state], HEADINGS[asked]);
    expect_counters(&bank, after, asked == ASK_CONFIRM_PART && applied, asked == ASK_OTHER && applied ? 49 : 50);
    bank_check(&bank);
    bank_done(&bank);
}

Test(ledger_state, every_command_has_its_answer_in_every_state)
{
    for (int state = 0; state < LEDGER_STATES; state++) {
        for (int asked = 0; asked < ASKED; asked++) {
            cr_assert_not_null(ANSWERS[state][asked]);
            try_cell((enum ledger_state)state, (enum asked)asked, false);
            try_cell((enum ledger_state)state, (enum asked)asked, true);
        }
    }
}

static void add_table(struct buf *b)
{
    (void)buf_puts(b, "| the transfer is |");
    for (int asked = 0; asked < ASKED; asked++) {
        (void)buf_printf(b, " %s |", HEADINGS[asked]);
    }
    (void)buf_puts(b, "\n|---|---|---|---|---|---|---|---|---|\n");
    for (int state = 0; state < LEDGER_STATES; state++) {
        (void)buf_printf(b, "| %s |", LEDGER_STATE_NAMES[state]);
        for (int asked = 0; asked < ASKED; asked++) {
            const char *answer = ANSWERS[state][asked];
            if (strcmp(answer, "=") == 0) {
                (void)buf_printf(b, " repetition |");
            } else if (state_named(answer) != LEDGER_STATES) {
                (void)buf_printf(b, " **%s** |", answer);
            } else {
                (void)buf_printf(b, " `%s` |", answer);
            }
        }
        (void)buf_puts(b, "\n");
    }
}

static void add_codes(struct buf *b)
{
    (void)buf_puts(b, "| code | |\n|---|---|\n");
    for (int code = CODE_OK + 1; code < LEDGER_CODES; code++) {
        (void)buf_printf(b, "| `%s` | %s |\n", ledger_code_name((enum ledger_code)code),
                         ledger_code_text((enum ledger_code)code));
    }
}

static void expect_on_page(const char *page, const char *mark, void (*add)(struct buf *b))
{
    struct buf want;
    buf_init(&want, 1 << 16);
    (void)buf_printf(&want, "<!-- %s -->\n", mark);
    add(&want);
    (void)buf_printf(&want, "<!-- /%s -->\n", mark);
    if (strstr(page, buf_str(&want)) == NULL) {
        cr_assert_fail("docs/ledger.md should say:\n%s", buf_str(&want));
    }
    buf_done(&want);
}

Test(ledger_state, the_page_says_so)
{
    FILE *f = fopen(SOURCE_DIR "/docs/ledger.md", "r");
    cr_assert_not_null(f);
    char *page = xcalloc(1, 1 << 17);
    size_t n = fread(page, 1, (1 << 17) - 1, f);
    cr_assert(n > 0 && n < (1 << 17) - 1);
    (void)fclose(f);
    expect_on_page(page, "answers", add_table);
    expect_on_page(page, "codes", add_codes);
    free(page);
}
