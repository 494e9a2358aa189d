/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of length-prefixed values, as kcat's -f '%R%s' writes it: 4 bytes big-endian length, then the value; -1 is a
 * record without a value. Fuzzed by tests/fuzz/fuzz_frames.c.
 */
#ifndef SLUICE_CLI_FRAMES_H
#define SLUICE_CLI_FRAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"

struct frames {
    FILE *in;        /* the caller's */
    struct buf body; /* of the current value */
    int64_t at;      /* bytes read so far */
    int64_t start;   /* offset of the current value's prefix */
    bool null;       /* the current record has no value */
    bool end;        /* the stream ended between two values */
};

void frames_init(struct frames *f, FILE *in, size_t value_bytes_max);
void frames_done(struct frames *f);

/*
 * Reads the next value into f->body, or sets f->end. RC_REJECT: a length that cannot be, or the stream ends inside a
 * value; the text names the byte offset, and reading on makes no sense.
 */
enum rc frames_next(struct frames *f, struct err *err) MUST_USE;

/* A prefix and n bytes to out. False: it cannot be written. */
bool frames_write(FILE *out, const void *bytes, size_t n);

#endif
