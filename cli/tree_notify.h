/* SPDX-License-Identifier: Apache-2.0 */
/* The children of `sluice notify`. */
#ifndef SLUICE_CLI_TREE_NOTIFY_H
#define SLUICE_CLI_TREE_NOTIFY_H

#include "command.h"

#define NOTIFY_CHILDREN_N 2
extern const struct command NOTIFY_CHILDREN[NOTIFY_CHILDREN_N];

#endif
