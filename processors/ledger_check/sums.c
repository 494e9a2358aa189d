/* SPDX-License-Identifier: Apache-2.0 */
/* Sums by currency. */
#include "sums.h"

#include <string.h>

#include "base/mem.h"

enum rc sums_add(struct sums *s, const char *currency, int64_t amount, struct err *err)
{
    if (s->n == 0 || strcmp(s->list[s->last].currency, currency) != 0) {
        for (s->last = 0; s->last < s->n && strcmp(s->list[s->last].currency, currency) != 0; s->last++) {
        }
    }
    if (s->last == s->n) {
        if (s->n == CURRENCIES_MAX) {
            s->last = 0;
            FAIL(err, RC_FATAL, "more than %d currencies", CURRENCIES_MAX);
        }
        s->list = xrealloc(s->list, (s->n + 1) * sizeof(*s->list));
        s->list[s->n++] = (struct sum){.currency = xstrdup(currency)};
    }
    s->list[s->last].amount += amount;
    return RC_OK;
}

void sums_judge(struct checker *c, const struct sums *s, const char *what)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->list[i].amount != 0) {
            char found[WIDE_TEXT_MAX];
            CLEANUP(freep) char *where = xasprintf("currency %s", s->list[i].currency);
            offend(c, CHECK_I1, where, what, "0", wide_text(s->list[i].amount, found));
        }
    }
}

void sums_done(struct sums *s)
{
    for (size_t i = 0; i < s->n; i++) {
        freep(&s->list[i].currency);
    }
    freep(&s->list);
    s->n = 0;
}
