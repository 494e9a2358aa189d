/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands run in this process, in a directory of their own, with what they print caught.
 *
 * Thread: main; one directory at a time.
 */
#ifndef SLUICE_TEST_CLI_RIG_H
#define SLUICE_TEST_CLI_RIG_H

#include "base/mem.h"

/* A line of words, one blank between two of them; its exit code. The environment is empty. */
PRINTF_LIKE(1, 2) int cli_run(const char *format, ...);

/* An empty directory, which is this process's from now on; away with it and all that is in it. */
void cli_enter(void);
void cli_leave(void);

/* What was printed so far, after cr_redirect_stdout(); nothing more can be. Static. */
const char *cli_printed(void);

#endif
