/* SPDX-License-Identifier: Apache-2.0 */
/* Inbox and nodes of carriers' calls. */
#include "gateway/store_express.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "carrier/carrier.h"
#include "channel/express.h"
#include "crypto/sha256.h"
#include "gateway/callback.h"
#include "gateway/columns.h"
#include "gateway/settle_express.h"
#include "pg/array.h"
#include "pg/conn.h"

#define INBOX_COLUMNS 12
#define NODE_COLUMNS 10
#define NUMBER_MAX 24
#define BYTEA_HASH_MAX (2 + SHA256_HEX_BYTES)
#define NUMBERS_TEXT_MAX ((size_t)64 << 10)

/* In the order of keys, so that two writers with the same bodies do not wait for each other crosswise. */
static const char INBOX_SQL[] =
    "INSERT INTO express_callbacks (id, account, form, body_hash, tracking_nos, nodes, address, key_id, raw_headers, "
    "raw_body, traceparent, received_at) SELECT u.id, u.account, u.form, u.body_hash, u.tracking_nos::text[], u.nodes, "
    "u.address, u.key_id, u.raw_headers, u.raw_body, u.traceparent, u.received_at FROM unnest($1::uuid[], $2::text[], "
    "$3::text[], $4::bytea[], $5::text[], $6::int[], $7::text[], $8::text[], $9::bytea[], $10::bytea[], $11::text[], "
    "$12::timestamptz[]) AS u(id, account, form, body_hash, tracking_nos, nodes, address, key_id, raw_headers, "
    "raw_body, traceparent, received_at) ORDER BY u.account COLLATE \"C\", u.body_hash ON CONFLICT DO NOTHING "
    "RETURNING id";

static const char NODES_SQL[] =
    "WITH made AS (INSERT INTO express_nodes (tracking_no, node_hash, node_at, ordinal, status, code, context, "
    "carrier, callback_id, whole) SELECT u.* FROM unnest($1::text[], $2::bytea[], $3::timestamptz[], $4::int[], "
    "$5::text[], $6::text[], $7::text[], $8::text[], $9::uuid[], $10::boolean[]) AS u(tracking_no, node_hash, node_at, "
    "ordinal, status, code, context, carrier, callback_id, whole) ORDER BY u.tracking_no COLLATE \"C\", u.node_hash "
    "ON CONFLICT DO NOTHING RETURNING callback_id), "
    "k AS (SELECT callback_id, count(*) AS n FROM made GROUP BY callback_id), "
    "noted AS (UPDATE express_callbacks c SET new_nodes = k.n FROM k WHERE c.id = k.callback_id) "
    "SELECT callback_id, n FROM k";

struct batch {
    struct session *s;
    struct job **list; /* those of jobs that are calls of carriers */
    size_t n;
};

static void batchp(struct batch *b)
{
    free(b->list);
}

static void bytea_of(const unsigned char *hash, char out[BYTEA_HASH_MAX])
{
    (void)memcpy(out, "\\x", 2);
    sha256_hex(hash, SHA256_BYTES, out + 2);
}

/* ---------------------------------------------------------------------------------------------------- inbox */

/* The tracking numbers of a call as PostgreSQL writes an array. */
static void numbers_text(const struct carrier_call *call, struct buf *out)
{
    buf_init(out, NUMBERS_TEXT_MAX);
    array_begin(out);
    for (size_t i = 0; i < call->n_reports; i++) {
        array_add(out, call->reports[i].tracking_no, strlen(call->reports[i].tracking_no));
    }
    array_end(out);
}

static size_t count_nodes(const struct carrier_call *call)
{
    size_t n = 0;
    for (size_t i = 0; i < call->n_reports; i++) {
        n += call->reports[i].n_nodes;
    }
    return n;
}

static void add_call(struct columns *columns, const struct job *j)
{
    const struct callback *c = j->callback;
    CLEANUP(buf_done) struct buf numbers;
    unsigned char hash[SHA256_BYTES];
    char body_hash[BYTEA_HASH_MAX];
    char nodes[NUMBER_MAX];
    char received[CLOCK_RFC3339_MAX];
    numbers_text(c->verdict.express, &numbers);
    sha256_of(c->capture.body, c->capture.body_n, hash);
    bytea_of(hash, body_hash);
    (void)snprintf(nodes, sizeof nodes, "%zu", count_nodes(c->verdict.express));
    clock_rfc3339(c->received_us, received);
    const char *const row[INBOX_COLUMNS] = {
        j->id,     c->account->name, c->express.form, body_hash,      buf_str(&numbers), nodes, c->capture.address,
        c->key_id, c->raw_headers,   c->raw_body,     j->traceparent, received};
    columns_add(columns, row);
}

static bool has_id(const PGresult *res, const char *id)
{
    for (int row = 0; row < PQntuples(res); row++) {
        if (strcmp(pg_text(res, row, 0), id) == 0) {
            return true;
        }
    }
    return false;
}

/* A body that is there already says nothing new, not even where the time of what it says is that of its arrival. */
static enum rc insert_calls(const struct batch *b, struct err *err)
{
    CLEANUP(columns_done) struct columns columns;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[INBOX_COLUMNS];
    columns_begin(&columns, INBOX_COLUMNS);
    for (size_t i = 0; i < b->n; i++) {
        add_call(&columns, b->list[i]);
    }
    columns_end(&columns, params);
    TRY(session_query_again(b->s, INBOX_SQL, INBOX_COLUMNS, params, &res, err));
    for (size_t i = 0; i < b->n; i++) {
        struct callback *c = b->list[i]->callback;
        c->result = has_id(res, b->list[i]->id) ? REASON_OK : REASON_DUPLICATE;
        c->detail = NULL;
    }
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- nodes */

/* Nodes come oldest first; those of one time are told apart by their place. */
static size_t add_nodes(struct columns *columns, const struct job *j, const struct carrier_report *r)
{
    int ordinal = 0;
    for (size_t i = 0; i < r->n_nodes; i++) {
        const struct carrier_node *node = &r->nodes[i];
        char hash[BYTEA_HASH_MAX];
        char at[CLOCK_RFC3339_MAX];
        char place[NUMBER_MAX];
        ordinal = i > 0 && r->nodes[i - 1].at_us == node->at_us ? ordinal + 1 : 0;
        bytea_of(node->hash, hash);
        clock_rfc3339(node->at_us, at);
        (void)snprintf(place, sizeof place, "%d", ordinal);
        const char *const row[NODE_COLUMNS] = {r->tracking_no,
                                               hash,
                                               at,
                                               place,
                                               express_status_name(node->status),
                                               node->code,
                                               node->context == NULL ? "" : node->context,
                                               r->carrier,
                                               j->id,
                                               r->whole ? "true" : "false"};
        columns_add(columns, row);
    }
    return r->n_nodes;
}

/* How many of each call's nodes were new. */
static void note_new(const struct batch *b, const PGresult *res)
{
    for (int row = 0; row < PQntuples(res); row++) {
        for (size_t i = 0; i < b->n; i++) {
            if (strcmp(b->list[i]->id, pg_text(res, row, 0)) == 0) {
                b->list[i]->callback->express.new_nodes = (size_t)pg_int(res, row, 1, 0);
            }
        }
    }
}

static enum rc insert_nodes(const struct batch *b, struct err *err)
{
    CLEANUP(columns_done) struct columns columns;
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[NODE_COLUMNS];
    size_t n = 0;
    columns_begin(&columns, NODE_COLUMNS);
    for (size_t i = 0; i < b->n; i++) {
        struct callback *c = b->list[i]->callback;
        const struct carrier_call *call = c->verdict.express;
        c->express.new_nodes = 0;
        c->express.nodes = count_nodes(call);
        for (size_t k = 0; c->result == REASON_OK && k < call->n_reports; k++) {
            n += add_nodes(&columns, b->list[i], &call->reports[k]);
        }
    }
    columns_end(&columns, params);
    if (n == 0) {
        return RC_OK;
    }
    TRY(session_query_again(b->s, NODES_SQL, NODE_COLUMNS, params, &res, err));
    note_new(b, res);
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- numbers */

struct numbers {
    struct express_number *list;
    size_t n;
};

static void numbersp(struct numbers *numbers)
{
    free(numbers->list);
}

/* Each number once, in order. */
static void unite(struct numbers *numbers)
{
    size_t kept = 0;
    qsort(numbers->list, numbers->n, sizeof *numbers->list, express_number_compare);
    for (size_t i = 0; i < numbers->n; i++) {
        if (kept == 0 || express_number_compare(&numbers->list[kept - 1], &numbers->list[i]) != 0) {
            numbers->list[kept++] = numbers->list[i];
            continue;
        }
        numbers->list[kept - 1].calls++;
        numbers->list[kept - 1].parks = numbers->list[kept - 1].parks || numbers->list[i].parks;
    }
    numbers->n = kept;
}

static void collect(const struct batch *b, struct numbers *out)
{
    size_t max = 0;
    for (size_t i = 0; i < b->n; i++) {
        max += b->list[i]->callback->verdict.express->n_reports;
    }
    *out = (struct numbers){.list = xcalloc(max + 1, sizeof *out->list)};
    for (size_t i = 0; i < b->n; i++) {
        const struct callback *c = b->list[i]->callback;
        for (size_t k = 0; k < c->verdict.express->n_reports; k++) {
            const struct carrier_report *r = &c->verdict.express->reports[k];
            out->list[out->n++] = (struct express_number){.tracking_no = r->tracking_no,
                                                          .account = c->account->name,
                                                          .carrier = r->carrier,
                                                          .calls = 1,
                                                          .parks = r->n_nodes > 0};
        }
    }
    unite(out);
}

/* What a call is, now that it is known which of its numbers have a waybill. */
static void judge(struct callback *c, const struct numbers *numbers)
{
    c->express.unknown = false;
    for (size_t k = 0; k < c->verdict.express->n_reports; k++) {
        const struct express_number key = {.tracking_no = c->verdict.express->reports[k].tracking_no};
        const struct express_number *at = bsearch(&key, numbers->list, numbers->n, sizeof key, express_number_compare);
        c->express.unknown = c->express.unknown || (at != NULL && !at->known);
    }
    /* Services that ask on our own route are told each time, until the waybill is there. */
    if (c->express.unknown && (c->result == REASON_OK || c->account == channel_express_own())) {
        c->result = REASON_UNKNOWN_WAYBILL;
    }
}

enum rc express_store(struct session *s, struct job *const *jobs, size_t n, struct err *err)
{
    CLEANUP(batchp) struct batch b = {.s = s, .list = xcalloc(n, sizeof(struct job *))};
    CLEANUP(numbersp) struct numbers numbers = {0};
    struct express_totals totals = {0};
    for (size_t i = 0; i < n; i++) {
        if (jobs[i]->kind == JOB_EXPRESS) {
            b.list[b.n++] = jobs[i];
        }
    }
    if (b.n == 0) {
        return RC_OK;
    }
    TRY(insert_calls(&b, err));
    TRY(insert_nodes(&b, err));
    collect(&b, &numbers);
    TRY(express_settle(s, numbers.list, numbers.n, b.list[0]->callback->express.nodes_max, &totals, err));
    for (size_t i = 0; i < b.n; i++) {
        judge(b.list[i]->callback, &numbers);
        b.list[i]->callback->express.queued = i == 0 ? (size_t)totals.queued : 0; /* of the batch, counted once */
        b.list[i]->callback->express.history = i == 0 ? (size_t)totals.history : 0;
    }
    return RC_OK;
}
