/* SPDX-License-Identifier: Apache-2.0 */
/* What every producer with a source's transactional id does after producer_init (kafka/hanging.h). */
#ifndef SLUICE_RELAY_CLOSING_H
#define SLUICE_RELAY_CLOSING_H

#include <stdint.h>

#include "base/err.h"
#include "base/option.h"
#include "kafka/producer.h"

struct closing_options {
    const struct config *cfg;
    const char *transactional_id;
    const char *position_topic; /* full name */
    int32_t position_partition;
    const char *source;
    producer_idle_fn idle; /* may be NULL */
    void *idle_opaque;
};

/*
 * Ends what earlier transactions of the source left hanging, before its position is read. After a failure *p is
 * destroyed and NULL. RETRY: nobody answers. FENCED, FATAL: as in producer.h.
 */
enum rc relay_end_hanging(struct producer **p, const struct closing_options *opt, struct err *err) MUST_USE;

#endif
