/* SPDX-License-Identifier: Apache-2.0 */
/* The children of `sluice sign`. */
#ifndef SLUICE_CLI_TREE_SIGN_H
#define SLUICE_CLI_TREE_SIGN_H

#include "command.h"

#define SIGN_CHILDREN_N 7
extern const struct command SIGN_CHILDREN[SIGN_CHILDREN_N];

#endif
