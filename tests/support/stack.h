/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For integration tests: a database and a topic prefix of the case's own on the servers that DATABASE_URL,
 * SLUICE_TEST_ADMIN_URL and KAFKA_BROKERS name. Whatever fails here fails the test with a text.
 *
 *     static struct stack st;
 *     static void setup(void) { stack_open(&st); stack_migrate(&st); }
 *     static void teardown(void) { stack_close(&st); }
 *     TestSuite(window, .init = setup, .fini = teardown);
 *
 * The cases of one program share a database, which is emptied for each of them (hence -j1). Database and topics go at
 * the end of the program.
 */
#ifndef SLUICE_TESTS_STACK_H
#define SLUICE_TESTS_STACK_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/option.h"
#include "kafka/producer.h"

struct stack {
    char *database;     /* name */
    char *url;          /* as the role that owns the database */
    char *admin_url;    /* as superuser, in the same database */
    char *prefix;       /* of topics */
    struct config *cfg; /* core and relay options with these values */
    PGconn *conn;       /* a session at url, opened with pg_open */
};

void stack_open(struct stack *st);  /* everything but tables and topics */
void stack_close(struct stack *st); /* sessions and memory */
void stack_migrate(struct stack *st);
void stack_set(struct stack *st, const char *option, const char *value);

/* Another session, as owner or superuser, with the settings of the relay's. */
PGconn *stack_session(const struct stack *st, bool admin);

/* Runs SQL that must succeed. */
void stack_sql(PGconn *conn, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The first field of the first row as heap memory; NULL for SQL NULL and for no row. */
char *stack_text(PGconn *conn, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_USE;
/* The same as a number; -1 for NULL and for no row. */
int64_t stack_int(PGconn *conn, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The first field of the first row must be this text ("" for NULL and for no row); what: for the report. */
void stack_expect(PGconn *conn, const char *what, const char *sql, const char *want);
/* Runs SQL that must be refused with this SQLSTATE. */
void stack_refused(PGconn *conn, const char *sqlstate, const char *sql);

/* Creates prefix + name and waits until it is there; returns the full name, heap memory. config: "key=value" or NULL.
 */
char *stack_topic(const struct stack *st, const char *name, int partitions, const char *config) MUST_USE;
/* A configuration value of a topic as heap memory. */
char *stack_topic_config(const struct stack *st, const char *topic, const char *key) MUST_USE;
/* Sets one configuration value of a topic, as an operator would. */
void stack_topic_set(const struct stack *st, const char *topic, const char *key, const char *value);
/* Records in a partition that a reader with this isolation level sees now. */
int64_t stack_records(const struct stack *st, const char *topic, int32_t partition, const char *isolation);
/* Deletes the records before offset. */
void stack_delete_records(const struct stack *st, const char *topic, int32_t partition, int64_t offset);

/* Deletes all topics whose name starts so; for the end of a run. */
void stack_delete_topics(const char *brokers, const char *prefix);

/* A producer past init_transactions; refused may be NULL. */
struct producer *stack_producer(const struct stack *st, const char *transactional_id, producer_refused_fn refused,
                                void *opaque);
/* Sends text; the strings must live until the transaction has ended. */
enum rc stack_send(struct producer *p, const char *topic, int32_t partition, const char *key, const char *value,
                   int64_t tag, struct err *err);

#endif
