/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done of one partition, and how that is written into the metadata of a committed offset.
 *
 * Records are read in the order of their offsets and done in any order. The committed offset is the lowest one that is
 * not done; what is done above it stands in the metadata, so that a successor does not do it again:
 *
 *     1 COUNTER            nothing is done above the offset
 *     1 COUNTER r BASE64   alternating lengths of runs, open then done, as LEB128 numbers, starting at the offset
 *     1 COUNTER b BASE64   one bit for each offset from the committed one on, lowest bit first, 1 = done
 *
 * The first number is the version of this format. COUNTER counts the commits of the partition: after a commit whose
 * result is unknown it tells whether that commit is the one that is there. Base64 because librdkafka before 2.6.1
 * mangles NUL bytes. Brokers take at most 4096 bytes (offset.metadata.max.bytes), we write at most
 * DELIVERY_METADATA_MAX.
 *
 * Invariants: open[] is ascending; entries below seen have been given out and are not done, entries from seen on are
 * known from the metadata and not read yet. Everything below top that is not in open[] is done (or is no record: the
 * offsets of control records).
 */
#ifndef SLUICE_RUNTIME_DELIVERY_OFFSETS_H
#define SLUICE_RUNTIME_DELIVERY_OFFSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define DELIVERY_METADATA_MAX ((size_t)3500)

struct delivery_offsets {
    int64_t seen;  /* one past the last offset read */
    int64_t top;   /* one past the last offset known */
    int64_t *open; /* heap */
    size_t n_open;
    size_t cap;
};

/* Everything below low is done, nothing above. */
void delivery_offsets_init(struct delivery_offsets *o, int64_t low);
void delivery_offsets_done(struct delivery_offsets *o); /* frees */

/* The offset to be committed. */
int64_t delivery_offsets_low(const struct delivery_offsets *o);

/* A record was read. True: it has to be worked on; false: it is done, or was read before. */
bool delivery_offsets_see(struct delivery_offsets *o, int64_t offset);
/* The reader has come to offset without finding a record there or in between: end of the partition. */
void delivery_offsets_reach(struct delivery_offsets *o, int64_t offset);
/* The record at offset, which see() gave out, is done. */
void delivery_offsets_complete(struct delivery_offsets *o, int64_t offset);

/* True: with more records read, what is done might not fit into the metadata any more. */
bool delivery_offsets_full(const struct delivery_offsets *o);

/* The metadata for a commit of delivery_offsets_low(). FATAL when it does not fit (never, if full() was respected). */
enum rc delivery_offsets_encode(const struct delivery_offsets *o, int64_t counter, struct buf *out,
                                struct err *err) MUST_USE;

/*
 * Reads the metadata of a committed offset; o (uninitialised) then stands at low. Metadata is foreign bytes: anybody
 * may commit for a group. Empty metadata, as tools that set offsets write it, means nothing done above and counter 0.
 * REJECT: not what encode() writes. FATAL: another version of the format. o is untouched then.
 */
enum rc delivery_offsets_decode(const char *text, size_t n, int64_t low, struct delivery_offsets *o,
                                int64_t *out_counter, struct err *err) MUST_USE;

#endif
