/* SPDX-License-Identifier: Apache-2.0 */
/* One page of flows. */
#include "gateway/flows.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/option.h"
#include "gateway/gateway_internal.h"
#include "gateway/json_sql.h"
#include "pg/conn.h"

/* Columns of a page, in this order in CSV; numbers and texts look the same there, and not in JSON. */
static const struct {
    const char *name;
    bool number;
} COLUMNS[] = {{"account_id", false},    {"slot", true},           {"version", true},       {"kind", false},
               {"amount", true},         {"balance_after", true},  {"frozen_delta", true},  {"frozen_after", true},
               {"incoming_delta", true}, {"incoming_after", true}, {"currency", false},     {"counter_account", false},
               {"transfer_id", false},   {"reference", false},     {"effective_at", false}, {"booked_at", false},
               {"event_id", false}};
#define COLUMNS_N ((int)(sizeof COLUMNS / sizeof COLUMNS[0]))
enum { COL_SLOT = 1, COL_VERSION = 2, COL_LAST_SLOT = COLUMNS_N, COL_LAST_VERSION, COL_LOOKED_AT };

/*
 * At least one row: the last that was looked at, so that the next page goes on behind it. Without times, what is looked
 * at is what is shown.
 */
static const char SQL[] =
    "WITH s AS MATERIALIZED (SELECT * FROM account_flows WHERE account_id = $1 AND (slot, version) > ($2::int, "
    "$3::bigint) ORDER BY slot, version LIMIT CASE WHEN $4::timestamptz IS NULL AND $5::timestamptz IS NULL THEN "
    "$6::int ELSE " FLOWS_LOOKED_AT_MAX " END), "
    "l AS (SELECT slot AS last_slot, version AS last_version FROM s ORDER BY slot DESC, version DESC LIMIT 1) "
    "SELECT h.*, l.last_slot, l.last_version, (SELECT count(*) FROM s) FROM l LEFT JOIN (SELECT account_id, slot, "
    "version, kind, amount, balance_after, frozen_delta, frozen_after, incoming_delta, incoming_after, currency, "
    "counter_account, transfer_id, reference, " TIME_TEXT("effective_at") ", " TIME_TEXT(
        "booked_at") ", event_id FROM s "
                     "WHERE ($4::timestamptz IS NULL OR booked_at >= $4::timestamptz) AND ($5::timestamptz IS NULL OR "
                     "booked_at < "
                     "$5::timestamptz) ORDER BY slot, version LIMIT $6::int) h ON true ORDER BY h.slot, h.version";

bool flows_key_ok(const char *key)
{
    const char *bar = strchr(key, '|');
    char slot[16];
    int64_t n = 0;
    if (bar == NULL || bar - key >= (ptrdiff_t)sizeof slot) {
        return false;
    }
    (void)snprintf(slot, sizeof slot, "%.*s", (int)(bar - key), key);
    return option_parse_int(slot, 0, INT32_MAX, &n) && option_parse_int(bar + 1, 0, INT64_MAX, &n);
}

/* Quoted where it has to be. */
static void csv_field(struct buf *out, const char *text)
{
    if (strpbrk(text, ",\"\r\n") == NULL) {
        (void)buf_puts(out, text);
        return;
    }
    (void)buf_putc(out, '"');
    for (; *text != '\0'; text++) {
        (void)buf_puts(out, *text == '"' ? "\"" : "");
        (void)buf_putc(out, *text);
    }
    (void)buf_putc(out, '"');
}

static void csv_page(const PGresult *res, int rows, struct buf *out)
{
    for (int c = 0; c < COLUMNS_N; c++) {
        (void)buf_printf(out, "%s%s", c == 0 ? "" : ",", COLUMNS[c].name);
    }
    (void)buf_puts(out, "\r\n");
    for (int row = 0; row < rows; row++) {
        for (int c = 0; c < COLUMNS_N; c++) {
            (void)buf_puts(out, c == 0 ? "" : ",");
            csv_field(out, pg_text(res, row, c));
        }
        (void)buf_puts(out, "\r\n");
    }
}

static void json_row(const PGresult *res, int row, struct buf *out)
{
    (void)buf_puts(out, row == 0 ? "\n  {" : ",\n  {");
    bool first = true;
    for (int c = 0; c < COLUMNS_N; c++) {
        const char *text = pg_text(res, row, c);
        if (PQgetisnull(res, row, c)) {
            continue;
        }
        (void)buf_printf(out, "%s\"%s\": ", first ? "" : ", ", COLUMNS[c].name);
        (void)(COLUMNS[c].number ? buf_puts(out, text) : buf_json_string(out, text, strlen(text)));
        first = false;
    }
    (void)buf_putc(out, '}');
}

static void json_page(const struct job *job, const PGresult *res, int rows, const char *next, struct buf *out)
{
    (void)buf_printf(out, "{\"account_id\": \"%s\", \"flows\": [", job->subject);
    for (int row = 0; row < rows; row++) {
        json_row(res, row, out);
    }
    (void)buf_puts(out, rows == 0 ? "]" : "\n]");
    if (next != NULL) {
        (void)buf_puts(out, ", \"next\": \"");
        page_cursor(next, out);
        (void)buf_putc(out, '"');
    }
    (void)buf_puts(out, "}\n");
}

/* Behind which row the next page begins; NULL = this was the last one. */
static const char *next_key(const struct job *job, const PGresult *res, int *rows, char key[64])
{
    int limit = job->flows.page.limit;
    bool more = *rows > limit;
    bool all_looked_at =
        PQntuples(res) > 0 && pg_int(res, 0, COL_LOOKED_AT, 0) == strtoll(FLOWS_LOOKED_AT_MAX, NULL, 10);
    if (!more && !all_looked_at) {
        return NULL;
    }
    *rows = more ? limit : *rows;
    int row = more ? limit - 1 : 0;
    (void)snprintf(key, 64, "%s|%s", pg_text(res, row, more ? COL_SLOT : COL_LAST_SLOT),
                   pg_text(res, row, more ? COL_VERSION : COL_LAST_VERSION));
    return key;
}

static enum rc read_page(struct session *s, const struct job *job, PGresult **out_res, struct err *err)
{
    char slot[16] = "-1";
    char limit[16];
    const char *version = "0";
    if (job->flows.page.has_after) {
        const char *bar = strchr(job->flows.page.after, '|');
        (void)snprintf(slot, sizeof slot, "%.*s", (int)(bar - job->flows.page.after), job->flows.page.after);
        version = bar + 1;
    }
    (void)snprintf(limit, sizeof limit, "%d", job->flows.page.limit + 1);
    const char *params[] = {job->subject, slot, version, job->flows.from, job->flows.to, limit};
    return session_query(s, SQL, 6, params, out_res, err);
}

/* No flow behind the cursor: is there such an account at all? */
static enum rc account_there(struct session *s, const struct job *job, bool *out_there, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    TRY(session_query(s, "SELECT FROM account_slots WHERE account_id = $1 AND slot = 0", 1, &job->subject, &res, err));
    *out_there = PQntuples(res) > 0;
    return RC_OK;
}

enum rc flows_show(struct session *s, struct job *job, struct err *err)
{
    PGresult *res CLEANUP(pg_clearp) = NULL;
    char key[64];
    bool there = true;

    TRY(read_page(s, job, &res, err));
    if (PQntuples(res) == 0) {
        TRY(account_there(s, job, &there, err));
    }
    if (!there) {
        struct problem problem = {0};
        problem_set(&problem, 404, "account_not_found", NULL, "there is none of this id");
        call_problem(job->call, &problem);
        return RC_OK;
    }
    int rows = PQntuples(res) == 1 && PQgetisnull(res, 0, 0) ? 0 : PQntuples(res);
    const char *next = next_key(job, res, &rows, key);
    struct buf body;
    buf_init(&body, CALL_ANSWER_BYTES_MAX);
    if (next != NULL) {
        CLEANUP(buf_done) struct buf link;
        buf_init(&link, 8192);
        page_link(call_target(job->call), next, &link);
        call_set_header(job->call, "Link", "%s", buf_str(&link));
    }
    if (job->flows.csv) {
        csv_page(res, rows, &body);
    } else {
        json_page(job, res, rows, next, &body);
    }
    call_answer(job->call, 200, job->flows.csv ? "text/csv; charset=utf-8; header=present" : GATEWAY_JSON, &body);
    return RC_OK;
}
