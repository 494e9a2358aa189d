/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice account explain`: what an event of payments books and why, and what it has booked. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "account.h"
#include "account/payment_rows.h"
#include "account/payments.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "commands.h"
#include "file.h"
#include "ledger/ledger.h"
#include "pg/conn.h"
#include "shown.h"

#define OUTPUT_MAX ((size_t)16 << 20)
#define FILE_BYTES_MAX ((size_t)256 << 10)
#define ARENA_BYTES ((size_t)64 << 10)

struct explain {
    const struct cli *cli;
    PGconn *conn;
    struct arena arena;
    struct posting posting;
    struct payment_record rec;
    bool has_event; /* rec is one */
    const char *payment_id;
    json_t *out; /* what is printed, either way */
};

/* Everything that stands in the tables about a payment, or of it what one event did. */
static const char DONE[] =
    "SELECT jsonb_build_object("
    " 'order', (SELECT to_jsonb(p) - 'content_hash' FROM payment_transactions p WHERE payment_id = $1),"
    " 'history', (SELECT coalesce(jsonb_agg(to_jsonb(h) - 'payment_id' ORDER BY version), '[]')"
    "   FROM payment_state_transitions h WHERE payment_id = $1 AND ($2::text IS NULL OR event_id = $2)),"
    " 'transfers', (SELECT coalesce(jsonb_agg(jsonb_build_object('transfer_id', transfer_id, 'state', state, 'code',"
    "   code, 'debit', debit_account, 'credit', credit_account, 'amount', amount, 'currency', currency, 'event_id',"
    "   event_id, 'booked_at', booked_at) ORDER BY booked_at, transfer_id), '[]') FROM account_transfers"
    "   WHERE transfer_id >= 'pay:' || $1 || ':' AND transfer_id < 'pay:' || $1 || ';'"
    "    AND ($2::text IS NULL OR event_id = $2)),"
    " 'reviews', (SELECT coalesce(jsonb_agg(to_jsonb(r) - 'event' - 'payment_id' ORDER BY created_at), '[]')"
    "   FROM payment_reviews r WHERE payment_id = $1 AND ($2::text IS NULL OR event_id = $2)))";

/* An event by its id: as it was written, or what it left. */
static const char EVENT[] =
    "SELECT partition_key, event_type, payload::text, (extract(epoch FROM created_at) * 1000000)::bigint"
    " FROM payment_outbox WHERE id = $2::uuid"
    " UNION ALL SELECT payment_id, event_type, (event -> 'payload')::text,"
    "  (extract(epoch FROM created_at) * 1000000)::bigint FROM payment_reviews WHERE event_id = $1"
    " UNION ALL SELECT payment_id, event_type, NULL, NULL FROM payment_state_transitions WHERE event_id = $1 LIMIT 1";

/* ---- what would happen ---- */

static json_t *entry(const char *account, const char *side, int64_t amount, const char *transfer)
{
    return json_pack("{s:s, s:s, s:I, s:s}", "account", account, "side", side, "amount", (json_int_t)amount,
                     "transfer_id", transfer);
}

static json_t *booking(const struct explain *x, const struct payment_order *o, enum payment_booking b, int64_t amount)
{
    const struct posting_rule *rule = &x->posting.rules[b];
    CLEANUP(freep) char *base = payment_transfer_id(&x->rec.e, b);
    json_t *entries = json_array();

    for (size_t i = 0; i < rule->n; i++) {
        CLEANUP(freep) char *id = i == 0 ? xstrdup(base) : xasprintf("%s:%zu", base, i + 1);
        const int accounts[] = {rule->pairs[i].debit, rule->pairs[i].credit};
        for (size_t k = 0; k < ARRAY_SIZE(accounts); k++) {
            CLEANUP(buf_done) struct buf account;
            buf_init(&account, 256);
            posting_account_id(&x->posting, accounts[k], o->account_id, o->channel, o->currency, &account);
            (void)json_array_append_new(entries, entry(buf_str(&account), k == 0 ? "debit" : "credit", amount, id));
        }
    }
    return json_pack("{s:s, s:s, s:I, s:o}", "rule", PAYMENT_BOOKING_NAMES[b], "term",
                     POSTING_TERM_NAMES[posting_term_of(b)], "amount", (json_int_t)amount, "entries", entries);
}

static json_t *review_json(enum payment_review r)
{
    return r == REVIEW_NONE ? json_null()
                            : json_pack("{s:s, s:s}", "code", PAYMENT_REVIEW_NAMES[r], "text", payment_review_text(r));
}

static const char *because(const struct payment_decision *d, enum payment_state from)
{
    if (d->what != CASE_ANY) {
        return payment_case_text(d->what);
    }
    if (d->edge->answer == ANSWER_REPEAT) {
        return "said before, or overtaken by what happened since";
    }
    if (d->edge->answer == ANSWER_REVIEW) {
        return "it cannot happen in this state";
    }
    return d->via != NULL        ? "that the order was created is not seen yet: over PENDING"
           : from == d->edge->to ? "a step that stays in its state"
                                 : "the edge of the state machine";
}

static json_t *would(struct explain *x, const struct payment_row *row)
{
    static const char *const answers[] = {"step", "via", "nothing", "review"};
    const struct payment_order *o = &row->o;
    struct payment_decision d;
    struct payment_seen seen;
    json_t *path = json_array();
    json_t *tells = json_array();

    payment_rows_seen(row, &x->rec.e, &seen);
    payment_event_resolve(&x->rec.e, &seen);
    payment_decide(o, &x->rec.e, &seen, posting_window_days(&x->posting, o->channel), &d);
    bool step = d.edge->answer == ANSWER_STEP;
    (void)json_array_append_new(path, json_string(PAYMENT_STATE_NAMES[o->state]));
    if (step && d.via != NULL) {
        (void)json_array_append_new(path, json_string(PAYMENT_STATE_NAMES[d.via->to]));
        (void)json_array_append_new(tells, json_string(d.via->tells));
    }
    if (step) {
        (void)json_array_append_new(path, json_string(PAYMENT_STATE_NAMES[d.edge->to]));
        (void)json_array_append_new(tells, json_string(d.edge->tells));
    }
    bool books = d.booking != BOOK_NONE;
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:b}", "answer", answers[d.edge->answer], "case",
                     PAYMENT_CASE_NAMES[d.what], "because", because(&d, o->state), "path", path, "books",
                     books ? booking(x, o, d.booking, d.booked_amount) : json_null(), "if_refused",
                     d.fallback != BOOK_NONE ? booking(x, o, d.fallback, d.booked_amount) : json_null(), "review",
                     review_json(d.edge->review), "tells",
                     row->callback_target != NULL ? tells : (json_decref(tells), json_array()), "asks_refund",
                     (int)(step && d.edge->asks_refund));
}

static enum rc add_would(struct explain *x, struct err *err)
{
    const struct payment_event *e = &x->rec.e;
    const struct payment_names names = {e->payment_id, e->channel_txn_id, e->refund_id, e->event_id};
    struct payment_rows rows = {.arena = &x->arena};

    if (x->rec.for_others) {
        (void)json_object_set_new(x->out, "would",
                                  json_pack("{s:s, s:s}", "answer", "nothing", "because",
                                            "it asks whoever talks to the channel; no order changes by it"));
        return RC_OK;
    }
    TRY(payment_rows_load(&rows, x->conn, false, &x->posting, &names, 1, err));
    const struct payment_row *row = payment_rows_find(&rows, e->payment_id);
    (void)json_object_set_new(x->out, "would",
                              row != NULL ? would(x, row)
                                          : json_pack("{s:s, s:s, s:o}", "answer", "review", "because",
                                                      "there is no order of this number", "review",
                                                      review_json(REVIEW_PAYMENT_UNKNOWN)));
    return RC_OK;
}

/* ---- which event ---- */

static enum rc add_done(struct explain *x, const char *event_id, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    const char *params[] = {x->payment_id, event_id};

    TRY(pg_query(x->conn, DONE, 2, params, &res, err));
    json_t *done = json_loads(pg_text(res, 0, 0), 0, NULL);
    (void)json_object_update(x->out, done);
    json_decref(done);
    return RC_OK;
}

/* {"event_type": ..., "payload": {...}} or the payload's fields beside event_type. */
static enum rc read_event(struct explain *x, const char *text, size_t n, struct err *err)
{
    const char *class = NULL;
    json_error_t why;
    json_t *doc = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    json_t *payload = json_object_get(doc, "payload");
    const char *type = json_string_value(json_object_get(doc, "event_type"));
    const char *id = json_string_value(json_object_get(doc, "payment_id"));

    if (doc == NULL || type == NULL) {
        json_decref(doc);
        FAIL(err, RC_REJECT, "expected a JSON object with \"event_type\" and the payload's fields%s%s",
             doc == NULL ? ": " : "", doc == NULL ? why.text : "");
    }
    char *dump = json_dumps(json_is_object(payload) ? payload : doc, JSON_COMPACT);
    x->rec = (struct payment_record){.issued_us = clock_utc_us()};
    enum rc rc = payment_payload_read(type, id == NULL ? NULL : arena_strndup(&x->arena, id, strlen(id)), dump,
                                      strlen(dump), &x->arena, &x->rec, &class, err);
    freep(&dump);
    json_decref(doc);
    x->rec.e.event_id = "";
    x->has_event = rc == RC_OK;
    x->payment_id = x->rec.e.payment_id;
    return rc;
}

static enum rc read_event_file(struct explain *x, const char *path, struct err *err)
{
    CLEANUP(buf_done) struct buf text;

    buf_init(&text, FILE_BYTES_MAX);
    TRY(file_read(path, &text, err));
    return read_event(x, buf_str(&text), text.len, err);
}

/* *out_found false: neither a payment nor an event. */
static enum rc find(struct explain *x, const char *id, bool *out_found, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    PGresult *event CLEANUP(pg_clearp) = NULL;
    const char *class = NULL;

    TRY(pg_query(x->conn, "SELECT 1 FROM payment_transactions WHERE payment_id = $1", 1, &id, &res, err));
    *out_found = PQntuples(res) > 0;
    if (*out_found) {
        x->payment_id = id;
        return add_done(x, NULL, err);
    }
    const char *params[] = {id, uuid_check(id, strlen(id)) ? id : NULL};
    TRY(pg_query(x->conn, EVENT, 2, params, &event, err));
    *out_found = PQntuples(event) > 0;
    if (!*out_found) {
        return RC_OK;
    }
    x->payment_id = arena_strndup(&x->arena, pg_text(event, 0, 0), strlen(pg_text(event, 0, 0)));
    if (!PQgetisnull(event, 0, 2)) {
        x->rec = (struct payment_record){.issued_us = pg_int(event, 0, 3, 0)};
        TRY(payment_payload_read(pg_text(event, 0, 1), x->payment_id, pg_text(event, 0, 2),
                                 strlen(pg_text(event, 0, 2)), &x->arena, &x->rec, &class, err));
        x->rec.e.event_id = id;
        x->has_event = true;
    }
    return add_done(x, id, err);
}

/* ---- for people ---- */

static const char *field(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s != NULL ? s : "-";
}

static int64_t integer(const json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}

static void print_order(const json_t *o, struct buf *out)
{
    (void)buf_printf(out,
                     "order       %s, version %" PRId64 ": %" PRId64 " %s by %s for account %s; refunded %" PRId64
                     ", in suspense %" PRId64 ", carried %" PRId64 "\n",
                     field(o, "state"), integer(o, "version"), integer(o, "amount"), field(o, "currency"),
                     field(o, "channel"), field(o, "account_id"), integer(o, "refunded_amount"),
                     integer(o, "suspense_amount"), integer(o, "carried_amount"));
}

static void print_booking(const char *head, const json_t *b, struct buf *out)
{
    size_t i = 0;
    json_t *e = NULL;

    (void)buf_printf(out, "%-11s rule %s, amount %s = %" PRId64 "\n", head, field(b, "rule"), field(b, "term"),
                     integer(b, "amount"));
    json_array_foreach(json_object_get(b, "entries"), i, e)
    {
        (void)buf_printf(out, "            %-6s %12" PRId64 "  %s%s%s\n", field(e, "side"), integer(e, "amount"),
                         field(e, "account"), i % 2 == 0 ? "   as " : "", i % 2 == 0 ? field(e, "transfer_id") : "");
    }
}

static void print_would(const json_t *w, struct buf *out)
{
    const json_t *path = json_object_get(w, "path");
    size_t i = 0;
    json_t *v = NULL;

    (void)buf_printf(out, "it is       %s\n", field(w, "because"));
    if (json_array_size(path) > 1) {
        (void)buf_puts(out, "so          ");
        json_array_foreach(path, i, v)
        {
            (void)buf_printf(out, "%s%s", i > 0 ? " -> " : "", json_string_value(v));
        }
        (void)buf_putc(out, '\n');
    } else {
        (void)buf_puts(out, "so          nothing changes\n");
    }
    if (json_is_object(json_object_get(w, "books"))) {
        print_booking("books", json_object_get(w, "books"), out);
    }
    if (json_is_object(json_object_get(w, "if_refused"))) {
        print_booking("if refused", json_object_get(w, "if_refused"), out);
    }
    json_array_foreach(json_object_get(w, "tells"), i, v)
    {
        (void)buf_printf(out, "tells       %s, to the merchant\n", json_string_value(v));
    }
    if (json_is_true(json_object_get(w, "asks_refund"))) {
        (void)buf_puts(out, "asks        payment.refund_requested: the money is to be given back\n");
    }
    const json_t *review = json_object_get(w, "review");
    if (json_is_object(review)) {
        (void)buf_printf(out, "review      %s: %s\n", field(review, "code"), field(review, "text"));
    }
}

static void print_done(const json_t *doc, struct buf *out)
{
    size_t i = 0;
    json_t *v = NULL;

    json_array_foreach(json_object_get(doc, "history"), i, v)
    {
        CLEANUP(freep) char *event = shown(field(v, "event_id"));
        (void)buf_printf(out, "happened    version %" PRId64 ", %s: %s -> %s by %s %s; %s\n", integer(v, "version"),
                         field(v, "at"), field(v, "from_state"), field(v, "to_state"), field(v, "event_type"), event,
                         field(v, "note"));
    }
    json_array_foreach(json_object_get(doc, "transfers"), i, v)
    {
        (void)buf_printf(out, "%-11s %12" PRId64 " %s  %s -> %s   as %s%s%s\n",
                         strcmp(field(v, "state"), "posted") == 0 ? "booked" : "not booked", integer(v, "amount"),
                         field(v, "currency"), field(v, "debit"), field(v, "credit"), field(v, "transfer_id"),
                         json_is_string(json_object_get(v, "code")) ? ": " : "",
                         json_is_string(json_object_get(v, "code")) ? field(v, "code") : "");
    }
    json_array_foreach(json_object_get(doc, "reviews"), i, v)
    {
        CLEANUP(freep) char *detail = shown(field(v, "detail"));
        bool open = json_is_null(json_object_get(v, "resolved_at"));
        (void)buf_printf(out, "review      %s, %s: %s\n", field(v, "code"), open ? "open" : "resolved", detail);
    }
}

static int print(const struct explain *x)
{
    CLEANUP(buf_done) struct buf out;

    buf_init(&out, OUTPUT_MAX);
    if (x->cli->json) {
        char *text = json_dumps(x->out, JSON_COMPACT);
        (void)buf_printf(&out, "%s\n", text);
        freep(&text);
        return cli_print(&out);
    }
    const json_t *order = json_object_get(x->out, "order");
    const json_t *w = json_object_get(x->out, "would");
    bool happened = json_array_size(json_object_get(x->out, "history")) > 0;
    (void)buf_printf(&out, "payment     %s\n", x->payment_id);
    if (json_is_object(order)) {
        print_order(order, &out);
    }
    print_done(x->out, &out);
    if (json_is_object(w)) {
        (void)buf_printf(&out, "event       %s%s\n", x->rec.event_type, happened ? ", once more" : "");
        print_would(w, &out);
    }
    return cli_print(&out);
}

static bool is_file(const char *name)
{
    size_t n = strlen(name);
    return strcmp(name, "-") == 0 || strchr(name, '/') != NULL || (n > 5 && strcmp(name + n - 5, ".json") == 0);
}

static int explain(struct explain *x, const char *what)
{
    struct err err;
    bool found = true;
    bool file = is_file(what);

    if (payments_posting(x->cli->cfg, &x->posting, &err) != RC_OK ||
        (file && read_event_file(x, what, &err) != RC_OK) ||
        account_db(x->cli, "sluice account explain", &x->conn, &err) != RC_OK ||
        pg_exec(x->conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, &err) != RC_OK ||
        (file ? add_done(x, "", &err) : find(x, what, &found, &err)) != RC_OK) {
        return cli_fail("account explain", &err);
    }
    if (!found) {
        (void)fprintf(stderr, "sluice: account explain: there is no payment and no payment event %.128s\n", what);
        return EXIT_NOT_FOUND;
    }
    if (x->has_event && add_would(x, &err) != RC_OK) {
        return cli_fail("account explain", &err);
    }
    return print(x);
}

int cmd_account_explain(const struct cli *cli)
{
    struct explain x = {.cli = cli};

    if (!is_file(cli->argv[0]) && !ledger_is_id(cli->argv[0])) {
        return cli_usage(cli, "\"%.60s\" is no id of an event or a payment, and no file", cli->argv[0]);
    }
    if (cli_require(cli, "database.url") != EXIT_DONE) {
        return EXIT_CONFIG;
    }
    arena_init(&x.arena, ARENA_BYTES);
    x.out = json_object();
    int code = explain(&x, cli->argv[0]);
    json_decref(x.out);
    pg_close(x.conn);
    arena_done(&x.arena);
    return code;
}
