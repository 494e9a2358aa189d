/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing what a client gives with what is configured. */
#ifndef SLUICE_HTTP_SECRET_H
#define SLUICE_HTTP_SECRET_H

#include <stdbool.h>

/* Takes the same time wherever the first difference is. */
bool secret_same(const char *want, const char *got);

#endif
