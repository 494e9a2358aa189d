/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of windows have in common: a migrated database, the callback source's SQL, a reader's session with its
 * position, and two writers. One case at a time.
 *
 *     TestSuite(window, .init = window_bench_open, .fini = window_bench_close);
 */
#ifndef SLUICE_TESTS_WINDOW_BENCH_H
#define SLUICE_TESTS_WINDOW_BENCH_H

#include "relay/source.h"
#include "relay/window.h"
#include "support/stack.h"

#define OK(call) cr_assert_eq((call), RC_OK, "%s", err.text)
#define T "cs_platform_event_outbox"
#define INSERT \
    "INSERT INTO " T " (platform, event_type, callback_target, payload, partition_key) VALUES ('p', 'e', 'u', '{}', "

extern struct stack st;
extern struct sources *sources; /* the first one is that of the callbacks */
extern struct window_sql sql;
extern PGconn *relay; /* the reader's session */
extern PGconn *db;    /* writers' */
extern PGconn *other;
extern struct err err;
extern char *s1; /* the reader's position */

void window_bench_open(void);
void window_bench_close(void);

/* A row with that partition key. */
void insert(PGconn *conn, const char *key);
/* One look of the relay from s1; go_on() frees it and moves s1 behind it. */
void look(struct tick *t);
void go_on(struct tick *t);

#endif
