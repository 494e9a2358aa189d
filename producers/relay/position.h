/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a source stands. The truth is the last committed record of the source in sluice.relay.positions; it is written
 * in the same Kafka transaction as the records it stands for.
 *
 * Meaning: everything visible in snapshot s1 is published; of what is visible in s2 and was not in s1, everything up to
 * last_seq is. s1 and s2 are equal between windows.
 */
#ifndef SLUICE_RELAY_POSITION_H
#define SLUICE_RELAY_POSITION_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/option.h"
#include "kafka/producer.h"
#include "relay/source.h"

#define POSITION_FORMAT 1
#define POSITION_TOPIC "sluice.relay.positions"
#define POSITION_VALUE_MAX (256u << 10) /* a snapshot lists each running transaction */
#define SNAPSHOT_NOTHING "1:1:"         /* sees no transaction at all: the start of the road */

/* The database a position belongs to. */
struct db_identity {
    char system_id[24];
    int64_t timeline;
    int64_t database_oid;
    char schema[64]; /* where the outbox stands: two installations may share a database */
};

struct position {
    struct db_identity db;
    char *s1; /* heap */
    char *s2;
    int64_t last_seq;
    int64_t published; /* rows since the position was first made */
};

void position_done(struct position *p);
void position_set(struct position *p, const char *s1, const char *s2, int64_t last_seq);
bool position_mid_window(const struct position *p);

/* JSON text appended to out. */
void position_encode(const struct position *p, const char *source, struct buf *out);
/* FATAL: malformed, or written by a newer program (the text says so). *out is initialised by the callee. */
enum rc position_decode(const char *text, size_t n, struct position *out, struct err *err) MUST_USE;

/* Partition of the position topic: stable for a source, independent of any client's partitioner. */
int32_t position_partition(const char *source, int n_partitions);

/*
 * Reads the last committed position of the source. *out_found false = there is none. *out is empty at the call.
 *
 * POSITION_FENCED: after producer_init. Waits until the reader has passed the high watermark, so nothing is missed.
 * POSITION_GLANCE: before it. Reads what is stable now: the predecessor can still move it, and what it left open is not
 * waited for. Good for guards, never to go on from.
 * POSITION_HANGING: after producer_init. The last one written, in whatever transaction.
 */
enum position_when { POSITION_GLANCE, POSITION_FENCED, POSITION_HANGING };
enum rc position_read(const struct config *cfg, const char *topic, int32_t partition, const char *source,
                      enum position_when when, producer_idle_fn idle, void *opaque, struct position *out,
                      bool *out_found, struct err *err) MUST_USE;

/* Adds the record of an encoded position to the open transaction; value must live until its end. */
enum rc position_send(struct producer *p, const char *topic, int32_t partition, const char *source,
                      const struct buf *value, int64_t tag, struct err *err) MUST_USE;

/* Updates the copy in sluice_relay_positions. Not waited for: Kafka's record is the truth. */
enum rc position_copy(PGconn *conn, const struct position *p, const char *prefix, const struct source *src,
                      const char *owner, struct err *err) MUST_USE;

enum rc db_identity_read(PGconn *conn, struct db_identity *out, struct err *err) MUST_USE;

/*
 * May the relay go on from p in this database? FATAL with a named state: sysid_changed, timeline_changed,
 * database_changed, schema_changed, xid_regressed.
 */
enum rc position_guard(const struct position *p, const struct db_identity *db, PGconn *conn, const char *source,
                       struct err *err) MUST_USE;

#endif
