/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the command line apart, from left to right: commands, flags of the command, global flags, options. */
#include "parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/suggest.h"
#include "roles.h"

#define NAME_MAX_BYTES 96

/* Where the parser stands in argv. */
struct cursor {
    char **argv;
    int argc;
    int at;
};

/* One flag: its name, and its value when there was one behind a '='. */
struct flag {
    char name[NAME_MAX_BYTES];
    const char *value;
};

static const struct command *child_find(const struct command *cmd, const char *name)
{
    for (size_t i = 0; i < cmd->n_children; i++) {
        if (strcmp(cmd->children[i].name, name) == 0) {
            return &cmd->children[i];
        }
    }
    return NULL;
}

/* The value behind '=' or the next argument; NULL when there is none. */
static const char *take_value(const struct flag *flag, struct cursor *c)
{
    if (flag->value != NULL) {
        return flag->value;
    }
    return c->at < c->argc ? c->argv[c->at++] : NULL;
}

static int set_switch(const struct command_line *line, const struct flag *flag, bool *out)
{
    if (flag->value != NULL) {
        return cli_usage(&line->cli, "--%s takes no value", flag->name);
    }
    *out = true;
    return EXIT_DONE;
}

/* True when it is a global flag; *out_code says how it went. */
static bool parse_global(struct command_line *line, const struct flag *flag, struct cursor *c, int *out_code)
{
    const struct {
        const char *name;
        bool *target;
    } switches[] = {
        {"help", &line->help},           {"json", &line->cli.json},   {"yes", &line->cli.yes},
        {"dry-run", &line->cli.dry_run}, {"quiet", &line->cli.quiet},
    };
    for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
        if (strcmp(flag->name, switches[i].name) == 0) {
            *out_code = set_switch(line, flag, switches[i].target);
            return true;
        }
    }
    if (strcmp(flag->name, "config") != 0) {
        return false;
    }
    line->config_path = take_value(flag, c);
    *out_code = line->config_path == NULL ? cli_usage(&line->cli, "--config needs a FILE") : EXIT_DONE;
    return true;
}

/* True when it is in the command's row. */
static bool parse_own(struct command_line *line, const struct flag *flag, struct cursor *c, int *out_code)
{
    const struct command *cmd = line->cli.command;
    for (size_t i = 0; i < cmd->n_flags && i < CLI_FLAGS_MAX; i++) {
        const struct command_flag *row = &cmd->flags[i];
        if (strcmp(flag->name, row->name) != 0) {
            continue;
        }
        bool given = false;
        if (row->value == NULL) {
            *out_code = set_switch(line, flag, &given);
            line->cli.flag_values[i] = "";
        } else {
            const char *value = take_value(flag, c);
            *out_code = value == NULL ? cli_usage(&line->cli, "--%s needs %s", row->name, row->value) : EXIT_DONE;
            line->cli.flag_values[i] = value;
            if (value != NULL) {
                line->given[line->cli.n_given++] = (struct given_flag){.name = row->name, .value = value};
            }
        }
        return true;
    }
    return false;
}

static bool is_option(const char *name)
{
    if (strncmp(name, "kafka.", 6) == 0) {
        return true;
    }
    const struct option_table *tables[OPTION_TABLES_MAX];
    size_t n = option_tables(tables);
    for (size_t t = 0; t < n; t++) {
        for (size_t r = 0; r < tables[t]->n_rows; r++) {
            const struct option *opt = &tables[t]->rows[r];
            size_t len = strlen(opt->name);
            bool same = strncmp(opt->name, name, len) == 0;
            if (same && (name[len] == '\0' || (opt->secret && strcmp(name + len, ".file") == 0))) {
                return true;
            }
        }
    }
    return false;
}

static int parse_option(struct command_line *line, const struct flag *flag, struct cursor *c, struct config *cfg)
{
    struct err err = {0};
    const char *value = take_value(flag, c);
    if (value == NULL) {
        return cli_usage(&line->cli, "--%s needs a value", flag->name);
    }
    if (config_set_flag(cfg, flag->name, value, &err) != RC_OK) {
        (void)cli_fail("configuration", &err);
        return EXIT_CONFIG;
    }
    return EXIT_DONE;
}

static int unknown_flag(const struct command_line *line, const char *name)
{
    static const char *const globals[] = {"help", "config", "json", "yes", "dry-run", "quiet"};
    struct suggest near;
    suggest_init(&near, name);
    for (size_t i = 0; i < ARRAY_SIZE(globals); i++) {
        suggest_offer(&near, globals[i]);
    }
    for (size_t i = 0; i < line->cli.command->n_flags; i++) {
        suggest_offer(&near, line->cli.command->flags[i].name);
    }
    const struct option_table *tables[OPTION_TABLES_MAX];
    size_t n = option_tables(tables);
    for (size_t t = 0; t < n; t++) {
        for (size_t r = 0; r < tables[t]->n_rows; r++) {
            suggest_offer(&near, tables[t]->rows[r].name);
        }
    }
    if (near.best != NULL) {
        return cli_usage(&line->cli, "unknown flag --%s; did you mean --%s?", name, near.best);
    }
    return cli_usage(&line->cli, "unknown flag --%s", name);
}

static int parse_flag(struct command_line *line, const char *text, struct cursor *c, struct config *cfg)
{
    struct flag flag = {0};
    const char *equals = strchr(text, '=');
    size_t n = equals == NULL ? strlen(text) : (size_t)(equals - text);
    if (n >= sizeof flag.name) {
        return cli_usage(&line->cli, "unknown flag --%.40s...", text);
    }
    memcpy(flag.name, text, n);
    flag.value = equals == NULL ? NULL : equals + 1;
    int code = EXIT_DONE;
    if (parse_own(line, &flag, c, &code) || parse_global(line, &flag, c, &code)) {
        return code;
    }
    return is_option(flag.name) ? parse_option(line, &flag, c, cfg) : unknown_flag(line, flag.name);
}

static void descend(struct command_line *line, const struct command *child)
{
    line->cli.command = child;
    size_t n = strlen(line->path);
    (void)snprintf(line->path + n, sizeof line->path - n, " %s", child->name);
}

/* A word is a command as long as it can be one, then an argument. `help` in front asks for help. */
static void parse_word(struct command_line *line, const char *word)
{
    const struct command *child = line->cli.argc == 0 ? child_find(line->cli.command, word) : NULL;
    if (child != NULL) {
        descend(line, child);
    } else if (line->cli.argc == 0 && !line->help && strcmp(word, "help") == 0) {
        line->help = true;
    } else {
        line->arguments[line->cli.argc++] = word;
    }
}

static int unknown_command(const struct command_line *line)
{
    const struct command *cmd = line->cli.command;
    const char *word = line->arguments[0];
    struct suggest near;
    suggest_init(&near, word);
    for (size_t i = 0; i < cmd->n_children; i++) {
        suggest_offer(&near, cmd->children[i].name);
    }
    if (near.best != NULL) {
        return cli_usage(&line->cli, "unknown command %.40s; did you mean %s?", word, near.best);
    }
    return cli_usage(&line->cli, "unknown command %.40s", word);
}

static int check_arguments(const struct command_line *line)
{
    const struct command *cmd = line->cli.command;
    bool too_many = cmd->args_max >= 0 && line->cli.argc > cmd->args_max;
    if (too_many && cmd->n_children > 0) {
        return unknown_command(line);
    }
    if (line->help) {
        return EXIT_DONE;
    }
    if (too_many) {
        return cli_usage(&line->cli, "%.40s: one argument too many", line->arguments[cmd->args_max]);
    }
    if (line->cli.argc < cmd->args_min) {
        return cli_usage(&line->cli, "%s needs %s", cmd->name, cmd->args);
    }
    return EXIT_DONE;
}

int command_line_parse(const struct command *root, int argc, char **argv, struct config *cfg,
                       struct command_line *out_line)
{
    *out_line = (struct command_line){.cli = {.cfg = cfg, .command = root}};
    out_line->arguments = xcalloc((size_t)argc + 1, sizeof *out_line->arguments);
    out_line->cli.argv = out_line->arguments;
    out_line->given = xcalloc((size_t)argc + 1, sizeof *out_line->given);
    out_line->cli.given = out_line->given;
    out_line->cli.path = out_line->path;
    (void)snprintf(out_line->path, sizeof out_line->path, "%s", root->name);
    struct cursor c = {.argv = argv, .argc = argc, .at = 1};
    bool only_words = false;
    while (c.at < c.argc) {
        const char *text = c.argv[c.at++];
        int code = EXIT_DONE;
        if (only_words || text[0] != '-' || strcmp(text, "-") == 0) {
            parse_word(out_line, text);
        } else if (strcmp(text, "--") == 0) {
            only_words = true;
        } else if (strcmp(text, "-q") == 0) {
            out_line->cli.quiet = true;
        } else if (strcmp(text, "-h") == 0) {
            out_line->help = true;
        } else if (text[1] == '-') {
            code = parse_flag(out_line, text + 2, &c, cfg);
        } else {
            code = cli_usage(&out_line->cli, "unknown flag %.40s", text);
        }
        if (code != EXIT_DONE) {
            return code;
        }
    }
    return check_arguments(out_line);
}

void command_line_done(struct command_line *line)
{
    free(line->arguments);
    free(line->given);
    *line = (struct command_line){0};
}
