/* SPDX-License-Identifier: Apache-2.0 */
/* Which dead letters are meant. */
#ifndef SLUICE_DLQ_FILTER_H
#define SLUICE_DLQ_FILTER_H

#include "dlq/letter.h"

#define FILTER_IDS_MAX 1000

/* NULL and 0 = any. Strings are borrowed. */
struct dlq_filter {
    const char *topic; /* of the record that died, without prefix */
    const char *class;
    const char *platform;
    const char *const *ids; /* of the event or of the dead letter */
    size_t n_ids;
    int64_t since_us, until_us; /* died at or after, before */
};

/* Everything but the platform, which may stand in the row only. */
bool dlq_filter_letter(const struct dlq_filter *f, const struct letter *l);
/* Once the row has been looked at. */
bool dlq_filter_platform(const struct dlq_filter *f, const struct letter *l);
/* Does it leave out anything at all? */
bool dlq_filter_any(const struct dlq_filter *f);
/* "class=timeout platform=demo ids=3": one line, for the audit and for people; cut to max. */
void dlq_filter_text(const struct dlq_filter *f, char *out, size_t max);

#endif
