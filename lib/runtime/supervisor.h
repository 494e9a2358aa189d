/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several roles from one command: one child process each.
 *
 * A child that fails is started again with growing pauses; exit codes 0 (done), 2 and 78 (starting again will not
 * help) end it for good, the latter two end the others too. SIGTERM and SIGINT are passed on as SIGTERM; the second
 * one kills the children. Children die with the supervisor. For one role there is no supervisor.
 */
#ifndef SLUICE_RUNTIME_SUPERVISOR_H
#define SLUICE_RUNTIME_SUPERVISOR_H

#include <stddef.h>

#include "base/option.h"
#include "runtime/role.h"

#define SUPERVISOR_ROLES_MAX 16

/* Runs all to their end; returns the exit code of the process: that of the first that failed for good, else 0. */
int supervise(const struct role *const *roles, size_t n, const struct config *cfg);

#endif
