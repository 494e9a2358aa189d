/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: parsed, wanted, decided, and counted when they are committed. */
#include "account/commands.h"

#include <stdlib.h>
#include <string.h>

#include "account/command.h"
#include "account/decided.h"
#include "account/fields.h"
#include "base/metric.h"

#define OUTCOMES 3
static const char *const OUTCOME_LABELS[OUTCOMES] = {
    [OUTCOME_APPLIED] = "applied", [OUTCOME_DUPLICATE] = "duplicate", [OUTCOME_REJECTED] = "rejected"};

struct commands {
    struct command_reader *reader;
    struct store *store;
    struct sweep_options sweep;

    /* of the batch */
    struct decided decided;
    bool decided_read;       /* what the store knows is in it */
    size_t decisions_before; /* of the ledger's, those that are in it */
    int64_t outcomes[LEDGER_OPS][OUTCOMES];
    int64_t codes[LEDGER_CODES];

    struct metric *m_outcomes[LEDGER_OPS][OUTCOMES];
    struct metric *m_codes[LEDGER_CODES];
    struct metric *m_asked;
};

static void begin(void *self)
{
    struct commands *c = self;

    decided_clear(&c->decided);
    c->decided_read = false;
    c->decisions_before = 0;
    memset(c->outcomes, 0, sizeof(c->outcomes));
    memset(c->codes, 0, sizeof(c->codes));
}

static enum rc parse(void *self, struct account_batch *b, const struct dbproc_event *ev, void **out_item,
                     const char **out_class, struct err *err)
{
    struct commands *c = self;
    struct ledger_command *cmd = arena_alloc(&b->arena, sizeof(*cmd));

    TRY(command_read(c->reader, ev->value, ev->value_len, &b->arena, cmd, out_class, err));
    *out_item = cmd;
    return RC_OK;
}

static void want(void *self, struct account_batch *b, void *item)
{
    (void)self;
    ledger_want(b->ledger, item);
}

/* What was decided without a flow, before this batch and by it so far. */
static void note_decided(struct commands *c, const struct ledger *l)
{
    const struct ledger_decision *made = NULL;
    size_t n_made = ledger_decisions(l, &made);

    if (!c->decided_read) {
        const struct store_decided *before = NULL;
        size_t n = store_decided(c->store, &before);
        for (size_t i = 0; i < n; i++) {
            if (before[i].ordinal == 0) {
                decided_add(&c->decided, before[i].event_id, before[i].command, before[i].subject);
            }
        }
        c->decided_read = true;
    }
    for (; c->decisions_before < n_made; c->decisions_before++) {
        const struct ledger_decision *d = &made[c->decisions_before];
        if (d->ordinal == 0) {
            decided_add(&c->decided, d->event_id, LEDGER_OP_NAMES[d->op],
                        d->transfer_id != NULL ? d->transfer_id : d->account_id);
        }
    }
}

static enum rc decide(void *self, struct account_batch *b, void *item, struct ledger_result *out,
                      const char **out_class, struct err *err)
{
    struct commands *c = self;
    const struct ledger_command *cmd = item;

    note_decided(c, b->ledger);
    if (decided_for_another(&c->decided, cmd)) {
        *out_class = CLASS_EVENT_ID_REUSED;
        FAIL(err, RC_REJECT, "event %s was decided as another command before; expected an id of its own",
             cmd->event_id);
    }
    ledger_decide(b->ledger, cmd, out);
    c->outcomes[cmd->op][out->outcome]++;
    if (out->outcome == OUTCOME_REJECTED) {
        c->codes[out->code]++;
    }
    return RC_OK;
}

static void committed(void *self)
{
    struct commands *c = self;

    for (size_t op = 0; op < LEDGER_OPS; op++) {
        for (size_t i = 0; i < OUTCOMES; i++) {
            metric_add(c->m_outcomes[op][i], (double)c->outcomes[op][i]);
        }
    }
    for (size_t i = 0; i < LEDGER_CODES; i++) {
        if (c->codes[i] > 0) {
            metric_add(c->m_codes[i], (double)c->codes[i]);
        }
    }
}

static enum rc tick(void *self, PGconn *conn, struct err *err)
{
    struct commands *c = self;
    int64_t asked = 0;

    TRY(sweep_holds(conn, &c->sweep, &asked, err));
    metric_add(c->m_asked, (double)asked);
    return RC_OK;
}

static void make_metrics(struct commands *c)
{
    for (int op = 0; op < LEDGER_OPS; op++) {
        for (int i = 0; i < OUTCOMES; i++) {
            c->m_outcomes[op][i] =
                metric_counter("sluice_account_commands_total", "Commands that were decided and committed.",
                               "command=\"%s\",outcome=\"%s\"", LEDGER_OP_NAMES[op], OUTCOME_LABELS[i]);
        }
    }
    for (int i = CODE_OK + 1; i < LEDGER_CODES; i++) {
        c->m_codes[i] = metric_counter("sluice_account_rejected_total", "Commands that were refused, by reason.",
                                       "code=\"%s\"", ledger_code_name((enum ledger_code)i));
    }
    c->m_asked = metric_counter("sluice_account_expiries_asked_total", "Holds whose expiry was asked for.", NULL);
}

enum rc commands_init(struct account_reader *out, const struct avro_set *set, struct store *store,
                      const struct sweep_options *sweep, struct err *err)
{
    struct command_reader *reader = NULL;

    TRY(command_reader_create(set, &reader, err));
    struct commands *c = xcalloc(1, sizeof(*c));
    c->reader = reader;
    c->store = store;
    c->sweep = *sweep;
    make_metrics(c);
    *out = (struct account_reader){.topic = COMMANDS_TOPIC,
                                   .self = c,
                                   .begin = begin,
                                   .parse = parse,
                                   .want = want,
                                   .decide = decide,
                                   .committed = committed,
                                   .tick = tick};
    return RC_OK;
}

void commands_done(struct account_reader *reader)
{
    struct commands *c = reader->self;

    if (c != NULL) {
        command_reader_free(c->reader);
        decided_done(&c->decided);
        free(c);
    }
    reader->self = NULL;
}
