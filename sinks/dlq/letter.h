/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dead letter: where it lies, what its headers say, and which queueing of which row stands behind it.
 *
 * The headers are foreign bytes. What is missing or is not what it should be is empty here and named in `faults`; a
 * letter is never dropped for it. Texts are cut to their arrays, hold no control characters and are UTF-8, so that they
 * may go to a terminal.
 */
#ifndef SLUICE_DLQ_LETTER_H
#define SLUICE_DLQ_LETTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avro/codec.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "delivery_state/row_kind.h"
#include "kafka/producer.h"

#define LETTER_TOPIC_MAX 250
#define LETTER_NAME_MAX 96
#define LETTER_ID_MAX 320
#define LETTER_MESSAGE_MAX 513
#define LETTER_FAULTS_MAX 160
#define LETTER_ROW_STATE_MAX 16

enum letter_state {
    LETTER_OPEN,      /* its row has its queueing and is dead */
    LETTER_NO_ROW,    /* no row with a status stands behind it: open as well, for another way than requeueing */
    LETTER_UNSETTLED, /* the sink has not come to its outcome */
    LETTER_REQUEUED,  /* its row has been put back on the road since */
    LETTER_CLOSED,    /* its row has its queueing and a good end: somebody has set that; or was resent by another one */
    LETTER_GONE       /* its row does not exist any more */
};
#define LETTER_STATES 6
extern const char *const LETTER_STATE_NAMES[LETTER_STATES]; /* "open", "no-row", "not-settled", ... */

struct letter {
    const char *dlq; /* topic it lies in, without prefix; lives longer than the letter */
    int32_t at_partition;
    int64_t at_offset;

    /* Of the record that died, without prefix; -1 = it never was in a topic, or unknown. */
    char topic[LETTER_TOPIC_MAX];
    int32_t partition;
    int64_t offset;

    char id[LETTER_ID_MAX]; /* __dlq.errors.id, else ce_id */
    char type[LETTER_NAME_MAX];
    char group[LETTER_TOPIC_MAX];
    char class[LETTER_NAME_MAX];
    char stage[LETTER_NAME_MAX];
    char app[LETTER_NAME_MAX];
    char message[LETTER_MESSAGE_MAX];
    int64_t first_us, last_us; /* of its deaths; 0 = unknown */
    int64_t delivery_count;    /* -1 = unknown */
    int64_t redrive_count;     /* by way of its topic; -1 = unknown */
    bool truncated;            /* the value is only the beginning */
    char faults[LETTER_FAULTS_MAX];

    /* The row behind it. */
    const struct row_kind *kind;      /* NULL = none */
    char event_id[UUID_TEXT_LEN + 1]; /* "" = none */
    int64_t queue_seq;                /* 0 = none */
    char platform[LETTER_NAME_MAX];   /* whom it is about: platform, carrier, app/provider; "" = unknown */

    /* Filled by state.h and deaths.h. */
    enum letter_state state;
    char row_state[LETTER_ROW_STATE_MAX];
    bool expired;   /* its row is too old to be sent */
    bool idle;      /* nobody is there to get it: the device is inactive */
    int64_t deaths; /* of the event so far, as far as is known; 0 = not counted */
};

/*
 * Reads the headers. Of a name that is there several times the last one with a text counts: those who bury a record
 * drop such headers of an earlier death and append theirs. prefix: of topics, taken off. time_us: of the record, for
 * last_us where no header says it; 0 = none. dlq, place, row and state are the caller's.
 */
void letter_read(const struct producer_header *headers, size_t n, const char *prefix, int64_t time_us,
                 struct letter *out);

/* Takes a text into an array of max bytes: cut between characters, what is no printable UTF-8 becomes '?'. */
void letter_text(const char *s, size_t n, char *out, size_t max);

/* Reads values of the topics whose records stand for rows. One thread. */
struct letter_reader;
enum rc letter_reader_create(const struct avro_set *set, struct letter_reader **out_reader, struct err *err) MUST_USE;
struct letter_reader *letter_reader_free(struct letter_reader *r); /* accepts NULL, returns NULL */

/*
 * Fills kind, event_id, queue_seq and platform from the headers of what the relay could not publish, else from the
 * value. They stay empty when the record is of another topic, cut, or malformed: then no row is known.
 */
void letter_find_row(struct letter_reader *r, const void *value, size_t n, struct letter *l);

#endif
