/* SPDX-License-Identifier: Apache-2.0 */
/* Records before a reader: counted one by one, without those that are done already. */
#include "status_lag.h"

#include "base/err.h"

void lag_part_init(struct lag_part *p, int32_t partition, int64_t low, int64_t end, int64_t position,
                   const char *metadata, size_t n, int64_t seen_max)
{
    struct err ignored;
    int64_t counter = 0;

    *p = (struct lag_part){.partition = partition, .end = end, .oldest_ms = -1, .seen_max = seen_max};
    p->fit = position < 0 ? LAG_NEW : position < low ? LAG_BEHIND : position > end ? LAG_BEYOND : LAG_FITS;
    p->from = p->fit == LAG_FITS ? position : p->fit == LAG_BEYOND ? end : low;
    p->next = p->from;
    if (p->fit == LAG_FITS && n > 0 &&
        delivery_offsets_decode(metadata, n, position, &p->done, &counter, &ignored) != RC_OK) {
        p->fit = LAG_BAD_METADATA;
    }
    if (p->fit != LAG_FITS || n == 0) {
        delivery_offsets_init(&p->done, p->from);
    }
}

void lag_part_done(struct lag_part *p)
{
    delivery_offsets_done(&p->done);
}

bool lag_part_wants(const struct lag_part *p)
{
    return p->next < p->end && p->seen < p->seen_max;
}

void lag_part_see(struct lag_part *p, int64_t offset, int64_t timestamp_ms)
{
    if (offset < p->next || offset >= p->end || !lag_part_wants(p)) {
        return;
    }
    p->next = offset + 1;
    p->seen++;
    if (!delivery_offsets_see(&p->done, offset)) {
        p->ahead++;
        return;
    }
    p->records++;
    if (timestamp_ms >= 0 && (p->oldest_ms < 0 || timestamp_ms < p->oldest_ms)) {
        p->oldest_ms = timestamp_ms;
    }
}

void lag_part_reach(struct lag_part *p, int64_t offset)
{
    p->next = offset > p->next ? offset : p->next;
}

void lag_add(struct lag *lag, const struct lag_part *p)
{
    lag->records += p->records;
    lag->ahead += p->ahead;
    lag->offsets += p->end - p->from;
    lag->more = lag->more || p->next < p->end;
    lag->parts++;
    lag->fits[p->fit]++;
    if (p->oldest_ms >= 0 && (lag->oldest_ms < 0 || p->oldest_ms < lag->oldest_ms)) {
        lag->oldest_ms = p->oldest_ms;
    }
}
