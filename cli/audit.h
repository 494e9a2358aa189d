/* SPDX-License-Identifier: Apache-2.0 */
/* Who does it: for the log line of a command that changes what others rely on. */
#ifndef SLUICE_CLI_AUDIT_H
#define SLUICE_CLI_AUDIT_H

#include "command.h"

#define AUDIT_NAME_MAX 200

/* --operator when it was given (the flag must be in the command's row), else user@host; no control characters. */
void audit_operator(const struct cli *cli, char out[AUDIT_NAME_MAX]);

#endif
