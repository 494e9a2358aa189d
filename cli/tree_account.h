/* SPDX-License-Identifier: Apache-2.0 */
/* The children of `sluice account`, a file of their own because they are many. */
#ifndef SLUICE_CLI_TREE_ACCOUNT_H
#define SLUICE_CLI_TREE_ACCOUNT_H

#include "command.h"

#define ACCOUNT_CHILDREN_N 12
extern const struct command ACCOUNT_CHILDREN[ACCOUNT_CHILDREN_N];

#endif
