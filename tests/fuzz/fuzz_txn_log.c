/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: txn_log_add(), the reader of the transaction coordinator's records.
 *
 * The input is taken twice, as a producer's first record and as its second.
 * Claims: OK, or REJECT with a text; never more partitions than the ceiling, each named by a topic's name and a number
 * from 0, none of them twice; what was read of the first record is read of the second, and adds nothing.
 */
#include <string.h>

#include "fuzz.h"
#include "kafka/txn_log.h"

#define PAIRS_MAX 64 /* compared each with each */

static bool is_same(const struct txn_log_part *a, const struct txn_log_part *b)
{
    return a->partition == b->partition && strcmp(a->topic, b->topic) == 0;
}

static void check(const struct txn_log *log)
{
    CLAIM(log->n <= TXN_LOG_PARTS_MAX);
    for (size_t i = 0; i < log->n; i++) {
        const struct txn_log_part *part = &log->parts[i];
        size_t n = strnlen(part->topic, sizeof(part->topic));
        CLAIM(n > 0 && n < sizeof(part->topic) && part->partition >= 0);
        CLAIM(part->last);
        for (size_t j = i + 1; j < log->n && j < i + PAIRS_MAX; j++) {
            CLAIM(!is_same(part, &log->parts[j]));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct txn_log log = {0};
    struct err err = {0};
    enum rc rc = txn_log_add(&log, data, size, &err);
    size_t n = log.n;
    size_t decisions = log.decisions;

    CLAIM(rc == RC_OK || (rc == RC_REJECT && err.text[0] != '\0'));
    CLAIM(decisions <= 1 && (n == 0 || decisions == 1));
    check(&log);
    CLAIM(txn_log_add(&log, data, size, &err) == rc);
    CLAIM(log.n == n && log.decisions == 2 * decisions);
    check(&log);
    txn_log_done(&log);
    return 0;
}
