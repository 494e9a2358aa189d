/* SPDX-License-Identifier: Apache-2.0 */
/* The options every role and command knows. */
#ifndef SLUICE_RUNTIME_CORE_OPTIONS_H
#define SLUICE_RUNTIME_CORE_OPTIONS_H

#include "base/option.h"

extern const struct option_table CORE_OPTIONS;

/* Log level and format as configured; app and instance as in log_setup(). */
void core_log_setup(const struct config *cfg, const char *app, const char *instance);

#endif
