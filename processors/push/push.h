/* SPDX-License-Identifier: Apache-2.0 */
/* The push role: messages to devices become requests to push providers, and what became of each an outcome. */
#ifndef SLUICE_PUSH_PUSH_H
#define SLUICE_PUSH_PUSH_H

#include "base/option.h"
#include "runtime/role.h"

extern const struct option_table push_options;
extern const struct role push_role;

#endif
