/* SPDX-License-Identifier: Apache-2.0 */
/* The conditions of a selection; all of those given must hold. */
#include "dlq/filter.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

static bool same(const char *wanted, const char *is)
{
    return wanted == NULL || strcmp(wanted, is) == 0;
}

static bool one_of(const struct dlq_filter *f, const struct letter *l)
{
    if (f->n_ids == 0) {
        return true;
    }
    for (size_t i = 0; i < f->n_ids; i++) {
        /* A UUID may be typed in either case. */
        if (strcasecmp(f->ids[i], l->id) == 0 || strcasecmp(f->ids[i], l->event_id) == 0) {
            return true;
        }
    }
    return false;
}

bool dlq_filter_letter(const struct dlq_filter *f, const struct letter *l)
{
    return same(f->topic, l->topic) && same(f->class, l->class) && one_of(f, l) &&
           (f->since_us == 0 || l->last_us >= f->since_us) &&
           (f->until_us == 0 || (l->last_us > 0 && l->last_us < f->until_us));
}

bool dlq_filter_platform(const struct dlq_filter *f, const struct letter *l)
{
    return same(f->platform, l->platform);
}

bool dlq_filter_any(const struct dlq_filter *f)
{
    return f->topic != NULL || f->class != NULL || f->platform != NULL || f->n_ids > 0 || f->since_us > 0 ||
           f->until_us > 0;
}

static void add(char *out, size_t max, const char *name, const char *value)
{
    size_t at = strlen(out);
    if (value != NULL && at < max) {
        (void)snprintf(out + at, max - at, "%s%s=%s", at > 0 ? " " : "", name, value);
    }
}

static void add_time(char *out, size_t max, const char *name, int64_t us)
{
    char text[CLOCK_RFC3339_MAX];
    clock_rfc3339(us, text);
    add(out, max, name, us > 0 ? text : NULL);
}

void dlq_filter_text(const struct dlq_filter *f, char *out, size_t max)
{
    char ids[32];
    out[0] = '\0';
    (void)snprintf(ids, sizeof(ids), "%zu", f->n_ids);
    add(out, max, "topic", f->topic);
    add(out, max, "class", f->class);
    add(out, max, "platform", f->platform);
    add(out, max, f->n_ids == 1 ? "id" : "ids", f->n_ids == 0 ? NULL : f->n_ids == 1 ? f->ids[0] : ids);
    add_time(out, max, "since", f->since_us);
    add_time(out, max, "until", f->until_us);
    if (out[0] == '\0') {
        (void)snprintf(out, max, "everything");
    }
}
