/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many records a reader has before it, and since when the oldest of them is there.
 *
 * Offsets say too much: markers of transactions and aborted records take offsets too, and a delivery processor has done
 * records above its committed offset, which the offset's metadata tells. So the records themselves are looked at, from
 * the position to the end, up to a ceiling for each partition.
 *
 * Nothing here talks to Kafka.
 */
#ifndef SLUICE_CLI_STATUS_LAG_H
#define SLUICE_CLI_STATUS_LAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/delivery_offsets.h"

#define LAG_RECORDS_MAX 10000 /* looked at in one topic */

enum lag_fit {
    LAG_FITS,
    LAG_NEW,          /* there is no position: the reader will begin at the log's start */
    LAG_BEHIND,       /* the log begins behind the position: records were deleted unread */
    LAG_BEYOND,       /* the log ends before the position */
    LAG_BAD_METADATA, /* what is done above the position cannot be read; counted as not done */
};

struct lag_part {
    int32_t partition;
    int64_t from, end; /* offsets to be looked at: [from, end) */
    int64_t next;      /* everything below was looked at */
    struct delivery_offsets done;
    enum lag_fit fit;
    int64_t records;   /* not done */
    int64_t ahead;     /* done above the position */
    int64_t oldest_ms; /* timestamp of the oldest one that is not done; -1 = none */
    int64_t seen, seen_max;
};

/* Sum of partitions. */
struct lag {
    int64_t records, ahead, oldest_ms, offsets;
    bool more; /* there are more records than that */
    int parts, fits[LAG_BAD_METADATA + 1];
};

/*
 * low, end: the log's first and stable last offset. position < 0: none. metadata: of the committed offset, n bytes, may
 * be NULL. seen_max: records to look at. Release with lag_part_done.
 */
void lag_part_init(struct lag_part *p, int32_t partition, int64_t low, int64_t end, int64_t position,
                   const char *metadata, size_t n, int64_t seen_max);
void lag_part_done(struct lag_part *p);

/* Is there anything to be looked at? */
bool lag_part_wants(const struct lag_part *p);
/* A record. timestamp_ms -1 = it has none. */
void lag_part_see(struct lag_part *p, int64_t offset, int64_t timestamp_ms);
/* The reader is at offset and there is no record before it: end of the partition. */
void lag_part_reach(struct lag_part *p, int64_t offset);

/* lag starts as {.oldest_ms = -1}. */
void lag_add(struct lag *lag, const struct lag_part *p);

#endif
