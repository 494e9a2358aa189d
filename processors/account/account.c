/* SPDX-License-Identifier: Apache-2.0 */
/* The role: options, readers, and the batch between the runtime and the ledger. */
#include "account/account.h"

#include <assert.h>
#include <stdlib.h>

#include "account/booking.h"
#include "account/commands.h"
#include "account/payments.h"
#include "base/mem.h"
#include "kafka/conf.h"

static const struct option OPTIONS[] = {
    DBPROC_OPTIONS_ROWS("account", "2000"),
    {.name = "account.posting.file",
     .type = OPTION_STRING,
     .value = "",
     .max = 4096,
     .help = "Posting rules of payments instead of those that are built in (schemas/posting.json)."},
    {.name = "account.slots",
     .type = OPTION_INT,
     .value = "32",
     .min = 0,
     .max = STORE_SLOTS_MAX,
     .help = "Slots beside the first one over which bookings of accounts without a limit are spread, by partition, so "
             "that instances do not wait for each other; 0 = none."},
    {.name = "account.sweep.again.s",
     .type = OPTION_INT,
     .value = "60",
     .min = 1,
     .max = 86400,
     .help = "Seconds after which the expiry of a hold that is still open is asked for once more."},
    {.name = "account.sweep.rows.max",
     .type = OPTION_INT,
     .value = "1000",
     .min = 0,
     .max = 100000,
     .help = "Holds whose expiry is asked for in one go, about once a second; 0 = this instance does not look."},
};

const struct option_table account_options = {
    .component = "account",
    .help = "Books what is asked of the ledger and what becomes of payments, and asks for the expiry of both.",
    .rows = OPTIONS,
    .n_rows = ARRAY_SIZE(OPTIONS)};

const struct dbproc_topic ACCOUNT_TOPICS[] = {{.name = COMMANDS_TOPIC, .dlq = "account.dlq"},
                                              {.name = PAYMENTS_TOPIC, .dlq = "account.dlq"}};
const size_t ACCOUNT_TOPICS_N = ARRAY_SIZE(ACCOUNT_TOPICS);

#define READERS 2

struct account {
    struct avro_set *set;
    struct store *store;
    struct payments *payments;
    struct account_reader readers[READERS];
    struct booking *batch;
};

static enum rc session(void *self, PGconn *conn, struct err *err)
{
    struct account *a = self;

    return booking_session(a->batch, conn, err);
}

static enum rc apply(void *self, PGconn *conn, const struct dbproc_event *events, size_t n, struct dbproc_verdicts *v,
                     struct err *err)
{
    struct account *a = self;

    return booking_apply(a->batch, conn, events, n, v, err);
}

static enum rc dead(void *self, PGconn *conn, const struct dbproc_event *event, struct err *err)
{
    struct account *a = self;

    return booking_dead(a->batch, conn, event, err);
}

static void committed(void *self)
{
    struct account *a = self;

    booking_committed(a->batch);
}

static enum rc tick(void *self, PGconn *conn, struct err *err)
{
    struct account *a = self;

    return booking_tick(a->batch, conn, err);
}

static void account_free(struct account *a)
{
    booking_free(a->batch);
    commands_done(&a->readers[0]);
    payments_free(a->payments);
    store_free(a->store);
    avro_set_free(a->set);
    free(a);
}

static void make_batch(struct account *a, const struct config *cfg)
{
    const struct account_reader *readers[READERS];
    char *topics[READERS];
    char *group CLEANUP(freep) = dbproc_group_name(cfg, "account");

    for (size_t i = 0; i < READERS; i++) {
        readers[i] = &a->readers[i];
        topics[i] = kafka_topic_name(cfg, a->readers[i].topic);
    }
    a->batch = booking_create(a->store, group, readers, (const char *const *)topics, READERS);
    for (size_t i = 0; i < READERS; i++) {
        free(topics[i]);
    }
}

static enum rc make_payments(struct account *a, const struct config *cfg, struct err *err)
{
    struct posting posting;

    TRY(payments_posting(cfg, &posting, err));
    TRY(payments_create(a->set, &posting, &a->payments, err));
    a->readers[1] = *payments_reader(a->payments);
    return RC_OK;
}

enum rc account_processor_init(struct dbproc_processor *proc, const struct config *cfg, struct err *err)
{
    const struct sweep_options sweep = {.rows_max = config_int(cfg, "account.sweep.rows.max"),
                                        .again_s = config_int(cfg, "account.sweep.again.s")};
    struct account *a = xcalloc(1, sizeof(*a));

    a->store = store_create((int)config_int(cfg, "account.slots"));
    enum rc rc = schemas_avro_set(&a->set, err);
    if (rc == RC_OK) {
        rc = commands_init(&a->readers[0], a->set, a->store, &sweep, err);
    }
    if (rc == RC_OK) {
        rc = make_payments(a, cfg, err);
    }
    if (rc != RC_OK) {
        account_free(a);
        return rc;
    }
    make_batch(a, cfg);
    *proc = (struct dbproc_processor){.role = "account",
                                      .self = a,
                                      .session = session,
                                      .apply = apply,
                                      .committed = committed,
                                      .dead = dead,
                                      .tick = tick};
    return RC_OK;
}

void account_processor_done(struct dbproc_processor *proc)
{
    account_free(proc->self);
    proc->self = NULL;
}

static enum rc account_run(struct role_ctx *ctx, struct err *err)
{
    struct dbproc_processor proc;

    TRY(account_processor_init(&proc, role_config(ctx), err));
    enum rc rc = dbproc_run(ctx, ACCOUNT_TOPICS, ACCOUNT_TOPICS_N, &proc, err);
    account_processor_done(&proc);
    return rc;
}

const struct role account_role = {.name = "account",
                                  .help = "books what is asked of the ledger: transfers, holds, accounts",
                                  .http_port = 7130,
                                  .options = &account_options,
                                  .run = account_run};
