/* SPDX-License-Identifier: Apache-2.0 */
/* The children of `sluice waybills`, `sluice devices` and `sluice selftest`. */
#ifndef SLUICE_CLI_TREE_EXPRESS_H
#define SLUICE_CLI_TREE_EXPRESS_H

#include "command.h"

#define WAYBILLS_CHILDREN_N 4
extern const struct command WAYBILLS_CHILDREN[WAYBILLS_CHILDREN_N];

#define DEVICES_CHILDREN_N 4
extern const struct command DEVICES_CHILDREN[DEVICES_CHILDREN_N];

#define SELFTEST_CHILDREN_N 1
extern const struct command SELFTEST_CHILDREN[SELFTEST_CHILDREN_N];

#endif
