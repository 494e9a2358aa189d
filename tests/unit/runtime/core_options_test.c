/* SPDX-License-Identifier: Apache-2.0 */
/* The table that everybody shares keeps its own rules. */
#include "runtime/core_options.h"

#include <criterion/criterion.h>
#include <string.h>

Test(core_options, every_default_is_valid_and_every_row_has_help)
{
    for (size_t i = 0; i < CORE_OPTIONS.n_rows; i++) {
        const struct option *opt = &CORE_OPTIONS.rows[i];
        struct err err = {0};
        cr_assert_eq(option_check(opt, opt->value, &err), RC_OK, "%s: %s", opt->name, err.text);
        cr_assert_gt(strlen(opt->help), 0, "%s", opt->name);
    }
}

Test(core_options, topic_prefixes_are_what_kafka_takes)
{
    static const struct option_table *const tables[] = {&CORE_OPTIONS};
    struct config *cfg = config_create(tables, 1);
    struct err err = {0};
    cr_assert_eq(config_set_flag(cfg, "topic.prefix", "shop-1_A.", &err), RC_OK);
    cr_assert_eq(config_set_flag(cfg, "topic.prefix", "a b", &err), RC_FATAL);
    cr_assert_eq(config_set_flag(cfg, "topic.prefix", "a/b", &err), RC_FATAL);
    char longest[66];
    memset(longest, 'a', sizeof longest);
    longest[64] = '\0';
    cr_assert_eq(config_set_flag(cfg, "topic.prefix", longest, &err), RC_OK);
    longest[64] = 'a';
    longest[65] = '\0';
    cr_assert_eq(config_set_flag(cfg, "topic.prefix", longest, &err), RC_FATAL);
    cfg = config_free(cfg);
}
