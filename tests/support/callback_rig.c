/* SPDX-License-Identifier: Apache-2.0 */
#include "support/callback_rig.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "crypto/sha256.h"
#include "gateway/store.h"

struct stack st;
struct callback_rig rig;

static void make_keys(void)
{
    static const char KEYS[] = "# of the tests\nk2 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
                               "k1 /v79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA=\n";
    char *path = rig.keys_path;
    struct err err;
    (void)snprintf(path, sizeof rig.keys_path, "/tmp/sluice-raw-keys.XXXXXX");
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    cr_assert_eq(write(fd, KEYS, sizeof KEYS - 1), (ssize_t)sizeof KEYS - 1);
    (void)close(fd);
    cr_assert_eq(raw_keys_read(path, &rig.g.raw_keys, &err), RC_OK, "%s", err.text);
}

void callback_rig_open(void)
{
    struct err err;
    stack_open(&st);
    stack_migrate(&st);
    rig = (struct callback_rig){.g = {.now_us = clock_utc_us}};
    arena_init(&rig.arena, 16384);
    make_keys();
    for (enum channel c = 0; c < CHANNELS_N; c++) {
        rig.accounts[c] = (struct account){.channel = c, .name = "shop1"};
    }
    rig.options = (struct session_options){.url = st.url, .schema = "public", .statement_timeout_ms = 20000};
    rig.session = (struct session){.opt = &rig.options};
    cr_assert_eq(session_open(&rig.session, &err), RC_OK, "%s", err.text);
}

void callback_rig_close(void)
{
    session_close(&rig.session);
    (void)unlink(rig.keys_path);
    rig.g.raw_keys = raw_keys_free(rig.g.raw_keys);
    arena_done(&rig.arena);
    stack_close(&st);
}

/* a, b and c, one behind the other. */
static const char *text(const char *a, const char *b, const char *c)
{
    char out[200];
    (void)snprintf(out, sizeof out, "%s%s%s", a, b, c);
    return arena_strndup(&rig.arena, out, strlen(out));
}

void callback_ready(struct job *job)
{
    struct callback *c = job->callback;
    struct channel_event *e = &c->verdict.event;
    char all[1000];
    int n = snprintf(all, sizeof all, "%s|%s|%s|%s|%s|%" PRId64 "|%s", e->type, e->state, e->payment_id,
                     e->channel_txn_id, e->refund_id == NULL ? "-" : e->refund_id, e->amount, e->currency);
    sha256_of(all, (size_t)n, e->content);
    c->payload = callback_payload(job);
    callback_keep(&rig.g, job);
}

static struct job *make(const char *notification)
{
    static const struct header_line HEADERS[] = {
        {"Wechatpay-Serial", "PUB_KEY_ID_1"}, {"X-Twice", "1"}, {"X-Twice", "2"}};
    static unsigned count;
    struct job *j = arena_alloc(&rig.arena, sizeof *j);
    struct callback *c = arena_alloc(&rig.arena, sizeof *c);
    *j = (struct job){.arena = &rig.arena, .kind = JOB_CALLBACK, .caller = "", .callback = c, .wait_s = -1};
    *c = (struct callback){
        .channel = CHANNEL_WECHAT,
        .account = &rig.accounts[CHANNEL_WECHAT],
        .capture = {.headers = HEADERS, .n_headers = 3, .body = "{\"id\": 1}", .body_n = 9, .address = "10.1.2.3"},
        .received_us = clock_utc_us(),
        .verdict = {.genuine = true, .listed = true}};
    count++;
    sha256_of(&count, sizeof count, c->verdict.fingerprint);
    c->verdict.event.notification_id = notification;
    uuid_make(j->id);
    uuid_make(c->event_id);
    return j;
}

struct job *callback_paid(const char *notification, const char *payment)
{
    struct job *j = make(notification);
    struct channel_event *e = &j->callback->verdict.event;
    e->merchant = "1900000001";
    e->business_key = text("42-", payment, "/TRANSACTION.SUCCESS");
    e->type = "TRANSACTION.SUCCESS";
    e->state = "SUCCESS";
    e->payment_id = payment;
    e->channel_txn_id = text("42-", payment, "");
    e->effect = EFFECT_SUCCEEDED;
    e->has_amount = true;
    e->amount = 100;
    e->currency = "CNY";
    e->at_us = INT64_C(1790000000000000);
    callback_ready(j);
    return j;
}

struct job *callback_refund(const char *notification, const char *payment, const char *refund, int64_t amount)
{
    struct job *j = callback_paid(notification, payment);
    struct channel_event *e = &j->callback->verdict.event;
    e->business_key = text(e->channel_txn_id, "/REFUND.SUCCESS/", refund);
    e->type = "REFUND.SUCCESS";
    e->refund_id = refund;
    e->effect = EFFECT_REFUNDED;
    e->amount = amount;
    callback_ready(j);
    return j;
}

struct job *callback_again(const struct job *job)
{
    struct job *j = make(job->callback->verdict.event.notification_id);
    j->callback->channel = job->callback->channel;
    j->callback->account = job->callback->account;
    j->callback->verdict.event = job->callback->verdict.event;
    callback_ready(j);
    return j;
}

void callback_store(struct job **jobs, size_t n)
{
    struct err err;
    bool unknown = false;
    cr_assert_eq(jobs_store(&rig.session, jobs, n, &unknown, &err), RC_OK, "%s", err.text);
}

enum channel_reason callback_store_one(struct job *job)
{
    callback_store(&job, 1);
    return job->callback->result;
}

void callback_order(const char *payment, const char *channel, int64_t amount, const char *currency)
{
    stack_sql(st.conn,
              "INSERT INTO payment_transactions (payment_id, account_id, channel, amount, currency) VALUES ('%s', "
              "'m1', '%s', %lld, '%s')",
              payment, channel, (long long)amount, currency);
}

void callback_came(struct job *job, enum channel_reason want, const char *what)
{
    enum channel_reason got = callback_store_one(job);
    cr_assert_eq(got, want, "%s: %s, expected %s (%s)", what, reason_name(got), reason_name(want),
                 job->callback->detail);
}

void callback_rows(int64_t inbox, int64_t events, int64_t open, const char *what)
{
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM payment_callbacks"), inbox, "%s: inbox", what);
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM payment_outbox"), events, "%s: events", what);
    cr_assert_eq(stack_int(st.conn, "SELECT count(*) FROM payment_quarantine WHERE settled_at IS NULL"), open,
                 "%s: quarantine", what);
}
