/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the ledger's statements are executed beside many accounts, at any size of batch: by indexes. A plan that scans is
 * not wrong, only four times as slow, so nothing else would tell. SLUICE_TEST_LONG: a million accounts.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pg/conn.h"
#include "support/account_rig.h"

static struct stack st;
static struct rig r;
static int accounts = 200000;

static void setup(void)
{
    stack_open(&st);
    stack_migrate(&st);
    accounts = getenv("SLUICE_TEST_LONG") != NULL ? 1000000 : accounts;
    stack_sql(st.conn,
              "INSERT INTO account_slots (account_id, slot, currency, exponent, kind, balance)"
              " SELECT 'u' || g, 0, 'CNY', 2, 'user', 1000000 FROM generate_series(1, %d) g;"
              "INSERT INTO account_transfers (transfer_id, state, debit_account, credit_account, amount, currency,"
              " content_hash, event_id, booked_at, updated_at)"
              " SELECT 'old' || g, 'posted', 'u' || g, 'u' || g + 1, 5, 'CNY', sha256(''), 'e', now(), now()"
              " FROM generate_series(1, %d) g;"
              "INSERT INTO account_decisions (id, event_id, account_id, command, outcome, decision, decided_at)"
              " SELECT gen_random_uuid(), 'd' || g, 'u' || g, 'open', 'applied', '{}', now()"
              " FROM generate_series(1, %d) g",
              accounts, accounts, accounts);
    rig_open(&r, &st, 0, 1, NULL);
}

static void teardown(void)
{
    rig_close(&r);
    stack_close(&st);
}

TestSuite(account_plan, .init = setup, .fini = teardown, .timeout = 110);

/* An array of n values as EXECUTE wants it. */
static void add_array(struct buf *out, const char *type, int n)
{
    static const struct {
        const char *type, *value;
    } values[] = {{"text[]", "u%d"},
                  {"integer[]", "0"},
                  {"bigint[]", "7"},
                  {"bytea[]", "\\\\\\\\x00"},
                  {"boolean[]", "f"},
                  {"uuid[]", "00000000-0000-0000-0000-000000000000"},
                  {"timestamp with time zone[]", "\\\"2026-01-01 00:00:00Z\\\""}};
    char one[64];

    (void)buf_puts(out, "'{");
    for (int i = 0; i < n; i++) {
        size_t k = 0;
        while (k < ARRAY_SIZE(values) && strcmp(values[k].type, type) != 0) {
            k++;
        }
        cr_assert(k < ARRAY_SIZE(values), "%s", type);
        if (k == 0) {
            (void)snprintf(one, sizeof(one), "u%d", i);
        } else {
            (void)snprintf(one, sizeof(one), "%s", values[k].value);
        }
        (void)buf_printf(out, "%s%s", i > 0 ? "," : "", one);
    }
    (void)buf_puts(out, "}'");
}

static char *explain(const char *name, const char *types, int n)
{
    struct buf sql;
    char *list CLEANUP(freep) = xstrdup(types);
    char *rest = list;
    bool first = true;

    buf_init(&sql, (size_t)4 << 20);
    buf_printf(&sql, "EXPLAIN EXECUTE %s", name);
    for (char *type = strsep(&rest, "|"); type != NULL && type[0] != '\0'; type = strsep(&rest, "|")) {
        buf_puts(&sql, first ? "(E" : ", E");
        add_array(&sql, type, n);
        first = false;
    }
    buf_puts(&sql, first ? "" : ")");
    PGresult *res CLEANUP(pg_clearp) = PQexec(r.conn, buf_str(&sql));
    cr_assert_eq(PQresultStatus(res), PGRES_TUPLES_OK, "%s: %s", name, PQerrorMessage(r.conn));
    buf_clear(&sql);
    for (int i = 0; i < PQntuples(res); i++) {
        buf_printf(&sql, "%s\n", PQgetvalue(res, i, 0));
    }
    return buf_take(&sql);
}

static void expect_indexes(const char *name, const char *types, int n)
{
    static const char *const slow[] = {"Seq Scan", "Hash Join", "Merge Join", "Bitmap", "Parallel"};
    char *plan CLEANUP(freep) = explain(name, types, n);

    for (size_t i = 0; i < ARRAY_SIZE(slow); i++) {
        cr_expect_null(strstr(plan, slow[i]), "%s at %d:\n%s", name, n, plan);
    }
}

static void expect_plans(void)
{
    PGresult *res CLEANUP(pg_clearp) =
        PQexec(r.conn, "SELECT name, array_to_string(parameter_types, '|') FROM pg_prepared_statements ORDER BY name");

    cr_assert_geq(PQntuples(res), 12);
    for (int analyzed = 0; analyzed < 2; analyzed++) {
        for (int i = 0; i < PQntuples(res); i++) {
            expect_indexes(PQgetvalue(res, i, 0), PQgetvalue(res, i, 1), 1);
            expect_indexes(PQgetvalue(res, i, 0), PQgetvalue(res, i, 1), 100);
            expect_indexes(PQgetvalue(res, i, 0), PQgetvalue(res, i, 1), 2000);
        }
        stack_sql(st.conn, "ANALYZE account_slots, account_transfers, account_decisions"); /* plans are made again */
    }
}

static int64_t scans(void)
{
    stack_sql(r.conn, "SELECT pg_stat_force_next_flush()");
    stack_sql(r.conn, "SELECT pg_stat_clear_snapshot()");
    return stack_int(r.conn, "SELECT sum(seq_scan) FROM pg_stat_user_tables WHERE relname ~ '^account_'");
}

Test(account_plan, every_statement_goes_by_an_index_whatever_the_size_of_the_batch)
{
    static const int sizes[] = {1, 100, 2000};

    expect_plans();
    int64_t before = scans();
    for (size_t k = 0; k < ARRAY_SIZE(sizes); k++) {
        for (int i = 0; i < sizes[k]; i++) {
            char id[32];
            char from[32];
            char to[32];
            (void)snprintf(id, sizeof(id), "n%zu-%d", k, i);
            (void)snprintf(from, sizeof(from), "u%d", 1 + i * 97 % accounts);
            (void)snprintf(to, sizeof(to), "u%d", 1 + (i * 97 + 31) % accounts);
            rig_transfer(&r, 0, id, from, to, 1);
        }
        rig_add(&r, 0, k == 0 ? "s0" : k == 1 ? "s1" : "s2", "set", "{\"account_id\":\"u7\",\"no_negative\":true}", 0);
        rig_add(&r, 0,
                k == 0   ? "c0"
                : k == 1 ? "c1"
                         : "c2",
                "confirm", "{\"transfer_id\":\"old5\",\"debit\":\"u5\"}", 0);
        rig_must(&r, 0);
        cr_assert_eq(r.proc.tick(r.proc.self, r.conn, &r.err), RC_OK, "%s", r.err.text);
    }
    cr_expect_eq(scans(), before);
    cr_expect_eq(stack_int(r.conn, "SELECT count(*) FROM account_transfers WHERE state = 'posted'"), accounts + 2101);
}
