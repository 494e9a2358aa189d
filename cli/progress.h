/* SPDX-License-Identifier: Apache-2.0 */
/* A bar on the terminal for what takes longer than two seconds. Nothing is shown elsewhere, or with --quiet. */
#ifndef SLUICE_CLI_PROGRESS_H
#define SLUICE_CLI_PROGRESS_H

#include "command.h"

struct progress {
    const struct cli *cli;
    const char *what; /* "reading account.flows" */
    bool at_once;     /* not only after two seconds */
    int64_t begun_ms; /* 0 = not yet */
    int64_t drawn_ms;
    bool shown;
};

/* part: 0 to 1. May be called as often as there is news. */
void progress_show(struct progress *p, double part);
/* Takes the bar away. */
void progress_end(struct progress *p);

#endif
