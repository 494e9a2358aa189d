/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the receiver has seen: by webhook-id and by key, with a ceiling on both.
 *
 * A duplicate is a request whose id was answered 2xx before. A key is in disorder when an id that was never seen
 * before has a smaller sequence number than one seen before it; retries come after their successors and do not count.
 * An overlap is a request that comes while another one of its key is being answered.
 *
 * Thread: the caller locks.
 */
#ifndef SLUICE_RECEIVER_TALLY_H
#define SLUICE_RECEIVER_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "crypto/webhook.h"
#include "receiver/names.h"

#define TALLY_STATUS_MAX 600
#define TALLY_TIMES_MAX 16 /* attempts of an id whose time is kept */

struct tally_id {
    uint32_t attempts, ok; /* ok = answered 2xx */
    size_t key;            /* NAMES_NONE = none */
    int64_t *times_ms;     /* of the first attempts, UTC */
};

struct tally_key {
    int64_t highest_seq;
    uint32_t in_flight;
};

struct tally {
    struct names id_names, key_names;
    struct tally_id *ids;
    struct tally_key *keys;
    size_t ids_cap, keys_cap;
    uint64_t requests, duplicates, overflow, disorder, overlaps, in_flight, abandoned;
    uint64_t delivered; /* ids answered 2xx at least once */
    uint64_t statuses[TALLY_STATUS_MAX];
    uint64_t verdicts[WEBHOOK_REASONS_N];
    uint64_t unverified; /* no key to verify with */
    uint64_t generation;
};

void tally_init(struct tally *l, size_t ids_max);
void tally_done(struct tally *l);
void tally_clear(struct tally *l);

/* What tally_begin found out; give it back to tally_answered and tally_end. */
struct tally_mark {
    size_t id, key; /* NAMES_NONE = not known */
    uint32_t attempt;
    bool duplicate;
    uint64_t generation; /* of the tally; after a clear the mark means nothing */
};

/* A genuine request has come. id and key may be NULL, seq is < 0 when there is none. */
struct tally_mark tally_begin(struct tally *l, const char *id, const char *key, int64_t seq, int64_t now_ms);
/* It is being answered with this status (0: it will get none). */
void tally_answered(struct tally *l, const struct tally_mark *mark, unsigned status);
/* It is over. */
void tally_end(struct tally *l, const struct tally_mark *mark);

/* One JSON object; with_ids adds "by_id". */
void tally_json(const struct tally *l, bool with_ids, struct buf *out);

#endif
