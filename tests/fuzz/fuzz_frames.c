/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: frames_next(), the reader of length-prefixed values on a pipe.
 *
 * Claims: it ends; values lie within the input and within the ceiling; offsets only grow.
 */
#include <stdio.h>

#include "base/mem.h"
#include "cli/frames.h"
#include "fuzz.h"

#define VALUE_BYTES_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(frames_done) struct frames f;
    struct err err;
    int64_t before = -1;
    FILE *in = size == 0 ? NULL : fmemopen((void *)(uintptr_t)data, size, "r");
    if (in == NULL) {
        frames_init(&f, stdin, VALUE_BYTES_MAX);
        return 0;
    }
    frames_init(&f, in, VALUE_BYTES_MAX);
    while (frames_next(&f, &err) == RC_OK && !f.end) {
        bool sane = f.start > before && f.at <= (int64_t)size && f.body.len <= VALUE_BYTES_MAX;
        CLAIM(sane && (!f.null || f.body.len == 0));
        before = f.start;
    }
    (void)fclose(in);
    return 0;
}
