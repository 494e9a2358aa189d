/* SPDX-License-Identifier: Apache-2.0 */
/* The command line, taken apart. */
#ifndef SLUICE_CLI_PARSE_H
#define SLUICE_CLI_PARSE_H

#include "command.h"

#define PATH_TEXT_MAX 128

struct command_line {
    struct cli cli;           /* cfg is set by the caller */
    const char **arguments;   /* what cli.argv points to */
    struct given_flag *given; /* what cli.given points to */
    const char *config_path;  /* --config, or NULL */
    bool help;
    char path[PATH_TEXT_MAX]; /* "sluice topics apply" */
};

/*
 * Finds the command and takes flags apart; options go into cfg at once. EXIT_DONE; EXIT_USAGE or EXIT_CONFIG after one
 * line on stderr. Give it back with command_line_done in every case.
 */
int command_line_parse(const struct command *root, int argc, char **argv, struct config *cfg,
                       struct command_line *out_line);
void command_line_done(struct command_line *line);

#endif
