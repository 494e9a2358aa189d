/* SPDX-License-Identifier: Apache-2.0 */
/* What all `sluice dlq` commands share: flags -> selection, the connections, letters as text and JSON. */
#ifndef SLUICE_CLI_DLQ_QUERY_H
#define SLUICE_CLI_DLQ_QUERY_H

#include <signal.h>

#include "command.h"
#include "dlq/groups.h"
#include "dlq/reader.h"

#define DLQ_TOPICS_MAX 32
#define DLQ_TIMEOUT_MS 15000

struct dlq_query {
    const struct cli *cli;
    struct dlq_filter filter;
    char *ids[FILTER_IDS_MAX]; /* what filter.ids points to */
    const char *topics[DLQ_TOPICS_MAX];
    size_t n_topics;
    int32_t partition; /* of one place; -1 = any */
    int64_t offset;

    struct avro_set *set;
    struct dlq_scan *scan;
    PGconn *conn;
};

extern volatile sig_atomic_t dlq_interrupted; /* set by SIGINT and SIGTERM once dlq_query_open was called */

/*
 * Reads argument and flags: topic (NULL or "all" = every dead-letter topic), and --topic, --class, --platform, --id,
 * --since, --until, which must all be in the command's row. EXIT_DONE, or an exit code after one line on stderr. Say
 * done in any case.
 */
int dlq_query_parse(const struct cli *cli, const char *topic, struct dlq_query *q);
/* Connects to both servers and fixes the ends. EXIT_DONE, or an exit code after one line. */
int dlq_query_open(struct dlq_query *q);
void dlq_query_done(struct dlq_query *q);

/* Finds the topic, by its name with or without prefix. False: there is none. */
bool dlq_query_topic(struct dlq_query *q, const char *name);

/* dlq_read() over the selection. deaths may be NULL. */
enum rc dlq_query_read(struct dlq_query *q, struct deaths *deaths, dlq_batch_fn fn, void *opaque,
                       struct err *err) MUST_USE;

/* One object without a newline. */
void dlq_letter_json(const struct letter *l, struct buf *out);
/* As a table, or as "groups":[...] for JSON; with samples or without. */
void dlq_groups_print(const struct groups *g, bool json, bool samples, struct buf *out);

#endif
