/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command tree is data: one row per command feeds dispatch, usage, --help and the golden help test.
 *
 * Conventions of every command: data on stdout, messages on stderr as one line `sluice: WHAT: WHY`, no secrets,
 * exit codes of runtime/exit_code.h. Flags that all commands know: --help, --config FILE, --json, --yes, --dry-run,
 * -q/--quiet, and every option as --name=value. What only one command knows stands in its row.
 *
 * Thread: main.
 */
#ifndef SLUICE_CLI_COMMAND_H
#define SLUICE_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/option.h"
#include "runtime/exit_code.h"

#define CLI_FLAGS_MAX 24 /* flags of one command's row */

struct command_flag {
    const char *name;  /* "from" for --from */
    const char *value; /* what follows, for people: "OFFSET"; NULL = a switch */
    const char *help;  /* one sentence */
};

struct cli;

struct command {
    const char *name;
    const char *args; /* behind the name in the usage line: "TOPIC"; NULL = none */
    const char *help; /* one sentence for the list */
    const char *more; /* paragraphs for its own --help, or NULL */
    const struct command_flag *flags;
    size_t n_flags;
    int args_min, args_max;            /* positional arguments; -1 = no limit */
    int (*run)(const struct cli *cli); /* returns an exit code; NULL = only children */
    const struct command *children;    /* looked for first in the first argument */
    size_t n_children;
    bool no_config; /* runs without looking at file and environment, so that it works when they are wrong */
    void (*help_more)(const struct cli *cli, struct buf *out); /* what --help adds from other tables, or NULL */
};

/* A flag with a value, as it was given. */
struct given_flag {
    const char *name;
    const char *value;
};

/* What a command gets. Everything belongs to main and lives until the command returns. */
struct cli {
    const struct config *cfg; /* loaded and checked: file, environment, flags */
    const struct command *command;
    int argc; /* positional arguments only */
    const char *const *argv;
    bool json;
    bool yes;
    bool dry_run;
    bool quiet;
    const char *path;                       /* "sluice topics apply" */
    const char *flag_values[CLI_FLAGS_MAX]; /* by position in command->flags; use cli_flag() */
    const struct given_flag *given;         /* every flag of the command's row, in order; use cli_flag_each() */
    size_t n_given;
};

/* The flag's value ("" for a switch), or NULL when it was not given. The name must be in the command's row. */
const char *cli_flag(const struct cli *cli, const char *name);
/*
 * For a flag that may be given several times, each with one value or several separated by commas: appends the values
 * to out, at most max, and counts them. The texts are heap memory of the caller, also after REJECT: an empty value, or
 * too many.
 */
enum rc cli_flag_each(const struct cli *cli, const char *name, char **out, size_t max, size_t *out_n,
                      struct err *err) MUST_USE;
/*
 * Plain decimal; *out_value is left alone when the flag was not given. REJECT: not a whole number in min..max; the
 * command then returns cli_usage(cli, "%s", err.text).
 */
enum rc cli_flag_int(const struct cli *cli, const char *name, int64_t min, int64_t max, int64_t *out_value,
                     struct err *err) MUST_USE;

/* Prints `sluice: WHAT: text of err` (with the foreign code) to stderr; returns exit_code_of(err->rc), or 78 for
 * ERR_CONFIG. */
int cli_fail(const char *what, const struct err *err);
/* Prints `sluice: ...` and where to find help; returns EXIT_USAGE. */
int cli_usage(const struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A message for people on stderr, `sluice: ...`; nothing with --quiet. */
void cli_note(const struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Writes all of out to stdout; EXIT_DONE, or EXIT_FAILED when stdout is gone. */
int cli_print(const struct buf *out);

/* EXIT_DONE, or EXIT_CONFIG after saying that this option is not set. */
int cli_require(const struct cli *cli, const char *option);

/*
 * Asks on the terminal whether to do what changes something: "Put 3 rows back?". EXIT_DONE: yes, or --yes was given.
 * EXIT_USAGE: no, or there is no terminal. EXIT_INTERRUPTED: Ctrl-C or SIGTERM instead of an answer. What is not done
 * has been said on stderr.
 */
int cli_confirm(const struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Finds the command, loads the configuration, runs it. */
int cli_main(const struct command *root, int argc, char **argv, char **envp);

/* Usage and help of one command; path is "sluice topics". */
void command_help(const struct command *cmd, const char *path, struct buf *out);

#endif
