/* SPDX-License-Identifier: Apache-2.0 */
/* From the command line to the command: configuration, help, and what commands use to talk. */
#include "command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "parse.h"
#include "roles.h"
#include "runtime/core_options.h"

#define HELP_BYTES_MAX ((size_t)1 << 20)
#define NAME_COLUMN 24

static const struct command_flag GLOBAL_FLAGS[] = {
    {"config", "FILE", "Read options from FILE (key = value a line); also SLUICE_CONFIG."},
    {"json", NULL, "Data as JSON."},
    {"yes", NULL, "Do not ask."},
    {"dry-run", NULL, "Say what would be done, change nothing."},
    {"quiet", NULL, "Also -q: no messages but errors."},
    {"help", NULL, "Also -h: this text."},
};

const char *cli_flag(const struct cli *cli, const char *name)
{
    for (size_t i = 0; i < cli->command->n_flags; i++) {
        if (strcmp(cli->command->flags[i].name, name) == 0) {
            return cli->flag_values[i];
        }
    }
    (void)fprintf(stderr, "sluice: no flag --%s in the row of %s\n", name, cli->command->name);
    abort();
}

static enum rc split_values(const char *name, const char *text, char **out, size_t max, size_t *n, struct err *err)
{
    for (;;) {
        size_t length = strcspn(text, ",");
        if (length == 0 || *n == max) {
            FAIL(err, RC_REJECT, "--%s: %s", name, length == 0 ? "an empty value" : "too many values");
        }
        out[(*n)++] = xstrndup(text, length);
        if (text[length] == '\0') {
            return RC_OK;
        }
        text += length + 1;
    }
}

enum rc cli_flag_each(const struct cli *cli, const char *name, char **out, size_t max, size_t *out_n, struct err *err)
{
    *out_n = 0;
    for (size_t i = 0; i < cli->n_given; i++) {
        if (strcmp(cli->given[i].name, name) == 0) {
            TRY(split_values(name, cli->given[i].value, out, max, out_n, err));
        }
    }
    return RC_OK;
}

enum rc cli_flag_int(const struct cli *cli, const char *name, int64_t min, int64_t max, int64_t *out_value,
                     struct err *err)
{
    const char *text = cli_flag(cli, name);
    if (text != NULL && !option_parse_int(text, min, max, out_value)) {
        FAIL(err, RC_REJECT, "--%s: \"%.40s\" is not a whole number in %lld..%lld", name, text, (long long)min,
             (long long)max);
    }
    return RC_OK;
}

int cli_fail(const char *what, const struct err *err)
{
    bool has_code = err->code[0] != '\0' && !err_is_config(err);
    (void)fprintf(stderr, has_code ? "sluice: %s: %s (%s)\n" : "sluice: %s: %s\n", what, err->text, err->code);
    return err_is_config(err) ? EXIT_CONFIG : (int)exit_code_of(err->rc);
}

int cli_usage(const struct cli *cli, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    CLEANUP(freep) char *text = xvasprintf(fmt, ap);
    va_end(ap);
    (void)fprintf(stderr, "sluice: %s; see `%s --help`\n", text, cli->path);
    return EXIT_USAGE;
}

void cli_note(const struct cli *cli, const char *fmt, ...)
{
    if (cli->quiet) {
        return;
    }
    va_list ap;
    va_start(ap, fmt);
    CLEANUP(freep) char *text = xvasprintf(fmt, ap);
    va_end(ap);
    (void)fprintf(stderr, "sluice: %s\n", text);
}

int cli_print(const struct buf *out)
{
    if (out->overflow) {
        (void)fprintf(stderr, "sluice: the output is larger than %zu bytes\n", out->max);
        return EXIT_FAILED;
    }
    if (fwrite(buf_str(out), 1, out->len, stdout) != out->len || fflush(stdout) != 0) {
        (void)fprintf(stderr, "sluice: cannot write to standard output: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

int cli_require(const struct cli *cli, const char *option)
{
    if (config_str(cli->cfg, option)[0] != '\0') {
        return EXIT_DONE;
    }
    const struct option_table *tables[OPTION_TABLES_MAX];
    size_t n = option_tables(tables);
    char env[PATH_TEXT_MAX] = "";
    for (size_t t = 0; t < n; t++) {
        for (size_t r = 0; r < tables[t]->n_rows; r++) {
            if (strcmp(tables[t]->rows[r].name, option) == 0) {
                (void)option_env(&tables[t]->rows[r], env, sizeof env);
            }
        }
    }
    (void)fprintf(stderr, "sluice: configuration: option %s (environment %s): not set\n", option, env);
    return EXIT_CONFIG;
}

static void add_row(struct buf *out, const char *left, const char *right)
{
    if (strlen(left) >= NAME_COLUMN) {
        (void)buf_printf(out, "  %s\n  %-*s%s\n", left, NAME_COLUMN, "", right);
    } else {
        (void)buf_printf(out, "  %-*s%s\n", NAME_COLUMN, left, right);
    }
}

static void add_flags(struct buf *out, const char *title, const struct command_flag *flags, size_t n)
{
    if (n == 0) {
        return;
    }
    (void)buf_printf(out, "\n%s:\n", title);
    for (size_t i = 0; i < n; i++) {
        const char *value = flags[i].value;
        CLEANUP(freep)
        char *left = xasprintf("--%s%s%s", flags[i].name, value == NULL ? "" : " ", value == NULL ? "" : value);
        add_row(out, left, flags[i].help);
    }
}

static void add_children(struct buf *out, const struct command *cmd)
{
    if (cmd->n_children == 0) {
        return;
    }
    (void)buf_puts(out, "\nCommands:\n");
    for (size_t i = 0; i < cmd->n_children; i++) {
        const struct command *child = &cmd->children[i];
        CLEANUP(freep)
        char *left =
            xasprintf("%s%s%s", child->name, child->args == NULL ? "" : " ", child->args == NULL ? "" : child->args);
        add_row(out, left, child->help);
    }
}

void command_help(const struct command *cmd, const char *path, struct buf *out)
{
    (void)buf_printf(out, "%s\n\nUsage: %s", cmd->help, path);
    if (cmd->n_children > 0) {
        (void)buf_puts(out, cmd->run == NULL ? " COMMAND" : " [COMMAND]");
    }
    (void)buf_printf(out, "%s%s [FLAGS]\n", cmd->args == NULL ? "" : " ", cmd->args == NULL ? "" : cmd->args);
    if (cmd->more != NULL) {
        (void)buf_printf(out, "\n%s\n", cmd->more);
    }
    add_children(out, cmd);
    add_flags(out, "Flags", cmd->flags, cmd->n_flags);
    add_flags(out, "Flags of all commands", GLOBAL_FLAGS, ARRAY_SIZE(GLOBAL_FLAGS));
    add_row(out, "--OPTION=VALUE", "Any option of `sluice config`, e.g. --log.level=debug.");
}

static int print_help(const struct command_line *line)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, HELP_BYTES_MAX);
    command_help(line->cli.command, line->path, &out);
    if (line->cli.command->help_more != NULL) {
        line->cli.command->help_more(&line->cli, &out);
    }
    return cli_print(&out);
}

/* The value of SLUICE_CONFIG, or NULL. */
static const char *config_variable(char **envp)
{
    static const char name[] = "SLUICE_CONFIG=";
    for (; *envp != NULL; envp++) {
        if (strncmp(*envp, name, sizeof name - 1) == 0 && (*envp)[sizeof name - 1] != '\0') {
            return *envp + sizeof name - 1;
        }
    }
    return NULL;
}

static enum rc load_config(struct config *cfg, const char *path, char **envp, struct err *err)
{
    const char *file = path != NULL ? path : config_variable(envp);
    if (file != NULL) {
        TRY(config_load_file(cfg, file, err));
    }
    return config_load_env(cfg, envp, err);
}

static int run_line(const struct command_line *line, struct config *cfg, char **envp)
{
    const struct command *cmd = line->cli.command;
    if (line->help || cmd->run == NULL) {
        return print_help(line);
    }
    struct err err = {0};
    if (!cmd->no_config && load_config(cfg, line->config_path, envp, &err) != RC_OK) {
        (void)cli_fail("configuration", &err);
        return EXIT_CONFIG;
    }
    core_log_setup(cfg, NULL, NULL);
    return cmd->run(&line->cli);
}

int cli_main(const struct command *root, int argc, char **argv, char **envp)
{
    const struct option_table *tables[OPTION_TABLES_MAX];
    CLEANUP(config_freep) struct config *cfg = config_create(tables, option_tables(tables));
    CLEANUP(command_line_done) struct command_line line;
    int code = command_line_parse(root, argc, argv, cfg, &line);
    return code == EXIT_DONE ? run_line(&line, cfg, envp) : code;
}
