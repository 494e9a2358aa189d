/* SPDX-License-Identifier: Apache-2.0 */
/* A bar on the terminal for what takes longer than two seconds. Nothing is shown elsewhere, or with --quiet. */
#ifndef SLUICE_CLI_PROGRESS_H
#define SLUICE_CLI_PROGRESS_H

#include "command.h"

struct progress {
    const struct cli *cli;
    const char *what; /* "reading account.flows" */
    int64_t begun_ms; /* 0 = not yet */
    bool shown;
};

/* part: 0 to 1. */
void progress_show(struct progress *p, double part);
/* Takes the bar away. */
void progress_end(struct progress *p);

#endif
