/* SPDX-License-Identifier: Apache-2.0 */
/* A reader of windows and its writers. */
#include "support/window_bench.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/mem.h"
#include "pg/conn.h"
#include "relay/position.h"
#include "relay/relay.h"

#define RECORD_MAX 1000000

struct stack st;
struct sources *sources;
struct window_sql sql;
PGconn *relay;
PGconn *db;
PGconn *other;
struct err err;
char *s1;

void window_bench_open(void)
{
    stack_open(&st);
    stack_migrate(&st);
    relay = stack_session(&st, false);
    other = stack_session(&st, false);
    db = st.conn;
    cr_assert_eq(relay_load_sources(st.cfg, &sources, &err), RC_OK, "%s", err.text);
    window_sql_init(&sql, &sources->list[0], relay, RECORD_MAX);
    s1 = xstrdup(SNAPSHOT_NOTHING);
}

void window_bench_close(void)
{
    free(s1);
    window_sql_done(&sql);
    sources = sources_free(sources);
    pg_close(relay);
    pg_close(other);
    stack_close(&st);
}

void insert(PGconn *conn, const char *key)
{
    stack_sql(conn, INSERT "'%s')", key);
}

void look(struct tick *t)
{
    *t = (struct tick){0};
    OK(window_tick(relay, &sql, s1, 1000, t, &err));
}

void go_on(struct tick *t)
{
    free(s1);
    s1 = xstrdup(t->s2);
    tick_done(t);
}
