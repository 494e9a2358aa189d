/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options: one table per component, and one row feeds environment, file, flag, help, `sluice config`
 * and docs/CONFIGURATION.md.
 *
 *     row "relay.batch.rows.max"  ->  environment SLUICE_RELAY_BATCH_ROWS_MAX
 *                                file        relay.batch.rows.max = 5000
 *                                flag        --relay.batch.rows.max=5000  (or --relay.batch.rows.max 5000)
 *
 * Precedence: flag > environment > file > default. Unknown keys are errors, wherever they come from
 * (environment: only names that start with SLUICE_; SLUICE_DEV_*, SLUICE_TEST_* and the few in config.c belong to
 * scripts). An empty environment variable counts as not set. Keys that start with "kafka." and are in no table go to
 * librdkafka untouched; from the environment SLUICE_KAFKA_SASL_USERNAME becomes kafka.sasl.username.
 *
 * A secret may also be given as a file that holds it: SLUICE_X_FILE, `x.file = PATH` or --x.file=PATH. One newline at
 * the file's end is dropped. Secrets are masked wherever values are shown: whole, or in a URL only the password.
 */
#ifndef SLUICE_BASE_OPTION_H
#define SLUICE_BASE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum option_type {
    OPTION_STRING,
    OPTION_INT,   /* plain decimal integer; no 1e6, no suffix */
    OPTION_BOOL,  /* true | false */
    OPTION_CHOICE /* one of choices */
};

struct option {
    const char *name; /* lower case, dots */
    enum option_type type;
    const char *value;   /* default, as text; "" = unset */
    int64_t min, max;    /* OPTION_INT: value; OPTION_STRING: max = longest length in bytes (0 = 4096) */
    const char *choices; /* OPTION_CHOICE: "a|b|c"; OPTION_STRING: characters allowed, "a-z0-9._-", NULL = any */
    bool secret;         /* masked wherever it is shown */
    const char *env;     /* another environment name instead of SLUICE_..., e.g. "DATABASE_URL"; else NULL */
    const char *help;    /* one sentence; units included */
};

struct option_table {
    const char *component; /* "relay" */
    const char *help;      /* one sentence */
    const struct option *rows;
    size_t n_rows;
};

#define OPTION_STRING_MAX 4096                   /* bytes, where a row says 0 */
#define CONFIG_FILE_BYTES_MAX ((size_t)1 << 20)  /* a larger file is refused */
#define CONFIG_LINE_BYTES_MAX ((size_t)16 << 10) /* a longer line is refused */
#define CONFIG_SECRET_BYTES_MAX ((size_t)64 << 10)
#define CONFIG_PASSTHROUGH_MAX 200 /* kafka.* keys */

/* RC_FATAL with `"1e6" is not a whole number; expected 1..100000`. The value of a secret is not shown. */
enum rc option_check(const struct option *opt, const char *value, struct err *err) MUST_USE;
/* The name in the environment: opt->env, or SLUICE_RELAY_BATCH_ROWS_MAX; cut to out_size. Returns out. */
const char *option_env(const struct option *opt, char *out, size_t out_size);
/* A plain decimal number in min..max; nothing else around it. */
bool option_parse_int(const char *text, int64_t min, int64_t max, int64_t *out_value);
/* Value as it may be shown: whole secrets as ***, URLs with the password replaced. */
void option_masked(bool secret, const char *value, struct buf *out);

struct config; /* effective values; constant after loading; passed down, never global */

/* Keeps pointers to the tables (static); the array itself may go. Values are the defaults. */
struct config *config_create(const struct option_table *const *tables, size_t n_tables) MUST_USE;
struct config *config_free(struct config *cfg); /* accepts NULL, returns NULL */
void config_freep(struct config **cfg);

/* Each names the key, the source and what was expected in *err (RC_FATAL; the command exits 78 for these). */
enum rc config_load_file(struct config *cfg, const char *path, struct err *err) MUST_USE;
enum rc config_load_env(struct config *cfg, char **envp, struct err *err) MUST_USE;
enum rc config_set_flag(struct config *cfg, const char *name, const char *value, struct err *err) MUST_USE;

/* The content of a file as heap text; FATAL when it cannot be read, is over max_bytes or holds a NUL. */
enum rc config_read_file(const char *path, size_t max_bytes, char **out_text, struct err *err) MUST_USE;
/* The same for a secret: FATAL, too, when others than the owner may read or write it. All with ERR_CONFIG. */
enum rc config_read_secret(const char *path, size_t max_bytes, char **out_text, struct err *err) MUST_USE;

/* The name must be in a table (asserted). Strings belong to cfg; "" when unset. */
const char *config_str(const struct config *cfg, const char *name);
int64_t config_int(const struct config *cfg, const char *name);
bool config_bool(const struct config *cfg, const char *name);
/* Where the value came from: "default", "file PATH:LINE", "environment NAME", "flag --NAME". */
const char *config_source(const struct config *cfg, const char *name);

/* Calls fn for each pass-through key (without the "kafka." prefix), in name order. */
typedef enum rc (*config_pass_fn)(const char *key, const char *value, void *opaque, struct err *err);
enum rc config_each_passthrough(const struct config *cfg, config_pass_fn fn, void *opaque, struct err *err) MUST_USE;

void config_print(const struct config *cfg, bool json, struct buf *out); /* effective values, secrets masked */
void option_tables_markdown(const struct option_table *const *tables, size_t n, struct buf *out); /* CONFIGURATION.md */
void option_table_help(const struct option_table *table, struct buf *out);                        /* for --help */

#endif
