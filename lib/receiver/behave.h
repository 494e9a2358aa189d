/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the receiver is to answer a request, read from its path or from ?do=:
 *
 *     ok             200
 *     slow/MS        200 after MS milliseconds
 *     fail/N         500 for the first N attempts of each webhook-id, then 200
 *     status/CODE    always this status
 *     ratelimit/N    200 for N requests a second (of all that ask for the same N), 429 with Retry-After: 1 for the rest
 *     hang           no answer until POST /control {"hang": false}
 *     reset          the connection is reset after the request has been read
 *     drip[/MS]      200, then a byte every MS milliseconds (100) without end
 *     endless        200, then bytes without end
 *
 * A path may have segments before it (/sub2api/fail/2); one without any of these words is ok.
 */
#ifndef SLUICE_RECEIVER_BEHAVE_H
#define SLUICE_RECEIVER_BEHAVE_H

#include <stdbool.h>
#include <stdint.h>

enum behave_kind {
    BEHAVE_OK,
    BEHAVE_SLOW,
    BEHAVE_FAIL,
    BEHAVE_STATUS,
    BEHAVE_RATELIMIT,
    BEHAVE_HANG,
    BEHAVE_RESET,
    BEHAVE_DRIP,
    BEHAVE_ENDLESS
};

struct behave {
    enum behave_kind kind;
    int64_t n; /* MS, N or CODE */
};

/* False: a number is missing, or out of its range. */
bool behave_parse(const char *path, struct behave *out);

#endif
