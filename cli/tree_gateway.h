/* SPDX-License-Identifier: Apache-2.0 */
/* The children of `sluice gateway` and `sluice verify`. */
#ifndef SLUICE_CLI_TREE_GATEWAY_H
#define SLUICE_CLI_TREE_GATEWAY_H

#include "command.h"

#define GATEWAY_CHILDREN_N 4
extern const struct command GATEWAY_CHILDREN[GATEWAY_CHILDREN_N];

#define VERIFY_CHILDREN_N 6
extern const struct command VERIFY_CHILDREN[VERIFY_CHILDREN_N];

#endif
