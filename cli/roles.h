/* SPDX-License-Identifier: Apache-2.0 */
/* The roles that this program can run, and with them all options it knows. */
#ifndef SLUICE_CLI_ROLES_H
#define SLUICE_CLI_ROLES_H

#include <stddef.h>

#include "base/option.h"
#include "runtime/role.h"

#define OPTION_TABLES_MAX 32

extern const struct role *const ROLES[];
extern const size_t ROLES_N;

/* NULL when there is none of that name. */
const struct role *role_find(const char *name);

/* The core table and each role's; returns how many. */
size_t option_tables(const struct option_table *out[OPTION_TABLES_MAX]);

#endif
