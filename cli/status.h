/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `sluice status` knows, and who finds it out: status_db.c asks PostgreSQL, status_kafka.c Kafka, status_lag.c
 * counts records, status_print.c and status_json.c show it. Each half works while the other one is away.
 *
 * Every count has a ceiling and every question a time limit: looking must not load what is looked at. A number that was
 * not found out is STATUS_UNKNOWN and shown as ? (null in JSON).
 *
 * Thread: main.
 */
#ifndef SLUICE_CLI_STATUS_H
#define SLUICE_CLI_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/option.h"
#include "outbox_row.h"
#include "relay/source.h"
#include "status_lag.h"

#define STATUS_UNKNOWN (-1)
#define STATUS_ROWS_MAX 100000 /* rows counted of one kind */
#define STATUS_READERS 7
#define STATUS_PARTITIONS_MAX 1024 /* of one topic; those beyond are not looked at */
#define STATUS_TOPICS_MAX 64

struct status_count {
    int64_t n;
    bool more; /* there are more than n: counting stopped */
};

/* One outbox table and the relay's lane of it. */
struct status_source {
    const char *name; /* belongs to struct status */
    const char *table;
    bool started; /* the relay has a position */
    bool owned;   /* a relay owns it now */
    bool has_waiting;
    char owner[128]; /* who wrote the position's copy last */
    int64_t published, last_seq;
    struct status_count pending; /* committed and not published */
    int64_t oldest_s;            /* age of the oldest of them; 0 = none */
    struct status_count waiting; /* due later */
    int64_t next_due_s;          /* of those; STATUS_UNKNOWN = none waits */
    struct status_count rows;    /* kept in the table; append sources with has_rows */
    bool has_rows;
    const struct outbox_view *view;     /* its rows have states, as this says; else NULL */
    int64_t row_states[ROW_STATES_MAX]; /* rows by state, as view->states */
    int64_t row_stuck;                  /* published, pending, and nothing has come back for long */
    double rate;                        /* rows published per second since the last look; < 0 = not known */
};

/* A consumer group of ours and its topic. */
struct status_reader {
    const char *role;
    const char *topic; /* without prefix */
    bool database;     /* the position is a row of sluice_positions, else the group's committed offset */
    char *group;       /* full names */
    char *full_topic;
    int64_t position[STATUS_PARTITIONS_MAX]; /* < 0 = none */
    bool known;                              /* the numbers below were found out */
    struct lag lag;
    int64_t members;    /* STATUS_UNKNOWN when not found out */
    int64_t offset_sum; /* of positions, for the rate */
    double rate;        /* offsets per second since the last look; < 0 = not known */
    char state[200];    /* what is odd; "" = nothing */
};

struct status_topic {
    const char *name; /* without prefix */
    char *full_name;
    int partitions;  /* 0 = missing */
    int64_t offsets; /* between start and end, markers of transactions included */
    bool dead_letters;
    struct lag records;       /* of a dead-letter topic */
    bool has_open;            /* the tables know how many of them are open */
    struct status_count open; /* so many, or STATUS_UNKNOWN */
};

struct status {
    const struct config *cfg;
    int64_t stuck_after_s;
    int64_t at_us; /* UTC */
    int64_t mono_ms;

    struct sources *source_list;
    struct status_source sources[SOURCE_MAX];
    int n_sources;
    bool db_known;
    struct err db_err; /* valid when not known */

    struct status_reader readers[STATUS_READERS];
    struct status_topic topics[STATUS_TOPICS_MAX];
    size_t n_topics;
    bool kafka_known;
    struct err kafka_err;
};

/* Names only; FATAL (ERR_CONFIG): sources.json. */
enum rc status_init(struct status *st, const struct config *cfg, int64_t stuck_after_s, struct err *err) MUST_USE;
void status_done(struct status *st);

/* Fill in their half, or *_err. */
void status_ask_database(struct status *st);
void status_ask_kafka(struct status *st); /* after the database: positions of database processors are rows */

/* Rows of that state; STATUS_UNKNOWN also when the source has no such state. */
int64_t status_rows(const struct status_source *s, const char *state);

/* What happened between two looks. */
void status_rates(struct status *now, const struct status *before);

void status_print(const struct status *st, struct buf *out);
void status_json(const struct status *st, struct buf *out); /* one line */

#endif
