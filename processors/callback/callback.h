/* SPDX-License-Identifier: Apache-2.0 */
/* The callback role: events become signed requests to partner platforms, and what became of each an outcome. */
#ifndef SLUICE_CALLBACK_CALLBACK_H
#define SLUICE_CALLBACK_CALLBACK_H

#include "base/option.h"
#include "runtime/role.h"

extern const struct option_table callback_options;
extern const struct role callback_role;

#endif
