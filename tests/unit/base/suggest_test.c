/* SPDX-License-Identifier: Apache-2.0 */
/* The word that was meant. */
#include "base/suggest.h"

#include <criterion/criterion.h>

Test(suggest, counts_changes)
{
    cr_assert_eq(suggest_distance("", "abc"), 3);
    cr_assert_eq(suggest_distance("abc", ""), 3);
    cr_assert_eq(suggest_distance("topology", "topology"), 0);
    cr_assert_eq(suggest_distance("tpology", "topology"), 1);
    cr_assert_eq(suggest_distance("statsu", "status"), 1);
    cr_assert_eq(suggest_distance("kitten", "sitting"), 3);
}

Test(suggest, offers_the_nearest_and_nothing_far_away)
{
    struct suggest s;
    suggest_init(&s, "staus");
    suggest_offer(&s, "tail");
    cr_assert_null(s.best);
    suggest_offer(&s, "stats");
    suggest_offer(&s, "status");
    cr_assert_str_eq(s.best, "stats");
    suggest_init(&s, "zzz");
    suggest_offer(&s, "run");
    cr_assert_null(s.best);
}

Test(suggest, long_words_are_left_alone)
{
    char word[200];
    for (size_t i = 0; i < sizeof word; i++) {
        word[i] = 'a';
    }
    word[sizeof word - 1] = '\0';
    struct suggest s;
    suggest_init(&s, word);
    suggest_offer(&s, "run");
    cr_assert_eq(suggest_distance(word, word), SUGGEST_WORD_MAX + 1);
}
