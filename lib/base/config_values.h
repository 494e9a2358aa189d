/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of config.c and config_load.c: one door through which every value enters, whatever its source. */
#ifndef SLUICE_BASE_CONFIG_VALUES_H
#define SLUICE_BASE_CONFIG_VALUES_H

#include "base/option.h"
#include "base/suggest.h"

/* Higher levels win. */
enum config_level { LEVEL_DEFAULT, LEVEL_FILE, LEVEL_ENVIRONMENT, LEVEL_FLAG };

struct config_entry {
    const struct option *opt;
    const struct option_table *table;
    char *env;
    char *value;
    char *source;
    enum config_level level;
};

struct config_pass {
    char *key; /* without "kafka." */
    char *value;
    char *source;
    enum config_level level;
    bool secret;
};

struct config {
    struct config_entry *entries; /* in the order of the tables */
    size_t n_entries;
    struct config_pass *pass; /* by key */
    size_t n_pass;
};

/*
 * Sets what is called name, which may be an option, NAME.file of a secret, or kafka.*. source is for people. Given
 * twice at one level is an error, except for flags, where the last one wins.
 */
enum rc config_set(struct config *cfg, const char *name, const char *value, enum config_level level, const char *source,
                   struct err *err) MUST_USE;

/* NULL when there is none of that name. */
struct config_entry *config_find(const struct config *cfg, const char *name);
/* Of a table or passed through to librdkafka. */
bool config_is_secret(const struct config *cfg, const char *name);

#endif
