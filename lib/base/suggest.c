/* SPDX-License-Identifier: Apache-2.0 */
/* Edit distance between short words (optimal string alignment). */
#include "base/suggest.h"

#include <string.h>

static size_t min2(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t suggest_distance(const char *a, const char *b)
{
    size_t a_n = strlen(a);
    size_t b_n = strlen(b);
    if (a_n > SUGGEST_WORD_MAX || b_n > SUGGEST_WORD_MAX) {
        return SUGGEST_WORD_MAX + 1;
    }
    size_t rows[3][SUGGEST_WORD_MAX + 1];
    size_t *before = rows[0];
    size_t *last = rows[1];
    size_t *row = rows[2];
    for (size_t j = 0; j <= b_n; j++) {
        before[j] = j;
        last[j] = j;
    }
    for (size_t i = 1; i <= a_n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_n; j++) {
            size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = min2(replace, min2(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = min2(row[j], before[j - 2] + 1);
            }
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b_n];
}

void suggest_init(struct suggest *s, const char *word)
{
    *s = (struct suggest){.word = word, .distance = strlen(word) / 3 + 1};
}

void suggest_offer(struct suggest *s, const char *known)
{
    size_t d = suggest_distance(s->word, known);
    if (d < s->distance || (d == s->distance && s->best == NULL && strlen(s->word) > 2)) {
        s->best = known;
        s->distance = d;
    }
}
