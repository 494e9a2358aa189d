/* SPDX-License-Identifier: Apache-2.0 */
/* Walks through what is kept of calls, decrypts it, asks channel_verify(), compares. */
#include "gateway/reverify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/header_file.h"
#include "pg/conn.h"

#define ROWS "100" /* of one query */
#define FIRST_ID "00000000-0000-0000-0000-000000000000"
#define NUMBER_MAX 24
#define BEGINNING "-infinity"

enum { ID, CHANNEL, ACCOUNT, AT_TEXT, AT_US, ADDRESS, KEY_ID, HEADERS, BODY, FIELDS };

/* From FIELDS on in the order of NAMES. By the key of the index for retention: what is erased is not in it. */
static const char ROWS_SQL[] =
    "SELECT id, channel, account, received_at, (extract(epoch FROM received_at) * 1000000)::bigint, address, key_id, "
    "encode(raw_headers, 'hex'), encode(raw_body, 'hex'), merchant, notification_id, business_key, event_type, state, "
    "effect, payment_id, channel_txn_id, refund_id, amount, currency "
    "FROM payment_callbacks WHERE erased_at IS NULL AND raw_body IS NOT NULL "
    "AND (received_at, id) > ($1::timestamptz, $2::uuid) AND received_at >= coalesce($3, '-infinity')::timestamptz "
    "AND ($4::text IS NULL OR channel = $4) AND ($5::text IS NULL OR account = $5) "
    "AND ($6::text IS NULL OR verdict = $6) ORDER BY received_at, id LIMIT " ROWS;

static const char *const NAMES[] = {"merchant",   "notification_id", "business_key", "type",   "state",   "effect",
                                    "payment_id", "channel_txn_id",  "refund_id",    "amount", "currency"};

struct run {
    const struct accounts *accounts;
    const struct raw_keys *keys;
    reverify_fn say;
    void *opaque;
    struct reverify_counts *counts;
    struct arena arena;
};

static void run_done(struct run *r)
{
    arena_done(&r->arena);
}

static void differ(const struct run *r, const PGresult *res, int row, const char *what, const char *stored,
                   const char *now)
{
    const struct reverify_difference d = {.id = pg_text(res, row, ID),
                                          .channel = pg_text(res, row, CHANNEL),
                                          .account = pg_text(res, row, ACCOUNT),
                                          .received_at = pg_text(res, row, AT_TEXT),
                                          .what = what,
                                          .stored = stored == NULL ? "-" : stored,
                                          .now = now == NULL ? "-" : now};
    r->say(r->opaque, &d);
}

static void unreadable(const struct run *r, const PGresult *res, int row, const char *why)
{
    r->counts->unreadable++;
    differ(r, res, row, "unreadable", NULL, why);
}

static int digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* column: as it was sealed. The text's digits are PostgreSQL's. */
static enum rc open_column(struct run *r, const PGresult *res, int row, int at, const char *column, struct buf *out,
                           struct err *err)
{
    const char *hex = pg_text(res, row, at);
    size_t n = strlen(hex) / 2;
    unsigned char *sealed = arena_alloc(&r->arena, n + 1);
    for (size_t i = 0; i < n; i++) {
        sealed[i] = (unsigned char)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    }
    return raw_open(r->keys, pg_text(res, row, KEY_ID), pg_text(res, row, ID), column, sealed, n, out, err);
}

/* True: something is different. */
static bool compare(const struct run *r, const PGresult *res, int row, const struct channel_event *e)
{
    char amount[NUMBER_MAX];
    bool same = true;
    (void)snprintf(amount, sizeof amount, "%" PRId64, e->amount);
    const char *const now[] = {e->merchant,     e->notification_id,
                               e->business_key, e->type,
                               e->state,        payment_effect_event(e->effect),
                               e->payment_id,   e->channel_txn_id,
                               e->refund_id,    e->has_amount ? amount : NULL,
                               e->currency};
    _Static_assert(ARRAY_SIZE(now) == ARRAY_SIZE(NAMES), "a name for each field");
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
        int at = FIELDS + (int)i;
        const char *stored = PQgetisnull(res, row, at) ? NULL : pg_text(res, row, at);
        const char *then = stored == NULL ? "" : stored; /* what has to be there is stored as an empty text */
        if (strcmp(then, now[i] == NULL ? "" : now[i]) != 0) {
            differ(r, res, row, NAMES[i], stored, now[i]);
            same = false;
        }
    }
    return !same;
}

static void judge(struct run *r, const PGresult *res, int row, const struct account *account,
                  const struct header_file *headers, const struct buf *body)
{
    const struct capture c = {.headers = headers->lines,
                              .n_headers = headers->n,
                              .body = buf_str(body),
                              .body_n = body->len,
                              .address = PQgetisnull(res, row, ADDRESS) ? NULL : pg_text(res, row, ADDRESS)};
    struct verdict v;
    char now[CHANNEL_DETAIL_MAX + 64];
    bool changed = false;
    if (channel_verify(account, &c, pg_int(res, row, AT_US, 0) / 1000000, &r->arena, &v) != REASON_OK) {
        (void)snprintf(now, sizeof now, "%s: %s", reason_name(v.reason), v.detail);
        differ(r, res, row, "reason", "ok", now);
        changed = true;
    } else {
        changed = compare(r, res, row, &v.event);
    }
    r->counts->changed += changed ? 1 : 0;
}

static void look_at(struct run *r, const PGresult *res, int row)
{
    CLEANUP(buf_done) struct buf text;
    CLEANUP(buf_done) struct buf body;
    CLEANUP(header_file_done) struct header_file headers = {0};
    struct err err;
    int channel = channel_find(pg_text(res, row, CHANNEL));
    const struct account *account =
        channel < 0 ? NULL : accounts_find(r->accounts, (enum channel)channel, pg_text(res, row, ACCOUNT));
    buf_init(&text, HEADER_FILE_BYTES_MAX);
    buf_init(&body, CHANNEL_BODY_BYTES_MAX);
    r->counts->looked_at++;
    if (account == NULL) {
        unreadable(r, res, row, "there is no such account in the accounts file any more");
    } else if (open_column(r, res, row, HEADERS, "headers", &text, &err) != RC_OK ||
               open_column(r, res, row, BODY, "body", &body, &err) != RC_OK ||
               header_file_parse(buf_str(&text), text.len, &headers, &err) != RC_OK) {
        unreadable(r, res, row, err.text);
    } else {
        judge(r, res, row, account, &headers, &body);
    }
    arena_reset(&r->arena);
}

enum rc reverify_run(PGconn *conn, const struct accounts *accounts, const struct raw_keys *keys,
                     const struct reverify_filter *filter, reverify_fn say, void *opaque,
                     struct reverify_counts *out_counts, struct err *err)
{
    CLEANUP(run_done)
    struct run r = {.accounts = accounts, .keys = keys, .say = say, .opaque = opaque, .counts = out_counts};
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {BEGINNING, FIRST_ID, filter->since, filter->channel, filter->account, filter->verdict};
    int n = 1;
    *out_counts = (struct reverify_counts){0};
    arena_init(&r.arena, (size_t)64 << 10);
    while (n > 0) {
        PGresult *next = NULL;
        TRY(pg_query(conn, ROWS_SQL, 6, params, &next, err));
        PQclear(res); /* the last row's key was in it */
        res = next;
        n = PQntuples(res);
        for (int row = 0; row < n; row++) {
            look_at(&r, res, row);
        }
        if (n > 0) {
            params[0] = pg_text(res, n - 1, AT_TEXT);
            params[1] = pg_text(res, n - 1, ID);
        }
    }
    return RC_OK;
}
