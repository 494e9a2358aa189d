/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the log, staging its records, filling the tables. */
#ifndef SLUICE_LEDGER_REBUILD_INTERNAL_H
#define SLUICE_LEDGER_REBUILD_INTERNAL_H

#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>

#include "ledger_rebuild/rebuild.h"

void found(struct rebuild_findings *f, const char *where, const char *what, const char *a, const char *b);

/* ---- stage.c: records into temporary tables of the target's transaction ---- */

struct stage;
enum rc stage_create(PGconn *target, struct stage **out, struct err *err) MUST_USE;
struct stage *stage_free(struct stage *s); /* accepts NULL, returns NULL */
/* What cannot be read is a finding. */
enum rc stage_take(struct stage *s, const rd_kafka_message_t *msg, struct rebuild_report *r, struct err *err) MUST_USE;
enum rc stage_flush(struct stage *s, struct err *err) MUST_USE;

/* ---- log.c: the whole topic; s NULL only looks where it begins and ends ---- */
enum rc log_read(const struct rebuild_options *opt, struct stage *s, struct rebuild_report *r,
                 struct err *err) MUST_USE;

/* ---- fill.c: from the temporary tables to the ledger's ---- */
enum rc fill_tables(PGconn *target, struct rebuild_report *r, struct err *err) MUST_USE;

#endif
