/* SPDX-License-Identifier: Apache-2.0 */
/* Length-prefixed values on a pipe. */
#include "frames.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define PREFIX_BYTES 4
#define STEP_BYTES ((size_t)64 << 10) /* memory grows with what really comes, not with what a prefix says */

void frames_init(struct frames *f, FILE *in, size_t value_bytes_max)
{
    *f = (struct frames){.in = in};
    buf_init(&f->body, value_bytes_max);
}

void frames_done(struct frames *f)
{
    buf_done(&f->body);
}

/* Up to n bytes; fewer only at the end of the stream. */
static size_t read_some(struct frames *f, void *out, size_t n)
{
    size_t got = fread(out, 1, n, f->in);
    f->at += (int64_t)got;
    return got;
}

static enum rc refuse_end(struct frames *f, uint32_t expected, size_t got, struct err *err)
{
    if (ferror(f->in)) {
        FAIL(err, RC_FATAL, "cannot read: %s", strerror(errno));
    }
    FAIL(err, RC_REJECT, "input ends at byte %" PRId64 ": the value at byte %" PRId64 " has %zu of %u bytes", f->at,
         f->start, got, expected);
}

static enum rc read_body(struct frames *f, uint32_t n, struct err *err)
{
    char step[STEP_BYTES];
    buf_clear(&f->body);
    while (f->body.len < n) {
        size_t want = n - f->body.len < sizeof(step) ? n - f->body.len : sizeof(step);
        size_t got = read_some(f, step, want);
        (void)buf_add(&f->body, step, got); /* fits: n was compared with the ceiling */
        if (got < want) {
            return refuse_end(f, n, f->body.len, err);
        }
    }
    return RC_OK;
}

enum rc frames_next(struct frames *f, struct err *err)
{
    unsigned char prefix[PREFIX_BYTES];
    f->start = f->at;
    f->null = false;
    size_t got = read_some(f, prefix, sizeof(prefix));
    if (got == 0 && !ferror(f->in)) {
        f->end = true;
        return RC_OK;
    }
    if (got < sizeof(prefix)) {
        return refuse_end(f, PREFIX_BYTES, got, err);
    }
    uint32_t n = (uint32_t)prefix[0] << 24 | (uint32_t)prefix[1] << 16 | (uint32_t)prefix[2] << 8 | prefix[3];
    if (n == UINT32_MAX) {
        f->null = true;
        buf_clear(&f->body);
        return RC_OK;
    }
    if (n > f->body.max) {
        FAIL(err, RC_REJECT,
             "byte %" PRId64 " says a value of %u bytes follows, more than the limit of %zu; expected 4 bytes of "
             "length before each value, as kcat -f '%%R%%s' writes",
             f->start, n, f->body.max);
    }
    return read_body(f, n, err);
}

bool frames_write(FILE *out, const void *bytes, size_t n)
{
    const unsigned char prefix[PREFIX_BYTES] = {(unsigned char)(n >> 24), (unsigned char)(n >> 16),
                                                (unsigned char)(n >> 8), (unsigned char)n};
    return fwrite(prefix, 1, sizeof(prefix), out) == sizeof(prefix) && fwrite(bytes, 1, n, out) == n;
}
