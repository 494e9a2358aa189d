/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One batch of the account role: records of all its topics, decided in the order in which they came, as one write of
 * the ledger. One record takes the same path as thousands. Every record ends as applied, duplicate, rejected or dead
 * letter, and is counted as that in account_journal, in the same transaction.
 *
 * Thread: one at a time.
 */
#ifndef SLUICE_ACCOUNT_BOOKING_H
#define SLUICE_ACCOUNT_BOOKING_H

#include "account/reader.h"
#include "account/store.h"

#define BOOKING_READERS_MAX 4

struct booking;

/* readers: must outlive it. topic_names: full ones, in their order, copied. group: full name, copied. */
struct booking *booking_create(struct store *store, const char *group, const struct account_reader *const *readers,
                               const char *const *topic_names, size_t n_readers) MUST_USE;
struct booking *booking_free(struct booking *b); /* accepts NULL, returns NULL; the store is the caller's */

enum rc booking_session(struct booking *b, PGconn *conn, struct err *err) MUST_USE;
enum rc booking_apply(struct booking *b, PGconn *conn, const struct dbproc_event *events, size_t n,
                      struct dbproc_verdicts *v, struct err *err) MUST_USE;
/* A record that apply has rejected alone. */
enum rc booking_dead(struct booking *b, PGconn *conn, const struct dbproc_event *event, struct err *err) MUST_USE;
void booking_committed(struct booking *b);
/* Runs every reader's; the first error counts. */
enum rc booking_tick(struct booking *b, PGconn *conn, struct err *err) MUST_USE;

#endif
