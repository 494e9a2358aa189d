/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by batch.c (rows to records) and batch_send.c (records to the producer). */
#ifndef SLUICE_RELAY_BATCH_INTERNAL_H
#define SLUICE_RELAY_BATCH_INTERNAL_H

#include "relay/batch.h"

#define DEAD_VALUE_BYTES ((size_t)65536)
#define DLQ_EXTRA_BYTES 32768 /* the DLQ takes records that are this much larger than a topic's */
#define RAW_HEADERS_MAX 256   /* of a raw row; more make it a dead letter */

struct batch {
    const struct source *src;
    struct batch_limits limits;
    const char *prefix;
    bool json; /* value.format */
    char *ce_source;
    char *topic, *dlq, *outcomes; /* full names; NULL when the source has none */
    char *required[4];
    struct avro_encoder *enc;
    struct avro_encoder *outcome_enc;
    int field[SOURCE_COLUMNS_MAX]; /* schema field of each source field */
    struct {
        int field;                /* of the outcome schema */
        int column;               /* of the source */
    } shared[OUTCOME_SHARED_MAX]; /* string fields that both schemas have */
    int n_shared;
    struct arena arena;
    struct row *rows;
    int64_t n_rows;
    int64_t bytes;
};

/* batch.c: makes a row that is being added a dead letter; message is copied. */
void batch_mark_dead(struct batch *b, struct row *r, const char *class, const char *message);

/* batch_raw.c: headers and partition of a row that is a record already. */
void batch_add_record(struct batch *b, struct row *r, const struct row_cells *cells);

/* Gives a dead row the outcome record that tells the sink; nothing when the source has no outcomes topic. */
void batch_add_outcome(struct batch *b, struct row *r);

#endif
